// SPDX-License-Identifier: BSD-2-Clause
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "urgency.h"

#define PIECE_NS 100000 /* Linux 6.12 and later; before, it takes no note */

static long set(const struct sched_attr *attr)
{
	return syscall(SYS_sched_setattr, 0, attr, 0);
}

void ur_urgency_take(unsigned int priority)
{
	struct sched_attr usual = { 0 };
	const struct sched_attr urgent = {
		.size = sizeof(urgent),
		.sched_policy = SCHED_RR,
		.sched_priority = priority,
	};

	if (priority == 0 ||
	    syscall(SYS_sched_getattr, 0, &usual, sizeof(usual), 0) < 0 ||
	    usual.sched_policy != SCHED_NORMAL || set(&urgent) == 0)
		return;
	ur_log("guard: goes on without real-time priority %u: %m", priority);
	usual.sched_runtime = PIECE_NS;
	(void)set(&usual);
}
