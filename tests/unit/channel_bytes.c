// SPDX-License-Identifier: BSD-2-Clause
/* What goes through a channel, how it ends, and the next who has it. */
#include "pair.h"

enum { IDLE, CALL, OPEN, HALF, CLOSED, RESET, REFUSED };

/* ---- half, close, reset -------------------------------------------------- */

static void half_is_one_direction(void **state)
{
	u8 got[8];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"request", 7), 7);
	assert_int_equal(ur_channel_shut(A, T[0]), 0);
	assert_int_equal(ur_channel_shut(A, T[0]), 0);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"x", 1), UR_PEER_CLOSED);
	assert_int_equal(ur_channel_arm_room(A, T[0], 1), UR_PEER_CLOSED);
	assert_int_equal(pair_recv(B, T[1], got, 4), 4);
	assert_int_equal(pair_recv(B, T[1], got + 4, 4), 3);
	assert_memory_equal(got, "request", 7);
	assert_int_equal(pair_recv(B, T[1], got, 4), 0);
	assert_int_equal(pair_recv(B, T[1], got, 4), 0);
	assert_int_equal(pair_send(B, T[1], (const u8 *)"answer", 6), 6);
	assert_int_equal(pair_recv(A, T[0], got, 8), 6);
	assert_memory_equal(got, "answer", 6);
	assert_int_equal(pair_recv(A, T[0], got, 8), UR_TRY_AGAIN);
}

/* `produced` of HALF is final: a sender that still copies comes too late. */
static void no_byte_after_half(void **state)
{
	struct ur_span s[2];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(ur_channel_room(A, T[0], 5, s), 5);
	assert_int_equal(ur_channel_shut(A, T[0]), 0);
	assert_int_equal(ur_channel_publish(A, T[0], 5), UR_PEER_CLOSED);
	assert_int_equal(ur_load_once(&ur_block(P.box[0], 0)->produced),
			 P.g.first_index);
	assert_int_equal(A->counters.bytes_sent, 0);
}

/* How an end closes, and what the other one learns of it. */
static const struct {
	u32 unread;		/* bytes of B that A has not taken */
	bool abort;
	u32 word;
	int recv, send;		/* what B gets */
} CLOSES[] = {
	/* 1 */ { 0, false, CLOSED, 0, UR_PEER_CLOSED },
	/* 2 */ { 0, true, RESET, UR_PEER_RESET, UR_PEER_RESET },
	/* 3 */ { 1, false, RESET, UR_PEER_RESET, UR_PEER_RESET },
	/* 4 */ { 64, false, RESET, UR_PEER_RESET, UR_PEER_RESET },
	/* 5 */ { 1, true, RESET, UR_PEER_RESET, UR_PEER_RESET },
};

static void close_rows(void **state)
{
	static const u8 bytes[64];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(CLOSES); i++) {
		int send, recv;
		u8 byte;

		pair_connect(&P, UR_END_A, T);
		if (CLOSES[i].unread)
			assert_int_equal(pair_send(B, T[1], bytes,
						   CLOSES[i].unread),
					 CLOSES[i].unread);
		ur_channel_close(A, T[0], CLOSES[i].abort);
		recv = pair_recv(B, T[1], &byte, 1);
		send = pair_send(B, T[1], &byte, 1);
		if ((get_word(&P, UR_END_A, 0) & 0xff) != CLOSES[i].word ||
		    recv != CLOSES[i].recv || send != CLOSES[i].send)
			row_fails("row %zu: word %x, recv %d, send %d", i + 1,
				  get_word(&P, UR_END_A, 0), recv, send);
		ur_channel_close(B, T[1], false);
	}
}

static void what_was_sent_before_close_arrives(void **state)
{
	u8 got[64];

	(void)state;
	pair_connect(&P, UR_END_B, T);
	assert_int_equal(pair_send(B, T[1], (const u8 *)"last", 4), 4);
	ur_channel_close(B, T[1], false);
	assert_int_equal(pair_recv(A, T[0], got, 64), 4);
	assert_memory_equal(got, "last", 4);
	assert_int_equal(pair_recv(A, T[0], got, 64), 0);
}

/* ---- bytes --------------------------------------------------------------- */

static void full_and_empty(void **state)
{
	static const u8 bytes[200];
	u8 got[200];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(pair_recv(B, T[1], got, 1), UR_TRY_AGAIN);
	assert_int_equal(pair_send(A, T[0], bytes, 200), 64);
	assert_int_equal(pair_send(A, T[0], bytes, 1), UR_TRY_AGAIN);
	assert_int_equal(pair_recv(B, T[1], got, 10), 10);
	assert_int_equal(pair_send(A, T[0], bytes, 200), 10);
	assert_int_equal(pair_recv(B, T[1], got, 200), 64);
	assert_int_equal(A->counters.bytes_sent, 74);
	assert_int_equal(B->counters.bytes_received, 74);
	assert_int_equal(A->counters.high_water, 64);
}

