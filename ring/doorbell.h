/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * When to ring, when to sleep.
 *
 * A doorbell is expensive (an exit from the virtual machine, a wake-up of
 * another process, an interrupt there), so a publisher rings only if the other
 * side said that it sleeps, and for which index. The race this has to survive:
 *
 *      sleeper                              publisher
 *      data? none
 *                                           produced = 48
 *                                           event? stale: no doorbell
 *      event = 0; sleep                     (nobody ever rings)
 *
 * Both sides therefore store first, then pass a full fence, then look at what
 * the other one stored. At least one of them sees the other's store:
 *
 *      sleeper                              publisher
 *      event = 0                            produced = 48
 *      full fence                           full fence
 *      produced? 48: do not sleep           event? 0: ring
 *
 * proofs/spin/ring.pml has both drawings as runs, and the first as a refuted
 * twin.
 */
#ifndef UR_DOORBELL_H
#define UR_DOORBELL_H

#include "env.h"

/*
 * Did an index that moved from `from` to `to` pass `event`? All modulo 2^32.
 * The event is the peer's claim; a wrong one costs the peer a doorbell.
 */
static inline bool ur_event_passed(u32 event, u32 from, u32 to)
{
	return to - event - 1 < to - from;
}

/*
 * Spin before sleep, bounded and adaptive, in nanoseconds of the caller's clock.
 *
 * A wait that spinning would have covered allows the next one the whole limit; a
 * longer one halves what the next may spend, down to nothing, so that an idle
 * end sleeps. limit 0 never spins.
 *
 * On a busy processor a spinner is worse off than a sleeper: nobody wakes it, and
 * it has its turn only when that of the others is over. Who finds that it was
 * away for longer than the limit sleeps at once from then on, for a while.
 */
#define UR_SPIN_REST_NS 100000000u

struct ur_spin {
	u32 limit;
	u32 budget;
	u64 rest_until;
};

static inline void ur_spin_init(struct ur_spin *s, u32 limit)
{
	s->limit = limit;
	s->budget = limit;
	s->rest_until = 0;
}

/* Look once more? The wait began at `begin`. */
static inline bool ur_spin_goes_on(const struct ur_spin *s, u64 begin, u64 now)
{
	return now >= s->rest_until && now - begin < s->budget;
}

/* From one look to the next: `last`, `now`. */
static inline void ur_spin_looked(struct ur_spin *s, u64 last, u64 now)
{
	if (now - last > s->limit)
		s->rest_until = now + UR_SPIN_REST_NS;
}

/* waited: how long it took until there was something, by spin and sleep. */
static inline void ur_spin_learn(struct ur_spin *s, u64 waited)
{
	s->budget = waited <= s->limit ? s->limit : s->budget / 2;
}

#endif
