// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client is told, at once and all that it is ever told:
 *
 *	hub                               client of end A
 *	 |-- 0 ----------------------------->|  the protocol's version
 *	 |-- 0 ----------------------------->|  its own id (A 0, B 1)
 *	 |-- -1, fd of the memory ---------->|
 *	 |-- 1, fd of B's doorbell --------->|  the peer: always, here or not
 *	 |-- 0, fd of A's doorbell --------->|  itself
 *
 * The protocol would also let us tell of a peer that goes (its id without a
 * descriptor) and comes back (its id with a new one). QEMU frees its record of a
 * peer that goes and writes into the freed record when the same id comes back;
 * seen with 7.2: the second return aborts the survivor in malloc. New ids would
 * avoid that, but the driver in the guest could not know them. So both doorbells
 * live as long as the hub, each client gets both, and for the clients the peer
 * is always connected. That it is dead is said where the driver looks for it: in
 * its epoch, with a ring.
 *
 * Why a closed connection means that the memory is no longer written: a process
 * that dies gives up its memory before its descriptors. A client that closes
 * the connection and lives on breaks only its own link.
 *
 * All messages together fit into the smallest send buffer that a socket can
 * have, so a client that does not read them holds up nobody. It also stays: a
 * QEMU whose device is yet to be plugged in reads nothing until then. Its place is
 * free for another once it has read them or is gone.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "message.h"
#include "server.h"

#define PROTOCOL_VERSION 0
#define MEMORY_ID (-1)

#define LINES_A_SECOND 10u
#define LINES_MOST 1000u

/* In the log, within the ration; how many were left out is told with the next. */
__attribute__((format(printf, 2, 3))) static void
say(struct ur_server_end *end, const char *format, ...)
{
	char text[UR_LOG_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!ur_ration_take(&end->lines, ur_now_ms())) {
		end->left_out++;
		return;
	}
	if (end->left_out > 0)
		ur_log("%s: %llu lines left out", end->label,
		       (unsigned long long)end->left_out);
	end->left_out = 0;
	ur_log("%s: %s", end->label, text);
}

static struct ur_server_end *peer_of(struct ur_server_end *end)
{
	return &end->server->ends[!end->which];
}

static bool greet(struct ur_server_end *end)
{
	const struct ur_server_end *peer = peer_of(end);
	const struct ur_message greeting[] = {
		{ PROTOCOL_VERSION, UR_MESSAGE_NO_FD },
		{ end->which, UR_MESSAGE_NO_FD },
		{ MEMORY_ID, end->server->memory.fd },
		{ peer->which, peer->bell.fd },
		{ end->which, end->bell.fd },
	};

	for (size_t i = 0; i < sizeof(greeting) / sizeof(greeting[0]); i++)
		if (!ur_message_send(end->client.fd, &greeting[i]))
			return false;
	return true;
}

/* The life of a client */

