// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ten channels of one link, and the reader of one of them stops.
 *
 *      end A: ten writers ==== ten rings ==== end B: ten readers, or nine
 *
 * Step by step, so that it counts exactly: whatever the tenth does, the other
 * nine do the same at the same step. How long it takes is tests/user/fairness.c.
 */
#include "pair.h"

#define CHANNELS 10u
#define RING 1024u
#define STEP 200u
#define ROUNDS_ALL 2000u

struct record {
	u32 sent[CHANNELS];
	u32 received[CHANNELS];
	u32 refused[CHANNELS];	/* steps that found no room */
	u64 doorbells;		/* of both ends, for the nine */
};

static struct ur_ticket t[CHANNELS][2];

static void open_ten(void)
{
	u32 c;

	pair_open(&P, 2 * CHANNELS, RING);
	pair_up(&P);
	for (c = 0; c < CHANNELS; c++)
		pair_connect(&P, UR_END_A, t[c]);
}

static u64 rung(void)
{
	u64 both = ur_link_take_bell(A);

	return both + ur_link_take_bell(B);
}

static void sleep_for_data(u32 c)
{
	int n = ur_channel_arm_data(B, t[c][1], 1);

	assert_true(n == 0 || n == UR_TRY_AGAIN);
}

static void send_one(u32 c, u32 round, struct record *r)
{
	u8 bytes[STEP];
	int n;

	memset(bytes, (int)(round + c), sizeof(bytes));
	n = pair_send(A, t[c][0], bytes, STEP);
	assert_true(n > 0 || n == UR_TRY_AGAIN);
	r->sent[c] += n > 0 ? (u32)n : 0;
	r->refused[c] += n < 0;
}

static void receive_one(u32 c, struct record *r)
{
	u8 bytes[STEP];
	int n = pair_recv(B, t[c][1], bytes, STEP);

	assert_true(n > 0 || n == UR_TRY_AGAIN);
	r->received[c] += n > 0 ? (u32)n : 0;
	sleep_for_data(c);
}

static void run(bool tenth_reads, struct record *r)
{
	u32 round, c;

	open_ten();
	memset(r, 0, sizeof(*r));
	for (round = 0; round < ROUNDS_ALL; round++)
		for (c = 0; c < CHANNELS; c++) {
			bool is_tenth = c == CHANNELS - 1;
			u64 bells;

			send_one(c, round, r);
			if (!is_tenth || tenth_reads)
				receive_one(c, r);
			bells = rung();
			r->doorbells += is_tenth ? 0 : bells;
		}
	pair_close(&P);
}

static void nine_do_not_notice_the_tenth(void **state)
{
	struct record all, stopped;
	u32 c;

	(void)state;
	run(true, &all);
	run(false, &stopped);
	for (c = 0; c < CHANNELS - 1; c++) {
		assert_int_equal(all.sent[c], ROUNDS_ALL * STEP);
		assert_int_equal(stopped.sent[c], all.sent[c]);
		assert_int_equal(stopped.received[c], all.received[c]);
		assert_int_equal(stopped.refused[c], 0);
	}
	assert_int_equal(stopped.doorbells, all.doorbells);
	assert_int_equal(all.sent[CHANNELS - 1], ROUNDS_ALL * STEP);
	/* Its own ring and not a byte more. */
	assert_int_equal(stopped.sent[CHANNELS - 1], RING);
	assert_int_equal(stopped.refused[CHANNELS - 1],
			 ROUNDS_ALL - (RING + STEP - 1) / STEP);
}

static void the_tenth_goes_on_where_it_stopped(void **state)
{
	struct record r;
	u8 bytes[RING];
	u32 i;

	(void)state;
	run(false, &r);
	open_ten();
	for (i = 0; i < RING; i++)
		bytes[i] = (u8)(i * 7);
	assert_int_equal(pair_send(A, t[9][0], bytes, RING), RING);
	assert_int_equal(pair_send(A, t[9][0], bytes, 1), UR_TRY_AGAIN);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(pair_recv(B, t[9][1], bytes, RING), RING);
	for (i = 0; i < RING; i++)
		assert_int_equal(bytes[i], (u8)(i * 7));
	assert_int_equal(pair_send(A, t[9][0], bytes, RING), RING);
	pair_close(&P);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_do_not_notice_the_tenth),
		cmocka_unit_test(the_tenth_goes_on_where_it_stopped),
	};

	return cmocka_run_group_tests_name("ten channels", tests, NULL, NULL);
}
