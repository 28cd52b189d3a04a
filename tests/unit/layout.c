// SPDX-License-Identifier: BSD-2-Clause
#include "pair.h"

/* SPEC section 1, by hand: data_offset = 0x100 + 0x100 * channels, rounded up. */
static const struct {
	u64 outbox;
	u32 channels, ring;		/* asked; 0: default */
	u32 channels_is, ring_is, data_is;
} GOOD[] = {
	/* 1 */ { 32768, 0, 0, 16, 1024, 8192 },	/* 64 KiB region */
	/* 2 */ { 65536, 0, 0, 16, 2048, 8192 },
	/* 3 */ { 131072, 0, 0, 16, 4096, 8192 },
	/* 4 */ { 524288, 0, 0, 16, 16384, 8192 },
	/* 5 */ { 4194304, 0, 0, 16, 131072, 8192 },
	/* 6 */ { 8388608, 0, 0, 16, 262144, 8192 },	/* 16 MiB region */
	/* 7 */ { 536870912, 0, 0, 16, 2097152, 8192 },	/* 1 GiB region */
	/* 8 */ { 32768, 1, 0, 1, 16384, 4096 },
	/* 9 */ { 32768, 15, 0, 15, 1024, 4096 },	/* blocks end at 0x1000 */
	/* 10 */ { 32768, 16, 1024, 16, 1024, 8192 },
	/* 11 */ { 32768, 64, 0, 64, 128, 20480 },
	/* 12 */ { 32768, 64, 64, 64, 64, 20480 },	/* both limits */
	/* 13 */ { 536870912, 1, 268435456, 1, 268435456, 4096 },
	/* 14 */ { 536870912, 64, 4194304, 64, 4194304, 20480 },
	/* 15 */ { 8388608, 31, 0, 31, 262144, 8192 },	/* 31 * 256 KiB + 8 KiB fit */
	/* 16 */ { 8388608, 32, 0, 32, 131072, 12288 },	/* 32 * 256 KiB do not */
	/* 17 */ { 40960, 1, 32768, 1, 32768, 4096 },	/* two regions, odd size */
	/* 18 */ { 33562624, 0, 0, 16, 2097152, 8192 },	/* a file's default */
	/* 19 */ { 33562623, 0, 0, 16, 1048576, 8192 },
};

static const struct {
	u64 outbox;
	u32 channels, ring;
	u32 got, want;
} BAD[] = {
	/* 1 */ { 0, 0, 0, 0, 32768 },
	/* 2 */ { 32767, 0, 0, 32767, 32768 },
	/* 3 */ { 536870913, 0, 0, 536870913, 536870912 },
	/* 4 */ { 0x100000000, 0, 0, 0xffffffff, 536870912 },
	/* 5 */ { 0x100008000, 0, 0, 0xffffffff, 536870912 },	/* not its low word */
	/* 6 */ { 0xffffffffffffffff, 0, 0, 0xffffffff, 536870912 },
	/* 7 */ { 32768, 65, 0, 65, 64 },
	/* 8 */ { 32768, 0xffffffff, 0, 0xffffffff, 64 },
	/* 9 */ { 32768, 16, 63, 63, 64 },
	/* 10 */ { 32768, 16, 32, 32, 64 },			/* a power of two, too small */
	/* 11 */ { 32768, 16, 1, 1, 64 },
	/* 12 */ { 32768, 16, 100, 100, 64 },			/* not a power of two */
	/* 13 */ { 32768, 16, 1023, 1023, 64 },
	/* 14 */ { 32768, 16, 2048, 2048, 1024 },		/* does not fit */
	/* 15 */ { 32768, 1, 32768, 32768, 16384 },
	/* 16 */ { 32768, 64, 256, 256, 128 },
	/* 17 */ { 32768, 64, 0x80000000, 0x80000000, 128 },	/* times 64 wraps in u32 */
	/* 18 */ { 32768, 64, 0x40000000, 0x40000000, 128 },
};

