// SPDX-License-Identifier: BSD-2-Clause
/*
 * The session alone: legal orders of unlinking, limits, and what each breach of
 * them is called. A row is a short play, one word a message:
 *
 *      s1  CMD_SUBMIT 1      u2:1  CMD_UNLINK 2 of 1
 *      S1  RET_SUBMIT 1      U2    RET_UNLINK 2 (U2! with status -104)
 */
#include "session.h"
#include "wire_test.h"

static struct ur_session S;

static const struct {
	int row;
	const char *play;
	enum ur_reason reason;	/* of the last word; NONE: all pass */
	u32 left;		/* under way at the end */
} orders[] = {
	{ 1, "s1 S1", UR_REASON_NONE, 0 },
	{ 2, "s1 s2 S2 S1", UR_REASON_NONE, 0 },
	{ 3, "s1 S1 u2:1 U2", UR_REASON_NONE, 0 },
	{ 4, "s1 u2:1 S1 U2", UR_REASON_NONE, 0 },
	{ 5, "s1 u2:1 U2!", UR_REASON_NONE, 0 },
	{ 6, "s1 u2:1 U2", UR_REASON_NONE, 0 },
	{ 7, "s1 u2:1 U2 s1 S1", UR_REASON_NONE, 0 },
	{ 8, "s1 u2:1 S1 s1 U2", UR_REASON_NONE, 1 },
	{ 9, "s1 u2:1 S1 s1 U2 S1", UR_REASON_NONE, 0 },
	{ 10, "u2:1 U2", UR_REASON_NONE, 0 },
	{ 11, "u2:1 s1 U2 S1", UR_REASON_NONE, 0 },
	{ 12, "s0 S0", UR_REASON_NONE, 0 },
	{ 13, "s4294967295 s0 u1:4294967295 U1! S0", UR_REASON_NONE, 0 },
	{ 14, "s1 s2 u3:1 u4:2 U4 U3", UR_REASON_NONE, 0 },
	{ 15, "s1 S1 u2:1 s3 U2", UR_REASON_NONE, 1 },
	{ 16, "S1", UR_REASON_SEQNUM_UNKNOWN, 0 },
	{ 17, "s1 S1 S1", UR_REASON_SEQNUM_UNKNOWN, 0 },
	{ 18, "s1 u2:1 U2 S1", UR_REASON_SEQNUM_UNKNOWN, 0 },
	{ 19, "s1 u2:1 U2! S1", UR_REASON_SEQNUM_UNKNOWN, 0 },
	{ 20, "s1 u2:1 S1 U2 U2", UR_REASON_SEQNUM_UNKNOWN, 0 },
	{ 21, "s1 U2", UR_REASON_SEQNUM_UNKNOWN, 1 },
	{ 22, "s1 U1", UR_REASON_ANSWER_KIND, 1 },
	{ 23, "s1 u2:1 S2", UR_REASON_ANSWER_KIND, 2 },
	{ 24, "s1 s1", UR_REASON_SEQNUM_IN_USE, 1 },
	{ 25, "s1 u2:1 s2", UR_REASON_SEQNUM_IN_USE, 2 },
	{ 26, "s1 s2 u2:1", UR_REASON_SEQNUM_IN_USE, 2 },
	{ 27, "s1 u2:1 u3:1", UR_REASON_UNLINK_TWICE, 2 },
	{ 28, "s1 u2:1 u3:2", UR_REASON_UNLINK_KIND, 2 },
	{ 29, "s1 u2:1 S1 u3:1 U3 U2", UR_REASON_NONE, 0 },
};

static int say(const char *word, struct ur_verdict *v)
{
	struct ur_pdu pdu = { 0 };
	struct ur_record settled, victim;
	struct ur_reader none;
	char *rest;

	ur_reader_init(&none, NULL, 0);
	pdu.seqnum = (u32)strtoul(word + 1, &rest, 10);
	pdu.status = *rest == '!' ? (u32)-104 : 0;
	if (*rest == ':')
		pdu.unlink_seqnum = (u32)strtoul(rest + 1, NULL, 10);
	switch (word[0]) {
	case 's':
		pdu.command = UR_CMD_SUBMIT;
		return ur_session_open(&S, &pdu, &none, v);
	case 'u':
		pdu.command = UR_CMD_UNLINK;
		return ur_session_open(&S, &pdu, &none, v);
	case 'S':
		pdu.command = UR_RET_SUBMIT;
		break;
	default:
		pdu.command = UR_RET_UNLINK;
	}
	return ur_session_settle(&S, &pdu, &none, &settled, &victim, v);
}

