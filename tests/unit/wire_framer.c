// SPDX-License-Identifier: BSD-2-Clause
/*
 * Streams written by hand (the first four messages are the example of Linux's
 * usbip_protocol.rst), cut in every way, must give one and the same log:
 *     H<seqnum>  P<bytes>:<sum of the bytes>  I<offset>+<actual_length>  E
 */
#include "wire_test.h"

#include "framer.h"

#define CMD_INTR_IN  "00000001 00000d05 0001000f 00000001 00000001 00000200 " \
		     "00000040 ffffffff 00000000 00000004 00000000 00000000"
#define CMD_INTR_OUT "00000001 00000d06 0001000f 00000000 00000001 00000000 " \
		     "00000040 ffffffff 00000000 00000004 00000000 00000000"
#define DATA_OUT     "ffffffff860008a784ce5ae21237630000000000000000000000" \
		     "00000000000000000000000000000000000000000000000000000000" \
		     "00000000000000000000"
#define RET_INTR_OUT "00000003 00000d06 00000000 00000000 00000000 00000000 " \
		     "00000040 ffffffff 00000000 00000000 00000000 00000000"
#define RET_INTR_IN  "00000003 00000d05 00000000 00000000 00000000 00000000 " \
		     "00000040 ffffffff 00000000 00000000 00000000 00000000"
#define DATA_IN      "ffffffff860011a784ce5ae2123763612891b102010000040000" \
		     "00000000000000000000000000000000000000000000000000000000" \
		     "00000000000000000000"
#define CMD_UNLINK   "00000002 00000d07 0001000f 00000000 00000000 00000d05 " \
		     "00000000 00000000 00000000 00000000 00000000 00000000"
#define RET_UNLINK   "00000004 00000d07 00000000 00000000 00000000 ffffff98 " \
		     "00000000 00000000 00000000 00000000 00000000 00000000"
/* SET_CONFIGURATION(1): OUT without data, USB 2.0 section 9.4.7 */
#define CMD_NO_DATA  "00000001 00000d08 0001000f 00000000 00000000 00000000 " \
		     "00000000 00000000 ffffffff 00000000 00090100 00000000"
#define RET_NO_DATA  "00000003 00000d08 00000000 00000000 00000000 00000000 " \
		     "00000000 00000000 ffffffff 00000000 00000000 00000000"
/* 2 packets of 5 bytes each way */
#define CMD_ISO_OUT  "00000001 00000e02 0001000f 00000000 00000002 00000002 " \
		     "0000000a 00000000 00000002 00000001 00000000 00000000"
#define CMD_ISO_IN   "00000001 00000e03 0001000f 00000001 00000003 00000202 " \
		     "0000000a 00000000 00000002 00000001 00000000 00000000"
#define ASK_1	     "00000000 00000005 00000000 ffffffee"
#define ASK_2	     "00000005 00000005 00000000 ffffffee"
#define RET_ISO_OUT  "00000003 00000e02 00000000 00000000 00000000 00000000 " \
		     "0000000a 00000007 00000002 00000000 00000000 00000000"
#define GOT_5_1	     "00000000 00000005 00000005 00000000"
#define GOT_5_2	     "00000005 00000005 00000005 00000000"
/* of which only 4 and 3 came */
#define RET_ISO_IN   "00000003 00000e03 00000000 00000000 00000000 00000000 " \
		     "00000007 00000007 00000002 00000000 00000000 00000000"
#define GOT_4_1	     "00000000 00000005 00000004 00000000"
#define GOT_3_2	     "00000005 00000005 00000003 00000000"

#define TO_DEVICE                                                             \
	CMD_INTR_IN CMD_INTR_OUT DATA_OUT CMD_UNLINK CMD_NO_DATA CMD_ISO_OUT  \
		"01020304050607080910" ASK_1 ASK_2 CMD_ISO_IN ASK_1 ASK_2
#define TO_DEVICE_LOG                                        \
	"Hd05 E Hd06 P64:2155 E Hd07 E Hd08 E "              \
	"He02 P10:61 I0+0 I5+0 E He03 I0+0 I5+0 E "
#define TO_CLIENT                                                             \
	RET_INTR_OUT RET_INTR_IN DATA_IN RET_UNLINK RET_NO_DATA RET_ISO_OUT   \
		GOT_5_1 GOT_5_2 RET_ISO_IN "01020304050607" GOT_4_1 GOT_3_2
