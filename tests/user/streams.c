// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls and bytes of the binding, with both kinds of doorbell.
 *
 *      test --- end A ==== link ==== end B --- echo (a thread)
 */
#include "fixture.h"

/* ---- calls --------------------------------------------------------------- */

static void a_call_without_a_peer(void **state)
{
	struct ur_stream *s;
	u64 start = now_ms();

	(void)state;
	ur_file_link_stop(B);
	assert_int_equal(ur_file_link_connect(A, SERVICE, 0, &s), UR_PEER_DOWN);
	assert_int_equal(ur_file_link_connect(A, SERVICE, 50, &s), UR_PEER_DOWN);
	assert_true(now_ms() - start >= 50);
	assert_int_equal(ur_file_link_wait_up(A, 20), UR_PEER_DOWN);
	assert_int_equal(ur_file_link_connect(B, SERVICE, 0, &s), -ESHUTDOWN);
	assert_int_equal(ur_file_link_accept(B, SERVICE, 0, &s), -ESHUTDOWN);
	assert_int_equal(ur_file_link_listen(B, SERVICE, 1), -ESHUTDOWN);
}

static void a_call_nobody_serves(void **state)
{
	struct ur_stream *s;

	(void)state;
	assert_int_equal(ur_file_link_connect(A, SERVICE + 1, SOON_MS, &s),
			 UR_PEER_REFUSED);
}

/* B listens and does not accept. */
static void a_call_nobody_answers(void **state)
{
	struct ur_stream *s;

	(void)state;
	assert_int_equal(ur_file_link_listen(B, SERVICE, 1), 0);
	assert_int_equal(ur_file_link_connect(A, SERVICE, 0, &s), -ETIMEDOUT);
	assert_int_equal(ur_file_link_connect(A, SERVICE, 30, &s), -ETIMEDOUT);
	assert_int_equal(ur_file_link_accept(B, SERVICE, 0, &s), -EAGAIN);
	assert_int_equal(ur_file_link_accept(B, SERVICE, 30, &s), -ETIMEDOUT);
	assert_int_equal(ur_file_link_accept(B, SERVICE + 1, 30, &s),
			 UR_BUG_INVALID);
}

