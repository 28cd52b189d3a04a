/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * env/user/env.h with a hook before every load and store of a shared word: the
 * core, compiled with this, can be stopped between any two of them.
 */
#ifndef UR_HOOKED_ENV_H
#define UR_HOOKED_ENV_H

#define ur_load_once ur_plain_load_once
#define ur_load_acquire ur_plain_load_acquire
#define ur_store_once ur_plain_store_once
#define ur_store_release ur_plain_store_release
#include "../../../env/user/env.h"
#undef ur_load_once
#undef ur_load_acquire
#undef ur_store_once
#undef ur_store_release

/* Each test program defines both; NULL: no hook. */
extern void (*hook_load)(const ur_shm32 *word);
extern void (*hook_store)(ur_shm32 *word, u32 value);

static inline u32 ur_load_once(const ur_shm32 *word)
{
	if (hook_load)
		hook_load(word);
	return ur_plain_load_once(word);
}

static inline u32 ur_load_acquire(const ur_shm32 *word)
{
	if (hook_load)
		hook_load(word);
	return ur_plain_load_acquire(word);
}

static inline void ur_store_once(ur_shm32 *word, u32 value)
{
	if (hook_store)
		hook_store(word, value);
	ur_plain_store_once(word, value);
}

static inline void ur_store_release(ur_shm32 *word, u32 value)
{
	if (hook_store)
		hook_store(word, value);
	ur_plain_store_release(word, value);
}

#endif