static void a_full_channel_stops_no_other(void **state)
{
	static const u8 bytes[64];
	struct ur_ticket u[2];
	u8 got[64];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	pair_connect(&P, UR_END_A, u);
	assert_int_equal(pair_send(A, T[0], bytes, 64), 64);
	assert_int_equal(pair_send(A, T[0], bytes, 64), UR_TRY_AGAIN);
	assert_int_equal(pair_send(A, u[0], bytes, 64), 64);
	assert_int_equal(pair_recv(B, u[1], got, 64), 64);
	assert_int_equal(pair_send(A, u[0], bytes, 64), 64);
}

/* low, of a ring of 64: 0 counts as 1, too much as half a ring. */
static const struct {
	u32 low, there;
	int result;
} DATA_ARMS[] = {
	/* 1 */ { 1, 0, UR_TRY_AGAIN },
	/* 2 */ { 1, 1, 0 },
	/* 3 */ { 0, 0, UR_TRY_AGAIN },
	/* 4 */ { 0, 1, 0 },
	/* 5 */ { 10, 9, UR_TRY_AGAIN },
	/* 6 */ { 10, 10, 0 },
	/* 7 */ { 32, 31, UR_TRY_AGAIN },
	/* 8 */ { 32, 32, 0 },
	/* 9 */ { 33, 31, UR_TRY_AGAIN },
	/* 10 */ { 33, 32, 0 },
	/* 11 */ { 64, 32, 0 },
	/* 12 */ { 0xffffffff, 31, UR_TRY_AGAIN },
	/* 13 */ { 0xffffffff, 32, 0 },
};

static void arm_rows(void **state)
{
	static const u8 bytes[64];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(DATA_ARMS); i++) {
		u32 low = DATA_ARMS[i].low, there = DATA_ARMS[i].there;
		int data, room;

		pair_connect(&P, UR_END_A, T);
		if (there)
			assert_int_equal(pair_send(A, T[0], bytes, there), there);
		data = ur_channel_arm_data(B, T[1], low);
		if (there < 64) /* the mirror: as much room as there was data */
			assert_int_equal(pair_send(B, T[1], bytes, 64 - there),
					 64 - there);
		room = ur_channel_arm_room(B, T[1], low);
		if (data != DATA_ARMS[i].result || room != DATA_ARMS[i].result)
			row_fails("row %zu: data %d, room %d", i + 1, data, room);
		ur_channel_close(A, T[0], false);
		ur_channel_close(B, T[1], false);
	}
}

static void arm_notices_the_end(void **state)
{
	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(ur_channel_arm_data(B, T[1], 1), UR_TRY_AGAIN);
	assert_int_equal(ur_channel_shut(A, T[0]), 0);
	assert_int_equal(ur_channel_arm_data(B, T[1], 1), 0);
	assert_int_equal(pair_send(B, T[1], (const u8[64]){ 0 }, 64), 64);
	assert_int_equal(ur_channel_arm_room(B, T[1], 1), UR_TRY_AGAIN);
	ur_channel_close(A, T[0], true);
	assert_int_equal(ur_channel_arm_room(B, T[1], 1), UR_PEER_RESET);
	assert_int_equal(ur_channel_arm_data(B, T[1], 1), UR_PEER_RESET);
}

/* Who has to ring: always on a word, on bytes only if it was asked for. */
static void bells(void **state)
{
	(void)state;
	while (ur_link_take_bell(A) || ur_link_take_bell(B))
		;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_true(ur_link_take_bell(A));
	assert_false(ur_link_take_bell(A));
	ur_link_look(B);
	assert_int_equal(ur_channel_accept(B, 0, &T[1]), 0);
	assert_true(ur_link_take_bell(B));
	assert_int_equal(pair_send(A, T[0], (const u8 *)"a", 1), 1);
	assert_true(ur_link_take_bell(A));	/* the first byte */
	assert_int_equal(pair_send(A, T[0], (const u8 *)"b", 1), 1);
	assert_false(ur_link_take_bell(A));	/* B did not ask */
	assert_int_equal(ur_channel_arm_data(B, T[1], 4), UR_TRY_AGAIN);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"c", 1), 1);
	assert_false(ur_link_take_bell(A));
	assert_int_equal(pair_send(A, T[0], (const u8 *)"d", 1), 1);
	assert_true(ur_link_take_bell(A));
	assert_int_equal(ur_channel_shut(B, T[1]), 0);
	assert_true(ur_link_take_bell(B));
	ur_channel_close(B, T[1], false);
	assert_true(ur_link_take_bell(B));
	ur_channel_close(A, T[0], false);
	assert_true(ur_link_take_bell(A));
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	ur_link_look(B);
	assert_false(ur_link_take_bell(B));
	ur_channel_refuse(B, 0);
	assert_true(ur_link_take_bell(B));
}

