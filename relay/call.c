// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "call.h"

const char *ur_call_client(const struct ur_router *r, const struct ur_call *c)
{
	return r->config.clients[c->client].name;
}

void ur_call_enter(struct ur_call *c, enum ur_call_state state)
{
	c->state = state;
	c->ticks = 0;
}

static void count_refusals(struct ur_audit *audit, struct ur_guard *g)
{
	u32 i;

	for (i = 0; i < UR_REASONS; i++) {
		ur_audit_count(audit, (enum ur_reason)i, g->refused[i]);
		g->refused[i] = 0;
	}
}

void ur_call_audit(struct ur_router *r, struct ur_call *c,
		   enum ur_audit_event event)
{
	struct ur_guard *g = &c->route.guard;
	const char *client = ur_call_client(r, c);
	struct ur_audit_record record = {
		.event = event,
		.port = c->op.busid,
		.status = c->status,
	};
	u32 i;

	for (i = 0; client[i] != '\0'; i++)
		record.client[i] = client[i];
	if (g->port.text[0] != '\0') {
		record.port = g->port;
		record.has_device = true;
		record.vendor = g->device.vendor;
		record.product = g->device.product;
		record.decision = g->decision;
	}
	/* The approval may be told after the refusal that came behind it. */
	if (event != UR_AUDIT_APPROVED)
		record.verdict = event == UR_AUDIT_STALLED ? g->forbidden :
							     g->verdict;
	for (i = 0; i < 2; i++)
		record.passed[i] = g->passed[i];
	count_refusals(&r->audit, g);
	ur_audit_write(&r->audit, &record);
}

void ur_call_hang_up(struct ur_call *c, bool abort)
{
	ur_channel_close(c->client_end.link, c->client_end.ticket, abort);
	ur_call_enter(c, UR_CALL_FREE);
}

void ur_call_answer(struct ur_call *c, u32 bytes)
{
	c->answer_bytes = bytes;
	c->answer_sent = 0;
	ur_call_enter(c, UR_CALL_ANSWERING);
}

void ur_call_deny(struct ur_router *r, struct ur_call *c, u32 status)
{
	const struct ur_op_header header = { UR_OP_REP_IMPORT, status };
	struct ur_refusal why;
	struct ur_writer w;

	c->status = status;
	ur_call_audit(r, c, UR_AUDIT_DENIED);
	ur_writer_init(&w, c->buffers[UR_TO_CLIENT], UR_OP_HEADER_BYTES);
	if (ur_op_header_write(&w, UR_TO_CLIENT, &header, &why))
		ur_call_hang_up(c, true);
	else
		ur_call_answer(c, UR_OP_HEADER_BYTES);
}

bool ur_call_answering(struct ur_call *c)
{
	const u8 *text = c->buffers[UR_TO_CLIENT];
	int n = ur_end_send(&c->client_end, text + c->answer_sent,
			    c->answer_bytes - c->answer_sent);

	if (n == UR_TRY_AGAIN)
		return false;
	if (n > 0)
		c->answer_sent += (u32)n;
	if (n < 0 || c->answer_sent == c->answer_bytes)
		ur_call_hang_up(c, n < 0);
	return true;
}
