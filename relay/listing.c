// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 *      CALLS ---> REACHES ---> ASKS ---> READS ---> CALLS the next one
 *                    \__________\__________\______ gives up ____/
 */
#include "listing.h"

#define PIECES_A_STEP 64u

void ur_listing_init(struct ur_listing *l, const struct ur_listing_config *config,
		     u8 *buffer, u32 room)
{
	ur_zero(l, sizeof(*l));
	l->config = *config;
	ur_writer_init(&l->answer, buffer, room);
	/* Their values come last: ur_listing_finish(). */
	ur_writer_zeros(&l->answer, UR_OP_HEADER_BYTES + UR_OP_COUNT_BYTES);
}

static void enter(struct ur_listing *l, enum ur_listing_state state)
{
	l->state = state;
	l->ticks = 0;
}

void ur_listing_close(struct ur_listing *l)
{
	if (l->state != UR_LISTING_CALLS)
		ur_channel_close(l->end.link, l->end.ticket, false);
	enter(l, UR_LISTING_CALLS);
}

static void next_site(struct ur_listing *l)
{
	ur_listing_close(l);
	l->site++;
}

static bool is_done(const struct ur_listing *l)
{
	return l->site >= l->config.device_count;
}

/* ---- what policy shows ----------------------------------------------------- */

static void note(const struct ur_listing *l, struct ur_audit_record *record,
		 struct ur_audit *audit)
{
	u32 i;

	for (i = 0; l->config.client[i] != '\0'; i++)
		record->client[i] = l->config.client[i];
	ur_audit_write(audit, record);
}

static void note_hidden(const struct ur_listing *l,
			const struct ur_op_busid *port,
			struct ur_policy_decision decision,
			struct ur_audit *audit)
{
	struct ur_audit_record record = {
		.event = UR_AUDIT_HIDDEN,
		.port = *port,
		.has_device = true,
		.vendor = l->device.vendor,
		.product = l->device.product,
		.decision = decision,
	};

	note(l, &record, audit);
}

/* The list is none: its device VM is named, and no device. */
static void note_refused(const struct ur_listing *l, enum ur_reason reason,
			 const struct ur_refusal *why, struct ur_audit *audit)
{
	const char *vm = l->config.devices[l->site].name;
	struct ur_audit_record record = {
		.event = UR_AUDIT_REFUSED,
		.verdict = { reason, *why },
	};
	u32 i;

	for (i = 0; vm[i] != '\0'; i++)
		record.port.text[i] = vm[i];
	ur_audit_count(audit, reason, 1);
	note(l, &record, audit);
}

static void write_device(struct ur_listing *l, const struct ur_op_busid *port)
{
	struct ur_op_device device = l->device;
	struct ur_refusal why;
	u32 i;

	if (l->count == UR_OP_DEVICES_MAX ||
	    ur_writer_remaining(&l->answer) <
		    UR_OP_DEVICE_BYTES + UR_OP_INTERFACE_BYTES * l->interfaces)
		return;
	device.busid = *port;
	if (ur_op_device_write(&l->answer, &device, &why))
		return;
	for (i = 0; i < l->interfaces; i++)
		(void)!ur_op_interface_write(&l->answer, &l->interface[i], &why);
	l->count++;
}

/* The device and its interfaces are there. */
static void settle_device(struct ur_listing *l, struct ur_audit *audit)
{
	const char *vm = l->config.devices[l->site].name;
	struct ur_interface_type types[UR_OP_INTERFACES_MAX];
	struct ur_policy_decision decision;
	struct ur_op_busid port;
	u32 i;

	if (l->interfaces < l->device.interfaces ||
	    !ur_guard_port(vm, &l->device.busid, &port))
		return;
	for (i = 0; i < l->interfaces; i++)
		types[i] = (struct ur_interface_type){
			l->interface[i].interface_class,
			l->interface[i].interface_subclass,
			l->interface[i].interface_protocol,
		};
	decision = ur_guard_decide(l->config.policy, l->config.client,
				   &l->device, &port, types, l->interfaces);
	if (decision.target == UR_POLICY_ALLOW)
		write_device(l, &port);
	else
		note_hidden(l, &port, decision, audit);
}

/* ---- a device VM's answer --------------------------------------------------- */

