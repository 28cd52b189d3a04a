/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* Milliseconds of a clock that nobody sets; deadlines are points on it. */
#ifndef UR_CLOCK_H
#define UR_CLOCK_H

#include <time.h>

#include "env.h"

static inline u64 ur_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* For poll(): how long until the deadline, 0 if it has passed. */
static inline int ur_until_ms(u64 deadline_ms)
{
	u64 now = ur_now_ms();

	if (now >= deadline_ms)
		return 0;
	return deadline_ms - now > 3600000 ? 3600000 : (int)(deadline_ms - now);
}

#endif
