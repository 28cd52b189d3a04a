/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A link between plain processes: the region is a file (/dev/shm/x, any file
 * that can be mapped shared) or a memfd, and each end is one process.
 *
 * Promise. What link.h promises, for a whole process: the peer's half is mapped
 * read-only, whatever it holds cannot make a call here hang or touch other
 * memory, and a peer that dies is found out within 200 ms while a thread waits
 * here (its next call otherwise).
 * Who owns an end. Whoever holds an open-file-description lock on byte 0 (end
 * A) or 1 (end B) of the file. A second opener of an end is refused. A
 * descriptor that is handed in is opened anew through /proc/self/fd, so a memfd
 * that was inherited or sent has the same rule as a file. The lock lives as
 * long as any copy of the open file: a child that is forked later and outlives
 * its parent keeps the end alive unless it closes the link or executes.
 * Doorbell. A futex on the ringer's own `bell` word, or a pair of eventfds.
 * Threads. Any number may use one link and its streams. There is no background
 * thread: whoever waits also looks after the link, and an end of which no
 * thread waits or calls acknowledges nobody. Streams: one thread sends and one
 * receives at a time; more are safe, but what they move interleaves. close
 * functions want to be alone; stop and shut wake every thread that waits.
 * Memory. Handles belong to the caller until closed. Streams die with the link.
 * Trust. The peer is not trusted, but for one thing that only the kernel could
 * prevent: who may write the file may also shrink it, which ends this process
 * with SIGBUS. Against a hostile peer use a memfd; it is sealed on opening.
 *
 * Functions that return int or ssize_t return 0 or a count, else a negative
 * errno: those of ur_err.h, and ETIMEDOUT, EAGAIN instead of it when timeout_ms is
 * 0, ESHUTDOWN after ur_file_link_stop(), EINTR if `interruptible`, ENOMEM.
 * timeout_ms: 0 does not wait, UR_FOREVER has no end.
 */
#ifndef UR_FILE_LINK_H
#define UR_FILE_LINK_H

#include <sys/types.h>
#include <sys/uio.h>

#include "link.h"

#define UR_FOREVER (-1)
#define UR_WATCHDOG_MS 100
#define UR_WHY_BYTES 256	/* a message that says why, with its end */
#define UR_LISTENERS_MAX 16
#define UR_SPIN_DEFAULT_US 100u
#define UR_SPIN_MAX_US 1000000u
#define UR_FILE_REGION_DEFAULT ((64u << 20) + (16u << 10)) /* 16 rings of 2 MiB each way */
#define UR_LINGER_DEFAULT_MS 1000

struct ur_file_link;
struct ur_stream;

/* Begin with ur_file_link_config() and change what differs. */
struct ur_file_link_config {
	enum ur_end end;
	const char *path;	/* NULL: fd */
	int fd;			/* stays the caller's */
	bool create;		/* make the file if there is none or an empty one */
	u64 region_bytes;	/* 0: what the file has; UR_FILE_REGION_DEFAULT if it is made */
	u32 channels;		/* 0: default */
	u32 ring_bytes;		/* 0: default */
	u32 first_index;	/* for tests; both ends alike */
	u32 first_generation;	/* for tests */
	int ring_fd;		/* eventfd the peer waits on; -1: futex */
	int wait_fd;		/* eventfd we wait on; becomes non-blocking */
	u32 spin_us;		/* longest spin before a sleep; 0: never spin */
	bool interruptible;	/* a signal ends a wait with EINTR */
	int linger_ms;		/* see ur_file_link_close() */
	u32 bell_loss_percent;	/* for tests: doorbells that get lost */
};

/* Defaults for an end of `path`. Does not spin on a single processor. */
struct ur_file_link_config ur_file_link_config(enum ur_end end,
					       const char *path);

/* A sealed memfd of region_bytes, close-on-exec; the caller's. */
int ur_file_link_memfd(u64 region_bytes) ur_must_check;

/*
 * Take an end. EBUSY: somebody has it. EINVAL: a size that cannot be or is not
 * the file's; `why` names both values, and says what is wrong in every case.
 */
int ur_file_link_open(const struct ur_file_link_config *config,
		      struct ur_file_link **link, char why[UR_WHY_BYTES])
	ur_must_check;

/* Every channel ends, every wait and every later call returns ESHUTDOWN. */
void ur_file_link_stop(struct ur_file_link *l);

/*
 * Close all streams, stop, give the end back, free. No other thread is inside,
 * nor comes. What the peer has not read is lost with our epoch, and so is the
 * end of stream; so this waits, at most linger_ms, until the peer has closed
 * what we closed. A process that exits without it loses what was under way.
 */
void ur_file_link_close(struct ur_file_link *l);

