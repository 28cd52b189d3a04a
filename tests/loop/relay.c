// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two routes through one relay, driven step by step in one process:
 *
 *      client end == link == | relay and guard | == link == device end      (0)
 *      client end == link == |                 | == link == device end      (1)
 *
 * Rings of 4 KiB and messages of up to 60 KiB, so that everything has to wait for
 * everything else. The linker puts __wrap_ur_channel_data() between the relay and
 * the rings: it sees who is asked first and can give less than there is.
 */
#define PAIR_OUTBOX (5u << 20)	/* four of the large rings */
#include "../unit/pair.h"
#include "relay.h"
#include "route.h"

#undef A
#undef B

#define RING 4096u
#define STREAM (1u << 20)
#define LARGE_RING (1u << 20)

struct stream {
	u8 *at;
	u32 bytes, done;
};

struct side {
	struct pair pair;
	struct ur_ticket ticket[2];	/* A: the end; B: the relay's */
	struct stream out, in;
};

static struct bed {
	struct side client, device;
	struct ur_route route;
	u8 buffer[2][ROUTE_ROOM];
} beds[2];
static struct ur_policy policy;
static struct ur_route *routes[2] = { &beds[0].route, &beds[1].route };
static struct ur_relay relay;
static u32 random_state = 7;
static u32 ring_bytes = RING;
static u32 bytes_at_once = ~0u;		/* of a ring, for the relay */
static const struct ur_link *asked_first;	/* by it; NULL: it may be set */

int __real_ur_channel_data(struct ur_link *l, struct ur_ticket t, u32 max,
			   struct ur_peer_span spans[2]);
int __wrap_ur_channel_data(struct ur_link *l, struct ur_ticket t, u32 max,
			   struct ur_peer_span spans[2]);

int __wrap_ur_channel_data(struct ur_link *l, struct ur_ticket t, u32 max,
			   struct ur_peer_span spans[2])
{
	if (!asked_first)
		asked_first = l;
	return __real_ur_channel_data(l, t, max < bytes_at_once ? max :
								bytes_at_once,
				      spans);
}

static u32 draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void side_open(struct side *s)
{
	pair_open(&s->pair, 4, ring_bytes);
	pair_up(&s->pair);
	pair_connect(&s->pair, UR_END_A, s->ticket);
	s->out = (struct stream){ calloc(1, STREAM), 0, 0 };
	s->in = (struct stream){ calloc(1, STREAM), 0, 0 };
}

static void side_close(struct side *s)
{
	pair_close(&s->pair);
	free(s->out.at);
	free(s->in.at);
}

static struct ur_relay_end relay_end(struct side *s)
{
	struct ur_relay_end end = { &s->pair.l[UR_END_B], s->ticket[UR_END_B] };

	return end;
}

static int setup(void **state)
{
	struct ur_limits limits = { ROUTE_TRANSFER, ROUTE_PACKETS };
	struct ur_refusal why;
	int i;

	(void)state;
	assert_int_equal(ur_policy_load(&policy, ALLOW_ALL, sizeof(ALLOW_ALL),
					&why), 0);
	for (i = 0; i < 2; i++) {
		u8 *buffers[2] = { beds[i].buffer[0], beds[i].buffer[1] };

		side_open(&beds[i].client);
		side_open(&beds[i].device);
		assert_int_equal(ur_route_init(&beds[i].route,
					       relay_end(&beds[i].client),
					       relay_end(&beds[i].device),
					       &policy, "client1", &limits,
					       buffers, ROUTE_ROOM), 0);
	}
	relay = (struct ur_relay){ routes, 2, 0 };
	return 0;
}

static int setup_large(void **state)
{
	ring_bytes = LARGE_RING;
	return setup(state);
}

static int teardown(void **state)
{
	int i;

	(void)state;
	bytes_at_once = ~0u;
	ring_bytes = RING;
	for (i = 0; i < 2; i++) {
		side_close(&beds[i].client);
		side_close(&beds[i].device);
	}
	return 0;
}

