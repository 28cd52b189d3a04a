// SPDX-License-Identifier: BSD-2-Clause
/*
 * guard/gate: what it asks for, and that it never asks for more; and the import that
 * a guard waits for before anything else.
 */
#include "route.h"
#include "wire_test.h"

static struct route R;
static u8 answer[UR_PDU_HEADER_BYTES];

static int setup(void **unused)
{
	(void)unused;
	memset(&R, 0, sizeof(R));
	assert_int_equal(route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"), 0);
	return 0;
}

static u32 room(enum ur_travel travel)
{
	u8 *at;

	return ur_gate_room(&R.gate[travel], &at);
}

/* Give a gate the first `bytes` bytes of M that it wants; what it says. */
static int fill(enum ur_travel travel, u32 from, u32 bytes)
{
	u8 *at;

	(void)!ur_gate_room(&R.gate[travel], &at);
	memcpy(at, M.at + from, bytes);
	return ur_gate_fill(&R.gate[travel], bytes);
}

static void test_init(void **unused)
{
	struct ur_limits limits = { 1024, 4 }, none = { 0, 0 };
	struct ur_limits large = { 0x80000000u, 0 };
	static u8 buffer[4096];
	struct ur_gate *gate = &R.gate[0];
	u32 need = UR_GATE_BYTES(1024, 4);

	(void)unused;
	assert_int_equal(ur_gate_init(gate, UR_TO_DEVICE, &R.guard, &limits,
				      buffer, need), 0);
	assert_int_equal(ur_gate_init(gate, UR_TO_DEVICE, &R.guard, &limits,
				      buffer, need - 1), UR_BUG_INVALID);
	assert_int_equal(ur_gate_init(gate, UR_TO_DEVICE, &R.guard, &none,
				      buffer, 320), 0);
	assert_int_equal(ur_gate_init(gate, UR_TO_DEVICE, &R.guard, &none,
				      buffer, 319), UR_BUG_INVALID);
	assert_int_equal(ur_gate_init(gate, UR_TO_DEVICE, &R.guard, &large,
				      buffer, 0xffffffffu), UR_BUG_INVALID);
}

static void test_never_more(void **unused)
{
	(void)unused;
	put_import(&M, "1-1");
	assert_int_equal(room(UR_TO_DEVICE), 8);
	assert_int_equal(fill(UR_TO_DEVICE, 0, 0), UR_GATE_MORE);
	assert_int_equal(fill(UR_TO_DEVICE, 0, 9), UR_BUG_INVALID);
	assert_true(ur_gate_is_between(&R.gate[UR_TO_DEVICE]));
	assert_int_equal(fill(UR_TO_DEVICE, 0, 8), UR_GATE_MORE);
	assert_false(ur_gate_is_between(&R.gate[UR_TO_DEVICE]));
	ur_gate_next(&R.gate[UR_TO_DEVICE]);
	assert_int_equal(room(UR_TO_DEVICE), 32);
	assert_int_equal(fill(UR_TO_DEVICE, 8, 32), UR_GATE_READY);
	assert_int_equal(room(UR_TO_DEVICE), 0);
	ur_gate_next(&R.gate[UR_TO_DEVICE]);
	assert_true(ur_gate_is_between(&R.gate[UR_TO_DEVICE]));
	/* No URB before the answer. */
	assert_int_equal(room(UR_TO_DEVICE), 0);
	put_imported(&M, &TEST_DEVICES[0], "1-1");
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
	assert_int_equal(room(UR_TO_DEVICE), 48);
}

static void test_declined(void **unused)
{
	(void)unused;
	put_import(&M, "1-1");
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
	M.bytes = 0;
	put32(&M, 0x01110003);
	put32(&M, UR_OP_NODEV);
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
	assert_int_equal(R.guard.state, UR_GUARD_DECLINED);
	assert_int_equal(room(UR_TO_DEVICE), 0);
	assert_int_equal(room(UR_TO_CLIENT), 0);
}

/* A message that its buffer cannot hold; by the limits there is none. */
static void test_buffer(void **unused)
{
	(void)unused;
	assert_int_equal(route_enumerate(&R, &TEST_DEVICES[0]), 0);
	R.gate[UR_TO_DEVICE].room = 48 + 511;
	put_submit(&M, 1, UR_DIR_OUT, 2, 512, 0, NULL);
	put_zeros(&M, 512);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_BUFFER);
	assert_int_equal(R.passed_bytes, 0);
}

static void test_stall(void **unused)
{
	static const u8 want[48] = { 0, 0, 0, 3, 0, 0, 0, 9, [20] = 0xff, 0xff,
				     0xff, 0xe0 };
	static const u8 set[8] = { 0, 9, 0, 0, 0, 0, 0, 0 };
	u8 table[sizeof(ALLOW_ALL)];

	(void)unused;
	memcpy(table, ALLOW_ALL, sizeof(table));
	table[25] = UR_CHANGE_CONFIGURATION;
	assert_int_equal(route_open(&R, table, sizeof(table), "c"), 0);
	assert_int_equal(route_enumerate(&R, &TEST_DEVICES[0]), 0);
	put_submit(&M, 9, 0, 0, 0, 0, set);
	assert_int_equal(fill(UR_TO_DEVICE, 0, 48), UR_GATE_STALLED);
	assert_int_equal(room(UR_TO_DEVICE), 0);
	ur_gate_stall(&R.gate[UR_TO_DEVICE], answer);
	assert_memory_equal(answer, want, 48);
	ur_gate_next(&R.gate[UR_TO_DEVICE]);
	assert_int_equal(room(UR_TO_DEVICE), 48);
	assert_int_equal(R.guard.session.outstanding, 0);
}

/* What was right when its header came, and is not any more when it is whole. */
static void test_overtaken(void **unused)
{
	static const u8 unconfigure[8] = { 0, 9, 0, 0, 0, 0, 0, 0 };
	static const u8 report[8] = { 0x21, 9, 0, 2, 0, 0, 8, 0 };

	(void)unused;
	assert_int_equal(route_enumerate(&R, &TEST_DEVICES[0]), 0);
	put_submit(&M, 1, 0, 0, 0, 0, unconfigure);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
	put_submit(&M, 2, UR_DIR_OUT, 0, 8, 0, report);
	put_zeros(&M, 8);
	assert_int_equal(fill(UR_TO_DEVICE, 0, 48), UR_GATE_MORE);
	put_ret(&M, 1, 0, 0, 0, 0);
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
	put_zeros(&M, 8);
	assert_int_equal(fill(UR_TO_DEVICE, 48, 8), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_CONTROL_REQUEST);
}

#define gate_test(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		gate_test(test_init), gate_test(test_never_more),
		gate_test(test_declined), gate_test(test_buffer),
		gate_test(test_stall), gate_test(test_overtaken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
