// SPDX-License-Identifier: BSD-2-Clause
/*
 * guard/approve and the import in guard/guard: who a device says it is, three times:
 * in the import, in its descriptors, and in what policy is asked.
 */
#include "route.h"
#include "wire_test.h"

static struct route R;

static int setup(void **unused)
{
	(void)unused;
	assert_int_equal(route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"), 0);
	return 0;
}

static void reason_is(int row, enum ur_reason want)
{
	row_text(row, "reason", ur_reason_name(R.guard.verdict.reason),
		 ur_reason_name(want));
}

/* ---- names ------------------------------------------------------------------ */

#define C31 "1234567890123456789012345678901"

static const struct {
	int row;
	const char *client, *vm;
	int init, address;
} names[] = {
	{ 1, "c", "", 0, 0 },
	{ 2, "", "", UR_BUG_INVALID, 0 },
	{ 3, C31, "123456789012345", 0, 0 },
	{ 4, C31 "2", "1234567890123456", UR_BUG_INVALID, UR_BUG_INVALID },
};

static void test_names(void **unused)
{
	const struct ur_op_busid busid = { "vm:1-1" };
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(names); i++) {
		row_is(names[i].row, "init",
		       ur_guard_init(&R.guard, &R.policy, names[i].client),
		       names[i].init);
		row_is(names[i].row, "address",
		       ur_guard_address(&R.guard, names[i].vm, &busid),
		       names[i].address);
	}
}

static const struct {
	int row;
	const char *vm, *busid, *port;	/* NULL: too long */
} ports[] = {
	{ 1, "", "1-1", "1-1" },
	{ 2, "vm", "1-1", "vm:1-1" },
	{ 3, "vm", "1234567890123456789012345678", "vm:1234567890123456789012345678" },
	{ 4, "vm", "12345678901234567890123456789", NULL },
	{ 5, "", C31, C31 },
	{ 6, C31 C31, "1-1", NULL },
};

static void test_ports(void **unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(ports); i++) {
		struct ur_op_busid busid = { "" }, port;

		snprintf(busid.text, sizeof(busid.text), "%s", ports[i].busid);
		row_is(ports[i].row, "fits",
		       ur_guard_port(ports[i].vm, &busid, &port),
		       ports[i].port != NULL);
		if (ports[i].port)
			row_text(ports[i].row, "port", port.text, ports[i].port);
	}
}

/* ---- the import ------------------------------------------------------------- */

/* vm, what is asked, what the device side calls it, what the client is told */
static const struct {
	int row;
	const char *vm, *asked, *given, *told;
	enum ur_reason reason;
} imports[] = {
	{ 1, "", "1-1", "1-1", "1-1", UR_REASON_NONE },
	{ 2, "", "1-1", "1-2", NULL, UR_REASON_IMPORT },
	{ 3, "", "1-1", "1-11", NULL, UR_REASON_IMPORT },
	{ 4, "vm", "1-1", "1-1", "as-asked", UR_REASON_NONE },
	{ 5, "vm", "serial:9", "1-2", "vm:1-2", UR_REASON_NONE },
	{ 6, "", "serial:9", "1-2", "1-2", UR_REASON_NONE },
	{ 7, "vm", "serial1", "1-2", NULL, UR_REASON_IMPORT },
	{ 8, "123456789012345", "serial:9", "12345678901234567", NULL,
	  UR_REASON_IMPORT },
};

static void test_imports(void **unused)
{
	const struct ur_op_busid asked_as = { "as-asked" };
	size_t i;

	for (i = 0; i < ROWS(imports); i++) {
		(void)setup(unused);
		if (imports[i].vm[0])
			assert_int_equal(ur_guard_address(&R.guard, imports[i].vm,
							  &asked_as), 0);
		put_import(&M, imports[i].asked);
		assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
		put_imported(&M, &TEST_DEVICES[0], imports[i].given);
		(void)route_send(&R, UR_TO_CLIENT, M.at, M.bytes, MESSAGE_ROOM);
		reason_is(imports[i].row, imports[i].reason);
		if (imports[i].told)
			row_text(imports[i].row, "told",
				 (const char *)R.passed + 264, imports[i].told);
		else
			row_is(imports[i].row, "bytes", R.passed_bytes, 0);
	}
}

