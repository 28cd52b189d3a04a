// SPDX-License-Identifier: BSD-2-Clause
#include "say.h"
#include "output.h"

static atomic_ulong lost;

void ur_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ur_output_log("usbroute", &lost, format, args);
	va_end(args);
}
