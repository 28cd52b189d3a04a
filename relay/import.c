// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "import.h"

static const struct ur_site *device_of(const struct ur_router *r,
				       const struct ur_call *c)
{
	return &r->config.devices[c->device];
}

static bool call_device(struct ur_router *r, struct ur_call *c)
{
	c->device_end.link = device_of(r, c)->link;
	return ur_channel_call(c->device_end.link, UR_SERVICE_USBIP,
			       &c->device_end.ticket) == 0;
}

/* The first that can be called of those left, or the client is told `status`. */
static void reach(struct ur_router *r, struct ur_call *c, u32 status)
{
	for (; c->device <= c->last_device; c->device++) {
		if (call_device(r, c)) {
			ur_call_enter(c, UR_CALL_REACHING);
			return;
		}
		status = UR_OP_NA;
	}
	ur_call_deny(r, c, status);
}

/* This device VM does not have it: the next one, if any might. */
static void give_up(struct ur_router *r, struct ur_call *c, u32 status)
{
	c->device++;
	reach(r, c, status);
}

/* "usb1:1-1" is device VM usb1's 1-1; what names none may be anybody's. */
static u32 prefix_of(const struct ur_op_busid *busid, const char *name)
{
	u32 i;

	for (i = 0; name[i] != '\0'; i++)
		if (busid->text[i] != name[i])
			return 0;
	return busid->text[i] == ':' ? i + 1 : 0;
}

static bool find_device(struct ur_router *r, struct ur_call *c)
{
	struct ur_refusal why;
	u32 i, prefix = 0;

	for (i = 0; i < r->config.device_count && prefix == 0; i++) {
		prefix = prefix_of(&c->op.busid, r->config.devices[i].name);
		c->device = i;
	}
	c->last_device = prefix ? c->device : r->config.device_count - 1;
	if (prefix == 0)
		c->device = 0;
	if (ur_op_busid_set(&c->rest, c->op.busid.text + prefix, &why) == 0)
		return true;
	(void)ur_guard_sever(&c->route.guard, UR_REASON_FRAMING, &why);
	return false;
}

/* Does another call have, or is it about to get, what this one got? */
static bool is_held(const struct ur_router *r, const struct ur_call *c)
{
	u32 i;

	for (i = 0; i < r->relay.count; i++) {
		const struct ur_call *other = &r->config.calls[i];

		if (other->state == UR_CALL_ROUTED &&
		    ur_text_is_same(other->route.guard.port.text,
			    c->route.guard.port.text))
			return true;
	}
	return false;
}

/* The request as the device VM is to read it, through the gate as if it had come. */
static bool put_request(struct ur_call *c)
{
	const struct ur_op_header header = { UR_OP_REQ_IMPORT, UR_OP_OK };
	struct ur_gate *gate = &c->route.gate[UR_TO_DEVICE];
	struct ur_refusal why;
	struct ur_writer w;
	int event = UR_GATE_MORE;
	u32 room;
	u8 *at;

	ur_writer_init(&w, c->buffers[UR_TO_DEVICE],
		       UR_OP_HEADER_BYTES + UR_OP_BUSID_BYTES);
	if (ur_op_header_write(&w, UR_TO_DEVICE, &header, &why) ||
	    ur_op_busid_write(&w, &c->rest, &why))
		return false;
	while (event == UR_GATE_MORE && (room = ur_gate_room(gate, &at)) > 0)
		event = ur_gate_fill(gate, room);
	return event == UR_GATE_READY;
}

static bool open_route(struct ur_router *r, struct ur_call *c)
{
	const struct ur_router_config *config = &r->config;
	u32 room = UR_GATE_BYTES(config->limits.transfer_bytes,
				 config->limits.iso_packets);

	if (ur_route_init(&c->route, c->client_end, c->device_end,
			  config->policy, ur_call_client(r, c), &config->limits,
			  c->buffers, room) ||
	    ur_guard_address(&c->route.guard, device_of(r, c)->name,
			     &c->op.busid) ||
	    !put_request(c))
		return false;
	c->route.is_pending = true;
	return true;
}

