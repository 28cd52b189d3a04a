/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One link: QEMU's ivshmem server protocol for its two clients, or for the one
 * whose other end is the guard's, and the declaration of a client's death (SPEC
 * section 6).
 *
 * Each client's end has its own socket file, so the file says which end a client
 * gets, and a client that comes back by it gets that end again. A client is
 * trusted with its link and with nothing else: it may write anything into the
 * link's memory, do to both doorbells what it likes, connect and go without end, and
 * read nothing. The hub waits for none of it, and the log has a ration for it.
 */
#ifndef UR_SERVER_H
#define UR_SERVER_H

#include "bell.h"
#include "config.h"
#include "listener.h"
#include "loop.h"
#include "memory.h"
#include "ration.h"

struct ur_server_end {
	struct ur_server *server;
	enum ur_end which; /* also its peer id */
	char label[UR_CONFIG_NAME_MAX + 16]; /* for the log */
	struct ur_listener listener;
	struct ur_source door;	 /* watches the listener */
	struct ur_source client; /* fd UR_LOOP_NONE: nobody is here */
	struct ucred who;	 /* of client */
	int unread; /* the connection of a former client that still has its greeting to
		       read, or -1 */
	struct ur_bell bell;	 /* this end sleeps on it */
	struct ur_ration lines;	 /* of the log, for what clients bring about */
	u64 left_out;		 /* lines over the ration, and not yet told */
};

struct ur_server {
	const struct ur_config_link *link; /* the caller's, outlives us */
	struct ur_loop *loop;
	struct ur_memory memory;
	struct ur_server_end ends[2]; /* by enum ur_end */
};

/*
 * Make memory, doorbells and sockets, and watch them in the loop. 0, or -1 with
 * log lines; then nothing is left behind.
 */
int ur_server_open(struct ur_server *server, const struct ur_config_link *link,
		   struct ur_loop *loop);

/*
 * Remove the sockets and close everything. The clients keep memory and
 * doorbells, so a link that is up stays up; but no death is declared any more.
 */
void ur_server_close(struct ur_server *server);

/* Of a link with the guard: the end that no client has, and its doorbell. */
enum ur_end ur_server_own_end(const struct ur_server *server);
int ur_server_own_bell(const struct ur_server *server);

/* Ring the client at the other end, here or not: if its doorbell blocks it is dead. */
void ur_server_ring(struct ur_server *server);

#endif
