// SPDX-License-Identifier: BSD-2-Clause
/*
 * A peer that writes whatever it likes into its outbox, whenever it likes.
 *
 *      end under test      guard | own outbox rw | guard | peer's, read-only | guard
 *      the hostile one     the peer's outbox once more, rw; ours, read-only
 *
 * A store of the end under test outside its own outbox ends the program. What
 * its calls return is checked here, and what they leave in its own outbox; and
 * whatever was done to it, an honest peer brings the link up again.
 */
#define _GNU_SOURCE
#include "pair.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define RING 256u
#define CHANNELS 4u
#define SECONDS 2 /* each way to be hostile */
#define SECONDS_MAX 60

static struct ur_header_shm *own_rw, *peer_rw;
static const struct ur_header_shm *own_ro, *peer_ro;
static struct ur_geometry G;
static struct ur_link L;	/* under test: end A */
static struct ur_link H;	/* an honest end B, when there is one */

static void *map_guarded(int fd, int protection, off_t offset)
{
	u8 *at = mmap(NULL, PAIR_OUTBOX + 2 * PAIR_GUARD, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	at = mmap(at + PAIR_GUARD, PAIR_OUTBOX, protection,
		  MAP_SHARED | MAP_FIXED, fd, offset);
	assert_true(at != MAP_FAILED);
	return at;
}

static int setup(void **state)
{
	int fd = memfd_create("hostile", 0);
	struct ur_fault f;

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * PAIR_OUTBOX), 0);
	own_rw = map_guarded(fd, PROT_READ | PROT_WRITE, 0);
	own_ro = map_guarded(fd, PROT_READ, 0);
	peer_rw = map_guarded(fd, PROT_READ | PROT_WRITE, PAIR_OUTBOX);
	peer_ro = map_guarded(fd, PROT_READ, PAIR_OUTBOX);
	close(fd);
	assert_int_equal(ur_geometry_init(&G, PAIR_OUTBOX, CHANNELS, RING, &f), 0);
	return 0;
}

/* ---- what must hold, whatever the peer does ------------------------------ */

static const char *wrong;	/* set where an assert cannot be used */

static void expect(bool holds, const char *what)
{
	if (!holds && !wrong)
		wrong = what;
}

static const int RESULTS[] = { UR_TRY_AGAIN, UR_TRY_BUSY, UR_PEER_REFUSED,
			       UR_PEER_RESET, UR_PEER_CLOSED, UR_PEER_DOWN,
			       UR_PEER_BROKEN, UR_BUG_STATE };

static void expect_result(int n, u32 most)
{
	size_t i;

	for (i = 0; i < ROWS(RESULTS); i++)
		if (n == RESULTS[i])
			return;
	expect(n >= 0 && (u32)n <= most, "a result out of bounds");
}

static void expect_span(const void *at, u32 bytes, const void *box, u32 c)
{
	const u8 *ring = (const u8 *)box + G.data_offset + c * RING;

	expect(bytes == 0 || ((const u8 *)at >= ring &&
			      (const u8 *)at + bytes <= ring + RING),
	       "a span outside its ring");
}

/* Everything in our outbox that nobody has a reason to write. */
static void expect_own_outbox(void)
{
	const u32 *words = (const u32 *)own_rw;
	u32 i;

	for (i = 0x50 / 4; i < 0x100 / 4; i++)
		expect(words[i] == 0xeeeeeeee, "reserved header words changed");
	for (i = (0x100 + CHANNELS * 0x100) / 4; i < G.data_offset / 4; i++)
		expect(words[i] == 0xeeeeeeee, "the gap before the rings changed");
	for (i = (G.data_offset + CHANNELS * RING) / 4; i < PAIR_OUTBOX / 4; i++)
		expect(words[i] == 0xeeeeeeee, "bytes behind the rings changed");
	expect(ur_load_once(&own_rw->epoch) == L.epoch, "our epoch changed");
	expect(ur_load_once(&own_rw->magic) == UR_MAGIC, "our header changed");
}