/* M, at the end of what that side sends. */
static void say(struct side *s)
{
	assert_true(s->out.bytes + M.bytes <= STREAM);
	memcpy(s->out.at + s->out.bytes, M.at, M.bytes);
	s->out.bytes += M.bytes;
}

static int side_step(struct side *s)
{
	struct ur_link *l = &s->pair.l[UR_END_A];
	struct ur_ticket t = s->ticket[UR_END_A];
	u32 want = 1 + draw() % 700, left = s->out.bytes - s->out.done;
	int n = 0;

	ur_link_look(l);
	ur_link_look(&s->pair.l[UR_END_B]);
	if (left > 0)
		n = pair_send(l, t, s->out.at + s->out.done,
			      left < want ? left : want);
	if (n > 0)
		s->out.done += (u32)n;
	n = pair_recv(l, t, s->in.at + s->in.bytes,
		      s->in.bytes + want < STREAM ? want : 1);
	if (n > 0)
		s->in.bytes += (u32)n;
	return n;
}

static void run(u32 steps)
{
	while (steps-- > 0) {
		int i;

		for (i = 0; i < 2; i++) {
			if (draw() % 4)
				(void)side_step(&beds[i].client);
			if (draw() % 4)
				(void)side_step(&beds[i].device);
		}
		(void)!ur_relay_turn(&relay);
		if (draw() % 16 == 0)
			(void)!ur_relay_arm(&relay);
	}
}

static void came_through(const struct side *from, const struct side *to)
{
	assert_int_equal(to->in.bytes, from->out.bytes);
	assert_memory_equal(to->in.at, from->out.at, from->out.bytes);
}

/* Import and enumeration of the disk: said by each side, in step. */
static void enumerate(struct bed *b)
{
	const struct test_device *d = &TEST_DEVICES[0];
	const u8 setups[4][8] = { { 0x80, 6, 0, 1, 0, 0, 18, 0 },
				  { 0x80, 6, 0, 2, 0, 0, 9, 0 },
				  { 0x80, 6, 0, 2, 0, 0, 0xff, 0 },
				  { 0, 9, 1, 0, 0, 0, 0, 0 } };
	const u8 *datas[4] = { d->device, d->configuration, d->configuration,
			       NULL };
	const u32 bytes[4] = { 18, 9, d->configuration_bytes, 0 };
	u32 i, k;

	put_import(&M, "1-1");
	say(&b->client);
	run(200);
	put_imported(&M, d, "1-1");
	say(&b->device);
	run(200);
	for (i = 0; i < 4; i++) {
		put_submit(&M, i, setups[i][0] >> 7, 0, setups[i][6], 0,
			   setups[i]);
		say(&b->client);
		run(60);
		put_ret(&M, i, 0, bytes[i], 0, 0);
		for (k = 0; k < bytes[i]; k++)
			put8(&M, datas[i][k]);
		say(&b->device);
		run(60);
	}
	assert_int_equal(b->route.guard.state, UR_GUARD_APPROVED);
}

/* A read and a write of that many bytes, both answered. */
static void transfer(struct bed *b, u32 seqnum, u32 bytes)
{
	u32 i;

	put_submit(&M, seqnum, UR_DIR_IN, 1, bytes, 0, NULL);
	say(&b->client);
	put_submit(&M, seqnum + 1, UR_DIR_OUT, 2, bytes, 0, NULL);
	for (i = 0; i < bytes; i++)
		put8(&M, draw());
	say(&b->client);
	run(bytes / 8 + 200);
	put_ret(&M, seqnum, 0, bytes, 0, 0);
	for (i = 0; i < bytes; i++)
		put8(&M, draw());
	say(&b->device);
	put_ret(&M, seqnum + 1, 0, bytes, 0, 0);
	say(&b->device);
	run(bytes / 8 + 200);
}

