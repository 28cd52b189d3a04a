// SPDX-License-Identifier: BSD-2-Clause
/* Epochs and faults: SPEC sections 6 and 8. */
#include "steps.h"

static u32 epoch_of(enum ur_end end)
{
	return ur_load_once(&P.box[end]->epoch);
}

static u32 seen_of(enum ur_end end)
{
	return ur_load_once(&P.box[end]->seen);
}

static void assert_states(enum ur_link_state a, enum ur_link_state b)
{
	assert_int_equal(A->state, a);
	assert_int_equal(B->state, b);
}

static void assert_works(void)
{
	u8 got[8];
	u32 end;

	for (end = 0; end < 2; end++) {
		pair_connect(&P, end, T);
		assert_int_equal(pair_send(&P.l[end], T[end],
					   (const u8 *)"ping", 4), 4);
		assert_int_equal(pair_recv(&P.l[!end], T[!end], got, 8), 4);
		assert_memory_equal(got, "ping", 4);
		ur_channel_close(&P.l[end], T[end], false);
		ur_channel_close(&P.l[!end], T[!end], false);
	}
}

static int fresh_setup(void **state)
{
	(void)state;
	pair_open(&P, 4, 64);
	return 0;
}

/* ---- the start ----------------------------------------------------------- */

/* The next epoch: never 0, never what the peer has acknowledged. */
static const struct {
	u32 last, seen, epoch;
} EPOCHS[] = {
	/* 1 */ { 0, 0, 1 },
	/* 2 */ { 1, 1, 2 },
	/* 3 */ { 1, 2, 3 },
	/* 4 */ { 7, 7, 8 },
	/* 5 */ { 0xffffffff, 0, 1 },
	/* 6 */ { 0xffffffff, 1, 2 },
	/* 7 */ { 0xfffffffe, 0xffffffff, 1 },
	/* 8 */ { 0xfffffffe, 5, 0xffffffff },
};

static void epoch_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(EPOCHS); i++) {
		ur_store_once(&P.box[0]->epoch_last, EPOCHS[i].last);
		ur_store_once(&P.box[1]->seen, EPOCHS[i].seen);
		pair_reborn(&P, UR_END_A);
		if (epoch_of(UR_END_A) != EPOCHS[i].epoch ||
		    A->epoch != EPOCHS[i].epoch ||
		    ur_load_once(&P.box[0]->epoch_last) != EPOCHS[i].epoch)
			row_fails("row %zu: epoch %x", i + 1, epoch_of(UR_END_A));
	}
}

static void a_start_cleans_its_outbox_and_no_more(void **state)
{
	u32 *box = (u32 *)P.box[0];
	u32 i;

	(void)state;
	memset(P.box[0], 0xee, PAIR_OUTBOX);
	ur_store_once(&P.box[0]->epoch_last, 41);
	pair_start(&P, UR_END_A);
	assert_int_equal(box[0x40 / 4], 42);
	assert_int_equal(box[0x44 / 4], 0);
	assert_int_equal(box[0x48 / 4], 0);
	assert_int_equal(box[0x4c / 4], 42);
	assert_int_equal(box[0x80 / 4], 0xeeeeeeee); /* the bell is the binding's */
	for (i = 0; i < 4; i++) {
		u32 *block = box + (0x100 + 0x100 * i) / 4;

		assert_int_equal(block[0x00 / 4], 0);
		assert_int_equal(block[0x04 / 4], 0);
		assert_int_equal(block[0x40 / 4], 0);
		assert_int_equal(block[0x44 / 4], 0);
		assert_int_equal(block[0x80 / 4], 0);
		assert_int_equal(block[0x84 / 4], 0);
	}
	for (i = 0x500; i < PAIR_OUTBOX; i += 4)
		assert_int_equal(box[i / 4], 0xeeeeeeee);
	for (i = 0; i < PAIR_OUTBOX; i += 4)
		assert_int_equal(((u32 *)P.box[1])[i / 4], 0);
	assert_true(ur_link_take_bell(A));
}

static void two_starts_and_three_looks(void **state)
{
	(void)state;
	pair_start(&P, UR_END_A);
	assert_false(ur_link_look(A));		/* nobody there */
	assert_states(UR_LINK_DOWN, UR_LINK_DOWN);
	pair_start(&P, UR_END_B);
	assert_true(ur_link_look(B));		/* acknowledges A */
	assert_int_equal(seen_of(UR_END_B), epoch_of(UR_END_A));
	assert_states(UR_LINK_DOWN, UR_LINK_DOWN);
	assert_true(ur_link_look(A));		/* acknowledges B, is acknowledged */
	assert_states(UR_LINK_UP, UR_LINK_DOWN);
	assert_true(ur_link_look(B));
	assert_states(UR_LINK_UP, UR_LINK_UP);
	assert_false(ur_link_look(A));
	assert_false(ur_link_look(B));
	assert_works();
}

