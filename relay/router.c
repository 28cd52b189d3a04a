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
#include "import.h"

/* ---- start ------------------------------------------------------------------ */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
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
			if (ur_text_is_same(sites[i].name, sites[k].name))
				return false;
		if (ur_text_is_same(sites[i].name, "serial"))
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

/* ---- a request --------------------------------------------------------------- */

static void begin_list(struct ur_router *r, struct ur_call *c)
{
	const struct ur_listing_config config = {
		.policy = r->config.policy,
		.client = ur_call_client(r, c),
		.devices = r->config.devices,
		.device_count = r->config.device_count,
		.patience = UR_ROUTER_PATIENCE / 2,
	};

	ur_listing_init(&c->listing, &config, c->buffers[UR_TO_CLIENT],
			UR_GATE_BYTES(r->config.limits.transfer_bytes,
				      r->config.limits.iso_packets));
	ur_call_enter(c, UR_CALL_LISTING);
}

static bool step_listing(struct ur_router *r, struct ur_call *c)
{
	bool moved = ur_listing_step(&c->listing, &r->audit);

	if (!ur_listing_is_done(&c->listing))
		return moved;
	ur_call_answer(c, ur_listing_finish(&c->listing));
	return true;
}

static void take_request(struct ur_router *r, struct ur_call *c)
{
	if (c->op.header.code == UR_OP_REQ_DEVLIST)
		begin_list(r, c);
	else
		ur_import_begin(r, c);
}

/* What it asks is no request. Its busid was not found good: not for a record. */
static void refuse_request(struct ur_router *r, struct ur_call *c)
{
	(void)ur_guard_sever(&c->route.guard, UR_REASON_FRAMING, &c->op.why);
	ur_zero(&c->op.busid, sizeof(c->op.busid));
	ur_call_audit(r, c, UR_AUDIT_REFUSED);
	ur_call_hang_up(c, true);
}

static bool step_asking(struct ur_router *r, struct ur_call *c)
{
	u8 bytes[UR_OP_BUSID_BYTES];
	size_t taken;
	int n = ur_end_receive(&c->client_end, bytes, ur_op_framer_wants(&c->op));

	if (n == UR_TRY_AGAIN)
		return false;
	if (n <= 0)
		ur_call_hang_up(c, true);
	else if (ur_op_framer_take(&c->op, bytes, (size_t)n, &taken) < 0)
		refuse_request(r, c);
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
	case UR_CALL_IMPORTING:
	case UR_CALL_ROUTED:
		return ur_import_step(r, c);
	case UR_CALL_ANSWERING:
		return ur_call_answering(c);
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

/* Counted, but not a record: nothing was said, and a call costs its caller little. */
static void refuse_call(struct ur_router *r, struct ur_link *link, u32 channel,
			enum ur_reason reason)
{
	ur_audit_count(&r->audit, reason, 1);
	ur_channel_refuse(link, channel);
}

static void take_call(struct ur_router *r, u32 client, u32 channel, u32 service)
{
	struct ur_link *link = r->config.clients[client].link;
	struct ur_call *c = free_call(r, client);

	if (service != UR_SERVICE_USBIP) {
		refuse_call(r, link, channel, UR_REASON_SERVICE);
		return;
	}
	if (!c) {
		refuse_call(r, link, channel, UR_REASON_SHARE);
		return;
	}
	if (ur_channel_accept(link, channel, &c->client_end.ticket)) {
		ur_channel_refuse(link, channel);
		return;
	}
	c->client_end.link = link;
	ur_zero(&c->route.guard, sizeof(c->route.guard));
	ur_op_framer_init(&c->op, UR_TO_DEVICE);
	ur_call_enter(c, UR_CALL_ASKING);
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
static void look_at_device(struct ur_router *r, struct ur_link *link)
{
	u32 from = 0, service;
	int channel;

	ur_link_look(link);
	while ((channel = ur_channel_called(link, from, &service)) >= 0) {
		refuse_call(r, link, (u32)channel, UR_REASON_SERVICE);
		from = (u32)channel + 1;
	}
}

void ur_router_look(struct ur_router *r)
{
	u32 i;

	for (i = 0; i < r->config.client_count; i++)
		look_at_client(r, i);
	for (i = 0; i < r->config.device_count; i++)
		look_at_device(r, r->config.devices[i].link);
}

/* ---- patience ---------------------------------------------------------------- */

static void lose_patience(struct ur_router *r, struct ur_call *c)
{
	if (c->state == UR_CALL_ASKING || c->state == UR_CALL_ANSWERING)
		ur_call_hang_up(c, true);
	else
		ur_import_lose_patience(r, c);
}

void ur_router_tick(struct ur_router *r)
{
	u32 i;

	for (i = 0; i < r->relay.count; i++) {
		struct ur_call *c = &r->config.calls[i];

		if (c->state == UR_CALL_LISTING)
			ur_listing_tick(&c->listing);
		else if (c->state != UR_CALL_FREE &&
			 c->state != UR_CALL_ROUTED &&
			 c->ticks++ >= UR_ROUTER_PATIENCE)
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
