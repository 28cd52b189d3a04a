/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the core's functions return. 0 or more is a count; below zero is one of
 * these, numerically Linux's -errno so that the kernel module and user space
 * hand them on unchanged.
 *
 * Three families, never mixed in one test:
 *   TRY   nothing is wrong, come back later
 *   PEER  the other side ended, or said something that cannot be true
 *   BUG   our own caller is wrong
 */
#ifndef UR_ERR_H
#define UR_ERR_H

enum ur_err {
	/* TRY */
	UR_TRY_AGAIN = -11,	/* EAGAIN: full, empty, or not there yet */
	UR_TRY_BUSY = -16,	/* EBUSY: every channel of ours is in use */

	/* PEER */
	UR_PEER_REFUSED = -111,	/* ECONNREFUSED: it refused the call */
	UR_PEER_RESET = -104,	/* ECONNRESET: it closed with bytes unread */
	UR_PEER_CLOSED = -32,	/* EPIPE: it reads no more */
	UR_PEER_DOWN = -112,	/* EHOSTDOWN: no such end, or it is gone */
	UR_PEER_BROKEN = -71,	/* EPROTO: it lied; severed until a new epoch */
	UR_PEER_MALFORMED = -74,/* EBADMSG: a message that cannot be true */
	UR_PEER_TOO_BIG = -90,	/* EMSGSIZE: over one of our limits */

	/* BUG */
	UR_BUG_INVALID = -22,	/* EINVAL: argument out of range */
	UR_BUG_STATE = -107,	/* ENOTCONN: not in this state */
};

#endif
