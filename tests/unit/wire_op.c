// SPDX-License-Identifier: BSD-2-Clause
/*
 * Vectors written by hand from the tables of Linux's usbip_protocol.rst, with
 * its own example of a path and a busid.
 */
#include "wire_test.h"

#include "op.h"

enum { OK = 0, BAD = UR_PEER_MALFORMED, BIG = UR_PEER_TOO_BIG };
#define DEV UR_TO_DEVICE
#define CLI UR_TO_CLIENT

#define PATH "/sys/devices/pci0000:00/0000:00:1d.1/usb3/3-2"

/* Offsets inside usbip_usb_device: the protocol's, less the 0xc before it. */
enum {
	AT_BUSID = 0x10c - 0xc,
	AT_BUSNUM = 0x12c - 0xc,
	AT_DEVNUM = 0x130 - 0xc,
	AT_SPEED = 0x134 - 0xc,
	AT_VENDOR = 0x138 - 0xc,
	AT_INTERFACES = 0x143 - 0xc,
};

/* busnum 3, devnum 2, high speed, 0781:5567 rev 1.27, class 0, 1 interface */
static void device_wire(u8 wire[UR_OP_DEVICE_BYTES])
{
	memset(wire, 0, UR_OP_DEVICE_BYTES);
	memcpy(wire, PATH, strlen(PATH));
	memcpy(wire + AT_BUSID, "3-2", 3);
	assert_int_equal(hex("00000003 00000002 00000003 0781 5567 0127"
			     "00 00 00 01 01 01",
			     wire + AT_BUSNUM, 24),
			 24);
}

static int read_header(const u8 *wire, size_t bytes, enum ur_travel travel,
		       struct ur_op_header *header, struct ur_refusal *why)
{
	u8 *copy = exact(wire, bytes);
	struct ur_reader r;
	int error;

	ur_reader_init(&r, copy, bytes);
	error = ur_op_header_read(&r, travel, header, why);
	free(copy);
	return error;
}

