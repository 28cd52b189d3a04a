// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two real processes.
 *
 *      this one --- end A ==== /dev/shm/... ==== end B --- a child
 *
 * A child never uses cmocka: it exits with 0, or with the number of the line
 * that failed (modulo 256), which the parent reports.
 */
#define _GNU_SOURCE
#include "duo.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MB 1000000ull
#define DEATH_MS 2000 /* a dead peer is found out within this */

static struct duo D;

static void must(bool holds, int line)
{
	if (holds)
		return;
	printf("# child: line %d, errno %d\n", line, errno);
	fflush(stdout);
	_exit(line % 255 + 1);
}

#define MUST(x) must(x, __LINE__)

/* ---- configuration ------------------------------------------------------- */

static u32 loss_percent;
static bool use_file;

static struct ur_file_link_config config(enum ur_end end)
{
	struct ur_file_link_config c;

	if (use_file) {
		c = ur_file_link_config(end, duo_path());
		c.create = true;
		c.region_bytes = 1 << 20;
	} else {
		c = duo_config(&D, end);
	}
	c.linger_ms = UR_LINGER_DEFAULT_MS;
	c.channels = 4;
	c.ring_bytes = 0;
	if (use_file)
		c.ring_bytes = 64 << 10;
	c.bell_loss_percent = loss_percent;
	if (loss_percent)
		c.spin_us = 0; /* spinning would hide the loss */
	return c;
}

static char path_of_parent[64];

static struct ur_file_link *child_open(void)
{
	struct ur_file_link_config c = config(UR_END_B);
	char why[UR_WHY_BYTES] = "";
	struct ur_file_link *l = NULL;

	if (use_file)
		c.path = path_of_parent;
	if (ur_file_link_open(&c, &l, why) < 0)
		printf("# child: %s\n", why);
	MUST(l);
	MUST(ur_file_link_listen(l, SERVICE, 4) == 0);
	return l;
}

static pid_t fork_child(int (*body)(struct ur_file_link *l))
{
	pid_t pid;

	snprintf(path_of_parent, sizeof(path_of_parent), "%s", duo_path());
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(child_open()));
	}
	assert_true(pid > 0);
	return pid;
}

static void assert_exit(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		row_fails("the child ended with status 0x%x", status);
}

