// SPDX-License-Identifier: BSD-2-Clause
#include "pair.h"
#include "ring.h"

/* One direction: the words of both ends and the handles on them. */
struct one_way {
	u8 data[4096];
	ur_shm32 produced, space_event, consumed, data_event;
	struct ur_producer tx;
	struct ur_consumer rx;
};

static void open_ring(struct one_way *w, u32 ring_bytes, u32 first)
{
	memset(w, 0xee, sizeof(*w));
	w->tx = (struct ur_producer){
		.data = w->data,
		.ring_bytes = ring_bytes,
		.own_produced = &w->produced,
		.own_space_event = &w->space_event,
		.peer_consumed = &w->consumed,
		.peer_data_event = &w->data_event,
	};
	w->rx = (struct ur_consumer){
		.data = w->data,
		.ring_bytes = ring_bytes,
		.own_consumed = &w->consumed,
		.own_data_event = &w->data_event,
		.peer_produced = &w->produced,
		.peer_space_event = &w->space_event,
	};
	ur_producer_start(&w->tx, first);
	ur_consumer_start(&w->rx, first);
}

static const u32 FIRSTS[] = { 0, 1, 63, 0x7fffffc0, 0x7fffffff, 0x80000000,
			      0xffffffc0, 0xfffffffe, 0xffffffff };

static void a_new_ring_is_empty(void **state)
{
	struct one_way w;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(FIRSTS); i++) {
		open_ring(&w, 64, FIRSTS[i]);
		assert_int_equal(ur_producer_room(&w.tx), 64);
		assert_int_equal(ur_consumer_data(&w.rx), 0);
		assert_int_equal(ur_load_once(&w.produced), FIRSTS[i]);
		assert_int_equal(ur_load_once(&w.consumed), FIRSTS[i]);
		assert_int_equal(ur_load_once(&w.space_event), FIRSTS[i]);
		assert_int_equal(ur_load_once(&w.data_event), FIRSTS[i]);
	}
}

/*
 * SPEC section 4 with ring_bytes 64. All rows are moved to every first index,
 * so "1" below is one byte after it.
 */
static const struct {
	u32 produced, consumed;	/* what was accepted or published so far */
	u32 claim;		/* of the peer */
	int then;		/* room, or data; < 0: refused */
} CONSUMED_CLAIMS[] = {
	/* 1 */ { 0, 0, 0, 64 },
	/* 2 */ { 10, 0, 0, 54 },		/* same */
	/* 3 */ { 10, 0, 1, 55 },		/* +1 */
	/* 4 */ { 10, 0, 10, 64 },		/* exactly what there is */
	/* 5 */ { 10, 0, 11, UR_PEER_BROKEN },	/* one more */
	/* 6 */ { 10, 4, 3, UR_PEER_BROKEN },	/* one back */
	/* 7 */ { 10, 4, 0, UR_PEER_BROKEN },	/* back to the start */
	/* 8 */ { 10, 4, 0x80000004, UR_PEER_BROKEN },	/* half a circle */
	/* 9 */ { 10, 4, 0xffffffff, UR_PEER_BROKEN },
	/* 10 */ { 64, 0, 0, 0 },		/* full */
	/* 11 */ { 64, 0, 64, 64 },
	/* 12 */ { 64, 0, 65, UR_PEER_BROKEN },
	/* 13 */ { 64, 0, 0xffffffff, UR_PEER_BROKEN },
	/* 14 */ { 64, 64, 63, UR_PEER_BROKEN },
	/* 15 */ { 0, 0, 1, UR_PEER_BROKEN },	/* of nothing */
	/* 16 */ { 0, 0, 0xffffffff, UR_PEER_BROKEN },
	/* 17 */ { 0, 0, 0x7fffffff, UR_PEER_BROKEN },
	/* 18 */ { 0, 0, 0x80000000, UR_PEER_BROKEN },
};

