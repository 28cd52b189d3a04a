// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "output.h"

static atomic_ulong lost; /* lines that nobody took, and not yet told */

static bool tell_lost(void)
{
	char line[UR_LOG_BYTES];
	unsigned long count = atomic_exchange(&lost, 0);
	int used;

	if (count == 0)
		return true;
	used = snprintf(line, sizeof(line),
			"usbroute-hub: %lu lines lost: nobody read\n", count);
	if (ur_output_write(STDERR_FILENO, line, used))
		return true;
	lost += count;
	return false;
}

void ur_log(const char *format, ...)
{
	char line[UR_LOG_BYTES];
	int saved = errno;
	int used = snprintf(line, sizeof(line), "usbroute-hub: ");
	va_list args;

	va_start(args, format);
	errno = saved;
	used += vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (used > UR_LOG_BYTES - 1)
		used = UR_LOG_BYTES - 1;
	line[used++] = '\n';
	if (!tell_lost() || !ur_output_write(STDERR_FILENO, line, used))
		lost++;
	errno = saved;
}
