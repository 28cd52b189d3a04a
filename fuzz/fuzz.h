/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput();
 * it takes its own choices from the front of the input and gives the rest to the
 * code under test, in buffers of exactly that size.
 *
 * fuzz_holds() states what must be true of whatever was accepted. It is judged by
 * the target's own plain reading of the bytes, never by the code under test.
 */
#ifndef UR_FUZZ_H
#define UR_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "env.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Stop at once, and say what did not hold: the fuzzer keeps the input. */
#define fuzz_holds(condition, what)                                        \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "fuzz: does not hold: %s (%s)\n",  \
				what, #condition);                         \
			abort();                                           \
		}                                                          \
	} while (0)

/* What is left of the input. Reading behind its end gives zeros. */
struct fuzz_input {
	const u8 *at;
	size_t left;
};

static inline u32 fuzz_u8(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline u32 fuzz_u16(struct fuzz_input *in)
{
	u32 high = fuzz_u8(in);

	return high << 8 | fuzz_u8(in);
}

static inline u32 fuzz_u32(struct fuzz_input *in)
{
	u32 high = fuzz_u16(in);

	return high << 16 | fuzz_u16(in);
}

/* The next `bytes` bytes, or what there is, in a place of exactly that size. */
static inline u8 *fuzz_bytes(struct fuzz_input *in, size_t bytes, size_t *got)
{
	u8 *copy;

	*got = bytes < in->left ? bytes : in->left;
	copy = malloc(*got ? *got : 1);
	if (!copy)
		abort();
	if (*got)
		memcpy(copy, in->at, *got);
	in->at += *got;
	in->left -= *got;
	return copy;
}

static inline u32 fuzz_big32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static inline u32 fuzz_little16(const u8 *at)
{
	return at[0] | (u32)at[1] << 8;
}

#endif