#define TO_CLIENT_LOG                                        \
	"Hd06 E Hd05 P64:2630 E Hd07 E Hd08 E "              \
	"He02 I0+5 I5+5 E He03 P7:28 I0+4 I5+3 E "

enum { STREAM_MAX = 1024, LOG_MAX = 1024 };

/* What the client asked: the records that a guard would keep. */
static const struct {
	u32 seqnum;
	struct ur_request request;
} asked[] = {
	{ 0xd05, { UR_DIR_IN, 64, 0 } },
	{ 0xd06, { UR_DIR_OUT, 64, 0 } },
	{ 0xd07, { UR_DIR_OUT, 0, 0 } },
	{ 0xd08, { UR_DIR_OUT, 0, 0 } },
	{ 0xe02, { UR_DIR_OUT, 10, 2 } },
	{ 0xe03, { UR_DIR_IN, 10, 2 } },
};

struct run {
	struct ur_framer framer;
	char log[LOG_MAX];
	u32 payload;	/* not yet logged */
	u32 sum;
	int error;
};

static void start(struct run *run, enum ur_travel travel)
{
	struct ur_limits limits = ur_limits_default();

	memset(run, 0, sizeof(*run));
	assert_int_equal(ur_framer_init(&run->framer, travel, &limits), 0);
}

static void note(struct run *run, const char *what, u32 a, u32 b)
{
	size_t used = strlen(run->log);

	snprintf(run->log + used, sizeof(run->log) - used, what, a, b);
}

static void note_payload(struct run *run)
{
	if (run->payload)
		note(run, "P%u:%u ", run->payload, run->sum);
	run->payload = 0;
	run->sum = 0;
}

static int admit(struct run *run)
{
	size_t i;

	note(run, "H%x ", run->framer.pdu.seqnum, 0);
	for (i = 0; i < ROWS(asked); i++)
		if (asked[i].seqnum == run->framer.pdu.seqnum)
			return ur_framer_admit(&run->framer,
					       &asked[i].request);
	row_fails("no request 0x%x", run->framer.pdu.seqnum);
	return 0;
}

static void on_event(struct run *run, int event, const u8 *at, size_t taken)
{
	size_t i;

	if (event == UR_FRAME_PAYLOAD) {
		run->payload += (u32)taken;
		for (i = 0; i < taken; i++)
			run->sum += at[i];
		return;
	}
	note_payload(run);
	if (event == UR_FRAME_HEADER)
		run->error = admit(run);
	else if (event == UR_FRAME_ISO)
		note(run, "I%u+%u ", run->framer.iso.offset,
		     run->framer.iso.actual_length);
	else if (event == UR_FRAME_END)
		note(run, "E ", 0, 0);
}

/* One slice, in a buffer of its very size. */
static void feed(struct run *run, const u8 *bytes, size_t count)
{
	u8 *slice = exact(bytes, count);
	size_t at = 0;
	size_t taken;

	while (!run->error) {
		int event = ur_framer_take(&run->framer, slice + at, count - at,
					   &taken);

		assert_true(taken <= count - at);
		if (event < 0) {
			assert_int_equal(taken, 0);
			note_payload(run);
			run->error = event;
		}
		if (event <= UR_FRAME_MORE) {
			assert_true(event < 0 || at + taken == count);
			break;
		}
		on_event(run, event, slice + at, taken);
		at += taken;
	}
	free(slice);
}

static const struct {
	int row;
	enum ur_travel travel;
	const char *text;
	const char *log;
	u32 ends[8]; /* where a message ends, in bytes; 0 fills */
} streams[] = {
	{ 1, UR_TO_DEVICE, TO_DEVICE, TO_DEVICE_LOG,
	  { 48, 160, 208, 256, 346, 426 } },
	{ 2, UR_TO_CLIENT, TO_CLIENT, TO_CLIENT_LOG,
	  { 48, 160, 208, 256, 336, 423 } },
};

static void cut_once(void **state)
{
	u8 bytes[STREAM_MAX];
	size_t i, cut;

	(void)state;
	for (i = 0; i < ROWS(streams); i++) {
		size_t size = hex(streams[i].text, bytes, sizeof(bytes));

		for (cut = 0; cut <= size; cut++) {
			struct run run;

			start(&run, streams[i].travel);
			feed(&run, bytes, cut);
			feed(&run, bytes + cut, size - cut);
			row_is(streams[i].row, "error", run.error, 0);
			row_text(streams[i].row, "log", run.log,
				 streams[i].log);
			row_is(streams[i].row, "between",
			       ur_framer_is_between(&run.framer), 1);
		}
	}
}

