/* SPDX-License-Identifier: BSD-2-Clause */
/* A duo that is up, for every test, with an echo or a listener at end B. */
#ifndef UR_TEST_FIXTURE_H
#define UR_TEST_FIXTURE_H

#include "duo.h"

static struct duo D;
#define A D.l[0]
#define B D.l[1]

static inline int setup(void **state)
{
	(void)state;
	duo_open(&D);
	ur_file_link_look(B);
	return ur_file_link_wait_up(A, SOON_MS);
}

static inline int setup_echo(void **state)
{
	int n = setup(state);

	echo_start(&D);
	return n;
}

static inline int teardown(void **state)
{
	(void)state;
	duo_close(&D);
	return 0;
}

static inline int teardown_echo(void **state)
{
	echo_stop(&D);
	return teardown(state);
}

#define with(s, f, t) cmocka_unit_test_setup_teardown(f, s, t)

/* ---- calls from threads -------------------------------------------------- */

struct call {
	pthread_t thread;
	int result;
	struct ur_stream *stream;
};

static inline void *call_thread(void *arg)
{
	struct call *c = arg;

	c->result = ur_file_link_connect(A, SERVICE, SOON_MS, &c->stream);
	return NULL;
}

static inline void call_from_threads(struct call *calls, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		assert_int_equal(pthread_create(&calls[i].thread, NULL,
						call_thread, &calls[i]), 0);
}

/* A stream of B that nobody reads. */
static inline void connect_pair(struct ur_stream **a, struct ur_stream **b)
{
	struct call call = { 0 };

	call_from_threads(&call, 1);
	assert_int_equal(ur_file_link_accept(B, SERVICE, SOON_MS, b), 0);
	pthread_join(call.thread, NULL);
	assert_int_equal(call.result, 0);
	*a = call.stream;
}

static inline int setup_pair(void **state)
{
	int n = setup(state);

	return n ? n : ur_file_link_listen(B, SERVICE, 4);
}

#endif