static void no_call_before_both_acknowledged(void **state)
{
	(void)state;
	pair_start(&P, UR_END_A);
	pair_start(&P, UR_END_B);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_DOWN);
	ur_link_look(A);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_DOWN);
	ur_link_look(B);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_DOWN);
	assert_int_equal(ur_channel_call(B, 7, &T[1]), 0);
}

static void acknowledging_rings(void **state)
{
	(void)state;
	pair_start(&P, UR_END_A);
	pair_start(&P, UR_END_B);
	assert_true(ur_link_take_bell(A));
	assert_true(ur_link_take_bell(B));
	ur_link_look(A);
	assert_true(ur_link_take_bell(A));
	ur_link_look(B);
	assert_true(ur_link_take_bell(B));
	ur_link_look(A);
	assert_false(ur_link_take_bell(A));
}

/* ---- restarts ------------------------------------------------------------ */

static const char *const BEFORE[] = {
	/* 1 */ "",
	/* 2 */ "AS",
	/* 3 */ "BS",
	/* 4 */ "AS BS",
	/* 5 */ "AS BS Al",
	/* 6 */ "AS BS Bl",
	/* 7 */ "AS BS Al Bl",
	/* 8 */ "AS BS Al Bl Al",
	/* 9 */ "AS BS Al Bl Al Ac",
	/* 10 */ "AS BS Al Bl Al Ac Bl",
	/* 11 */ "AS BS Al Bl Al Ac Bl Bp",
	/* 12 */ "AS BS Al Bl Al Ac Bl Br",
	/* 13 */ "AS BS Al Bl Al Ac Bl Bp Al",
	/* 14 */ "AS BS Al Bl Al Ac Bl Bp Al Aw",
	/* 15 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw",
	/* 16 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw Am",
	/* 17 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw Ah",
	/* 18 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw Ah Bl",
	/* 19 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw Ah Bh Al Bl",
	/* 20 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bw Ax Bx",
	/* 21 */ "AS BS Al Bl Al Ac Bl Bp Al Aw Bx Ax",
	/* 22 */ "AS BS Al Bl Al Ac Ax",
	/* 23 */ "AS BS Al Bl Al Ac Ax Bl",
	/* 24 */ "AS BS Al Bl Al AD",
	/* 25 */ "AS BS Al Bl Al AD Bl",
	/* 26 */ "AS BS Al Bl Al BD",
	/* 27 */ "AS BS Al Bl Al A0",
	/* 28 */ "AS BS Al Bl Al B0 Al",
	/* 29 */ "AS BS Al Bl Al AV",
	/* 30 */ "AS BS Al Bl Al AV Bl",
	/* 31 */ "AS BS Al Bl Al AV BV",
	/* 32 */ "AS BS Al Bl Al Ac Bl Bp Al Aw AV",
	/* 33 */ "AS BS Al Bl Al Ac Bl Bp Al Aw BV Al",
	/* 34 */ "AS BS Al Bl Al AS BS Al Bl",
	/* 35 */ "AS BS Al Bl Al Ac Bl Bp AS",
};

/* Who comes back, how often, and who looks in between. */
static const char *const AFTER[] = {
	/* 1 */ "AS", /* 2 */ "BS", /* 3 */ "AS BS", /* 4 */ "BS AS", /* 5 */ "AS AS",
	/* 6 */ "BS BS", /* 7 */ "AS Bl AS", /* 8 */ "AS Bl BS", /* 9 */ "BS Al AS", /* 10 */ "BS Al BS",
	/* 11 */ "AS Bl Al BS Al AS", /* 12 */ "AD AS", /* 13 */ "AD Bl AS", /* 14 */ "BD BS",
	/* 15 */ "BD Al BS", /* 16 */ "A0 Bl AS", /* 17 */ "B0 Al BS", /* 18 */ "AV AS",
	/* 19 */ "BV BS", /* 20 */ "AV Bl BS", /* 21 */ "BV Al AS",
};

/* An end that never ran, was stopped or declared down starts now. */
static void start_the_missing(void)
{
	if (epoch_of(UR_END_A) == 0)
		pair_start(&P, UR_END_A);
	if (epoch_of(UR_END_B) == 0)
		pair_start(&P, UR_END_B);
}