static void cut_in_strides(void **state)
{
	static const size_t strides[] = { 1, 2, 3, 5, 7, 16, 47, 48, 49, 64 };
	u8 bytes[STREAM_MAX];
	size_t i, k, at;

	(void)state;
	for (i = 0; i < ROWS(streams); i++) {
		size_t size = hex(streams[i].text, bytes, sizeof(bytes));

		for (k = 0; k < ROWS(strides); k++) {
			struct run run;

			start(&run, streams[i].travel);
			for (at = 0; at < size; at += strides[k]) {
				size_t left = size - at;

				feed(&run, bytes + at, 0);
				feed(&run, bytes + at,
				     left < strides[k] ? left : strides[k]);
			}
			row_is(streams[i].row, "error", run.error, 0);
			row_text(streams[i].row, "log", run.log,
				 streams[i].log);
		}
	}
}

static bool is_end(const u32 *ends, size_t at)
{
	size_t i;

	for (i = 0; i < 8; i++)
		if (ends[i] == at)
			return true;
	return at == 0;
}

/* A stream that stops anywhere else than between two messages is told apart. */
static void cut_short(void **state)
{
	u8 bytes[STREAM_MAX];
	size_t i, at;

	(void)state;
	for (i = 0; i < ROWS(streams); i++) {
		size_t size = hex(streams[i].text, bytes, sizeof(bytes));

		for (at = 0; at <= size; at++) {
			struct run run;

			start(&run, streams[i].travel);
			feed(&run, bytes, at);
			note_payload(&run);
			row_is(streams[i].row, "error", run.error, 0);
			row_is((int)at, "between",
			       ur_framer_is_between(&run.framer),
			       is_end(streams[i].ends, at));
		}
	}
}

/* No pointer is needed where there are no bytes. */
static void nothing_gives_nothing(void **state)
{
	struct run run;
	size_t taken = 9;

	(void)state;
	start(&run, UR_TO_CLIENT);
	assert_int_equal(ur_framer_take(&run.framer, NULL, 0, &taken),
			 UR_FRAME_MORE);
	assert_int_equal(taken, 0);
}

#define DEV UR_TO_DEVICE
#define CLI UR_TO_CLIENT
enum { BAD = UR_PEER_MALFORMED, BIG = UR_PEER_TOO_BIG };

/* An answer to 0xe03 with other packets. */
#define ISO_IN_2(first, second) RET_ISO_IN "01020304050607" first second

