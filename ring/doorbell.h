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
 * Spin before sleep, bounded and adaptive: a spin that found work allows a
 * longer one next time, one that did not halves it. Unit: iterations of the
 * caller's loop. limit 0 never spins, which is right on one processor: the peer
 * cannot run while we do.
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

static inline void ur_spin_learn(struct ur_spin *s, bool found)
{
	u32 floor = s->limit / 16;

	if (found)
		s->budget = s->budget >= s->limit / 2 ? s->limit : s->budget * 2 + 1;
	else
		s->budget = s->budget / 2 > floor ? s->budget / 2 : floor;
}

#endif
