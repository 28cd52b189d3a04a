// SPDX-License-Identifier: BSD-2-Clause
#include "log.h"

static atomic_ulong lost;

void ur_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ur_output_log("usbroute-hub", &lost, format, args);
	va_end(args);
}
