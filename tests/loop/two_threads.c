// SPDX-License-Identifier: BSD-2-Clause
/*
 * The core between threads, as its owners are told to use it.
 *
 *      end A: a caller, and a thread that sends      end B: an echo
 *            \____ one lock ____/
 *
 * Bytes are copied without the lock. Who waits sleeps until the doorbell, with
 * no watchdog: a wake-up that gets lost is a test that fails. The doorbell is a
 * relaxed counter, so that nothing but the ring's own words orders the bytes.
 * Built twice: with -fsanitize=thread, which finds a missing acquire or release,
 * and plain and fast, which finds a missing fence.
 */
#include "pair.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#ifndef ROUNDS
#define ROUNDS 150
#endif
#define BYTES 6000u
#define ASLEEP_S 10 /* so long nobody is rung only if the wake-up is lost */

struct side {
	struct ur_link l;
	pthread_mutex_t lock;
	u32 rung;		/* atomic: doorbells for this side */
	struct side *other;
};

static struct side SIDES[2];
static const char *wrong; /* atomic; set by any thread, all give up */

static void fail_all(const char *what)
{
	__atomic_store_n(&wrong, what, __ATOMIC_RELAXED);
}

static bool has_failed(void)
{
	return __atomic_load_n(&wrong, __ATOMIC_RELAXED) != NULL;
}

static u32 lock(struct side *s)
{
	pthread_mutex_lock(&s->lock);
	return __atomic_load_n(&s->rung, __ATOMIC_RELAXED);
}

static void unlock(struct side *s)
{
	bool ring = ur_link_take_bell(&s->l);

	pthread_mutex_unlock(&s->lock);
	if (ring)
		__atomic_fetch_add(&s->other->rung, 1, __ATOMIC_RELAXED);
}

/* Sleep: until rung after `before` was read. */
static void sleep_until_rung(struct side *s, u32 before)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (__atomic_load_n(&s->rung, __ATOMIC_RELAXED) == before) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > ASLEEP_S)
			fail_all("asleep, and nobody rings");
		if (has_failed())
			return;
	}
}

static u8 byte_at(u32 round, u32 at)
{
	return (u8)(round * 151 + at * 31 + (at >> 8));
}

/* One turn; 0: the end, or nothing more to say. */
static int send_some(struct side *s, struct ur_ticket t, const u8 *from, u32 want)
{
	struct ur_span spans[2];
	int n, done;
	u32 rung;

	rung = lock(s);
	ur_link_look(&s->l);
	n = ur_channel_room(&s->l, t, want, spans);
	if (n == UR_TRY_AGAIN)
		n = ur_channel_arm_room(&s->l, t, want / 2);
	unlock(s);
	if (n == UR_TRY_AGAIN)
		sleep_until_rung(s, rung);
	if (n <= 0)
		return n == UR_TRY_AGAIN ? 0 : n;
	ur_copy(spans[0].at, from, spans[0].bytes);
	ur_copy(spans[1].at, from + spans[0].bytes, spans[1].bytes);
	lock(s);
	done = ur_channel_publish(&s->l, t, (u32)n);
	unlock(s);
	return done < 0 ? done : n;
}

/* One turn; UR_TRY_AGAIN: come again. 0: end of stream. */
static int recv_some(struct side *s, struct ur_ticket t, u8 *to, u32 want)
{
	struct ur_peer_span spans[2];
	int n, done;
	u32 rung;

	rung = lock(s);
	ur_link_look(&s->l);
	n = ur_channel_data(&s->l, t, want, spans);
	if (n == UR_TRY_AGAIN && ur_channel_arm_data(&s->l, t, 1) != UR_TRY_AGAIN)
		rung--; /* look again at once */
	unlock(s);
	if (n == UR_TRY_AGAIN)
		sleep_until_rung(s, rung);
	if (n <= 0)
		return n;
	ur_copy(to, spans[0].at, spans[0].bytes);
	ur_copy(to + spans[0].bytes, spans[1].at, spans[1].bytes);
	lock(s);
	done = ur_channel_release(&s->l, t, (u32)n);
	unlock(s);
	return done < 0 ? done : n;
}

/* ---- end B: an echo ------------------------------------------------------ */

static bool wait_for_call(struct side *s, struct ur_ticket *t)
{
	u32 rung, service;
	int c;

	while (!has_failed()) {
		rung = lock(s);
		ur_link_look(&s->l);
		c = ur_channel_called(&s->l, 0, &service);
		if (c >= 0)
			c = ur_channel_accept(&s->l, (u32)c, t);
		unlock(s);
		if (c == 0)
			return true;
		sleep_until_rung(s, rung);
	}
	return false;
}

