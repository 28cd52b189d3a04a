/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of wire/ share. A test is a table of numbered one-line rows; a
 * row that fails says its number, what was compared, and both values.
 */
#ifndef WIRE_TEST_H
#define WIRE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "env.h"
#include "refusal.h"

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* TAP diagnostics belong on stdout, where the plan is. */
#define row_fails(...)                  \
	do {                            \
		printf("# " __VA_ARGS__); \
		printf("\n");           \
		fail();                 \
	} while (0)

static inline void row_is(int row, const char *what, long long got,
			  long long want)
{
	if (got != want)
		row_fails("row %d: %s: got %lld (0x%llx), want %lld (0x%llx)",
			  row, what, got, (unsigned long long)got, want,
			  (unsigned long long)want);
}

static inline void row_text(int row, const char *what, const char *got,
			    const char *want)
{
	if (!got || strcmp(got, want) != 0)
		row_fails("row %d: %s: got \"%s\", want \"%s\"", row, what,
			  got ? got : "(none)", want);
}

static inline void row_bytes(int row, const char *what, const void *got,
			     const void *want, size_t bytes)
{
	const u8 *g = got;
	const u8 *w = want;
	size_t i;

	for (i = 0; i < bytes; i++)
		if (g[i] != w[i])
			row_fails("row %d: %s, byte %zu: got 0x%02x, "
				  "want 0x%02x",
				  row, what, i, g[i], w[i]);
}

static inline void row_refusal(int row, const struct ur_refusal *why,
			       const char *field, u32 got, u32 want)
{
	row_text(row, "refused field", why->field, field);
	row_is(row, "refused value", why->got, got);
	row_is(row, "allowed value", why->want, want);
	row_is(row, "there is a rule", why->rule != NULL, 1);
}

/* Hexadecimal digits, spaces ignored, to bytes. */
static inline size_t hex(const char *text, u8 *to, size_t room)
{
	size_t digits = 0;
	u32 value = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		value = value * 16 + (u32)strtoul((char[]){ *text, 0 }, 0, 16);
		if (++digits % 2 == 0) {
			assert_true(digits / 2 <= room);
			to[digits / 2 - 1] = (u8)value;
			value = 0;
		}
	}
	assert_true(digits % 2 == 0);
	return digits / 2;
}

/*
 * A buffer of exactly `bytes` bytes on the heap, so that the sanitizer sees the
 * first byte read behind it. Free it.
 */
static inline u8 *exact(const void *from, size_t bytes)
{
	u8 *copy = malloc(bytes ? bytes : 1);

	assert_non_null(copy);
	if (bytes)
		memcpy(copy, from, bytes);
	return copy;
}

/* Each test file's table, put together by wire_main.c. */
struct wire_tests {
	const struct CMUnitTest *tests;
	size_t count;
};

extern const struct wire_tests wire_cursor_tests;
extern const struct wire_tests wire_op_tests;
extern const struct wire_tests wire_op_framer_tests;
extern const struct wire_tests wire_pdu_tests;
extern const struct wire_tests wire_framer_tests;

#endif
