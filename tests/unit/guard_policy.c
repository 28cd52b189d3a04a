// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy in the guard: damaged tables, and what rules do to a route. Tables are made
 * by the command's own compiler from the text in each row.
 */
#include "compile.h"
#include "route.h"
#include "wire_test.h"

static struct route R;

static u8 *compile(const char *text, size_t *bytes)
{
	static u8 table[UR_COMPILE_BYTES];
	struct ur_compile_error error;
	int n = ur_compile(text, table, &error);

	if (n < 0)
		row_fails("%s: %u:%u: %s", text, error.line, error.column,
			  error.text);
	*bytes = n < 0 ? 0 : (size_t)n;
	return exact(table, *bytes);
}

static const char RICH[] =
	"allow id one-of { 46f4:* 1234:0001 } name \"ab\" via-port \"1-1\"\n"
	"block with-interface none-of { 08:06:50 03:*:* } serial \"xyz\"\n"
	"reject label \"to=client1 deny=dfu,vendor\"\n";

static void decide_anything(const struct ur_policy *p)
{
	const struct ur_interface_type types[] = { { 8, 6, 0x50 }, { 3, 1, 1 } };
	struct ur_policy_device d = { 31, 0x46f4, 1, "ab", "xyz", "1-1",
				      "client1", types, 2 };
	struct ur_policy_decision got = ur_policy_decide(p, &d);

	assert_in_range(got.target, UR_POLICY_ALLOW, UR_POLICY_REJECT);
	assert_true(got.denied_changes <= UR_CHANGES_ALL);
}

/* Cut anywhere: refused. Any byte changed: refused, or a table all the same. */
static void test_damaged(void **unused)
{
	static const u8 values[] = { 0, 1, 2, 7, 0x7f, 0x80, 0xff };
	size_t bytes, i, v, loaded = 0;
	u8 *table = compile(RICH, &bytes);
	struct ur_policy policy;
	struct ur_refusal why;

	(void)unused;
	assert_int_equal(ur_policy_load(&policy, table, bytes, &why), 0);
	for (i = 0; i < bytes; i++) {
		u8 *cut = exact(table, i);

		row_is((int)i, "a table cut there", ur_policy_load(
			&policy, cut, i, &why), UR_BUG_INVALID);
		free(cut);
	}
	for (i = 0; i < bytes; i++)
		for (v = 0; v < ROWS(values); v++) {
			u8 was = table[i];

			table[i] = values[v];
			if (ur_policy_load(&policy, table, bytes, &why) == 0) {
				decide_anything(&policy);
				loaded++;
			}
			table[i] = was;
		}
	assert_true(loaded > 0);
	free(table);
}

/* Offset in the table of RICH, value, the field that is refused. */
static const struct {
	int row;
	size_t at;
	u8 value;
	const char *field;
} damages[] = {
	{ 1, 0, 0x54, "policy magic" },	   { 2, 5, 2, "policy version" },
	{ 3, 6, 0xff, "policy rules" },	   { 4, 7, 4, "policy bytes" },
	{ 5, 8, 0xff, "policy values" },   { 6, 11, 1, "policy padding" },
	{ 7, 13, 1, "policy text" },	   { 8, 15, 0, "policy bytes" },
	{ 9, 19, 0, "policy bytes" },	   { 10, 23, 1, "policy padding" },
	{ 11, 24, 0, "policy target" },	   { 12, 24, 4, "policy target" },
	{ 13, 25, 32, "policy changes" },  { 14, 28, 7, "policy operator" },
	{ 15, 28, 0, "policy values" },	   { 16, 29, 1, "policy padding" },
	{ 17, 31, 200, "policy value" },   { 18, 33, 200, "policy value" },
	{ 19, 33, 0, "policy values" },	   { 20, 59, 255, "policy text" },
	{ 21, 63, 1, "policy padding" },   { 22, 144 + 4, 4, "policy id" },
	{ 23, 144 + 0, 1, NULL },	   { 24, 144 + 7, 1, "policy id" },
};

static void test_damages(void **unused)
{
	size_t bytes, i;
	u8 *table = compile(RICH, &bytes);
	struct ur_policy policy;

	(void)unused;
	for (i = 0; i < ROWS(damages); i++) {
		u8 was = table[damages[i].at];
		struct ur_refusal why = { "none", "", 0, 0 };
		int error;

		table[damages[i].at] = damages[i].value;
		error = ur_policy_load(&policy, table, bytes, &why);
		row_is(damages[i].row, "result", error,
		       damages[i].field ? UR_BUG_INVALID : 0);
		row_text(damages[i].row, "field", why.field,
			 damages[i].field ? damages[i].field : "none");
		table[damages[i].at] = was;
	}
	free(table);
}

