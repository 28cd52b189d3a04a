// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"

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
	/* A log that cannot be written must not stop a link. */
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved;
	errno = saved;
}
