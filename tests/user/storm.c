// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile peer rings without pause; another link of this process goes on.
 *
 *      M (process) === link 1 === end A: a thread waits to receive
 *                                 this process
 *      Q (process) === link 2 === end A: a thread sends, Q throws it away
 *
 * Windows with and without the storm take turns. M computes when it does not ring,
 * so it takes the same processor time from everybody in both, and what is left of
 * link 2 shows what the doorbells do here. What the waiting thread uses is
 * measured alone: no other program can spoil that.
 */
#define _GNU_SOURCE
#include "measure.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bell.h"

#define REGION (1u << 20)
#define BLOCK 65536u
#define WINDOW_MS 50
#define PAIRS 15u
#define TRIES 3
#define LEAST 0.8	/* of link 2's bytes */
#define MOST 0.05	/* of a processor, for the thread that waits */
#define STORM 20000u	/* doorbells a second make one */

/* What the processes share beside the links. */
struct orders {
	u32 storm;	/* atomic, as all here */
	u32 over;
	u64 rung;
};

static struct orders *orders;
static struct duo LINK[2];	/* l[1] stays with the other process */
static u64 sent;		/* atomic; bytes over link 2 */

static u64 load(const u64 *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

static u32 told(const u32 *order)
{
	return __atomic_load_n(order, __ATOMIC_RELAXED);
}

/* ---- M and Q ------------------------------------------------------------- */

static struct ur_file_link *open_end(const struct duo *d, enum ur_end end)
{
	struct ur_file_link_config c = duo_config(d, end);

	c.ring_bytes = 16384;
	return must_open(&c);
}

static void ring(ur_shm32 *bell, int fd)
{
	const u64 one = 1;
	ssize_t n;

	__atomic_fetch_add(&orders->rung, 1, __ATOMIC_RELAXED);
	ur_store_release(bell, ur_load_once(bell) + 1);
	if (doorbell == FUTEX) {
		syscall(SYS_futex, &bell->raw, FUTEX_WAKE, 1 << 20, NULL, NULL, 0);
		return;
	}
	n = write(fd, &one, sizeof(one));
	(void)n;
}

static void compute(void)
{
	volatile u32 x = 1;
	u32 i;

	for (i = 0; i < 1000; i++)
		x = x * 3 + i;
}

/* Connects as an honest end does, and at last sends one byte as one. */
static int storm_body(const struct duo *d)
{
	struct ur_file_link *l = open_end(d, UR_END_B);
	struct ur_header_shm *own = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
					 MAP_SHARED, d->memory, 0);
	struct ur_stream *s;
	u8 end;

	if (own == MAP_FAILED ||
	    ur_file_link_connect(l, SERVICE, SOON_MS, &s) != 0)
		return 1;
	own = (void *)((u8 *)own + REGION / 2);
	while (!told(&orders->over))
		if (told(&orders->storm))
			ring(&own->bell, d->bells[0]);
		else
			compute();
	if (ur_stream_send(s, "x", 1, SOON_MS) != 1)
		return 1;
	/* Whoever exits takes back what was not read yet: wait for the end. */
	return ur_stream_recv(s, &end, 1, SOON_MS) > 0;
}

/* A new epoch with each doorbell, and the next once it was met: all are for something. */
static int flap_body(const struct duo *d)
{
	struct ur_file_link *l = open_end(d, UR_END_B);
	struct ur_header_shm *own = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
					 MAP_SHARED, d->memory, 0);
	const struct ur_header_shm *peer = own;
	u32 epoch;

	if (own == MAP_FAILED || ur_file_link_wait_up(l, SOON_MS) != 0)
		return 1;
	own = (void *)((u8 *)own + REGION / 2);
	epoch = ur_load_once(&own->epoch);
	while (!told(&orders->over)) {
		if (++epoch == 0)
			epoch++;
		ur_store_release(&own->epoch, epoch);
		ring(&own->bell, d->bells[0]);
		while (!told(&orders->over) && ur_load_once(&peer->seen) != epoch)
			;
	}
	return 0;
}

static int sink_body(const struct duo *d)
{
	struct ur_file_link *l = open_end(d, UR_END_B);
	static u8 bytes[BLOCK];
	struct ur_stream *s;

	if (ur_file_link_connect(l, SERVICE, SOON_MS, &s) != 0)
		return 1;
	while (ur_stream_recv(s, bytes, sizeof(bytes), SOON_MS) > 0)
		;
	return 0;
}

