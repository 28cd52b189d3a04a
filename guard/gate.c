// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "gate.h"

static void begin(struct ur_gate *gate)
{
	gate->bytes = 0;
	gate->iso_at = 0;
	gate->total = gate->is_urb ? UR_PDU_HEADER_BYTES : UR_OP_HEADER_BYTES;
	gate->is_ready = false;
	gate->is_stalled = false;
}

int ur_gate_init(struct ur_gate *gate, enum ur_travel travel,
		 struct ur_guard *guard, const struct ur_limits *limits,
		 u8 *buffer, u32 room)
{
	u64 need = (u64)UR_PDU_HEADER_BYTES + limits->transfer_bytes +
		   (u64)UR_ISO_BYTES * limits->iso_packets;

	ur_zero(gate, sizeof(*gate));
	if (room < need || room < UR_OP_HEADER_BYTES + UR_OP_DEVICE_BYTES)
		return UR_BUG_INVALID;
	gate->guard = guard;
	gate->travel = travel;
	gate->message = buffer;
	gate->room = room;
	ur_op_framer_init(&gate->op, travel);
	begin(gate);
	return ur_framer_init(&gate->urb, travel, limits);
}

static bool is_open(const struct ur_gate *gate)
{
	enum ur_guard_state state = gate->guard->state;

	if (state == UR_GUARD_SEVERED || state == UR_GUARD_DECLINED)
		return false;
	/* The client's URBs wait until the import is answered. */
	return gate->travel != UR_TO_DEVICE || !gate->is_urb ||
	       state != UR_GUARD_ASKED;
}

u32 ur_gate_room(struct ur_gate *gate, u8 **at)
{
	*at = gate->message + gate->bytes;
	if (gate->is_ready || gate->is_stalled || !is_open(gate))
		return 0;
	return gate->total - gate->bytes;
}

/* More is to come: it has to fit, whatever the limits were. */
static int expect(struct ur_gate *gate, u32 more)
{
	struct ur_refusal why;

	if (more <= gate->room - gate->bytes) {
		gate->total = gate->bytes + more;
		return 0;
	}
	(void)ur_refuse_too_big(&why, "message bytes", more,
				gate->room - gate->bytes);
	return ur_guard_sever(gate->guard, UR_REASON_BUFFER, &why);
}

/* The device side's name of what it gave becomes the client's. */
static void rename_device(struct ur_gate *gate)
{
	if (gate->guard->state == UR_GUARD_IMPORTED)
		ur_copy(gate->message + UR_OP_HEADER_BYTES + UR_OP_PATH_BYTES,
			ur_guard_answer_busid(gate->guard)->text,
			UR_OP_BUSID_BYTES);
}

static int op_end(struct ur_gate *gate)
{
	const struct ur_op_framer *op = &gate->op;
	int error;

	if (gate->travel == UR_TO_DEVICE)
		error = ur_guard_ask(gate->guard, &op->header, &op->busid);
	else
		error = ur_guard_import(gate->guard, &op->header, &op->device);
	if (error)
		return error;
	if (gate->travel == UR_TO_CLIENT)
		rename_device(gate);
	gate->is_ready = true;
	gate->is_urb = true;
	return UR_GATE_READY;
}

/* Only imports pass: their pieces are few. A list is answered elsewhere. */
static int fill_op(struct ur_gate *gate, const u8 *at, u32 bytes)
{
	size_t taken = 0;
	int event = ur_op_framer_take(&gate->op, at, bytes, &taken);
	u16 code = gate->op.header.code;
	struct ur_refusal why;

	if (event < 0)
		return ur_guard_sever(gate->guard, UR_REASON_FRAMING,
				      &gate->op.why);
	if (event == UR_OP_HEADER && code != UR_OP_REQ_IMPORT &&
	    code != UR_OP_REP_IMPORT) {
		(void)ur_refuse_other(&why, "op code", code, UR_OP_REQ_IMPORT);
		return ur_guard_sever(gate->guard, UR_REASON_ORDER, &why);
	}
	if (ur_op_framer_wants(&gate->op) == 0)
		return op_end(gate);
	return expect(gate, ur_op_framer_wants(&gate->op));
}

static int urb_header(struct ur_gate *gate)
{
	const struct ur_pdu *pdu = &gate->urb.pdu;
	struct ur_request request;
	u32 data;
	int error = ur_guard_header(gate->guard, gate->travel, pdu, &request);

	if (error)
		return error;
	if (ur_framer_admit(&gate->urb, &request))
		return ur_guard_sever(gate->guard, UR_REASON_FRAMING,
				      &gate->urb.why);
	data = ur_pdu_payload_bytes(pdu, &request);
	gate->iso_at = gate->bytes + data;
	return expect(gate, data + UR_ISO_BYTES * ur_pdu_iso_packets(pdu));
}

static int urb_end(struct ur_gate *gate)
{
	u32 data = gate->iso_at - UR_PDU_HEADER_BYTES;
	struct ur_reader iso;
	int error;

	ur_reader_init(&iso, gate->message + gate->iso_at,
		       gate->bytes - gate->iso_at);
	error = ur_guard_message(gate->guard, gate->travel, &gate->urb.pdu,
				 gate->message + UR_PDU_HEADER_BYTES, data,
				 &iso);
	if (error < 0)
		return error;
	gate->is_stalled = error == UR_GUARD_STALLS;
	gate->is_ready = !gate->is_stalled;
	return gate->is_ready ? UR_GATE_READY : UR_GATE_STALLED;
}

/* At most three events for each 16 bytes: bounded by the message. */
static int fill_urb(struct ur_gate *gate, const u8 *at, u32 bytes)
{
	size_t taken;
	int event;

	for (;;) {
		event = ur_framer_take(&gate->urb, at, bytes, &taken);
		if (event < 0)
			return ur_guard_sever(gate->guard, UR_REASON_FRAMING,
					      &gate->urb.why);
		at += taken;
		bytes -= (u32)taken;
		if (event == UR_FRAME_END)
			return urb_end(gate);
		if (event == UR_FRAME_HEADER) {
			event = urb_header(gate);
			if (event)
				return event;
		} else if (event == UR_FRAME_MORE) {
			return UR_GATE_MORE;
		}
	}
}

int ur_gate_fill(struct ur_gate *gate, u32 bytes)
{
	u8 *at;

	if (bytes > ur_gate_room(gate, &at))
		return UR_BUG_INVALID;
	if (bytes == 0)
		return UR_GATE_MORE;
	gate->bytes += bytes;
	return gate->is_urb ? fill_urb(gate, at, bytes) :
			      fill_op(gate, at, bytes);
}

void ur_gate_stall(const struct ur_gate *gate, u8 answer[UR_PDU_HEADER_BYTES])
{
	const struct ur_limits none = { 0, 0 };
	const struct ur_pdu pdu = {
		.command = UR_RET_SUBMIT,
		.seqnum = gate->urb.pdu.seqnum,
		.status = (u32)UR_PEER_CLOSED,	/* numerically -EPIPE */
	};
	struct ur_refusal why;
	struct ur_writer w;

	ur_writer_init(&w, answer, UR_PDU_HEADER_BYTES);
	(void)!ur_pdu_write(&w, UR_TO_CLIENT, &none, &pdu, &why);
}

void ur_gate_next(struct ur_gate *gate)
{
	if (gate->is_ready || gate->is_stalled)
		begin(gate);
}

bool ur_gate_is_between(const struct ur_gate *gate)
{
	return gate->bytes == 0;
}