static void judges_headers(void **state)
{
	static const struct {
		int row;
		const char *wire; /* version, code, status */
		enum ur_travel travel;
		int result;
		const char *field;
		u32 got;
		u32 want;
		enum ur_op_body body;
	} rows[] = {
		{ 1, "0111 8005 00000000", DEV, OK, "", 0, 0, UR_OP_BODY_NONE },
		{ 2, "0111 8003 00000000", DEV, OK, "", 0, 0, UR_OP_BODY_BUSID },
		{ 3, "0111 0005 00000000", CLI, OK, "", 0, 0, UR_OP_BODY_LIST },
		{ 4, "0111 0003 00000000", CLI, OK, "", 0, 0, UR_OP_BODY_DEVICE },
		/* status: a refusal has no body */
		{ 5, "0111 0003 00000001", CLI, OK, "", 0, 0, UR_OP_BODY_NONE },
		{ 6, "0111 0003 00000004", CLI, OK, "", 0, 0, UR_OP_BODY_NONE },
		{ 7, "0111 0003 00000005", CLI, OK, "", 0, 0, UR_OP_BODY_NONE },
		{ 8, "0111 0003 00000006", CLI, BAD, "status", 6, 5, 0 },
		{ 9, "0111 0003 7fffffff", CLI, BAD, "status", 0x7fffffff, 5, 0 },
		{ 10, "0111 0003 ffffffff", CLI, BAD, "status", ~0u, 5, 0 },
		{ 11, "0111 0005 00000001", CLI, OK, "", 0, 0, UR_OP_BODY_NONE },
		{ 12, "0111 8003 00000001", DEV, BAD, "status of a request", 1, 0, 0 },
		{ 13, "0111 8005 ffffffff", DEV, BAD, "status of a request", ~0u, 0, 0 },
		/* version */
		{ 20, "0110 8005 00000000", DEV, BAD, "USB/IP version", 0x110, 0x111, 0 },
		{ 21, "0112 8005 00000000", DEV, BAD, "USB/IP version", 0x112, 0x111, 0 },
		{ 22, "1101 8005 00000000", DEV, BAD, "USB/IP version", 0x1101, 0x111, 0 },
		{ 23, "0000 8005 00000000", DEV, BAD, "USB/IP version", 0, 0x111, 0 },
		/* code and travel */
		{ 30, "0111 8005 00000000", CLI, BAD, "OP code", 0x8005, 3, 0 },
		{ 31, "0111 8003 00000000", CLI, BAD, "OP code", 0x8003, 3, 0 },
		{ 32, "0111 0005 00000000", DEV, BAD, "OP code", 5, 0x8003, 0 },
		{ 33, "0111 0003 00000000", DEV, BAD, "OP code", 3, 0x8003, 0 },
		{ 34, "0111 0000 00000000", DEV, BAD, "OP code", 0, 0x8003, 0 },
		{ 35, "0111 8002 00000000", DEV, BAD, "OP code", 0x8002, 0x8003, 0 },
		{ 36, "0111 8004 00000000", DEV, BAD, "OP code", 0x8004, 0x8003, 0 },
		{ 37, "0111 8006 00000000", DEV, BAD, "OP code", 0x8006, 0x8003, 0 },
		{ 38, "0111 0380 00000000", DEV, BAD, "OP code", 0x380, 0x8003, 0 },
		{ 39, "0111 ffff 00000000", CLI, BAD, "OP code", 0xffff, 3, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u8 wire[UR_OP_HEADER_BYTES], again[UR_OP_HEADER_BYTES];
		struct ur_op_header header;
		struct ur_refusal why;
		struct ur_writer w;

		hex(rows[i].wire, wire, sizeof(wire));
		row_is(rows[i].row, "read",
		       read_header(wire, sizeof(wire), rows[i].travel, &header,
				   &why),
		       rows[i].result);
		if (rows[i].result) {
			row_refusal(rows[i].row, &why, rows[i].field,
				    rows[i].got, rows[i].want);
			continue;
		}
		row_is(rows[i].row, "body", ur_op_body(&header), rows[i].body);
		ur_writer_init(&w, again, sizeof(again));
		row_is(rows[i].row, "write",
		       ur_op_header_write(&w, rows[i].travel, &header, &why),
		       0);
		row_bytes(rows[i].row, "wire", again, wire, sizeof(wire));
	}
}

/* A string in its field, the rest zeros unless the row puts a byte there. */
static const struct string_row {
	int row;
	const char *text;
	int repeat;	/* how often the text stands there */
	int at;		/* and a byte at this place, -1 = none */
	int byte;
	int busid;	/* result as a busid */
	int path;	/* result as a path */
} string_rows[] = {
	{ 1, "3-2", 1, -1, 0, OK, OK },
	{ 2, "usbip-vudc.0", 1, -1, 0, OK, OK },
	{ 3, "1-1.4.2:1.0_x", 1, -1, 0, OK, OK },
	{ 4, "", 0, -1, 0, BAD, BAD },
	{ 5, "a", 30, -1, 0, OK, OK },
	{ 6, "a", 31, -1, 0, OK, OK },
	{ 7, "a", 32, -1, 0, BAD, OK },
	{ 8, "a", 254, -1, 0, BAD, OK },
	{ 9, "a", 255, -1, 0, BAD, OK },
	{ 10, "a", 256, -1, 0, BAD, BAD },
	/* behind the end there are zeros */
	{ 11, "3-2", 1, 4, 'x', BAD, BAD },
	{ 12, "3-2", 1, 31, 1, BAD, BAD },
	{ 13, "", 0, 31, 'x', BAD, BAD },
	/* characters */
	{ 20, "../../x", 1, -1, 0, BAD, OK },
	{ 21, ".", 1, -1, 0, BAD, OK },
	{ 22, "-r", 1, -1, 0, BAD, OK },
	{ 23, "3/2", 1, -1, 0, BAD, OK },
	{ 24, "3 2", 1, -1, 0, BAD, OK },
	{ 25, "3\n2", 1, -1, 0, BAD, BAD },
	{ 26, "3\x1b[2J", 1, -1, 0, BAD, BAD },
	{ 27, "3\x7f", 1, -1, 0, BAD, BAD },
	{ 28, "3~", 1, -1, 0, BAD, OK },
	{ 29, "\x80", 1, -1, 0, BAD, BAD },
	{ 30, "3\xff", 1, -1, 0, BAD, BAD },
	{ 31, "3%s", 1, -1, 0, BAD, OK },
	{ 32, "3$x", 1, -1, 0, BAD, OK },
};

/* The row's string in a field of `room` bytes. */
static void string_wire(const struct string_row *t, u8 *field, size_t room)
{
	size_t length = strlen(t->text);
	size_t at = 0;
	int i;

	memset(field, 0, room);
	for (i = 0; i < t->repeat && at < room; i++) {
		size_t part = length < room - at ? length : room - at;

		memcpy(field + at, t->text, part);
		at += part;
	}
	if (t->at >= 0)
		field[t->at] = (u8)t->byte;
}

static void judges_strings(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(string_rows); i++) {
		const struct string_row *t = &string_rows[i];
		u8 wire[UR_OP_DEVICE_BYTES];
		struct ur_op_device device;
		struct ur_op_busid busid;
		struct ur_refusal why;
		struct ur_reader r;

		string_wire(t, wire, UR_OP_BUSID_BYTES);
		ur_reader_init(&r, wire, UR_OP_BUSID_BYTES);
		row_is(t->row, "busid", ur_op_busid_read(&r, &busid, &why),
		       t->busid);
		if (t->busid)
			row_text(t->row, "field", why.field, "busid");

		device_wire(wire);
		string_wire(t, wire + AT_BUSID, UR_OP_BUSID_BYTES);
		ur_reader_init(&r, wire, sizeof(wire));
		row_is(t->row, "device's busid",
		       ur_op_device_read(&r, &device, &why), t->busid);

		device_wire(wire);
		string_wire(t, wire, UR_OP_PATH_BYTES);
		ur_reader_init(&r, wire, sizeof(wire));
		row_is(t->row, "path", ur_op_device_read(&r, &device, &why),
		       t->path);
		if (t->path)
			row_text(t->row, "field", why.field, "path");
	}
}