static void test_honest(void **state)
{
	(void)state;
	enumerate(&beds[0]);
	enumerate(&beds[1]);
	transfer(&beds[0], 100, 60000);
	transfer(&beds[1], 100, 1);
	transfer(&beds[0], 200, 31);
	came_through(&beds[0].client, &beds[0].device);
	came_through(&beds[0].device, &beds[0].client);
	came_through(&beds[1].client, &beds[1].device);
	came_through(&beds[1].device, &beds[1].client);
	assert_int_equal(beds[0].route.state, UR_ROUTE_OPEN);
	assert_int_equal(beds[0].route.guard.session.outstanding, 0);
}

/* The receiver does not read: its route stops, holds one message, loses nothing. */
static void test_back_pressure(void **state)
{
	struct side *client = &beds[0].client;
	u32 i, k;

	(void)state;
	enumerate(&beds[0]);
	for (i = 0; i < 100; i++) {
		put_submit(&M, 100 + i, UR_DIR_OUT, 2, 200, 0, NULL);
		for (k = 0; k < 200; k++)
			put8(&M, draw());
		say(client);
	}
	for (i = 0; i < 2000; i++) {
		(void)side_step(client);
		(void)!ur_relay_turn(&relay);
	}
	assert_true(client->out.done < client->out.bytes);
	assert_true(beds[0].route.gate[UR_TO_DEVICE].is_ready);
	assert_true(ur_relay_arm(&relay));
	transfer(&beds[0], 1000, 10);
	came_through(client, &beds[0].device);
}

/* ---- a turn is bounded ---------------------------------------------------------- */

static void say_requests(struct bed *b, u32 seqnum, u32 count)
{
	const u8 status[8] = { 0x80, 0, 0, 0, 0, 0, 2, 0 };
	u32 i;

	for (i = 0; i < count; i++) {
		put_submit(&M, seqnum + i, UR_DIR_IN, 0, 2, 0, status);
		say(&b->client);
	}
}

static void say_answers(struct bed *b, u32 seqnum, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		put_ret(&M, seqnum + i, (u32)-32, 0, 0, 0);
		say(&b->device);
	}
}

/* All of it into the ring, without a turn. */
static void fill_ring(struct side *s)
{
	while (s->out.done < s->out.bytes)
		(void)side_step(s);
}

/* How many messages of the first route pass in one turn. */
static u32 turn_passes(struct bed *b, u32 part[2])
{
	u64 before[2] = { b->route.guard.passed[0], b->route.guard.passed[1] };
	u32 i;

	asked_first = NULL;
	assert_true(ur_relay_turn(&relay));
	for (i = 0; i < 2; i++)
		part[i] = (u32)(b->route.guard.passed[i] - before[i]);
	return part[0] + part[1];
}

/* 80 messages lie in the ring and the other one has room: a turn passes 64. */
static void test_turn_is_bounded(void **state)
{
	struct bed *b = &beds[0];
	u32 part[2];

	(void)state;
	enumerate(b);
	say_requests(b, 500, 80);
	fill_ring(&b->client);
	assert_int_equal(turn_passes(b, part), 64);
	assert_int_equal(part[UR_TO_DEVICE], 64);
	run(200);
	say_answers(b, 500, 80);
	fill_ring(&b->device);
	assert_int_equal(turn_passes(b, part), 64);
	assert_int_equal(part[UR_TO_CLIENT], 64);
}

/* 80 in both rings: 64 of one direction, and in the next turn of the other one. */
static void test_turn_is_shared(void **state)
{
	struct bed *b = &beds[0];
	u32 part[2], other[2];

	(void)state;
	enumerate(b);
	say_requests(b, 500, 80);
	run(200);
	say_requests(b, 600, 80);
	say_answers(b, 500, 80);
	fill_ring(&b->client);
	fill_ring(&b->device);
	assert_int_equal(turn_passes(b, part), 64);
	assert_int_equal(turn_passes(b, other), 64);
	assert_int_equal(part[UR_TO_DEVICE] + other[UR_TO_DEVICE], 64);
	assert_int_equal(part[UR_TO_CLIENT] + other[UR_TO_CLIENT], 64);
}

