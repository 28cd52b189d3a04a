// SPDX-License-Identifier: BSD-2-Clause
/*
 * Many threads on one link, for -fsanitize=thread and for the locks.
 *
 *      clients, each with a sender --- end A ==== end B --- echoes
 *                 chaos: info, poll, restarts of either end
 */
#include "duo.h"

#define CLIENTS 3
#define ECHOES 3
#define BYTES 30000u

static struct duo D;
static u64 end_ms;
static u32 whole, broken;	/* atomic: connections that ended well, or not */
static const char *wrong;	/* atomic */

static bool is_over(void)
{
	return now_ms() >= end_ms || __atomic_load_n(&wrong, __ATOMIC_RELAXED);
}

static void fail_all(const char *what)
{
	__atomic_store_n(&wrong, what, __ATOMIC_RELAXED);
}

static u8 byte_at(u32 seed, u32 at)
{
	return (u8)(seed * 151 + at * 31 + (at >> 8));
}

struct job {
	struct ur_stream *stream;
	u32 seed;
};

static void *send_thread(void *arg)
{
	const struct job *job = arg;
	u8 bytes[1000];
	u32 at, i;

	for (at = 0; at < BYTES; at += sizeof(bytes)) {
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = byte_at(job->seed, at + i);
		if (ur_stream_send(job->stream, bytes, sizeof(bytes), SOON_MS) <
		    (ssize_t)sizeof(bytes))
			return NULL;
	}
	if (ur_stream_shut(job->stream, UR_SHUT_SEND) < 0)
		return NULL;
	return NULL;
}

/* Returns how many bytes came back before the end or an error. */
static u32 receive_all(const struct job *job, ssize_t *last)
{
	u8 bytes[1500];
	u32 at = 0;
	ssize_t n, i;

	while ((n = ur_stream_recv(job->stream, bytes, sizeof(bytes), SOON_MS)) > 0)
		for (i = 0; i < n; i++, at++)
			if (bytes[i] != byte_at(job->seed, at))
				fail_all("a byte that was not sent");
	*last = n;
	return at;
}

static void one_connection(u32 seed)
{
	struct job job = { .seed = seed };
	pthread_t sender;
	ssize_t last;
	u32 got;

	if (ur_file_link_connect(D.l[0], SERVICE, SOON_MS, &job.stream) < 0) {
		__atomic_fetch_add(&broken, 1, __ATOMIC_RELAXED);
		return;
	}
	pthread_create(&sender, NULL, send_thread, &job);
	got = receive_all(&job, &last);
	pthread_join(sender, NULL);
	if (last == -ETIMEDOUT || last == -EAGAIN)
		fail_all("a stream that stands still");
	if (last == 0 && got != BYTES)
		fail_all("an end of stream before the end");
	__atomic_fetch_add(last == 0 ? &whole : &broken, 1, __ATOMIC_RELAXED);
	ur_stream_close(job.stream, last != 0);
}

static void *client_thread(void *arg)
{
	u32 seed = (u32)(uintptr_t)arg;

	for (; !is_over(); seed += CLIENTS)
		one_connection(seed);
	return NULL;
}

static void do_chaos(u32 i, bool restarts)
{
	struct ur_poll_item item = { NULL, SERVICE, UR_POLL_STATE, 0 };
	struct ur_file_link_info info;
	int n;

	ur_file_link_info(D.l[i & 1], &info);
	n = ur_file_link_poll(D.l[i >> 1 & 1], &item, 1, 20);
	ur_file_link_look(D.l[!(i & 1)]);
	if (restarts && i % 4 == 0)
		n = ur_file_link_restart(D.l[i >> 2 & 1]);
	if (n < 0)
		fail_all("poll or restart failed");
}

static void run(bool restarts, u64 ms)
{
	pthread_t clients[CLIENTS], echoes[ECHOES];
	u32 i;

	duo_open(&D);
	wrong = NULL;
	whole = broken = 0;
	end_ms = now_ms() + ms;
	assert_int_equal(ur_file_link_listen(D.l[1], SERVICE, 8), 0);
	for (i = 0; i < ECHOES; i++)
		pthread_create(&echoes[i], NULL, echo_thread, D.l[1]);
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, client_thread,
			       (void *)(uintptr_t)i);
	for (i = 1; !is_over(); i++)
		do_chaos(i, restarts);
	for (i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	ur_file_link_stop(D.l[1]);
	for (i = 0; i < ECHOES; i++)
		pthread_join(echoes[i], NULL);
	duo_close(&D);
	printf("# %u connections whole, %u broken\n", whole, broken);
	if (wrong)
		row_fails("%s", wrong);
	assert_true(whole > 3);
}

static void in_peace(void **state)
{
	(void)state;
	run(false, 1000);
	assert_int_equal(broken, 0);
}

static void with_restarts(void **state)
{
	(void)state;
	run(true, 1000);
	assert_true(broken > 0);
}

/* ---- two senders on one stream ------------------------------------------- */

#define BLOCKS 400
#define BLOCK 64

struct writer {
	struct ur_stream *stream;
	u8 fill;
};

static void *write_blocks(void *arg)
{
	const struct writer *w = arg;
	u8 block[BLOCK];
	int i;

	memset(block, w->fill, sizeof(block));
	for (i = 0; i < BLOCKS; i++)
		if (ur_stream_send(w->stream, block, BLOCK, SOON_MS) != BLOCK)
			fail_all("a block was not sent");
	return NULL;
}

static void two_senders_lose_nothing(void **state)
{
	struct writer w[2] = { { NULL, 1 }, { NULL, 2 } };
	pthread_t thread[2];
	u32 count[3] = { 0 }, i, left = 2 * BLOCKS * BLOCK;
	u8 bytes[777];

	(void)state;
	duo_open(&D);
	wrong = NULL;
	echo_start(&D);
	w[0].stream = w[1].stream = must_connect(D.l[0]);
	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, write_blocks, &w[i]);
	while (left > 0) {
		ssize_t n = ur_stream_recv(w[0].stream, bytes, sizeof(bytes),
					   SOON_MS), j;

		assert_true(n > 0);
		for (j = 0; j < n; j++)
			count[bytes[j] < 3 ? bytes[j] : 0]++;
		left -= (u32)n;
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_null(wrong);
	assert_int_equal(count[1], BLOCKS * BLOCK);
	assert_int_equal(count[2], BLOCKS * BLOCK);
	echo_stop(&D);
	duo_close(&D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_peace),
		cmocka_unit_test(with_restarts),
		cmocka_unit_test(two_senders_lose_nothing),
	};
	int failed;

	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("threads by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("threads by eventfd", tests,
						    NULL, NULL);
}
