/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Where each URB message of one direction of a stream starts and ends.
 *
 * Promise. Bytes go in, in slices of any size; out come the same events however
 *   they were sliced: HEADER, then PAYLOAD for each piece of data, then ISO for
 *   each packet descriptor, then END, and again. Every byte taken belongs to
 *   exactly one event. A bad message ends the stream: its length is a lie like
 *   the rest, so nothing is ever skipped to find the next one, and every later
 *   call returns the same error.
 * Roles. One framer for each direction of travel. The owner of the framer
 *   also keeps the requests: after each HEADER it admits the message by the
 *   request it belongs to, for an answer alone does not tell what follows (its
 *   header has no direction). Until then nothing moves: no byte passes unjudged.
 * Threads. One framer, one thread.
 * Memory. No pointer is kept. At most 48 bytes of the stream are held.
 * Trust. The bytes are the peer's, already copied to private memory. A hostile
 *   peer can end its own stream with UR_PEER_MALFORMED or UR_PEER_TOO_BIG, and
 *   can stop in the middle of a message for ever; a framer costs nothing then.
 *
 *     for (;;) {
 *         event = ur_framer_take(&f, at, left, &taken);
 *         if (event == UR_FRAME_HEADER)
 *             find the request of f.pdu, ur_framer_admit(...)
 *         else if (event == UR_FRAME_PAYLOAD)
 *             at[0 .. taken) is data
 *         else if (event == UR_FRAME_ISO)
 *             compare f.iso with the request's
 *         else if (event <= 0)
 *             stop: all taken, or an error
 *         at += taken, left -= taken
 *     }
 */
#ifndef UR_FRAMER_H
#define UR_FRAMER_H

#include "pdu.h"

enum ur_frame {
	UR_FRAME_MORE = 0,	/* all taken; come back with more bytes */
	UR_FRAME_HEADER = 1,	/* a checked header is there; admit it */
	UR_FRAME_PAYLOAD = 2,	/* the bytes taken are data */
	UR_FRAME_ISO = 3,	/* a checked packet descriptor is there */
	UR_FRAME_END = 4,	/* the message is complete; takes no byte */
};

/* Private to framer.c. The states say what happened last. */
enum ur_framer_state {
	UR_FRAMER_ENDED,	/* a message, or none yet: a header comes */
	UR_FRAMER_HEADED,	/* a header came: the owner must admit it */
	UR_FRAMER_ADMITTED,	/* data, descriptors, the end come */
	UR_FRAMER_BROKEN,
};

struct ur_framer {
	enum ur_travel travel;
	struct ur_limits limits;
	enum ur_framer_state state;
	int error;			/* BROKEN: what take() returns */
	u8 piece[UR_PDU_HEADER_BYTES];	/* of a header or a descriptor */
	u32 piece_bytes;		/* how much of it is there */
	u32 payload_left;
	u32 iso_left;
	u32 actual_left;		/* see ur_iso_check() */
	struct ur_request request;	/* what the message was admitted by */

	/* For the owner to read; only the framer writes them. */
	struct ur_pdu pdu;		/* valid from HEADER to END */
	struct ur_iso iso;		/* valid from ISO to the next take */
	struct ur_refusal why;		/* valid after a sticky error */
};

/*
 * Begin a stream of messages that travel `travel`.
 * UR_BUG_INVALID: `limits` is not ur_limits_is_valid().
 */
int ur_framer_init(struct ur_framer *f, enum ur_travel travel,
		   const struct ur_limits *limits) ur_must_check;

/*
 * Take bytes up to the next event, at most `count`. Returns enum ur_frame, and
 * in `taken` how many bytes belong to it (0 for END and for errors). `bytes` may
 * be NULL if `count` is 0; an END, which needs no byte, is still told then.
 * UR_PEER_MALFORMED, UR_PEER_TOO_BIG: this message cannot be; sticky, the reason
 *   is in `why`. Nothing of the bad piece was told.
 * UR_BUG_STATE: the last header was not admitted; not sticky.
 */
int ur_framer_take(struct ur_framer *f, const u8 *bytes, size_t count,
		   size_t *taken) ur_must_check;

/*
 * Let the message whose header was just told go on. `request` is what it belongs
 * to: ur_pdu_request(pdu) of a CMD_* itself (with iso_packets 0 if the owner
 * knows that the endpoint is not isochronous), for a RET_* what that gave when
 * the request of the same seqnum went by. A header that fits no request is not
 * admitted at all: the owner ends the link.
 * UR_PEER_MALFORMED: ur_pdu_fits() says no; sticky.
 * UR_BUG_STATE: no header waits; not sticky.
 */
int ur_framer_admit(struct ur_framer *f,
		    const struct ur_request *request) ur_must_check;

/* Whether the stream may end here: between two messages, none begun. */
bool ur_framer_is_between(const struct ur_framer *f) ur_must_check;

#endif