static void restart_case(size_t before, size_t after, char start)
{
	char script[64], *at;

	strcpy(script, AFTER[after]);
	for (at = script; *at; at++)
		if (*at == 'S')
			*at = start;
	fresh_setup(NULL);
	memset(T, 0, sizeof(T));
	run_script(BEFORE[before]);
	if (A->own && B->own)	/* only then can the others be done */
		run_script(script);
	start_the_missing();
	pair_settle(&P);
	assert_null(S.wrong);
	if (A->state != UR_LINK_UP || B->state != UR_LINK_UP)
		row_fails("rows %zu, %zu: A %d (fault %u), B %d (fault %u)",
			  before + 1, after + 1, A->state, A->fault.number,
			  B->state, B->fault.number);
	assert_works();
	pair_close(&P);
}

static void whatever_was_before_a_restart_brings_it_up(void **state)
{
	size_t before, after;

	(void)state;
	for (before = 0; before < ROWS(BEFORE); before++)
		for (after = 0; after < ROWS(AFTER); after++) {
			restart_case(before, after, 'S');
			restart_case(before, after, 'R');
		}
}

static void a_restart_ends_channels_and_is_no_fault(void **state)
{
	struct ur_peer_span in[2];
	u64 faults = B->counters.faults;

	(void)state;
	pair_connect(&P, UR_END_A, T);
	pair_reborn(&P, UR_END_A);
	ur_link_look(B);
	assert_int_equal(ur_channel_data(B, T[1], 1, in), UR_PEER_RESET);
	assert_int_equal(ur_channel_answered(B, T[1]), UR_PEER_RESET);
	ur_channel_close(B, T[1], false);
	pair_settle(&P);
	assert_states(UR_LINK_UP, UR_LINK_UP);
	assert_int_equal(B->counters.faults, faults);
	assert_int_equal(B->counters.epochs, 2);
}

/* The peer came back and nobody looked yet: a channel's next call must not take
 * its clean words for a fault, nor for an end of stream. */
static const struct {
	const char *before;
	u32 first_index;
} UNSEEN[] = {
	/* 1 */ { "", 0 },
	/* 2 */ { "Aw", 0 },		/* three bytes wait unread */
	/* 3 */ { "Ah", 0 },
	/* 4 */ { "Aw Ah", 0 },
	/* 5 */ { "Aw", 0xfffffff8 },	/* the clean index 0 looks like progress */
	/* 6 */ { "Aw Ah", 0xfffffffd },
	/* 7 */ { "Aw Ax", 0 },
};

static void look_away(size_t i)
{
	fresh_setup(NULL);
	P.g.first_index = UNSEEN[i].first_index;
	pair_up(&P);
	pair_connect(&P, UR_END_A, T);
	run_script(UNSEEN[i].before);
	assert_int_equal(ur_channel_answered(B, T[1]), 0); /* B saw HALF */
	pair_reborn(&P, UR_END_A);
}

static void an_unseen_restart_is_no_end_and_no_byte(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(UNSEEN); i++) {
		int recv, arm, send;
		u8 got[8];

		look_away(i);
		recv = pair_recv(B, T[1], got, 8);
		look_away(i);
		arm = ur_channel_arm_data(B, T[1], 1);
		send = pair_send(B, T[1], got, 1);
		if ((recv != UR_PEER_RESET && recv != UR_TRY_AGAIN) ||
		    B->state == UR_LINK_BROKEN)
			row_fails("row %zu: recv %d, state %d, fault %u", i + 1,
				  recv, B->state, B->fault.number);
		if (arm == 0 || send >= 0) /* "go on", and then not: a busy loop */
			row_fails("row %zu: arm %d, send %d", i + 1, arm, send);
		ur_channel_close(B, T[1], false);
		pair_settle(&P);
		assert_states(UR_LINK_UP, UR_LINK_UP);
		assert_works();
	}
}

static void a_new_epoch_does_not_bring_old_tickets_back(void **state)
{
	struct ur_ticket old[2];
	u32 end;

	(void)state;
	for (end = 0; end < 2; end++) {
		pair_connect(&P, UR_END_A, old);
		pair_start(&P, end);
		pair_settle(&P);
		pair_connect(&P, UR_END_A, T);
		assert_int_equal(T[0].channel, old[0].channel);
		assert_int_equal(ur_channel_publish(A, old[0], 0), UR_PEER_RESET);
		assert_int_equal(ur_channel_release(B, old[1], 0), UR_PEER_RESET);
		assert_int_equal(ur_channel_answered(A, old[0]), UR_PEER_RESET);
		assert_int_equal(ur_channel_answered(B, old[1]), UR_PEER_RESET);
		ur_channel_close(A, T[0], false);
		ur_channel_close(B, T[1], false);
	}
}

