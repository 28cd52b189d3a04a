// SPDX-License-Identifier: BSD-2-Clause
/*
 * guard/pin: a descriptor is what was said first, and its room is bounded. A row is
 * one answer after the other about one descriptor.
 */
#include "pin.h"
#include "wire_test.h"

static struct ur_pins pins;
static struct ur_configuration scratch;

enum { DEVICE = 1, CONFIGURATION, STRING, OTHER_SPEED = 7, BOS = 15, HID = 0x22 };

static enum ur_reason pin(const struct ur_pin_key *key, const void *at, u32 bytes,
			  u32 asked)
{
	struct ur_verdict v = { 0 };
	u8 *copy = exact(at, bytes);
	int error = ur_pin(&pins, key, copy, bytes, asked, &scratch, &v);

	free(copy);
	assert_int_equal(error, v.reason ? UR_PEER_BROKEN : 0);
	return v.reason;
}

#define DEVICE_18 "120100020000004027060100000101020301"
#define CONFIG_9 "090212000101008032"
#define CONFIG_18 CONFIG_9 "090400000008065000"

/* recipient and type, up to three answers: what, asked; the reason of the last */
static const struct {
	int row;
	u8 recipient, type;
	struct {
		const char *text;
		u32 asked;
	} say[3];
	enum ur_reason reason;
} rows[] = {
	{ 1, 0, DEVICE, { { DEVICE_18, 18 }, { DEVICE_18, 18 } }, UR_REASON_NONE },
	{ 2, 0, DEVICE, { { "1201000200000040", 8 }, { DEVICE_18, 64 } },
	  UR_REASON_NONE },
	{ 3, 0, DEVICE, { { DEVICE_18, 18 }, { "1201000200000040", 8 } },
	  UR_REASON_NONE },
	{ 4, 0, DEVICE, { { "1201000200000040", 8 },
			  { "120100020000000827060100000101020301", 18 } },
	  UR_REASON_PINNED },
	{ 5, 0, DEVICE, { { "1201000200000040", 18 } }, UR_REASON_DESCRIPTOR },
	{ 6, 0, DEVICE, { { "12", 18 } }, UR_REASON_DESCRIPTOR },
	{ 7, 0, DEVICE, { { "120200020000004027060100000101020301", 18 } },
	  UR_REASON_DESCRIPTOR },
	{ 8, 0, DEVICE, { { "120100020000004127060100000101020301", 18 } },
	  UR_REASON_DESCRIPTOR },
	{ 9, 0, CONFIGURATION, { { CONFIG_9, 9 }, { CONFIG_18, 255 } },
	  UR_REASON_NONE },
	{ 10, 0, CONFIGURATION, { { "09021200", 4 }, { "090212000001008032", 9 },
				  { CONFIG_18, 255 } }, UR_REASON_PINNED },
	{ 11, 0, CONFIGURATION, { { "090212000201008032090400000008065000", 18 } },
	  UR_REASON_DESCRIPTOR },
	{ 12, 0, OTHER_SPEED, { { "090712000101008032090400000008065000", 18 } },
	  UR_REASON_NONE },
	{ 13, 0, OTHER_SPEED, { { "090712000001008032090400000008065000", 18 } },
	  UR_REASON_DESCRIPTOR },
	{ 14, 0, STRING, { { "04034100", 255 }, { "04034200", 255 } },
	  UR_REASON_PINNED },
	{ 15, 0, STRING, { { "030341", 255 } }, UR_REASON_DESCRIPTOR },
	{ 16, 0, BOS, { { "050f0c0001", 5 }, { "050f0c000107100202000000", 255 } },
	  UR_REASON_NONE },
	{ 17, 0, BOS, { { "050f0c000207100202000000", 255 } },
	  UR_REASON_DESCRIPTOR },
	/* A standard type without rules of its own: only as long as it says. */
	{ 18, 0, 6, { { "0a060002000000400100", 10 } }, UR_REASON_NONE },
	{ 19, 0, 6, { { "0a060002000000400100", 10 },
		      { "0a060002000000400100ff", 11 } }, UR_REASON_DESCRIPTOR },
	/* Of a class: whatever it is, and more of it later. */
	{ 20, 1, HID, { { "0506", 2 }, { "050609", 64 }, { "050609", 64 } },
	  UR_REASON_NONE },
	{ 21, 1, HID, { { "0506", 2 }, { "0507", 2 } }, UR_REASON_PINNED },
	{ 22, 1, HID, { { "0506", 2 }, { "", 64 }, { "05", 1 } }, UR_REASON_NONE },
	{ 23, 0, 0x41, { { "0506", 2 }, { "050609", 64 } }, UR_REASON_NONE },
};

