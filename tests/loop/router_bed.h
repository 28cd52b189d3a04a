/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two clients and two device VMs around one router, driven step by step:
 *
 *      client1 == link ==|        |== link == usb1
 *      client2 == link ==| router |== link == usb2
 *
 * The VMs' ends are the test's: it says what a VM would, or what one should not.
 */
#ifndef UR_TEST_ROUTER_BED_H
#define UR_TEST_ROUTER_BED_H

#include "../unit/pair.h"
#include "compile.h"
#include "route.h"
#include "router.h"

#undef A
#undef B

#define RING 4096u
#define CALLS 4u
#define HEARD (128u << 10)

enum { CLIENT1, CLIENT2, USB1, USB2, VMS };

/* What a VM's end says and hears on its newest channel. */
struct talk {
	struct ur_ticket ticket;
	u32 bytes;		/* heard */
	int over;		/* 0 or an error, once nothing more comes; 1: open */
	u8 heard[HEARD];
};

static struct pair P4[VMS];
static struct talk talks[VMS][4];	/* several channels of a VM */
static struct ur_policy policy;
static struct ur_call calls[CALLS];
static u8 buffers[UR_ROUTER_BUFFER_BYTES(CALLS, ROUTE_TRANSFER, ROUTE_PACKETS)];
static struct ur_router router;
static bool is_rung;
static struct ur_site sites[VMS];

static const char RULES[] =
	"allow id 46f4:0001 label \"to=client1\"\n"
	"allow via-port \"usb2:2-1\" label \"to=client2\"\n"
	"block id 46f4:0001\n";

/* A VM calls or is called by the router's end. */
static struct ur_link *end_of(int vm)
{
	return &P4[vm].l[vm <= CLIENT2 ? UR_END_B : UR_END_A];
}

/* As its owner does: until nothing moves and it may sleep. */
static void run_router(void)
{
	int turns = 0;

	ur_router_look(&router);
	while (ur_router_turn(&router) || !ur_router_arm(&router))
		assert_true(++turns < 10000);
}

/* The router sleeps unless somebody rang: what it does not ask for it misses. */
static void spin(int turns)
{
	int i;

	while (turns-- > 0) {
		for (i = 0; i < VMS; i++) {
			ur_link_look(end_of(i));
			if (ur_link_take_bell(end_of(i)))
				is_rung = true;
		}
		if (is_rung) {
			is_rung = false;
			run_router();
		}
	}
}

static void tick(u32 ticks)
{
	while (ticks-- > 0) {
		ur_router_tick(&router);
		is_rung = true;
		spin(2);
	}
}

static struct ur_router_config config_of(void)
{
	struct ur_router_config config = {
		.policy = &policy,
		.limits = { ROUTE_TRANSFER, ROUTE_PACKETS },
		.clients = sites,
		.client_count = 2,
		.devices = sites + USB1,
		.device_count = 2,
		.calls = calls,
		.call_count = CALLS,
		.buffers = buffers,
		.buffer_bytes = sizeof(buffers),
	};

	return config;
}

static int setup(void **state)
{
	static const char *const names[VMS] = { "client1", "client2", "usb1",
						"usb2" };
	static u8 table[UR_COMPILE_BYTES];
	struct ur_router_config config = config_of();
	struct ur_compile_error error;
	struct ur_refusal why;
	int i, n = ur_compile(RULES, table, &error);

	(void)state;
	assert_true(n > 0);
	assert_int_equal(ur_policy_load(&policy, table, (size_t)n, &why), 0);
	memset(talks, 0, sizeof(talks));
	for (i = 0; i < VMS; i++) {
		pair_open(&P4[i], 4, RING);
		pair_up(&P4[i]);
		sites[i].name = names[i];
		sites[i].link = &P4[i].l[i <= CLIENT2 ? UR_END_A : UR_END_B];
	}
	assert_int_equal(ur_router_init(&router, &config), 0);
	is_rung = true;
	return 0;
}

static int teardown(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < VMS; i++)
		pair_close(&P4[i]);
	return 0;
}

/* ---- a VM's words ------------------------------------------------------------ */

static void hear(int vm, int k)
{
	struct talk *t = &talks[vm][k];
	int n = 1;

	while (t->over == 1 && n > 0) {
		n = pair_recv(end_of(vm), t->ticket, t->heard + t->bytes,
			      HEARD - t->bytes);
		if (n > 0)
			t->bytes += (u32)n;
		else if (n != UR_TRY_AGAIN)
			t->over = n;
	}
}

static void hear_all(int turns)
{
	int i, vm, k;

	for (i = 0; i < turns; i++) {
		spin(2);
		for (vm = 0; vm < VMS; vm++)
			for (k = 0; k < 4; k++)
				hear(vm, k);
	}
}

static void call(int vm, int k)
{
	struct talk *t = &talks[vm][k];

	assert_int_equal(ur_channel_call(end_of(vm), UR_SERVICE_USBIP,
					 &t->ticket), 0);
	t->over = 1;
	t->bytes = 0;
	spin(3);
}

