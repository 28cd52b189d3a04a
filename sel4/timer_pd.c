// SPDX-License-Identifier: BSD-2-Clause
/*
 * Wakes a VMM, or the guard, at the time it asked for: one deadline for each, the
 * last one asked counts. Runs on the EL1 physical timer, which shares its counter with
 * the guests' virtual timers (CNTVOFF is 0).
 *
 *      client --- protected call: ticks, 0 takes it back ---> here
 *      client <-- notification, when the counter is there --- here
 */
#include <microkit.h>

#include "env.h"

#define CLIENTS 3		/* channels 0 .. CLIENTS - 1; not every system has all */
#define IRQ_CHANNEL 3
#define TIMER_OFF 0u
#define TIMER_ON 1u

static u64 deadlines[CLIENTS];

static u64 now(void)
{
	u64 ticks;

	__asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks) :: "memory");
	return ticks;
}

static void set(u64 ticks, u64 control)
{
	__asm__ volatile("msr cntp_cval_el0, %0" :: "r"(ticks));
	__asm__ volatile("msr cntp_ctl_el0, %0; isb" :: "r"(control));
}

static void set_next(void)
{
	u64 next = 0;
	u32 i;

	for (i = 0; i < CLIENTS; i++)
		if (deadlines[i] && (!next || deadlines[i] < next))
			next = deadlines[i];
	set(next, next ? TIMER_ON : TIMER_OFF);
}

void init(void)
{
	set_next();
}

microkit_msginfo protected(microkit_channel channel, microkit_msginfo info)
{
	(void)info;
	if (channel < CLIENTS) {
		deadlines[channel] = microkit_mr_get(0);
		set_next();
	}
	return microkit_msginfo_new(0, 0);
}

void notified(microkit_channel channel)
{
	u64 at = now();
	u32 i;

	if (channel != IRQ_CHANNEL)
		return;
	for (i = 0; i < CLIENTS; i++) {
		if (!deadlines[i] || deadlines[i] > at)
			continue;
		deadlines[i] = 0;
		microkit_notify(i);
	}
	set_next();
	microkit_irq_ack(channel);
}
