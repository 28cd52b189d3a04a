// SPDX-License-Identifier: BSD-2-Clause
/* What a router makes of lists, imports and routes: the drawing is in router_bed.h. */
#include "router_bed.h"

/* A refusal of that reason is recorded now, and is the `total`th of its kind. */
static void was_refused(enum ur_reason reason, const char *device, u64 total)
{
	struct ur_audit_record r = last_record();

	assert_string_equal(ur_audit_name(r.event), "refused");
	assert_string_equal(ur_reason_name(r.verdict.reason),
			    ur_reason_name(reason));
	assert_string_equal(r.client, "client1");
	assert_string_equal(r.port.text, device);
	assert_int_equal(r.total, total);
	assert_int_equal(router.audit.refused[reason], total);
}

/* ---- lists --------------------------------------------------------------------- */

static void test_list(void **state)
{
	(void)state;
	ask_list(CLIENT1, 0);
	give_list(USB1, 0, "1-1", "1-2");
	give_list(USB2, 0, "2-1", NULL);
	was_listed(CLIENT1, 0, (const char *[]){ "usb1:1-1", "usb2:2-1", NULL });
	assert_int_equal(last_record().event, UR_AUDIT_HIDDEN);
	ask_list(CLIENT2, 0);
	give_list(USB1, 0, "1-1", NULL);
	give_list(USB2, 0, "2-1", NULL);
	was_listed(CLIENT2, 0, (const char *[]){ "usb2:2-1", NULL });
	assert_int_equal(last_record().decision.line, 3);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), CALLS);
}

/*
 * Down, refusing, silent, lying, ending early, lying about a length: left out, the
 * other one listed. Lies are on record.
 */
static void test_list_without(void **state)
{
	const char *only[] = { "usb2:2-1", NULL };
	int way;

	(void)state;
	for (way = 0; way < 6; way++) {
		if (way == 0)
			ur_link_stop(end_of(USB1));
		ask_list(CLIENT1, 0);
		if (way == 0)
			pair_start(&P4[USB1], UR_END_A);
		else if (way == 1)
			ur_channel_refuse(end_of(USB1), 1);
		else
			take(USB1, 0);
		M.bytes = 0;
		put32(&M, way == 3 ? 0x01110003 : 0x01110005);
		put32(&M, 0);
		put32(&M, way == 4 ? 2 : 1000);
		if (way >= 3)
			say(USB1, 0);
		if (way == 3)
			was_refused(UR_REASON_ORDER, "usb1", 1);
		if (way == 4)
			hang_up(USB1, 0);
		if (way == 5)
			was_refused(UR_REASON_FRAMING, "usb1", 1);
		if (way == 2)
			tick(UR_ROUTER_PATIENCE / 2 + 1);
		give_list(USB2, 0, "2-1", NULL);
		was_listed(CLIENT1, 0, only);
		hang_up(USB2, 0);
		if (way > 1)
			hang_up(USB1, 0);
	}
}

/* Lists that are longer than a ring, than a list may be, and than the buffer. */
static void test_long_list(void **state)
{
	static const u32 rooms[] = { ROUTE_TRANSFER, 10000 };
	const u32 want[] = { UR_OP_DEVICES_MAX,
			     (UR_GATE_BYTES(10000, 0) - 12) / 316 };
	struct ur_router_config config = config_of();
	u32 way, i;

	(void)state;
	for (way = 0; way < 2; way++) {
		config.limits.transfer_bytes = rooms[way];
		config.limits.iso_packets = way ? 0 : ROUTE_PACKETS;
		assert_int_equal(ur_router_init(&router, &config), 0);
		ask_list(CLIENT1, 0);
		for (i = USB1; i <= USB2; i++) {
			give_many((int)i, 0, 100);
			hang_up((int)i, 0);
		}
		hear_all(100);
		assert_int_equal(heard32(CLIENT1, 0, 8), want[way]);
		assert_int_equal(talks[CLIENT1][0].bytes, 12 + 316 * want[way]);
		assert_int_equal(talks[CLIENT1][0].over, 0);
		hang_up(CLIENT1, 0);
	}
}

/* ---- imports -------------------------------------------------------------------- */

static void import(int vm, int k, int device, int l)
{
	ask_import(vm, k, device == USB1 ? "usb1:1-1" : "usb2:2-1");
	give(device, l, device == USB1 ? "1-1" : "2-1");
	was_given(vm, k, device == USB1 ? "usb1:1-1" : "usb2:2-1");
	assert_int_equal(last_record().event, UR_AUDIT_IMPORTED);
}

