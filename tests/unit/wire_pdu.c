// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every vector is written by hand: the example at the end of Linux's
 * usbip_protocol.rst word for word, and for what the example lacks, the tables
 * before it.
 */
#include "wire_test.h"

#include "pdu.h"

#define DEV UR_TO_DEVICE
#define CLI UR_TO_CLIENT

#define CMD_INTR_IN  "00000001 00000d05 0001000f 00000001 00000001 00000200 " \
		     "00000040 ffffffff 00000000 00000004 00000000 00000000"
#define CMD_INTR_OUT "00000001 00000d06 0001000f 00000000 00000001 00000000 " \
		     "00000040 ffffffff 00000000 00000004 00000000 00000000"
#define RET_INTR_OUT "00000003 00000d06 00000000 00000000 00000000 00000000 " \
		     "00000040 ffffffff 00000000 00000000 00000000 00000000"
#define RET_INTR_IN  "00000003 00000d05 00000000 00000000 00000000 00000000 " \
		     "00000040 ffffffff 00000000 00000000 00000000 00000000"
/* GET_DESCRIPTOR(device), 18 bytes, USB 2.0 section 9.4.3. */
#define CMD_CONTROL  "00000001 00000001 00010002 00000001 00000000 00000200 " \
		     "00000012 00000000 ffffffff 00000000 80060001 00001200"
#define CMD_UNLINK   "00000002 00000d07 0001000f 00000000 00000000 00000d05 " \
		     "00000000 00000000 00000000 00000000 00000000 00000000"
/* status -ECONNRESET */
#define RET_UNLINK   "00000004 00000d07 00000000 00000000 00000000 ffffff98 " \
		     "00000000 00000000 00000000 00000000 00000000 00000000"
/* 2 packets */
#define CMD_ISO_IN   "00000001 00000e01 0001000f 00000001 00000003 00000202 " \
		     "00000180 0000002a 00000002 00000008 00000000 00000000"
#define RET_ISO_IN   "00000003 00000e01 00000000 00000000 00000000 00000000 " \
		     "000000c8 0000002a 00000002 00000001 00000000 00000000"

static const struct vector {
	int row;
	const char *text;
	enum ur_travel travel;
	struct ur_pdu pdu;
} vectors[] = {
	/* row, bytes, travel, { command, seqnum, devid, direction, ep, flags,
	 * unlink_seqnum, status, length, frame, packets, interval, errors } */
	{ 1, CMD_INTR_IN, DEV,
	  { 1, 0xd05, 0x1000f, 1, 1, 0x200, 0, 0, 64, ~0u, 0, 4, 0, { 0 } } },
	{ 2, CMD_INTR_OUT, DEV,
	  { 1, 0xd06, 0x1000f, 0, 1, 0, 0, 0, 64, ~0u, 0, 4, 0, { 0 } } },
	{ 3, RET_INTR_OUT, CLI,
	  { 3, 0xd06, 0, 0, 0, 0, 0, 0, 64, ~0u, 0, 0, 0, { 0 } } },
	{ 4, RET_INTR_IN, CLI,
	  { 3, 0xd05, 0, 0, 0, 0, 0, 0, 64, ~0u, 0, 0, 0, { 0 } } },
	{ 5, CMD_CONTROL, DEV,
	  { 1, 1, 0x10002, 1, 0, 0x200, 0, 0, 18, 0, ~0u, 0, 0, { 0x80, 6, 0, 1, 0, 0, 18, 0 } } },
	{ 6, CMD_UNLINK, DEV,
	  { 2, 0xd07, 0x1000f, 0, 0, 0, 0xd05, 0, 0, 0, 0, 0, 0, { 0 } } },
	{ 7, RET_UNLINK, CLI,
	  { 4, 0xd07, 0, 0, 0, 0, 0, (u32)-104, 0, 0, 0, 0, 0, { 0 } } },
	{ 8, CMD_ISO_IN, DEV,
	  { 1, 0xe01, 0x1000f, 1, 3, 0x202, 0, 0, 384, 42, 2, 8, 0, { 0 } } },
	{ 9, RET_ISO_IN, CLI,
	  { 3, 0xe01, 0, 0, 0, 0, 0, 0, 200, 42, 2, 0, 1, { 0 } } },
};

