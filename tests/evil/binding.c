// SPDX-License-Identifier: BSD-2-Clause
/*
 * The binding of plain processes against a peer that scribbles and rings without
 * end: every call returns within its time, and an honest successor is served.
 *
 *      end A, through file_link.h ==== memfd ==== a thread that owns end B's half
 */
#define _GNU_SOURCE
#include "../user/duo.h"
#include "channel.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define OUTBOX (128u << 10)
#define TIMEOUT_MS 10
#define SLACK_MS 3000 /* of a busy machine */

static struct duo D;
static struct ur_header_shm *peer;
static const struct ur_header_shm *ours;
static int stop; /* atomic */

static u32 draw(u32 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Up, and then some word that is near the truth, or is not. */
static void scribble(u32 *x)
{
	struct ur_block_shm *b = ur_block(peer, draw(x) % 8);
	u32 near = draw(x) % 5 - 2;

	switch (draw(x) % 8) {
	case 0:
		ur_store_release(&peer->epoch, 1 + draw(x) % 3);
		break;
	case 1:
	case 2:
		ur_store_release(&peer->seen, ur_load_once(&ours->epoch));
		break;
	case 3:
		ur_store_release(&b->word, draw(x) % 8 + ((1 + near) << 8));
		break;
	case 4:
		ur_store_release(&b->produced, ur_load_once(&b->produced) + near);
		break;
	case 5:
		ur_store_release(&b->consumed, near);
		break;
	case 6:
		ur_store_release((ur_shm32 *)peer + draw(x) % 0x240, draw(x));
		break;
	default:
		ur_header_write(peer, &(struct ur_geometry){
					.outbox_bytes = OUTBOX, .channels = 8,
					.ring_bytes = 4096, .data_offset = 4096 },
				UR_END_B);
	}
}

/* An honest end for a while, which makes the lies reach far. */
static void behave(struct ur_link *h, const struct ur_geometry *g, u32 *x)
{
	static struct ur_ticket tickets[8];
	struct ur_ticket *t = &tickets[draw(x) % ROWS(tickets)];
	struct ur_peer_span in[2];
	struct ur_span out[2];
	u32 service;
	int n;

	if (h->state == UR_LINK_BROKEN || draw(x) % 65536 == 0)
		ur_link_start(h, g, UR_END_B, peer, ours);
	ur_link_look(h);
	n = ur_channel_called(h, 0, &service);
	if (n >= 0)
		n = ur_channel_accept(h, (u32)n, t);
	if (draw(x) % 64 == 0)
		n = ur_channel_call(h, SERVICE, t);
	n = ur_channel_data(h, *t, 4096, in);
	if (n > 0)
		n = ur_channel_release(h, *t, (u32)n);
	n = ur_channel_room(h, *t, draw(x) % 4096, out);
	if (n > 0)
		n = ur_channel_publish(h, *t, (u32)n);
	if (draw(x) % 256 == 0)
		ur_channel_close(h, *t, false);
}

static void *hostile_thread(void *unused)
{
	static struct ur_link h;
	struct ur_geometry g;
	struct ur_fault f;
	u32 x = 88172645u;

	(void)unused;
	memset(&h, 0, sizeof(h));
	if (ur_geometry_init(&g, OUTBOX, 8, 4096, &f) < 0)
		return NULL;
	ur_link_start(&h, &g, UR_END_B, peer, ours);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		behave(&h, &g, &x);
		if (draw(&x) % 128 == 0)
			scribble(&x);
		ur_store_release(&peer->bell, draw(&x));
		syscall(SYS_futex, &peer->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
		if (eventfd_write(D.bells[0], 1) < 0)
			return NULL;
	}
	return NULL;
}

static u32 results[2]; /* calls that failed, that did something */

static void use_stream(struct ur_stream *s)
{
	static u8 bytes[9000];
	struct ur_poll_item item = { s, 0, UR_POLL_IN | UR_POLL_OUT, 0 };
	ssize_t n;

	n = ur_stream_send(s, bytes, sizeof(bytes), TIMEOUT_MS);
	assert_true(n <= (ssize_t)sizeof(bytes));
	results[n > 0]++;
	n = ur_stream_recv_all(s, bytes, sizeof(bytes), TIMEOUT_MS);
	assert_true(n <= (ssize_t)sizeof(bytes));
	results[n > 0]++;
	n = ur_file_link_poll(D.l[0], &item, 1, TIMEOUT_MS);
	assert_true(n == 0 || n == 1);
	n = ur_stream_shut(s, UR_SHUT_SEND);
	results[n == 0]++;
	ur_stream_close(s, false);
}

static void one_round(u32 i)
{
	struct ur_file_link_info info;
	struct ur_stream *s;
	int n = ur_file_link_wait_up(D.l[0], TIMEOUT_MS);

	results[n == 0]++;
	n = ur_file_link_connect(D.l[0], SERVICE, TIMEOUT_MS, &s);
	results[n == 0]++;
	if (n == 0)
		use_stream(s);
	n = ur_file_link_accept(D.l[0], SERVICE, TIMEOUT_MS, &s);
	results[n == 0]++;
	if (n == 0)
		use_stream(s);
	ur_file_link_info(D.l[0], &info);
	if (info.state == UR_LINK_BROKEN || i % 8 == 0)
		assert_int_equal(ur_file_link_restart(D.l[0]), 0);
}

static void map_both(void)
{
	u8 *all = mmap(NULL, 2 * OUTBOX, PROT_READ | PROT_WRITE, MAP_SHARED,
		       D.memory, 0);

	assert_true(all != MAP_FAILED);
	ours = (const void *)all;
	peer = (void *)(all + OUTBOX);
}

static void live_with_it(u64 ms)
{
	u64 end = now_ms() + ms, start, longest = 0;
	u32 i;

	results[0] = results[1] = 0;
	for (i = 0; now_ms() < end; i++) {
		start = now_ms();
		one_round(i);
		if (now_ms() - start > longest)
			longest = now_ms() - start;
	}
	printf("# %u rounds, the longest %llu ms; %u calls did something, %u did not\n",
	       i, (unsigned long long)longest, results[1], results[0]);
	assert_true(longest < SLACK_MS);
	assert_true(results[1] > 20);
}

/* It is dead: nobody holds its lock, and now it is quiet. */
static void await_burial(void)
{
	struct ur_poll_item item = { NULL, SERVICE, UR_POLL_STATE, 0 };
	struct ur_file_link_info info;

	do {
		ur_file_link_info(D.l[0], &info);
		if (info.state != UR_LINK_DOWN)
			assert_true(ur_file_link_poll(D.l[0], &item, 1, SOON_MS) > 0);
	} while (info.state != UR_LINK_DOWN);
}

static void every_call_returns_in_time(void **state)
{
	struct ur_file_link_config c;
	struct ur_stream *s;
	pthread_t thread;

	(void)state;
	duo_memory(&D);
	map_both();
	c = duo_config(&D, UR_END_A);
	D.l[0] = must_open(&c);
	assert_int_equal(ur_file_link_listen(D.l[0], SERVICE, 2), 0);
	stop = 0;
	pthread_create(&thread, NULL, hostile_thread, NULL);
	live_with_it(2000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	await_burial();
	c = duo_config(&D, UR_END_B);
	D.l[1] = must_open(&c);
	echo_start(&D);
	s = must_connect(D.l[0]);
	assert_echo(s, "an honest one", 13);
	ur_stream_close(s, false);
	echo_stop(&D);
	munmap((void *)ours, 2 * OUTBOX);
	duo_close(&D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_returns_in_time),
	};
	int failed;

	doorbell = FUTEX;
	failed = cmocka_run_group_tests_name("binding by futex", tests, NULL, NULL);
	doorbell = EVENTFD;
	return failed + cmocka_run_group_tests_name("binding by eventfd", tests,
						    NULL, NULL);
}
