// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ten channels of one link, and the reader of one of them stops for a while.
 *
 *      ten senders (threads) --- end A ==== end B --- ten readers (threads)
 *                                                     the tenth stops and goes on
 *
 * Windows with ten readers and with nine take turns; compared are the medians of
 * one window to the one before it. The link is as fast as the processors are, so
 * the nine should rather gain what the tenth does not use. Their bytes are
 * measured per second, and per second of processor time, which another program on
 * this machine does not take from them. A machine that is busy by fits may spoil
 * one comparison; a link that lets the nine pay spoils all TRIES.
 */
#define _GNU_SOURCE
#include "measure.h"

#define CHANNELS 10u
#define TENTH (CHANNELS - 1)
#define RING 16384u
#define BLOCK 8192u
#define WINDOW_MS 50
#define PAIRS 15u
#define LEAST 0.9
#define TRIES 6

static struct duo D;
static struct ur_stream *senders[CHANNELS], *readers[CHANNELS];
static u64 sent[CHANNELS], received[CHANNELS];	/* atomic; bytes */
static const char *wrong;			/* atomic */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moves = PTHREAD_COND_INITIALIZER;
static bool is_stopped, is_at_gate;

static void fail_all(const char *what)
{
	__atomic_store_n(&wrong, what, __ATOMIC_RELAXED);
}

