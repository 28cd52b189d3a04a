// SPDX-License-Identifier: BSD-2-Clause
/*
 * Messages put together by hand; cut in every way, each must give one and the
 * same log: H<code>/<status> B<busid> C<count> D<busid> I<class> E
 */
#include "wire_test.h"

#include "op_framer.h"

enum { MESSAGE_MAX = 8 + 4 + 129 * (312 + 33 * 4), LOG_MAX = 256 };
#define DEV UR_TO_DEVICE
#define CLI UR_TO_CLIENT
enum { BAD = UR_PEER_MALFORMED, BIG = UR_PEER_TOO_BIG };

/*
 * A message in words: hexadecimal digits stand for themselves, <text> is a
 * busid field, {text:n} a device of that busid with n (hex) interfaces.
 */
static size_t build(const char *words, u8 *to)
{
	u8 *at = to;

	while (*words) {
		char text[64];
		size_t length = strcspn(words, " ");

		assert_true(length < sizeof(text));
		memcpy(text, words, length);
		text[length] = 0;
		words += length + (words[length] == ' ');
		if (text[0] == '<') {
			memset(at, 0, 32);
			memcpy(at, text + 1, length - 2);
			at += 32;
		} else if (text[0] == '{') {
			char *colon = strchr(text, ':');

			memset(at, 0, 312);
			memcpy(at, "/sys/devices/x", 14);
			memcpy(at + 256, text + 1, (size_t)(colon - text - 1));
			at[311] = (u8)strtoul(colon + 1, NULL, 16);
			at += 312;
		} else {
			at += hex(text, at, 32);
		}
	}
	return (size_t)(at - to);
}

struct run {
	struct ur_op_framer framer;
	char log[LOG_MAX];
	int error;
	bool ended;
};

static void note(struct run *run, int event)
{
	const struct ur_op_framer *f = &run->framer;
	size_t used = strlen(run->log);
	char *to = run->log + used;
	size_t room = sizeof(run->log) - used;

	if (event == UR_OP_HEADER)
		snprintf(to, room, "H%x/%u ", f->header.code,
			 f->header.status);
	else if (event == UR_OP_BUSID)
		snprintf(to, room, "B%s ", f->busid.text);
	else if (event == UR_OP_COUNT)
		snprintf(to, room, "C%u ", f->count);
	else if (event == UR_OP_DEVICE)
		snprintf(to, room, "D%s ", f->device.busid.text);
	else if (event == UR_OP_INTERFACE)
		snprintf(to, room, "I%x ", f->interface.interface_class);
	else
		snprintf(to, room, "E ");
}

/* One slice, in a buffer of its very size; returns how much was used. */
static size_t feed(struct run *run, const u8 *bytes, size_t count)
{
	u8 *slice = exact(bytes, count);
	size_t at = 0;
	size_t taken;

	while (!run->error && !run->ended) {
		int event = ur_op_framer_take(&run->framer, slice + at,
					      count - at, &taken);

		assert_true(taken <= count - at);
		at += taken;
		if (event < 0) {
			assert_int_equal(taken, 0);
			run->error = event;
		} else if (event == UR_OP_MORE) {
			assert_int_equal(at, count);
			break;
		} else {
			note(run, event);
			run->ended = event == UR_OP_END;
		}
	}
	free(slice);
	return at;
}

static void start(struct run *run, enum ur_travel travel)
{
	memset(run, 0, sizeof(*run));
	ur_op_framer_init(&run->framer, travel);
}

static const struct {
	int row;
	enum ur_travel travel;
	const char *words;
	u32 bytes;
	const char *log;
} messages[] = {
	{ 1, DEV, "0111800500000000", 8, "H8005/0 E " },
	{ 2, DEV, "0111800300000000 <3-2>", 40, "H8003/0 B3-2 E " },
	{ 3, CLI, "0111000300000000 {3-2:2}", 320, "H3/0 D3-2 E " },
	{ 4, CLI, "0111000300000001", 8, "H3/1 E " },
	{ 5, CLI, "0111000500000000 00000000", 12, "H5/0 C0 E " },
	{ 6, CLI, "0111000500000000 00000001 {3-2:0}", 324,
	  "H5/0 C1 D3-2 E " },
	{ 7, CLI, "0111000500000000 00000002 {3-2:2} 08065000 03010200 {1-1.4:1} ff000000",
	  8 + 4 + 2 * 312 + 3 * 4, "H5/0 C2 D3-2 I8 I3 D1-1.4 Iff E " },
	{ 8, CLI, "0111000500000000 00000002 {3-2:0} {1-1:1} 09000000",
	  8 + 4 + 2 * 312 + 4, "H5/0 C2 D3-2 D1-1 I9 E " },
	{ 9, CLI, "0111000500000005", 8, "H5/5 E " },
};

/* What follows the message, and must not be touched. */
static const u8 after[] = { 0, 0, 0, 1, 0, 0, 0, 1 };

static void cut_once(void **state)
{
	static u8 bytes[MESSAGE_MAX];
	size_t i, cut;

	(void)state;
	for (i = 0; i < ROWS(messages); i++) {
		size_t size = build(messages[i].words, bytes);

		row_is(messages[i].row, "bytes", (long long)size,
		       messages[i].bytes);
		memcpy(bytes + size, after, sizeof(after));
		for (cut = 0; cut <= size; cut++) {
			struct run run;
			size_t used;

			start(&run, messages[i].travel);
			used = feed(&run, bytes, cut);
			row_is(messages[i].row, "ended", run.ended,
			       cut == size);
			used += feed(&run, bytes + cut,
				     size - cut + sizeof(after));
			row_is(messages[i].row, "error", run.error, 0);
			row_text(messages[i].row, "log", run.log,
				 messages[i].log);
			row_is(messages[i].row, "used", (long long)used,
			       (long long)size);
		}
	}
}

