// SPDX-License-Identifier: BSD-2-Clause
#include "pair.h"
#include "doorbell.h"

/* SPEC section 5: ring iff the event is in [from, to), all modulo 2^32. */
static const struct {
	u32 event, from, to;
	bool passed;
} EVENTS[] = {
	/* 1 */ { 0, 0, 1, true },			/* the first byte rings */
	/* 2 */ { 0, 0, 48, true },
	/* 3 */ { 47, 0, 48, true },			/* the last one of them */
	/* 4 */ { 48, 0, 48, false },			/* the one after */
	/* 5 */ { 0xffffffff, 0, 48, false },		/* the one before: stale */
	/* 6 */ { 0, 0, 0, false },			/* nothing moved */
	/* 7 */ { 7, 7, 7, false },
	/* 8 */ { 0xffffffff, 0xffffffff, 0, true },	/* one byte over the wrap */
	/* 9 */ { 0, 0xffffffff, 0, false },
	/* 10 */ { 0xfffffff0, 0xfffffff0, 0x10, true },
	/* 11 */ { 0, 0xfffffff0, 0x10, true },
	/* 12 */ { 0x0f, 0xfffffff0, 0x10, true },
	/* 13 */ { 0x10, 0xfffffff0, 0x10, false },
	/* 14 */ { 0xffffffef, 0xfffffff0, 0x10, false },
	/* 15 */ { 0x80000000, 0, 0x40000000, false },	/* half a circle away */
	/* 16 */ { 0x3fffffff, 0, 0x40000000, true },	/* the largest ring */
	/* 17 */ { 0x40000000, 0, 0x40000000, false },
	/* 18 */ { 0x7fffffff, 0x7fffffff, 0x80000000, true },
	/* 19 */ { 0x80000000, 0x7fffffff, 0x80000000, false },
	/* 20 */ { 0x80000000, 0x7fffffff, 0x80000001, true },
};

static void event_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(EVENTS); i++)
		if (ur_event_passed(EVENTS[i].event, EVENTS[i].from,
				    EVENTS[i].to) != EVENTS[i].passed)
			row_fails("row %zu: event %x from %x to %x", i + 1,
				 EVENTS[i].event, EVENTS[i].from, EVENTS[i].to);
}

/* Walk the indices one by one: whoever is visited is passed, nobody else. */
static void event_walks(void **state)
{
	static const u32 starts[] = { 0, 1, 0x3fffffff, 0x7ffffffe, 0x80000000,
				      0xfffffff8, 0xffffffff };
	u32 s, steps, e, i;

	(void)state;
	for (s = 0; s < ROWS(starts); s++)
		for (steps = 0; steps <= 20; steps++)
			for (e = 0; e < 40; e++) {
				u32 event = starts[s] - 10 + e;
				bool visited = false;

				for (i = 0; i < steps; i++)
					visited |= starts[s] + i == event;
				assert_int_equal(ur_event_passed(event, starts[s],
								 starts[s] + steps),
						 visited);
			}
}

static const struct {
	u32 limit, budget;
	u64 waited;
	u32 then;
} SPINS[] = {
	/* 1 */ { 64, 64, 0, 64 },		/* covered: the whole limit */
	/* 2 */ { 64, 0, 64, 64 },
	/* 3 */ { 64, 7, 63, 64 },
	/* 4 */ { 64, 64, 65, 32 },		/* too long: half of it */
	/* 5 */ { 64, 9, 1000, 4 },
	/* 6 */ { 64, 1, 65, 0 },		/* down to nothing */
	/* 7 */ { 64, 0, 65, 0 },
	/* 8 */ { 0, 0, 0, 0 },			/* 0 never spins */
	/* 9 */ { 0, 0, 1, 0 },
	/* 10 */ { 0xffffffff, 5, 0xffffffff, 0xffffffff },
	/* 11 */ { 0xffffffff, 0xffffffff, 0x100000000, 0x7fffffff },
	/* 12 */ { 64, 64, 0x100000001, 32 },	/* not by its lower half */
};

static void spin_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(SPINS); i++) {
		struct ur_spin s = { SPINS[i].limit, SPINS[i].budget, 0 };

		ur_spin_learn(&s, SPINS[i].waited);
		if (s.budget != SPINS[i].then || s.limit != SPINS[i].limit)
			row_fails("row %zu: budget %u, expected %u", i + 1,
				 s.budget, SPINS[i].then);
	}
}

static void spin_is_bounded(void **state)
{
	u32 limit, i;

	(void)state;
	for (limit = 0; limit < 200; limit++) {
		struct ur_spin s;

		ur_spin_init(&s, limit);
		assert_int_equal(s.budget, limit);
		for (i = 0; i < 100; i++) {
			ur_spin_learn(&s, i * 2654435761u % 400);
			assert_true(s.budget <= limit);
		}
	}
}

static void spin_ends_with_its_budget(void **state)
{
	struct ur_spin s;

	(void)state;
	ur_spin_init(&s, 100);
	assert_true(ur_spin_goes_on(&s, 1000, 1000));
	assert_true(ur_spin_goes_on(&s, 1000, 1099));
	assert_false(ur_spin_goes_on(&s, 1000, 1100));
	ur_spin_init(&s, 0);
	assert_false(ur_spin_goes_on(&s, 1000, 1000));
}

static void spin_rests_on_a_busy_processor(void **state)
{
	const u64 rest = UR_SPIN_REST_NS;
	struct ur_spin s;

	(void)state;
	ur_spin_init(&s, 100);
	ur_spin_looked(&s, 1000, 1100); /* not longer than the limit */
	assert_true(ur_spin_goes_on(&s, 1100, 1100));
	ur_spin_looked(&s, 1100, 1201);
	assert_false(ur_spin_goes_on(&s, 1201, 1201));
	ur_spin_learn(&s, 1); /* does not shorten the rest */
	assert_false(ur_spin_goes_on(&s, 1200 + rest, 1200 + rest));
	assert_true(ur_spin_goes_on(&s, 1201 + rest, 1201 + rest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_rows),
		cmocka_unit_test(event_walks),
		cmocka_unit_test(spin_rows),
		cmocka_unit_test(spin_is_bounded),
		cmocka_unit_test(spin_ends_with_its_budget),
		cmocka_unit_test(spin_rests_on_a_busy_processor),
	};

	return cmocka_run_group_tests_name("doorbell", tests, NULL, NULL);
}
