/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Why a message was refused, for a counter and for a person.
 *
 * The core prints nothing, so each reader and writer fills one of these beside
 * its error; whoever owns a console prints
 *     "%s: got %u, want %s %u"  field, got, rule, want
 * for instance "number_of_packets: got 1025, want at most 1024". `field` and
 * `rule` are constant strings. A peer chooses `got`, nothing else here.
 */
#ifndef UR_REFUSAL_H
#define UR_REFUSAL_H

#include "cursor.h"

struct ur_refusal {
	const char *field;	/* its name in usbip_protocol.rst */
	const char *rule;	/* "exactly", "at most", "at least", ... */
	u32 got;
	u32 want;
};

/* Each returns `error`, so that a check is one line: return ur_refuse_...(). */
static inline int ur_refuse(struct ur_refusal *why, int error,
			    const char *field, const char *rule, u32 got,
			    u32 want)
{
	why->field = field;
	why->rule = rule;
	why->got = got;
	why->want = want;
	return error;
}

/* The field can hold one value only. */
static inline int ur_refuse_other(struct ur_refusal *why, const char *field,
				  u32 got, u32 want)
{
	return ur_refuse(why, UR_PEER_MALFORMED, field, "exactly", got, want);
}

/* The field cannot mean that much, whatever our limits. */
static inline int ur_refuse_above(struct ur_refusal *why, const char *field,
				  u32 got, u32 most)
{
	return ur_refuse(why, UR_PEER_MALFORMED, field, "at most", got, most);
}

/* The field is over a limit of ours. */
static inline int ur_refuse_too_big(struct ur_refusal *why, const char *field,
				    u32 got, u32 limit)
{
	return ur_refuse(why, UR_PEER_TOO_BIG, field, "at most", got, limit);
}

/* The message ends before, or after, where it should. */
static inline int ur_refuse_length(struct ur_refusal *why, const char *message,
				   size_t got, size_t want)
{
	return ur_refuse(why, UR_PEER_MALFORMED, message, "exactly",
			 got > 0xffffffffu ? 0xffffffffu : (u32)got, (u32)want);
}

/* For a writer, before it writes anything. Ours to get right: UR_BUG_INVALID. */
static inline int ur_must_check ur_require_room(const struct ur_writer *w,
						u32 bytes, const char *what,
						struct ur_refusal *why)
{
	size_t room = ur_writer_remaining(w);

	if (room >= bytes)
		return 0;
	return ur_refuse(why, UR_BUG_INVALID, what, "at least", (u32)room,
			 bytes);
}

#endif