static void fresh(void)
{
	memset(own_rw, 0xee, PAIR_OUTBOX);
	memset(peer_rw, 0, PAIR_OUTBOX);
	memset(&L, 0, sizeof(L));
	memset(&H, 0, sizeof(H));
	ur_link_start(&L, &G, UR_END_A, own_rw, peer_ro);
}

/*
 * The hostile one's supervisor ended it. Without that its successor, which finds
 * an `epoch_last` that need not be true, might take an epoch that we refused.
 */
static void honest_peer(void)
{
	int i;

	ur_link_declare_down(peer_rw);
	ur_link_look(&L);
	memset(&H, 0, sizeof(H));
	ur_link_start(&H, &G, UR_END_B, peer_rw, own_ro);
	for (i = 0; i < 3; i++) {
		ur_link_look(&L);
		ur_link_look(&H);
	}
}

/* Every channel of both ends, a message each way. */
static void assert_honest_works(void)
{
	struct ur_link *ends[2] = { &L, &H };
	u32 c, service;
	u8 got[8];

	honest_peer();
	assert_int_equal(L.state, UR_LINK_UP);
	assert_int_equal(H.state, UR_LINK_UP);
	for (c = 0; c < CHANNELS; c++) {
		struct ur_link *us = ends[c & 1], *them = ends[!(c & 1)];
		struct ur_ticket t, u;

		assert_int_equal(ur_channel_call(us, 7, &t), 0);
		ur_link_look(them);
		assert_int_equal(ur_channel_called(them, 0, &service), (int)t.channel);
		assert_int_equal(ur_channel_accept(them, t.channel, &u), 0);
		assert_int_equal(ur_channel_answered(us, t), 0);
		assert_int_equal(pair_send(us, t, (const u8 *)"hello", 5), 5);
		assert_int_equal(pair_recv(them, u, got, 8), 5);
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(pair_send(them, u, (const u8 *)"yes", 3), 3);
		assert_int_equal(pair_recv(us, t, got, 8), 3);
		assert_memory_equal(got, "yes", 3);
	}
	expect_own_outbox();
	if (wrong)
		row_fails("%s", wrong);
}

/* ---- one call of everything ---------------------------------------------- */

static struct ur_ticket TICKETS[8];
static u8 BUFFER[2 * RING];

static void try_send(struct ur_ticket t, u32 want)
{
	struct ur_span s[2];
	int n = ur_channel_room(&L, t, want, s);

	expect_result(n, want < RING ? want : RING);
	if (n <= 0)
		return;
	expect(s[0].bytes + s[1].bytes == (u32)n, "spans of another length");
	expect_span(s[0].at, s[0].bytes, own_rw, t.channel);
	expect_span(s[1].at, s[1].bytes, own_rw, t.channel);
	memcpy(s[0].at, BUFFER, s[0].bytes);
	memcpy(s[1].at, BUFFER, s[1].bytes);
	expect_result(ur_channel_publish(&L, t, (u32)n), 0);
}

static void try_recv(struct ur_ticket t, u32 want)
{
	struct ur_peer_span s[2];
	int n = ur_channel_data(&L, t, want, s);

	expect_result(n, want < RING ? want : RING);
	if (n <= 0)
		return;
	expect(s[0].bytes + s[1].bytes == (u32)n, "spans of another length");
	expect_span(s[0].at, s[0].bytes, peer_ro, t.channel);
	expect_span(s[1].at, s[1].bytes, peer_ro, t.channel);
	memcpy(BUFFER, s[0].at, s[0].bytes);
	memcpy(BUFFER, s[1].at, s[1].bytes);
	expect_result(ur_channel_release(&L, t, (u32)n), 0);
}

static void try_answer(struct ur_ticket *t, bool refuse)
{
	u32 service;
	int c = ur_channel_called(&L, 0, &service);

	expect_result(c, CHANNELS - 1);
	if (c >= 0 && refuse)
		ur_channel_refuse(&L, (u32)c);
	else if (c >= 0)
		expect_result(ur_channel_accept(&L, (u32)c, t), 0);
}