/* Bytes of one piece. 0: taken; else as ur_end_receive(), or a list that is none. */
static int read_some(struct ur_listing *l, int *event, struct ur_audit *audit)
{
	u8 bytes[UR_OP_DEVICE_BYTES];
	struct ur_refusal why;
	size_t taken;
	int n = ur_end_receive(&l->end, bytes, ur_op_framer_wants(&l->op));

	*event = UR_OP_MORE;
	if (n <= 0)
		return n == 0 ? UR_PEER_CLOSED : n;
	*event = ur_op_framer_take(&l->op, bytes, (size_t)n, &taken);
	if (*event < 0) {
		note_refused(l, UR_REASON_FRAMING, &l->op.why, audit);
		return UR_PEER_BROKEN;
	}
	if (*event == UR_OP_HEADER && l->op.header.code != UR_OP_REP_DEVLIST) {
		(void)ur_refuse_other(&why, "op code", l->op.header.code,
				      UR_OP_REP_DEVLIST);
		note_refused(l, UR_REASON_ORDER, &why, audit);
		return UR_PEER_BROKEN;
	}
	return 0;
}

static void take_piece(struct ur_listing *l, int event, struct ur_audit *audit)
{
	if (event == UR_OP_DEVICE) {
		l->device = l->op.device;
		l->interfaces = 0;
		settle_device(l, audit);
	} else if (event == UR_OP_INTERFACE) {
		l->interface[l->interfaces++] = l->op.interface;
		settle_device(l, audit);
	}
}

/* Whether to go on at once. */
static bool read_list(struct ur_listing *l, struct ur_audit *audit)
{
	u32 pieces;
	int event, error;

	for (pieces = 0; pieces < PIECES_A_STEP; pieces++) {
		error = read_some(l, &event, audit);
		if (error == UR_TRY_AGAIN)
			return false;
		if (!error)
			take_piece(l, event, audit);
		if (error || ur_op_framer_wants(&l->op) == 0) {
			next_site(l);
			return true;
		}
	}
	return true;
}

static bool ask(struct ur_listing *l)
{
	const struct ur_op_header header = { UR_OP_REQ_DEVLIST, UR_OP_OK };
	u8 request[UR_OP_HEADER_BYTES];
	struct ur_refusal why;
	struct ur_writer w;
	int n;

	ur_writer_init(&w, request, sizeof(request));
	if (ur_op_header_write(&w, UR_TO_DEVICE, &header, &why))
		return false;
	n = ur_end_send(&l->end, request + l->sent,
			UR_OP_HEADER_BYTES - l->sent);
	if (n == UR_TRY_AGAIN)
		return false;
	if (n < 0) {
		next_site(l);
		return true;
	}
	l->sent += (u32)n;
	if (l->sent == UR_OP_HEADER_BYTES)
		enter(l, UR_LISTING_READS);
	return true;
}

static bool call(struct ur_listing *l)
{
	l->end.link = l->config.devices[l->site].link;
	l->sent = 0;
	ur_op_framer_init(&l->op, UR_TO_CLIENT);
	if (ur_channel_call(l->end.link, UR_SERVICE_USBIP, &l->end.ticket)) {
		l->site++;
		return true;
	}
	enter(l, UR_LISTING_REACHES);
	return true;
}

static bool reach(struct ur_listing *l)
{
	int error = ur_channel_answered(l->end.link, l->end.ticket);

	if (error == UR_TRY_AGAIN)
		return false;
	if (error)
		next_site(l);
	else
		enter(l, UR_LISTING_ASKS);
	return true;
}

static bool step(struct ur_listing *l, struct ur_audit *audit)
{
	switch (l->state) {
	case UR_LISTING_CALLS:
		return call(l);
	case UR_LISTING_REACHES:
		return reach(l);
	case UR_LISTING_ASKS:
		return ask(l);
	case UR_LISTING_READS:
		return read_list(l, audit);
	}
	return false;
}

bool ur_listing_step(struct ur_listing *l, struct ur_audit *audit)
{
	if (is_done(l))
		return false;
	return step(l, audit);
}

bool ur_listing_is_done(const struct ur_listing *l)
{
	return is_done(l);
}

void ur_listing_tick(struct ur_listing *l)
{
	if (!is_done(l) && l->ticks++ >= l->config.patience)
		next_site(l);
}

bool ur_listing_arm(struct ur_listing *l)
{
	if (is_done(l))
		return false;
	if (l->state == UR_LISTING_ASKS)
		return ur_end_arm_send(&l->end);
	if (l->state == UR_LISTING_READS)
		return ur_end_arm_receive(&l->end);
	/* Waiting for a word of a channel, which always comes with a doorbell. */
	return l->state == UR_LISTING_REACHES;
}

u32 ur_listing_finish(struct ur_listing *l)
{
	const struct ur_op_header header = { UR_OP_REP_DEVLIST, UR_OP_OK };
	struct ur_refusal why;
	struct ur_writer w;

	ur_writer_init(&w, l->answer.base, UR_OP_HEADER_BYTES + UR_OP_COUNT_BYTES);
	if (ur_op_header_write(&w, UR_TO_CLIENT, &header, &why) ||
	    ur_op_count_write(&w, l->count, &why))
		return 0;
	return (u32)ur_writer_used(&l->answer);
}
