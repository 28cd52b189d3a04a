/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard's policy: a file that `usbroute policy compile` wrote, read whole.
 */
#ifndef UR_RULES_H
#define UR_RULES_H

#include "policy.h"

struct ur_rules {
	u8 *table; /* NULL: none */
	struct ur_policy policy;
};

/* 0, or -1 with a log line. */
int ur_rules_load(struct ur_rules *rules, const char *path);
void ur_rules_free(struct ur_rules *rules);

#endif
