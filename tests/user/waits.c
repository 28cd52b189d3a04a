// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waits and what ends them, with both kinds of doorbell.
 *
 *      a thread that waits --- end A ==== link ==== end B --- what wakes it
 */
#include "fixture.h"

#include <signal.h>
#include <sys/time.h>

static struct {
	int ready;
	u64 woken_ms;
	ssize_t result;
} SLEEPER;

/* A reader that waits for much gets the little that was the last. */
static void *recv_all_thread(void *stream)
{
	static u8 bytes[4096];

	SLEEPER.result = ur_stream_recv_all(stream, bytes, sizeof(bytes), SOON_MS);
	SLEEPER.woken_ms = now_ms();
	return NULL;
}

static void the_last_bytes_wake_who_waits_for_more(void **state)
{
	struct ur_stream *a, *b;
	pthread_t reader;
	u64 start;

	(void)state;
	connect_pair(&a, &b);
	pthread_create(&reader, NULL, recv_all_thread, b);
	usleep(20000);
	start = now_ms();
	assert_int_equal(ur_stream_send(a, "last", 4, 0), 4);
	usleep(20000);
	assert_int_equal(ur_stream_shut(a, UR_SHUT_SEND), 0);
	pthread_join(reader, NULL);
	assert_int_equal(SLEEPER.result, 4);
	assert_true(SLEEPER.woken_ms - start < SOON_MS / 2);
}

/* ---- closing a link with streams open ------------------------------------ */

static void open_with_linger(int linger_ms)
{
	struct ur_file_link_config c = duo_config(&D, UR_END_A);

	c.linger_ms = linger_ms;
	A = must_open(&c);
}

static void reopen_with_linger(int linger_ms)
{
	ur_file_link_close(A);
	open_with_linger(linger_ms);
}

static void *close_thread(void *link)
{
	ur_file_link_close(link);
	return NULL;
}

static void close_waits_for_the_reader(void **state)
{
	struct ur_stream *a, *b;
	pthread_t closer;
	char got[8];

	(void)state;
	reopen_with_linger(SOON_MS);
	connect_pair(&a, &b);
	assert_int_equal(ur_stream_send(a, "last", 4, 0), 4);
	pthread_create(&closer, NULL, close_thread, A);
	usleep(50000); /* a slow reader */
	assert_int_equal(ur_stream_recv_all(b, got, 8, SOON_MS), 4);
	assert_int_equal(ur_stream_recv(b, got, 8, SOON_MS), 0);
	ur_stream_close(b, false);
	pthread_join(closer, NULL);
	open_with_linger(0);
}

static void close_does_not_wait_for_ever(void **state)
{
	struct ur_stream *a, *b;
	u64 start = now_ms();

	(void)state;
	reopen_with_linger(50);
	connect_pair(&a, &b);
	reopen_with_linger(0);
	assert_true(now_ms() - start >= 50);
	assert_int_equal(ur_stream_recv(b, &start, 1, SOON_MS), UR_PEER_RESET);
}

/* ---- waking who waits ---------------------------------------------------- */

static void *sleeper_thread(void *stream)
{
	char byte;

	__atomic_store_n(&SLEEPER.ready, 1, __ATOMIC_RELEASE);
	SLEEPER.result = ur_stream_recv(stream, &byte, 1, UR_FOREVER);
	SLEEPER.woken_ms = now_ms();
	return NULL;
}

static void wake_by_byte(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	assert_int_equal(ur_stream_send(b, "x", 1, 0), 1);
}

static void wake_by_peer_close(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	ur_stream_close(b, true);
}

static void wake_by_shut(struct ur_stream *a, struct ur_stream *b)
{
	(void)b;
	assert_int_equal(ur_stream_shut(a, UR_SHUT_RECV), 0);
}

static void wake_by_stop(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	(void)b;
	ur_file_link_stop(A);
}

static void wake_by_restart(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	(void)b;
	assert_int_equal(ur_file_link_restart(A), 0);
}

static void wake_by_peer_restart(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	(void)b;
	assert_int_equal(ur_file_link_restart(B), 0);
}

static void wake_by_peer_stop(struct ur_stream *a, struct ur_stream *b)
{
	(void)a;
	(void)b;
	ur_file_link_stop(B);
}

static const struct {
	void (*wake)(struct ur_stream *a, struct ur_stream *b);
	ssize_t result;
} WAKES[] = {
	/* 1 */ { wake_by_byte, 1 },
	/* 2 */ { wake_by_peer_close, UR_PEER_RESET },
	/* 3 */ { wake_by_shut, 0 },
	/* 4 */ { wake_by_stop, -ESHUTDOWN },
	/* 5 */ { wake_by_restart, UR_PEER_RESET },
	/* 6 */ { wake_by_peer_restart, UR_PEER_RESET },
	/* 7 */ { wake_by_peer_stop, UR_PEER_RESET },
};

static u64 wake_once(size_t i)
{
	struct ur_stream *a, *b;
	pthread_t thread;
	u64 start;

	assert_int_equal(setup_pair(NULL), 0);
	connect_pair(&a, &b);
	SLEEPER.ready = 0;
	assert_int_equal(pthread_create(&thread, NULL, sleeper_thread, a), 0);
	while (!__atomic_load_n(&SLEEPER.ready, __ATOMIC_ACQUIRE))
		sched_yield();
	usleep(10000); /* asleep by now; right as well if it is not */
	start = now_ms();
	WAKES[i].wake(a, b);
	pthread_join(thread, NULL);
	if (SLEEPER.result != WAKES[i].result)
		row_fails("row %zu: %zd", i + 1, SLEEPER.result);
	duo_close(&D);
	return SLEEPER.woken_ms - start;
}

