// SPDX-License-Identifier: BSD-2-Clause
/*
 * kill -9 at a random moment, again and again, under the same survivor.
 *
 *      survivor: this process              victim: a child, one after another
 *      asks, answers or both    ==link==   answers, asks or both
 *      with 4 threads of each              with 4 threads of each
 *
 * The successor is a process already and waits in a pipe for its turn. It comes
 * either at once, so that the survivor meets a new epoch, or when the survivor
 * has found out by itself. UR_KILLS=n kills n times, UR_SEED=n repeats the
 * choices of a run. With AddressSanitizer or ThreadSanitizer it looks for what
 * a death leaves to be used again, without for memory that is not given back.
 */
#define _GNU_SOURCE
#include "dialogue.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A sanitizer has mappings and a heap of its own, and needs fewer to see. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILLS 60
#define COUNTS_MEMORY false
#else
#define KILLS 300
#define COUNTS_MEMORY true
#endif
#define WARM_UP 3		/* one for each of what the victim does */
#define LIMIT_MS 2000		/* nothing waits longer for a dead peer */
#define UNDER_LOAD 3		/* three in four, but for chance */
#define THREADS 4		/* of each kind */
#define STACK (256 << 10)
#define BEAT_MS 5
#define HEAP_NOISE 1024		/* bytes; a thread keeps freed blocks for itself */
#define START_US 3000		/* a victim that dies as it starts lives so long */
#define WORK_US 5000		/* and the others so long after the first answer */

enum deed { ASKS = 1, ANSWERS = 2 };

struct victim {
	pid_t pid;
	int go;			/* a byte written here lets it begin */
	u32 deeds;		/* enum deed */
	bool runs;
};

static struct duo D;
static u32 RANDOM;
static bool SPOILED;		/* a test failed and left threads behind */
static const char *FILE_PATH;	/* NULL: a memfd */

static struct {
	u32 kills, with_open;
	u64 done, failed;
	u64 most_exit_ms, most_request_ms, most_all_ms, most_first_ms;
	u32 most_late_ms;
} SUM;

/* ---- the victim ---------------------------------------------------------- */

static struct ur_file_link_config config(enum ur_end end)
{
	struct ur_file_link_config c = duo_config(&D, end);

	if (FILE_PATH) {
		c.path = FILE_PATH;
		c.create = true;
		c.region_bytes = 256 << 10;
	}
	return c;
}

static void begin_books(void)
{
	BOOKS.pages = 0;
	BOOKS.done = BOOKS.failed = BOOKS.last_failed_ms = 0;
	set_to(&SELF.over, false);
	set_to(&SELF.killed, false);
}

static void start_threads(pthread_t *threads, u32 deeds, u32 *count)
{
	pthread_attr_t attr;
	u32 i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	*count = 0;
	for (i = 0; i < 2 * THREADS; i++) {
		bool asks = i < THREADS;
		uintptr_t seed = random_below(&RANDOM, 0x7fffffff) | 1;

		if (!(deeds & (asks ? ASKS : ANSWERS)))
			continue;
		assert_int_equal(pthread_create(&threads[*count], &attr,
						asks ? ask : answer,
						(void *)seed), 0);
		++*count;
	}
	pthread_attr_destroy(&attr);
}

/* Never returns; a victim that ends otherwise than killed found us wrong. */
static void be_victim(int go, u32 deeds)
{
	struct ur_file_link_config c = config(SELF.end);
	pthread_t threads[2 * THREADS];
	char why[UR_WHY_BYTES] = "";
	u32 count;
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	if (ur_file_link_open(&c, &SELF.link, why) < 0 ||
	    ur_file_link_listen(SELF.link, SERVICE, 8) < 0) {
		printf("# victim: %s\n", why);
		fflush(stdout);
		_exit(1);
	}
	start_threads(threads, deeds, &count);
	pthread_mutex_lock(&BOOKS.lock);
	while (!BOOKS.wrong)
		pthread_cond_wait(&BOOKS.news, &BOOKS.lock);
	printf("# victim: %s\n", BOOKS.wrong);
	fflush(stdout);
	_exit(1);
}

/* With no other thread in this process. */
static struct victim new_victim(u32 deeds)
{
	struct victim v = { .deeds = deeds };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	v.pid = fork();
	assert_true(v.pid >= 0);
	if (v.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		SELF.end = !SELF.end;
		begin_books();
		be_victim(ends[0], deeds);
	}
	close(ends[0]);
	v.go = ends[1];
	return v;
}

static void let_run(struct victim *v)
{
	if (!v->runs)
		assert_int_equal(write(v->go, "", 1), 1);
	v->runs = true;
}

static void kill_victim(struct victim *v)
{
	int status = 0;

	kill(v->pid, SIGKILL);
	assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
	close(v->go);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		row_fails("kill %u: the victim ended by itself, with status 0x%x; the survivor says: %s",
			  SUM.kills, status,
			  BOOKS.wrong ? BOOKS.wrong : "nothing");
}