static void same_pdu(int row, const struct ur_pdu *got,
		     const struct ur_pdu *want)
{
	row_is(row, "command", got->command, want->command);
	row_is(row, "seqnum", got->seqnum, want->seqnum);
	row_is(row, "devid", got->devid, want->devid);
	row_is(row, "direction", got->direction, want->direction);
	row_is(row, "ep", got->ep, want->ep);
	row_is(row, "flags", got->transfer_flags, want->transfer_flags);
	row_is(row, "unlink", got->unlink_seqnum, want->unlink_seqnum);
	row_is(row, "status", got->status, want->status);
	row_is(row, "length", got->length, want->length);
	row_is(row, "start_frame", got->start_frame, want->start_frame);
	row_is(row, "packets", got->packets, want->packets);
	row_is(row, "interval", got->interval, want->interval);
	row_is(row, "error_count", got->error_count, want->error_count);
	row_bytes(row, "setup", got->setup, want->setup, sizeof(got->setup));
}

static int read_pdu(const u8 *wire, size_t bytes, enum ur_travel travel,
		    const struct ur_limits *limits, struct ur_pdu *pdu,
		    struct ur_refusal *why)
{
	u8 *copy = exact(wire, bytes);
	struct ur_reader r;
	int error;

	ur_reader_init(&r, copy, bytes);
	error = ur_pdu_read(&r, travel, limits, pdu, why);
	free(copy);
	return error;
}

static void reads_the_protocol(void **state)
{
	struct ur_limits limits = ur_limits_default();
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(vectors); i++) {
		const struct vector *v = &vectors[i];
		u8 wire[UR_PDU_HEADER_BYTES];
		struct ur_refusal why;
		struct ur_pdu pdu;

		row_is(v->row, "length",
		       (long long)hex(v->text, wire, sizeof(wire)), 48);
		row_is(v->row, "read",
		       read_pdu(wire, 48, v->travel, &limits, &pdu, &why), 0);
		same_pdu(v->row, &pdu, &v->pdu);
	}
}

static void writes_the_protocol(void **state)
{
	struct ur_limits limits = ur_limits_default();
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(vectors); i++) {
		const struct vector *v = &vectors[i];
		u8 want[UR_PDU_HEADER_BYTES], got[UR_PDU_HEADER_BYTES];
		struct ur_refusal why;
		struct ur_writer w;

		hex(v->text, want, sizeof(want));
		ur_writer_init(&w, got, sizeof(got));
		row_is(v->row, "write",
		       ur_pdu_write(&w, v->travel, &limits, &v->pdu, &why), 0);
		row_is(v->row, "used", (long long)ur_writer_used(&w), 48);
		row_bytes(v->row, "wire", got, want, sizeof(want));
	}
}

static void refuses_every_truncation(void **state)
{
	struct ur_limits limits = ur_limits_default();
	size_t i, bytes;

	(void)state;
	for (i = 0; i < ROWS(vectors); i++) {
		u8 wire[UR_PDU_HEADER_BYTES];
		struct ur_refusal why;
		struct ur_pdu pdu;

		hex(vectors[i].text, wire, sizeof(wire));
		for (bytes = 0; bytes < sizeof(wire); bytes++) {
			row_is(vectors[i].row, "read",
			       read_pdu(wire, bytes, vectors[i].travel, &limits,
					&pdu, &why),
			       UR_PEER_MALFORMED);
			row_refusal(vectors[i].row, &why, "header bytes",
				    (u32)bytes, 48);
		}
	}
}

enum { OK = 0, BAD = UR_PEER_MALFORMED, BIG = UR_PEER_TOO_BIG };

#define DEFAULT { 16u << 20, 1024 }
#define LENGTH "transfer_buffer_length"
#define PACKETS "number_of_packets"
#define MAX UR_LIMIT_MAX