static void test_import(void **state)
{
	const u8 get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const struct talk *t = &talks[USB1][0];

	(void)state;
	ask_import(CLIENT1, 0, "usb1:1-1");
	assert_false(is_called(USB2));
	take(USB1, 0);
	assert_int_equal(t->bytes, 40);
	assert_string_equal((char *)t->heard + 8, "1-1");
	put_imported(&M, &TEST_DEVICES[0], "1-1");
	say(USB1, 0);
	was_given(CLIENT1, 0, "usb1:1-1");
	put_submit(&M, 1, UR_DIR_IN, 0, 18, 0, get);
	say(CLIENT1, 0);
	assert_int_equal(t->bytes, 40 + 48);
	put_ret(&M, 1, 0, 18, 0, 0);
	memcpy(M.at + M.bytes, DISK_DEVICE, 18);
	M.bytes += 18;
	say(USB1, 0);
	assert_int_equal(talks[CLIENT1][0].bytes, 320 + 48 + 18);
	hang_up(CLIENT1, 0);
	hang_up(USB1, 0);
	assert_int_equal(last_record().event, UR_AUDIT_ENDED);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), CALLS);
}

/* Without a VM's name every VM is asked, and the answer says what was asked. */
static void test_unnamed(void **state)
{
	(void)state;
	ask_import(CLIENT1, 0, "2-1");
	decline(USB1, 0, UR_OP_NODEV);
	assert_int_equal(talks[CLIENT1][0].bytes, 0);
	give(USB2, 0, "2-1");
	was_given(CLIENT1, 0, "2-1");
	assert_string_equal(last_record().port.text, "usb2:2-1");
	ask_import(CLIENT1, 1, "serial:42");
	decline(USB1, 1, UR_OP_NODEV);
	give(USB2, 1, "2-7");
	was_given(CLIENT1, 1, "usb2:2-7");
}

static void test_nobody_has_it(void **state)
{
	(void)state;
	ask_import(CLIENT1, 0, "nosuch:1-1");
	decline(USB1, 0, UR_OP_NODEV);
	assert_true(is_let_go(USB1, 0));
	decline(USB2, 0, UR_OP_DEV_ERR);
	assert_true(is_let_go(USB2, 0));
	was_told(CLIENT1, 0, UR_OP_DEV_ERR);
	ask_import(CLIENT1, 0, "usb1:1-9");
	decline(USB1, 0, UR_OP_NODEV);
	was_told(CLIENT1, 0, UR_OP_NODEV);
	assert_false(is_called(USB2));
}

/* Refused, silent before and after the call, gone: the client is told. */
static void test_device_vm_fails(void **state)
{
	int way;

	(void)state;
	for (way = 0; way < 4; way++) {
		if (way == 3)
			ur_link_stop(end_of(USB1));
		ask_import(CLIENT1, 0, "usb1:1-1");
		if (way == 0)
			ur_channel_refuse(end_of(USB1), 1);
		if (way == 1)
			take(USB1, 0);
		assert_int_equal(talks[CLIENT1][0].bytes, way == 3 ? 8 : 0);
		tick(UR_ROUTER_PATIENCE + 1);
		was_told(CLIENT1, 0, UR_OP_NA);
		assert_false(is_called(USB1));
		assert_true(way != 1 || is_let_go(USB1, 0));
	}
}

static void test_policy(void **state)
{
	(void)state;
	ask_import(CLIENT2, 0, "usb1:1-1");
	give(USB1, 0, "1-1");
	was_told(CLIENT2, 0, UR_OP_NODEV);
	assert_int_equal(talks[USB1][0].over, UR_PEER_RESET);
	{
		struct ur_audit_record r = last_record();

		assert_int_equal(r.event, UR_AUDIT_DENIED);
		assert_int_equal(r.verdict.reason, UR_REASON_POLICY_DEVICE);
		assert_int_equal(r.decision.line, 3);
		assert_int_equal(r.status, UR_OP_NODEV);
	}
}

/* An answer for another device than the one asked for. */
static void test_wrong_device(void **state)
{
	(void)state;
	ask_import(CLIENT1, 0, "usb1:1-1");
	give(USB1, 0, "1-2");
	was_told(CLIENT1, 0, UR_OP_DEV_ERR);
	assert_int_equal(last_record().verdict.reason, UR_REASON_IMPORT);
}

