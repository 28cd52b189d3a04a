// SPDX-License-Identifier: BSD-2-Clause
/*
 * What env.h's copies and the compiler itself call, for a protection domain that is
 * linked with libmicrokit and nothing else. By words wherever they lie: the memory
 * of a domain is ordinary memory, in which unaligned words are allowed, and this
 * file is compiled with -munaligned-access.
 */
#include "env.h"

struct word {
	u64 value;
} __attribute__((packed, may_alias));

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *at, int value, size_t bytes);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	u8 *t = to;
	const u8 *f = from;

	for (; bytes >= 32; bytes -= 32, t += 32, f += 32) {
		struct word *tw = (struct word *)t;
		const struct word *fw = (const struct word *)f;

		tw[0] = fw[0];
		tw[1] = fw[1];
		tw[2] = fw[2];
		tw[3] = fw[3];
	}
	for (; bytes > 0; bytes--)
		*t++ = *f++;
	return to;
}

void *memset(void *at, int value, size_t bytes)
{
	const struct word pattern = { 0x0101010101010101ull * (u8)value };
	u8 *t = at;

	for (; bytes >= 16; bytes -= 16, t += 16) {
		((struct word *)t)[0] = pattern;
		((struct word *)t)[1] = pattern;
	}
	for (; bytes > 0; bytes--)
		*t++ = (u8)value;
	return at;
}