static void do_one(u32 what, struct ur_ticket *t, u32 amount)
{
	switch (what) {
	case 0:
		ur_link_look(&L);
		break;
	case 1:
		expect_result(ur_channel_call(&L, amount, t), 0);
		break;
	case 2:
	case 3:
		try_answer(t, what == 2);
		break;
	case 4:
		expect_result(ur_channel_answered(&L, *t), 0);
		break;
	case 5:
		try_send(*t, amount + 1);
		break;
	case 6:
		try_recv(*t, amount + 1);
		break;
	case 7:
		expect_result(ur_channel_arm_room(&L, *t, amount), 0);
		break;
	case 8:
		expect_result(ur_channel_arm_data(&L, *t, amount), 0);
		break;
	case 9:
		expect_result(ur_channel_shut(&L, *t), 0);
		break;
	default:
		ur_channel_close(&L, *t, amount & 1);
	}
}

static void do_everything(u32 amount)
{
	u32 what, i;

	for (what = 0; what <= 10; what++)
		for (i = 0; i < ROWS(TICKETS); i++)
			do_one(what, &TICKETS[i], amount);
}

/* ---- each word, each value ----------------------------------------------- */

static const u32 VALUES[] = {
	0, 1, 2, 3, 5, RING - 1, RING, RING + 1, 2 * RING, 0x100, 0x101, 0x102,
	0x103, 0x104, 0x105, 0x106, 0x107, 0x1ff, 0x201, 0x301, 0x7fffffff,
	0x80000000, 0x80000001, 0xfffffeff, 0xffffff01, 0xffffff00, 0xfffffffe,
	0xffffffff, 0x4b4c5255, 0x00010000,
};

/* Two channels of each end open, bytes both ways. */
static void open_channels(void)
{
	u32 i, service;

	fresh();
	honest_peer();
	memset(TICKETS, 0, sizeof(TICKETS));
	for (i = 0; i < 4; i++) {
		struct ur_link *us = i & 1 ? &H : &L, *them = i & 1 ? &L : &H;
		struct ur_ticket theirs;
		int c;

		assert_int_equal(ur_channel_call(us, 7, i & 1 ? &theirs : &TICKETS[i]), 0);
		ur_link_look(them);
		c = ur_channel_called(them, 0, &service);
		assert_true(c >= 0);
		assert_int_equal(ur_channel_accept(them, (u32)c, i & 1 ? &TICKETS[i] : &theirs), 0);
		assert_int_equal(ur_channel_answered(us, i & 1 ? theirs : TICKETS[i]), 0);
		assert_int_equal(pair_send(&H, theirs, BUFFER, 10), 10);
		assert_int_equal(pair_send(&L, TICKETS[i], BUFFER, 20), 20);
	}
}

static void hostile_word(u32 offset, u32 value, bool later)
{
	ur_shm32 *word = (ur_shm32 *)((u8 *)peer_rw + offset);

	if (later) {
		open_channels();
		ur_store_release(word, value);
	} else {
		fresh();
		ur_link_start(&H, &G, UR_END_B, peer_rw, own_ro);
		ur_link_look(&L);
		ur_link_look(&H);
		ur_store_release(word, value);
	}
	do_everything(2 * RING - 1);
	do_everything(60);
	expect_own_outbox();
	if (wrong)
		row_fails("word 0x%x = 0x%x: %s", offset, value, wrong);
}

static void every_word_of_header_and_blocks(void **state)
{
	u32 offset, later;
	size_t v;

	(void)state;
	for (offset = 0; offset < 0x100 + 2 * 0x100; offset += 4)
		for (v = 0; v < ROWS(VALUES); v++)
			for (later = 0; later < 2; later++) {
				hostile_word(offset, VALUES[v], later);
				assert_honest_works();
			}
}

