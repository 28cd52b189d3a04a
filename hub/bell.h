/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A doorbell: the eventfd that one end of a link sleeps on. Both clients hold
 * it too, and share its file flags and its counter with the hub.
 */
#ifndef UR_BELL_H
#define UR_BELL_H

#include <stdbool.h>

#include "env.h"

struct ur_bell {
	int fd; /* -1: not open */
	u64 quiet_until_ms;
};

/* 0, or -1 with errno. From the thread that starts all others. */
int ur_bell_open(struct ur_bell *bell);
void ur_bell_close(struct ur_bell *bell);

/*
 * Ring. Whatever the clients do to flags and counter, it takes at most some
 * 0.2 ms, and that once in 100 ms: a bell that blocked is not rung meanwhile, and
 * whoever sleeps on it looks that often by itself (SPEC section 5). A counter that
 * is full rings already, so that is no error. False: it blocked until the time was
 * up, which only a hostile client can bring about.
 */
bool ur_bell_ring(struct ur_bell *bell);

#endif