static const struct {
	u32 consumed, produced;
	u32 claim;
	int then;
} PRODUCED_CLAIMS[] = {
	/* 1 */ { 0, 0, 0, 0 },
	/* 2 */ { 0, 0, 1, 1 },			/* +1 */
	/* 3 */ { 0, 0, 64, 64 },		/* exactly a ring */
	/* 4 */ { 0, 0, 65, UR_PEER_BROKEN },	/* one more */
	/* 5 */ { 0, 10, 10, 10 },		/* same */
	/* 6 */ { 0, 10, 64, 64 },
	/* 7 */ { 0, 10, 65, UR_PEER_BROKEN },
	/* 8 */ { 0, 10, 9, UR_PEER_BROKEN },	/* one back */
	/* 9 */ { 0, 10, 0, UR_PEER_BROKEN },
	/* 10 */ { 5, 10, 69, 64 },		/* room that we gave back */
	/* 11 */ { 5, 10, 70, UR_PEER_BROKEN },
	/* 12 */ { 5, 10, 5, UR_PEER_BROKEN },	/* back to what we consumed */
	/* 13 */ { 10, 10, 9, UR_PEER_BROKEN },
	/* 14 */ { 64, 64, 128, 64 },
	/* 15 */ { 64, 64, 129, UR_PEER_BROKEN },
	/* 16 */ { 0, 0, 0x7fffffff, UR_PEER_BROKEN },
	/* 17 */ { 0, 0, 0x80000000, UR_PEER_BROKEN },
	/* 18 */ { 0, 0, 0xffffffff, UR_PEER_BROKEN },
	/* 19 */ { 0, 10, 0x8000000a, UR_PEER_BROKEN },
	/* 20 */ { 0, 64, 64, 64 },		/* full */
	/* 21 */ { 0, 64, 65, UR_PEER_BROKEN },
};

static void consumed_claim(size_t i, u32 first)
{
	struct one_way w;
	u32 before;
	int n;

	open_ring(&w, 64, first);
	w.tx.produced = first + CONSUMED_CLAIMS[i].produced;
	w.tx.consumed = before = first + CONSUMED_CLAIMS[i].consumed;
	ur_store_once(&w.consumed, first + CONSUMED_CLAIMS[i].claim);
	n = ur_producer_room(&w.tx);
	if (n != CONSUMED_CLAIMS[i].then)
		row_fails("row %zu from %x: %d", i + 1, first, n);
	if (n < 0)
		assert_int_equal(w.tx.consumed, before);
}

static void produced_claim(size_t i, u32 first)
{
	struct one_way w;
	u32 before;
	int n;

	open_ring(&w, 64, first);
	w.rx.consumed = first + PRODUCED_CLAIMS[i].consumed;
	w.rx.produced = before = first + PRODUCED_CLAIMS[i].produced;
	ur_store_once(&w.produced, first + PRODUCED_CLAIMS[i].claim);
	n = ur_consumer_data(&w.rx);
	if (n != PRODUCED_CLAIMS[i].then)
		row_fails("row %zu from %x: %d", i + 1, first, n);
	if (n < 0)
		assert_int_equal(w.rx.produced, before);
}

static void index_claims(void **state)
{
	size_t i, f;

	(void)state;
	for (f = 0; f < ROWS(FIRSTS); f++) {
		for (i = 0; i < ROWS(CONSUMED_CLAIMS); i++)
			consumed_claim(i, FIRSTS[f]);
		for (i = 0; i < ROWS(PRODUCED_CLAIMS); i++)
			produced_claim(i, FIRSTS[f]);
	}
}

/* The largest ring there is: its size is half of what an int can say. */
static void claims_of_the_largest_ring(void **state)
{
	struct one_way w;

	(void)state;
	open_ring(&w, 1u << 30, 0xfffffff0);
	assert_int_equal(ur_producer_room(&w.tx), 1 << 30);
	ur_store_once(&w.produced, 0xfffffff0 + (1u << 30));
	assert_int_equal(ur_consumer_data(&w.rx), 1 << 30);
	ur_store_once(&w.produced, 0xfffffff0 + (1u << 30) + 1);
	assert_int_equal(ur_consumer_data(&w.rx), UR_PEER_BROKEN);
}