/* The peer's header before we acknowledge: a fault, or a word we ignore. */
static void every_header_word_at_the_start(void **state)
{
	u32 offset;
	size_t v;

	(void)state;
	for (offset = 0; offset < 0x40; offset += 4)
		for (v = 0; v < ROWS(VALUES); v++) {
			ur_shm32 *word = (ur_shm32 *)((u8 *)peer_rw + offset);
			bool matters;

			fresh();
			ur_link_start(&H, &G, UR_END_B, peer_rw, own_ro);
			matters = offset < 0x1c && ur_load_once(word) != VALUES[v];
			ur_store_release(word, VALUES[v]);
			ur_link_look(&L);
			ur_link_look(&H);
			ur_link_look(&L);
			if ((L.state == UR_LINK_BROKEN) != matters)
				row_fails("word 0x%x = 0x%x: state %d", offset,
					  VALUES[v], L.state);
			if (matters)
				assert_int_equal(L.fault.number, offset / 4 + 1);
			assert_honest_works();
		}
}

/* Every state and every generation, on a channel of ours and one of the peer's,
 * through every verb. What look() makes of them stands in unit/channel.c. */
static void every_control_word(void **state)
{
	static const u32 generations[] = { 0, 1, 2, 3, 0x7fffff, 0xffffff };
	u32 c, s;
	size_t g;

	(void)state;
	for (c = 0; c < 2; c++)
		for (s = 0; s < 256; s++)
			for (g = 0; g < ROWS(generations); g++) {
				open_channels();
				ur_store_release(&ur_block(peer_rw, c)->word,
						 generations[g] << 8 | s);
				do_everything(2 * RING - 1);
				if (wrong)
					row_fails("channel %u, word 0x%x: %s", c,
						  generations[g] << 8 | s, wrong);
				assert_honest_works();
			}
}

/* ---- a thread that never stops ------------------------------------------- */

struct random {
	u32 x;
};

static u32 draw(struct random *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 17;
	r->x ^= r->x << 5;
	return r->x;
}

static int stop;		/* atomic */
static int hostility;		/* which of the three below */

static ur_shm32 *some_word(struct random *r)
{
	u32 offset = draw(r) % 4 == 0 ? draw(r) % 0x50 :
					0x100 + draw(r) % (CHANNELS * 0x100);

	return (ur_shm32 *)((u8 *)peer_rw + (offset & ~3u));
}

/* Anything at all, anywhere. */
static void be_random(struct random *r)
{
	u32 i, burst = draw(r) % 64;

	for (i = 0; i < burst; i++)
		ur_store_release(some_word(r), draw(r));
	memset((u8 *)peer_rw + G.data_offset, (int)draw(r), CHANNELS * RING);
}

/* Values that could be true at some time: indices near ours, words in order. */
static void be_plausible(struct random *r)
{
	u32 c = draw(r) % CHANNELS;
	struct ur_block_shm *b = ur_block(peer_rw, c);
	const struct ur_block_shm *ours = ur_peer_block(own_ro, c);
	u32 near = draw(r) % 9 - 4;

	switch (draw(r) % 8) {
	case 0:
		ur_header_write(peer_rw, &G, UR_END_B);
		ur_store_release(&peer_rw->epoch, draw(r) % 4);
		break;
	case 1:
	case 2:
		ur_store_release(&peer_rw->seen, ur_load_once(&own_ro->epoch));
		break;
	case 3:
		ur_store_release(&b->word, ur_load_once(&ours->word) + near);
		break;
	case 4:
		ur_store_release(&b->word,
				 (ur_load_once(&ours->word) & ~0xffu) +
					 (near << 8) + draw(r) % 8);
		break;
	case 5:
		ur_store_release(&b->produced, ur_load_once(&b->produced) + near);
		break;
	case 6:
		ur_store_release(&b->consumed, ur_load_once(&ours->produced) + near);
		break;
	default:
		ur_store_release(&b->data_event, draw(r));
		ur_store_release(&b->space_event, draw(r));
	}
}

