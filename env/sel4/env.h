/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The core's view of a Microkit protection domain: no libc, no operating
 * system. The builtins become calls of memcpy and memset, which whoever links
 * a protection domain brings along. The fences are real ones also where seL4 is
 * built for one processor: an outbox is shared with another machine.
 */
#ifndef UR_ENV_H
#define UR_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ur_err.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ur_must_check __attribute__((warn_unused_result))

/* For our own mistakes only. Nothing a peer can send reaches it. */
#define ur_assert(condition) ((condition) ? (void)0 : __builtin_trap())

static inline void ur_copy(void *to, const void *from, size_t bytes)
{
	__builtin_memcpy(to, from, bytes);
}

static inline void ur_zero(void *to, size_t bytes)
{
	__builtin_memset(to, 0, bytes);
}

/* A 32-bit little-endian word in memory that another machine also sees. */
typedef struct {
	u32 raw;
} ur_shm32;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "seL4 runs little-endian");

static inline u32 ur_load_once(const ur_shm32 *word)
{
	return __atomic_load_n(&word->raw, __ATOMIC_RELAXED);
}

static inline u32 ur_load_acquire(const ur_shm32 *word)
{
	return __atomic_load_n(&word->raw, __ATOMIC_ACQUIRE);
}

static inline void ur_store_once(ur_shm32 *word, u32 value)
{
	__atomic_store_n(&word->raw, value, __ATOMIC_RELAXED);
}

static inline void ur_store_release(ur_shm32 *word, u32 value)
{
	__atomic_store_n(&word->raw, value, __ATOMIC_RELEASE);
}

static inline void ur_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
