/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The core's view of the Linux kernel. The virt_* barriers, not the smp_* ones:
 * those vanish in a kernel that runs on one processor, whose peer runs on
 * another all the same.
 */
#ifndef UR_ENV_H
#define UR_ENV_H

#include <linux/build_bug.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

#include "ur_err.h"

#define ur_must_check __must_check
#define ur_assert(condition) WARN_ON_ONCE(!(condition))

static inline void ur_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
}

static inline void ur_zero(void *to, size_t bytes)
{
	memset(to, 0, bytes);
}

typedef struct {
	__le32 raw;
} ur_shm32;

static inline u32 ur_load_once(const ur_shm32 *word)
{
	return le32_to_cpu(READ_ONCE(word->raw));
}

static inline u32 ur_load_acquire(const ur_shm32 *word)
{
	return le32_to_cpu(virt_load_acquire(&word->raw));
}

static inline void ur_store_once(ur_shm32 *word, u32 value)
{
	WRITE_ONCE(word->raw, cpu_to_le32(value));
}

static inline void ur_store_release(ur_shm32 *word, u32 value)
{
	virt_store_release(&word->raw, cpu_to_le32(value));
}

static inline void ur_fence(void)
{
	virt_mb();
}

#endif
