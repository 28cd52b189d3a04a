// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of a channel. The tables of the first part were written from SPEC
 * section 7: what an end makes of a word of its peer, for every state that it
 * last saw, every state that the word may claim, and every kind of generation.
 *
 *      .   nothing happens       o   taken note of
 *      S   fault: state          M   fault: move
 *      N   a new call            C   a call that was withdrawn: answered CLOSED
 */
#include "pair.h"

enum { IDLE, CALL, OPEN, HALF, CLOSED, RESET, REFUSED, NONE };

/* One row: our role, our state, what we last saw, and the outcome by claim. */
struct word_row {
	enum ur_end end;	/* A calls on channel 0, B accepts */
	u8 own, seen;
	const char *same;	/* the word has our generation */
	const char *other;
};

static const struct word_row WORDS[] = {
	/* the caller, and what the acceptor's word claims */
	/* 1 */ { UR_END_A, IDLE, IDLE, "SS.....S", "SS.....S" },
	/* 2 */ { UR_END_A, CALL, IDLE, "SSoooooS", "SS.....S" },
	/* 3 */ { UR_END_A, CALL, OPEN, "SS.oooMS", "SSMMMMMS" },
	/* 4 */ { UR_END_A, CALL, HALF, "SSM.ooMS", "SSMMMMMS" },
	/* 5 */ { UR_END_A, CALL, CLOSED, "SSMM.MMS", "SSMMMMMS" },
	/* 6 */ { UR_END_A, CALL, RESET, "SSMMM.MS", "SSMMMMMS" },
	/* 7 */ { UR_END_A, CALL, REFUSED, "SSMMMM.S", "SSMMMMMS" },
	/* 8 */ { UR_END_A, HALF, OPEN, "SS.oooMS", "SSMMMMMS" },
	/* 9 */ { UR_END_A, HALF, HALF, "SSM.ooMS", "SSMMMMMS" },
	/* 10 */ { UR_END_A, HALF, CLOSED, "SSMM.MMS", "SSMMMMMS" },
	/* 11 */ { UR_END_A, HALF, RESET, "SSMMM.MS", "SSMMMMMS" },
	/* 12 */ { UR_END_A, CLOSED, IDLE, "SSoooooS", "SS.....S" },
	/* 13 */ { UR_END_A, CLOSED, OPEN, "SS.oooMS", "SSMMMMMS" },
	/* 14 */ { UR_END_A, CLOSED, HALF, "SSM.ooMS", "SSMMMMMS" },
	/* 15 */ { UR_END_A, CLOSED, CLOSED, "SSMM.MMS", "SSMMMMMS" },
	/* 16 */ { UR_END_A, CLOSED, RESET, "SSMMM.MS", "SSMMMMMS" },
	/* 17 */ { UR_END_A, CLOSED, REFUSED, "SSMMMM.S", "SSMMMMMS" },
	/* 18 */ { UR_END_A, RESET, IDLE, "SSoooooS", "SS.....S" },
	/* 19 */ { UR_END_A, RESET, OPEN, "SS.oooMS", "SSMMMMMS" },
	/* 20 */ { UR_END_A, RESET, HALF, "SSM.ooMS", "SSMMMMMS" },
	/* 21 */ { UR_END_A, RESET, CLOSED, "SSMM.MMS", "SSMMMMMS" },
	/* 22 */ { UR_END_A, RESET, RESET, "SSMMM.MS", "SSMMMMMS" },
	/* 23 */ { UR_END_A, RESET, REFUSED, "SSMMMM.S", "SSMMMMMS" },

	/* the acceptor, and what the caller's word claims */
	/* 24 */ { UR_END_B, IDLE, IDLE, "SNSMCCSS", "SNSMCCSS" },
	/* 25 */ { UR_END_B, IDLE, CALL, "S.SMCCSS", "SMSMMMSS" },
	/* 26 */ { UR_END_B, OPEN, CALL, "S.SoooSS", "SMSMMMSS" },
	/* 27 */ { UR_END_B, OPEN, HALF, "SMS.ooSS", "SMSMMMSS" },
	/* 28 */ { UR_END_B, OPEN, CLOSED, "SMSM.MSS", "SMSMMMSS" },
	/* 29 */ { UR_END_B, OPEN, RESET, "SMSMM.SS", "SMSMMMSS" },
	/* 30 */ { UR_END_B, HALF, CALL, "S.SoooSS", "SMSMMMSS" },
	/* 31 */ { UR_END_B, HALF, HALF, "SMS.ooSS", "SMSMMMSS" },
	/* 32 */ { UR_END_B, HALF, CLOSED, "SMSM.MSS", "SMSMMMSS" },
	/* 33 */ { UR_END_B, HALF, RESET, "SMSMM.SS", "SMSMMMSS" },
	/* 34 */ { UR_END_B, CLOSED, CALL, "S.SoooSS", "SNSMCCSS" },
	/* 35 */ { UR_END_B, CLOSED, HALF, "SMS.ooSS", "SNSMCCSS" },
	/* 36 */ { UR_END_B, CLOSED, CLOSED, "SMSM.MSS", "SNSMCCSS" },
	/* 37 */ { UR_END_B, CLOSED, RESET, "SMSMM.SS", "SNSMCCSS" },
	/* 38 */ { UR_END_B, RESET, CALL, "S.SoooSS", "SNSMCCSS" },
	/* 39 */ { UR_END_B, RESET, HALF, "SMS.ooSS", "SNSMCCSS" },
	/* 40 */ { UR_END_B, RESET, CLOSED, "SMSM.MSS", "SNSMCCSS" },
	/* 41 */ { UR_END_B, RESET, RESET, "SMSMM.SS", "SNSMCCSS" },
	/* 42 */ { UR_END_B, REFUSED, CALL, "S.SoooSS", "SNSMCCSS" },
	/* 43 */ { UR_END_B, REFUSED, CLOSED, "SMSM.MSS", "SNSMCCSS" },
	/* 44 */ { UR_END_B, REFUSED, RESET, "SMSMM.SS", "SNSMCCSS" },
};