/* ---- values against values ------------------------------------------------- */

/* The device has interfaces 08:06:50 and 03:01:01. */
static const struct {
	int row;
	const char *rule;
	bool is_met;
} meetings[] = {
	{ 1, "with-interface equals { 08:06:50 03:01:01 }", true },
	{ 2, "with-interface equals { 08:06:50 08:*:* }", false },
	{ 3, "with-interface equals { 08:06:50 }", false },
	{ 4, "with-interface equals-ordered { 03:*:* 08:*:* }", false },
	{ 5, "with-interface all-of { 08:06:51 }", false },
	{ 6, "with-interface all-of { 08:07:* }", false },
	{ 7, "with-interface match-all { 08:06:* 03:*:* }", true },
	{ 8, "with-interface match-all { 08:06:* }", false },
	{ 9, "with-interface equals-ordered { 08:06:50 03:*:* }", true },
	{ 10, "with-interface equals-ordered { 08:06:50 }", false },
};

static void test_meetings(void **unused)
{
	const struct ur_interface_type types[] = { { 8, 6, 0x50 }, { 3, 1, 1 } };
	const struct ur_policy_device d = { 31, 0x46f4, 1, "", "", "1-1", "c",
					    types, 2 };
	size_t i, bytes;

	(void)unused;
	for (i = 0; i < ROWS(meetings); i++) {
		struct ur_policy policy;
		struct ur_refusal why;
		char rule[128];
		u8 *table;

		snprintf(rule, sizeof(rule), "allow %s", meetings[i].rule);
		table = compile(rule, &bytes);
		assert_int_equal(ur_policy_load(&policy, table, bytes, &why), 0);
		row_is(meetings[i].row, "target",
		       ur_policy_decide(&policy, &d).target,
		       meetings[i].is_met ? UR_POLICY_ALLOW : UR_POLICY_BLOCK);
		free(table);
	}
}

/* A table may say less than the language can: an interface by its protocol. */
static void test_protocol_only(void **unused)
{
	const struct ur_interface_type types[] = { { 8, 6, 0x50 } };
	const struct ur_policy_device d = { 31, 0, 0, "", "", "", "c", types, 1 };
	size_t bytes;
	u8 *table = compile("allow with-interface 00:00:50", &bytes);
	struct ur_policy policy;
	struct ur_refusal why;

	(void)unused;
	assert_int_equal(ur_policy_load(&policy, table, bytes, &why), 0);
	assert_int_equal(ur_policy_decide(&policy, &d).target, UR_POLICY_BLOCK);
	table[64 + 3] = 4;
	assert_int_equal(ur_policy_load(&policy, table, bytes, &why), 0);
	assert_int_equal(ur_policy_decide(&policy, &d).target, UR_POLICY_ALLOW);
	free(table);
}

/* ---- rules on a route ------------------------------------------------------ */

enum until { IMPORT, CONFIGURED };

static const struct {
	int row;
	const char *rules;
	const char *client;
	enum until until;	/* how far it has to come; refused at the next step */
	enum ur_reason reason;
} decisions[] = {
	{ 1, "allow", "c", CONFIGURED, UR_REASON_NONE },
	{ 2, "", "c", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 3, "block", "c", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 4, "reject id 46f4:*", "c", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 5, "allow id 46f4:0002", "c", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 6, "allow via-port \"1-2\"", "c", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 7, "allow via-port \"1-1\"", "c", CONFIGURED, UR_REASON_NONE },
	{ 8, "allow label \"to=a\"", "a", CONFIGURED, UR_REASON_NONE },
	{ 9, "allow label \"to=a\"", "b", IMPORT, UR_REASON_POLICY_DEVICE },
	{ 10, "allow with-interface 08:*:*", "c", CONFIGURED, UR_REASON_NONE },
	{ 11, "allow with-interface 03:*:*", "c", CONFIGURED, UR_REASON_POLICY_DEVICE },
	{ 12, "block with-interface one-of { 08:*:* }\nallow", "c", CONFIGURED,
	  UR_REASON_POLICY_DEVICE },
	{ 13, "block with-interface one-of { 03:*:* }\nallow", "c", CONFIGURED,
	  UR_REASON_NONE },
	{ 14, "allow serial \"1\"", "c", CONFIGURED, UR_REASON_POLICY_DEVICE },
	/* The disk names a serial number, which nobody reads here. */
	{ 15, "allow serial \"\"", "c", CONFIGURED, UR_REASON_UNREAD },
};