static bool has_unread(int connection)
{
	int bytes = 0;

	return ioctl(connection, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/*
 * Descriptors that were sent and not read count against our user, who may have
 * as many of them as a process may have open: a client that comes and goes and
 * reads nothing could use them up for all others. So it keeps its place until it
 * has read, or is gone.
 */
static void drop_client(struct ur_server_end *end)
{
	int fd = end->client.fd;

	ur_loop_remove(end->server->loop, &end->client);
	if (fd < 0)
		return;
	if (has_unread(fd)) {
		shutdown(fd, SHUT_RDWR);
		end->unread = fd;
		return;
	}
	close(fd);
}

/* Whether the former client's greeting is read, or there is none. */
static bool forget_unread(struct ur_server_end *end)
{
	if (end->unread < 0)
		return true;
	if (has_unread(end->unread))
		return false;
	close(end->unread);
	end->unread = -1;
	return true;
}

/* The order is the point: down, then the survivor looks, then a successor. */
static void declare_dead(struct ur_server_end *end, const char *why)
{
	u32 epoch = ur_memory_declare_down(&end->server->memory, end->which);

	(void)ur_bell_ring(&peer_of(end)->bell);
	drop_client(end);
	say(end, "gone: pid %d uid %u: %s; epoch %u is down", end->who.pid,
	    end->who.uid, why, epoch);
}

/* Why the client of this end counts as gone, or NULL while it is there. */
static const char *client_loss(const struct ur_server_end *end)
{
	char byte;
	ssize_t got = recv(end->client.fd, &byte, sizeof(byte), MSG_DONTWAIT);

	if (got == 0)
		return "it closed the connection";
	if (got > 0)
		return "it sent something, and a client has nothing to say";
	if (errno == EAGAIN || errno == EINTR)
		return NULL;
	return strerror(errno);
}

static void look_at_client(struct ur_server_end *end)
{
	const char *why = end->client.fd == UR_LOOP_NONE ? NULL :
							    client_loss(end);

	if (why)
		declare_dead(end, why);
}

static bool uid_is_allowed(const struct ur_config_link *link, uid_t uid)
{
	for (unsigned int i = 0; i < link->uid_count; i++)
		if (link->uids[i] == uid)
			return true;
	return link->uid_count == 0;
}

/* 0, or the errno number to refuse the client with. */
static int may_enter(struct ur_server_end *end, const struct ucred *who)
{
	if (!uid_is_allowed(end->server->link, who->uid)) {
		say(end, "refused: pid %d uid %u: not in allow-uid",
		    who->pid, who->uid);
		return EACCES;
	}
	if (end->client.fd != UR_LOOP_NONE) {
		say(end, "refused: pid %d uid %u: taken by pid %d uid %u",
		    who->pid, who->uid, end->who.pid, end->who.uid);
		return EBUSY;
	}
	if (!forget_unread(end)) {
		say(end, "refused: pid %d uid %u: pid %d uid %u has yet to read its greeting",
		    who->pid, who->uid, end->who.pid, end->who.uid);
		return EBUSY;
	}
	return 0;
}

static void enter(struct ur_server_end *end, int fd, const struct ucred *who)
{
	if (ur_loop_add(end->server->loop, &end->client, fd) < 0) {
		ur_message_refuse(fd, errno);
		return;
	}
	end->who = *who;
	say(end, "connected: pid %d uid %u", who->pid, who->uid);
	if (!greet(end))
		declare_dead(end, strerror(errno));
}

/* Events */

static void door_ready(struct ur_source *door)
{
	struct ur_server_end *end =
		(void *)((u8 *)door - offsetof(struct ur_server_end, door));
	struct ucred who;
	int fd = ur_listener_accept(&end->listener, &who);
	int err;

	if (fd < 0)
		return;
	/* The end of the one before may be waiting in the same batch. */
	look_at_client(end);
	err = may_enter(end, &who);
	if (err)
		ur_message_refuse(fd, err);
	else
		enter(end, fd, &who);
}

static void client_ready(struct ur_source *client)
{
	look_at_client((void *)((u8 *)client -
				offsetof(struct ur_server_end, client)));
}

/* The life of a link */

static bool is_own(const struct ur_server_end *end)
{
	return end->server->link->end[end->which].path[0] == '\0';
}

static void name_end(struct ur_server_end *end)
{
	const struct ur_config_link *link = end->server->link;

	if (link->kind == UR_CONFIG_LINK)
		snprintf(end->label, sizeof(end->label), "link %s: end %c",
			 link->name, "AB"[end->which]);
	else
		snprintf(end->label, sizeof(end->label), "%s %s",
			 ur_config_kind_name(link->kind), link->name);
}

static void end_init(struct ur_server *server, enum ur_end which)
{
	server->ends[which] = (struct ur_server_end){
		.server = server,
		.which = which,
		.listener = { .fd = -1, .spare = -1 },
		.door = { UR_LOOP_NONE, door_ready },
		.client = { UR_LOOP_NONE, client_ready },
		.unread = -1,
		.bell = { .fd = -1 },
	};
	ur_ration_init(&server->ends[which].lines, LINES_A_SECOND, LINES_MOST,
		       ur_now_ms());
	name_end(&server->ends[which]);
}

static int end_open(struct ur_server_end *end)
{
	const struct ur_config_link *link = end->server->link;
	const char *path = link->end[end->which].path;

	if (ur_bell_open(&end->bell) < 0) {
		say(end, "cannot make a doorbell: %m");
		return -1;
	}
	if (is_own(end))
		return 0;
	if (ur_listener_open(&end->listener, path, link) < 0)
		return -1;
	return ur_loop_add(end->server->loop, &end->door, end->listener.fd);
}

static void end_close(struct ur_server_end *end)
{
	drop_client(end);
	if (end->unread >= 0)
		close(end->unread);
	ur_loop_remove(end->server->loop, &end->door);
	ur_listener_close(&end->listener);
	ur_bell_close(&end->bell);
}

int ur_server_open(struct ur_server *server, const struct ur_config_link *link,
		   struct ur_loop *loop)
{
	server->link = link;
	server->loop = loop;
	end_init(server, UR_END_A);
	end_init(server, UR_END_B);
	if (ur_memory_open(&server->memory, link->name, link->bytes) < 0)
		return -1;
	if (end_open(&server->ends[UR_END_A]) < 0 ||
	    end_open(&server->ends[UR_END_B]) < 0) {
		ur_server_close(server);
		return -1;
	}
	return 0;
}

void ur_server_close(struct ur_server *server)
{
	end_close(&server->ends[UR_END_A]);
	end_close(&server->ends[UR_END_B]);
	ur_memory_close(&server->memory);
}

/* The guard's end */

enum ur_end ur_server_own_end(const struct ur_server *server)
{
	return is_own(&server->ends[UR_END_A]) ? UR_END_A : UR_END_B;
}

int ur_server_own_bell(const struct ur_server *server)
{
	return server->ends[ur_server_own_end(server)].bell.fd;
}

void ur_server_ring(struct ur_server *server)
{
	struct ur_server_end *end = &server->ends[!ur_server_own_end(server)];

	if (!ur_bell_ring(&end->bell) && end->client.fd != UR_LOOP_NONE)
		declare_dead(end, "it made its doorbell block whoever rings it");
}