/* ring_bytes 64: where the bytes with these indices lie. */
static const struct {
	u32 index, bytes;
	u32 at, first, second;
} SPANS[] = {
	/* 1 */ { 0, 0, 0, 0, 0 },
	/* 2 */ { 0, 64, 0, 64, 0 },
	/* 3 */ { 10, 54, 10, 54, 0 },
	/* 4 */ { 10, 55, 10, 54, 1 },
	/* 5 */ { 63, 1, 63, 1, 0 },
	/* 6 */ { 63, 2, 63, 1, 1 },
	/* 7 */ { 63, 64, 63, 1, 63 },
	/* 8 */ { 64, 64, 0, 64, 0 },
	/* 9 */ { 0xffffffff, 2, 63, 1, 1 },	/* the index wraps as the ring does */
	/* 10 */ { 0xffffffc0, 64, 0, 64, 0 },
	/* 11 */ { 0x80000001, 63, 1, 63, 0 },
	/* 12 */ { 0x7fffffff, 1, 63, 1, 0 },
};

static void span_rows(void **state)
{
	struct one_way w;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(SPANS); i++) {
		struct ur_span own[2];
		struct ur_peer_span peer[2];

		open_ring(&w, 64, SPANS[i].index);
		ur_producer_spans(&w.tx, SPANS[i].bytes, own);
		ur_consumer_spans(&w.rx, SPANS[i].bytes, peer);
		if (own[0].at != w.data + SPANS[i].at ||
		    own[0].bytes != SPANS[i].first ||
		    own[1].at != w.data || own[1].bytes != SPANS[i].second)
			row_fails("row %zu: producer %td + %u, %u", i + 1,
				  own[0].at - w.data, own[0].bytes, own[1].bytes);
		if (peer[0].at != w.data + SPANS[i].at ||
		    peer[0].bytes != SPANS[i].first ||
		    peer[1].at != w.data || peer[1].bytes != SPANS[i].second)
			row_fails("row %zu: consumer %td + %u, %u", i + 1,
				  peer[0].at - w.data, peer[0].bytes,
				  peer[1].bytes);
	}
}

/* SPEC section 5: what is stored when one goes to sleep for `low` bytes. */
static const struct {
	u32 index, low;
	u32 data_event, space_event;
} ARMS[] = {
	/* 1 */ { 0, 1, 0, 0xffffffc0 },
	/* 2 */ { 0, 64, 63, 0xffffffff },
	/* 3 */ { 100, 1, 100, 36 },
	/* 4 */ { 100, 10, 109, 45 },
	/* 5 */ { 0xffffffff, 1, 0xffffffff, 0xffffffbf },
	/* 6 */ { 0xffffffff, 2, 0, 0xffffffc0 },
	/* 7 */ { 0x7fffffff, 64, 0x8000003e, 0x7ffffffe },
};

static void arm_rows(void **state)
{
	struct one_way w;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(ARMS); i++) {
		u32 data, space;

		open_ring(&w, 64, ARMS[i].index);
		assert_int_equal(ur_consumer_arm(&w.rx, ARMS[i].low), 0);
		assert_int_equal(ur_producer_arm(&w.tx, ARMS[i].low), 64);
		data = ur_load_once(&w.data_event);
		space = ur_load_once(&w.space_event);
		if (data != ARMS[i].data_event || space != ARMS[i].space_event)
			row_fails("row %zu: data %x, space %x", i + 1, data,
				  space);
	}
}

/* The doorbell comes with exactly the byte that was asked for. */
static void a_sleeper_is_rung_once_and_in_time(void **state)
{
	u32 f, low, at;

	(void)state;
	for (f = 0; f < ROWS(FIRSTS); f++)
		for (low = 1; low <= 64; low++) {
			struct one_way w;

			open_ring(&w, 64, FIRSTS[f]);
			assert_int_equal(ur_consumer_arm(&w.rx, low), 0);
			for (at = 1; at <= 64; at++)
				assert_int_equal(ur_producer_publish(&w.tx, 1),
						 at == low);
			assert_int_equal(ur_producer_arm(&w.tx, low), 0);
			assert_int_equal(ur_consumer_data(&w.rx), 64);
			for (at = 1; at <= 64; at++)
				assert_int_equal(ur_consumer_release(&w.rx, 1),
						 at == low);
		}
}