static void test_held(void **state)
{
	(void)state;
	import(CLIENT1, 0, USB2, 0);
	ask_import(CLIENT2, 0, "usb2:2-1");
	give(USB2, 1, "2-1");
	was_told(CLIENT2, 0, UR_OP_DEV_BUSY);
	assert_int_equal(last_record().verdict.reason, UR_REASON_HELD);
	assert_true(is_let_go(USB2, 1));
	assert_int_equal(talks[CLIENT1][0].over, 1);
	hang_up(CLIENT1, 0);
	hang_up(USB2, 0);
	import(CLIENT2, 1, USB2, 0);
}

/* Two are asked for at once; the first answer has it. */
static void test_held_race(void **state)
{
	(void)state;
	ask_import(CLIENT1, 0, "usb2:2-1");
	ask_import(CLIENT2, 0, "serial:7");
	take(USB2, 0);
	decline(USB1, 0, UR_OP_NODEV);
	take(USB2, 1);
	put_imported(&M, &TEST_DEVICES[0], "2-1");
	say(USB2, 1);
	was_given(CLIENT2, 0, "usb2:2-1");
	put_imported(&M, &TEST_DEVICES[0], "2-1");
	say(USB2, 0);
	was_told(CLIENT1, 0, UR_OP_DEV_BUSY);
}

/* ---- routes ----------------------------------------------------------------------- */

static void test_refused(void **state)
{
	(void)state;
	import(CLIENT1, 0, USB1, 0);
	import(CLIENT2, 0, USB2, 0);
	put_ret(&M, 77, 0, 0, 0, 0);
	say(USB1, 0);
	assert_int_equal(talks[CLIENT1][0].over, UR_PEER_RESET);
	assert_int_equal(talks[CLIENT1][0].bytes, 320);
	assert_int_equal(last_record().verdict.reason, UR_REASON_SEQNUM_UNKNOWN);
	assert_int_equal(talks[CLIENT2][0].over, 1);
	assert_int_equal(ur_router_calls(&router, UR_CALL_ROUTED), 1);
}

/* The next record, which is of that event. */
static struct ur_audit_record next_record(enum ur_audit_event event)
{
	struct ur_audit_record record = { .event = UR_AUDIT_EVENTS };

	(void)!ur_audit_take(&router.audit, &record);
	assert_string_equal(ur_audit_name(record.event), ur_audit_name(event));
	return record;
}

static void submit(u32 seqnum, const u8 setup[8])
{
	put_submit(&M, seqnum, setup[0] >> 7, 0, setup[6], 0, setup);
	say(CLIENT1, 0);
}

static void answer(u32 seqnum, const u8 *data, u32 bytes)
{
	put_ret(&M, seqnum, 0, bytes, 0, 0);
	if (bytes > 0)
		memcpy(M.at + M.bytes, data, bytes);
	M.bytes += bytes;
	say(USB1, 0);
}

/* Import of usb1's disk, and what is read of it before it is configured. */
static void import_and_read(void)
{
	const u8 device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const u8 all[8] = { 0x80, 6, 0, 2, 0, 0, 32, 0 };

	import(CLIENT1, 0, USB1, 0);
	submit(1, device);
	answer(1, DISK_DEVICE, 18);
	submit(2, all);
	answer(2, DISK_CONFIGURATION, 32);
}

/* Approved and refused in one turn: both are told, in this order. */
static void test_approved_and_refused(void **state)
{
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
	struct message both;

	(void)state;
	import_and_read();
	put_submit(&M, 3, 0, 0, 0, 0, set);
	both = M;
	put_submit(&M, 4, UR_DIR_IN, 9, 8, 0, NULL);
	memcpy(both.at + both.bytes, M.at, M.bytes);
	both.bytes += M.bytes;
	M = both;
	say(CLIENT1, 0);
	assert_int_equal(next_record(UR_AUDIT_APPROVED).verdict.reason,
			 UR_REASON_NONE);
	assert_int_equal(next_record(UR_AUDIT_REFUSED).verdict.reason,
			 UR_REASON_ENDPOINT);
	assert_int_equal(router.audit.refused[UR_REASON_ENDPOINT], 1);
}

/* Changes that are forbidden are counted one by one, and so are refusals. */
static void test_counters(void **state)
{
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
	const u8 set_interface[8] = { 1, 11, 0, 0, 0, 0, 0, 0 };
	u64 i;

	(void)state;
	import_and_read();
	submit(3, set);
	answer(3, NULL, 0);
	assert_int_equal(next_record(UR_AUDIT_APPROVED).total, 0);
	calls[0].route.guard.decision.denied_changes = UR_CHANGE_INTERFACE;
	for (i = 1; i <= 3; i++) {
		submit(3 + (u32)i, set_interface);
		assert_int_equal(next_record(UR_AUDIT_STALLED).total, i);
	}
	assert_int_equal(router.audit.refused[UR_REASON_POLICY_CHANGE], 3);
	put_ret(&M, 77, 0, 0, 0, 0);
	for (i = 1; i <= 2; i++) {
		say(USB1, 0);
		was_refused(UR_REASON_SEQNUM_UNKNOWN, "usb1:1-1", i);
		hang_up(CLIENT1, 0);
		hang_up(USB1, 0);
		import(CLIENT1, 0, USB1, 0);
		put_ret(&M, 77, 0, 0, 0, 0);
	}
}

