// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "text.h"

static bool all_digits(const char *text, int base)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (base == 16 ? !isxdigit((u8)*text) : !isdigit((u8)*text))
			return false;
	return true;
}

bool ur_text_number(const char *text, int base, u32 most, u32 *value)
{
	unsigned long long number;

	if (!all_digits(text, base))
		return false;
	errno = 0;
	number = strtoull(text, NULL, base);
	if (errno || number > most)
		return false;
	*value = (u32)number;
	return true;
}

void ur_text_copy(char *to, size_t size, const char *from)
{
	size_t length = from ? strnlen(from, size - 1) : 0;

	memcpy(to, from ? from : "", length);
	to[length] = '\0';
	ur_text_clean(to);
}

void ur_text_clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}
