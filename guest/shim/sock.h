/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the library share: the descriptor table, its sockets, the
 * places they lead to, and the links of rings in this process.
 *
 * A descriptor is ours if the table has a socket for it. The number itself is
 * always a real one of the kernel's:
 *
 *      NODE, NODE_LISTENER   the kernel's own socket of /dev/usbrouteN, or the
 *                            node; the table only remembers addresses
 *      the rest              an unconnected TCP socket that keeps the number and
 *                            the options; its bytes go through a ring
 *
 * Threads. Any. References: a descriptor holds one, a call holds one while it
 * runs; the stream is closed with the last, as a file is in the kernel.
 * Trust. The program is trusted as it is by its own libc. The peer is not: the
 * ring's own code (ring/, user/) judges whatever comes from it.
 *
 * Functions that return int or ssize_t return a negative errno for an error,
 * unless they are libc's own.
 */
#ifndef UR_SHIM_SOCK_H
#define UR_SHIM_SOCK_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "internal.h"
#include "libc.h"

/* The functions that programs call; all else is hidden. */
#define UR_EXPORT __attribute__((visibility("default")))

/* ---- places -------------------------------------------------------------- */

#define UR_PLACES_MAX 64
#define UR_PLACE_NAME_BYTES 64

/* Where a name leads: a node of the kernel's, or a file with rings. */
struct ur_place {
	char name[UR_PLACE_NAME_BYTES];
	char path[256];
	enum ur_end end;	/* of a file: which one is ours */
	unsigned int number;	/* its address ends in this */
};

/* NULL: no such name, no such address, nothing to listen on. */
const struct ur_place *ur_place_by_name(const char *name);
const struct ur_place *ur_place_by_address(const struct sockaddr *address,
					   socklen_t bytes);
const struct ur_place *ur_place_to_listen(void);

bool ur_place_is_node(const struct ur_place *place);

union ur_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The peer's address of a place (number), or ours there (0). */
union ur_address ur_place_address(unsigned int number, int family, u32 port);
socklen_t ur_address_bytes(const union ur_address *address);
u32 ur_address_port(const struct sockaddr *address);
bool ur_address_is_wildcard(const struct sockaddr *address, socklen_t bytes);

/* ---- links of rings ------------------------------------------------------ */

struct ur_watch;

struct ur_shim_link {
	struct ur_shim_link *next;
	const struct ur_place *place;
	struct ur_file_link *link;
	/* Under the link's lock: */
	struct ur_watch *watches;
	u64 watched_ns;		/* when there last was one */
	bool leaving;
	pthread_cond_t wake;	/* the watcher */
	pthread_t watcher;
	bool has_watcher;	/* under the lock of the links */
};

/* The link of a place, opened at its first use. Says what is wrong. */
int ur_shim_link_get(const struct ur_place *place, struct ur_shim_link **link)
	ur_must_check;

/*
 * From here on the link is looked after, and calls that nobody serves are
 * refused: so whoever listens does that first.
 */
int ur_shim_link_watch(struct ur_shim_link *link) ur_must_check;

/* ---- sockets ------------------------------------------------------------- */

enum ur_kind {
	UR_KIND_BOUND,		/* to every address of ours; listen() decides */
	UR_KIND_NODE,
	UR_KIND_NODE_LISTENER,
	UR_KIND_LISTENER,	/* from here on: rings */
	UR_KIND_CALLING,	/* a thread connects */
	UR_KIND_FAILED,		/* it could not */
	UR_KIND_STREAM,
	UR_KIND_EPOLL,		/* a set with rings in it: epoll.c */
	UR_KIND_KEPT,		/* a descriptor of this library */
};

/*
 * What MSG_PEEK has shown of the ring and is still in it: a copy, since the peer
 * may write there again. Under the channel's `copying` of the receiver.
 */
struct ur_peeked {
	u8 *data;
	u32 first;		/* the next to come, in `data` */
	u32 bytes;
	u32 at;			/* the ring's index of it */
};

struct ur_sock {
	_Atomic int kind;		/* enum ur_kind */
	unsigned int references;	/* under the table's lock */
	unsigned int descriptors;
	unsigned int forks;		/* ur_forks() when it was made */
	atomic_uint told_forks;		/* and when it was said that it is not that */

	int family;
	union ur_address local;
	union ur_address peer;
	u32 service;

