/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a file link in one process, and an echo behind one of them.
 */
#ifndef UR_TEST_DUO_H
#define UR_TEST_DUO_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "file_link.h"
#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define SERVICE 7
#define SOON_MS 10000	/* a bound for what takes no time */

/* A diagnostic of TAP, beside the plan. */
#define row_fails(...)                    \
	do {                              \
		printf("# " __VA_ARGS__); \
		printf("\n");             \
		fail();                   \
	} while (0)

struct duo {
	struct ur_file_link *l[2];	/* by enum ur_end */
	int bells[2];			/* eventfds: the one that end waits on */
	int memory;
	pthread_t echo;
};

enum doorbell { FUTEX, EVENTFD };
static enum doorbell doorbell __attribute__((unused));

static inline const char *duo_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dev/shm/usbroute-test-%d", (int)getpid());
	return path;
}

static inline u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static inline struct ur_file_link *must_open(const struct ur_file_link_config *c)
{
	char why[UR_WHY_BYTES] = "";
	struct ur_file_link *l = NULL;

	if (ur_file_link_open(c, &l, why) < 0)
		row_fails("end %c: %s", "AB"[c->end], why);
	return l;
}

/* 8 channels with rings of 4 KiB in a memfd, and the doorbell of the run. */
static inline struct ur_file_link_config duo_config(const struct duo *d,
						    enum ur_end end)
{
	struct ur_file_link_config c = ur_file_link_config(end, NULL);

	c.fd = d->memory;
	c.channels = 8;
	c.ring_bytes = 4096;
	c.linger_ms = 0;
	if (doorbell == EVENTFD) {
		c.wait_fd = d->bells[end];
		c.ring_fd = d->bells[!end];
	}
	return c;
}

static inline void duo_memory(struct duo *d)
{
	d->memory = ur_file_link_memfd(256 << 10);
	d->bells[0] = eventfd(0, EFD_CLOEXEC);
	d->bells[1] = eventfd(0, EFD_CLOEXEC);
	assert_true(d->memory >= 0 && d->bells[0] >= 0 && d->bells[1] >= 0);
}

static inline void duo_open(struct duo *d)
{
	u32 end;

	duo_memory(d);
	for (end = 0; end < 2; end++) {
		struct ur_file_link_config c = duo_config(d, end);

		d->l[end] = must_open(&c);
	}
}

static inline void duo_forget(struct duo *d)
{
	close(d->memory);
	close(d->bells[0]);
	close(d->bells[1]);
}

static inline void duo_close(struct duo *d)
{
	ur_file_link_close(d->l[0]);
	ur_file_link_close(d->l[1]);
	duo_forget(d);
}

/* ---- an echo at end B, until its link is stopped ------------------------- */

static inline void echo_one(struct ur_stream *s)
{
	u8 buffer[3000];
	ssize_t n, m;

	for (;;) {
		n = ur_stream_recv(s, buffer, sizeof(buffer), UR_FOREVER);
		if (n <= 0)
			break;
		m = ur_stream_send(s, buffer, (size_t)n, UR_FOREVER);
		if (m < n)
			break;
	}
	ur_stream_close(s, false);
}

static inline void *echo_thread(void *link)
{
	struct ur_stream *s;

	while (ur_file_link_accept(link, SERVICE, UR_FOREVER, &s) == 0)
		echo_one(s);
	return NULL;
}

static inline void echo_start(struct duo *d)
{
	assert_int_equal(ur_file_link_listen(d->l[1], SERVICE, 8), 0);
	assert_int_equal(pthread_create(&d->echo, NULL, echo_thread, d->l[1]), 0);
}

static inline void echo_stop(struct duo *d)
{
	ur_file_link_stop(d->l[1]);
	pthread_join(d->echo, NULL);
}

static inline struct ur_stream *must_connect(struct ur_file_link *l)
{
	struct ur_stream *s = NULL;
	int n = ur_file_link_connect(l, SERVICE, SOON_MS, &s);

	if (n != 0)
		row_fails("connect: %d", n);
	return s;
}

static inline void assert_echo(struct ur_stream *s, const void *bytes, u32 count)
{
	u8 *got = malloc(count);

	assert_int_equal(ur_stream_send(s, bytes, count, SOON_MS), count);
	assert_int_equal(ur_stream_recv_all(s, got, count, SOON_MS), count);
	assert_memory_equal(got, bytes, count);
	free(got);
}

#endif
