// SPDX-License-Identifier: BSD-2-Clause
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "value.h"

/*
 * Digits of base at the start of text, at most max. *rest is what follows them.
 * strtoul alone would also take blanks, signs and wrap-around.
 */
static bool digits(const char *text, int base, u64 max, u64 *number,
		   const char **rest)
{
	const char *at = text;

	for (*number = 0; *at >= '0' && *at < '0' + base; at++) {
		*number = *number * base + (*at - '0');
		if (*number > max)
			return false;
	}
	*rest = at;
	return at != text;
}

static bool shift_of(const char *suffix, unsigned int *shift)
{
	static const char suffixes[] = "KMG";
	const char *found = strchr(suffixes, *suffix);

	if (*suffix == '\0') {
		*shift = 0;
		return true;
	}
	if (!found || suffix[1] != '\0')
		return false;
	*shift = 10 * (found - suffixes + 1);
	return true;
}

bool ur_value_size(const char *text, u32 min, u32 max, u32 *bytes)
{
	unsigned int shift;
	const char *suffix;
	u64 number;

	if (!digits(text, 10, UR_REGION_BYTES_MAX, &number, &suffix) ||
	    !shift_of(suffix, &shift))
		return false;
	number <<= shift;
	*bytes = (u32)number;
	return number >= min && number <= max && (number & (number - 1)) == 0;
}

bool ur_value_count(const char *text, u32 min, u32 max, unsigned int *count)
{
	const char *rest;
	u64 number;

	if (!digits(text, 10, max, &number, &rest) || *rest != '\0')
		return false;
	*count = (unsigned int)number;
	return number >= min;
}

bool ur_value_mode(const char *text, mode_t *mode)
{
	const char *rest;
	u64 number;

	if (!digits(text, 8, 0777, &number, &rest) || *rest != '\0')
		return false;
	*mode = number;
	return true;
}

/* The largest number means "nobody in particular" to chown. */
static bool id(const char *text, u32 *number)
{
	const char *rest;
	u64 wide;

	if (!digits(text, 10, UINT32_MAX - 1, &wide, &rest) || *rest != '\0')
		return false;
	*number = (u32)wide;
	return true;
}

bool ur_value_user(const char *text, uid_t *uid)
{
	const struct passwd *entry;

	if (id(text, uid))
		return true;
	entry = getpwnam(text);
	if (entry)
		*uid = entry->pw_uid;
	return entry != NULL;
}

bool ur_value_group(const char *text, gid_t *gid)
{
	const struct group *entry;

	if (id(text, gid))
		return true;
	entry = getgrnam(text);
	if (entry)
		*gid = entry->gr_gid;
	return entry != NULL;
}
