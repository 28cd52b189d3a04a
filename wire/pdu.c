// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Everything that differs between the four messages stands in one table,
 * `shapes`. The reader and the writer only move words; ur_pdu_check() compares
 * with the table, before a writer writes and after a reader has read.
 */
#include "pdu.h"

/* Fields that not every message has. One that is absent is zero on the wire. */
enum field {
	DEVID = 1u << 0,
	DIRECTION = 1u << 1,
	EP = 1u << 2,
	FLAGS = 1u << 3,
	UNLINK_SEQNUM = 1u << 4,
	STATUS = 1u << 5,
	LENGTH = 1u << 6,
	START_FRAME = 1u << 7,
	PACKETS = 1u << 8,
	INTERVAL = 1u << 9,
	ERROR_COUNT = 1u << 10,
	SETUP = 1u << 11,
	TRANSFER = LENGTH | START_FRAME | PACKETS,
};

enum { NO_DATA = 2 };

/* No column for the length: the protocol pads all four to 48 bytes. */
static const struct shape {
	u32 command;
	enum ur_travel travel;
	u32 data;		/* the request's direction that has data here */
	u32 fields;
	const char *length;	/* the protocol's name of the length field */
} shapes[] = {
	{ UR_CMD_SUBMIT, UR_TO_DEVICE, UR_DIR_OUT,
	  DEVID | DIRECTION | EP | FLAGS | TRANSFER | INTERVAL | SETUP,
	  "transfer_buffer_length" },
	{ UR_CMD_UNLINK, UR_TO_DEVICE, NO_DATA, DEVID | UNLINK_SEQNUM,
	  "padding" },
	{ UR_RET_SUBMIT, UR_TO_CLIENT, UR_DIR_IN,
	  STATUS | TRANSFER | ERROR_COUNT, "actual_length" },
	{ UR_RET_UNLINK, UR_TO_CLIENT, NO_DATA, STATUS, "padding" },
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static const struct shape *shape_of(u32 command)
{
	u32 i;

	/*@ loop invariant i <= SHAPES; loop assigns i; loop variant SHAPES - i; */
	for (i = 0; i < SHAPES; i++)
		if (shapes[i].command == command)
			return &shapes[i];
	return NULL;
}

static bool has(const struct shape *shape, u32 field)
{
	return (shape->fields & field) != 0;
}

bool ur_limits_is_valid(const struct ur_limits *limits)
{
	return limits->transfer_bytes <= UR_LIMIT_MAX &&
	       limits->iso_packets <= UR_LIMIT_MAX;
}

/* The commands of one travel direction are neighbours: name the nearer end. */
static int refuse_command(u32 command, enum ur_travel travel,
			  struct ur_refusal *why)
{
	bool to_device = travel == UR_TO_DEVICE;
	u32 least = to_device ? UR_CMD_SUBMIT : UR_RET_SUBMIT;
	u32 most = to_device ? UR_CMD_UNLINK : UR_RET_UNLINK;

	if (command > most)
		return ur_refuse_above(why, "command", command, most);
	return ur_refuse(why, UR_PEER_MALFORMED, "command", "at least",
			 command, least);
}

static u32 setup_bits(const struct ur_pdu *pdu)
{
	u32 bits = 0;
	u32 i;

	/*@ loop invariant i <= UR_PDU_SETUP_BYTES; loop assigns i, bits;
	  @ loop variant UR_PDU_SETUP_BYTES - i; */
	for (i = 0; i < UR_PDU_SETUP_BYTES; i++)
		bits |= pdu->setup[i];
	return bits;
}

/* "shall be 0" of the protocol, for each field this message does not have. */
static int check_absent(const struct shape *shape, const struct ur_pdu *pdu,
			struct ur_refusal *why)
{
	const struct {
		u32 field;
		u32 value;
		const char *name;
	} all[] = {
		{ DEVID, pdu->devid, "devid" },
		{ DIRECTION, pdu->direction, "direction" },
		{ EP, pdu->ep, "ep" },
		{ FLAGS, pdu->transfer_flags, "transfer_flags" },
		{ UNLINK_SEQNUM, pdu->unlink_seqnum, "unlink_seqnum" },
		{ STATUS, pdu->status, "status" },
		{ LENGTH, pdu->length, "padding" },
		{ START_FRAME, pdu->start_frame, "padding" },
		{ PACKETS, pdu->packets, "padding" },
		{ INTERVAL, pdu->interval, "padding" },
		{ ERROR_COUNT, pdu->error_count, "padding" },
		{ SETUP, setup_bits(pdu), "padding" },
	};
	u32 i;

	/*@ loop invariant i <= sizeof(all) / sizeof(all[0]); loop assigns i;
	  @ loop variant sizeof(all) / sizeof(all[0]) - i; */
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].value != 0 && !has(shape, all[i].field))
			return ur_refuse_other(why, all[i].name, all[i].value,
					       0);
	return 0;
}

