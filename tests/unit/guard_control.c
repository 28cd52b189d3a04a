// SPDX-License-Identifier: BSD-2-Clause
/* guard/control: what a setup packet asks, whether it may pass, what it changes. */
#include "control.h"
#include "policy.h"
#include "wire_test.h"

/* setup, may pass before a configuration, may pass at all, changes in interface fe:01 */
static const struct {
	int row;
	u8 setup[8];
	bool is_early, is_known;
	u32 changes;
} rows[] = {
	{ 1, { 0x80, 6, 0, 1, 0, 0, 18, 0 }, true, true, 0 },
	{ 2, { 0x81, 6, 0, 0x22, 0, 0, 64, 0 }, false, true, 0 },
	{ 3, { 0x82, 6, 0, 1, 0, 0, 18, 0 }, false, false, 0 },
	{ 4, { 0x00, 6, 0, 1, 0, 0, 18, 0 }, false, false, 0 },
	{ 5, { 0, 9, 1 }, true, true, UR_CHANGE_CONFIGURATION },
	{ 6, { 1, 11, 1 }, false, true, UR_CHANGE_INTERFACE },
	{ 7, { 0, 11, 1 }, false, false, UR_CHANGE_INTERFACE },
	{ 8, { 2, 1 }, false, true, UR_CHANGE_FEATURE },
	{ 9, { 0, 3, 1 }, false, true, UR_CHANGE_FEATURE },
	{ 10, { 0, 5, 7 }, false, false, 0 },
	{ 11, { 0, 7 }, false, false, 0 },
	{ 12, { 0, 48, 0, 0, 0, 0, 6 }, true, true, 0 },
	{ 13, { 0x82, 12, 0, 0, 0x81, 0, 2 }, false, true, 0 },
	{ 14, { 0x84, 0 }, false, false, 0 },
	{ 15, { 0x9f, 6 }, false, false, 0 },
	{ 16, { 0x60, 99 }, false, false, 0 },
	{ 17, { 0x40, 1 }, false, true, UR_CHANGE_VENDOR },
	{ 18, { 0xc0, 1, 0, 0, 0, 0, 1 }, false, true, 0 },
	{ 19, { 0x44, 1 }, false, false, UR_CHANGE_VENDOR },
	{ 20, { 0x21, 1 }, false, true, UR_CHANGE_DFU },
	{ 21, { 0xa1, 1, 0, 0, 0, 0, 1 }, false, true, 0 },
	/* A hub's port reset, and what only looks like it. */
	{ 22, { 0x23, 3, 4, 0, 1 }, false, false, UR_CHANGE_DFU },
	{ 23, { 0x23, 3, 8, 0, 1 }, false, true, UR_CHANGE_DFU },
	{ 24, { 0x23, 1, 4, 0, 1 }, false, true, UR_CHANGE_DFU },
	{ 25, { 0xa3, 3, 4, 0, 1, 0, 1 }, false, true, 0 },
	{ 26, { 0x20, 3, 4, 0, 1 }, false, true, UR_CHANGE_DFU },
	{ 27, { 0x43, 3, 4, 0, 1 }, false, true, UR_CHANGE_VENDOR },
	/* Without data the device ignores the direction: USB 2.0 section 9.3.1. */
	{ 28, { 0xc0, 1 }, false, true, UR_CHANGE_VENDOR },
	{ 29, { 0xa1, 1 }, false, true, UR_CHANGE_DFU },
	{ 30, { 0xa3, 3, 4, 0, 1 }, false, false, UR_CHANGE_DFU },
	{ 31, { 0x80, 9, 1 }, false, false, UR_CHANGE_CONFIGURATION },
	/* A test mode of the device, and a feature 2 of something else. */
	{ 32, { 0, 3, 2, 0, 0, 4 }, false, false, UR_CHANGE_FEATURE },
	{ 33, { 1, 3, 2, 0, 0, 4 }, false, true, UR_CHANGE_FEATURE },
	{ 34, { 0, 1, 2 }, false, true, UR_CHANGE_FEATURE },
};

static void test_rows(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_control c = ur_control_read(rows[i].setup);

		row_is(rows[i].row, "early", ur_control_is_early(&c),
		       rows[i].is_early);
		row_is(rows[i].row, "known", ur_control_is_known(&c),
		       rows[i].is_known);
		row_is(rows[i].row, "changes",
		       ur_control_changes(&c, true), rows[i].changes);
	}
}

static void test_read(void **unused)
{
	const u8 setup[8] = { 0xa1, 0xfe, 1, 2, 3, 4, 5, 6 };
	struct ur_control c = ur_control_read(setup);

	(void)unused;
	assert_true(c.is_in);
	assert_int_equal(c.kind, UR_CONTROL_CLASS);
	assert_int_equal(c.recipient, UR_CONTROL_INTERFACE);
	assert_int_equal(c.request, 0xfe);
	assert_int_equal(c.value, 0x0201);
	assert_int_equal(c.index, 0x0403);
	assert_int_equal(c.length, 0x0605);
}

/* GET_STATUS of a device is not that of an endpoint, nor another request. */
static void test_is(void **unused)
{
	const u8 setup[8] = { 0x80, 0, 0, 0, 0, 0, 2, 0 };
	struct ur_control c = ur_control_read(setup);

	(void)unused;
	assert_true(ur_control_is(&c, UR_GET_STATUS, UR_CONTROL_DEVICE));
	assert_false(ur_control_is(&c, UR_GET_STATUS, UR_CONTROL_ENDPOINT));
	assert_false(ur_control_is(&c, UR_GET_CONFIGURATION, UR_CONTROL_DEVICE));
}

/* A class's write is firmware only where the class is DFU's, both bytes. */
static void test_firmware(void **unused)
{
	const u8 download[8] = { 0x21, 1 };
	struct ur_control c = ur_control_read(download);

	(void)unused;
	assert_int_equal(ur_control_changes(&c, ur_control_is_firmware(0xfe, 1)),
			 UR_CHANGE_DFU);
	assert_int_equal(ur_control_changes(&c, ur_control_is_firmware(0xfe, 2)),
			 0);
	assert_int_equal(ur_control_changes(&c, ur_control_is_firmware(3, 1)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_read),
		cmocka_unit_test(test_is), cmocka_unit_test(test_firmware),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