static void test_decisions(void **unused)
{
	size_t i, bytes;

	(void)unused;
	for (i = 0; i < ROWS(decisions); i++) {
		u8 *table = compile(decisions[i].rules, &bytes);
		int error;

		assert_int_equal(route_open(&R, table, bytes,
					    decisions[i].client), 0);
		error = decisions[i].until == IMPORT ?
				route_import(&R, &TEST_DEVICES[0]) :
				route_enumerate(&R, &TEST_DEVICES[0]);
		row_is(decisions[i].row, "result", error,
		       decisions[i].reason ? UR_PEER_BROKEN : 0);
		row_is(decisions[i].row, "reason", R.guard.verdict.reason,
		       decisions[i].reason);
		row_is(decisions[i].row, "imported, at least",
		       R.guard.passed[UR_TO_CLIENT] > 0,
		       decisions[i].until == CONFIGURED);
		free(table);
	}
}

static const struct {
	int row;
	const char *deny;
	u8 setup[8];
	enum ur_reason reason;
} changes[] = {
	{ 1, "dfu", { 0, 9, 1, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	{ 2, "set-configuration", { 0, 9, 1, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	{ 3, "set-configuration", { 0, 9, 0, 0, 0, 0, 0, 0 },
	  UR_REASON_POLICY_CHANGE },
	{ 4, "dfu", { 0, 9, 0, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	{ 5, "set-interface", { 1, 11, 1, 0, 1, 0, 0, 0 },
	  UR_REASON_POLICY_CHANGE },
	{ 6, "dfu", { 1, 11, 1, 0, 1, 0, 0, 0 }, UR_REASON_NONE },
	{ 7, "feature", { 2, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_POLICY_CHANGE },
	{ 8, "feature", { 0, 3, 1, 0, 0, 0, 0, 0 }, UR_REASON_POLICY_CHANGE },
	{ 9, "vendor", { 2, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	{ 10, "vendor", { 0x40, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_POLICY_CHANGE },
	{ 11, "vendor", { 0xc0, 1, 0, 0, 0, 0, 1, 0 }, UR_REASON_NONE },
	{ 12, "feature", { 0x40, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	{ 13, "dfu", { 0x21, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_NONE },
	/* A write that says it reads: without data a device ignores that. */
	{ 14, "vendor", { 0xc0, 1, 0, 0, 0, 0, 0, 0 }, UR_REASON_POLICY_CHANGE },
};

/* RET_SUBMIT, sequence number 5, status -EPIPE: usbip_protocol.rst. */
static const u8 STALL_OF_5[48] = { 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0,
				   0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
				   0xe0 };

static void test_changes(void **unused)
{
	char rules[64];
	size_t i, bytes;

	(void)unused;
	for (i = 0; i < ROWS(changes); i++) {
		u8 *table;

		snprintf(rules, sizeof(rules), "allow label \"deny=%s\"",
			 changes[i].deny);
		table = compile(rules, &bytes);
		assert_int_equal(route_open(&R, table, bytes, "c"), 0);
		assert_int_equal(route_enumerate(&R, &TEST_DEVICES[1]), 0);
		memset(R.stall, 0, sizeof(R.stall));
		put_submit(&M, 5, changes[i].setup[0] >> 7, 0, changes[i].setup[6],
			   0, changes[i].setup);
		row_is(changes[i].row, "severed",
		       route_send(&R, UR_TO_DEVICE, M.at, M.bytes, 7), 0);
		row_is(changes[i].row, "passed", R.passed_bytes > 0,
		       changes[i].reason == UR_REASON_NONE);
		row_text(changes[i].row, "reason",
			 ur_reason_name(R.guard.forbidden.reason),
			 ur_reason_name(changes[i].reason));
		row_is(changes[i].row, "answer",
		       memcmp(R.stall, STALL_OF_5, sizeof(STALL_OF_5)) == 0,
		       changes[i].reason != UR_REASON_NONE);
		free(table);
	}
}

/* The kind of interface 0 is DFU: a download is a change, reading is not. */
static void test_firmware(void **unused)
{
	u8 configuration[18] = { 9, 2, 18, 0, 1, 1, 0, 0x80, 50,
				 9, 4, 0, 0, 0, 0xfe, 1, 1, 0 };
	const struct test_device d = { "dfu", 0x46f4, 1, DISK_DEVICE,
				       configuration, 18 };
	const u8 download[8] = { 0x21, 1, 0, 0, 0, 0, 0, 0 };
	const u8 status[8] = { 0xa1, 3, 0, 0, 0, 0, 6, 0 }, six[6] = { 0 };
	size_t bytes;
	u8 *table = compile("allow label \"deny=dfu\"", &bytes);

	(void)unused;
	assert_int_equal(route_open(&R, table, bytes, "c"), 0);
	assert_int_equal(route_enumerate(&R, &d), 0);
	assert_int_equal(route_control(&R, 5, status, six, 6), 0);
	put_submit(&M, 6, UR_DIR_OUT, 0, 0, 0, download);
	assert_int_equal(route_send(&R, UR_TO_DEVICE, M.at, M.bytes, 48), 0);
	assert_int_equal(R.passed_bytes, 0);
	assert_int_equal(R.guard.stalled, 1);
	assert_int_equal(route_control(&R, 6, status, six, 6), 0);
	free(table);
}

/*
 * Where a class's write can reach firmware. Configuration 1 has interface 0 (vendor's,
 * endpoints 81 and 02) and interface 1: DFU in setting 1, in setting 0 a vendor's
 * with endpoint 83. Configuration 2 has interface 0 as DFU.
 */
#define DFU_1 9, 4, 1, 1, 0, 0xfe, 1, 1, 0
#define DFU_0 9, 4, 0, 0, 0, 0xfe, 1, 1, 0
#define VENDOR_0 9, 4, 0, 0, 2, 255, 1, 1, 0, 7, 5, 0x81, 2, 64, 0, 0, \
		 7, 5, 0x02, 2, 64, 0, 0
#define VENDOR_1 9, 4, 1, 0, 1, 255, 9, 9, 0, 7, 5, 0x83, 3, 8, 0, 1

static const u8 CONFIGURATION_1[] = { 9, 2, 57, 0, 2, 1, 0, 0x80, 50, VENDOR_0,
				      VENDOR_1, DFU_1 };
static const u8 CONFIGURATION_2[] = { 9, 2, 18, 0, 1, 2, 0, 0x80, 50, DFU_0 };

/* How many configurations the device has, and a write to it without data. */
static const struct {
	int row;
	u32 configurations;
	u8 setup[8];
	bool is_stalled;
} writes[] = {
	{ 1, 1, { 0x21, 1, 0, 0, 0, 0, 0, 0 }, false },
	/* A setting that is not selected, yet: the device may be in it by then. */
	{ 2, 1, { 0x21, 1, 0, 0, 1, 0, 0, 0 }, true },
	{ 3, 2, { 0x21, 1, 0, 0, 0, 0, 0, 0 }, true },
	{ 4, 2, { 0x21, 1, 0, 0, 1, 0, 0, 0 }, true },
	/* To nobody in particular: the device's firmware may not look. */
	{ 5, 1, { 0x20, 1, 0, 0, 0, 0, 0, 0 }, true },
	{ 6, 1, { 0x20, 0, 0, 0, 7, 0, 0, 0 }, true },
	{ 7, 1, { 0x23, 1, 0, 0, 0, 0, 0, 0 }, true },
	/* To an endpoint: as to its interface; endpoint 0 is nobody's. */
	{ 8, 1, { 0x22, 1, 0, 0, 0x81, 0, 0, 0 }, false },
	{ 9, 1, { 0x22, 1, 0, 0, 0x02, 0, 0, 0 }, false },
	{ 10, 1, { 0x22, 1, 0, 0, 0x83, 0, 0, 0 }, true },
	{ 11, 1, { 0x22, 1, 0, 0, 0x80, 0, 0, 0 }, true },
	{ 12, 1, { 0x22, 1, 0, 0, 0x00, 0, 0, 0 }, true },
	/* Reading, and what is no class's, is not firmware. */
	{ 13, 1, { 0xa1, 3, 0, 0, 1, 0, 6, 0 }, false },
	{ 14, 1, { 0xa0, 3, 0, 0, 0, 0, 6, 0 }, false },
	{ 15, 1, { 0x40, 1, 0, 0, 0, 0, 0, 0 }, false },
	{ 16, 1, { 0x00, 3, 1, 0, 0, 0, 0, 0 }, false },
	/* Nor is it reading without data: DETACH, and a DNLOAD that ends one. */
	{ 17, 1, { 0xa1, 0, 0, 0, 1, 0, 0, 0 }, true },
	{ 18, 1, { 0xa1, 1, 0, 0, 1, 0, 0, 0 }, true },
};

/* Import, descriptors, configuration 1. */
static void enumerate_dfu(u32 configurations)
{
	const struct test_device d = { "dfu", 0x46f4, 1, DISK_DEVICE,
				       CONFIGURATION_1, sizeof(CONFIGURATION_1) };
	u8 get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 }, device[18];
	const u8 select[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };

	memcpy(device, DISK_DEVICE, 18);
	device[17] = (u8)configurations;
	put_import(&M, "1-1");
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
	put_imported(&M, &d, "1-1");
	M.at[M.bytes - 2] = (u8)configurations;
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
	assert_int_equal(route_control(&R, 1, get, device, 18), 0);
	get[3] = 2;
	get[6] = 255;
	assert_int_equal(route_control(&R, 2, get, CONFIGURATION_1,
				       sizeof(CONFIGURATION_1)), 0);
	get[2] = 1;
	if (configurations == 2)
		assert_int_equal(route_control(&R, 3, get, CONFIGURATION_2,
					       sizeof(CONFIGURATION_2)), 0);
	assert_int_equal(route_control(&R, 4, select, NULL, 0), 0);
}

static void test_writes(void **unused)
{
	size_t i, bytes;
	u8 *table = compile("allow label \"deny=dfu\"", &bytes);

	(void)unused;
	for (i = 0; i < ROWS(writes); i++) {
		assert_int_equal(route_open(&R, table, bytes, "c"), 0);
		enumerate_dfu(writes[i].configurations);
		put_submit(&M, 9, writes[i].setup[0] >> 7, 0, writes[i].setup[6],
			   0, writes[i].setup);
		row_is(writes[i].row, "severed",
		       route_send(&R, UR_TO_DEVICE, M.at, M.bytes, 48), 0);
		row_is(writes[i].row, "passed", R.passed_bytes,
		       writes[i].is_stalled ? 0 : 48);
		row_is(writes[i].row, "stalled", R.guard.stalled,
		       writes[i].is_stalled);
	}
	free(table);
}

/*
 * A device list names some interfaces of a device: 08:06:50 and 03:01:01 here. What
 * they prove decides; what more of them could change does not.
 */
static const struct {
	int row;
	const char *rules;
	bool is_shown;
} lists[] = {
	{ 1, "allow with-interface all-of { 08:*:* 03:*:* }", true },
	{ 2, "allow with-interface all-of { 08:*:* 01:*:* }", true },
	{ 3, "block with-interface all-of { 08:*:* 03:*:* }\nallow", false },
	{ 4, "block with-interface all-of { 08:*:* 01:*:* }\nallow", true },
	{ 5, "block with-interface one-of { 03:*:* 01:*:* }\nallow", false },
	{ 6, "block with-interface one-of { 01:*:* }\nallow", true },
	{ 7, "allow with-interface none-of { 03:*:* }", false },
	{ 8, "allow with-interface none-of { 01:*:* }", true },
	{ 9, "block with-interface none-of { 01:*:* }\nallow", true },
	{ 10, "allow with-interface match-all { 08:*:* }", false },
	{ 11, "allow with-interface match-all { 08:*:* 03:*:* 01:*:* }", true },
	{ 12, "allow with-interface equals { 08:*:* 03:*:* 01:*:* }", true },
	{ 13, "allow with-interface equals { 08:*:* 01:*:* }", false },
	{ 14, "allow with-interface 08:*:*", false },
	{ 15, "allow with-interface equals-ordered { 08:*:* 03:*:* }", true },
	{ 16, "block with-interface equals { 08:*:* 03:*:* }\nallow", true },
	{ 17, "allow with-interface one-of { 01:*:* } name \"x\"", true },
};

static void test_lists(void **unused)
{
	const struct ur_interface_type types[] = { { 8, 6, 0x50 }, { 3, 1, 1 } };
	const struct ur_op_device device = { .vendor = 0x46f4, .product = 1 };
	const struct ur_op_busid port = { "usb1:1-1" };
	struct ur_policy policy;
	struct ur_refusal why;
	size_t i, bytes;

	(void)unused;
	for (i = 0; i < ROWS(lists); i++) {
		u8 *table = compile(lists[i].rules, &bytes);

		assert_int_equal(ur_policy_load(&policy, table, bytes, &why), 0);
		row_is(lists[i].row, "shown",
		       ur_guard_decide(&policy, "c", &device, &port, types, 2)
				       .target == UR_POLICY_ALLOW,
		       lists[i].is_shown);
		free(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damages),
		cmocka_unit_test(test_meetings),
		cmocka_unit_test(test_protocol_only),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_lists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
