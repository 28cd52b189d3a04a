// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 *                     +-> LISTING ----------------+
 *      FREE -> ASKING-+                           +-> ANSWERING -> FREE
 *                     +-> REACHING -> IMPORTING --+
 *                            ^ another VM  |    \---> ROUTED ----> FREE
 *                            +-------------+
 *
 * A call that its client gives up is noticed wherever it is, by the next byte or
 * word that is asked of its channel.
 */
#include "router.h"

static const char *client_of(const struct ur_router *r, const struct ur_call *c)
{
	return r->config.clients[c->client].name;
}

static const struct ur_site *device_of(const struct ur_router *r,
				       const struct ur_call *c)
{
	return &r->config.devices[c->device];
}

static void enter(struct ur_call *c, enum ur_call_state state)
{
	c->state = state;
	c->ticks = 0;
}

/* ---- start ------------------------------------------------------------------ */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_same(const char *a, const char *b)
{
	u32 i;

	for (i = 0; a[i] != '\0' && a[i] == b[i]; i++)
		;
	return a[i] == b[i];
}

static bool is_name(const char *name, u32 room)
{
	u32 i;

	for (i = 0; i < room && is_name_char(name[i]); i++)
		;
	return i > 0 && i < room && name[i] == '\0';
}

static bool are_names(const struct ur_site *sites, u32 count, u32 room)
{
	u32 i, k;

	for (i = 0; i < count; i++) {
		if (!is_name(sites[i].name, room))
			return false;
		for (k = 0; k < i; k++)
			if (is_same(sites[i].name, sites[k].name))
				return false;
		if (is_same(sites[i].name, "serial"))
			return false;
	}
	return true;
}

static bool is_sound(const struct ur_router_config *c, size_t message_bytes)
{
	return c->client_count >= 1 && c->client_count <= UR_ROUTER_SITES_MAX &&
	       c->device_count >= 1 && c->device_count <= UR_ROUTER_SITES_MAX &&
	       c->call_count >= c->client_count &&
	       c->call_count <= UR_ROUTER_CALLS_MAX &&
	       c->buffer_bytes / 2 / message_bytes >= c->call_count &&
	       are_names(c->clients, c->client_count, UR_GUARD_CLIENT_BYTES) &&
	       are_names(c->devices, c->device_count, UR_GUARD_VM_BYTES);
}

int ur_router_init(struct ur_router *r, const struct ur_router_config *config)
{
	size_t bytes = UR_GATE_BYTES((size_t)config->limits.transfer_bytes,
				     (size_t)config->limits.iso_packets);
	u8 *buffer = config->buffers;
	u32 i;

	ur_zero(r, sizeof(*r));
	if (bytes > 0xffffffffu || !is_sound(config, bytes))
		return UR_BUG_INVALID;
	r->config = *config;
	r->share = config->call_count / config->client_count;
	for (i = 0; i < config->call_count; i++) {
		struct ur_call *c = &config->calls[i];

		ur_zero(c, sizeof(*c));
		c->client = i / r->share;
		c->buffers[0] = buffer;
		c->buffers[1] = buffer + bytes;
		c->route.state = UR_ROUTE_ENDED;
		r->routes[i] = &c->route;
		buffer += 2 * bytes;
	}
	r->relay.routes = r->routes;
	r->relay.count = r->share * config->client_count;
	return 0;
}

/* ---- the audit -------------------------------------------------------------- */

static void audit(struct ur_router *r, const struct ur_call *c,
		  enum ur_audit_event event)
{
	const struct ur_guard *g = &c->route.guard;
	const char *client = client_of(r, c);
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
	record.verdict = event == UR_AUDIT_STALLED ? g->forbidden : g->verdict;
	for (i = 0; i < 2; i++)
		record.passed[i] = g->passed[i];
	ur_audit_write(&r->audit, &record);
}

/* ---- the end of a call ------------------------------------------------------- */

static void hang_up(struct ur_call *c, bool abort)
{
	ur_channel_close(c->client_end.link, c->client_end.ticket, abort);
	enter(c, UR_CALL_FREE);
}

/* What is in the buffer goes to the client. */
static void answer(struct ur_call *c, u32 bytes)
{
	c->answer_bytes = bytes;
	c->answer_sent = 0;
	enter(c, UR_CALL_ANSWERING);
}

/* No route: say so in the client's words. */
static void deny(struct ur_router *r, struct ur_call *c, u32 status)
{
	const struct ur_op_header header = { UR_OP_REP_IMPORT, status };
	struct ur_refusal why;
	struct ur_writer w;

	c->status = status;
	audit(r, c, UR_AUDIT_DENIED);
	ur_writer_init(&w, c->buffers[UR_TO_CLIENT], UR_OP_HEADER_BYTES);
	if (ur_op_header_write(&w, UR_TO_CLIENT, &header, &why))
		hang_up(c, true);
	else
		answer(c, UR_OP_HEADER_BYTES);
}