static void listen_rows(void **state)
{
	static const struct {
		u32 service, backlog;
		int result;
	} rows[] = {
		/* 1 */ { 1, 0, UR_BUG_INVALID },
		/* 2 */ { 1, 65, UR_BUG_INVALID },
		/* 3 */ { 1, 1, 0 },
		/* 4 */ { 1, 1, -EADDRINUSE },
		/* 5 */ { 2, 64, 0 },
		/* 6 */ { 0, 64, 0 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		if (ur_file_link_listen(A, rows[i].service, rows[i].backlog) !=
		    rows[i].result)
			row_fails("row %u", i + 1);
	for (i = 3; i < UR_LISTENERS_MAX; i++)
		assert_int_equal(ur_file_link_listen(A, 100 + i, 1), 0);
	assert_int_equal(ur_file_link_listen(A, 200, 1), -ENOSPC);
	ur_file_link_unlisten(A, 1);
	assert_int_equal(ur_file_link_listen(A, 200, 1), 0);
}

/* 4 channels of A: 2 calls may wait, so of 4 calls 2 are refused at once. */
static void a_backlog_of_two(void **state)
{
	struct ur_poll_item item = { NULL, SERVICE, UR_POLL_IN, 0 };
	struct ur_file_link_info info;
	struct call calls[4] = { 0 };
	struct ur_stream *s[2];
	u32 i, ok = 0, refused = 0;

	(void)state;
	assert_int_equal(ur_file_link_listen(B, SERVICE, 2), 0);
	call_from_threads(calls, 4);
	do {
		assert_true(ur_file_link_poll(B, &item, 1, SOON_MS) > 0);
		ur_file_link_info(B, &info);
		sched_yield();
	} while (info.counters.refusals < 2);
	assert_int_equal(ur_file_link_accept(B, SERVICE, SOON_MS, &s[0]), 0);
	assert_int_equal(ur_file_link_accept(B, SERVICE, SOON_MS, &s[1]), 0);
	assert_int_equal(ur_file_link_accept(B, SERVICE, 0, &s[0]), -EAGAIN);
	for (i = 0; i < 4; i++) {
		pthread_join(calls[i].thread, NULL);
		ok += calls[i].result == 0;
		refused += calls[i].result == UR_PEER_REFUSED;
	}
	assert_int_equal(ok, 2);
	assert_int_equal(refused, 2);
}

static void unlisten_refuses_who_waits(void **state)
{
	struct ur_poll_item item = { NULL, SERVICE, UR_POLL_IN, 0 };
	struct call call = { 0 };

	(void)state;
	assert_int_equal(ur_file_link_listen(B, SERVICE, 2), 0);
	call_from_threads(&call, 1);
	assert_int_equal(ur_file_link_poll(B, &item, 1, SOON_MS), 1);
	ur_file_link_unlisten(B, SERVICE);
	pthread_join(call.thread, NULL);
	assert_int_equal(call.result, UR_PEER_REFUSED);
}

static void two_thousand_calls(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		struct ur_stream *s = must_connect(A);

		if (i % 100 == 0)
			assert_echo(s, "still here", 10);
		ur_stream_close(s, i % 2);
	}
}

/* ---- bytes --------------------------------------------------------------- */

static void bytes_of_every_length(void **state)
{
	static const u32 lengths[] = { 1, 2, 63, 4095, 4096, 4097, 8192 };
	struct ur_stream *s = must_connect(A);
	u8 bytes[8192];
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7 + (i >> 9));
	for (i = 0; i < ROWS(lengths); i++)
		assert_echo(s, bytes, lengths[i]);
	assert_int_equal(ur_stream_channel(s) % 2, 0);
	assert_int_equal(ur_stream_service(s), SERVICE);
	ur_stream_close(s, false);
}

static void pieces_and_nothing(void **state)
{
	char text[] = "abcdefg";
	struct iovec pieces[] = { { text, 2 }, { NULL, 0 }, { text, 0 },
				  { text + 2, 4 }, { text + 6, 1 }, { NULL, 0 } };
	struct ur_stream *s = must_connect(A);
	char got[8] = "";

	(void)state;
	assert_int_equal(ur_stream_sendv(s, pieces, 6, SOON_MS), 7);
	assert_int_equal(ur_stream_recv_all(s, got, 7, SOON_MS), 7);
	assert_string_equal(got, "abcdefg");
	assert_int_equal(ur_stream_sendv(s, pieces + 1, 2, SOON_MS), 0);
	assert_int_equal(ur_stream_sendv(s, pieces, 0, SOON_MS), 0);
	assert_int_equal(ur_stream_send(s, NULL, 0, SOON_MS), 0);
	assert_int_equal(ur_stream_recv(s, NULL, 0, SOON_MS), 0);
	assert_int_equal(ur_stream_recv_all(s, NULL, 0, 0), 0);
}

/* Four channels are A's; the fifth call waits until one is free. */
static void a_call_waits_for_a_free_channel(void **state)
{
	struct ur_stream *a[4], *b[4], *more;
	struct call late = { 0 };
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++)
		connect_pair(&a[i], &b[i]);
	assert_int_equal(ur_file_link_connect(A, SERVICE, 30, &more), UR_TRY_BUSY);
	call_from_threads(&late, 1);
	ur_stream_close(a[2], false);
	ur_stream_close(b[2], false);
	assert_int_equal(ur_file_link_accept(B, SERVICE, SOON_MS, &b[2]), 0);
	pthread_join(late.thread, NULL);
	assert_int_equal(late.result, 0);
	assert_int_equal(ur_stream_channel(late.stream), 4);
}