static pid_t fork_peer(struct duo *d, int (*body)(const struct duo *d))
{
	pid_t pid;

	duo_memory(d);
	close(d->memory);
	d->memory = ur_file_link_memfd(REGION);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(d));
	}
	assert_true(pid > 0);
	d->l[0] = open_end(d, UR_END_A);
	assert_int_equal(ur_file_link_listen(d->l[0], SERVICE, 1), 0);
	return pid;
}

/* ---- this process -------------------------------------------------------- */

/* Returns what came: the one byte that M sends when all is over. */
static void *wait_thread(void *stream)
{
	char bytes[2] = "";
	ssize_t n = ur_stream_recv(stream, bytes, 2, UR_FOREVER);

	return (void *)(uintptr_t)(n == 1 ? bytes[0] : 0);
}

static void *send_thread(void *stream)
{
	static u8 bytes[BLOCK];

	while (!told(&orders->over) &&
	       ur_stream_send(stream, bytes, BLOCK, SOON_MS) == BLOCK)
		__atomic_fetch_add(&sent, BLOCK, __ATOMIC_RELAXED);
	return NULL;
}

struct window {
	double bytes;	/* of link 2, a second */
	double waiter;	/* of a processor */
	double rings;	/* a second */
};

static struct window measure(clockid_t waiter)
{
	u64 start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(waiter);
	u64 bytes = load(&sent), rung = load(&orders->rung);
	double ns;

	let_run(WINDOW_MS);
	ns = (double)(clock_ns(CLOCK_MONOTONIC) - start);
	return (struct window){
		.bytes = (double)(load(&sent) - bytes) * 1e9 / ns,
		.waiter = (double)(clock_ns(waiter) - cpu) / ns,
		.rings = (double)(load(&orders->rung) - rung) * 1e9 / ns,
	};
}

static struct window compare(clockid_t waiter)
{
	double left[PAIRS], waits[PAIRS], rings[PAIRS];
	struct window w[2];
	u32 i, storm;

	for (i = 0; i < PAIRS; i++) {
		for (storm = 0; storm < 2; storm++) {
			__atomic_store_n(&orders->storm, storm, __ATOMIC_RELAXED);
			w[storm] = measure(waiter);
		}
		left[i] = w[1].bytes / w[0].bytes;
		waits[i] = w[1].waiter;
		rings[i] = w[1].rings;
	}
	w[0] = (struct window){ median(left, PAIRS), median(waits, PAIRS),
				median(rings, PAIRS) };
	printf("# %.0f doorbells a second: link 2 moves %.2f of what it did, who waits uses "
	       "%.3f of a processor\n", w[0].rings, w[0].bytes, w[0].waiter);
	return w[0];
}

static void assert_little_is_lost(pthread_t waiter)
{
	struct window w = { 0 };
	clockid_t clock;
	int i;

	assert_int_equal(pthread_getcpuclockid(waiter, &clock), 0);
	for (i = 0; i < TRIES && (w.bytes < LEAST || w.rings < STORM ||
				  w.waiter > MOST); i++)
		w = compare(clock);
	if (w.rings < STORM)
		row_fails("%.0f doorbells a second, expected a storm of %u",
			  w.rings, STORM);
	if (w.bytes < LEAST)
		row_fails("link 2 keeps %.2f, expected at least %.2f", w.bytes,
			  LEAST);
	if (w.waiter > MOST)
		row_fails("who waits uses %.2f of a processor, expected at most %.2f",
			  w.waiter, MOST);
}

static struct ur_stream *must_accept(struct ur_file_link *l)
{
	struct ur_stream *s;

	assert_int_equal(ur_file_link_accept(l, SERVICE, SOON_MS, &s), 0);
	return s;
}