/* ---- down ---------------------------------------------------------------- */

static void declared_down_ends_channels(void **state)
{
	struct ur_peer_span in[2];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_true(ur_link_is_announced(P.box[0]));
	ur_link_declare_down(P.box[0]);
	assert_false(ur_link_is_announced(P.box[0]));
	assert_int_equal(epoch_of(UR_END_A), 0);
	assert_int_equal(ur_load_once(&P.box[0]->epoch_last), 1);
	assert_true(ur_link_look(B));
	assert_int_equal(B->state, UR_LINK_DOWN);
	assert_int_equal(B->counters.faults, 0);
	assert_int_equal(seen_of(UR_END_B), 0);
	assert_int_equal(ur_channel_data(B, T[1], 1, in), UR_PEER_RESET);
	assert_int_equal(ur_channel_call(B, 7, &T[1]), UR_PEER_DOWN);
	pair_reborn(&P, UR_END_A);
	pair_settle(&P);
	assert_states(UR_LINK_UP, UR_LINK_UP);
	assert_int_equal(epoch_of(UR_END_A), 2);
}

static void a_stopped_end_does_nothing(void **state)
{
	struct ur_span out[2];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	ur_link_stop(A);
	assert_true(ur_link_take_bell(A));
	assert_int_equal(epoch_of(UR_END_A), 0);
	assert_false(ur_link_look(A));
	assert_int_equal(ur_channel_room(A, T[0], 1, out), UR_PEER_RESET);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_DOWN);
	ur_link_look(B);
	assert_states(UR_LINK_DOWN, UR_LINK_DOWN);
}

/* ---- severed ------------------------------------------------------------- */

static void severed_stays_down_until_a_new_epoch(void **state)
{
	u32 end, i;

	(void)state;
	for (end = 0; end < 2; end++) {
		ur_link_sever(A, UR_FAULT_MOVE, 2, 77, 88);
		assert_int_equal(A->fault.number, UR_FAULT_MOVE);
		assert_int_equal(A->fault.channel, 2);
		assert_int_equal(A->fault.got, 77);
		assert_int_equal(A->fault.want, 88);
		assert_int_equal(ur_load_once(&P.box[0]->fault), 11);
		assert_int_equal(seen_of(UR_END_A), 0);
		assert_true(ur_link_take_bell(A));
		ur_link_sever(A, UR_FAULT_STATE, 0, 1, 2);	/* the first counts */
		assert_int_equal(A->fault.number, UR_FAULT_MOVE);
		for (i = 0; i < 10; i++)
			pair_settle(&P);
		assert_states(UR_LINK_BROKEN, UR_LINK_BROKEN);
		assert_int_equal(B->fault.number, UR_FAULT_SEVERED);
		assert_int_equal(B->fault.got, UR_FAULT_MOVE);
		assert_int_equal(ur_load_once(&P.box[1]->fault), 12);
		pair_start(&P, end);
		pair_settle(&P);
		assert_states(UR_LINK_UP, UR_LINK_UP);
		assert_int_equal(ur_load_once(&P.box[0]->fault), 0);
		assert_int_equal(ur_load_once(&P.box[1]->fault), 0);
		assert_works();
	}
}

/* A peer cannot talk itself back into a link that we severed. */
static void severed_stays_down_whatever_the_peer_says(void **state)
{
	static const u32 seens[] = { 0, 1, 2, 0xffffffff };
	size_t i;

	(void)state;
	ur_link_sever(A, UR_FAULT_MOVE, 0, 0, 0);
	for (i = 0; i < ROWS(seens); i++) {
		ur_store_release(&P.box[1]->seen, seens[i]);
		put_word(&P, UR_END_B, 1, 1 << 8 | UR_CHANNEL_CALL);
		assert_false(ur_link_look(A));
		assert_int_equal(A->state, UR_LINK_BROKEN);
		assert_int_equal(seen_of(UR_END_A), 0);
	}
}

/* What `seen` of an unchanged epoch means. */
static const struct {
	u32 seen;
	enum ur_link_state state;
} SEENS[] = {
	/* 1 */ { 1, UR_LINK_UP },
	/* 2 */ { 0, UR_LINK_BROKEN },
	/* 3 */ { 2, UR_LINK_BROKEN },
	/* 4 */ { 0xffffffff, UR_LINK_BROKEN },
};

