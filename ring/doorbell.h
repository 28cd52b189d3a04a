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
 * Spin before sleep, bounded and adaptive. A wait that spinning would have
 * covered allows the next one the whole limit; a longer one halves what the
 * next may spend, down to nothing, so that an idle end sleeps. Unit: that of the
 * caller's clock. limit 0 never spins.
 */
struct ur_spin {
	u32 limit;
	u32 budget;
};

static inline void ur_spin_init(struct ur_spin *s, u32 limit)
{
	s->limit = limit;
	s->budget = limit;
}

/* waited: how long it took until there was something, by spin and sleep. */
static inline void ur_spin_learn(struct ur_spin *s, u64 waited)
{
	s->budget = waited <= s->limit ? s->limit : s->budget / 2;
}

#endif