static int check_sequence(const struct shape *shape, const struct ur_pdu *pdu,
			  struct ur_refusal *why)
{
	if (!has(shape, UNLINK_SEQNUM))
		return 0;
	if (pdu->unlink_seqnum == pdu->seqnum)
		return ur_refuse(why, UR_PEER_MALFORMED, "unlink_seqnum",
				 "anything but", pdu->unlink_seqnum,
				 pdu->seqnum);
	return 0;
}

static int check_bounds(const struct shape *shape, const struct ur_pdu *pdu,
			const struct ur_limits *limits, struct ur_refusal *why)
{
	u32 packets = ur_pdu_iso_packets(pdu);

	if (pdu->direction > UR_DIR_IN)
		return ur_refuse_above(why, "direction", pdu->direction,
				       UR_DIR_IN);
	if (pdu->ep > UR_EP_MAX)
		return ur_refuse_above(why, "ep", pdu->ep, UR_EP_MAX);
	if (pdu->length > limits->transfer_bytes)
		return ur_refuse_too_big(why, shape->length, pdu->length,
					 limits->transfer_bytes);
	if (packets > limits->iso_packets)
		return ur_refuse_too_big(why, "number_of_packets", packets,
					 limits->iso_packets);
	/* Endpoint 0 is the control pipe: USB 2.0 section 5.3.1.1. */
	if (packets > 0 && has(shape, EP) && pdu->ep == 0)
		return ur_refuse_other(why, "number_of_packets", packets, 0);
	return 0;
}

int ur_pdu_check(const struct ur_pdu *pdu, enum ur_travel travel,
		 const struct ur_limits *limits, struct ur_refusal *why)
{
	const struct shape *shape = shape_of(pdu->command);
	int error;

	if (!shape || shape->travel != travel)
		return refuse_command(pdu->command, travel, why);
	error = check_absent(shape, pdu, why);
	if (error)
		return error;
	error = check_sequence(shape, pdu, why);
	if (error)
		return error;
	return check_bounds(shape, pdu, limits, why);
}

/* Two words have a meaning that depends on the command. */
static void place(struct ur_pdu *pdu, u32 at_0x14, u32 at_0x24)
{
	const struct shape *shape = shape_of(pdu->command);

	if (shape && has(shape, STATUS))
		pdu->status = at_0x14;
	else if (shape && has(shape, UNLINK_SEQNUM))
		pdu->unlink_seqnum = at_0x14;
	else
		pdu->transfer_flags = at_0x14;

	if (shape && has(shape, ERROR_COUNT))
		pdu->error_count = at_0x24;
	else
		pdu->interval = at_0x24;
}

int ur_pdu_read(struct ur_reader *r, enum ur_travel travel,
		const struct ur_limits *limits, struct ur_pdu *pdu,
		struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);
	u32 at_0x14, at_0x24;

	ur_zero(pdu, sizeof(*pdu));
	pdu->command = ur_reader_u32(r);
	pdu->seqnum = ur_reader_u32(r);
	pdu->devid = ur_reader_u32(r);
	pdu->direction = ur_reader_u32(r);
	pdu->ep = ur_reader_u32(r);
	at_0x14 = ur_reader_u32(r);
	pdu->length = ur_reader_u32(r);
	pdu->start_frame = ur_reader_u32(r);
	pdu->packets = ur_reader_u32(r);
	at_0x24 = ur_reader_u32(r);
	ur_reader_bytes(r, pdu->setup, UR_PDU_SETUP_BYTES);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "header bytes", got,
					UR_PDU_HEADER_BYTES);
	place(pdu, at_0x14, at_0x24);
	return ur_pdu_check(pdu, travel, limits, why);
}