static void test_orders(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(orders); i++) {
		struct ur_verdict v = { 0 };
		char play[64], *word, *save = NULL;
		int error = 0;

		ur_session_init(&S);
		snprintf(play, sizeof(play), "%s", orders[i].play);
		for (word = strtok_r(play, " ", &save); word && !error;
		     word = strtok_r(NULL, " ", &save))
			error = say(word, &v);
		row_is(orders[i].row, "words not said", word != NULL, 0);
		row_text(orders[i].row, "reason", ur_reason_name(v.reason),
			 ur_reason_name(orders[i].reason));
		row_is(orders[i].row, "under way", S.outstanding,
		       orders[i].left);
	}
}

/* ---- an answer beside its request ----------------------------------------- */

static const struct {
	int row;
	u32 direction, asked, packets;
	u32 status, length, answered_packets, errors;
	enum ur_reason reason;
} fits[] = {
	{ 1, UR_DIR_IN, 512, 0, 0, 512, 0, 0, UR_REASON_NONE },
	{ 2, UR_DIR_IN, 512, UR_PACKETS_NONE, 0, 0, 0, 0, UR_REASON_NONE },
	{ 3, UR_DIR_IN, 512, 0, 0, 0, UR_PACKETS_NONE, 0, UR_REASON_NONE },
	{ 4, UR_DIR_OUT, 512, 0, 0, 512, 0, 0, UR_REASON_NONE },
	{ 5, UR_DIR_IN, 512, 0, 0, 513, 0, 0, UR_REASON_LENGTH },
	{ 6, UR_DIR_OUT, 512, 0, 0, 513, 0, 0, UR_REASON_LENGTH },
	{ 7, UR_DIR_IN, 0, 0, 0, 1, 0, 0, UR_REASON_LENGTH },
	{ 8, UR_DIR_IN, 512, 0, 0, 0, 1, 0, UR_REASON_PACKETS },
	{ 9, UR_DIR_IN, 512, 2, 0, 0, 1, 0, UR_REASON_PACKETS },
	{ 10, UR_DIR_IN, 512, 2, 0, 0, UR_PACKETS_NONE, 0, UR_REASON_PACKETS },
	{ 11, UR_DIR_IN, 512, 0, 0, 0, 0, 1, UR_REASON_ERROR_COUNT },
	{ 12, UR_DIR_IN, 512, 0, (u32)-1, 0, 0, 0, UR_REASON_NONE },
	{ 13, UR_DIR_IN, 512, 0, (u32)-4095, 0, 0, 0, UR_REASON_NONE },
	{ 14, UR_DIR_IN, 512, 0, (u32)-4096, 0, 0, 0, UR_REASON_STATUS },
	{ 15, UR_DIR_IN, 512, 0, 1, 0, 0, 0, UR_REASON_STATUS },
	{ 16, UR_DIR_IN, 512, 0, 0x80000000u, 0, 0, 0, UR_REASON_STATUS },
};

static void test_fits(void **unused)
{
	u8 layout[2 * UR_ISO_BYTES] = { 0 };
	struct ur_reader iso;
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(fits); i++) {
		struct ur_verdict v = { 0 };
		struct ur_pdu ask = { .command = UR_CMD_SUBMIT, .seqnum = 7 };
		struct ur_pdu answer = { .command = UR_RET_SUBMIT, .seqnum = 7 };

		ur_session_init(&S);
		ask.direction = fits[i].direction;
		ask.length = fits[i].asked;
		ask.packets = fits[i].packets;
		answer.status = fits[i].status;
		answer.length = fits[i].length;
		answer.packets = fits[i].answered_packets;
		answer.error_count = fits[i].errors;
		ur_reader_init(&iso, layout, sizeof(layout));
		assert_int_equal(ur_session_open(&S, &ask, &iso, &v), 0);
		(void)!ur_session_answered(&S, &answer, &v);
		row_text(fits[i].row, "reason", ur_reason_name(v.reason),
			 ur_reason_name(fits[i].reason));
	}
}