/*
 * Twelve writes of 60048 bytes, each taken and put: after nine of them more than
 * 1 MiB was moved, after eight and the half of the ninth not yet.
 */
static void test_turn_moves_a_mebibyte(void **state)
{
	struct bed *b = &beds[0];
	u32 i, k, part[2];

	(void)state;
	enumerate(b);
	for (i = 0; i < 12; i++) {
		put_submit(&M, 500 + i, UR_DIR_OUT, 2, 60000, 0, NULL);
		for (k = 0; k < 60000; k++)
			put8(&M, k);
		say(&b->client);
	}
	fill_ring(&b->client);
	assert_int_equal(turn_passes(b, part), 9);
	assert_int_equal(turn_passes(b, part), 3);
	run(8000);
	came_through(&b->client, &b->device);
}

/* A ring that gives a byte at a time: 49 steps a message, 10 of them in 512. */
static void test_turn_has_512_steps(void **state)
{
	struct bed *b = &beds[0];
	u32 part[2];

	(void)state;
	enumerate(b);
	say_requests(b, 500, 30);
	fill_ring(&b->client);
	bytes_at_once = 1;
	assert_int_equal(turn_passes(b, part), 10);
}

/* The next route goes first in the next turn. */
static void test_turns_rotate(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++) {
		const struct bed *b = &beds[i % 2];

		asked_first = NULL;
		(void)!ur_relay_turn(&relay);
		assert_true(asked_first == &b->client.pair.l[UR_END_B] ||
			    asked_first == &b->device.pair.l[UR_END_B]);
	}
}

static void is_reset(struct side *s)
{
	int i, n = 0;

	for (i = 0; i < 4000 && n != UR_PEER_RESET; i++)
		n = side_step(s);
	assert_int_equal(n, UR_PEER_RESET);
}

/* A refused answer: nothing of it arrives, both ends are reset, the neighbour not. */
static void test_refused(void **state)
{
	u32 i, before;

	(void)state;
	enumerate(&beds[0]);
	enumerate(&beds[1]);
	put_submit(&M, 9, UR_DIR_IN, 1, 512, 0, NULL);
	say(&beds[0].client);
	run(200);
	before = beds[0].client.in.bytes;
	put_ret(&M, 9, 0, 1024, 0, 0);
	for (i = 0; i < 1024; i++)
		put8(&M, 0xee);
	say(&beds[0].device);
	run(2000);
	assert_int_equal(beds[0].route.state, UR_ROUTE_REFUSED);
	assert_int_equal(beds[0].route.guard.verdict.reason, UR_REASON_LENGTH);
	assert_int_equal(beds[0].client.in.bytes, before);
	is_reset(&beds[0].client);
	is_reset(&beds[0].device);
	transfer(&beds[1], 100, 5000);
	came_through(&beds[1].client, &beds[1].device);
	came_through(&beds[1].device, &beds[1].client);
}

/*
 * A forbidden change: the device does not hear of it, the client gets a stall of it,
 * not into the middle of another answer, and the route goes on.
 */