static const u32 GENERATIONS[] = { 1, 2, 0x7fffff, 0x800000, 0xfffffe, 0xffffff,
				   0 };

/* The end of the row as it is after its last look, and the peer's word. */
static void set_up(struct pair *p, const struct word_row *row, u32 generation,
		   u32 word)
{
	struct ur_channel *ch = &p->l[row->end].channels[0];

	pair_up(p);
	ch->generation = generation;
	ch->own = row->own;
	ch->peer = row->seen;
	ch->life = row->own == CALL || row->own == OPEN || row->own == HALF;
	put_word(p, row->end, 0, generation << 8 | row->own);
	put_word(p, !row->end, 0, word);
}

static bool stayed(struct pair *p, const struct word_row *row, u32 generation,
		   u32 seen)
{
	const struct ur_link *l = &p->l[row->end];

	return l->state == UR_LINK_UP && l->channels[0].own == row->own &&
	       l->channels[0].peer == seen &&
	       l->channels[0].generation == generation &&
	       get_word(p, row->end, 0) == (generation << 8 | row->own);
}

static bool faulted(struct pair *p, const struct word_row *row, u32 number,
		    u32 word)
{
	const struct ur_link *l = &p->l[row->end];

	return l->state == UR_LINK_BROKEN && l->fault.number == number &&
	       l->fault.got == word && l->fault.channel == 0 &&
	       l->channels[0].life == 0;
}

static bool moved_on(struct pair *p, const struct word_row *row, u32 word,
		     u32 own)
{
	const struct ur_link *l = &p->l[row->end];
	const struct ur_channel *ch = &l->channels[0];

	return l->state == UR_LINK_UP && ch->own == own &&
	       ch->peer == (word & 0xff) && ch->generation == word >> 8;
}