/* A VM dies and comes back: its routes end, and the device can be had again. */
static void test_reborn(void **state)
{
	int vm;

	(void)state;
	for (vm = CLIENT1; vm <= USB1; vm += USB1 - CLIENT1) {
		import(CLIENT1, 0, USB1, 0);
		pair_reborn(&P4[vm], vm == CLIENT1 ? UR_END_B : UR_END_A);
		hear_all(5);
		assert_int_equal(last_record().event, UR_AUDIT_CUT);
		assert_int_equal(talks[vm == CLIENT1 ? USB1 : CLIENT1][0].over,
				 UR_PEER_RESET);
	}
	import(CLIENT1, 0, USB1, 0);
	/* What was there before is no part of what comes after. */
	hang_up(CLIENT1, 0);
	hang_up(USB1, 0);
	ur_link_stop(end_of(USB1));
	ask_import(CLIENT1, 0, "usb1:1-1");
	was_told(CLIENT1, 0, UR_OP_NA);
	assert_false(last_record().has_device);
}

/* A device VM that keeps its end of a route that is over keeps nobody's call. */
static void test_hangs_up(void **state)
{
	(void)state;
	import(CLIENT1, 0, USB2, 0);
	hang_up(CLIENT1, 0);
	assert_int_equal(last_record().event, UR_AUDIT_ENDED);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), CALLS);
	import(CLIENT2, 0, USB2, 1);
	hang_up(USB2, 1);
	assert_int_equal(last_record().event, UR_AUDIT_ENDED);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), CALLS);
}

/* ---- shares, services, silence ------------------------------------------------------ */

static void test_share(void **state)
{
	(void)state;
	call(CLIENT1, 0);
	call(CLIENT1, 1);
	assert_int_equal(ur_router_calls(&router, UR_CALL_ASKING), 2);
	assert_int_equal(ur_channel_call(end_of(CLIENT1), UR_SERVICE_USBIP,
					 &talks[CLIENT1][2].ticket),
			 UR_TRY_BUSY);
	import(CLIENT2, 0, USB2, 0);
	tick(UR_ROUTER_PATIENCE + 1);
	hear_all(2);
	assert_int_equal(talks[CLIENT1][0].over, UR_PEER_RESET);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), 3);
}

static void test_services(void **state)
{
	struct ur_ticket t;

	(void)state;
	assert_int_equal(router.audit.refused[UR_REASON_SERVICE], 0);
	assert_int_equal(ur_channel_call(end_of(CLIENT1), 3241, &t), 0);
	spin(3);
	assert_int_equal(ur_channel_answered(end_of(CLIENT1), t),
			 UR_PEER_REFUSED);
	assert_int_equal(ur_channel_call(end_of(USB1), UR_SERVICE_USBIP, &t), 0);
	spin(3);
	assert_int_equal(ur_channel_answered(end_of(USB1), t), UR_PEER_REFUSED);
	assert_int_equal(router.audit.refused[UR_REASON_SERVICE], 2);
}

/* One call each: the client's second one is refused, and counted. */
static void test_share_is_counted(void **state)
{
	struct ur_router_config config = config_of();
	struct ur_ticket t;

	(void)state;
	config.call_count = 2;
	assert_int_equal(ur_router_init(&router, &config), 0);
	call(CLIENT1, 0);
	assert_int_equal(ur_channel_call(end_of(CLIENT1), UR_SERVICE_USBIP, &t),
			 0);
	spin(3);
	assert_int_equal(ur_channel_answered(end_of(CLIENT1), t),
			 UR_PEER_REFUSED);
	assert_int_equal(router.audit.refused[UR_REASON_SHARE], 1);
	assert_int_equal(router.audit.written, 0);
}

