// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "say.h"

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
	/* A message that cannot be written must not stop the work. */
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved;
	errno = saved;
}
