/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One OP_* message out of a stream that is cut anywhere: its pieces, one by one.
 *
 * Promise. Bytes go in, in slices of any size; out come the same events however
 *   they were sliced, each piece read and checked by op.h, then END for ever. No
 *   byte behind the message is taken: what follows is the URBs' (framer.h). A bad
 *   piece ends the stream; every later call returns the same error.
 * Roles. A device side makes one for UR_TO_DEVICE and learns what is asked; a
 *   client makes one for UR_TO_CLIENT. One connection, one message each way.
 * Threads. One framer, one thread.
 * Memory. No pointer is kept. One piece, at most 312 bytes, is held.
 * Trust. The bytes are the peer's, already copied to private memory. A hostile
 *   peer can end its own stream with UR_PEER_MALFORMED or UR_PEER_TOO_BIG, can
 *   stop in the middle for ever, and can send UR_OP_DEVICES_MAX devices with
 *   UR_OP_INTERFACES_MAX interfaces each (56 KiB), one at a time.
 *
 * A reader that must leave the rest of the stream alone (a socket that is then
 * given to the kernel) reads exactly ur_op_framer_wants() bytes, takes them, and
 * asks again until that is 0.
 */
#ifndef UR_OP_FRAMER_H
#define UR_OP_FRAMER_H

#include "op.h"

/* A piece of the message, as an event: it is there, whole and checked. */
enum ur_op_piece {
	UR_OP_MORE = 0,		/* all taken; come back with more bytes */
	UR_OP_HEADER = 1,
	UR_OP_BUSID = 2,
	UR_OP_COUNT = 3,
	UR_OP_DEVICE = 4,
	UR_OP_INTERFACE = 5,	/* of the last device */
	UR_OP_END = 6,		/* nothing more belongs to the message */
};

struct ur_op_framer {
	enum ur_travel travel;
	enum ur_op_piece next;		/* what is being assembled; never MORE */
	int error;			/* not 0: broken */
	u8 piece[UR_OP_DEVICE_BYTES];
	u32 piece_bytes;		/* how much of it is there */
	u32 devices_left;
	u32 interfaces_left;

	/* For the owner to read, each valid from its event on. */
	struct ur_op_header header;
	struct ur_op_busid busid;
	u32 count;
	struct ur_op_device device;
	struct ur_op_interface interface;
	struct ur_refusal why;		/* after an error */
};

void ur_op_framer_init(struct ur_op_framer *f, enum ur_travel travel);

/*
 * Take bytes up to the next event, at most `count`. Returns enum ur_op_piece, and
 * in `taken` how many bytes were used (0 for END and for errors). `bytes` may be
 * NULL if `count` is 0. UR_PEER_MALFORMED, UR_PEER_TOO_BIG: this piece cannot be;
 * sticky, the reason is in `why`.
 */
int ur_op_framer_take(struct ur_op_framer *f, const u8 *bytes, size_t count,
		      size_t *taken) ur_must_check;

/*
 * Bytes to the end of the current piece: at most 312, all of them this message's.
 * 0: the message is complete, or the stream broke.
 */
u32 ur_op_framer_wants(const struct ur_op_framer *f) ur_must_check;

#endif