/* ---- hints for whoever spins --------------------------------------------- */

static void hints_follow_the_bytes(void **state)
{
	static const u8 bytes[64];
	u8 got[64];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_false(ur_channel_data_moved(B, T[1]));
	assert_true(ur_channel_room_moved(A, T[0], 64));
	assert_int_equal(pair_send(A, T[0], bytes, 64), 64);
	assert_true(ur_channel_data_moved(B, T[1]));
	assert_false(ur_channel_room_moved(A, T[0], 1));
	assert_int_equal(pair_recv(B, T[1], got, 10), 10);
	assert_true(ur_channel_room_moved(A, T[0], 0));	/* 0 counts as 1 */
	assert_true(ur_channel_room_moved(A, T[0], 10));
	assert_false(ur_channel_room_moved(A, T[0], 11));
	assert_int_equal(pair_recv(B, T[1], got, 64), 54);
	assert_true(ur_channel_room_moved(A, T[0], 65));	/* as half a ring */
	assert_false(ur_channel_data_moved(B, T[1]));
}

/* ---- tickets ------------------------------------------------------------- */

/* Every verb on a ticket whose channel somebody else has by now. */
static void stale_tickets_do_nothing(void **state)
{
	struct ur_ticket stale[2], none = { 0, 0 };
	struct ur_peer_span in[2];
	struct ur_span out[2];
	const struct ur_ticket *bad[] = { &stale[0], &none };
	size_t i;

	(void)state;
	pair_connect(&P, UR_END_A, stale);
	ur_channel_close(A, stale[0], false);
	ur_channel_close(B, stale[1], false);
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(T[0].channel, stale[0].channel);
	assert_int_equal(pair_send(B, T[1], (const u8 *)"abc", 3), 3);
	for (i = 0; i < ROWS(bad); i++) {
		struct ur_ticket t = *bad[i];

		assert_int_equal(ur_channel_answered(A, t), UR_PEER_RESET);
		assert_int_equal(ur_channel_room(A, t, 1, out), UR_PEER_RESET);
		assert_int_equal(ur_channel_publish(A, t, 0), UR_PEER_RESET);
		assert_int_equal(ur_channel_arm_room(A, t, 1), UR_PEER_RESET);
		assert_int_equal(ur_channel_data(A, t, 1, in), UR_PEER_RESET);
		assert_int_equal(ur_channel_release(A, t, 1), UR_PEER_RESET);
		assert_int_equal(ur_channel_arm_data(A, t, 1), UR_PEER_RESET);
		assert_int_equal(ur_channel_shut(A, t), UR_PEER_RESET);
		ur_channel_close(A, t, true);
	}
	assert_word(UR_END_A, 0, 2, CALL);
	assert_int_equal(ur_channel_data(A, T[0], 9, in), 3);
}

/* A free channel with a ticket of nobody, ever. */
static void a_zero_ticket_has_no_channel(void **state)
{
	struct ur_ticket none = { 0, 0 };
	struct ur_span out[2];

	(void)state;
	assert_int_equal(ur_channel_room(A, none, 1, out), UR_PEER_RESET);
	assert_int_equal(ur_channel_publish(A, none, 0), UR_PEER_RESET);
	assert_int_equal(ur_channel_release(A, none, 0), UR_PEER_RESET);
	assert_int_equal(ur_channel_answered(A, none), UR_PEER_RESET);
}

static void lives_wrap_without_zero(void **state)
{
	(void)state;
	A->lives = 0xffffffff;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_int_equal(T[0].life, 1);
	assert_int_equal(ur_channel_answered(A, T[0]), UR_TRY_AGAIN);
}

/* ---- many generations ---------------------------------------------------- */

static void one_round(enum ur_end caller, u32 round)
{
	u8 in[100], out[100];
	u32 at = 0, got = 0, i;

	for (i = 0; i < sizeof(in); i++)
		in[i] = (u8)(round * 7 + i);
	pair_connect(&P, caller, T);
	while (got < sizeof(out)) {
		int n = pair_send(&P.l[caller], T[caller], in + at, 100 - at);

		at += n > 0 ? (u32)n : 0;
		n = pair_recv(&P.l[!caller], T[!caller], out + got, 100 - got);
		assert_true(n > 0);
		got += (u32)n;
	}
	assert_memory_equal(in, out, sizeof(in));
	ur_channel_close(&P.l[caller], T[caller], round & 1);
	ur_channel_close(&P.l[!caller], T[!caller], round & 2);
}