/* One word of a good header replaced. Words count from 0: command. */
static const struct field_row {
	int row;
	const char *text;
	enum ur_travel travel;
	struct ur_limits limits;
	u32 word;
	u32 value;
	int result;
	const char *field;
	u32 allowed;
} field_rows[] = {
	/* command and travel */
	{ 1, CMD_INTR_IN, DEV, DEFAULT, 0, 0, BAD, "command", 1 },
	{ 2, CMD_INTR_IN, DEV, DEFAULT, 0, 3, BAD, "command", 2 },
	{ 3, CMD_INTR_IN, DEV, DEFAULT, 0, 5, BAD, "command", 2 },
	{ 4, CMD_INTR_IN, DEV, DEFAULT, 0, 0x01000000, BAD, "command", 2 },
	{ 5, CMD_INTR_IN, DEV, DEFAULT, 0, 0xffffffff, BAD, "command", 2 },
	{ 6, CMD_INTR_IN, CLI, DEFAULT, 0, 1, BAD, "command", 3 },
	{ 7, CMD_UNLINK, CLI, DEFAULT, 0, 2, BAD, "command", 3 },
	{ 8, RET_INTR_IN, DEV, DEFAULT, 0, 3, BAD, "command", 2 },
	{ 9, RET_UNLINK, DEV, DEFAULT, 0, 4, BAD, "command", 2 },
	{ 10, RET_UNLINK, CLI, DEFAULT, 0, 5, BAD, "command", 4 },
	{ 11, RET_UNLINK, CLI, DEFAULT, 0, 0, BAD, "command", 3 },
	/* one command's fields under another command */
	{ 12, CMD_INTR_IN, DEV, DEFAULT, 0, 2, BAD, "direction", 0 },
	{ 13, CMD_INTR_OUT, DEV, DEFAULT, 0, 2, BAD, "ep", 0 },
	{ 14, RET_INTR_IN, CLI, DEFAULT, 0, 4, BAD, "padding", 0 },
	{ 15, RET_UNLINK, CLI, DEFAULT, 0, 3, OK, "", 0 },
	/* seqnum: Linux's vhci counts from 1 and comes round to 0 */
	{ 20, CMD_INTR_IN, DEV, DEFAULT, 1, 0, OK, "", 0 },
	{ 21, CMD_INTR_IN, DEV, DEFAULT, 1, 1, OK, "", 0 },
	{ 22, CMD_INTR_IN, DEV, DEFAULT, 1, 0x7fffffff, OK, "", 0 },
	{ 23, CMD_INTR_IN, DEV, DEFAULT, 1, 0xffffffff, OK, "", 0 },
	{ 24, CMD_UNLINK, DEV, DEFAULT, 1, 0, OK, "", 0 },
	{ 25, RET_INTR_IN, CLI, DEFAULT, 1, 0, OK, "", 0 },
	{ 26, RET_UNLINK, CLI, DEFAULT, 1, 0, OK, "", 0 },
	/* unlink_seqnum */
	{ 27, CMD_UNLINK, DEV, DEFAULT, 5, 0, OK, "", 0 },
	{ 28, CMD_UNLINK, DEV, DEFAULT, 5, 0xd06, OK, "", 0 },
	{ 29, CMD_UNLINK, DEV, DEFAULT, 5, 0xd07, BAD, "unlink_seqnum", 0xd07 },
	{ 30, CMD_UNLINK, DEV, DEFAULT, 5, 0xffffffff, OK, "", 0 },
	/* devid: raw in a request, absent in an answer */
	{ 31, CMD_INTR_IN, DEV, DEFAULT, 2, 0, OK, "", 0 },
	{ 32, CMD_INTR_IN, DEV, DEFAULT, 2, 0xffffffff, OK, "", 0 },
	{ 33, RET_INTR_IN, CLI, DEFAULT, 2, 1, BAD, "devid", 0 },
	{ 34, RET_UNLINK, CLI, DEFAULT, 2, 0xffffffff, BAD, "devid", 0 },
	/* direction */
	{ 40, CMD_INTR_IN, DEV, DEFAULT, 3, 0, OK, "", 0 },
	{ 41, CMD_INTR_IN, DEV, DEFAULT, 3, 2, BAD, "direction", 1 },
	{ 42, CMD_INTR_IN, DEV, DEFAULT, 3, 0x80, BAD, "direction", 1 },
	{ 43, CMD_INTR_IN, DEV, DEFAULT, 3, 0x7fffffff, BAD, "direction", 1 },
	{ 44, CMD_INTR_IN, DEV, DEFAULT, 3, 0xffffffff, BAD, "direction", 1 },
	{ 45, CMD_UNLINK, DEV, DEFAULT, 3, 1, BAD, "direction", 0 },
	{ 46, RET_INTR_IN, CLI, DEFAULT, 3, 1, BAD, "direction", 0 },
	/* ep */
	{ 50, CMD_INTR_IN, DEV, DEFAULT, 4, 0, OK, "", 0 },
	{ 51, CMD_INTR_IN, DEV, DEFAULT, 4, 14, OK, "", 0 },
	{ 52, CMD_INTR_IN, DEV, DEFAULT, 4, 15, OK, "", 0 },
	{ 53, CMD_INTR_IN, DEV, DEFAULT, 4, 16, BAD, "ep", 15 },
	{ 54, CMD_INTR_IN, DEV, DEFAULT, 4, 0x81, BAD, "ep", 15 },
	{ 55, CMD_INTR_IN, DEV, DEFAULT, 4, 0x7fffffff, BAD, "ep", 15 },
	{ 56, CMD_INTR_IN, DEV, DEFAULT, 4, 0xffffffff, BAD, "ep", 15 },
	{ 57, CMD_UNLINK, DEV, DEFAULT, 4, 1, BAD, "ep", 0 },
	{ 58, RET_INTR_IN, CLI, DEFAULT, 4, 1, BAD, "ep", 0 },
	/* transfer_buffer_length */
	{ 60, CMD_INTR_IN, DEV, DEFAULT, 6, 0, OK, "", 0 },
	{ 61, CMD_INTR_IN, DEV, DEFAULT, 6, 0x00ffffff, OK, "", 0 },
	{ 62, CMD_INTR_IN, DEV, DEFAULT, 6, 0x01000000, OK, "", 0 },
	{ 63, CMD_INTR_IN, DEV, DEFAULT, 6, 0x01000001, BIG, LENGTH, 0x01000000 },
	{ 64, CMD_INTR_OUT, DEV, DEFAULT, 6, 0x01000000, OK, "", 0 },
	{ 65, CMD_INTR_OUT, DEV, DEFAULT, 6, 0x01000001, BIG, LENGTH, 0x01000000 },
	{ 66, CMD_INTR_OUT, DEV, DEFAULT, 6, 0x7fffffff, BIG, LENGTH, 0x01000000 },
	{ 67, CMD_INTR_OUT, DEV, DEFAULT, 6, 0x80000000, BIG, LENGTH, 0x01000000 },
	{ 68, CMD_INTR_OUT, DEV, DEFAULT, 6, 0xffffffff, BIG, LENGTH, 0x01000000 },
	/* actual_length */
	{ 70, RET_INTR_IN, CLI, DEFAULT, 6, 0x00ffffff, OK, "", 0 },
	{ 71, RET_INTR_IN, CLI, DEFAULT, 6, 0x01000000, OK, "", 0 },
	{ 72, RET_INTR_IN, CLI, DEFAULT, 6, 0x01000001, BIG, "actual_length", 0x01000000 },
	{ 73, RET_INTR_IN, CLI, DEFAULT, 6, 0x7fffffff, BIG, "actual_length", 0x01000000 },
	{ 74, RET_INTR_IN, CLI, DEFAULT, 6, 0xffffffff, BIG, "actual_length", 0x01000000 },
	/* other limits of ours */
	{ 80, CMD_INTR_IN, DEV, { 63, 1024 }, 6, 64, BIG, LENGTH, 63 },
	{ 81, CMD_INTR_IN, DEV, { 64, 1024 }, 6, 64, OK, "", 0 },
	{ 82, CMD_INTR_IN, DEV, { 0, 0 }, 6, 0, OK, "", 0 },
	{ 83, CMD_INTR_IN, DEV, { 0, 0 }, 6, 1, BIG, LENGTH, 0 },
	{ 84, CMD_INTR_IN, DEV, { MAX, 0 }, 6, 0x7ffffffe, OK, "", 0 },
	{ 85, CMD_INTR_IN, DEV, { MAX, 0 }, 6, 0x7fffffff, OK, "", 0 },
	{ 86, CMD_INTR_IN, DEV, { MAX, 0 }, 6, 0x80000000, BIG, LENGTH, MAX },
	{ 87, CMD_ISO_IN, DEV, { 4096, 0 }, 8, 1, BIG, PACKETS, 0 },
	{ 88, CMD_ISO_IN, DEV, { 4096, 0 }, 8, 0xffffffff, OK, "", 0 },
	{ 89, CMD_ISO_IN, DEV, { 4096, MAX }, 8, 0x7fffffff, OK, "", 0 },
	{ 90, CMD_ISO_IN, DEV, { 4096, MAX }, 8, 0x80000000, BIG, PACKETS, MAX },
	{ 91, CMD_ISO_IN, DEV, { 4096, MAX }, 8, 0xfffffffe, BIG, PACKETS, MAX },
	/* number_of_packets */
	{ 100, CMD_ISO_IN, DEV, DEFAULT, 8, 0, OK, "", 0 },
	{ 101, CMD_ISO_IN, DEV, DEFAULT, 8, 1, OK, "", 0 },
	{ 102, CMD_ISO_IN, DEV, DEFAULT, 8, 1023, OK, "", 0 },
	{ 103, CMD_ISO_IN, DEV, DEFAULT, 8, 1024, OK, "", 0 },
	{ 104, CMD_ISO_IN, DEV, DEFAULT, 8, 1025, BIG, PACKETS, 1024 },
	{ 105, CMD_ISO_IN, DEV, DEFAULT, 8, 0x7fffffff, BIG, PACKETS, 1024 },
	{ 106, CMD_ISO_IN, DEV, DEFAULT, 8, 0x80000000, BIG, PACKETS, 1024 },
	{ 107, CMD_ISO_IN, DEV, DEFAULT, 8, 0xfffffffe, BIG, PACKETS, 1024 },
	{ 108, CMD_ISO_IN, DEV, DEFAULT, 8, 0xffffffff, OK, "", 0 },
	{ 109, CMD_ISO_IN, DEV, DEFAULT, 4, 0, BAD, PACKETS, 0 },
	{ 110, CMD_CONTROL, DEV, DEFAULT, 8, 1, BAD, PACKETS, 0 },
	{ 111, CMD_CONTROL, DEV, DEFAULT, 8, 0, OK, "", 0 },
	{ 112, RET_ISO_IN, CLI, DEFAULT, 8, 1024, OK, "", 0 },
	{ 113, RET_ISO_IN, CLI, DEFAULT, 8, 1025, BIG, PACKETS, 1024 },
	{ 114, RET_ISO_IN, CLI, DEFAULT, 8, 0xffffffff, OK, "", 0 },
	/* 0x10000001 packets of 16 bytes are 16 bytes in 32 bits */
	{ 115, RET_ISO_IN, CLI, DEFAULT, 8, 0x10000001, BIG, PACKETS, 1024 },
	/* raw fields */
	{ 120, CMD_INTR_IN, DEV, DEFAULT, 5, 0xffffffff, OK, "", 0 },
	{ 121, CMD_INTR_IN, DEV, DEFAULT, 7, 0x80000000, OK, "", 0 },
	{ 122, CMD_INTR_IN, DEV, DEFAULT, 9, 0xffffffff, OK, "", 0 },
	{ 123, CMD_INTR_IN, DEV, DEFAULT, 10, 0xffffffff, OK, "", 0 },
	{ 124, RET_INTR_IN, CLI, DEFAULT, 5, 0x7fffffff, OK, "", 0 },
	{ 125, RET_INTR_IN, CLI, DEFAULT, 7, 0xffffffff, OK, "", 0 },
	{ 126, RET_INTR_IN, CLI, DEFAULT, 9, 0xffffffff, OK, "", 0 },
	{ 127, RET_UNLINK, CLI, DEFAULT, 5, 0, OK, "", 0 },
	/* padding */
	{ 130, RET_INTR_IN, CLI, DEFAULT, 10, 1, BAD, "padding", 0 },
	{ 131, RET_INTR_IN, CLI, DEFAULT, 11, 0x80, BAD, "padding", 0 },
	{ 132, RET_UNLINK, CLI, DEFAULT, 6, 1, BAD, "padding", 0 },
	{ 133, RET_UNLINK, CLI, DEFAULT, 7, 1, BAD, "padding", 0 },
	{ 134, RET_UNLINK, CLI, DEFAULT, 8, 0xffffffff, BAD, "padding", 0 },
	{ 135, RET_UNLINK, CLI, DEFAULT, 9, 1, BAD, "padding", 0 },
	{ 136, RET_UNLINK, CLI, DEFAULT, 10, 0x10, BAD, "padding", 0 },
	{ 137, CMD_UNLINK, DEV, DEFAULT, 6, 1, BAD, "padding", 0 },
	{ 138, CMD_UNLINK, DEV, DEFAULT, 7, 1, BAD, "padding", 0 },
	{ 139, CMD_UNLINK, DEV, DEFAULT, 8, 1, BAD, "padding", 0 },
	{ 140, CMD_UNLINK, DEV, DEFAULT, 9, 1, BAD, "padding", 0 },
	{ 141, CMD_UNLINK, DEV, DEFAULT, 11, 1, BAD, "padding", 0 },
};