static void good_rows(void **state)
{
	struct ur_geometry g;
	struct ur_fault fault;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(GOOD); i++) {
		int n = ur_geometry_init(&g, GOOD[i].outbox, GOOD[i].channels,
					 GOOD[i].ring, &fault);

		if (n != 0 || g.outbox_bytes != GOOD[i].outbox ||
		    g.channels != GOOD[i].channels_is ||
		    g.ring_bytes != GOOD[i].ring_is ||
		    g.data_offset != GOOD[i].data_is)
			row_fails("row %zu: %d, %u channels, ring %u, data at %u",
				  i + 1, n, g.channels, g.ring_bytes,
				  g.data_offset);
	}
}

static void bad_rows(void **state)
{
	struct ur_geometry g;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(BAD); i++) {
		struct ur_fault f = { 0 };
		int n = ur_geometry_init(&g, BAD[i].outbox, BAD[i].channels,
					 BAD[i].ring, &f);

		if (n != UR_BUG_INVALID || f.number != UR_FAULT_GEOMETRY ||
		    f.got != BAD[i].got || f.want != BAD[i].want)
			row_fails("row %zu: %d, fault %u, got %u, want %u",
				  i + 1, n, f.number, f.got, f.want);
	}
}

/* Whatever is accepted fits, and the default ring is the largest that does. */
static void every_default_fits(void **state)
{
	struct ur_fault fault;
	struct ur_geometry g;
	u64 outbox;
	u32 c;

	(void)state;
	for (outbox = 32768; outbox <= 536870912; outbox *= 2)
		for (c = 1; c <= 64; c++) {
			u64 end;

			assert_int_equal(ur_geometry_init(&g, outbox, c, 0,
							  &fault), 0);
			end = g.data_offset + (u64)c * g.ring_bytes;
			assert_true(end <= outbox);
			assert_true(g.data_offset >= 256 + 256 * c);
			assert_int_equal(g.data_offset % 4096, 0);
			assert_int_equal(g.ring_bytes & (g.ring_bytes - 1), 0);
			assert_true(g.ring_bytes == 2097152 ||
				    end + (u64)c * g.ring_bytes > outbox);
			assert_int_equal(g.first_index, 0);
		}
}

/* The value that a refusal names as possible has to be possible. */
static void what_a_refusal_wants_is_accepted(void **state)
{
	size_t i;

	(void)state;
	for (i = 8; i < ROWS(BAD); i++) {
		struct ur_geometry g;
		struct ur_fault f;

		assert_int_equal(ur_geometry_init(&g, BAD[i].outbox,
						  BAD[i].channels, BAD[i].ring,
						  &f), UR_BUG_INVALID);
		assert_int_equal(ur_geometry_init(&g, BAD[i].outbox,
						  BAD[i].channels, f.want, &f), 0);
	}
}

/* SPEC section 2, byte by byte. */
static void header_bytes(void **state)
{
	static const u8 want[32] = {
		0x55, 0x52, 0x4c, 0x4b,	/* magic: "URLK" */
		0x00, 0x00, 0x01, 0x00,	/* version 1.0 */
		0x01, 0x00, 0x00, 0x00,	/* end B */
		0x00, 0x80, 0x00, 0x00,	/* outbox 32768 */
		0x10, 0x00, 0x00, 0x00,	/* 16 channels */
		0x00, 0x04, 0x00, 0x00,	/* ring 1024 */
		0x00, 0x20, 0x00, 0x00,	/* data at 8192 */
		0xee, 0xee, 0xee, 0xee,	/* not touched */
	};
	struct ur_header_shm h;
	struct ur_geometry g;
	struct ur_fault fault;

	(void)state;
	memset(&h, 0xee, sizeof(h));
	assert_int_equal(ur_geometry_init(&g, 32768, 0, 0, &fault), 0);
	ur_header_write(&h, &g, UR_END_B);
	assert_memory_equal(&h, want, sizeof(want));
}