static void the_time_is_up(void **state)
{
	static u8 bytes[10000];
	struct ur_stream *a, *b;
	u64 start;

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(ur_stream_recv(a, bytes, 1, 0), -EAGAIN);
	start = now_ms();
	assert_int_equal(ur_stream_recv(a, bytes, 1, 30), -ETIMEDOUT);
	assert_true(now_ms() - start >= 30);
	assert_int_equal(ur_stream_send(a, bytes, 10000, 0), 4096);
	assert_int_equal(ur_stream_send(a, bytes, 1, 0), -EAGAIN);
	assert_int_equal(ur_stream_send(a, bytes, 1, 30), -ETIMEDOUT);
	assert_int_equal(ur_stream_recv_all(b, bytes, 5000, 30), 4096);
	assert_int_equal(ur_stream_recv_all(b, bytes, 5000, 0), -EAGAIN);
	assert_int_equal(ur_stream_send(a, bytes, 3, 0), 3);
	assert_int_equal(ur_stream_recv(b, bytes, 5000, 30), 3);
}

static void shut_send_is_end_of_stream(void **state)
{
	struct ur_stream *a, *b;
	char got[8];

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(ur_stream_send(a, "last", 4, SOON_MS), 4);
	assert_int_equal(ur_stream_shut(a, UR_SHUT_SEND), 0);
	assert_int_equal(ur_stream_send(a, "x", 1, SOON_MS), UR_PEER_CLOSED);
	assert_int_equal(ur_stream_recv_all(b, got, 8, SOON_MS), 4);
	assert_int_equal(ur_stream_recv(b, got, 8, SOON_MS), 0);
	assert_int_equal(ur_stream_send(b, "yes", 3, SOON_MS), 3);
	assert_int_equal(ur_stream_recv(a, got, 8, SOON_MS), 3);
}

static void shut_recv_is_our_own_affair(void **state)
{
	struct ur_stream *a, *b;
	char got[8];

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(ur_stream_shut(a, UR_SHUT_RECV), 0);
	assert_int_equal(ur_stream_recv(a, got, 8, SOON_MS), 0);
	assert_int_equal(ur_stream_send(b, "x", 1, SOON_MS), 1);
	assert_int_equal(ur_stream_send(a, "y", 1, SOON_MS), 1);
	ur_stream_close(a, false);
	assert_int_equal(ur_stream_recv(b, got, 8, SOON_MS), UR_PEER_RESET);
}

static void shut_both_is_close(void **state)
{
	struct ur_stream *a, *b;
	char got[8];

	(void)state;
	connect_pair(&a, &b);
	assert_int_equal(ur_stream_shut(a, UR_SHUT_RECV | UR_SHUT_SEND), 0);
	assert_int_equal(ur_stream_recv(a, got, 8, SOON_MS), 0);
	assert_int_equal(ur_stream_send(a, "x", 1, SOON_MS), UR_PEER_CLOSED);
	assert_int_equal(ur_stream_recv(b, got, 8, SOON_MS), 0);
	assert_int_equal(ur_stream_send(b, "x", 1, SOON_MS), UR_PEER_CLOSED);
	ur_stream_close(b, false);
	ur_stream_close(a, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(setup, a_call_without_a_peer, teardown),
		with(setup_echo, a_call_nobody_serves, teardown_echo),
		with(setup, a_call_nobody_answers, teardown),
		with(setup, listen_rows, teardown),
		with(setup, a_backlog_of_two, teardown),
		with(setup_pair, a_call_waits_for_a_free_channel, teardown),
		with(setup, unlisten_refuses_who_waits, teardown),
		with(setup_echo, two_thousand_calls, teardown_echo),
		with(setup_echo, bytes_of_every_length, teardown_echo),
		with(setup_echo, pieces_and_nothing, teardown_echo),
		with(setup_pair, the_time_is_up, teardown),
		with(setup_pair, shut_send_is_end_of_stream, teardown),
		with(setup_pair, shut_recv_is_our_own_affair, teardown),
		with(setup_pair, shut_both_is_close, teardown),
	};
	int failed;

	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("streams by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("streams by eventfd", tests,
						    NULL, NULL);
}