static const struct {
	u32 first_index, first_generation, last_generation;
} WRAPS[] = {
	/* 1 */ { 0, 1, 100 },
	/* 2 */ { 0xffffffff, 0xffffff, 98 },
	/* 3 */ { 0xffffffc0, 0xfffff0, 83 },
	/* 4 */ { 0xffffffa0, 0xffffff - 98, 0 },
	/* 5 */ { 0x7fffffe0, 0x7fffff, 0x800062 },
	/* 6 */ { 1, 0x1ffffff, 98 },			/* too many bits: 24 count */
};

static void generations_and_indices_wrap(void **state)
{
	u32 i, round, end;

	(void)state;
	for (i = 0; i < ROWS(WRAPS); i++)
		for (end = 0; end < 2; end++) {
			P.g.first_index = WRAPS[i].first_index;
			P.g.first_generation = WRAPS[i].first_generation;
			pair_up(&P);
			for (round = 0; round < 100; round++)
				one_round(end, round);
			if (get_word(&P, end, end) >> 8 != WRAPS[i].last_generation)
				row_fails("row %u: last word %x", i + 1,
					  get_word(&P, end, end));
			assert_int_equal(get_word(&P, !end, end) >> 8,
					 WRAPS[i].last_generation);
		}
}

/* Both ends need not agree on it: the caller picks. */
static void the_caller_picks_the_first_generation(void **state)
{
	(void)state;
	P.g.first_generation = 0x123456;
	pair_start(&P, UR_END_A);
	P.g.first_generation = 0x654321;
	pair_start(&P, UR_END_B);
	pair_settle(&P);
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(get_word(&P, UR_END_B, 0), 0x12345600 | OPEN);
	pair_connect(&P, UR_END_B, T);
	assert_int_equal(get_word(&P, UR_END_A, 1), 0x65432100 | OPEN);
}

/* What lies in the ring from the generation before is never read. */
static void no_byte_of_an_older_generation(void **state)
{
	u8 got[64];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"secret", 6), 6);
	ur_channel_close(A, T[0], false);
	ur_channel_close(B, T[1], true);
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(pair_recv(B, T[1], got, 64), UR_TRY_AGAIN);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"new", 3), 3);
	assert_int_equal(pair_recv(B, T[1], got, 64), 3);
	assert_memory_equal(got, "new", 3);
}

/* ---- impossible indices, in their place ---------------------------------- */

static void an_impossible_produced_severs(void **state)
{
	u8 got[64];

	(void)state;
	pair_connect(&P, UR_END_A, T);
	ur_store_release(&ur_block(P.box[0], 0)->produced,
			 P.g.first_index + 65);
	assert_int_equal(pair_recv(B, T[1], got, 64), UR_PEER_RESET);
	assert_int_equal(B->state, UR_LINK_BROKEN);
	assert_int_equal(B->fault.number, UR_FAULT_PRODUCED);
	assert_int_equal(B->fault.channel, 0);
	assert_int_equal(B->fault.got, P.g.first_index + 65);
	assert_int_equal(B->fault.want, P.g.first_index + 64);
	assert_int_equal(ur_load_once(&P.box[1]->seen), 0);
	assert_int_equal(ur_load_once(&P.box[1]->fault), 8);
	assert_true(ur_link_take_bell(B));
	ur_link_look(A);
	assert_int_equal(A->state, UR_LINK_BROKEN);
	assert_int_equal(A->fault.number, UR_FAULT_SEVERED);
	assert_int_equal(A->fault.got, 8);
}

static void an_impossible_consumed_severs(void **state)
{
	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"ab", 2), 2);
	ur_store_release(&ur_block(P.box[1], 0)->consumed,
			 P.g.first_index + 3);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"ab", 2), UR_PEER_RESET);
	assert_int_equal(A->state, UR_LINK_BROKEN);
	assert_int_equal(A->fault.number, UR_FAULT_CONSUMED);
	assert_int_equal(A->fault.got, P.g.first_index + 3);
	assert_int_equal(A->fault.want, P.g.first_index + 2);
	assert_int_equal(ur_load_once(&P.box[0]->fault), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(half_is_one_direction),
		pair_test(no_byte_after_half),
		pair_test(close_rows),
		pair_test(what_was_sent_before_close_arrives),
		pair_test(full_and_empty),
		pair_test(a_full_channel_stops_no_other),
		pair_test(arm_rows),
		pair_test(arm_notices_the_end),
		pair_test(bells),
		pair_test(hints_follow_the_bytes),
		pair_test(stale_tickets_do_nothing),
		pair_test(a_zero_ticket_has_no_channel),
		pair_test(lives_wrap_without_zero),
		pair_test(generations_and_indices_wrap),
		pair_test(the_caller_picks_the_first_generation),
		pair_test(no_byte_of_an_older_generation),
		pair_test(an_impossible_produced_severs),
		pair_test(an_impossible_consumed_severs),
	};

	return cmocka_run_group_tests_name("channel_bytes", tests, NULL, NULL);
}
