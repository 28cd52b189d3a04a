// SPDX-License-Identifier: BSD-2-Clause
/*
 * guard/approve and the import in guard/guard: who a device says it is, three times:
 * in the import, in its descriptors, and in what policy is asked.
 */
#include "compile.h"
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

/* A device whose driver takes an endpoint for granted: guard/known.c. */
static void test_known(void **unused)
{
	static const u8 configuration[18] = { 9, 2, 18, 0, 1, 1, 0, 0x80, 50,
					      9, 4, 0, 0, 0, 255, 0, 0, 0 };
	static const u8 device[18] = { 18, 1, 0, 2, 0, 0, 0, 64, 0x7d, 0x07,
				       0x10, 0x04, 0, 1, 0, 0, 0, 1 };
	const struct test_device powermate = { "powermate", 0x077d, 0x0410,
					       device, configuration, 18 };

	(void)unused;
	(void)route_enumerate(&R, &powermate);
	reason_is(1, UR_REASON_KNOWN_DEVICE);
}

/* ---- strings ------------------------------------------------------------------ */

/*
 * What the client reads before it selects the configuration of the disk, whose name
 * is string 2 and whose serial number is string 3. A word each:
 *
 *     s3:1033  string 3 in language 0x1033: whole, 255 bytes asked
 *     p..      its first two bytes      n..  a stall, two bytes asked
 *     e..      nothing, two asked       N..  a stall, 255 asked
 *     x..      another error, two asked u..  two asked, and unlinked
 *
 * Languages are 0x1033 and 0x0409, in this order; "X" is the name, "Y" the number in
 * the first one and "Z" in any other.
 */
#define BLOCK_X "block name \"X\"\nallow"
#define BLOCK_Y "block serial \"Y\"\nallow"
#define ALLOW_Y "allow serial \"Y\""
#define OTHERS "allow id 46f4:0001 via-port \"1-1\" with-interface 08:*:*"

static const struct {
	int row;
	const char *rules, *reads;
	enum ur_reason reason;
} strings[] = {
	{ 1, OTHERS, "", UR_REASON_NONE },
	{ 2, BLOCK_Y, "s0:0 s3:1033", UR_REASON_POLICY_DEVICE },
	{ 3, BLOCK_X, "s0:0 s2:1033", UR_REASON_POLICY_DEVICE },
	{ 4, ALLOW_Y, "s0:0 s3:1033", UR_REASON_NONE },
	{ 5, BLOCK_Y, "", UR_REASON_UNREAD },
	{ 6, BLOCK_X, "", UR_REASON_UNREAD },
	{ 7, BLOCK_Y, "s0:0", UR_REASON_UNREAD },
	{ 8, BLOCK_Y, "s0:0 s2:1033", UR_REASON_UNREAD },
	{ 9, BLOCK_X, "s0:0 s3:1033", UR_REASON_UNREAD },
	{ 10, BLOCK_Y, "s0:0 p3:1033", UR_REASON_UNREAD },
	{ 11, BLOCK_Y, "s3:1033", UR_REASON_UNREAD },
	{ 12, BLOCK_Y, "p0:0 s3:1033", UR_REASON_UNREAD },
	/* In another language it may be called anything. */
	{ 13, BLOCK_Y, "s0:0 s3:0409", UR_REASON_UNREAD },
	{ 14, BLOCK_Y, "s0:0 s3:0409 s3:1033", UR_REASON_POLICY_DEVICE },
	/* There is none: the device says so, and was asked as it should be. */
	{ 15, BLOCK_Y, "s0:0 n3:1033", UR_REASON_NONE },
	{ 16, BLOCK_Y, "s0:0 e3:1033", UR_REASON_NONE },
	{ 17, BLOCK_Y, "n0:0", UR_REASON_NONE },
	{ 18, ALLOW_Y, "n0:0", UR_REASON_POLICY_DEVICE },
	{ 19, BLOCK_Y, "s0:0 n3:0409", UR_REASON_UNREAD },
	{ 20, BLOCK_Y, "n3:1033 s0:0", UR_REASON_UNREAD },
	{ 21, BLOCK_Y, "n0:1033", UR_REASON_UNREAD },
	{ 22, BLOCK_Y, "s0:0 N3:1033", UR_REASON_UNREAD },
	{ 23, BLOCK_Y, "s0:0 x3:1033", UR_REASON_UNREAD },
	{ 24, BLOCK_Y, "s0:0 u3:1033", UR_REASON_UNREAD },
	{ 25, BLOCK_Y, "s0:0 n11:1033", UR_REASON_UNREAD },
	/* As Linux asks again, and in the end it is there. */
	{ 26, BLOCK_Y, "N0:0 s0:0 N3:1033 n3:1033 p3:1033 s3:1033",
	  UR_REASON_POLICY_DEVICE },
	/* What is not read is allowed no more for it, and told as what it is. */
	{ 27, ALLOW_Y, "", UR_REASON_POLICY_DEVICE },
	{ 28, BLOCK_X "\n" ALLOW_Y, "s0:0 n2:1033", UR_REASON_UNREAD },
	{ 29, BLOCK_X "\n" ALLOW_Y, "s0:0 s3:1033", UR_REASON_UNREAD },
	{ 30, "allow serial \"\"", "", UR_REASON_UNREAD },
	{ 31, "allow serial \"\"", "s0:0 n3:1033", UR_REASON_NONE },
};

