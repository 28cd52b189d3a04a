/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to the other virtual machine: streams to and from its USB/IP service.
 *
 * It is /dev/usbrouteN (guest/uapi/usbroute.h). For tests, and to talk with the
 * stock usbip tools on one machine, it can also be a loopback socket: the names
 * "tcp:PORT" (127.0.0.1 only, so that nothing is ever served to a network) and
 * "unix:PATH".
 *
 * Every function that fails has said why and returns the exit status for it.
 */
#ifndef UR_LINK_H
#define UR_LINK_H

#include <glob.h>

#include "command.h"
#include "usbroute.h"

struct ur_link;

/* The kinds of link differ in these; each is as the function below it is for. */
struct ur_link_kind {
	enum ur_exit (*open)(struct ur_link *link);
	enum ur_exit (*connect)(struct ur_link *link, u32 timeout_ms, int *fd);
	enum ur_exit (*listen)(struct ur_link *link, u32 backlog);
	int (*accept)(struct ur_link *link, u32 *channel);
	void (*report)(struct ur_link *link);
};

extern const struct ur_link_kind ur_link_node;		/* node.c */
extern const struct ur_link_kind ur_link_tcp;		/* loopback.c */
extern const struct ur_link_kind ur_link_unix;

struct ur_link {
	const struct ur_link_kind *kind;
	int fd;			/* to poll once it listens: POLLIN | POLLPRI */
	char name[108];		/* "/dev/usbroute0", "tcp:3240", ... */
	const char *address;	/* the part of name behind "tcp:" or "unix:" */
	char host[108];		/* how a record of an attached port calls it */
	char service[8];
	u32 calls;		/* accepted so far */
	u32 state;		/* as last reported, and ... */
	u32 peer_epoch;
};

/*
 * `name` as --device gave it; NULL: the only /dev/usbrouteN there is. None or
 * several is an error that names them.
 */
enum ur_exit ur_link_open(struct ur_link *link, const char *name) ur_must_check;
void ur_link_close(struct ur_link *link);

/* Call the peer's USB/IP service; *fd is a stream, close-on-exec, blocking. */
enum ur_exit ur_link_connect(struct ur_link *link, u32 timeout_ms,
			     int *fd) ur_must_check;

/* Serve USB/IP; `backlog` calls may wait. */
enum ur_exit ur_link_listen(struct ur_link *link, u32 backlog) ur_must_check;

/*
 * The next call, without waiting: its stream, or -EAGAIN, or -errno. *channel
 * tells connections apart in the log.
 */
int ur_link_accept(struct ur_link *link, u32 *channel) ur_must_check;

/* Log the link's state if it changed since the last report. */
void ur_link_report(struct ur_link *link);

/* What /dev/usbrouteN says about itself: 0 or -errno (-EPROTO: other version). */
int ur_link_info(int fd, struct usbroute_info *info) ur_must_check;
/* One line about a link that is broken: the fault's name and both values. */
void ur_link_say_fault(const char *name, const struct usbroute_info *info);

/* "up", "down" or "broken" */
const char *ur_link_state_text(u32 state);

/* Every /dev/usbrouteN, maybe none; free with globfree() in any case. -1: said. */
int ur_link_find(glob_t *found) ur_must_check;

#endif