static bool came_out(struct pair *p, const struct word_row *row, u32 generation,
		     u32 word, char how)
{
	u32 service;

	switch (how) {
	case '.':
		return stayed(p, row, generation, row->seen);
	case 'o':
		return stayed(p, row, generation, word & 0xff);
	case 'S':
		return faulted(p, row, UR_FAULT_STATE, word);
	case 'M':
		return faulted(p, row, UR_FAULT_MOVE, word);
	case 'N':
		return moved_on(p, row, word, IDLE) &&
		       ur_channel_called(&p->l[row->end], 0, &service) == 0;
	default:
		return moved_on(p, row, word, CLOSED) &&
		       get_word(p, row->end, 0) == ((word & ~0xffu) | CLOSED) &&
		       ur_channel_called(&p->l[row->end], 0, &service) < 0;
	}
}

static void word_case(struct pair *p, size_t i, u32 generation, u32 claimed,
		      u32 state)
{
	const struct word_row *row = &WORDS[i];
	const char *table = claimed == generation ? row->same : row->other;
	char how = table[state < NONE ? state : NONE];
	u32 word = claimed << 8 | state;
	const struct ur_link *l = &p->l[row->end];

	/* A whole word of 0 says that nothing was said yet. */
	if (word == 0 && row->seen == IDLE)
		how = '.';
	set_up(p, row, generation, word);
	ur_link_look(&p->l[row->end]);
	if (!came_out(p, row, generation, word, how))
		row_fails("row %zu, generation %x, word %x: expected %c, is link %d, fault %u, own %u, peer %u, generation %x",
			  i + 1, generation, word, how, l->state, l->fault.number,
			  l->channels[0].own, l->channels[0].peer,
			  l->channels[0].generation);
}

static void every_word(void **state)
{
	static const u32 states[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7f, 0x80, 0xff };
	size_t i, g, s;
	struct pair p;

	(void)state;
	pair_open(&p, 4, 64);
	for (i = 0; i < ROWS(WORDS); i++)
		for (g = 0; g < ROWS(GENERATIONS); g++)
			for (s = 0; s < ROWS(states); s++) {
				u32 own = GENERATIONS[g];

				word_case(&p, i, own, own, states[s]);
				word_case(&p, i, own, (own + 1) & 0xffffff, states[s]);
				word_case(&p, i, own, (own - 1) & 0xffffff, states[s]);
				word_case(&p, i, own, own ^ 0x800000, states[s]);
			}
	pair_close(&p);
}

/* ---- call and answer ----------------------------------------------------- */

static void each_end_calls_on_its_own_channels(void **state)
{
	struct ur_ticket t;

	(void)state;
	assert_int_equal(ur_channel_call(A, 3240, &t), 0);
	assert_int_equal(t.channel, 0);
	assert_int_equal(ur_channel_call(A, 3240, &t), 0);
	assert_int_equal(t.channel, 2);
	assert_int_equal(ur_channel_call(A, 3240, &t), UR_TRY_BUSY);
	assert_int_equal(ur_channel_call(B, 3241, &t), 0);
	assert_int_equal(t.channel, 1);
	assert_int_equal(ur_channel_call(B, 3241, &t), 0);
	assert_int_equal(t.channel, 3);
	assert_int_equal(ur_channel_call(B, 3241, &t), UR_TRY_BUSY);
}

static void called_tells_channel_and_service(void **state)
{
	u32 service = 0;

	(void)state;
	assert_int_equal(ur_channel_called(B, 0, &service), UR_TRY_AGAIN);
	assert_int_equal(ur_channel_call(A, 3240, &T[0]), 0);
	assert_int_equal(ur_channel_call(A, 3241, &T[1]), 0);
	assert_int_equal(ur_channel_called(B, 0, &service), UR_TRY_AGAIN);
	assert_true(ur_link_look(B));
	assert_false(ur_link_look(B));
	assert_int_equal(ur_channel_called(B, 0, &service), 0);
	assert_int_equal(service, 3240);
	assert_int_equal(ur_channel_called(B, 1, &service), 2);
	assert_int_equal(service, 3241);
	assert_int_equal(ur_channel_called(B, 3, &service), UR_TRY_AGAIN);
	assert_int_equal(ur_channel_called(B, 64, &service), UR_TRY_AGAIN);
	assert_int_equal(ur_channel_called(A, 0, &service), UR_TRY_AGAIN);
}