/* Said out of turn, or with the wrong word: by whoever drives the guard. */
static void test_turns(void **unused)
{
	const struct ur_op_header ask = { UR_OP_REQ_IMPORT, 0 };
	const struct ur_op_header list = { UR_OP_REQ_DEVLIST, 0 };
	const struct ur_op_header told = { UR_OP_REP_IMPORT, UR_OP_NA };
	const struct ur_op_busid busid = { "1-1" };
	const struct ur_pdu pdu = { .command = UR_CMD_SUBMIT };
	const struct ur_op_device device = { .busid = busid };
	struct ur_request request;

	assert_int_equal(ur_guard_ask(&R.guard, &ask, &busid), 0);
	assert_int_equal(ur_guard_ask(&R.guard, &ask, &busid), UR_PEER_BROKEN);
	reason_is(1, UR_REASON_ORDER);
	(void)setup(unused);
	assert_int_equal(ur_guard_ask(&R.guard, &list, &busid), UR_PEER_BROKEN);
	reason_is(2, UR_REASON_ORDER);
	(void)setup(unused);
	assert_int_equal(ur_guard_import(&R.guard, &told, &device),
			 UR_PEER_BROKEN);
	reason_is(3, UR_REASON_ORDER);
	(void)setup(unused);
	assert_int_equal(ur_guard_ask(&R.guard, &ask, &busid), 0);
	assert_int_equal(ur_guard_import(&R.guard, &list, &device),
			 UR_PEER_BROKEN);
	reason_is(4, UR_REASON_ORDER);
	(void)setup(unused);
	assert_int_equal(ur_guard_header(&R.guard, UR_TO_DEVICE, &pdu, &request),
			 UR_PEER_BROKEN);
	reason_is(5, UR_REASON_ORDER);
}

/* ---- the descriptors --------------------------------------------------------- */

enum { CONFIGURATION_ROOM = 9 + UR_ALTERNATES_MAX * 9 };
static u8 big[3][CONFIGURATION_ROOM];

static u32 make_configuration(u8 *at, u8 value, u32 alternates)
{
	u32 i, bytes = 9 + alternates * 9;
	const u8 head[9] = { 9, 2, (u8)bytes, (u8)(bytes >> 8), 1, value, 0, 0x80 };

	memcpy(at, head, 9);
	for (i = 0; i < alternates; i++) {
		const u8 one[9] = { 9, 4, 0, (u8)i, 0, 255, 0, 0, 0 };

		memcpy(at + 9 + i * 9, one, 9);
	}
	return bytes;
}

/* Configurations of `alternates` and of the values given; then select the first. */
static void select_of(u32 configurations, const u8 value[3], u32 alternates)
{
	u8 device[18], get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	u8 set[8] = { 0, 9, value[0], 0, 0, 0, 0, 0 };
	u32 i, bytes;

	put_import(&M, "1-1");
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
	put_imported(&M, &TEST_DEVICES[0], "1-1");
	M.at[M.bytes - 2] = (u8)configurations;
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
	memcpy(device, DISK_DEVICE, 18);
	device[17] = (u8)configurations;
	assert_int_equal(route_control(&R, 1, get, device, 18), 0);
	for (i = 0; i < configurations; i++) {
		bytes = make_configuration(big[i], value[i], alternates);
		memcpy(get, (u8[8]){ 0x80, 6, (u8)i, 2, 0, 0, (u8)bytes,
				     (u8)(bytes >> 8) }, 8);
		assert_int_equal(route_control(&R, 2 + i, get, big[i], bytes), 0);
	}
	(void)route_control(&R, 9, set, NULL, 0);
}

static void test_configurations(void **unused)
{
	const u8 different[3] = { 1, 2, 3 }, twice[3] = { 1, 2, 1 };

	select_of(3, different, 10);
	reason_is(1, UR_REASON_NONE);
	(void)setup(unused);
	select_of(3, twice, 10);
	reason_is(2, UR_REASON_DESCRIPTOR);
	(void)setup(unused);
	select_of(2, different, UR_ALTERNATES_MAX);
	reason_is(3, UR_REASON_NONE);
	(void)setup(unused);
	select_of(3, different, UR_ALTERNATES_MAX);
	reason_is(4, UR_REASON_DESCRIPTOR_ROOM);
}

/* What was not read cannot be approved. */
static void test_unread(void **unused)
{
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
	const u8 get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };

	assert_int_equal(route_import(&R, &TEST_DEVICES[0]), 0);
	(void)route_control(&R, 1, set, NULL, 0);
	reason_is(1, UR_REASON_CONFIGURATION);
	(void)setup(unused);
	assert_int_equal(route_import(&R, &TEST_DEVICES[0]), 0);
	assert_int_equal(route_control(&R, 1, get, DISK_DEVICE, 18), 0);
	(void)route_control(&R, 2, set, NULL, 0);
	reason_is(2, UR_REASON_CONFIGURATION);
}

#define approve_test(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		approve_test(test_names), approve_test(test_ports),
		approve_test(test_imports), approve_test(test_turns),
		approve_test(test_configurations), approve_test(test_unread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("approve", tests, NULL, NULL);
}