static void judges_every_field(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(field_rows); i++) {
		const struct field_row *t = &field_rows[i];
		u8 wire[UR_PDU_HEADER_BYTES], again[UR_PDU_HEADER_BYTES];
		u8 *word = wire + 4 * t->word;
		struct ur_refusal why;
		struct ur_writer w;
		struct ur_pdu pdu;

		hex(t->text, wire, sizeof(wire));
		word[0] = (u8)(t->value >> 24);
		word[1] = (u8)(t->value >> 16);
		word[2] = (u8)(t->value >> 8);
		word[3] = (u8)t->value;
		row_is(t->row, "read",
		       read_pdu(wire, 48, t->travel, &t->limits, &pdu, &why),
		       t->result);
		ur_writer_init(&w, again, sizeof(again));
		row_is(t->row, "write",
		       ur_pdu_write(&w, t->travel, &t->limits, &pdu, &why),
		       t->result ? UR_BUG_INVALID : 0);
		row_is(t->row, "used", (long long)ur_writer_used(&w),
		       t->result ? 0 : 48);
		if (t->result)
			row_text(t->row, "field", why.field, t->field);
		if (t->result)
			row_is(t->row, "allowed", why.want, t->allowed);
		else
			row_bytes(t->row, "wire", again, wire, sizeof(wire));
	}
}