	struct ur_shim_link *link;
	struct ur_stream *stream;
	atomic_bool nonblocking;
	atomic_bool aborts;		/* SO_LINGER with 0 s */
	_Atomic int receive_timeout_ms;	/* UR_FOREVER */
	_Atomic int send_timeout_ms;
	_Atomic int error;		/* for SO_ERROR; errno */
	atomic_bool over;		/* its reset was told */
	atomic_bool shut_receive;
	atomic_bool shut_send;
	atomic_bool no_space;		/* a send found no room: epoll.c */
	atomic_uint sets;		/* epoll sets it is in */
	struct ur_epoll *epoll;
	struct ur_peeked peeked;
	atomic_bool has_peeked;		/* a hint: there may be some */
};

/* NULL: no memory. One reference, the caller's. */
struct ur_sock *ur_sock_new(enum ur_kind kind, int family);
void ur_sock_put(struct ur_sock *s);

/* Read the options that concern us from the kernel's socket. */
void ur_sock_read_options(struct ur_sock *s, int fd);

/* Does its data go through a ring? */
static inline bool ur_sock_is_ring(struct ur_sock *s)
{
	int kind = atomic_load(&s->kind);

	return kind >= UR_KIND_LISTENER && kind <= UR_KIND_STREAM;
}

/* Was it made by a parent of this process? Then that is said, once. */
bool ur_sock_is_inherited(struct ur_sock *s);

/* 0, or the error of a call on a stream that is none (any more); says so. */
int ur_sock_check(struct ur_sock *s) ur_must_check;

/* -1 and errno for a negative errno, and give the reference back. */
ssize_t ur_sock_done(struct ur_sock *s, ssize_t result);

/* ---- the table ----------------------------------------------------------- */

/* NULL: not ours. Otherwise with a reference. */
struct ur_sock *ur_table_get(int fd);
/* The same, rings only. */
struct ur_sock *ur_table_ring(int fd);

/* Let `fd` be `s`, whatever it was. The caller keeps its own reference. */
int ur_table_set(int fd, struct ur_sock *s) ur_must_check;
void ur_table_clear(int fd);

/* `fd` is of this library: the program cannot close it. */
void ur_table_keep(int fd);
bool ur_table_is_kept(int fd);

/* For each socket of ours, with a reference held. */
void ur_table_each(void (*see)(int fd, struct ur_sock *s, void *context),
		   void *context);

/* How often this process is a child of one that had this library loaded. */
unsigned int ur_forks(void);
void ur_table_forked(void);
void ur_links_forked(void);
void ur_epoll_forked(void);

/* ---- ready.c: waiting for rings and others ------------------------------- */

struct ur_item {
	struct ur_sock *sock;
	short want;
	short got;
	size_t index;		/* the caller's */
	bool edge;		/* ready only if it is not what was told: */
	short told;
	u32 told_bytes;
	u32 bytes;
};

/* Rings, and descriptors of the kernel's (fd -1 is nobody). */
struct ur_mixed {
	struct ur_item *items;
	size_t items_count;
	struct pollfd *rest;	/* has room for one more */
	size_t rest_count;
};

/* A wait of one thread on one link: the watcher writes to `fd`. */
struct ur_watch {
	struct ur_watch *next;
	struct ur_watch **previous;
	const struct ur_shim_link *link;
	struct ur_mixed *mixed;
	int fd;
};

/*
 * Wait until something is ready; the number. timeout NULL: for ever. mask as of
 * ppoll(2). Fills got and revents.
 */
int ur_mixed_wait(struct ur_mixed *m, const struct timespec *timeout,
		  const sigset_t *mask) ur_must_check;

/* LOCKED: is an item of the watch ready? */
bool ur_watch_is_due(struct ur_watch *w);

/* The bits of poll(2) that are true of the socket now, and bytes to read. */
short ur_sock_events(struct ur_sock *s, u32 *bytes);

/* ---- others -------------------------------------------------------------- */

/* One line on standard error. */
__attribute__((format(printf, 1, 2))) void ur_say(const char *format, ...);

/* refuse.c: -EOPNOTSUPP, and says so. */
int ur_refuse_async(int fd);
/* 0, unless the message hands on (SCM_RIGHTS) what this process alone has. */
int ur_refuse_handing(const struct msghdr *message) ur_must_check;

/* epoll.c: the socket's last descriptor was closed; the set was. */
void ur_epoll_forget(struct ur_sock *s);
void ur_epoll_free(struct ur_epoll *e);

/* bytes.c: should a call that a signal ended go on? */
bool ur_signals_restart(void);

#endif