static void arm_sees_what_came_before(void **state)
{
	struct one_way w;
	bool rings;

	(void)state;
	open_ring(&w, 64, 0xffffffff);
	rings = ur_producer_publish(&w.tx, 5);
	assert_true(rings); /* the first byte always does */
	assert_int_equal(ur_consumer_arm(&w.rx, 5), 5);
	rings = ur_consumer_release(&w.rx, 2);
	assert_true(rings);
	assert_int_equal(ur_producer_arm(&w.tx, 61), 61);
}

static void arm_refuses_what_cannot_be(void **state)
{
	struct one_way w;

	(void)state;
	open_ring(&w, 64, 5);
	ur_store_once(&w.produced, 4);
	ur_store_once(&w.consumed, 6);
	assert_int_equal(ur_consumer_arm(&w.rx, 1), UR_PEER_BROKEN);
	assert_int_equal(ur_producer_arm(&w.tx, 1), UR_PEER_BROKEN);
}

/* The handle is the truth: what was published is never read back. */
static void own_words_are_not_read_back(void **state)
{
	struct one_way w;
	bool rings;

	(void)state;
	open_ring(&w, 64, 0);
	rings = ur_producer_publish(&w.tx, 10);
	ur_store_once(&w.produced, 999);
	assert_int_equal(ur_producer_room(&w.tx), 54);
	rings |= ur_producer_publish(&w.tx, 1);
	assert_int_equal(ur_load_once(&w.produced), 11);
	assert_int_equal(ur_consumer_data(&w.rx), 11);
	rings |= ur_consumer_release(&w.rx, 4);
	ur_store_once(&w.consumed, 999);
	assert_int_equal(ur_consumer_data(&w.rx), 7);
	rings |= ur_consumer_release(&w.rx, 1);
	assert_int_equal(ur_load_once(&w.consumed), 5);
	assert_true(rings);
}

/* ---- a stream, against a count ------------------------------------------- */

static u32 draw(u32 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static u8 byte_at(u64 index)
{
	return (u8)(index * 31 + (index >> 8));
}

static u64 put_some(struct one_way *w, u64 at, u32 most)
{
	int room = ur_producer_room(&w->tx);
	u32 n = (u32)room < most ? (u32)room : most, i;
	struct ur_span s[2];
	bool rings;

	assert_true(room >= 0);
	ur_producer_spans(&w->tx, n, s);
	for (i = 0; i < n; i++)
		*(i < s[0].bytes ? &s[0].at[i] : &s[1].at[i - s[0].bytes]) =
			byte_at(at + i);
	rings = ur_producer_publish(&w->tx, n);
	(void)rings;
	return at + n;
}

static u64 get_some(struct one_way *w, u64 at, u32 most)
{
	int data = ur_consumer_data(&w->rx);
	u32 n = (u32)data < most ? (u32)data : most, i;
	struct ur_peer_span s[2];
	bool rings;

	assert_true(data >= 0);
	ur_consumer_spans(&w->rx, n, s);
	for (i = 0; i < n; i++)
		assert_int_equal(i < s[0].bytes ? s[0].at[i] :
						  s[1].at[i - s[0].bytes],
				 byte_at(at + i));
	rings = ur_consumer_release(&w->rx, n);
	(void)rings;
	return at + n;
}

static void bytes_come_out_as_they_went_in(void **state)
{
	u32 ring, f, x = 1;

	(void)state;
	for (ring = 64; ring <= 4096; ring *= 4)
		for (f = 0; f < ROWS(FIRSTS); f++) {
			struct one_way w;
			u64 in = 0, out = 0;

			open_ring(&w, ring, FIRSTS[f]);
			while (out < 20000) {
				in = put_some(&w, in, draw(&x) % (2 * ring));
				assert_true(in - out <= ring);
				out = get_some(&w, out, draw(&x) % (2 * ring));
				assert_true(out <= in);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_ring_is_empty),
		cmocka_unit_test(index_claims),
		cmocka_unit_test(claims_of_the_largest_ring),
		cmocka_unit_test(span_rows),
		cmocka_unit_test(arm_rows),
		cmocka_unit_test(a_sleeper_is_rung_once_and_in_time),
		cmocka_unit_test(arm_sees_what_came_before),
		cmocka_unit_test(arm_refuses_what_cannot_be),
		cmocka_unit_test(own_words_are_not_read_back),
		cmocka_unit_test(bytes_come_out_as_they_went_in),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
