/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One direction of a route: bytes go in, whole messages that passed the guard
 * come out, and nothing else ever does.
 *
 *     room = ur_gate_room(&gate, &at)      where the next bytes go, and how many
 *     copy up to room bytes there
 *     ur_gate_fill(&gate, bytes)           UR_GATE_READY: message[0 .. bytes)
 *     send it                              may take as long as it takes
 *     ur_gate_next(&gate)
 *
 * UR_GATE_STALLED in its place: take the answer, call ur_gate_next(), and send the
 * answer the other way, between two messages.
 *
 * Promise. Never asks for a byte behind the message it is in. A message is shown
 *   only when it is whole and the guard let it pass. After a refusal it asks for
 *   nothing and shows nothing; nor does the other direction of that guard.
 * Threads. Both gates of a route and their guard: one thread.
 * Memory. The buffer is the caller's and private; it bounds the largest message.
 * Trust. The bytes are the peer's. Copied once, by the caller, before any is
 *   looked at.
 */
#ifndef UR_GATE_H
#define UR_GATE_H

#include "framer.h"
#include "guard.h"
#include "op_framer.h"

enum ur_gate_event {
	UR_GATE_MORE = 0,	/* the message is not whole yet */
	UR_GATE_READY = 1,	/* it is, and may be sent on */
	UR_GATE_STALLED = 2,	/* it is, and is answered here: ur_gate_stall() */
};

struct ur_gate {
	struct ur_guard *guard;
	enum ur_travel travel;
	bool is_urb;		/* the import is behind us */
	bool is_ready;
	bool is_stalled;
	u8 *message;
	u32 room;		/* of the buffer */
	u32 bytes;		/* of the message, so far */
	u32 total;		/* of the message, as far as is known */
	u32 iso_at;		/* where its packet descriptors begin */
	struct ur_op_framer op;
	struct ur_framer urb;
};

/* A buffer for messages of these limits: header, data, packet descriptors. */
#define UR_GATE_BYTES(transfer_bytes, iso_packets) \
	(UR_PDU_HEADER_BYTES + (transfer_bytes) + UR_ISO_BYTES * (iso_packets))

/*
 * UR_BUG_INVALID: the buffer is smaller than UR_GATE_BYTES() of the limits, or
 * than an import's answer.
 */
int ur_gate_init(struct ur_gate *gate, enum ur_travel travel,
		 struct ur_guard *guard, const struct ur_limits *limits,
		 u8 *buffer, u32 room) ur_must_check;

/*
 * Bytes the gate takes now, into `at`. 0: a message is ready, or the route is
 * severed, or the other direction has to speak first.
 */
u32 ur_gate_room(struct ur_gate *gate, u8 **at) ur_must_check;

/*
 * `bytes` bytes, at most the room, are there. enum ur_gate_event, or
 * UR_PEER_BROKEN: refused, see the guard's verdict. UR_BUG_INVALID: too many.
 */
int ur_gate_fill(struct ur_gate *gate, u32 bytes) ur_must_check;

/* The answer to a request that policy forbids: RET_SUBMIT with status -EPIPE. */
void ur_gate_stall(const struct ur_gate *gate, u8 answer[UR_PDU_HEADER_BYTES]);

/* The message was sent on, or answered. */
void ur_gate_next(struct ur_gate *gate);

/* Whether the stream may end here: no message begun. */
bool ur_gate_is_between(const struct ur_gate *gate) ur_must_check;

#endif