/* The router calls that device VM. */
static bool is_called(int vm)
{
	u32 service;

	ur_link_look(end_of(vm));
	return ur_channel_called(end_of(vm), 0, &service) >= 0;
}

static void take(int vm, int k)
{
	struct talk *t = &talks[vm][k];
	u32 service = 0;
	int c;

	spin(3);
	c = ur_channel_called(end_of(vm), 0, &service);
	assert_true(c >= 0);
	assert_int_equal(service, UR_SERVICE_USBIP);
	assert_int_equal(ur_channel_accept(end_of(vm), (u32)c, &t->ticket), 0);
	t->over = 1;
	t->bytes = 0;
	hear_all(5);
}

static void say(int vm, int k)
{
	u32 sent = 0;

	while (sent < M.bytes) {
		int n = pair_send(end_of(vm), talks[vm][k].ticket, M.at + sent,
				  M.bytes - sent);

		assert_true(n > 0 || n == UR_TRY_AGAIN);
		sent += n > 0 ? (u32)n : 0;
		hear_all(2);
	}
	hear_all(5);
}

static void hang_up(int vm, int k)
{
	ur_channel_close(end_of(vm), talks[vm][k].ticket, false);
	talks[vm][k].over = 0;
	hear_all(4);
}

static u32 heard32(int vm, int k, u32 at)
{
	const u8 *b = talks[vm][k].heard + at;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static void ask_list(int vm, int k)
{
	call(vm, k);
	M.bytes = 0;
	put32(&M, 0x01118005);
	put32(&M, 0);
	say(vm, k);
}

static void ask_import(int vm, int k, const char *busid)
{
	call(vm, k);
	put_import(&M, busid);
	say(vm, k);
}

static void put_device(const struct test_device *d, const char *busid)
{
	struct message whole = M;

	put_imported(&M, d, busid);
	memcpy(whole.at + whole.bytes, M.at + 8, M.bytes - 8);
	M.bytes = whole.bytes + M.bytes - 8;
	memcpy(M.at, whole.at, M.bytes);
	put32(&M, 0x08065000);
}

static void give_list(int vm, int k, const char *first, const char *second)
{
	take(vm, k);
	assert_int_equal(talks[vm][k].bytes, 8);
	assert_int_equal(heard32(vm, k, 0), 0x01118005);
	M.bytes = 0;
	put32(&M, 0x01110005);
	put32(&M, 0);
	put32(&M, second ? 2 : 1);
	put_device(&TEST_DEVICES[0], first);
	if (second)
		put_device(&TEST_DEVICES[1], second);
	say(vm, k);
}

static void give_many(int vm, int k, u32 count)
{
	u32 i;

	take(vm, k);
	M.bytes = 0;
	put32(&M, 0x01110005);
	put32(&M, 0);
	put32(&M, count);
	for (i = 0; i < count; i++)
		put_device(&TEST_DEVICES[0], "1-1");
	say(vm, k);
}

static void decline(int vm, int k, u32 status)
{
	take(vm, k);
	M.bytes = 0;
	put32(&M, 0x01110003);
	put32(&M, status);
	say(vm, k);
}

static void give(int vm, int k, const char *busid)
{
	take(vm, k);
	put_imported(&M, &TEST_DEVICES[0], busid);
	say(vm, k);
}

/* ---- what is expected --------------------------------------------------------- */

static struct ur_audit_record last_record(void)
{
	struct ur_audit_record record = { 0 };

	while (ur_audit_take(&router.audit, &record))
		;
	return record;
}

static void was_told(int vm, int k, u32 status)
{
	hear_all(5);
	assert_int_equal(talks[vm][k].bytes, 8);
	assert_int_equal(heard32(vm, k, 0), 0x01110003);
	assert_int_equal(heard32(vm, k, 4), status);
	assert_int_equal(talks[vm][k].over, 0);
	hang_up(vm, k);
}

/* The router has given up its channel to that device VM. */
static bool is_let_go(int vm, int k)
{
	hear_all(5);
	return talks[vm][k].over <= 0;
}

static void was_given(int vm, int k, const char *busid)
{
	hear_all(5);
	assert_int_equal(talks[vm][k].bytes, 8 + 312);
	assert_int_equal(heard32(vm, k, 4), 0);
	assert_string_equal((char *)talks[vm][k].heard + 8 + 256, busid);
}

static void was_listed(int vm, int k, const char *const *busids)
{
	u32 i;

	hear_all(20);
	assert_int_equal(talks[vm][k].over, 0);
	assert_int_equal(heard32(vm, k, 4), 0);
	for (i = 0; busids[i]; i++)
		assert_string_equal((char *)talks[vm][k].heard + 12 + i * 316 +
				    256, busids[i]);
	assert_int_equal(heard32(vm, k, 8), i);
	assert_int_equal(talks[vm][k].bytes, 12 + i * 316);
	hang_up(vm, k);
}

#endif