int ur_pdu_write(struct ur_writer *w, enum ur_travel travel,
		 const struct ur_limits *limits, const struct ur_pdu *pdu,
		 struct ur_refusal *why)
{
	if (ur_pdu_check(pdu, travel, limits, why))
		return UR_BUG_INVALID;
	if (ur_require_room(w, UR_PDU_HEADER_BYTES, "room for a header", why))
		return UR_BUG_INVALID;
	ur_writer_u32(w, pdu->command);
	ur_writer_u32(w, pdu->seqnum);
	ur_writer_u32(w, pdu->devid);
	ur_writer_u32(w, pdu->direction);
	ur_writer_u32(w, pdu->ep);
	/* At most one of them is not zero: ur_pdu_check(). */
	ur_writer_u32(w, pdu->transfer_flags | pdu->unlink_seqnum | pdu->status);
	ur_writer_u32(w, pdu->length);
	ur_writer_u32(w, pdu->start_frame);
	ur_writer_u32(w, pdu->packets);
	ur_writer_u32(w, pdu->interval | pdu->error_count);
	ur_writer_bytes(w, pdu->setup, UR_PDU_SETUP_BYTES);
	return 0;
}

struct ur_request ur_pdu_request(const struct ur_pdu *pdu)
{
	struct ur_request request = {
		pdu->direction == UR_DIR_IN ? UR_DIR_IN : UR_DIR_OUT,
		pdu->length,
		ur_pdu_iso_packets(pdu),
	};

	return request;
}

int ur_pdu_fits(const struct ur_pdu *pdu, const struct ur_request *request,
		struct ur_refusal *why)
{
	const struct shape *shape = shape_of(pdu->command);
	u32 packets = ur_pdu_iso_packets(pdu);

	if (pdu->length > request->length)
		return ur_refuse_above(why, shape ? shape->length : "length",
				       pdu->length, request->length);
	if (packets != request->iso_packets)
		return ur_refuse_other(why, "number_of_packets", packets,
				       request->iso_packets);
	return 0;
}

u32 ur_pdu_payload_bytes(const struct ur_pdu *pdu,
			 const struct ur_request *request)
{
	const struct shape *shape = shape_of(pdu->command);

	return shape && shape->data == request->direction ? pdu->length : 0;
}

u32 ur_pdu_iso_packets(const struct ur_pdu *pdu)
{
	return pdu->packets == UR_PACKETS_NONE ? 0 : pdu->packets;
}

u32 ur_pdu_iso_actual(const struct ur_pdu *pdu)
{
	return pdu->command == UR_RET_SUBMIT ? pdu->length : 0;
}

int ur_iso_check(const struct ur_iso *iso, const struct ur_request *request,
		 u32 *actual_left, struct ur_refusal *why)
{
	if (iso->length > request->length)
		return ur_refuse_above(why, "iso length", iso->length,
				       request->length);
	if (iso->offset > request->length - iso->length)
		return ur_refuse_above(why, "iso offset", iso->offset,
				       request->length - iso->length);
	if (iso->actual_length > iso->length)
		return ur_refuse_above(why, "iso actual_length",
				       iso->actual_length, iso->length);
	if (iso->actual_length > *actual_left)
		return ur_refuse_above(why, "iso actual_length",
				       iso->actual_length, *actual_left);
	*actual_left -= iso->actual_length;
	return 0;
}

int ur_iso_read(struct ur_reader *r, struct ur_iso *iso, struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);

	iso->offset = ur_reader_u32(r);
	iso->length = ur_reader_u32(r);
	iso->actual_length = ur_reader_u32(r);
	iso->status = ur_reader_u32(r);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "iso bytes", got, UR_ISO_BYTES);
	return 0;
}

int ur_iso_write(struct ur_writer *w, const struct ur_iso *iso,
		 struct ur_refusal *why)
{
	if (ur_require_room(w, UR_ISO_BYTES, "room for an iso packet", why))
		return UR_BUG_INVALID;
	ur_writer_u32(w, iso->offset);
	ur_writer_u32(w, iso->length);
	ur_writer_u32(w, iso->actual_length);
	ur_writer_u32(w, iso->status);
	return 0;
}
