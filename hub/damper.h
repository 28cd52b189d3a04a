/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Against a VM that rings without pause: each doorbell would have us look at every
 * link for nothing. A doorbell heard costs one; a thing that we moved or opened
 * on that link, and a millisecond, earn one each; at most UR_DAMPER_SAVINGS are
 * kept. Who has nothing left is not heard until the next tick, which SPEC section
 * 5 allows. An honest VM rings because there is something to do, and never gets
 * there; a storm gets a thousand looks a second.
 */
#ifndef UR_DAMPER_H
#define UR_DAMPER_H

#include <stdbool.h>

#include "env.h"

#define UR_DAMPER_SAVINGS 256u

struct ur_damper {
	u64 savings;
	u64 paid_ms;   /* until when time was counted */
	u64 paid_work; /* what the link had done then */
};

static inline void ur_damper_init(struct ur_damper *d, u64 now_ms)
{
	*d = (struct ur_damper){ UR_DAMPER_SAVINGS, now_ms, 0 };
}

/* A doorbell was heard. May there be more of them before the next tick? */
static inline bool ur_damper_hears(struct ur_damper *d, u64 work, u64 now_ms)
{
	d->savings += now_ms - d->paid_ms + (work - d->paid_work);
	if (d->savings > UR_DAMPER_SAVINGS)
		d->savings = UR_DAMPER_SAVINGS;
	d->paid_ms = now_ms;
	d->paid_work = work;
	if (d->savings > 0)
		d->savings--;
	return d->savings > 0;
}

#endif