/* An honest end, most of the time. */
static void be_two_faced(struct random *r)
{
	static struct ur_ticket tickets[4];
	struct ur_ticket *t = &tickets[draw(r) % 4];
	static u8 bytes[RING];
	u32 service;
	int n = 0;

	switch (draw(r) % 10) {
	case 0:
		n = ur_channel_call(&H, draw(r), t);
		break;
	case 1:
	case 2:
		n = ur_channel_called(&H, 0, &service);
		if (n >= 0)
			n = ur_channel_accept(&H, (u32)n, t);
		break;
	case 3:
	case 4:
		n = pair_send(&H, *t, bytes, draw(r) % RING + 1);
		break;
	case 5:
	case 6:
		n = pair_recv(&H, *t, bytes, draw(r) % RING + 1);
		break;
	case 7:
		ur_channel_close(&H, *t, false);
		break;
	default:
		ur_link_look(&H);
	}
	(void)n;
	if (H.state == UR_LINK_BROKEN || draw(r) % 4096 == 0)
		ur_link_start(&H, &G, UR_END_B, peer_rw, own_ro);
	if (draw(r) % 256 == 0)
		ur_store_release(some_word(r), draw(r) % 2 ? draw(r) : draw(r) % 8);
}

static void *be_hostile(void *unused)
{
	static void (*const ways[])(struct random *) = { be_random, be_plausible,
							 be_two_faced };
	struct random r = { 88172645u };

	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		ways[hostility](&r);
	return NULL;
}

static u64 up_looks, calls_done;

static void live_with_it(struct random *r)
{
	struct ur_ticket *t = &TICKETS[draw(r) % ROWS(TICKETS)];

	do_one(draw(r) % 4 == 0 ? 0 : draw(r) % 11, t, draw(r) % (2 * RING));
	if (L.state == UR_LINK_BROKEN && draw(r) % 64 == 0)
		ur_link_start(&L, &G, UR_END_A, own_rw, peer_ro);
	up_looks += L.state == UR_LINK_UP;
	calls_done++;
}

/* What has to happen for a run to show anything. */
struct events {
	u64 up_looks;
	u64 received;		/* bytes */
	u64 faults;
};

static bool have_happened(const struct events *e)
{
	return up_looks >= e->up_looks && L.counters.faults >= e->faults &&
	       L.counters.bytes_received >= e->received;
}

/* Some time, and on a busy machine as long as it takes, with a limit. */
static bool goes_on(const struct timespec *start, const struct events *e)
{
	struct timespec now;
	long seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = now.tv_sec - start->tv_sec - (now.tv_nsec < start->tv_nsec);
	return seconds < (have_happened(e) ? SECONDS : SECONDS_MAX);
}

static void survive(int how, const struct events *e)
{
	struct random r = { 2463534242u };
	struct timespec start;
	pthread_t thread;
	int i;

	fresh();
	honest_peer();
	memset(TICKETS, 0, sizeof(TICKETS));
	hostility = how;
	stop = 0;
	up_looks = calls_done = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(pthread_create(&thread, NULL, be_hostile, NULL), 0);
	while (!wrong && goes_on(&start, e))
		for (i = 0; i < 1000; i++)
			live_with_it(&r);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# %llu calls, %llu with the link up, %llu bytes sent, %llu received, %llu faults, %llu epochs\n",
	       (unsigned long long)calls_done, (unsigned long long)up_looks,
	       (unsigned long long)L.counters.bytes_sent,
	       (unsigned long long)L.counters.bytes_received,
	       (unsigned long long)L.counters.faults,
	       (unsigned long long)L.counters.epochs);
	assert_true(have_happened(e));
	assert_honest_works();
}

static void a_thread_of_random_words(void **state)
{
	(void)state;
	survive(0, &(struct events){ 0 });
}

static void a_thread_of_plausible_words(void **state)
{
	(void)state;
	survive(1, &(struct events){ .up_looks = 1000, .faults = 10 });
}

static void an_end_that_is_honest_mostly(void **state)
{
	(void)state;
	survive(2, &(struct events){ .up_looks = 1000, .received = 1000,
				     .faults = 10 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_of_header_and_blocks),
		cmocka_unit_test(every_header_word_at_the_start),
		cmocka_unit_test(every_control_word),
		cmocka_unit_test(a_thread_of_random_words),
		cmocka_unit_test(a_thread_of_plausible_words),
		cmocka_unit_test(an_end_that_is_honest_mostly),
	};

	return cmocka_run_group_tests_name("hostile", tests, setup, NULL);
}
