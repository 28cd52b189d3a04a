/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of the configuration file: text to number, all or nothing. What a value
 * may be is said by the UR_VALUE_*_WANTED text, for the error message.
 */
#ifndef UR_VALUE_H
#define UR_VALUE_H

#include <stdbool.h>
#include <sys/types.h>

#include "layout.h"

#define UR_VALUE_SIZE_WANTED "a power of two from 64K to 1G"
#define UR_VALUE_TRANSFER_WANTED "a power of two from 64K to 16M"
#define UR_VALUE_CALLS_WANTED "a number from 1 to 64"
#define UR_VALUE_PRIORITY_WANTED "a number from 0 to 99"
#define UR_VALUE_CHANNELS_WANTED "a number from 1 to 64"
#define UR_VALUE_MODE_WANTED "an octal mode from 0000 to 0777"
#define UR_VALUE_USER_WANTED "a user's name or number"
#define UR_VALUE_GROUP_WANTED "a group's name or number"

/* A power of two from min to max; max is at most UR_REGION_BYTES_MAX. */
bool ur_value_size(const char *text, u32 min, u32 max, u32 *bytes);
bool ur_value_count(const char *text, u32 min, u32 max, unsigned int *count);
bool ur_value_mode(const char *text, mode_t *mode);
bool ur_value_user(const char *text, uid_t *uid);
bool ur_value_group(const char *text, gid_t *gid);

#endif