static void test_stalled(void **state)
{
	const u8 set_interface[8] = { 1, 11, 0, 0, 0, 0, 0, 0 };
	struct bed *b = &beds[0];
	u32 said, heard, i;

	(void)state;
	enumerate(b);
	b->route.guard.decision.denied_changes = UR_CHANGE_INTERFACE;
	said = b->device.in.bytes;
	heard = b->client.in.bytes;
	put_submit(&M, 8, UR_DIR_IN, 1, 512, 0, NULL);
	say(&b->client);
	run(100);
	put_ret(&M, 8, 0, 512, 0, 0);
	for (i = 0; i < 512; i++)
		put8(&M, i);
	M.bytes -= 100;
	say(&b->device);
	run(200);
	for (i = 9; i < 11; i++) {
		put_submit(&M, i, UR_DIR_OUT, 0, 0, 0, set_interface);
		say(&b->client);
	}
	run(200);
	assert_int_equal(b->client.in.bytes, heard);
	assert_true(ur_relay_arm(&relay));
	M.bytes = 0;
	for (i = 412; i < 512; i++)
		put8(&M, i);
	say(&b->device);
	run(200);
	assert_int_equal(b->device.in.bytes, said + 48);
	assert_int_equal(b->client.in.bytes, heard + 48 + 512 + 2 * 48);
	for (i = 9; i < 11; i++) {
		put_ret(&M, i, (u32)-32, 0, 0, 0);
		assert_memory_equal(b->client.in.at + heard + 48 + 512 +
				    (i - 9) * 48, M.at, 48);
	}
	assert_int_equal(b->route.guard.stalled, 2);
	put_submit(&M, 100, UR_DIR_IN, 1, 8, 0, NULL);
	say(&b->client);
	run(100);
	assert_int_equal(b->device.in.bytes, said + 96);
}

/* Half a message and then the end of the stream: the half arrives nowhere. */
static void test_ends_in_the_middle(void **state)
{
	struct side *client = &beds[0].client;
	u32 before;

	(void)state;
	enumerate(&beds[0]);
	before = beds[0].device.in.bytes;
	put_submit(&M, 9, UR_DIR_OUT, 2, 512, 0, NULL);
	put_zeros(&M, 300);
	say(client);
	run(500);
	assert_int_equal(beds[0].route.state, UR_ROUTE_OPEN);
	assert_int_equal(ur_channel_shut(&client->pair.l[UR_END_A],
					 client->ticket[UR_END_A]), 0);
	run(50);
	assert_int_equal(beds[0].route.state, UR_ROUTE_BROKEN);
	assert_int_equal(beds[0].device.in.bytes, before);
	is_reset(&beds[0].device);
}

/* An orderly end of one direction is handed on, and the other one still flows. */
static void test_ends_in_order(void **state)
{
	struct bed *b = &beds[0];
	struct side *c = &b->client, *d = &b->device;

	(void)state;
	enumerate(b);
	put_submit(&M, 9, UR_DIR_IN, 1, 8, 0, NULL);
	say(c);
	run(200);
	assert_int_equal(ur_channel_shut(&c->pair.l[UR_END_A],
					 c->ticket[UR_END_A]), 0);
	run(50);
	assert_int_equal(side_step(d), 0);
	put_ret(&M, 9, 0, 8, 0, 0);
	put_zeros(&M, 8);
	say(d);
	run(200);
	came_through(d, c);
	assert_int_equal(ur_channel_shut(&d->pair.l[UR_END_A],
					 d->ticket[UR_END_A]), 0);
	run(50);
	assert_int_equal(b->route.state, UR_ROUTE_ENDED);
	assert_int_equal(side_step(c), 0);
}

/* One end hangs up, the other one says nothing and keeps its channel: that is the end. */
static void test_hangs_up(void **state)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct bed *b = &beds[0];
		struct side *goes = i ? &b->device : &b->client;
		struct side *stays = i ? &b->client : &b->device;

		enumerate(b);
		ur_channel_close(&goes->pair.l[UR_END_A],
				 goes->ticket[UR_END_A], false);
		run(50);
		assert_int_equal(b->route.state, UR_ROUTE_ENDED);
		assert_int_equal(side_step(stays), 0);
		teardown(state);
		setup(state);
	}
}

#define relay_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		relay_test(test_honest),
		relay_test(test_back_pressure),
		relay_test(test_turn_is_bounded),
		relay_test(test_turn_is_shared),
		cmocka_unit_test_setup_teardown(test_turn_moves_a_mebibyte,
						setup_large, teardown),
		relay_test(test_turn_has_512_steps),
		relay_test(test_turns_rotate),
		relay_test(test_refused),
		relay_test(test_stalled),
		relay_test(test_ends_in_the_middle),
		relay_test(test_ends_in_order),
		relay_test(test_hangs_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