static bool step_reaching(struct ur_router *r, struct ur_call *c)
{
	int error = ur_channel_answered(c->device_end.link, c->device_end.ticket);

	if (error == UR_TRY_AGAIN)
		return false;
	if (!error && open_route(r, c)) {
		ur_call_enter(c, UR_CALL_IMPORTING);
		return true;
	}
	c->route.state = UR_ROUTE_ENDED;
	ur_channel_close(c->device_end.link, c->device_end.ticket, true);
	give_up(r, c, error ? UR_OP_NA : UR_OP_NODEV);
	return true;
}

/* A route that begins, or the reason why there is none. */
static void settle_import(struct ur_router *r, struct ur_call *c)
{
	const struct ur_guard *g = &c->route.guard;

	if (g->state == UR_GUARD_DECLINED) {
		u32 status = c->route.gate[UR_TO_CLIENT].op.header.status;

		ur_route_close(&c->route);
		give_up(r, c, status);
	} else if (is_held(r, c)) {
		const struct ur_refusal why = { "device", "free, routes", 1, 0 };

		(void)ur_guard_sever(&c->route.guard, UR_REASON_HELD, &why);
		ur_route_close(&c->route);
		ur_call_deny(r, c, UR_OP_DEV_BUSY);
	} else {
		ur_call_audit(r, c, UR_AUDIT_IMPORTED);
		ur_route_confirm(&c->route);
		c->is_approved = false;
		c->stalled = 0;
		ur_call_enter(c, UR_CALL_ROUTED);
	}
}

static bool step_importing(struct ur_router *r, struct ur_call *c)
{
	if (ur_route_waits(&c->route)) {
		settle_import(r, c);
		return true;
	}
	if (c->route.state == UR_ROUTE_OPEN)
		return false;
	/* What policy refuses is not there; what lies is an error. */
	if (c->route.state == UR_ROUTE_REFUSED)
		ur_call_deny(r, c, c->route.guard.verdict.reason ==
				   UR_REASON_POLICY_DEVICE ?
			   UR_OP_NODEV :
			   UR_OP_DEV_ERR);
	else
		give_up(r, c, UR_OP_NA);
	return true;
}

static bool step_routed(struct ur_router *r, struct ur_call *c)
{
	static const enum ur_audit_event events[] = {
		[UR_ROUTE_ENDED] = UR_AUDIT_ENDED,
		[UR_ROUTE_REFUSED] = UR_AUDIT_REFUSED,
		[UR_ROUTE_BROKEN] = UR_AUDIT_CUT,
	};

	if (!c->is_approved && c->route.guard.is_approved) {
		c->is_approved = true;
		ur_call_audit(r, c, UR_AUDIT_APPROVED);
	}
	if (c->stalled != c->route.guard.stalled) {
		ur_audit_count(&r->audit, UR_REASON_POLICY_CHANGE,
			       c->route.guard.stalled - c->stalled);
		c->stalled = c->route.guard.stalled;
		ur_call_audit(r, c, UR_AUDIT_STALLED);
	}
	if (c->route.state == UR_ROUTE_OPEN)
		return false;
	ur_call_audit(r, c, events[c->route.state]);
	ur_call_enter(c, UR_CALL_FREE);
	return true;
}

void ur_import_begin(struct ur_router *r, struct ur_call *c)
{
	if (find_device(r, c))
		reach(r, c, UR_OP_NA);
	else
		ur_call_deny(r, c, UR_OP_NODEV);
}

bool ur_import_step(struct ur_router *r, struct ur_call *c)
{
	if (c->state == UR_CALL_REACHING)
		return step_reaching(r, c);
	if (c->state == UR_CALL_IMPORTING)
		return step_importing(r, c);
	return step_routed(r, c);
}

void ur_import_lose_patience(struct ur_router *r, struct ur_call *c)
{
	if (c->state == UR_CALL_REACHING)
		ur_channel_close(c->device_end.link, c->device_end.ticket, true);
	else
		ur_route_close(&c->route);
	give_up(r, c, UR_OP_NA);
}
