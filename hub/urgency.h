/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How soon the guard runs once it is woken, on a processor that a VM uses.
 *
 * A message's way through the guard is some microseconds of work and a wake-up on
 * each side, and the one who waits for it mostly spins meanwhile. The usual scheduler
 * may let that one finish its piece first, which is some milliseconds.
 */
#ifndef UR_URGENCY_H
#define UR_URGENCY_H

/*
 * For the calling thread and those that it starts: SCHED_RR with that priority.
 * Without the right to it, a log line and the shortest piece that the usual scheduler
 * has, which anybody may ask for. 0, and whoever was given another class before: as
 * it is.
 */
void ur_urgency_take(unsigned int priority);

#endif
