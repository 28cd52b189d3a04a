/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Why the guard refused, as a number for a counter and an audit record, a name
 * for a test and a text for a person. One table; what was got and what was
 * wanted stands beside it in a struct ur_refusal.
 *
 * Stateless. Nothing here comes from a peer.
 */
#ifndef UR_REASON_H
#define UR_REASON_H

#include "refusal.h"

enum ur_reason {
	UR_REASON_NONE,
	/* the message itself */
	UR_REASON_FRAMING,
	UR_REASON_BUFFER,
	UR_REASON_ORDER,
	UR_REASON_IMPORT,
	UR_REASON_DEVID,
	/* sequence numbers and answers */
	UR_REASON_SEQNUM_IN_USE,
	UR_REASON_SEQNUM_UNKNOWN,
	UR_REASON_ANSWER_KIND,
	UR_REASON_OUTSTANDING,
	UR_REASON_ISO_ROOM,
	UR_REASON_UNLINK_TWICE,
	UR_REASON_UNLINK_KIND,
	UR_REASON_LENGTH,
	UR_REASON_PACKETS,
	UR_REASON_STATUS,
	UR_REASON_ERROR_COUNT,
	UR_REASON_ISO_LAYOUT,
	/* requests against the descriptors */
	UR_REASON_ENDPOINT,
	UR_REASON_TYPE,
	UR_REASON_FLAGS,
	UR_REASON_CONTROL_DIRECTION,
	UR_REASON_CONTROL_LENGTH,
	UR_REASON_CONTROL_REQUEST,
	UR_REASON_CONFIGURATION,
	UR_REASON_INTERFACE,
	/* descriptors */
	UR_REASON_DESCRIPTOR,
	UR_REASON_DESCRIPTOR_ROOM,
	UR_REASON_PINNED,
	UR_REASON_KNOWN_DEVICE,
	UR_REASON_UNREAD,
	/* policy */
	UR_REASON_POLICY_DEVICE,
	UR_REASON_POLICY_CHANGE,
	/* what others have, or nobody gives: the router's */
	UR_REASON_HELD,
	UR_REASON_SHARE,
	UR_REASON_SERVICE,
	UR_REASONS,
};

/* "seqnum-in-use"; "unknown" for a number that is none. */
const char *ur_reason_name(enum ur_reason reason);

/* A sentence for a person. */
const char *ur_reason_text(enum ur_reason reason);

/* The first refusal, and why. `reason` is UR_REASON_NONE until there is one. */
struct ur_verdict {
	enum ur_reason reason;
	struct ur_refusal why;
};

/* Fill `v`. Returns UR_PEER_BROKEN, so that a check is one line. */
static inline int ur_deny(struct ur_verdict *v, enum ur_reason reason,
			  const char *field, const char *rule, u32 got, u32 want)
{
	v->reason = reason;
	return ur_refuse(&v->why, UR_PEER_BROKEN, field, rule, got, want);
}

/* The same where wire/ has filled v->why already. */
static inline int ur_deny_as(struct ur_verdict *v, enum ur_reason reason)
{
	v->reason = reason;
	return UR_PEER_BROKEN;
}

#endif