static void sets_busids(void **state)
{
	static const struct {
		int row;
		const char *text;
		int result;
	} rows[] = {
		{ 1, "3-2", OK },
		{ 2, "", UR_BUG_INVALID },
		{ 3, "3/2", UR_BUG_INVALID },
		{ 4, "1234567890123456789012345678901", OK },
		{ 5, "12345678901234567890123456789012", UR_BUG_INVALID },
		{ 6, "1234567890123456789012345678901234", UR_BUG_INVALID },
		{ 7, "Az09.:_-Z", OK },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_op_busid busid;
		struct ur_refusal why;

		row_is(rows[i].row, "set",
		       ur_op_busid_set(&busid, rows[i].text, &why),
		       rows[i].result);
		if (!rows[i].result)
			row_text(rows[i].row, "text", busid.text,
				 rows[i].text);
	}
}

static void judges_counts(void **state)
{
	static const struct {
		int row;
		const char *wire;
		u32 count;
		int result;
	} rows[] = {
		{ 1, "00000000", 0, OK },	  { 2, "00000001", 1, OK },
		{ 3, "0000007f", 127, OK },	  { 4, "00000080", 128, OK },
		{ 5, "00000081", 129, BIG },	  { 6, "01000000", 1u << 24, BIG },
		{ 7, "7fffffff", ~0u >> 1, BIG }, { 8, "ffffffff", ~0u, BIG },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u8 wire[UR_OP_COUNT_BYTES], again[UR_OP_COUNT_BYTES];
		struct ur_refusal why;
		struct ur_reader r;
		struct ur_writer w;
		u32 count;

		hex(rows[i].wire, wire, sizeof(wire));
		ur_reader_init(&r, wire, sizeof(wire));
		row_is(rows[i].row, "read", ur_op_count_read(&r, &count, &why),
		       rows[i].result);
		if (rows[i].result)
			row_refusal(rows[i].row, &why, "number of devices",
				    rows[i].count, 128);
		ur_writer_init(&w, again, sizeof(again));
		row_is(rows[i].row, "write",
		       ur_op_count_write(&w, rows[i].count, &why),
		       rows[i].result ? UR_BUG_INVALID : 0);
		if (rows[i].result)
			continue;
		row_is(rows[i].row, "count", count, rows[i].count);
		row_bytes(rows[i].row, "wire", again, wire, sizeof(wire));
	}
}

