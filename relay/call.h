/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What every state of a call does the same way: begin, be recorded, answer, end.
 * For router.c and import.c only.
 */
#ifndef UR_CALL_H
#define UR_CALL_H

#include "router.h"

static inline bool ur_text_is_same(const char *a, const char *b)
{
	u32 i;

	for (i = 0; a[i] != '\0' && a[i] == b[i]; i++)
		;
	return a[i] == b[i];
}

/* The client's name. */
const char *ur_call_client(const struct ur_router *r, const struct ur_call *c);

void ur_call_enter(struct ur_call *c, enum ur_call_state state);

/* A record; what its guard refused since the last one is counted. */
void ur_call_audit(struct ur_router *r, struct ur_call *c,
		   enum ur_audit_event event);

/* The first `bytes` of the buffer go to the client, and then it is over. */
void ur_call_answer(struct ur_call *c, u32 bytes);

/* No route, for a reason of enum ur_op_status: recorded, and told. */
void ur_call_deny(struct ur_router *r, struct ur_call *c, u32 status);

/* A step of the answer: whether anything moved. */
bool ur_call_answering(struct ur_call *c);

void ur_call_hang_up(struct ur_call *c, bool abort);

#endif
