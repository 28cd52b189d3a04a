/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening unix socket in the file system, and who connects to it.
 */
#ifndef UR_LISTENER_H
#define UR_LISTENER_H

#include <sys/socket.h>
#include <sys/stat.h>

#include "config.h"

struct ur_listener {
	const char *path;
	int fd;		  /* -1: not open */
	int spare;	  /* for when descriptors are used up */
	struct stat made; /* what we put at path, to remove nothing else */
};

/*
 * Make the socket with the link's mode, owner and group. A socket file that
 * nobody listens on is replaced; a live socket and anything that is not a
 * socket is left alone, and an error. path must outlive the listener.
 * 0, or -1 with a log line.
 */
int ur_listener_open(struct ur_listener *listener, const char *path,
		     const struct ur_config_link *link);

/* Remove the socket file if it is still the one we made, and close. */
void ur_listener_close(struct ur_listener *listener);

/*
 * The next connection (non-blocking) and the process behind it. -1: none. When
 * descriptors are used up the connection is closed at once, with a log line.
 */
int ur_listener_accept(struct ur_listener *listener, struct ucred *who);

#endif