static u64 load(const u64 *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

/* ---- the threads --------------------------------------------------------- */

/* Eight bytes at a time, each with its place in the stream. */
static void *send_thread(void *arg)
{
	u32 c = (u32)(uintptr_t)arg;
	u64 words[BLOCK / 8], next = 0;
	size_t i;

	for (;;) {
		for (i = 0; i < ROWS(words); i++)
			words[i] = next++ * CHANNELS + c;
		if (ur_stream_send(senders[c], words, BLOCK, UR_FOREVER) != BLOCK)
			return NULL;
		__atomic_fetch_add(&sent[c], BLOCK, __ATOMIC_RELAXED);
	}
}

static void wait_at_gate(void)
{
	pthread_mutex_lock(&gate);
	is_at_gate = is_stopped;
	while (is_stopped)
		pthread_cond_wait(&gate_moves, &gate);
	is_at_gate = false;
	pthread_mutex_unlock(&gate);
}

static void *read_thread(void *arg)
{
	u32 c = (u32)(uintptr_t)arg;
	u64 words[BLOCK / 8], next = 0;
	size_t i;

	for (;;) {
		if (c == TENTH)
			wait_at_gate();
		if (ur_stream_recv_all(readers[c], words, BLOCK, UR_FOREVER) !=
		    BLOCK)
			return NULL;
		for (i = 0; i < ROWS(words); i++)
			if (words[i] != next++ * CHANNELS + c)
				fail_all("a word that is not the next of its channel");
		__atomic_fetch_add(&received[c], BLOCK, __ATOMIC_RELAXED);
	}
}

/* ---- the link ------------------------------------------------------------ */

static void open_link(void)
{
	u32 end;

	duo_memory(&D);
	close(D.memory);
	D.memory = ur_file_link_memfd(1 << 20);
	for (end = 0; end < 2; end++) {
		struct ur_file_link_config c = duo_config(&D, end);

		c.channels = 2 * CHANNELS;
		c.ring_bytes = RING;
		D.l[end] = must_open(&c);
	}
	assert_int_equal(ur_file_link_listen(D.l[1], SERVICE, CHANNELS), 0);
}

static void *connect_thread(void *unused)
{
	u32 c;

	for (c = 0; c < CHANNELS; c++)
		senders[c] = must_connect(D.l[0]);
	return unused;
}

/* One after the other, so that reader c reads what sender c sends. */
static void connect_ten(void)
{
	pthread_t thread;
	u32 c;

	pthread_create(&thread, NULL, connect_thread, NULL);
	for (c = 0; c < CHANNELS; c++)
		assert_int_equal(ur_file_link_accept(D.l[1], SERVICE, SOON_MS,
						     &readers[c]), 0);
	pthread_join(thread, NULL);
}

/* ---- windows ------------------------------------------------------------- */

static void set_stopped(bool stopped)
{
	pthread_mutex_lock(&gate);
	is_stopped = stopped;
	pthread_cond_broadcast(&gate_moves);
	pthread_mutex_unlock(&gate);
}

static bool is_settled(u64 put, u64 got, u64 before)
{
	bool stands;

	pthread_mutex_lock(&gate);
	stands = is_at_gate;
	pthread_mutex_unlock(&gate);
	return is_stopped ? stands && put - got == RING : got > before;
}

/* Until its ring is full, or until it moves again. */
static void settle(void)
{
	u64 end = now_ms() + SOON_MS, before = load(&received[TENTH]);

	for (;;) {
		u64 got = load(&received[TENTH]), put = load(&sent[TENTH]);

		if (is_settled(put, got, before))
			return;
		if (now_ms() > end)
			row_fails("the tenth reader does not %s: %llu of %llu bytes",
				  is_stopped ? "stop" : "go on",
				  (unsigned long long)got, (unsigned long long)put);
		let_run(1);
	}
}

struct rates {
	double wall;	/* bytes of the nine per second */
	double work;	/* and per second of processor */
	double tenth;	/* of a processor, for the tenth's writer */
};

static clockid_t tenth_writer;

static struct rates measure(bool stopped, u64 share[CHANNELS])
{
	u64 from[CHANNELS], cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	u64 start = clock_ns(CLOCK_MONOTONIC), nine = 0;
	u64 tenth = clock_ns(tenth_writer);
	u32 c;

	for (c = 0; c < CHANNELS; c++)
		from[c] = load(&received[c]);
	let_run(WINDOW_MS);
	for (c = 0; c < TENTH; c++) {
		share[c] += load(&received[c]) - from[c];
		nine += load(&received[c]) - from[c];
	}
	if (stopped)
		assert_int_equal(load(&received[TENTH]), from[TENTH]);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	start = clock_ns(CLOCK_MONOTONIC) - start;
	tenth = clock_ns(tenth_writer) - tenth;
	return (struct rates){ (double)nine * 1e9 / (double)start,
			       (double)nine * 1e9 / (double)cpu,
			       (double)tenth / (double)start };
}

/* Medians of what is left of ten readers' rates when one stops. */
static struct rates compare(u64 share[CHANNELS])
{
	double wall[PAIRS], work[PAIRS], tenth[PAIRS];
	u64 unused[CHANNELS] = { 0 };
	struct rates r[2];
	u32 i, stopped;

	for (i = 0; i < PAIRS; i++) {
		for (stopped = 0; stopped < 2; stopped++) {
			set_stopped(stopped);
			settle();
			r[stopped] = measure(stopped, stopped ? share : unused);
		}
		wall[i] = r[1].wall / r[0].wall;
		work[i] = r[1].work / r[0].work;
		tenth[i] = r[1].tenth;
	}
	r[0] = (struct rates){ median(wall, PAIRS), median(work, PAIRS),
			       median(tenth, PAIRS) };
	printf("# nine beside a stopped one move %.2f of what they did, %.2f per second of "
	       "processor; its writer uses %.3f of one\n", r[0].wall, r[0].work, r[0].tenth);
	return r[0];
}

/* None of the nine waits for the tenth. */
static void assert_each_moved(const u64 share[CHANNELS])
{
	u64 all = 0;
	u32 c;

	for (c = 0; c < TENTH; c++)
		all += share[c];
	for (c = 0; c < TENTH; c++)
		if (share[c] < all / TENTH / 10)
			row_fails("channel %u moved %llu bytes beside a stopped one, a ninth is %llu",
				  c, (unsigned long long)share[c],
				  (unsigned long long)all / TENTH);
}

static void assert_nine_lose_little(void)
{
	u64 share[CHANNELS] = { 0 };
	struct rates r = { 0 };
	int i;

	for (i = 0; i < TRIES && (r.wall < LEAST || r.work < LEAST); i++)
		r = compare(share);
	assert_each_moved(share);
	if (r.wall < LEAST || r.work < LEAST)
		row_fails("the nine keep %.2f and %.2f, expected at least %.2f",
			  r.wall, r.work, LEAST);
}

/* Honest ends, whatever they do, are never taken for a storm of doorbells. */
static void assert_no_storm(void)
{
	struct ur_file_link_info info;
	u32 end;

	for (end = 0; end < 2; end++) {
		ur_file_link_info(D.l[end], &info);
		assert_int_equal(info.naps, 0);
	}
}

static void one_stopped_reader(void **state)
{
	pthread_t threads[2 * CHANNELS];
	u32 i;

	(void)state;
	memset(sent, 0, sizeof(sent));
	memset(received, 0, sizeof(received));
	open_link();
	connect_ten();
	for (i = 0; i < 2 * CHANNELS; i++)
		pthread_create(&threads[i], NULL,
			       i < CHANNELS ? send_thread : read_thread,
			       (void *)(uintptr_t)(i % CHANNELS));
	assert_int_equal(pthread_getcpuclockid(threads[TENTH], &tenth_writer), 0);
	assert_nine_lose_little();
	set_stopped(false);
	settle();
	assert_no_storm();
	ur_file_link_stop(D.l[0]);
	ur_file_link_stop(D.l[1]);
	for (i = 0; i < 2 * CHANNELS; i++)
		pthread_join(threads[i], NULL);
	duo_close(&D);
	if (wrong)
		row_fails("%s", wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_stopped_reader),
	};
	int failed;

	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("fairness by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("fairness by eventfd", tests,
						    NULL, NULL);
}