static void kill_child(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* Of an end that has moved its bytes: about so many doorbells got lost. */
static bool loss_fits(struct ur_file_link *l, const char *end)
{
	static const struct {
		u64 percent, least, most; /* the draws are the same each time */
	} rows[] = {
		/* 1 */ { 0, 0, 0 },
		/* 2 */ { 1, 0, 10 },
		/* 3 */ { 50, 20, 80 },
		/* 4 */ { 100, 100, 100 },
	};
	struct ur_file_link_info info;
	u64 all, part;
	size_t i = 0;

	while (rows[i].percent != loss_percent)
		i++;
	ur_file_link_info(l, &info);
	all = info.doorbells_sent + info.doorbells_lost;
	part = info.doorbells_lost * 100;
	printf("# %s: %llu doorbells sent, %llu lost\n", end,
	       (unsigned long long)info.doorbells_sent,
	       (unsigned long long)info.doorbells_lost);
	fflush(stdout); /* a child may end without */
	return part >= all * rows[i].least && part <= all * rows[i].most &&
	       (!loss_percent || part);
}

/* ---- the child's bodies -------------------------------------------------- */

/* Counts what comes as 64-bit words, sends back count and sum. */
static int sum_body(struct ur_file_link *l)
{
	static u64 words[1 << 15];
	struct ur_stream *s;
	u64 answer[2] = { 0, 0 };
	ssize_t n, i;

	MUST(ur_file_link_accept(l, SERVICE, SOON_MS, &s) == 0);
	while ((n = ur_stream_recv_all(s, words, sizeof(words), SOON_MS)) > 0) {
		MUST(n % 8 == 0);
		for (i = 0; i < n / 8; i++)
			answer[1] = answer[1] * 3 + words[i];
		answer[0] += (u64)n;
	}
	MUST(n == 0);
	MUST(ur_stream_send(s, answer, sizeof(answer), SOON_MS) == sizeof(answer));
	MUST(loss_fits(l, "child"));
	ur_stream_close(s, false);
	ur_file_link_close(l); /* only after the answer was read */
	return 0;
}

static int echo_body(struct ur_file_link *l)
{
	struct ur_stream *s;

	while (ur_file_link_accept(l, SERVICE, UR_FOREVER, &s) == 0)
		echo_one(s);
	return 1;
}

/* ---- bytes through ------------------------------------------------------- */

static u64 push(struct ur_stream *s, u64 bytes)
{
	static u64 words[1 << 14];
	u64 sum = 0, x = 88172645463325252ull;
	size_t i;

	while (bytes > 0) {
		size_t n = bytes < sizeof(words) ? bytes : sizeof(words);

		for (i = 0; i < n / 8; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			words[i] = x;
			sum = sum * 3 + x;
		}
		assert_int_equal(ur_stream_send(s, words, n, SOON_MS), n);
		bytes -= n;
	}
	return sum;
}

static void push_through(u64 bytes)
{
	struct ur_file_link_config c;
	struct ur_stream *s;
	u64 answer[2], sum, start;
	pid_t child;

	unlink(duo_path());
	duo_memory(&D);
	child = fork_child(sum_body);
	c = config(UR_END_A);
	D.l[0] = must_open(&c);
	start = now_ms();
	s = must_connect(D.l[0]);
	sum = push(s, bytes);
	assert_int_equal(ur_stream_shut(s, UR_SHUT_SEND), 0);
	assert_int_equal(ur_stream_recv_all(s, answer, 16, SOON_MS), 16);
	assert_int_equal(ur_stream_recv(s, answer, 1, SOON_MS), 0);
	printf("# %llu kB in %llu ms, %u %% loss\n",
	       (unsigned long long)(bytes / 1000),
	       (unsigned long long)(now_ms() - start), loss_percent);
	assert_true(loss_fits(D.l[0], "parent"));
	assert_int_equal(answer[0], bytes);
	assert_true(answer[1] == sum);
	ur_stream_close(s, false);
	assert_exit(child);
	ur_file_link_close(D.l[0]);
	duo_forget(&D);
	unlink(duo_path());
}

static void two_hundred_megabytes(void **state)
{
	(void)state;
	use_file = true;
	push_through(200 * MB);
	use_file = false;
}

static void fifty_megabytes_by_memfd_and_eventfd(void **state)
{
	(void)state;
	doorbell = EVENTFD;
	push_through(50 * MB);
	doorbell = FUTEX;
}

/* Slower, never stuck. */
static void doorbells_get_lost(void **state)
{
	static const struct {
		u32 percent;
		u64 bytes;
	} rows[] = {
		/* 1 */ { 1, 6 * MB },
		/* 2 */ { 50, 300000 },
		/* 3 */ { 100, 100000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < 2 * ROWS(rows); i++) {
		doorbell = i < ROWS(rows) ? FUTEX : EVENTFD;
		loss_percent = rows[i % ROWS(rows)].percent;
		push_through(rows[i % ROWS(rows)].bytes);
	}
	loss_percent = 0;
	doorbell = FUTEX;
}

/* ---- death --------------------------------------------------------------- */

static pid_t start_echo_child(void)
{
	struct ur_file_link_config c;
	pid_t child;

	unlink(duo_path());
	duo_memory(&D);
	child = fork_child(echo_body);
	c = config(UR_END_A);
	D.l[0] = must_open(&c);
	return child;
}

static void end_with_child(pid_t child)
{
	kill_child(child);
	ur_file_link_close(D.l[0]);
	duo_forget(&D);
	unlink(duo_path());
}

static void sleep_for_ever(struct ur_stream *s)
{
	char byte;

	assert_int_equal(ur_stream_recv(s, &byte, 1, SOON_MS), UR_PEER_RESET);
}

static void send_for_ever(struct ur_stream *s)
{
	static u8 bytes[1 << 20];
	ssize_t n;

	do {
		n = ur_stream_send(s, bytes, sizeof(bytes), SOON_MS);
	} while (n == sizeof(bytes));
	if (n > 0)
		n = ur_stream_send(s, bytes, sizeof(bytes), SOON_MS);
	assert_int_equal(n, UR_PEER_RESET);
}

static void poll_for_ever(struct ur_stream *s)
{
	struct ur_poll_item item = { s, 0, UR_POLL_IN, 0 };

	assert_int_equal(ur_file_link_poll(D.l[0], &item, 1, SOON_MS), 1);
	assert_int_equal(item.revents & UR_POLL_ERR, UR_POLL_ERR);
}

static void (*const MEANWHILE[])(struct ur_stream *s) = {
	sleep_for_ever, send_for_ever, poll_for_ever,
};

struct killer {
	pid_t child;
	u64 at_ms;
};

static void *killer_thread(void *arg)
{
	struct killer *k = arg;

	usleep(50000); /* any moment will do */
	k->at_ms = now_ms();
	kill_child(k->child);
	return NULL;
}

/* kill -9 while we sleep, send or poll; a new child is served by the same end. */
static void a_killed_peer_and_its_successor(void **state)
{
	pid_t child = start_echo_child();
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(MEANWHILE); i++) {
		struct ur_stream *s = must_connect(D.l[0]), *next;
		struct killer k = { child, 0 };
		pthread_t killer;
		u64 took;

		assert_echo(s, "alive", 5);
		pthread_create(&killer, NULL, killer_thread, &k);
		MEANWHILE[i](s);
		took = now_ms();
		pthread_join(killer, NULL);
		took -= k.at_ms;
		if (took > DEATH_MS)
			row_fails("row %zu: %llu ms", i + 1, (unsigned long long)took);
		assert_int_equal(ur_file_link_connect(D.l[0], SERVICE, 20, &next),
				 UR_PEER_DOWN);
		child = fork_child(echo_body);
		next = must_connect(D.l[0]);
		assert_echo(next, "again", 5);
		ur_stream_close(s, false);
		ur_stream_close(next, false);
	}
	end_with_child(child);
}

static void the_dead_and_the_living_by_file(void **state)
{
	use_file = true;
	a_killed_peer_and_its_successor(state);
	use_file = false;
}

static void the_dead_and_the_living_by_eventfd(void **state)
{
	doorbell = EVENTFD;
	a_killed_peer_and_its_successor(state);
	doorbell = FUTEX;
}

/* A paused peer is slow; nobody declares it dead, and nothing is lost. */
static void a_paused_peer_loses_nothing(void **state)
{
	pid_t child = start_echo_child();
	struct ur_file_link_info info;
	struct ur_stream *s = must_connect(D.l[0]);
	char byte;

	(void)state;
	kill(child, SIGSTOP);
	assert_int_equal(ur_stream_send(s, "x", 1, 0), 1);
	assert_int_equal(ur_stream_recv(s, &byte, 1, 500), -ETIMEDOUT);
	kill(child, SIGCONT);
	assert_int_equal(ur_stream_recv(s, &byte, 1, SOON_MS), 1);
	ur_file_link_info(D.l[0], &info);
	assert_int_equal(info.burials, 0);
	assert_int_equal(info.counters.epochs, 1);
	end_with_child(child);
}

/* Both ends died; the file still says that they live. */
static void a_file_of_two_dead(void **state)
{
	pid_t child;
	u32 i;

	(void)state;
	use_file = true;
	for (i = 0; i < 3; i++) {
		struct ur_stream *s;

		child = start_echo_child();
		s = must_connect(D.l[0]);
		assert_echo(s, "hello", 5);
		kill_child(child);
		/* Our own death, as good as: the file is kept as it is. */
		rename(duo_path(), "/dev/shm/usbroute-test-kept");
		ur_file_link_close(D.l[0]);
		rename("/dev/shm/usbroute-test-kept", duo_path());
		duo_forget(&D);
	}
	unlink(duo_path());
	use_file = false;
}

/* ---- who owns an end ----------------------------------------------------- */

static void an_end_of_another_process(void **state)
{
	struct ur_file_link_config c;
	char why[UR_WHY_BYTES] = "";
	struct ur_file_link *l;
	pid_t child;

	(void)state;
	use_file = true;
	child = start_echo_child();
	ur_stream_close(must_connect(D.l[0]), false);
	c = config(UR_END_B);
	assert_int_equal(ur_file_link_open(&c, &l, why), -EBUSY);
	assert_non_null(strstr(why, "end B"));
	assert_non_null(strstr(why, duo_path()));
	kill_child(child);
	l = must_open(&c);
	ur_file_link_look(l);
	assert_int_equal(ur_file_link_wait_up(D.l[0], SOON_MS), 0);
	ur_file_link_close(l);
	ur_file_link_close(D.l[0]);
	duo_forget(&D);
	unlink(duo_path());
	use_file = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hundred_megabytes),
		cmocka_unit_test(fifty_megabytes_by_memfd_and_eventfd),
		cmocka_unit_test(doorbells_get_lost),
		cmocka_unit_test(a_killed_peer_and_its_successor),
		cmocka_unit_test(the_dead_and_the_living_by_file),
		cmocka_unit_test(the_dead_and_the_living_by_eventfd),
		cmocka_unit_test(a_paused_peer_loses_nothing),
		cmocka_unit_test(a_file_of_two_dead),
		cmocka_unit_test(an_end_of_another_process),
	};

	return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