static bool step_answering(struct ur_call *c)
{
	const u8 *text = c->buffers[UR_TO_CLIENT];
	int n = ur_end_send(&c->client_end, text + c->answer_sent,
			    c->answer_bytes - c->answer_sent);

	if (n == UR_TRY_AGAIN)
		return false;
	if (n > 0)
		c->answer_sent += (u32)n;
	if (n < 0 || c->answer_sent == c->answer_bytes)
		hang_up(c, n < 0);
	return true;
}

/* ---- an import --------------------------------------------------------------- */

static void reach(struct ur_router *r, struct ur_call *c);

/* This device VM does not have it: the next one, if any might. */
static void give_up(struct ur_router *r, struct ur_call *c, u32 status)
{
	if (!c->tries_all || c->device + 1 >= r->config.device_count) {
		deny(r, c, status);
		return;
	}
	c->device++;
	reach(r, c);
}

static void reach(struct ur_router *r, struct ur_call *c)
{
	c->device_end.link = device_of(r, c)->link;
	ur_zero(&c->route.guard.port, sizeof(c->route.guard.port));
	ur_zero(&c->route.guard.verdict, sizeof(c->route.guard.verdict));
	enter(c, UR_CALL_REACHING);
	if (ur_channel_call(c->device_end.link, UR_SERVICE_USBIP,
			    &c->device_end.ticket))
		give_up(r, c, UR_OP_NA);
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
	c->tries_all = prefix == 0;
	if (c->tries_all)
		c->device = 0;
	return ur_op_busid_set(&c->rest, c->op.busid.text + prefix, &why) == 0;
}