static void writes_only_into_room(void **state)
{
	struct ur_limits limits = ur_limits_default();
	struct ur_refusal why;
	struct ur_iso iso = { 1, 2, 3, 4 };
	size_t room;

	(void)state;
	for (room = 0; room < UR_PDU_HEADER_BYTES; room++) {
		u8 *to = exact(field_rows, room);
		struct ur_writer w;

		ur_writer_init(&w, to, room);
		row_is((int)room, "write",
		       ur_pdu_write(&w, UR_TO_DEVICE, &limits, &vectors[0].pdu,
				    &why),
		       UR_BUG_INVALID);
		row_refusal((int)room, &why, "room for a header", (u32)room,
			    48);
		row_is((int)room, "used", (long long)ur_writer_used(&w), 0);
		if (room < UR_ISO_BYTES) {
			row_is((int)room, "iso", ur_iso_write(&w, &iso, &why),
			       UR_BUG_INVALID);
			row_refusal((int)room, &why, "room for an iso packet",
				    (u32)room, 16);
		}
		free(to);
	}
}

static void limits_have_limits(void **state)
{
	static const struct {
		int row;
		struct ur_limits limits;
		bool valid;
	} rows[] = {
		{ 1, { 0, 0 }, true },
		{ 2, DEFAULT, true },
		{ 3, { 0x7fffffff, 0x7fffffff }, true },
		{ 4, { 0x80000000, 1024 }, false },
		{ 5, { 0xffffffff, 1024 }, false },
		{ 6, { 4096, 0x80000000 }, false },
		{ 7, { 4096, 0xffffffff }, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		row_is(rows[i].row, "valid",
		       ur_limits_is_valid(&rows[i].limits), rows[i].valid);
}

/* What comes behind each vector, as an answer to the given request. */
static void tells_what_follows(void **state)
{
	static const struct {
		int row;
		u32 vector;
		struct ur_request request; /* direction, length, packets */
		int fits;
		u32 payload;
		u32 packets;
		u32 actual;
	} rows[] = {
		{ 1, 0, { UR_DIR_IN, 64, 0 }, OK, 0, 0, 0 },
		{ 2, 1, { UR_DIR_OUT, 64, 0 }, OK, 64, 0, 0 },
		{ 3, 2, { UR_DIR_OUT, 64, 0 }, OK, 0, 0, 64 },
		{ 4, 3, { UR_DIR_IN, 64, 0 }, OK, 64, 0, 64 },
		{ 5, 3, { UR_DIR_IN, 65, 0 }, OK, 64, 0, 64 },
		{ 6, 3, { UR_DIR_IN, 63, 0 }, BAD, 64, 0, 64 },
		{ 7, 2, { UR_DIR_OUT, 63, 0 }, BAD, 0, 0, 64 },
		{ 8, 3, { UR_DIR_IN, 0xffffffff, 0 }, OK, 64, 0, 64 },
		{ 9, 3, { UR_DIR_IN, 64, 1 }, BAD, 64, 0, 64 },
		{ 10, 4, { UR_DIR_IN, 18, 0 }, OK, 0, 0, 0 },
		{ 11, 5, { UR_DIR_OUT, 0, 0 }, OK, 0, 0, 0 },
		{ 12, 6, { UR_DIR_OUT, 0, 0 }, OK, 0, 0, 0 },
		{ 13, 7, { UR_DIR_IN, 384, 2 }, OK, 0, 2, 0 },
		{ 14, 7, { UR_DIR_IN, 384, 0 }, BAD, 0, 2, 0 },
		{ 15, 8, { UR_DIR_IN, 384, 2 }, OK, 200, 2, 200 },
		{ 16, 8, { UR_DIR_IN, 384, 1 }, BAD, 200, 2, 200 },
		{ 17, 8, { UR_DIR_IN, 384, 3 }, BAD, 200, 2, 200 },
		{ 18, 8, { UR_DIR_OUT, 384, 2 }, OK, 0, 2, 200 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		const struct ur_pdu *pdu = &vectors[rows[i].vector].pdu;
		struct ur_refusal why;

		row_is(rows[i].row, "fits",
		       ur_pdu_fits(pdu, &rows[i].request, &why), rows[i].fits);
		row_is(rows[i].row, "payload",
		       ur_pdu_payload_bytes(pdu, &rows[i].request),
		       rows[i].payload);
		row_is(rows[i].row, "packets", ur_pdu_iso_packets(pdu),
		       rows[i].packets);
		row_is(rows[i].row, "actual", ur_pdu_iso_actual(pdu),
		       rows[i].actual);
	}
}

static void remembers_the_request(void **state)
{
	static const struct {
		int row;
		u32 vector;
		struct ur_request request;
	} rows[] = {
		{ 1, 0, { UR_DIR_IN, 64, 0 } },
		{ 2, 1, { UR_DIR_OUT, 64, 0 } },
		{ 3, 4, { UR_DIR_IN, 18, 0 } },
		{ 4, 5, { UR_DIR_OUT, 0, 0 } },
		{ 5, 7, { UR_DIR_IN, 384, 2 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_request got =
			ur_pdu_request(&vectors[rows[i].vector].pdu);

		row_is(rows[i].row, "direction", got.direction,
		       rows[i].request.direction);
		row_is(rows[i].row, "length", got.length,
		       rows[i].request.length);
		row_is(rows[i].row, "packets", got.iso_packets,
		       rows[i].request.iso_packets);
	}
}

static void judges_iso_packets(void **state)
{
	static const struct {
		int row;
		struct ur_iso iso; /* offset, length, actual, status */
		u32 buffer;
		u32 left;
		int result;
		const char *field;
		u32 allowed;
		u32 left_after;
	} rows[] = {
		{ 1, { 0, 192, 0, 0xffffffee }, 384, 0, OK, "", 0, 0 },
		{ 2, { 192, 192, 0, 0 }, 384, 0, OK, "", 0, 0 },
		{ 3, { 193, 192, 0, 0 }, 384, 0, BAD, "iso offset", 192, 0 },
		{ 4, { 0, 384, 384, 0 }, 384, 384, OK, "", 0, 0 },
		{ 5, { 0, 385, 0, 0 }, 384, 384, BAD, "iso length", 384, 384 },
		{ 6, { 384, 0, 0, 0 }, 384, 0, OK, "", 0, 0 },
		{ 7, { 385, 0, 0, 0 }, 384, 0, BAD, "iso offset", 384, 0 },
		{ 8, { 0xffffffff, 192, 0, 0 }, 384, 0, BAD, "iso offset", 192, 0 },
		{ 9, { 0xffffff40, 192, 0, 0 }, 384, 0, BAD, "iso offset", 192, 0 },
		{ 10, { 0, 0xffffffff, 0, 0 }, 384, 0, BAD, "iso length", 384, 0 },
		{ 11, { 192, 0xffffff40, 0, 0 }, 384, 0, BAD, "iso length", 384, 0 },
		{ 12, { 0, 192, 191, 0 }, 384, 200, OK, "", 0, 9 },
		{ 13, { 0, 192, 192, 0 }, 384, 200, OK, "", 0, 8 },
		{ 14, { 0, 192, 193, 0 }, 384, 200, BAD, "iso actual_length", 192, 200 },
		{ 15, { 0, 192, 0xffffffff, 0 }, 384, 200, BAD, "iso actual_length", 192, 200 },
		{ 16, { 0, 192, 8, 0 }, 384, 8, OK, "", 0, 0 },
		{ 17, { 0, 192, 9, 0 }, 384, 8, BAD, "iso actual_length", 8, 8 },
		{ 18, { 0, 192, 1, 0 }, 384, 0, BAD, "iso actual_length", 0, 0 },
		{ 19, { 0, 0, 0, 0 }, 0, 0, OK, "", 0, 0 },
		{ 20, { 0, 1, 0, 0 }, 0, 0, BAD, "iso length", 0, 0 },
		{ 21, { 0x7fffffff, 0, 0, 0 }, 0x7fffffff, 0, OK, "", 0, 0 },
		{ 22, { 0x7ffffffe, 1, 1, 0 }, 0x7fffffff, 1, OK, "", 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_request request = { UR_DIR_IN, rows[i].buffer, 1 };
		u32 left = rows[i].left;
		struct ur_refusal why;

		row_is(rows[i].row, "check",
		       ur_iso_check(&rows[i].iso, &request, &left, &why),
		       rows[i].result);
		row_is(rows[i].row, "left", left, rows[i].left_after);
		if (rows[i].result)
			row_text(rows[i].row, "field", why.field,
				 rows[i].field);
		if (rows[i].result)
			row_is(rows[i].row, "allowed", why.want,
			       rows[i].allowed);
	}
}

static void moves_iso_packets(void **state)
{
	u8 wire[UR_ISO_BYTES], again[UR_ISO_BYTES];
	struct ur_refusal why;
	struct ur_reader r;
	struct ur_writer w;
	struct ur_iso iso;
	size_t bytes;

	(void)state;
	/* offset, length, actual_length, status: the order of the wire */
	hex("000000c0 000000b4 00000064 ffffffee", wire, sizeof(wire));
	ur_reader_init(&r, wire, sizeof(wire));
	assert_int_equal(ur_iso_read(&r, &iso, &why), 0);
	assert_int_equal(iso.offset, 0xc0);
	assert_int_equal(iso.length, 0xb4);
	assert_int_equal(iso.actual_length, 0x64);
	assert_int_equal(iso.status, 0xffffffee);
	ur_writer_init(&w, again, sizeof(again));
	assert_int_equal(ur_iso_write(&w, &iso, &why), 0);
	assert_memory_equal(again, wire, sizeof(wire));

	for (bytes = 0; bytes < sizeof(wire); bytes++) {
		u8 *cut = exact(wire, bytes);

		ur_reader_init(&r, cut, bytes);
		row_is((int)bytes, "read", ur_iso_read(&r, &iso, &why), BAD);
		row_refusal((int)bytes, &why, "iso bytes", (u32)bytes, 16);
		free(cut);
	}
}

/* Who forgot ur_pdu_check() gets a refusal and no data, nothing worse. */
static void has_no_shape_for_others(void **state)
{
	const struct ur_pdu pdu = { .command = 9, .length = 4 };
	const struct ur_request request = { UR_DIR_IN, 3, 0 };
	struct ur_refusal why;

	(void)state;
	assert_int_equal(ur_pdu_fits(&pdu, &request, &why), BAD);
	row_refusal(1, &why, "length", 4, 3);
	assert_int_equal(ur_pdu_payload_bytes(&pdu, &request), 0);
}

static const struct CMUnitTest tests[] = {
	{ "pdu: reads the protocol's example", reads_the_protocol, 0, 0, 0 },
	{ "pdu: writes the protocol's example", writes_the_protocol, 0, 0, 0 },
	{ "pdu: refuses every truncation", refuses_every_truncation, 0, 0, 0 },
	{ "pdu: judges every field", judges_every_field, 0, 0, 0 },
	{ "pdu: writes only into room", writes_only_into_room, 0, 0, 0 },
	{ "pdu: limits have limits", limits_have_limits, 0, 0, 0 },
	{ "pdu: tells what follows", tells_what_follows, 0, 0, 0 },
	{ "pdu: remembers the request", remembers_the_request, 0, 0, 0 },
	{ "pdu: judges iso packets", judges_iso_packets, 0, 0, 0 },
	{ "pdu: has no shape for others", has_no_shape_for_others, 0, 0, 0 },
	{ "pdu: moves iso packets", moves_iso_packets, 0, 0, 0 },
};

const struct wire_tests wire_pdu_tests = { tests, ROWS(tests) };