static void test_rows(void **unused)
{
	u8 bytes[64];
	size_t i, k;

	(void)unused;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_pin_key key = { rows[i].recipient, rows[i].type, 1, 0 };
		enum ur_reason reason = UR_REASON_NONE;

		ur_pins_init(&pins);
		for (k = 0; k < 3 && rows[i].say[k].text && !reason; k++)
			reason = pin(&key, bytes,
				     (u32)hex(rows[i].say[k].text, bytes, 64),
				     rows[i].say[k].asked);
		row_text(rows[i].row, "reason", ur_reason_name(reason),
			 ur_reason_name(rows[i].reason));
		row_is(rows[i].row, "answers said",
		       k == 3 || !rows[i].say[k].text, 1);
	}
}

/* A later answer that says it is longer: by its first bytes, as before. */
static void test_longer(void **unused)
{
	struct ur_pin_key key = { 0, STRING, 1, 0 };
	const u8 four[4] = { 4, 3, 'a', 0 };
	u8 six[6] = { 4, 3, 'a', 0, 'b', 0 };

	(void)unused;
	ur_pins_init(&pins);
	assert_int_equal(pin(&key, four, 4, 255), UR_REASON_NONE);
	assert_int_equal(pin(&key, six, 6, 255), UR_REASON_DESCRIPTOR);
}

static void test_descriptors_have_room(void **unused)
{
	const u8 string[4] = { 4, 3, 'a', 0 };
	struct ur_pin_key key = { 0, STRING, 0, 0 };
	u32 i;

	(void)unused;
	ur_pins_init(&pins);
	for (i = 0; i < UR_PINS_MAX; i++) {
		key.number = (u8)(i + 1);
		assert_int_equal(pin(&key, string, 4, 255), UR_REASON_NONE);
	}
	key.index = 9;
	assert_int_equal(pin(&key, string, 4, 255), UR_REASON_DESCRIPTOR_ROOM);
	key.index = 0;
	assert_int_equal(pin(&key, string, 4, 255), UR_REASON_NONE);
}

static void test_bytes_have_room(void **unused)
{
	static u8 bytes[UR_PIN_BYTES];
	struct ur_pin_key one = { 1, HID, 0, 0 }, two = { 1, HID, 0, 1 };

	(void)unused;
	ur_pins_init(&pins);
	assert_int_equal(pin(&one, bytes, UR_PIN_BYTES - 10, UR_PIN_BYTES), 0);
	assert_int_equal(pin(&two, bytes, 11, 11), UR_REASON_DESCRIPTOR_ROOM);
	assert_int_equal(pin(&two, bytes, 4, 4), UR_REASON_NONE);
	/* More of it needs a place of its own. */
	assert_int_equal(pin(&two, bytes, 6, 6), UR_REASON_NONE);
	assert_int_equal(pin(&two, bytes, 7, 7), UR_REASON_DESCRIPTOR_ROOM);
}

/* Found when whole, and only the device's own of that type and number. */
static void test_standard(void **unused)
{
	const u8 string[4] = { 4, 3, 'a', 0 };
	struct ur_pin_key keys[] = { { 1, STRING, 2, 0 }, { 0, HID, 2, 0 },
				     { 0, STRING, 1, 0 }, { 0, STRING, 2, 9 } };
	u32 i, bytes;

	(void)unused;
	ur_pins_init(&pins);
	for (i = 0; i < ROWS(keys); i++)
		assert_int_equal(pin(&keys[i], string, 2, 2), UR_REASON_NONE);
	assert_null(ur_pins_standard(&pins, STRING, 2, &bytes));
	assert_null(ur_pins_standard(&pins, STRING, 3, &bytes));
	assert_int_equal(pin(&keys[3], string, 4, 255), UR_REASON_NONE);
	assert_memory_equal(ur_pins_standard(&pins, STRING, 2, &bytes), string, 4);
	assert_int_equal(bytes, 4);
	assert_memory_equal(ur_pins_string(&pins, 2, 9, &bytes), string, 4);
	assert_int_equal(bytes, 4);
	assert_null(ur_pins_string(&pins, 1, 0, &bytes));
	assert_null(ur_pins_string(&pins, 2, 0, &bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_longer),
		cmocka_unit_test(test_descriptors_have_room),
		cmocka_unit_test(test_bytes_have_room),
		cmocka_unit_test(test_standard),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
