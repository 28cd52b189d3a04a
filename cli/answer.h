/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's half of OP_* exchanges: one struct per connection, none of which
 * ever waits, so that a client that sends half a request delays nobody.
 *
 *     READING --> ANSWERING --> FREE        devlist, or an import refused
 *        |   \--> WAITING ----> ANSWERING   import: the device is busy; a client
 *        |                                  that let go a moment ago is given time
 *        \------> FREE                      nonsense, end of stream, or too slow
 *
 * Trust. Requests are the peer's. They are read to their exact length and not a
 *   byte further (what follows an import is the kernel's); a peer can make
 *   us close its connection, or list and export devices it may have anyway.
 * Memory. The talk owns its descriptor and its answer until it is FREE.
 */
#ifndef UR_ANSWER_H
#define UR_ANSWER_H

#include "exporter.h"
#include "op_framer.h"

enum ur_talk_state {
	UR_TALK_FREE,
	UR_TALK_READING,
	UR_TALK_WAITING,
	UR_TALK_ANSWERING,
};

struct ur_talk {
	enum ur_talk_state state;
	int fd;
	u32 channel;		/* for the log */
	u64 deadline_ms;
	struct ur_op_framer request;
	u64 patience_ms;	/* until when a busy device may become free */
	u64 retry_ms;
	u8 *answer;
	u32 answer_bytes;
	u32 answered;
	bool is_handed_over;	/* the kernel has the stream, too */
};

/* A FREE talk begins; it owns fd from here. */
void ur_talk_start(struct ur_talk *talk, int fd, u32 channel, u64 deadline_ms);

/* Events for poll(); 0 still reports POLLHUP. */
short ur_talk_events(const struct ur_talk *talk);
/* When to step it although nothing happened. */
u64 ur_talk_due_ms(const struct ur_talk *talk);

/* Go as far as possible without waiting. `gone`: poll() said POLLHUP or POLLERR. */
void ur_talk_step(struct ur_talk *talk, struct ur_exporter *exporter, bool gone);

/* End it now, whatever it was doing. */
void ur_talk_stop(struct ur_talk *talk);

#endif