static void seen_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(SEENS); i++) {
		fresh_setup(NULL);
		pair_up(&P);
		ur_store_once(&P.box[1]->fault, 10);
		ur_store_release(&P.box[1]->seen, SEENS[i].seen);
		ur_link_look(A);
		if (A->state != SEENS[i].state)
			row_fails("row %zu: state %d", i + 1, A->state);
		if (A->state == UR_LINK_BROKEN) {
			assert_int_equal(A->fault.number, UR_FAULT_SEVERED);
			assert_int_equal(A->fault.got, 10);
		}
	}
}

/* ---- the peer's header --------------------------------------------------- */

static const struct {
	u32 offset, word, number, want;
} HEADERS[] = {
	/* 1 */ { 0x00, 0, 1, 0x4b4c5255 },
	/* 2 */ { 0x04, 0x00020000, 2, 0x00010000 },
	/* 3 */ { 0x08, 0, 3, 1 },
	/* 4 */ { 0x0c, 65536, 4, 32768 },
	/* 5 */ { 0x10, 5, 5, 4 },
	/* 6 */ { 0x14, 128, 6, 64 },
	/* 7 */ { 0x18, 8192, 7, 4096 },
};

static void a_header_that_disagrees(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(HEADERS); i++) {
		fresh_setup(NULL);
		pair_start(&P, UR_END_A);
		pair_start(&P, UR_END_B);
		((u32 *)P.box[1])[HEADERS[i].offset / 4] = HEADERS[i].word;
		pair_settle(&P);
		if (A->state != UR_LINK_BROKEN ||
		    A->fault.number != HEADERS[i].number ||
		    A->fault.got != HEADERS[i].word ||
		    A->fault.want != HEADERS[i].want)
			row_fails("row %zu: state %d, fault %u, got %u, want %u",
				  i + 1, A->state, A->fault.number, A->fault.got,
				  A->fault.want);
		assert_int_equal(seen_of(UR_END_A), 0);
		assert_int_equal(ur_load_once(&P.box[0]->fault), HEADERS[i].number);
		assert_int_equal(B->state, UR_LINK_DOWN);
		pair_reborn(&P, UR_END_B);
		pair_settle(&P);
		assert_states(UR_LINK_UP, UR_LINK_UP);
	}
}

static void a_later_minor_version_is_fine(void **state)
{
	(void)state;
	pair_start(&P, UR_END_A);
	pair_start(&P, UR_END_B);
	ur_store_once(&P.box[1]->version, 0x00010007);
	pair_settle(&P);
	assert_states(UR_LINK_UP, UR_LINK_UP);
}

/* Compared once per epoch: what it says later is no longer read. */
static void the_header_of_an_epoch_counts_once(void **state)
{
	(void)state;
	memset(P.box[1], 0xff, 0x1c);
	pair_settle(&P);
	assert_states(UR_LINK_UP, UR_LINK_UP);
	assert_works();
}

static void ends_of_different_geometry_never_meet(void **state)
{
	struct ur_fault f;

	(void)state;
	assert_int_equal(ur_geometry_init(&P.g, PAIR_OUTBOX, 4, 64, &f), 0);
	pair_start(&P, UR_END_A);
	assert_int_equal(ur_geometry_init(&P.g, PAIR_OUTBOX, 8, 64, &f), 0);
	pair_start(&P, UR_END_B);
	pair_settle(&P);
	assert_states(UR_LINK_BROKEN, UR_LINK_BROKEN);
	assert_int_equal(A->fault.number, UR_FAULT_CHANNELS);
	assert_int_equal(A->fault.got, 8);
	assert_int_equal(A->fault.want, 4);
	assert_int_equal(B->fault.got, 4);
	assert_int_equal(B->fault.want, 8);
}

#define fresh_test(f) cmocka_unit_test_setup_teardown(f, fresh_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh_test(epoch_rows),
		fresh_test(a_start_cleans_its_outbox_and_no_more),
		fresh_test(two_starts_and_three_looks),
		fresh_test(no_call_before_both_acknowledged),
		fresh_test(acknowledging_rings),
		cmocka_unit_test(whatever_was_before_a_restart_brings_it_up),
		pair_test(a_restart_ends_channels_and_is_no_fault),
		cmocka_unit_test(an_unseen_restart_is_no_end_and_no_byte),
		pair_test(a_new_epoch_does_not_bring_old_tickets_back),
		pair_test(declared_down_ends_channels),
		pair_test(a_stopped_end_does_nothing),
		pair_test(severed_stays_down_until_a_new_epoch),
		pair_test(severed_stays_down_whatever_the_peer_says),
		cmocka_unit_test(seen_rows),
		cmocka_unit_test(a_header_that_disagrees),
		fresh_test(a_later_minor_version_is_fine),
		pair_test(the_header_of_an_epoch_counts_once),
		fresh_test(ends_of_different_geometry_never_meet),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
