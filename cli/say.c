// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "output.h"
#include "say.h"

static unsigned int lost; /* lines that nobody took, and not yet told */

static bool tell_lost(void)
{
	char line[UR_SAY_BYTES];
	int used = snprintf(line, sizeof(line),
			    "usbroute: %u lines lost: nobody read\n", lost);

	if (lost > 0 && !ur_output_write(STDERR_FILENO, line, (size_t)used))
		return false;
	lost = 0;
	return true;
}

void ur_say(const char *format, ...)
{
	char line[UR_SAY_BYTES];
	int saved = errno;
	int used = snprintf(line, sizeof(line), "usbroute: ");
	va_list args;

	va_start(args, format);
	errno = saved;
	used += vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (used > UR_SAY_BYTES - 1)
		used = UR_SAY_BYTES - 1;
	line[used++] = '\n';
	if (!tell_lost() || !ur_output_write(STDERR_FILENO, line, (size_t)used))
		lost++;
	errno = saved;
}