/* Not by the watchdog: that would take half of its 100 ms at an average. */
static void wake_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(WAKES); i++) {
		u32 try, quick = 0;

		for (try = 0; try < 5; try++)
			quick += wake_once(i) < 40;
		if (quick < 3)
			row_fails("row %zu: %u of 5 at once", i + 1, quick);
	}
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void alarm_every(int ms)
{
	struct itimerval t = { { 0, ms * 1000 }, { 0, ms * 1000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void a_signal(void **state)
{
	struct ur_file_link_config c;
	struct ur_stream *a, *b;
	char byte;

	(void)state;
	connect_pair(&a, &b);
	alarm_every(5);
	assert_int_equal(ur_stream_recv(a, &byte, 1, 60), -ETIMEDOUT);
	ur_file_link_close(A);
	c = duo_config(&D, UR_END_A);
	c.interruptible = true;
	A = must_open(&c);
	assert_int_equal(ur_file_link_accept(A, SERVICE, 0, &a), UR_BUG_INVALID);
	assert_int_equal(ur_file_link_wait_up(A, SOON_MS), -EINTR);
	alarm_every(0);
}

/* ---- poll ---------------------------------------------------------------- */

static void poll_rows(void **state)
{
	static u8 bytes[4096];
	struct ur_stream *a, *b;
	struct ur_poll_item i[2] = { { 0 } };

	(void)state;
	connect_pair(&a, &b);
	i[0] = (struct ur_poll_item){ a, 0, UR_POLL_IN, 0 };
	assert_int_equal(ur_file_link_poll(A, i, 1, 0), 0);
	assert_int_equal(ur_file_link_poll(A, i, 1, 20), 0);
	i[0].events = UR_POLL_IN | UR_POLL_OUT;
	assert_int_equal(ur_file_link_poll(A, i, 1, 20), 1);
	assert_int_equal(i[0].revents, UR_POLL_OUT);
	assert_int_equal(ur_stream_send(a, bytes, 4096, 0), 4096);
	assert_int_equal(ur_file_link_poll(A, i, 1, 20), 0);
	assert_int_equal(ur_stream_send(b, bytes, 1, 0), 1);
	assert_int_equal(ur_file_link_poll(A, i, 1, SOON_MS), 1);
	assert_int_equal(i[0].revents, UR_POLL_IN);
	assert_int_equal(ur_stream_recv(b, bytes, 1, 0), 1);
	i[0].events = UR_POLL_OUT;
	assert_int_equal(ur_file_link_poll(A, i, 1, SOON_MS), 1);
	assert_int_equal(i[0].revents, UR_POLL_OUT);
	assert_int_equal(ur_stream_shut(b, UR_SHUT_SEND), 0);
	assert_int_equal(ur_stream_recv(a, bytes, 9, 0), 1);
	i[0].events = 0;
	i[1] = (struct ur_poll_item){ NULL, SERVICE, UR_POLL_IN, 0 };
	assert_int_equal(ur_file_link_poll(A, i, 2, SOON_MS), 1);
	assert_int_equal(i[0].revents, UR_POLL_HUP);
	ur_stream_close(b, true);
	assert_int_equal(ur_file_link_poll(A, i, 1, SOON_MS), 1);
	assert_int_equal(i[0].revents, UR_POLL_HUP | UR_POLL_ERR);
}

static void poll_tells_of_calls_and_state(void **state)
{
	struct ur_poll_item item = { NULL, SERVICE, UR_POLL_IN | UR_POLL_STATE, 0 };
	struct ur_file_link_info info;
	struct call call = { 0 };
	struct ur_stream *b;

	(void)state;
	ur_file_link_look(B);
	ur_file_link_info(B, &info);
	assert_int_equal(ur_file_link_poll(B, &item, 1, 20), 0);
	call_from_threads(&call, 1);
	assert_int_equal(ur_file_link_poll(B, &item, 1, SOON_MS), 1);
	assert_int_equal(item.revents, UR_POLL_IN);
	assert_int_equal(ur_file_link_accept(B, SERVICE, 0, &b), 0);
	pthread_join(call.thread, NULL);
	assert_int_equal(ur_file_link_restart(A), 0);
	assert_int_equal(ur_file_link_poll(B, &item, 1, SOON_MS), 1);
	assert_int_equal(item.revents, UR_POLL_STATE);
	ur_file_link_info(B, &info);
	ur_file_link_stop(B);
	assert_int_equal(ur_file_link_poll(B, &item, 1, SOON_MS), -ESHUTDOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(setup_pair, the_last_bytes_wake_who_waits_for_more, teardown),
		with(setup_pair, close_waits_for_the_reader, teardown),
		with(setup_pair, close_does_not_wait_for_ever, teardown),
		cmocka_unit_test(wake_rows),
		with(setup_pair, a_signal, teardown),
		with(setup_pair, poll_rows, teardown),
		with(setup_pair, poll_tells_of_calls_and_state, teardown),
	};
	int failed;

	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("waits by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("waits by eventfd", tests,
						    NULL, NULL);
}
