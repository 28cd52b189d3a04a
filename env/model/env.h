/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The core's view of the prover (Frama-C/WP): the names of every env.h, as
 * contracts without bodies. What a proof may take for granted stands here and
 * nowhere else:
 *
 *   a load gives any value, each time another one: the peer may be at the word
 *   a copy gives any bytes: the peer chose them
 *   a store, a copy, a zeroing touch what they are given and nothing more, and
 *     ask for all of it to be writable memory of ours
 *   an assertion is one more thing to prove
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

#define ur_must_check

/*@ requires holds: holds != 0;
  @ assigns \nothing; */
void ur_assert(bool holds);

/*
 * In every other env.h these take void pointers; the prover's memory has types.
 * A copy of bytes is all there is; for a structure set to zero see the proofs.
 */

/*@ requires to_ours: \valid(to + (0 .. bytes - 1));
  @ requires from_there: \valid_read(from + (0 .. bytes - 1));
  @ requires apart: \separated(to + (0 .. bytes - 1), from + (0 .. bytes - 1));
  @ assigns to[0 .. bytes - 1]; */
void ur_copy(u8 *to, const u8 *from, size_t bytes);

/*@ requires to_ours: \valid(to + (0 .. bytes - 1));
  @ assigns to[0 .. bytes - 1]; */
void ur_zero(u8 *to, size_t bytes);

/* A 32-bit little-endian word in memory that another machine also sees. */
typedef struct {
	u32 raw;
} ur_shm32;

/*@ requires there: \valid_read(word);
  @ assigns \nothing; */
u32 ur_load_once(const ur_shm32 *word);

/*@ requires there: \valid_read(word);
  @ assigns \nothing; */
u32 ur_load_acquire(const ur_shm32 *word);

/*@ requires ours: \valid(word);
  @ assigns *word; */
void ur_store_once(ur_shm32 *word, u32 value);

/*@ requires ours: \valid(word);
  @ assigns *word; */
void ur_store_release(ur_shm32 *word, u32 value);

/*@ assigns \nothing; */
void ur_fence(void);

#endif