static const struct bad_row {
	int row;
	enum ur_travel travel;
	const char *text;
	const char *log; /* what was told before */
	int error;
	const char *field;
	u32 got;
	u32 want;
} bad_rows[] = {
	/* headers */
	{ 1, DEV, "00000005 00000d05 0001000f 00000000 00000000 00000000 "
		"00000000 00000000 00000000 00000000 00000000 00000000",
	  "", BAD, "command", 5, 2 },
	{ 2, DEV, RET_INTR_IN DATA_IN, "", BAD, "command", 3, 2 },
	{ 3, CLI, CMD_INTR_IN, "", BAD, "command", 1, 3 },
	{ 4, DEV, CMD_INTR_IN RET_INTR_IN, "Hd05 E ", BAD, "command", 3, 2 },
	{ 5, DEV, "00000001 00000d05 0001000f 00000000 00000001 00000000 "
		"01000001 00000000 00000000 00000000 00000000 00000000",
	  "", BIG, "transfer_buffer_length", 0x01000001, 0x01000000 },
	{ 6, DEV, "00000001 00000d05 0001000f 00000000 00000001 00000000 "
		"00000000 00000000 00000401 00000000 00000000 00000000",
	  "", BIG, "number_of_packets", 1025, 1024 },
	/* an answer that does not fit its request */
	{ 10, CLI, "00000003 00000d05 00000000 00000000 00000000 00000000 "
		"00000041 00000000 00000000 00000000 00000000 00000000",
	  "Hd05 ", BAD, "actual_length", 65, 64 },
	{ 11, CLI, "00000003 00000d06 00000000 00000000 00000000 00000000 "
		"00000041 00000000 00000000 00000000 00000000 00000000",
	  "Hd06 ", BAD, "actual_length", 65, 64 },
	{ 12, CLI, "00000003 00000d05 00000000 00000000 00000000 00000000 "
		"00000040 00000000 00000001 00000000 00000000 00000000",
	  "Hd05 ", BAD, "number_of_packets", 1, 0 },
	{ 13, CLI, "00000003 00000e03 00000000 00000000 00000000 00000000 "
		"00000007 00000000 00000001 00000000 00000000 00000000",
	  "He03 ", BAD, "number_of_packets", 1, 2 },
	{ 14, CLI, "00000003 00000e03 00000000 00000000 00000000 00000000 "
		"00000007 00000000 00000003 00000000 00000000 00000000",
	  "He03 ", BAD, "number_of_packets", 3, 2 },
	{ 15, CLI, "00000003 00000e03 00000000 00000000 00000000 00000000 "
		"00000007 00000000 ffffffff 00000000 00000000 00000000",
	  "He03 ", BAD, "number_of_packets", 0, 2 },
	{ 16, CLI, "00000003 00000d07 00000000 00000000 00000000 00000000 "
		"00000001 00000000 00000000 00000000 00000000 00000000",
	  "Hd07 ", BAD, "actual_length", 1, 0 },
	{ 17, DEV, "00000001 00000d06 0001000f 00000000 00000001 00000000 "
		"00000040 00000000 00000001 00000004 00000000 00000000",
	  "Hd06 ", BAD, "number_of_packets", 1, 0 },
	/* the sum of the packets of an answer */
	{ 20, CLI, ISO_IN_2(GOT_4_1, "00000005 00000005 00000002 00000000"),
	  "He03 P7:28 I0+4 ", BAD, "sum of iso actual_length", 6, 7 },
	{ 21, CLI, ISO_IN_2(GOT_4_1, "00000005 00000005 00000004 00000000"),
	  "He03 P7:28 I0+4 ", BAD, "iso actual_length", 4, 3 },
	{ 22, CLI, ISO_IN_2(GOT_4_1, "00000005 00000005 80000003 00000000"),
	  "He03 P7:28 I0+4 ", BAD, "iso actual_length", 0x80000003, 5 },
	{ 23, CLI, ISO_IN_2("00000000 00000005 00000000 00000000",
			    "00000005 00000005 00000000 00000000"),
	  "He03 P7:28 I0+0 ", BAD, "sum of iso actual_length", 0, 7 },
	/* one packet at a time */
	{ 24, CLI, ISO_IN_2("00000006 00000005 00000004 00000000", GOT_3_2),
	  "He03 P7:28 ", BAD, "iso offset", 6, 5 },
	{ 25, CLI, ISO_IN_2("00000000 0000000b 00000004 00000000", GOT_3_2),
	  "He03 P7:28 ", BAD, "iso length", 11, 10 },
	{ 26, CLI, ISO_IN_2("ffffffff 00000005 00000004 00000000", GOT_3_2),
	  "He03 P7:28 ", BAD, "iso offset", 0xffffffff, 5 },
	/* a request has brought nothing yet */
	{ 30, DEV, CMD_ISO_IN "00000000 00000005 00000001 00000000" ASK_2,
	  "He03 ", BAD, "iso actual_length", 1, 0 },
	{ 31, DEV, CMD_ISO_OUT "01020304050607080910" ASK_1
		"00000006 00000005 00000000 00000000",
	  "He02 P10:61 I0+0 ", BAD, "iso offset", 6, 5 },
};

static void a_bad_message_ends_the_stream(void **state)
{
	u8 bytes[STREAM_MAX];
	u8 good[STREAM_MAX];
	size_t i, k, cut;

	(void)state;
	for (i = 0; i < ROWS(bad_rows); i++) {
		const struct bad_row *t = &bad_rows[i];
		size_t size = hex(t->text, bytes, sizeof(bytes));
		size_t more = hex(t->travel == UR_TO_DEVICE ? TO_DEVICE :
							      TO_CLIENT,
				  good, sizeof(good));

		for (cut = 0; cut <= size; cut++) {
			struct run run;
			size_t taken;

			start(&run, t->travel);
			feed(&run, bytes, cut);
			if (!run.error)
				feed(&run, bytes + cut, size - cut);
			row_is(t->row, "error", run.error, t->error);
			row_text(t->row, "log", run.log, t->log);
			row_refusal(t->row, &run.framer.why, t->field, t->got,
				    t->want);
			for (k = 0; k < 3; k++)
				row_is(t->row, "later",
				       ur_framer_take(&run.framer, good, more,
						      &taken),
				       t->error);
			row_is(t->row, "between",
			       ur_framer_is_between(&run.framer), 0);
		}
	}
}

