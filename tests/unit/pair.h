/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a link in one process, for tests that drive them step by step.
 *
 *      | guard | outbox A | guard | outbox B | guard |
 *
 * A write beside an outbox ends the test program.
 */
#ifndef UR_TEST_PAIR_H
#define UR_TEST_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "channel.h"
#include <cmocka.h>

#ifndef PAIR_OUTBOX
#define PAIR_OUTBOX 32768u
#endif
#define PAIR_GUARD 65536u
/* A diagnostic of TAP, beside the plan. */
#define row_fails(...)                    \
	do {                              \
		printf("# " __VA_ARGS__); \
		printf("\n");             \
		fail();                   \
	} while (0)

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct pair {
	u8 *base;
	struct ur_header_shm *box[2];	/* by enum ur_end */
	struct ur_geometry g;
	struct ur_link l[2];
};

static inline void pair_open(struct pair *p, u32 channels, u32 ring_bytes)
{
	struct ur_fault fault;
	size_t bytes = 3 * PAIR_GUARD + 2 * PAIR_OUTBOX;

	memset(p, 0, sizeof(*p));
	p->base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p->base != MAP_FAILED);
	p->box[0] = (void *)(p->base + PAIR_GUARD);
	p->box[1] = (void *)(p->base + 2 * PAIR_GUARD + PAIR_OUTBOX);
	assert_int_equal(mprotect(p->box[0], PAIR_OUTBOX,
				  PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(p->box[1], PAIR_OUTBOX,
				  PROT_READ | PROT_WRITE), 0);
	assert_int_equal(ur_geometry_init(&p->g, PAIR_OUTBOX, channels,
					  ring_bytes, &fault), 0);
}

static inline void pair_close(struct pair *p)
{
	munmap(p->base, 3 * PAIR_GUARD + 2 * PAIR_OUTBOX);
}

static inline void pair_start(struct pair *p, enum ur_end end)
{
	ur_link_start(&p->l[end], &p->g, end, p->box[end], p->box[!end]);
}

/* As a process that died does: nothing of the old end but the memory. */
static inline void pair_reborn(struct pair *p, enum ur_end end)
{
	memset(&p->l[end], 0, sizeof(p->l[end]));
	pair_start(p, end);
}

/* Three looks each are more than an honest pair ever needs. */
static inline void pair_settle(struct pair *p)
{
	int i;

	for (i = 0; i < 3; i++) {
		ur_link_look(&p->l[UR_END_A]);
		ur_link_look(&p->l[UR_END_B]);
	}
}

static inline void pair_up(struct pair *p)
{
	pair_start(p, UR_END_A);
	pair_start(p, UR_END_B);
	pair_settle(p);
	assert_int_equal(p->l[UR_END_A].state, UR_LINK_UP);
	assert_int_equal(p->l[UR_END_B].state, UR_LINK_UP);
}

/* `caller` calls and the other end accepts. */
static inline void pair_connect(struct pair *p, enum ur_end caller,
				struct ur_ticket t[2])
{
	u32 service = 0;
	int c;

	assert_int_equal(ur_channel_call(&p->l[caller], 3240, &t[caller]), 0);
	ur_link_look(&p->l[!caller]);
	c = ur_channel_called(&p->l[!caller], 0, &service);
	assert_int_equal(c, t[caller].channel);
	assert_int_equal(service, 3240);
	assert_int_equal(ur_channel_accept(&p->l[!caller], (u32)c,
					   &t[!caller]), 0);
	assert_int_equal(ur_channel_answered(&p->l[caller], t[caller]), 0);
}

/* As ur_channel_room/publish and data/release with the copying in between. */
static inline int pair_send(struct ur_link *l, struct ur_ticket t,
			    const u8 *from, u32 bytes)
{
	struct ur_span s[2];
	int n = ur_channel_room(l, t, bytes, s), error;

	if (n <= 0)
		return n;
	memcpy(s[0].at, from, s[0].bytes);
	memcpy(s[1].at, from + s[0].bytes, s[1].bytes);
	error = ur_channel_publish(l, t, (u32)n);
	return error < 0 ? error : n;
}

static inline int pair_recv(struct ur_link *l, struct ur_ticket t, u8 *to,
			    u32 bytes)
{
	struct ur_peer_span s[2];
	int n = ur_channel_data(l, t, bytes, s), error;

	if (n <= 0)
		return n;
	memcpy(to, s[0].at, s[0].bytes);
	memcpy(to + s[0].bytes, s[1].at, s[1].bytes);
	error = ur_channel_release(l, t, (u32)n);
	return error < 0 ? error : n;
}

static inline void put_word(struct pair *p, enum ur_end writer, u32 c, u32 word)
{
	ur_store_release(&ur_block(p->box[writer], c)->word, word);
}

static inline u32 get_word(struct pair *p, enum ur_end writer, u32 c)
{
	return ur_load_acquire(&ur_block(p->box[writer], c)->word);
}

/* ---- a pair that is up, for every test ----------------------------------- */

static struct pair P __attribute__((unused));
static struct ur_ticket T[2] __attribute__((unused));
#define A (&P.l[UR_END_A])
#define B (&P.l[UR_END_B])

static inline int pair_setup(void **state)
{
	(void)state;
	pair_open(&P, 4, 64);
	pair_up(&P);
	memset(T, 0, sizeof(T));
	return 0;
}

static inline int pair_teardown(void **state)
{
	(void)state;
	pair_close(&P);
	return 0;
}

#define pair_test(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

/* The generation of a channel's nth call, wherever the first one started. */
static inline u32 nth_generation(u32 nth)
{
	return nth ? (P.g.first_generation + nth - 1) & 0xffffff : 0;
}

static inline void assert_word(enum ur_end writer, u32 c, u32 nth, u32 state)
{
	assert_int_equal(get_word(&P, writer, c),
			 nth_generation(nth) << 8 | state);
}

#endif
