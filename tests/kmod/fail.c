// SPDX-License-Identifier: BSD-2-Clause
#include <linux/module.h>

static unsigned int fail_at;
module_param(fail_at, uint, 0644);
MODULE_PARM_DESC(fail_at, "the call of fail.h that fails, counted from now (0: none)");

bool ur_fail(const char *what)
{
	if (!fail_at || --fail_at)
		return false;
	pr_info("usbroute: failing %s\n", what);
	return true;
}