static void echo(struct side *s, struct ur_ticket t)
{
	u8 buffer[97];
	int n, sent, m;

	while (!has_failed()) {
		n = recv_some(s, t, buffer, sizeof(buffer));
		if (n == 0)
			break;
		if (n < 0 && n != UR_TRY_AGAIN)
			fail_all("the echo cannot receive");
		for (sent = 0; n > 0 && sent < n && !has_failed(); sent += m) {
			m = send_some(s, t, buffer + sent, (u32)(n - sent));
			if (m < 0)
				fail_all("the echo cannot send");
		}
	}
}

static void *echo_thread(void *arg)
{
	struct side *s = arg;
	struct ur_ticket t;
	int round;

	for (round = 0; round < ROUNDS && wait_for_call(s, &t); round++) {
		echo(s, t);
		lock(s);
		ur_channel_close(&s->l, t, false);
		unlock(s);
	}
	return NULL;
}

/* ---- end A: a caller and its sender -------------------------------------- */

struct sending {
	struct ur_ticket t;
	u32 round;
};

static void *send_thread(void *arg)
{
	struct sending *job = arg;
	struct side *s = &SIDES[0];
	u8 bytes[301];
	u32 at = 0, i;
	int n;

	while (at < BYTES && !has_failed()) {
		u32 want = 1 + (at * 7 + job->round) % sizeof(bytes);

		if (want > BYTES - at)
			want = BYTES - at;
		for (i = 0; i < want; i++)
			bytes[i] = byte_at(job->round, at + i);
		n = send_some(s, job->t, bytes, want);
		if (n < 0)
			fail_all("the caller cannot send");
		at += n > 0 ? (u32)n : 0;
	}
	lock(s);
	n = ur_channel_shut(&s->l, job->t);
	unlock(s);
	if (n < 0)
		fail_all("the caller cannot shut");
	return NULL;
}

static bool call(struct side *s, struct ur_ticket *t)
{
	int n = UR_TRY_AGAIN;
	bool called = false;
	u32 rung;

	while (!has_failed()) {
		rung = lock(s);
		ur_link_look(&s->l);
		if (!called)
			called = ur_channel_call(&s->l, 7, t) == 0;
		if (called)
			n = ur_channel_answered(&s->l, *t);
		unlock(s);
		if (n == 0)
			return true;
		sleep_until_rung(s, rung);
	}
	return false;
}

static void receive_echo(struct side *s, struct ur_ticket t, u32 round)
{
	u8 bytes[211];
	u32 at = 0;
	int n = 1, i;

	while (n != 0 && !has_failed()) {
		n = recv_some(s, t, bytes, sizeof(bytes));
		for (i = 0; i < n; i++)
			if (bytes[i] != byte_at(round, at + (u32)i))
				fail_all("another byte came back");
		at += n > 0 ? (u32)n : 0;
		if (n < 0 && n != UR_TRY_AGAIN)
			fail_all("the caller cannot receive");
	}
	if (at != BYTES && !has_failed())
		fail_all("another number of bytes came back");
}

static void one_round(u32 round)
{
	struct side *s = &SIDES[0];
	struct sending job = { .round = round };
	pthread_t sender;

	if (!call(s, &job.t))
		return;
	assert_int_equal(pthread_create(&sender, NULL, send_thread, &job), 0);
	receive_echo(s, job.t, round);
	pthread_join(sender, NULL);
	lock(s);
	ur_channel_close(&s->l, job.t, false);
	unlock(s);
}

static void echoes(u32 first_index, u32 ring_bytes)
{
	pthread_t thread;
	u32 end, round;

	pair_open(&P, 2, ring_bytes);
	P.g.first_index = first_index;
	wrong = NULL;
	for (end = 0; end < 2; end++) {
		struct side *s = &SIDES[end];

		memset(s, 0, sizeof(*s));
		pthread_mutex_init(&s->lock, NULL);
		s->other = &SIDES[!end];
		ur_link_start(&s->l, &P.g, end, P.box[end], P.box[!end]);
	}
	assert_int_equal(pthread_create(&thread, NULL, echo_thread, &SIDES[1]), 0);
	for (round = 0; round < ROUNDS && !has_failed(); round++)
		one_round(round);
	pthread_join(thread, NULL);
	pair_close(&P);
	if (wrong)
		row_fails("%s", wrong);
}

static void through_a_small_ring(void **state)
{
	(void)state;
	echoes(0, 64);
}

static void through_a_large_ring(void **state)
{
	(void)state;
	echoes(0, 8192);
}

static void over_the_wrap(void **state)
{
	(void)state;
	echoes(0xfffffc00, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(through_a_small_ring),
		cmocka_unit_test(through_a_large_ring),
		cmocka_unit_test(over_the_wrap),
	};

	return cmocka_run_group_tests_name("two_threads", tests, NULL, NULL);
}