static void byte_by_byte(void **state)
{
	static u8 bytes[MESSAGE_MAX];
	size_t i, at, taken;

	(void)state;
	for (i = 0; i < ROWS(messages); i++) {
		size_t size = build(messages[i].words, bytes);
		struct run run;

		start(&run, messages[i].travel);
		for (at = 0; at < size; at++) {
			row_is(messages[i].row, "nothing",
			       (long long)feed(&run, bytes + at, 0), 0);
			row_is(messages[i].row, "one",
			       (long long)feed(&run, bytes + at, 1), 1);
		}
		row_text(messages[i].row, "log", run.log, messages[i].log);
		row_is(messages[i].row, "end for ever",
		       ur_op_framer_take(&run.framer, after, sizeof(after),
					 &taken),
		       UR_OP_END);
		row_is(messages[i].row, "taken", (long long)taken, 0);
	}
}

/* A socket reader that asks for exactly what is wanted reads all, no more. */
static void exactly_what_it_wants(void **state)
{
	static u8 bytes[MESSAGE_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(messages); i++) {
		size_t size = build(messages[i].words, bytes);
		size_t at = 0;
		struct run run;
		u32 wants;

		start(&run, messages[i].travel);
		while ((wants = ur_op_framer_wants(&run.framer)) > 0) {
			assert_true(wants <= size - at);
			feed(&run, bytes + at, wants);
			at += wants;
		}
		row_is(messages[i].row, "read", (long long)at,
		       (long long)size);
		row_text(messages[i].row, "log", run.log, messages[i].log);
		row_is(messages[i].row, "ended", run.ended, 1);
	}
}

static void a_bad_piece_ends_the_stream(void **state)
{
	static const struct {
		int row;
		enum ur_travel travel;
		const char *words;
		const char *log;
		int error;
		const char *field;
	} rows[] = {
		{ 1, DEV, "0110800500000000", "", BAD, "USB/IP version" },
		{ 2, DEV, "0111000500000000", "", BAD, "OP code" },
		{ 3, CLI, "0111800500000000", "", BAD, "OP code" },
		{ 4, CLI, "0111000300000006", "", BAD, "status" },
		{ 5, DEV, "0111800300000000 <../x>", "H8003/0 ", BAD, "busid" },
		{ 6, CLI, "0111000500000000 00000081", "H5/0 ", BIG, "number of devices" },
		{ 7, CLI, "0111000500000000 ffffffff", "H5/0 ", BIG, "number of devices" },
		{ 8, CLI, "0111000500000000 00000002 {3-2:1} 08065000 {3-3:21}",
		  "H5/0 C2 D3-2 I8 ", BIG, "bNumInterfaces" },
		{ 9, CLI, "0111000300000000 {3-2:ff}", "H3/0 ", BIG, "bNumInterfaces" },
		{ 10, CLI, "0111000300000000 {:1}", "H3/0 ", BAD, "busid" },
	};
	static u8 bytes[MESSAGE_MAX];
	size_t i, cut, taken;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		size_t size = build(rows[i].words, bytes);

		for (cut = 0; cut < size; cut++) {
			struct run run;

			start(&run, rows[i].travel);
			feed(&run, bytes, cut);
			row_is(rows[i].row, "early", run.error, 0);
			feed(&run, bytes + cut, size - cut);
			row_is(rows[i].row, "error", run.error, rows[i].error);
			row_text(rows[i].row, "log", run.log, rows[i].log);
			row_text(rows[i].row, "field", run.framer.why.field,
				 rows[i].field);
			row_is(rows[i].row, "later",
			       ur_op_framer_take(&run.framer, after,
						 sizeof(after), &taken),
			       rows[i].error);
			row_is(rows[i].row, "wants",
			       ur_op_framer_wants(&run.framer), 0);
		}
	}
}

/* 128 devices of 32 interfaces each. */
static void takes_the_longest_list(void **state)
{
	static u8 bytes[MESSAGE_MAX];
	size_t size = build("0111000500000000 00000080", bytes);
	u32 devices = 0, interfaces = 0;
	struct ur_op_framer f;
	size_t at = 0, taken;
	int event, i;

	(void)state;
	for (i = 0; i < 128; i++) {
		size += build("{3-2:20}", bytes + size);
		memset(bytes + size, 8, 32 * 4);
		size += 32 * 4;
	}
	ur_op_framer_init(&f, UR_TO_CLIENT);
	do {
		event = ur_op_framer_take(&f, bytes + at, size - at, &taken);
		at += taken;
		devices += event == UR_OP_DEVICE;
		interfaces += event == UR_OP_INTERFACE;
	} while (event > UR_OP_MORE && event != UR_OP_END);
	assert_int_equal(event, UR_OP_END);
	assert_int_equal(at, 8 + 4 + 128 * (312 + 32 * 4));
	assert_int_equal(devices, 128);
	assert_int_equal(interfaces, 128 * 32);
}

static const struct CMUnitTest tests[] = {
	{ "op_framer: any one cut gives the same events", cut_once, 0, 0, 0 },
	{ "op_framer: byte by byte too, and then END for ever", byte_by_byte, 0,
	  0, 0 },
	{ "op_framer: reading exactly what it wants", exactly_what_it_wants, 0,
	  0, 0 },
	{ "op_framer: a bad piece ends the stream",
	  a_bad_piece_ends_the_stream, 0, 0, 0 },
	{ "op_framer: takes the longest list", takes_the_longest_list, 0, 0,
	  0 },
};

const struct wire_tests wire_op_framer_tests = { tests, ROWS(tests) };
