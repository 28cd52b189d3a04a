// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "rules.h"

#define TABLE_MAX                                                              \
	(UR_POLICY_HEADER_BYTES + UR_POLICY_RULES_MAX * UR_POLICY_RULE_BYTES + \
	 UR_POLICY_VALUES_MAX * UR_POLICY_VALUE_BYTES + UR_POLICY_TEXT_MAX)

/* Up to TABLE_MAX + 1 bytes; *bytes says how many. -1 with a log line. */
static int read_file(u8 *to, size_t *bytes, const char *path)
{
	FILE *file = fopen(path, "re");
	int err = -1;

	if (!file) {
		ur_log("guard: policy: cannot open %s: %m", path);
		return -1;
	}
	*bytes = fread(to, 1, TABLE_MAX + 1, file);
	if (ferror(file))
		ur_log("guard: policy: cannot read %s: %m", path);
	else if (*bytes > TABLE_MAX)
		ur_log("guard: policy: %s: expected a table of at most %u bytes, "
		       "got more", path, TABLE_MAX);
	else
		err = 0;
	fclose(file);
	return err;
}

int ur_rules_load(struct ur_rules *rules, const char *path)
{
	struct ur_refusal why;
	size_t bytes;

	rules->table = malloc(TABLE_MAX + 1);
	if (!rules->table) {
		ur_log("guard: policy: out of memory");
		return -1;
	}
	if (read_file(rules->table, &bytes, path) == 0) {
		if (ur_policy_load(&rules->policy, rules->table, bytes, &why) == 0)
			return 0;
		ur_log("guard: policy: %s is not what usbroute policy compile "
		       "writes: %s: got 0x%x, expected %s 0x%x", path, why.field,
		       why.got, why.rule, why.want);
	}
	ur_rules_free(rules);
	return -1;
}

void ur_rules_free(struct ur_rules *rules)
{
	free(rules->table);
	rules->table = NULL;
}
