// SPDX-License-Identifier: BSD-2-Clause
#include "wire_test.h"

#include "cursor.h"
#include "refusal.h"

static const u8 bytes[] = { 0x01, 0x02, 0x03, 0x04, 0xfc, 0xfd, 0xfe, 0xff };

/* One get of `width` bytes; 0 skips. The value is right or the cursor failed. */
static u64 get(struct ur_reader *r, u32 width)
{
	switch (width) {
	case 1:
		return ur_reader_u8(r);
	case 2:
		return ur_reader_u16(r);
	case 4:
		return ur_reader_u32(r);
	case 8:
		return ur_reader_u64(r);
	default:
		ur_reader_skip(r, 3);
		return 0;
	}
}

static void put(struct ur_writer *w, u32 width, u64 value)
{
	switch (width) {
	case 1:
		ur_writer_u8(w, (u8)value);
		break;
	case 2:
		ur_writer_u16(w, (u16)value);
		break;
	case 4:
		ur_writer_u32(w, (u32)value);
		break;
	case 8:
		ur_writer_u64(w, value);
		break;
	default:
		ur_writer_zeros(w, 3);
	}
}

static void get_values(void **state)
{
	static const struct {
		int row;
		u32 skip;
		u32 size;
		u32 width;
		u64 value;
		bool ok;
		u32 left;
	} rows[] = {
		{ 1, 0, 8, 1, 0x01, true, 7 },
		{ 2, 7, 8, 1, 0xff, true, 0 },
		{ 3, 8, 8, 1, 0, false, 0 },
		{ 4, 0, 8, 2, 0x0102, true, 6 },
		{ 5, 3, 8, 2, 0x04fc, true, 3 },
		{ 6, 6, 8, 2, 0xfeff, true, 0 },
		{ 7, 7, 8, 2, 0, false, 0 },
		{ 8, 0, 8, 4, 0x01020304, true, 4 },
		{ 9, 4, 8, 4, 0xfcfdfeff, true, 0 },
		{ 10, 5, 8, 4, 0, false, 0 },
		{ 11, 0, 4, 4, 0x01020304, true, 0 },
		{ 12, 0, 3, 4, 0, false, 0 },
		{ 13, 0, 8, 8, 0x01020304fcfdfeff, true, 0 },
		{ 14, 1, 8, 8, 0, false, 0 },
		{ 15, 0, 7, 8, 0, false, 0 },
		{ 16, 5, 8, 0, 0, true, 0 },
		{ 17, 6, 8, 0, 0, false, 0 },
		{ 18, 0, 0, 1, 0, false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u8 *copy = exact(bytes, rows[i].size);
		struct ur_reader r;

		ur_reader_init(&r, copy, rows[i].size);
		ur_reader_skip(&r, rows[i].skip);
		row_is(rows[i].row, "value", (long long)get(&r, rows[i].width),
		       (long long)rows[i].value);
		row_is(rows[i].row, "ok", ur_reader_is_ok(&r), rows[i].ok);
		row_is(rows[i].row, "left", (long long)ur_reader_remaining(&r),
		       rows[i].left);
		row_is(rows[i].row, "done", ur_reader_is_done(&r),
		       rows[i].ok && rows[i].left == 0);
		free(copy);
	}
}

static void put_values(void **state)
{
	static const struct {
		int row;
		u32 size;
		u32 width;
		u64 value;
		const char *wire; /* "" = refused */
	} rows[] = {
		{ 1, 1, 1, 0xa5, "a5" },
		{ 2, 0, 1, 0xa5, "" },
		{ 3, 2, 2, 0x0111, "0111" },
		{ 4, 1, 2, 0x0111, "" },
		{ 5, 4, 4, 0x7fffffff, "7fffffff" },
		{ 6, 4, 4, 0x80000000, "80000000" },
		{ 7, 5, 4, 0x01020304, "01020304" },
		{ 8, 3, 4, 0x01020304, "" },
		{ 9, 8, 8, 0x0102030405060708, "0102030405060708" },
		{ 10, 8, 8, 0xffffffffffffffff, "ffffffffffffffff" },
		{ 11, 7, 8, 0, "" },
		{ 12, 3, 0, 0, "000000" },
		{ 13, 2, 0, 0, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u8 want[8];
		size_t used = hex(rows[i].wire, want, sizeof(want));
		u8 *to = exact("\xee\xee\xee\xee\xee\xee\xee\xee", rows[i].size);
		struct ur_writer w;

		ur_writer_init(&w, to, rows[i].size);
		put(&w, rows[i].width, rows[i].value);
		row_is(rows[i].row, "ok", ur_writer_is_ok(&w), used > 0);
		row_is(rows[i].row, "used", (long long)ur_writer_used(&w),
		       (long long)used);
		row_bytes(rows[i].row, "wire", to, want, used);
		if (used < rows[i].size)
			row_is(rows[i].row, "untouched", to[used], 0xee);
		free(to);
	}
}

static void values_survive(void **state)
{
	static const u64 values[] = {
		0,	    1,		0x7f,	    0x80,
		0xff,	    0x0100,	0x7fff,	    0x8000,
		0xffff,	    0x10000,	0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, ~0ull >> 1, ~0ull,
	};
	static const u32 widths[] = { 1, 2, 4, 8 };
	size_t i, k;

	(void)state;
	for (i = 0; i < ROWS(values); i++) {
		for (k = 0; k < ROWS(widths); k++) {
			u64 want = values[i] & (~0ull >> (64 - 8 * widths[k]));
			u8 wire[8];
			struct ur_writer w;
			struct ur_reader r;

			ur_writer_init(&w, wire, widths[k]);
			put(&w, widths[k], values[i]);
			ur_reader_init(&r, wire, widths[k]);
			row_is((int)i, "value", (long long)get(&r, widths[k]),
			       (long long)want);
			row_is((int)i, "done", ur_reader_is_done(&r), 1);
		}
	}
}

static void failure_is_sticky(void **state)
{
	u8 to[8] = { 0 };
	u8 got[4] = { 9, 9, 9, 9 };
	struct ur_reader r;
	struct ur_writer w;

	(void)state;
	ur_reader_init(&r, bytes, 3);
	assert_int_equal(ur_reader_u32(&r), 0);
	assert_int_equal(ur_reader_u8(&r), 0);
	ur_reader_bytes(&r, got, sizeof(got));
	assert_memory_equal(got, "\0\0\0\0", 4);
	assert_int_equal(ur_reader_remaining(&r), 0);
	assert_false(ur_reader_is_ok(&r));
	assert_false(ur_reader_is_done(&r));

	ur_writer_init(&w, to, 3);
	ur_writer_u32(&w, 1);
	ur_writer_u8(&w, 1);
	ur_writer_zeros(&w, 1);
	ur_writer_bytes(&w, bytes, 1);
	assert_false(ur_writer_is_ok(&w));
	assert_int_equal(ur_writer_used(&w), 0);
	assert_int_equal(ur_writer_remaining(&w), 0);
	assert_int_equal(to[0], 0);
}

/* Sizes that would wrap if added to a position. */
static void huge_sizes_fail(void **state)
{
	struct ur_reader r;
	struct ur_writer w;
	u8 to[4];

	(void)state;
	ur_reader_init(&r, bytes, sizeof(bytes));
	ur_reader_skip(&r, 2);
	ur_reader_skip(&r, SIZE_MAX);
	assert_false(ur_reader_is_ok(&r));
	ur_reader_init(&r, bytes, sizeof(bytes));
	ur_reader_skip(&r, 2);
	ur_reader_skip(&r, SIZE_MAX - 1);
	assert_false(ur_reader_is_ok(&r));
	ur_writer_init(&w, to, sizeof(to));
	ur_writer_u8(&w, 0);
	ur_writer_zeros(&w, SIZE_MAX);
	assert_false(ur_writer_is_ok(&w));
	ur_writer_init(&w, to, sizeof(to));
	ur_writer_u8(&w, 0);
	ur_writer_bytes(&w, bytes, SIZE_MAX);
	assert_false(ur_writer_is_ok(&w));
}

static void nothing_of_nothing_works(void **state)
{
	struct ur_reader r;
	struct ur_writer w;

	(void)state;
	ur_reader_init(&r, NULL, 0);
	ur_reader_bytes(&r, NULL, 0);
	ur_reader_skip(&r, 0);
	assert_true(ur_reader_is_done(&r));
	ur_writer_init(&w, NULL, 0);
	ur_writer_bytes(&w, NULL, 0);
	ur_writer_zeros(&w, 0);
	assert_true(ur_writer_is_ok(&w));
}

/* A length that a refusal cannot hold is told as the largest it can. */
static void refusals_do_not_wrap(void **state)
{
	struct ur_refusal why;

	(void)state;
	assert_int_equal(ur_refuse_length(&why, "bytes", ((size_t)1 << 32) + 4, 8),
			 UR_PEER_MALFORMED);
	row_refusal(1, &why, "bytes", 0xffffffff, 8);
}

static const struct CMUnitTest tests[] = {
	{ "cursor: every get, inside and outside", get_values, 0, 0, 0 },
	{ "cursor: every put, inside and outside", put_values, 0, 0, 0 },
	{ "cursor: values survive put and get", values_survive, 0, 0, 0 },
	{ "cursor: failure is sticky", failure_is_sticky, 0, 0, 0 },
	{ "cursor: sizes that would wrap fail", huge_sizes_fail, 0, 0, 0 },
	{ "refusal: lengths do not wrap", refusals_do_not_wrap, 0, 0, 0 },
	{ "cursor: empty buffers", nothing_of_nothing_works, 0, 0, 0 },
};

const struct wire_tests wire_cursor_tests = { tests, ROWS(tests) };