/* Does another call have, or is it about to get, what this one got? */
static bool is_held(const struct ur_router *r, const struct ur_call *c)
{
	u32 i;

	for (i = 0; i < r->relay.count; i++) {
		const struct ur_call *other = &r->config.calls[i];

		if (other != c && other->state == UR_CALL_ROUTED &&
		    is_same(other->route.guard.port.text,
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
			  config->policy, client_of(r, c), &config->limits,
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
		enter(c, UR_CALL_IMPORTING);
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
		deny(r, c, UR_OP_DEV_BUSY);
	} else {
		audit(r, c, UR_AUDIT_IMPORTED);
		ur_route_confirm(&c->route);
		c->is_approved = false;
		c->stalled = 0;
		enter(c, UR_CALL_ROUTED);
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
		deny(r, c, c->route.guard.verdict.reason ==
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

	if (!c->is_approved && c->route.guard.state == UR_GUARD_APPROVED) {
		c->is_approved = true;
		audit(r, c, UR_AUDIT_APPROVED);
	}
	if (c->stalled != c->route.guard.stalled) {
		c->stalled = c->route.guard.stalled;
		audit(r, c, UR_AUDIT_STALLED);
	}
	if (c->route.state == UR_ROUTE_OPEN)
		return false;
	audit(r, c, events[c->route.state]);
	enter(c, UR_CALL_FREE);
	return true;
}

/* ---- a request --------------------------------------------------------------- */

static void begin_list(struct ur_router *r, struct ur_call *c)
{
	const struct ur_listing_config config = {
		.policy = r->config.policy,
		.client = client_of(r, c),
		.devices = r->config.devices,
		.device_count = r->config.device_count,
		.patience = UR_ROUTER_PATIENCE / 2,
	};

	ur_listing_init(&c->listing, &config, c->buffers[UR_TO_CLIENT],
			UR_GATE_BYTES(r->config.limits.transfer_bytes,
				      r->config.limits.iso_packets));
	enter(c, UR_CALL_LISTING);
}

static bool step_listing(struct ur_router *r, struct ur_call *c)
{
	bool moved = ur_listing_step(&c->listing, &r->audit);

	if (!ur_listing_is_done(&c->listing))
		return moved;
	answer(c, ur_listing_finish(&c->listing));
	return true;
}

static void take_request(struct ur_router *r, struct ur_call *c)
{
	if (c->op.header.code == UR_OP_REQ_DEVLIST)
		begin_list(r, c);
	else if (find_device(r, c))
		reach(r, c);
	else
		deny(r, c, UR_OP_NODEV);
}

static bool step_asking(struct ur_router *r, struct ur_call *c)
{
	u8 bytes[UR_OP_BUSID_BYTES];
	size_t taken;
	int n = ur_end_receive(&c->client_end, bytes, ur_op_framer_wants(&c->op));

	if (n == UR_TRY_AGAIN)
		return false;
	if (n <= 0 || ur_op_framer_take(&c->op, bytes, (size_t)n, &taken) < 0)
		hang_up(c, true);
	else if (ur_op_framer_wants(&c->op) == 0)
		take_request(r, c);
	return true;
}

/* ---- turns ------------------------------------------------------------------- */

static bool step(struct ur_router *r, struct ur_call *c)
{
	switch (c->state) {
	case UR_CALL_FREE:
		return false;
	case UR_CALL_ASKING:
		return step_asking(r, c);
	case UR_CALL_LISTING:
		return step_listing(r, c);
	case UR_CALL_REACHING:
		return step_reaching(r, c);
	case UR_CALL_IMPORTING:
		return step_importing(r, c);
	case UR_CALL_ROUTED:
		return step_routed(r, c);
	case UR_CALL_ANSWERING:
		return step_answering(c);
	}
	return false;
}

bool ur_router_turn(struct ur_router *r)
{
	bool moved = ur_relay_turn(&r->relay);
	u32 i;

	for (i = 0; i < r->relay.count; i++)
		moved |= step(r, &r->config.calls[i]);
	return moved;
}

static struct ur_call *free_call(struct ur_router *r, u32 client)
{
	u32 i;

	for (i = client * r->share; i < (client + 1) * r->share; i++)
		if (r->config.calls[i].state == UR_CALL_FREE)
			return &r->config.calls[i];
	return NULL;
}

static void take_call(struct ur_router *r, u32 client, u32 channel, u32 service)
{
	struct ur_link *link = r->config.clients[client].link;
	struct ur_call *c = free_call(r, client);

	if (!c || service != UR_SERVICE_USBIP ||
	    ur_channel_accept(link, channel, &c->client_end.ticket)) {
		ur_channel_refuse(link, channel);
		return;
	}
	c->client_end.link = link;
	c->status = UR_OP_OK;
	ur_zero(&c->route.guard, sizeof(c->route.guard));
	ur_op_framer_init(&c->op, UR_TO_DEVICE);
	enter(c, UR_CALL_ASKING);
}

static void look_at_client(struct ur_router *r, u32 client)
{
	struct ur_link *link = r->config.clients[client].link;
	u32 from = 0, service;
	int channel;

	ur_link_look(link);
	while ((channel = ur_channel_called(link, from, &service)) >= 0) {
		take_call(r, client, (u32)channel, service);
		from = (u32)channel + 1;
	}
}

/* Device VMs are called; they call nobody. */
static void look_at_device(struct ur_link *link)
{
	u32 from = 0, service;
	int channel;

	ur_link_look(link);
	while ((channel = ur_channel_called(link, from, &service)) >= 0) {
		ur_channel_refuse(link, (u32)channel);
		from = (u32)channel + 1;
	}
}

void ur_router_look(struct ur_router *r)
{
	u32 i;

	for (i = 0; i < r->config.client_count; i++)
		look_at_client(r, i);
	for (i = 0; i < r->config.device_count; i++)
		look_at_device(r->config.devices[i].link);
}

/* ---- patience ---------------------------------------------------------------- */

static void lose_patience(struct ur_router *r, struct ur_call *c)
{
	if (c->state == UR_CALL_REACHING) {
		ur_channel_close(c->device_end.link, c->device_end.ticket, true);
		give_up(r, c, UR_OP_NA);
	} else if (c->state == UR_CALL_IMPORTING) {
		ur_route_close(&c->route);
		give_up(r, c, UR_OP_NA);
	} else {
		hang_up(c, true);
	}
}

static bool is_waiting(const struct ur_call *c)
{
	return c->state != UR_CALL_FREE && c->state != UR_CALL_ROUTED &&
	       c->state != UR_CALL_LISTING;
}

void ur_router_tick(struct ur_router *r)
{
	u32 i;

	for (i = 0; i < r->relay.count; i++) {
		struct ur_call *c = &r->config.calls[i];

		if (c->state == UR_CALL_LISTING)
			ur_listing_tick(&c->listing);
		else if (is_waiting(c) && c->ticks++ >= UR_ROUTER_PATIENCE)
			lose_patience(r, c);
	}
}

/* ---- sleep ------------------------------------------------------------------- */

static bool arm(struct ur_call *c)
{
	switch (c->state) {
	case UR_CALL_ASKING:
		return ur_end_arm_receive(&c->client_end);
	case UR_CALL_ANSWERING:
		return ur_end_arm_send(&c->client_end);
	case UR_CALL_LISTING:
		return ur_listing_arm(&c->listing);
	case UR_CALL_IMPORTING:
	case UR_CALL_ROUTED:
		return c->route.state == UR_ROUTE_OPEN &&
		       !ur_route_waits(&c->route);
	case UR_CALL_REACHING:
	case UR_CALL_FREE:
		break;
	}
	return true;
}

bool ur_router_arm(struct ur_router *r)
{
	bool may_sleep = ur_relay_arm(&r->relay);
	u32 i;

	for (i = 0; i < r->relay.count; i++)
		may_sleep &= arm(&r->config.calls[i]);
	return may_sleep;
}

u32 ur_router_calls(const struct ur_router *r, enum ur_call_state state)
{
	u32 i, count = 0;

	for (i = 0; i < r->relay.count; i++)
		count += r->config.calls[i].state == state;
	return count;
}