static void assert_exit(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void assert_naps(struct ur_file_link *l, bool some)
{
	struct ur_file_link_info info;

	ur_file_link_info(l, &info);
	assert_int_equal(info.naps != 0, some);
}

static void another_link_goes_on(void **state)
{
	struct ur_stream *s[2];
	pthread_t waiter, sender;
	pid_t peers[2];
	void *came;
	u32 i;

	(void)state;
	memset(orders, 0, sizeof(*orders));
	peers[0] = fork_peer(&LINK[0], storm_body);
	peers[1] = fork_peer(&LINK[1], sink_body);
	for (i = 0; i < 2; i++)
		s[i] = must_accept(LINK[i].l[0]);
	pthread_create(&waiter, NULL, wait_thread, s[0]);
	pthread_create(&sender, NULL, send_thread, s[1]);
	assert_little_is_lost(waiter);
	__atomic_store_n(&orders->over, 1, __ATOMIC_RELAXED);
	pthread_join(waiter, &came);
	assert_int_equal((uintptr_t)came, 'x');
	pthread_join(sender, NULL);
	assert_naps(LINK[0].l[0], true);
	assert_naps(LINK[1].l[0], false);
	for (i = 0; i < 2; i++) {
		ur_file_link_close(LINK[i].l[0]);
		duo_forget(&LINK[i]);
		assert_exit(peers[i]);
	}
}

static void epochs_are_a_storm(void **state)
{
	struct ur_file_link_info info;
	struct ur_stream *s;
	pid_t peer;

	(void)state;
	memset(orders, 0, sizeof(*orders));
	peer = fork_peer(&LINK[0], flap_body);
	assert_int_equal(ur_file_link_accept(LINK[0].l[0], SERVICE, 10 * WINDOW_MS, &s),
			 -ETIMEDOUT);
	__atomic_store_n(&orders->over, 1, __ATOMIC_RELAXED);
	ur_file_link_info(LINK[0].l[0], &info);
	printf("# %llu epochs met, %llu naps\n",
	       (unsigned long long)info.counters.epochs, (unsigned long long)info.naps);
	if (info.counters.epochs < UR_BELL_SAVINGS || info.naps == 0 ||
	    info.counters.epochs > UR_BELL_SAVINGS + 30 * WINDOW_MS)
		row_fails("%llu epochs met and %llu naps, expected %u and at most 3 a millisecond, and naps",
			  (unsigned long long)info.counters.epochs,
			  (unsigned long long)info.naps, UR_BELL_SAVINGS);
	ur_file_link_close(LINK[0].l[0]);
	duo_forget(&LINK[0]);
	assert_exit(peer);
}

/* ---- the accounts alone -------------------------------------------------- */

/* Each row goes on where the one before it ended. */
static const struct {
	u32 heard;		/* doorbells since */
	u32 met;		/* epochs since */
	u32 work;		/* things done since */
	u32 us;			/* time since */
	bool is_storm;
	u32 savings;		/* after it */
} ACCOUNTS[] = {
	/* 1 */ { 0, 0, 0, 0, false, 256 },
	/* 2 */ { 255, 0, 0, 0, false, 1 },
	/* 3 */ { 1, 0, 0, 0, true, 0 },
	/* 4 */ { 0, 0, 0, 999, true, 0 },
	/* 5 */ { 0, 0, 0, 1, false, 1 },		/* a millisecond in two parts */
	/* 6 */ { 1, 0, 1, 0, false, 1 },		/* an honest one pays for itself */
	/* 7 */ { 1000, 0, 1000, 0, false, 1 },	/* and a thousand at a time do */
	/* 8 */ { 1000, 0, 998, 0, true, 0 },
	/* 9 */ { 0, 0, 1000, 0, false, 256 },
	/* 10 */ { 100, 0, 0, 0, false, 156 },
	/* 11 */ { 0, 0, 0, 50500, false, 206 },
	/* 12 */ { 0, 0, 0, 60000000, false, 256 },
	/* 13 */ { 4294967295u, 0, 0, 0, true, 0 },
	/* 14 */ { 0, 0, 0, 60000000, false, 256 },
	/* 15 */ { 0, 255, 0, 0, false, 1 },	/* epochs cost as much */
	/* 16 */ { 3, 2, 5, 0, false, 1 },
	/* 17 */ { 0, 1, 0, 0, true, 0 },
};

static void account_rows(void **state)
{
	struct ur_bell b = { .savings = UR_BELL_SAVINGS };
	u64 work = 0, met = 0, ns = 0;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(ACCOUNTS); i++) {
		bool is_storm;

		b.received += ACCOUNTS[i].heard;
		met += ACCOUNTS[i].met;
		work += ACCOUNTS[i].work;
		ns += (u64)ACCOUNTS[i].us * 1000;
		is_storm = ur_bell_is_storm(&b, work, met, ns);
		if (is_storm != ACCOUNTS[i].is_storm ||
		    b.savings != ACCOUNTS[i].savings)
			row_fails("row %zu: storm %d, savings %u, expected %d, %u",
				  i + 1, is_storm, b.savings,
				  ACCOUNTS[i].is_storm, ACCOUNTS[i].savings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(account_rows),
		cmocka_unit_test(another_link_goes_on),
		cmocka_unit_test(epochs_are_a_storm),
	};
	int failed;

	orders = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (orders == MAP_FAILED)
		return 1;
	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("storm by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("storm by eventfd", tests,
						    NULL, NULL);
}