static void words_of_one_life(void **state)
{
	(void)state;
	assert_word(UR_END_A, 0, 0, IDLE);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_word(UR_END_A, 0, 1, CALL);
	assert_int_equal(ur_load_once(&ur_block(P.box[0], 0)->service), 7);
	assert_int_equal(ur_channel_answered(A, T[0]), UR_TRY_AGAIN);
	ur_link_look(B);
	assert_int_equal(ur_channel_accept(B, 0, &T[1]), 0);
	assert_word(UR_END_B, 0, 1, OPEN);
	assert_int_equal(ur_load_once(&ur_block(P.box[1], 0)->service), 0);
	assert_int_equal(ur_channel_answered(A, T[0]), 0);
	assert_int_equal(ur_channel_shut(A, T[0]), 0);
	assert_word(UR_END_A, 0, 1, HALF);
	assert_int_equal(ur_channel_shut(B, T[1]), 0);
	assert_word(UR_END_B, 0, 1, HALF);
	ur_channel_close(B, T[1], false);
	assert_word(UR_END_B, 0, 1, CLOSED);
	ur_channel_close(A, T[0], false);
	assert_word(UR_END_A, 0, 1, CLOSED);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_word(UR_END_A, 0, 2, CALL);
}

static void accept_and_refuse_need_a_call(void **state)
{
	static const u32 channels[] = { 0, 1, 2, 3, 4, 63, 64, 0xffffffff };
	size_t i;

	(void)state;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	for (i = 0; i < ROWS(channels); i++) { /* B has not looked */
		assert_int_equal(ur_channel_accept(B, channels[i], &T[1]),
				 UR_BUG_STATE);
		ur_channel_refuse(B, channels[i]);
	}
	ur_link_look(B);
	for (i = 1; i < ROWS(channels); i++) {
		assert_int_equal(ur_channel_accept(B, channels[i], &T[1]),
				 UR_BUG_STATE);
		ur_channel_refuse(B, channels[i]);
	}
	assert_int_equal(ur_channel_accept(B, 0, &T[1]), 0);
	assert_int_equal(ur_channel_accept(B, 0, &T[1]), UR_BUG_STATE);
	ur_channel_refuse(B, 0);
	assert_word(UR_END_B, 0, 1, OPEN);
	assert_int_equal(ur_channel_accept(A, 0, &T[1]), UR_BUG_STATE);
}

static void a_refused_call(void **state)
{
	struct ur_peer_span s[2];

	(void)state;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	ur_link_look(B);
	ur_channel_refuse(B, 0);
	assert_word(UR_END_B, 0, 1, REFUSED);
	assert_int_equal(ur_channel_answered(A, T[0]), UR_PEER_REFUSED);
	assert_int_equal(pair_send(A, T[0], (const u8 *)"x", 1), UR_PEER_CLOSED);
	assert_int_equal(ur_channel_data(A, T[0], 1, s), UR_BUG_STATE);
	ur_channel_close(A, T[0], false);
	assert_word(UR_END_A, 0, 1, CLOSED);
	pair_connect(&P, UR_END_A, T);
	assert_word(UR_END_B, 0, 2, OPEN);
}

static void withdrawn_before_the_peer_looked(void **state)
{
	u32 service;

	(void)state;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	ur_channel_close(A, T[0], false);
	assert_word(UR_END_A, 0, 1, CLOSED);
	ur_link_look(B);
	assert_int_equal(ur_channel_called(B, 0, &service), UR_TRY_AGAIN);
	assert_word(UR_END_B, 0, 1, CLOSED);
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(T[0].channel, 0);
}

