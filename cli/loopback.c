// SPDX-License-Identifier: BSD-2-Clause
/* A link that is a socket of this machine: for tests and stock peers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "link.h"
#include "say.h"
#include "text.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static enum ur_exit tcp_open(struct ur_link *link)
{
	u32 port;

	if (!ur_text_number(link->address, 10, 65535, &port)) {
		ur_say("%s: want tcp: and a port, 0 to 65535", link->name);
		return UR_EXIT_USAGE;
	}
	snprintf(link->host, sizeof(link->host), "127.0.0.1");
	snprintf(link->service, sizeof(link->service), "%u", port);
	return UR_EXIT_OK;
}

static enum ur_exit unix_open(struct ur_link *link)
{
	if (*link->address == '\0') {
		ur_say("%s: want unix: and a path", link->name);
		return UR_EXIT_USAGE;
	}
	snprintf(link->host, sizeof(link->host), "%s", link->address);
	snprintf(link->service, sizeof(link->service), "%d",
		 USBROUTE_SERVICE_USBIP);
	return UR_EXIT_OK;
}

static socklen_t resolve(const struct ur_link *link, union address *to)
{
	u32 port;

	memset(to, 0, sizeof(*to));
	if (link->kind == &ur_link_tcp &&
	    ur_text_number(link->service, 10, 65535, &port)) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = htons((u16)port);
		to->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(to->in);
	}
	to->un.sun_family = AF_UNIX;
	snprintf(to->un.sun_path, sizeof(to->un.sun_path), "%s",
		 link->address);
	return sizeof(to->un);
}

/* URBs are small and answered one by one: Nagle's delay would dominate. */
static void set_nodelay(const struct ur_link *link, int fd)
{
	int one = 1;

	if (link->kind == &ur_link_tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* A full backlog makes connect() wait: not for ever. 0 ms ends the bound. */
static void bound_waits(int fd, u32 timeout_ms)
{
	struct timeval bound = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
}

static enum ur_exit socket_connect(struct ur_link *link, u32 timeout_ms,
				   int *fd)
{
	union address to;
	socklen_t length = resolve(link, &to);

	*fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0)
		bound_waits(*fd, timeout_ms ? timeout_ms : 1);
	if (*fd >= 0 && connect(*fd, &to.any, length) == 0) {
		bound_waits(*fd, 0);
		set_nodelay(link, *fd);
		return UR_EXIT_OK;
	}
	ur_say("%s: nobody serves USB/IP there: %m", link->name);
	if (*fd >= 0)
		close(*fd);
	return UR_EXIT_REFUSED;
}

static enum ur_exit socket_listen(struct ur_link *link, u32 backlog)
{
	union address at;
	socklen_t length = resolve(link, &at);
	int one = 1;

	link->fd = socket(at.any.sa_family,
			  SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd >= 0 && at.any.sa_family == AF_INET)
		setsockopt(link->fd, SOL_SOCKET, SO_REUSEADDR, &one,
			   sizeof(one));
	if (link->fd < 0 || bind(link->fd, &at.any, length) < 0 ||
	    listen(link->fd, (int)backlog) < 0) {
		ur_say("%s: cannot serve USB/IP: %m", link->name);
		return UR_EXIT_FAILED;
	}
	return UR_EXIT_OK;
}

static int socket_accept(struct ur_link *link, u32 *channel)
{
	int fd = accept4(link->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	set_nodelay(link, fd);
	*channel = link->calls++;
	return fd;
}

static void socket_report(struct ur_link *link)
{
	(void)link;	/* has no state of its own */
}

const struct ur_link_kind ur_link_tcp = {
	.open = tcp_open,
	.connect = socket_connect,
	.listen = socket_listen,
	.accept = socket_accept,
	.report = socket_report,
};

const struct ur_link_kind ur_link_unix = {
	.open = unix_open,
	.connect = socket_connect,
	.listen = socket_listen,
	.accept = socket_accept,
	.report = socket_report,
};