/* ---- a round ------------------------------------------------------------- */

static void nap_us(u32 us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

/*
 * A thread that only sleeps and shares nothing: by as much as it wakes too late
 * the machine had no time for us, and what we wait for may be later too.
 */
static struct {
	pthread_t thread;
	bool over;	/* atomic */
	u32 late_ms;	/* in all; atomic */
} BEAT;

static void *beat(void *arg)
{
	u64 start, took;

	(void)arg;
	while (!is_set(&BEAT.over)) {
		start = now_ms();
		nap_us(BEAT_MS * 1000);
		took = now_ms() - start;
		if (took > 3 * BEAT_MS)
			__atomic_fetch_add(&BEAT.late_ms, (u32)took - BEAT_MS,
					   __ATOMIC_RELAXED);
	}
	return NULL;
}

static void start_beat(void)
{
	set_to(&BEAT.over, false);
	assert_int_equal(pthread_create(&BEAT.thread, NULL, beat, NULL), 0);
}

static void stop_beat(void)
{
	set_to(&BEAT.over, true);
	pthread_join(BEAT.thread, NULL);
}

/* Late times count from here on. */
static void forget_late(void)
{
	__atomic_store_n(&BEAT.late_ms, 0, __ATOMIC_RELAXED);
}

static void note_most(u64 *most, u64 ms, const char *what)
{
	u32 late = __atomic_load_n(&BEAT.late_ms, __ATOMIC_RELAXED);

	if (ms > *most)
		*most = ms;
	if (late > SUM.most_late_ms)
		SUM.most_late_ms = late;
	if (ms > LIMIT_MS + late)
		row_fails("kill %u: %s after %llu ms, expected at most %d (and the %u that the machine was late)",
			  SUM.kills, what, (unsigned long long)ms, LIMIT_MS,
			  late);
}

/* Until a request was answered. */
static void wait_for_first(void)
{
	u64 start = now_ms();
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += SOON_MS / 1000;
	pthread_mutex_lock(&BOOKS.lock);
	while (!BOOKS.done && !BOOKS.wrong)
		if (pthread_cond_timedwait(&BOOKS.news, &BOOKS.lock, &t))
			break;
	pthread_mutex_unlock(&BOOKS.lock);
	note_most(&SUM.most_first_ms, now_ms() - start,
		  "the next life's first answer came");
}

static void check_books(void)
{
	u32 p, i;

	if (BOOKS.wrong)
		row_fails("kill %u: %s", SUM.kills, BOOKS.wrong);
	for (p = 0; p < BOOKS.pages; p++)
		for (i = 0; i < BOOKS.page[p].rows; i++)
			if (BOOKS.page[p].row[i] == ROW_OPEN)
				row_fails("kill %u: channel %u, epochs %u and %u, sequence %u: neither answer nor error",
					  SUM.kills, BOOKS.page[p].channel,
					  BOOKS.page[p].epoch[0],
					  BOOKS.page[p].epoch[1], i);
	SUM.with_open += BOOKS.failed != 0;
	SUM.done += BOOKS.done;
	SUM.failed += BOOKS.failed;
}

/* What the survivor does to the victim: the other part of it. */
static u32 counterpart(u32 deeds)
{
	return (deeds & ASKS ? ANSWERS : 0) | (deeds & ANSWERS ? ASKS : 0);
}

/*
 * Returns when it was gone, by now_ms(): a killed process still needs a processor
 * to go, and is not dead before.
 */
static u64 live_and_die(struct victim *v, struct victim *next)
{
	u64 killed, died;
	bool starting = random_below(&RANDOM, 4) == 0;
	bool at_once = random_below(&RANDOM, 2);

	forget_late();
	let_run(v);
	if (!starting)
		wait_for_first();
	nap_us(random_below(&RANDOM, starting ? START_US : WORK_US));
	set_to(&SELF.killed, true);
	killed = now_ms();
	kill_victim(v);
	died = now_ms();
	forget_late();
	if (died - killed > SUM.most_exit_ms)
		SUM.most_exit_ms = died - killed;
	/* The books of this round are closed before the next victim may ask. */
	set_to(&SELF.over, true);
	ur_file_link_unlisten(SELF.link, SERVICE);
	if (at_once)
		let_run(next);
	return died;
}

static void run_round(struct victim *v, struct victim *next)
{
	pthread_t threads[2 * THREADS];
	u32 i, count;
	u64 died;

	begin_books();
	assert_int_equal(ur_file_link_listen(SELF.link, SERVICE, 8), 0);
	start_beat();
	start_threads(threads, counterpart(v->deeds), &count);
	died = live_and_die(v, next);
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (BOOKS.last_failed_ms > died)
		note_most(&SUM.most_request_ms, BOOKS.last_failed_ms - died,
			  "a request ended");
	note_most(&SUM.most_all_ms, now_ms() - died, "everything ended");
	stop_beat();
	check_books();
}

/* ---- what is left -------------------------------------------------------- */

struct leavings {
	u32 descriptors, mappings;
	size_t heap;
};

static u32 count_entries(const char *directory, const char *prefix)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	u32 n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

/* Without stdio, whose buffers are in the heap that is measured. */
static u32 count_mappings(void)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got, i;
	u32 n = 0;

	assert_true(fd >= 0);
	while ((got = read(fd, text, sizeof(text))) > 0)
		for (i = 0; i < got; i++)
			n += text[i] == '\n';
	close(fd);
	return n;
}