/* Nothing moves before the owner has admitted the header. */
static void waits_for_its_owner(void **state)
{
	static const struct ur_request request = { UR_DIR_IN, 64, 0 };
	u8 bytes[STREAM_MAX];
	size_t size = hex(RET_INTR_IN DATA_IN, bytes, sizeof(bytes));
	struct run run;
	size_t taken;

	(void)state;
	start(&run, UR_TO_CLIENT);
	assert_int_equal(ur_framer_admit(&run.framer, &request), UR_BUG_STATE);
	assert_int_equal(ur_framer_take(&run.framer, bytes, size, &taken),
			 UR_FRAME_HEADER);
	assert_int_equal(taken, 48);
	assert_int_equal(ur_framer_take(&run.framer, bytes + 48, 64, &taken),
			 UR_BUG_STATE);
	assert_int_equal(taken, 0);
	assert_int_equal(ur_framer_admit(&run.framer, &request), 0);
	assert_int_equal(ur_framer_admit(&run.framer, &request), UR_BUG_STATE);
	assert_int_equal(ur_framer_take(&run.framer, bytes + 48, 64, &taken),
			 UR_FRAME_PAYLOAD);
	assert_int_equal(taken, 64);
	assert_int_equal(ur_framer_take(&run.framer, NULL, 0, &taken),
			 UR_FRAME_END);
	assert_int_equal(ur_framer_admit(&run.framer, &request), UR_BUG_STATE);
}

static void refuses_limits_without_limit(void **state)
{
	static const struct ur_limits limits = { 0x80000000, 1024 };
	struct ur_framer framer;

	(void)state;
	assert_int_equal(ur_framer_init(&framer, UR_TO_DEVICE, &limits),
			 UR_BUG_INVALID);
}

/* The longest message: 16 MiB of data and 1024 packets, counted, not held. */
static void counts_the_longest(void **state)
{
	static const char header[] =
		"00000001 00000001 0001000f 00000000 00000001 00000000 "
		"01000000 00000000 00000400 00000001 00000000 00000000";
	static u8 data[16u << 20];
	u8 bytes[UR_PDU_HEADER_BYTES];
	u8 packet[UR_ISO_BYTES];
	struct ur_request request;
	struct run run;
	size_t taken;
	int i;

	(void)state;
	hex(header, bytes, sizeof(bytes));
	hex(ASK_1, packet, sizeof(packet));
	start(&run, UR_TO_DEVICE);
	assert_int_equal(ur_framer_take(&run.framer, bytes, 48, &taken),
			 UR_FRAME_HEADER);
	request = ur_pdu_request(&run.framer.pdu);
	assert_int_equal(ur_framer_admit(&run.framer, &request), 0);
	assert_int_equal(ur_framer_take(&run.framer, data, sizeof(data),
					&taken),
			 UR_FRAME_PAYLOAD);
	assert_int_equal(taken, sizeof(data));
	for (i = 0; i < 1024; i++)
		row_is(i, "packet",
		       ur_framer_take(&run.framer, packet, 16, &taken),
		       UR_FRAME_ISO);
	assert_int_equal(ur_framer_take(&run.framer, packet, 16, &taken),
			 UR_FRAME_END);
	assert_int_equal(taken, 0);
}

static const struct CMUnitTest tests[] = {
	{ "framer: any one cut gives the same events", cut_once, 0, 0, 0 },
	{ "framer: any stride gives the same events", cut_in_strides, 0, 0, 0 },
	{ "framer: a stream cut short is told apart", cut_short, 0, 0, 0 },
	{ "framer: no bytes, no event", nothing_gives_nothing, 0, 0, 0 },
	{ "framer: a bad message ends the stream",
	  a_bad_message_ends_the_stream, 0, 0, 0 },
	{ "framer: waits for its owner", waits_for_its_owner, 0, 0, 0 },
	{ "framer: refuses limits without limit", refuses_limits_without_limit,
	  0, 0, 0 },
	{ "framer: counts the longest message", counts_the_longest, 0, 0, 0 },
};

const struct wire_tests wire_framer_tests = { tests, ROWS(tests) };