/* ---- each packet beside the one that was asked for -------------------------- */

/* Asked: 100 bytes at 0, 50 at 100. Answered: offset, length and status of each. */
static const struct {
	int row;
	u32 packet[2][3];
	enum ur_reason reason;
} layouts[] = {
	{ 1, { { 0, 100, 0 }, { 100, 50, 0 } }, UR_REASON_NONE },
	{ 2, { { 0, 100, 0 }, { 101, 50, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 3, { { 100, 100, 0 }, { 100, 50, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 4, { { 0, 100, 0 }, { 0xfffffffc, 50, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 5, { { 0, 100, 0 }, { 100, 49, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 6, { { 0, 101, 0 }, { 100, 50, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 7, { { 100, 50, 0 }, { 0, 100, 0 } }, UR_REASON_ISO_LAYOUT },
	{ 8, { { 0, 100, (u32)-18 }, { 100, 50, (u32)-4095 } }, UR_REASON_NONE },
	{ 9, { { 0, 100, 0 }, { 100, 50, (u32)-4096 } }, UR_REASON_STATUS },
	{ 10, { { 0, 100, 1 }, { 100, 50, 0 } }, UR_REASON_STATUS },
};

static void put_packets(u8 to[2 * UR_ISO_BYTES], const u32 packet[2][3])
{
	struct ur_writer w;
	u32 i;

	ur_writer_init(&w, to, 2 * UR_ISO_BYTES);
	for (i = 0; i < 2; i++) {
		ur_writer_u32(&w, packet[i][0]);
		ur_writer_u32(&w, packet[i][1]);
		ur_writer_u32(&w, 0);
		ur_writer_u32(&w, packet[i][2]);
	}
}

static void test_layouts(void **unused)
{
	const struct ur_pdu ask = { .command = UR_CMD_SUBMIT, .seqnum = 7,
				    .length = 150, .packets = 2,
				    .direction = UR_DIR_IN };
	const struct ur_pdu answer = { .command = UR_RET_SUBMIT, .seqnum = 7,
				       .packets = 2 };
	struct ur_record settled, victim;
	u8 layout[2 * UR_ISO_BYTES];
	struct ur_reader iso;
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(layouts); i++) {
		struct ur_verdict v = { 0 };

		ur_session_init(&S);
		put_packets(layout, layouts[0].packet);
		ur_reader_init(&iso, layout, sizeof(layout));
		assert_int_equal(ur_session_open(&S, &ask, &iso, &v), 0);
		put_packets(layout, layouts[i].packet);
		ur_reader_init(&iso, layout, sizeof(layout));
		(void)!ur_session_settle(&S, &answer, &iso, &settled, &victim,
					 &v);
		row_text(layouts[i].row, "reason", ur_reason_name(v.reason),
			 ur_reason_name(layouts[i].reason));
		row_is(layouts[i].row, "under way", S.outstanding,
		       layouts[i].reason != UR_REASON_NONE);
	}
}

/* ---- limits, and that nothing is lost -------------------------------------- */

static void test_records(void **unused)
{
	struct ur_verdict v = { 0 };
	char word[16];
	u32 i, round;

	(void)unused;
	ur_session_init(&S);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < UR_SESSION_RECORDS; i++) {
			snprintf(word, sizeof(word), "s%u", i);
			assert_int_equal(say(word, &v), 0);
		}
		assert_int_equal(say("s70000", &v), UR_PEER_BROKEN);
		assert_int_equal(v.reason, UR_REASON_OUTSTANDING);
		for (i = 0; i < UR_SESSION_RECORDS; i++) {
			snprintf(word, sizeof(word), "S%u", i * 7 % UR_SESSION_RECORDS);
			assert_int_equal(say(word, &v), 0);
		}
		assert_int_equal(S.outstanding, 0);
	}
	assert_int_equal(S.high_water, UR_SESSION_RECORDS);
}

static int iso_open(u32 seqnum, u32 packets, struct ur_verdict *v)
{
	static u8 layout[1024 * UR_ISO_BYTES];
	struct ur_pdu ask = { .command = UR_CMD_SUBMIT, .seqnum = seqnum,
			      .packets = packets, .direction = UR_DIR_IN };
	struct ur_reader iso;

	ur_reader_init(&iso, layout, packets * UR_ISO_BYTES);
	return ur_session_open(&S, &ask, &iso, v);
}

static int iso_settle(u32 seqnum, u32 packets, struct ur_verdict *v)
{
	static u8 layout[1024 * UR_ISO_BYTES];
	struct ur_pdu answer = { .command = UR_RET_SUBMIT, .seqnum = seqnum,
				 .packets = packets };
	struct ur_record settled, victim;
	struct ur_reader iso;

	ur_reader_init(&iso, layout, packets * UR_ISO_BYTES);
	return ur_session_settle(&S, &answer, &iso, &settled, &victim, v);
}

static void test_packets(void **unused)
{
	struct ur_verdict v = { 0 };
	u32 i, round;

	(void)unused;
	ur_session_init(&S);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 8; i++)
			assert_int_equal(iso_open(i, 1024, &v), 0);
		assert_int_equal(iso_open(8, 1, &v), UR_PEER_BROKEN);
		assert_int_equal(v.reason, UR_REASON_ISO_ROOM);
		for (i = 0; i < 8; i++)
			assert_int_equal(iso_settle(i ^ 3, 1024, &v), 0);
		assert_int_equal(S.free_packets, UR_SESSION_PACKETS);
	}
	/* An unlinked transfer gives its packets back as well. */
	assert_int_equal(iso_open(1, 1000, &v), 0);
	assert_int_equal(say("u2:1", &v), 0);
	assert_int_equal(say("U2!", &v), 0);
	assert_int_equal(S.free_packets, UR_SESSION_PACKETS);
}

/* Fewer packet descriptors than the message says: the framer never gives such. */
static void test_packets_missing(void **unused)
{
	u8 layout[2 * UR_ISO_BYTES] = { 0 };
	struct ur_pdu ask = { .command = UR_CMD_SUBMIT, .seqnum = 1,
			      .packets = 2, .direction = UR_DIR_IN };
	struct ur_pdu answer = { .command = UR_RET_SUBMIT, .seqnum = 1,
				 .packets = 2 };
	struct ur_record settled, victim;
	struct ur_verdict v = { 0 };
	struct ur_reader iso;

	(void)unused;
	ur_session_init(&S);
	ur_reader_init(&iso, layout, UR_ISO_BYTES);
	assert_int_equal(ur_session_open(&S, &ask, &iso, &v), UR_PEER_BROKEN);
	assert_int_equal(v.reason, UR_REASON_FRAMING);
	assert_int_equal(S.outstanding, 0);
	assert_int_equal(S.free_packets, UR_SESSION_PACKETS);
	ur_reader_init(&iso, layout, 2 * UR_ISO_BYTES);
	assert_int_equal(ur_session_open(&S, &ask, &iso, &v), 0);
	ur_reader_init(&iso, layout, UR_ISO_BYTES);
	assert_int_equal(ur_session_settle(&S, &answer, &iso, &settled, &victim,
					   &v), UR_PEER_BROKEN);
	assert_int_equal(S.outstanding, 1);
}

static void test_reasons(void **unused)
{
	int i, k;

	(void)unused;
	for (i = 0; i < UR_REASONS; i++) {
		row_is(i, "a name", ur_reason_name((enum ur_reason)i) != NULL, 1);
		row_is(i, "a text", ur_reason_text((enum ur_reason)i) != NULL, 1);
		for (k = 0; k < i; k++)
			assert_string_not_equal(ur_reason_name((enum ur_reason)i),
						ur_reason_name((enum ur_reason)k));
	}
	assert_string_equal(ur_reason_name(UR_REASONS), "unknown");
	assert_string_equal(ur_reason_text(UR_REASONS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders), cmocka_unit_test(test_fits),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_records), cmocka_unit_test(test_packets),
		cmocka_unit_test(test_packets_missing),
		cmocka_unit_test(test_reasons),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