static const struct {
	u32 offset, word;
	int result;
	u32 number, want;
} HEADERS[] = {
	/* 1 */ { 0x00, 0x4b4c5255, 0, 0, 0 },
	/* 2 */ { 0x00, 0, UR_PEER_BROKEN, 1, 0x4b4c5255 },
	/* 3 */ { 0x00, 0x55524c4b, UR_PEER_BROKEN, 1, 0x4b4c5255 },	/* swapped */
	/* 4 */ { 0x04, 0x00010001, 0, 0, 0 },		/* a later minor */
	/* 5 */ { 0x04, 0x0001ffff, 0, 0, 0 },
	/* 6 */ { 0x04, 0x00020000, UR_PEER_BROKEN, 2, 0x00010000 },
	/* 7 */ { 0x04, 0, UR_PEER_BROKEN, 2, 0x00010000 },
	/* 8 */ { 0x08, 0, UR_PEER_BROKEN, 3, 1 },	/* both say A */
	/* 9 */ { 0x08, 2, UR_PEER_BROKEN, 3, 1 },
	/* 10 */ { 0x0c, 65536, UR_PEER_BROKEN, 4, 32768 },
	/* 11 */ { 0x0c, 32767, UR_PEER_BROKEN, 4, 32768 },
	/* 12 */ { 0x10, 15, UR_PEER_BROKEN, 5, 16 },
	/* 13 */ { 0x10, 0xffffffff, UR_PEER_BROKEN, 5, 16 },
	/* 14 */ { 0x14, 512, UR_PEER_BROKEN, 6, 1024 },
	/* 15 */ { 0x14, 0x80000400, UR_PEER_BROKEN, 6, 1024 },
	/* 16 */ { 0x18, 8193, UR_PEER_BROKEN, 7, 8192 },
	/* 17 */ { 0x18, 0, UR_PEER_BROKEN, 7, 8192 },
	/* 18 */ { 0x1c, 0x12345678, 0, 0, 0 },		/* reserved: ignored */
	/* 19 */ { 0xfc, 0x12345678, 0, 0, 0 },
};

static void header_rows(void **state)
{
	struct ur_geometry g;
	struct ur_fault fault;
	size_t i;

	(void)state;
	assert_int_equal(ur_geometry_init(&g, 32768, 0, 0, &fault), 0);
	for (i = 0; i < ROWS(HEADERS); i++) {
		union {
			struct ur_header_shm h;
			u32 words[64];
		} peer = { 0 };
		struct ur_fault f = { 0 };
		int n;

		ur_header_write(&peer.h, &g, UR_END_B);
		peer.words[HEADERS[i].offset / 4] = HEADERS[i].word;
		n = ur_header_check(&peer.h, &g, UR_END_B, &f);
		if (n != HEADERS[i].result || f.number != HEADERS[i].number ||
		    f.want != HEADERS[i].want ||
		    (n < 0 && f.got != HEADERS[i].word))
			row_fails("row %zu: %d, fault %u, got 0x%x, want 0x%x",
				  i + 1, n, f.number, f.got, f.want);
	}
}

static void blocks_lie_where_the_spec_says(void **state)
{
	union {
		struct ur_header_shm h;
		u8 bytes[32768];
	} box;
	u32 c;

	(void)state;
	for (c = 0; c < 64; c++) {
		u8 *at = box.bytes + 0x100 + c * 0x100;

		assert_ptr_equal(ur_block(&box.h, c), at);
		assert_ptr_equal(ur_peer_block(&box.h, c), at);
		assert_ptr_equal(&ur_block(&box.h, c)->produced, at + 0x40);
		assert_ptr_equal(&ur_block(&box.h, c)->consumed, at + 0x80);
	}
}

static void fault_names(void **state)
{
	static const char *const names[] = {
		"none", "magic", "version", "end", "outbox_bytes", "channels",
		"ring_bytes", "data_offset", "produced", "consumed", "state",
		"move", "severed", "geometry",
	};
	u32 i;

	(void)state;
	for (i = 0; i < ROWS(names); i++)
		assert_string_equal(ur_fault_name(i), names[i]);
	assert_string_equal(ur_fault_name(14), "unknown");
	assert_string_equal(ur_fault_name(0xffffffff), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rows),
		cmocka_unit_test(bad_rows),
		cmocka_unit_test(every_default_fits),
		cmocka_unit_test(what_a_refusal_wants_is_accepted),
		cmocka_unit_test(header_bytes),
		cmocka_unit_test(header_rows),
		cmocka_unit_test(blocks_lie_where_the_spec_says),
		cmocka_unit_test(fault_names),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