static void read_word(const char *word, u32 seqnum)
{
	const u8 languages[6] = { 6, 3, 0x33, 0x10, 0x09, 0x04 };
	u8 text[6] = { 4, 3, 'Z', 0 }, get[8] = { 0x80, 6, 0, 3, 0, 0, 2, 0 };
	u32 number, language, bytes = 0;
	u32 status = strchr("nN", word[0]) ? (u32)-32 : 0;

	assert_int_equal(sscanf(word + 1, "%u:%x", &number, &language), 2);
	get[2] = (u8)number;
	get[4] = (u8)language;
	get[5] = (u8)(language >> 8);
	get[6] = strchr("sN", word[0]) ? 255 : 2;
	if (language == 0x1033)
		text[2] = number == 2 ? 'X' : 'Y';
	if (number == 0)
		memcpy(text, languages, 6);
	if (strchr("sp", word[0]))
		bytes = word[0] == 's' ? text[0] : 2;
	put_submit(&M, seqnum, UR_DIR_IN, 0, get[6], 0, get);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
	put_ret(&M, seqnum, word[0] == 'x' ? (u32)-71 : status, bytes, 0, 0);
	memcpy(M.at + M.bytes, text, bytes);
	M.bytes += bytes;
	if (word[0] == 'u') {
		put_unlink(&M, seqnum + 1000, seqnum);
		assert_int_equal(route_passes(&R, UR_TO_DEVICE), 0);
		put_unlinked(&M, seqnum + 1000, (u32)-104);
	}
	assert_int_equal(route_passes(&R, UR_TO_CLIENT), 0);
}

static void test_strings(void **unused)
{
	static u8 table[UR_COMPILE_BYTES];
	struct ur_compile_error error;
	u8 get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(strings); i++) {
		int bytes = ur_compile(strings[i].rules, table, &error);
		char reads[64], *word, *save = NULL;
		u32 seqnum = 10;

		row_is(strings[i].row, "rules", bytes > 0, 1);
		assert_int_equal(route_open(&R, table, (size_t)bytes, "c"), 0);
		assert_int_equal(route_import(&R, &TEST_DEVICES[0]), 0);
		snprintf(reads, sizeof(reads), "%s", strings[i].reads);
		for (word = strtok_r(reads, " ", &save); word;
		     word = strtok_r(NULL, " ", &save))
			read_word(word, seqnum++);
		get[3] = 1;
		get[6] = 18;
		assert_int_equal(route_control(&R, 1, get, DISK_DEVICE, 18), 0);
		get[3] = 2;
		get[6] = 32;
		assert_int_equal(route_control(&R, 2, get, DISK_CONFIGURATION,
					       32), 0);
		(void)route_control(&R, 3, set, NULL, 0);
		reason_is(strings[i].row, strings[i].reason);
	}
}

#define approve_test(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		approve_test(test_names), approve_test(test_ports),
		approve_test(test_imports), approve_test(test_turns),
		approve_test(test_configurations), approve_test(test_unread),
		approve_test(test_known), approve_test(test_strings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("approve", tests, NULL, NULL);
}
