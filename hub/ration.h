/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many lines somebody else may make us write, or a disk would be full of them:
 * so many a second, and at most `most` saved up.
 */
#ifndef UR_RATION_H
#define UR_RATION_H

#include <stdbool.h>

#include "env.h"

struct ur_ration {
	u64 a_second;
	u64 most;
	u64 savings; /* thousandths of a line */
	u64 paid_ms; /* until when time was counted */
};

static inline void ur_ration_init(struct ur_ration *r, u64 a_second, u64 most,
				  u64 now_ms)
{
	*r = (struct ur_ration){ a_second, most, most * 1000, now_ms };
}

/* Take one line, if there is one. */
static inline bool ur_ration_take(struct ur_ration *r, u64 now_ms)
{
	r->savings += (now_ms - r->paid_ms) * r->a_second;
	r->paid_ms = now_ms;
	if (r->savings > r->most * 1000)
		r->savings = r->most * 1000;
	if (r->savings < 1000)
		return false;
	r->savings -= 1000;
	return true;
}

#endif