static void withdrawn_after_the_peer_looked(void **state)
{
	u32 service;

	(void)state;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	ur_link_look(B);
	ur_channel_close(A, T[0], true);
	assert_word(UR_END_A, 0, 1, RESET);
	ur_link_look(B);
	assert_int_equal(ur_channel_called(B, 0, &service), UR_TRY_AGAIN);
	assert_word(UR_END_B, 0, 1, CLOSED);
	pair_connect(&P, UR_END_A, T);
}

static void withdrawn_while_the_peer_accepts(void **state)
{
	u8 byte;

	(void)state;
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	ur_link_look(B);
	ur_channel_close(A, T[0], false);
	assert_int_equal(ur_channel_accept(B, 0, &T[1]), 0);
	assert_int_equal(pair_recv(B, T[1], &byte, 1), 0);
	assert_int_equal(pair_send(B, T[1], &byte, 1), UR_PEER_CLOSED);
	ur_channel_close(B, T[1], false);
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(T[0].channel, 0);
}

static void busy_until_the_peer_closed_too(void **state)
{
	struct ur_ticket other;

	(void)state;
	pair_connect(&P, UR_END_A, T);
	assert_int_equal(ur_channel_call(A, 7, &other), 0);
	ur_channel_close(A, T[0], false);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_TRY_BUSY);
	ur_channel_close(B, T[1], false);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_int_equal(T[0].channel, 0);
}

static void a_call_needs_a_link(void **state)
{
	(void)state;
	ur_link_stop(B);
	ur_link_look(A);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_DOWN);
	pair_reborn(&P, UR_END_B);
	pair_settle(&P);
	ur_link_sever(A, UR_FAULT_STATE, 0, 1, 2);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), UR_PEER_BROKEN);
}

/* A call is open only once it is answered. */
static void nothing_works_before_the_answer(void **state)
{
	struct ur_peer_span in[2];
	struct ur_span out[2];

	(void)state;
	pair_connect(&P, UR_END_A, T);	/* leaves indices of a generation */
	assert_int_equal(pair_send(B, T[1], (const u8 *)"abc", 3), 3);
	ur_channel_close(A, T[0], false);
	ur_channel_close(B, T[1], false);
	assert_int_equal(ur_channel_call(A, 7, &T[0]), 0);
	assert_int_equal(ur_channel_room(A, T[0], 1, out), UR_BUG_STATE);
	assert_int_equal(ur_channel_data(A, T[0], 1, in), UR_BUG_STATE);
	assert_int_equal(ur_channel_arm_room(A, T[0], 1), UR_BUG_STATE);
	assert_int_equal(ur_channel_arm_data(A, T[0], 1), UR_BUG_STATE);
	assert_int_equal(ur_channel_shut(A, T[0]), UR_BUG_STATE);
	assert_int_equal(A->state, UR_LINK_UP);
	ur_link_look(B);
	assert_int_equal(B->state, UR_LINK_UP);
	ur_channel_refuse(B, 0);
	assert_int_equal(ur_channel_arm_data(A, T[0], 1), UR_BUG_STATE);
	assert_int_equal(ur_channel_data(A, T[0], 1, in), UR_BUG_STATE);
	assert_int_equal(A->state, UR_LINK_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word),
		pair_test(each_end_calls_on_its_own_channels),
		pair_test(called_tells_channel_and_service),
		pair_test(words_of_one_life),
		pair_test(accept_and_refuse_need_a_call),
		pair_test(a_refused_call),
		pair_test(withdrawn_before_the_peer_looked),
		pair_test(withdrawn_after_the_peer_looked),
		pair_test(withdrawn_while_the_peer_accepts),
		pair_test(busy_until_the_peer_closed_too),
		pair_test(a_call_needs_a_link),
		pair_test(nothing_works_before_the_answer),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
