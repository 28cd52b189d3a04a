/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A doorbell: the eventfd that one end of a link sleeps on. Both clients hold
 * it too, and share its file flags and its counter with the hub.
 */
#ifndef UR_BELL_H
#define UR_BELL_H

#include <stdbool.h>

/* A descriptor, or -1 with errno. */
int ur_bell_open(void);

/*
 * Ring. Takes at most some 20 ms, whatever the clients do to flags and counter.
 * A counter that is full rings already, so that is no error. False: it blocked
 * until the time was up, which only a hostile client can bring about.
 */
bool ur_bell_ring(int bell);

#endif