static struct leavings leavings_now(void)
{
	return (struct leavings){
		.descriptors = count_entries("/proc/self/fd", ""),
		.mappings = count_mappings(),
		.heap = mallinfo2().uordblks,
	};
}

static void compare_leavings(struct leavings before, struct leavings after)
{
	printf("# descriptors %u -> %u, mappings %u -> %u, heap %zu -> %zu bytes\n",
	       before.descriptors, after.descriptors, before.mappings,
	       after.mappings, before.heap, after.heap);
	assert_int_equal(after.descriptors, before.descriptors);
	if (!COUNTS_MEMORY)
		return;
	assert_int_equal(after.mappings, before.mappings);
	assert_true(after.heap < before.heap + HEAP_NOISE);
}

static void no_process_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void no_file_is_left(void)
{
	const char *name = strrchr(duo_path(), '/') + 1;

	assert_int_equal(count_entries("/dev/shm", name), FILE_PATH != NULL);
	unlink(duo_path());
	assert_int_equal(count_entries("/dev/shm", name), 0);
}

/* ---- a series ------------------------------------------------------------ */

static u32 deeds_of(u32 round)
{
	return 1 + round % 3;
}

static void kill_many(u32 kills)
{
	struct victim v = new_victim(deeds_of(0)), next;
	u32 i;

	for (i = 0; i < kills; i++) {
		next = new_victim(deeds_of(i + 1));
		run_round(&v, &next);
		SUM.kills++;
		v = next;
	}
	kill_victim(&v);
}

static void series(u32 kills)
{
	struct ur_file_link_config c;

	unlink(duo_path());
	duo_memory(&D);
	c = config(SELF.end);
	SELF.link = must_open(&c);
	kill_many(kills);
	ur_file_link_close(SELF.link);
	duo_forget(&D);
	no_file_is_left();
	no_process_is_left();
}

static u32 number_of(const char *name, u32 otherwise)
{
	const char *text = getenv(name);

	return text ? (u32)strtoul(text, NULL, 0) : otherwise;
}

static void print_sum(void)
{
	printf("# %u kills, %u of them with requests under way; requests: %llu ended well, %llu in an error\n",
	       SUM.kills, SUM.with_open, (unsigned long long)SUM.done,
	       (unsigned long long)SUM.failed);
	printf("# a kill took at most %llu ms; after a death at most %llu ms to the end of a request, %llu to the end of everything, %llu to the next life's first answer; the machine was late by at most %u\n",
	       (unsigned long long)SUM.most_exit_ms,
	       (unsigned long long)SUM.most_request_ms,
	       (unsigned long long)SUM.most_all_ms,
	       (unsigned long long)SUM.most_first_ms, SUM.most_late_ms);
}

static void survive(enum ur_end end, enum doorbell how, bool file)
{
	u32 kills = (number_of("UR_KILLS", KILLS) + 2) / 3; /* three tests */
	struct leavings before;

	if (SPOILED)
		skip();
	SPOILED = true;
	SELF.end = end;
	doorbell = how;
	FILE_PATH = file ? duo_path() : NULL;
	series(WARM_UP);
	before = leavings_now();
	memset(&SUM, 0, sizeof(SUM));
	series(kills);
	print_sum();
	compare_leavings(before, leavings_now());
	assert_int_equal(SUM.kills, kills);
	if (SUM.with_open * UNDER_LOAD < kills || !SUM.done)
		row_fails("expected requests under way at one in %d of %u kills, got %u",
			  UNDER_LOAD, kills, SUM.with_open);
	SPOILED = false;
}

static int teardown(void **state)
{
	(void)state;
	unlink(duo_path());
	return 0;
}

static void end_a_survives(void **state)
{
	(void)state;
	survive(UR_END_A, FUTEX, false);
}

static void end_b_survives_by_eventfd(void **state)
{
	(void)state;
	survive(UR_END_B, EVENTFD, false);
}

static void end_b_survives_by_file(void **state)
{
	(void)state;
	survive(UR_END_B, FUTEX, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(end_a_survives, teardown),
		cmocka_unit_test_teardown(end_b_survives_by_eventfd, teardown),
		cmocka_unit_test_teardown(end_b_survives_by_file, teardown),
	};

	mallopt(M_ARENA_MAX, 1);
	RANDOM = number_of("UR_SEED", (u32)now_ms()) | 1;
	printf("# seed %u\n", RANDOM);
	return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