/* Take a new epoch: channels end, a severed link may come up again. */
int ur_file_link_restart(struct ur_file_link *l) ur_must_check;

/*
 * Call a service. Waits for the link, a free channel and the answer.
 * EHOSTDOWN: no peer within the time. EBUSY: no channel within the time.
 * ETIMEDOUT: no answer; the call is withdrawn. ECONNREFUSED: nobody serves it.
 * ECONNRESET: the peer went away. EPROTO: severed.
 */
int ur_file_link_connect(struct ur_file_link *l, u32 service, int timeout_ms,
			 struct ur_stream **stream) ur_must_check;

/*
 * Serve `service`; calls for what nobody serves are refused. `backlog` calls
 * (1..64) may wait, more are refused. EADDRINUSE, ENOSPC.
 */
int ur_file_link_listen(struct ur_file_link *l, u32 service, u32 backlog)
	ur_must_check;

/* No more; waiting calls are refused. */
void ur_file_link_unlisten(struct ur_file_link *l, u32 service);

/* Take the oldest call. EINVAL: not listening. */
int ur_file_link_accept(struct ur_file_link *l, u32 service, int timeout_ms,
			struct ur_stream **stream) ur_must_check;

/* Wait until the link is up. EHOSTDOWN, EPROTO: it is not. */
int ur_file_link_wait_up(struct ur_file_link *l, int timeout_ms) ur_must_check;

/*
 * Look after the link without waiting, for who waits elsewhere (a poll loop
 * that has wait_fd in it).
 */
void ur_file_link_look(struct ur_file_link *l);

/* ---- streams ------------------------------------------------------------- */

/*
 * Send all. A count below `bytes`: the time was up or the stream ended; the
 * next call says which. EPIPE: the peer reads no more, or we shut.
 */
ssize_t ur_stream_send(struct ur_stream *s, const void *data, size_t bytes,
		       int timeout_ms) ur_must_check;
ssize_t ur_stream_sendv(struct ur_stream *s, const struct iovec *pieces,
			int count, int timeout_ms) ur_must_check;

/* Receive what is there, at least a byte. 0: end of stream. */
ssize_t ur_stream_recv(struct ur_stream *s, void *data, size_t bytes,
		       int timeout_ms) ur_must_check;

/* Receive all `bytes`; less only at the end, as ur_stream_send(). */
ssize_t ur_stream_recv_all(struct ur_stream *s, void *data, size_t bytes,
			   int timeout_ms) ur_must_check;

#define UR_SHUT_RECV 1u	/* receive returns 0; the peer does not know */
#define UR_SHUT_SEND 2u	/* the peer gets what is there, then end of stream */

/* Both: the channel is closed as by ur_stream_close(); the handle stays. */
int ur_stream_shut(struct ur_stream *s, unsigned int which);

/* The peer learns that bytes were lost if any is unread, or on abort. */
void ur_stream_close(struct ur_stream *s, bool abort);

u32 ur_stream_channel(const struct ur_stream *s);
u32 ur_stream_service(const struct ur_stream *s);

/* ---- many at once -------------------------------------------------------- */

/* As in poll(2), and the same numbers. */
#define UR_POLL_IN 0x01u	/* receive, or accept, would not wait */
#define UR_POLL_OUT 0x04u	/* send would not wait */
#define UR_POLL_ERR 0x08u	/* the stream is over; always told */
#define UR_POLL_HUP 0x10u	/* the peer sends no more, or is gone; always told */
#define UR_POLL_STATE 0x02u	/* of a link: state or epoch changed since info */

struct ur_poll_item {
	struct ur_stream *stream;	/* NULL: calls for `service`, the link */
	u32 service;
	u32 events;
	u32 revents;
};

/* All items are of this link. The number with revents; 0: the time was up. */
int ur_file_link_poll(struct ur_file_link *l, struct ur_poll_item *items,
		      u32 count, int timeout_ms) ur_must_check;

/* ---- what is going on ---------------------------------------------------- */

struct ur_file_link_info {
	enum ur_link_state state;
	struct ur_geometry geometry;
	enum ur_end end;
	u32 epoch;
	u32 peer_epoch;
	u32 channels_open;
	struct ur_fault fault;
	u32 peer_fault;		/* enum ur_fault_number, its own word */
	struct ur_counters counters;
	u64 doorbells_sent;
	u64 doorbells_received;
	u64 doorbells_lost;	/* by bell_loss_percent */
	u64 naps;		/* in a storm of doorbells: bell.h */
	u64 burials;		/* a dead peer was declared down */
	char text[UR_WHY_BYTES];	/* state and fault for a person */
};

void ur_file_link_info(struct ur_file_link *l, struct ur_file_link_info *info);

#endif