static void judges_device_numbers(void **state)
{
	static const struct {
		int row;
		u32 at;
		const char *wire;
		int result;
		const char *field;
		u32 got;
		u32 want;
	} rows[] = {
		{ 1, AT_BUSNUM, "00000000", OK, "", 0, 0 },
		{ 2, AT_BUSNUM, "0000fffe", OK, "", 0, 0 },
		{ 3, AT_BUSNUM, "0000ffff", OK, "", 0, 0 },
		{ 4, AT_BUSNUM, "00010000", BAD, "busnum", 0x10000, 0xffff },
		{ 5, AT_BUSNUM, "7fffffff", BAD, "busnum", 0x7fffffff, 0xffff },
		{ 6, AT_BUSNUM, "ffffffff", BAD, "busnum", ~0u, 0xffff },
		{ 7, AT_DEVNUM, "00000000", OK, "", 0, 0 },
		{ 8, AT_DEVNUM, "0000ffff", OK, "", 0, 0 },
		{ 9, AT_DEVNUM, "00010000", BAD, "devnum", 0x10000, 0xffff },
		{ 10, AT_DEVNUM, "ffffffff", BAD, "devnum", ~0u, 0xffff },
		{ 11, AT_SPEED, "00000000", OK, "", 0, 0 },
		{ 12, AT_SPEED, "00000005", OK, "", 0, 0 },
		{ 13, AT_SPEED, "00000006", OK, "", 0, 0 },
		{ 14, AT_SPEED, "00000007", BAD, "speed", 7, 6 },
		{ 15, AT_SPEED, "7fffffff", BAD, "speed", 0x7fffffff, 6 },
		{ 16, AT_SPEED, "ffffffff", BAD, "speed", ~0u, 6 },
		{ 17, AT_VENDOR, "ffffffffffffffffffffff", OK, "", 0, 0 },
		{ 18, AT_VENDOR, "0000000000000000000000", OK, "", 0, 0 },
		{ 19, AT_INTERFACES, "00", OK, "", 0, 0 },
		{ 20, AT_INTERFACES, "1f", OK, "", 0, 0 },
		{ 21, AT_INTERFACES, "20", OK, "", 0, 0 },
		{ 22, AT_INTERFACES, "21", BIG, "bNumInterfaces", 33, 32 },
		{ 23, AT_INTERFACES, "7f", BIG, "bNumInterfaces", 127, 32 },
		{ 24, AT_INTERFACES, "ff", BIG, "bNumInterfaces", 255, 32 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u8 wire[UR_OP_DEVICE_BYTES], again[UR_OP_DEVICE_BYTES];
		struct ur_op_device device;
		struct ur_refusal why;
		struct ur_reader r;
		struct ur_writer w;

		device_wire(wire);
		hex(rows[i].wire, wire + rows[i].at, 12);
		ur_reader_init(&r, wire, sizeof(wire));
		row_is(rows[i].row, "read",
		       ur_op_device_read(&r, &device, &why), rows[i].result);
		ur_writer_init(&w, again, sizeof(again));
		row_is(rows[i].row, "write",
		       ur_op_device_write(&w, &device, &why),
		       rows[i].result ? UR_BUG_INVALID : 0);
		if (rows[i].result)
			row_refusal(rows[i].row, &why, rows[i].field,
				    rows[i].got, rows[i].want);
		else
			row_bytes(rows[i].row, "wire", again, wire,
				  sizeof(wire));
	}
}

static void reads_a_device(void **state)
{
	u8 wire[UR_OP_DEVICE_BYTES];
	struct ur_op_device device;
	struct ur_refusal why;
	struct ur_reader r;

	(void)state;
	device_wire(wire);
	hex("00000003 00000002 00000003 0781 5567 0127 08 06 50 02 03 04",
	    wire + AT_BUSNUM, 24);
	ur_reader_init(&r, wire, sizeof(wire));
	assert_int_equal(ur_op_device_read(&r, &device, &why), 0);
	assert_true(ur_reader_is_done(&r));
	assert_string_equal(device.path, PATH);
	assert_string_equal(device.busid.text, "3-2");
	assert_int_equal(device.busnum, 3);
	assert_int_equal(device.devnum, 2);
	assert_int_equal(device.speed, UR_SPEED_HIGH);
	assert_int_equal(device.vendor, 0x0781);
	assert_int_equal(device.product, 0x5567);
	assert_int_equal(device.bcd_device, 0x0127);
	assert_int_equal(device.device_class, 8);
	assert_int_equal(device.device_subclass, 6);
	assert_int_equal(device.device_protocol, 0x50);
	assert_int_equal(device.configuration, 2);
	assert_int_equal(device.configurations, 3);
	assert_int_equal(device.interfaces, 4);
	assert_int_equal(ur_op_devid(&device), 0x00030002);
}

/* The padding byte: anything on reading, zero on writing. */
static void moves_interfaces(void **state)
{
	u8 wire[] = { 0x08, 0x06, 0x50, 0xaa };
	u8 again[sizeof(wire)];
	struct ur_op_interface interface;
	struct ur_refusal why;
	struct ur_reader r;
	struct ur_writer w;

	(void)state;
	ur_reader_init(&r, wire, sizeof(wire));
	assert_int_equal(ur_op_interface_read(&r, &interface, &why), 0);
	assert_true(ur_reader_is_done(&r));
	assert_int_equal(interface.interface_class, 8);
	assert_int_equal(interface.interface_subclass, 6);
	assert_int_equal(interface.interface_protocol, 0x50);
	ur_writer_init(&w, again, sizeof(again));
	assert_int_equal(ur_op_interface_write(&w, &interface, &why), 0);
	assert_memory_equal(again, "\x08\x06\x50\x00", 4);
}

/* One reader and one writer for each piece. */
enum piece { HEADER, BUSID, COUNT, DEVICE, INTERFACE };

struct values {
	struct ur_op_header header;
	struct ur_op_busid busid;
	u32 count;
	struct ur_op_device device;
	struct ur_op_interface interface;
};

static int read_piece(enum piece piece, struct ur_reader *r, struct values *v,
		      struct ur_refusal *why)
{
	switch (piece) {
	case HEADER:
		return ur_op_header_read(r, UR_TO_DEVICE, &v->header, why);
	case BUSID:
		return ur_op_busid_read(r, &v->busid, why);
	case COUNT:
		return ur_op_count_read(r, &v->count, why);
	case DEVICE:
		return ur_op_device_read(r, &v->device, why);
	case INTERFACE:
		return ur_op_interface_read(r, &v->interface, why);
	}
	return 1;
}

static int write_piece(enum piece piece, struct ur_writer *w,
		       const struct values *v, struct ur_refusal *why)
{
	switch (piece) {
	case HEADER:
		return ur_op_header_write(w, UR_TO_DEVICE, &v->header, why);
	case BUSID:
		return ur_op_busid_write(w, &v->busid, why);
	case COUNT:
		return ur_op_count_write(w, v->count, why);
	case DEVICE:
		return ur_op_device_write(w, &v->device, why);
	case INTERFACE:
		return ur_op_interface_write(w, &v->interface, why);
	}
	return 1;
}

static const struct piece_row {
	int row;
	enum piece piece;
	u32 bytes;
	const char *name;
} piece_rows[] = {
	{ 1, HEADER, 8, "OP header bytes" },
	{ 2, BUSID, 32, "busid bytes" },
	{ 3, COUNT, 4, "count bytes" },
	{ 4, DEVICE, 312, "device bytes" },
	{ 5, INTERFACE, 4, "interface bytes" },
};

static void piece_wire(enum piece piece, u8 wire[UR_OP_DEVICE_BYTES])
{
	device_wire(wire);
	if (piece == HEADER)
		hex("0111 8003 00000000", wire, 8);
	else if (piece == BUSID)
		memmove(wire, wire + AT_BUSID, UR_OP_BUSID_BYTES);
	else if (piece != DEVICE)
		hex("00000001", wire, 4);
}

static void refuses_every_truncation(void **state)
{
	size_t i, bytes;

	(void)state;
	for (i = 0; i < ROWS(piece_rows); i++) {
		const struct piece_row *t = &piece_rows[i];
		u8 wire[UR_OP_DEVICE_BYTES];
		struct ur_refusal why;
		struct values values;

		piece_wire(t->piece, wire);
		for (bytes = 0; bytes < t->bytes; bytes++) {
			u8 *cut = exact(wire, bytes);
			struct ur_reader r;

			ur_reader_init(&r, cut, bytes);
			row_is(t->row, "read",
			       read_piece(t->piece, &r, &values, &why), BAD);
			row_refusal(t->row, &why, t->name, (u32)bytes,
				    t->bytes);
			free(cut);
		}
	}
}

static void writes_only_into_room(void **state)
{
	size_t i, room;

	(void)state;
	for (i = 0; i < ROWS(piece_rows); i++) {
		const struct piece_row *t = &piece_rows[i];
		u8 wire[UR_OP_DEVICE_BYTES];
		struct ur_refusal why;
		struct values values;
		struct ur_reader r;

		piece_wire(t->piece, wire);
		ur_reader_init(&r, wire, t->bytes);
		row_is(t->row, "read", read_piece(t->piece, &r, &values, &why),
		       0);
		for (room = 0; room <= t->bytes; room++) {
			u8 *to = exact(wire, room);
			struct ur_writer w;

			ur_writer_init(&w, to, room);
			row_is(t->row, "write",
			       write_piece(t->piece, &w, &values, &why),
			       room < t->bytes ? UR_BUG_INVALID : 0);
			row_is(t->row, "used", (long long)ur_writer_used(&w),
			       room < t->bytes ? 0 : t->bytes);
			free(to);
		}
	}
}

static void writes_nothing_that_it_would_refuse(void **state)
{
	static const struct ur_op_header headers[] = {
		{ 0x8004, 0 }, { 0x8003, 1 }, { 0x0003, 0 },
	};
	struct ur_op_busid busid = { "3/2" };
	u8 to[UR_OP_DEVICE_BYTES];
	struct ur_refusal why;
	struct ur_writer w;
	size_t i;

	(void)state;
	ur_writer_init(&w, to, sizeof(to));
	for (i = 0; i < ROWS(headers); i++)
		row_is((int)i, "header",
		       ur_op_header_write(&w, UR_TO_DEVICE, &headers[i], &why),
		       UR_BUG_INVALID);
	assert_int_equal(ur_op_busid_write(&w, &busid, &why), UR_BUG_INVALID);
	assert_int_equal(ur_writer_used(&w), 0);
}

static void knows_no_body_of_others(void **state)
{
	const struct ur_op_header header = { 0x8004, 0 };

	(void)state;
	assert_int_equal(ur_op_body(&header), UR_OP_BODY_NONE);
}

static void has_words_for_each_status(void **state)
{
	u32 status;

	(void)state;
	assert_string_equal(ur_op_status_text(0), "ok");
	for (status = 1; status <= 5; status++)
		assert_string_not_equal(ur_op_status_text(status),
					"unknown status");
	assert_string_equal(ur_op_status_text(6), "unknown status");
	assert_string_equal(ur_op_status_text(~0u), "unknown status");
}

static const struct CMUnitTest tests[] = {
	{ "op: judges headers", judges_headers, 0, 0, 0 },
	{ "op: judges strings", judges_strings, 0, 0, 0 },
	{ "op: sets busids", sets_busids, 0, 0, 0 },
	{ "op: judges counts", judges_counts, 0, 0, 0 },
	{ "op: judges a device's numbers", judges_device_numbers, 0, 0, 0 },
	{ "op: reads a device", reads_a_device, 0, 0, 0 },
	{ "op: moves interfaces", moves_interfaces, 0, 0, 0 },
	{ "op: refuses every truncation", refuses_every_truncation, 0, 0, 0 },
	{ "op: writes only into room", writes_only_into_room, 0, 0, 0 },
	{ "op: writes nothing that it would refuse",
	  writes_nothing_that_it_would_refuse, 0, 0, 0 },
	{ "op: knows no body of others", knows_no_body_of_others, 0, 0, 0 },
	{ "op: has words for each status", has_words_for_each_status, 0, 0, 0 },
};

const struct wire_tests wire_op_tests = { tests, ROWS(tests) };