/* What is no busid is not in the record either. */
static void test_nonsense(void **state)
{
	(void)state;
	call(CLIENT1, 0);
	M.bytes = 0;
	put32(&M, 0xdeadbeef);
	put32(&M, 0);
	say(CLIENT1, 0);
	assert_int_equal(talks[CLIENT1][0].over, UR_PEER_RESET);
	was_refused(UR_REASON_FRAMING, "", 1);
	ask_import(CLIENT1, 0, "usb1:\"\n");
	assert_int_equal(talks[CLIENT1][0].over, UR_PEER_RESET);
	was_refused(UR_REASON_FRAMING, "", 2);
	hang_up(CLIENT1, 0);
	ask_import(CLIENT1, 0, "usb1:");
	was_told(CLIENT1, 0, UR_OP_NODEV);
	assert_int_equal(last_record().total, 3);
	assert_int_equal(ur_router_calls(&router, UR_CALL_FREE), CALLS);
}

/* ---- configuration and audit ---------------------------------------------------------- */

static void test_configuration(void **state)
{
	static const struct {
		const char *name[VMS];
		u32 calls;
		int want;
	} rows[] = {
		{ { "a", "b", "c", "d" }, CALLS, 0 },
		{ { "a", "a", "c", "d" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "c", "c" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "c", "serial" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "", "d" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "c:", "d" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "sixteen-bytes-is", "d" }, CALLS, UR_BUG_INVALID },
		{ { "a", "b", "c", "d" }, 1, UR_BUG_INVALID },
		{ { "a", "b", "c", "d" }, CALLS + 1, UR_BUG_INVALID },
	};
	struct ur_router_config config = config_of();
	u32 i, k;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		for (k = 0; k < VMS; k++)
			sites[k].name = rows[i].name[k];
		config.call_count = rows[i].calls;
		if (ur_router_init(&router, &config) != rows[i].want)
			row_fails("row %u", i);
	}
}

static void test_audit_is_bounded(void **state)
{
	struct ur_audit_record r = { .event = UR_AUDIT_ENDED };
	u32 i;

	(void)state;
	for (i = 0; i < UR_AUDIT_RECORDS + 5; i++)
		ur_audit_write(&router.audit, &r);
	assert_int_equal(router.audit.lost, 5);
	for (i = 0; ur_audit_take(&router.audit, &r); i++)
		assert_int_equal(r.number, i + 1);
	assert_int_equal(i, UR_AUDIT_RECORDS);
	ur_audit_write(&router.audit, &r);
	assert_true(ur_audit_take(&router.audit, &r));
	assert_int_equal(r.number, UR_AUDIT_RECORDS + 6);
}

static void test_line(void **state)
{
	struct ur_audit_record r = {
		.number = 7,
		.event = UR_AUDIT_DENIED,
		.client = "client2",
		.port = { "usb1:1-1" },
		.has_device = true,
		.vendor = 0x46f4,
		.product = 1,
		.decision = { UR_POLICY_BLOCK, 2, 3, 0 },
		.status = UR_OP_NODEV,
	};
	char line[UR_AUDIT_LINE_BYTES];
	u32 bytes;

	(void)state;
	(void)ur_deny(&r.verdict, UR_REASON_POLICY_DEVICE, "target of the rule",
		      "exactly", 2, 1);
	bytes = ur_audit_line(&r, line);
	assert_int_equal(bytes, strlen(line));
	assert_string_equal(line,
		"{\"number\":7,\"event\":\"denied\",\"client\":\"client2\","
		"\"device\":\"usb1:1-1\",\"id\":\"46f4:0001\",\"target\":\"block\","
		"\"line\":3,\"told\":\"no such device is exported\","
		"\"reason\":\"policy-device\",\"field\":\"target of the rule\","
		"\"got\":2,\"want\":\"exactly\",\"limit\":1}");
	memset(r.client, 'c', sizeof(r.client) - 1);
	memset(r.port.text, 'b', sizeof(r.port.text) - 1);
	r.number = r.passed[0] = r.passed[1] = ~0ull;
	r.verdict.why.got = r.verdict.why.want = ~0u;
	r.event = UR_AUDIT_REFUSED;
	assert_true(ur_audit_line(&r, line) < UR_AUDIT_LINE_BYTES - 200);
}

#define router_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		router_test(test_list),
		router_test(test_list_without),
		router_test(test_long_list),
		router_test(test_import),
		router_test(test_unnamed),
		router_test(test_nobody_has_it),
		router_test(test_device_vm_fails),
		router_test(test_policy),
		router_test(test_wrong_device),
		router_test(test_held),
		router_test(test_held_race),
		router_test(test_refused),
		router_test(test_approved_and_refused),
		router_test(test_counters),
		router_test(test_reborn),
		router_test(test_hangs_up),
		router_test(test_share),
		router_test(test_share_is_counted),
		router_test(test_services),
		router_test(test_nonsense),
		router_test(test_configuration),
		router_test(test_audit_is_bounded),
		router_test(test_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
