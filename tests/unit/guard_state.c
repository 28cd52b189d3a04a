// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is selected, and that the end is the end: a configuration and an alternate
 * setting count from their answer, and not when the device may have done anything.
 */
#include "route.h"
#include "wire_test.h"

static struct route R;
static const struct test_device *const SOUND = &TEST_DEVICES[1];
static const u8 SET_CONFIGURATION[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
static const u8 SET_INTERFACE[8] = { 1, 11, 1, 0, 1, 0, 0, 0 };
static const u8 SET_INTERFACE_0[8] = { 1, 11, 0, 0, 1, 0, 0, 0 };
static const u8 UNCONFIGURE[8] = { 0, 9, 0, 0, 0, 0, 0, 0 };

static int setup(void **unused)
{
	(void)unused;
	assert_int_equal(route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"), 0);
	assert_int_equal(route_enumerate(&R, SOUND), 0);
	return 0;
}

static int ask(u32 seqnum, const u8 setup_packet[8])
{
	put_submit(&M, seqnum, 0, 0, 0, 0, setup_packet);
	return route_passes(&R, UR_TO_DEVICE);
}

static int answer(u32 seqnum, u32 status)
{
	put_ret(&M, seqnum, status, 0, 0, 0);
	return route_passes(&R, UR_TO_CLIENT);
}

static int unlink_it(u32 seqnum, u32 victim)
{
	int error;

	put_unlink(&M, seqnum, victim);
	error = route_passes(&R, UR_TO_DEVICE);
	put_unlinked(&M, seqnum, (u32)-104);
	return error ? error : route_passes(&R, UR_TO_CLIENT);
}

/* An isochronous request to the endpoint of alternate 1; the reason or NONE. */
static enum ur_reason stream(void)
{
	put_submit(&M, 77, UR_DIR_IN, 1, 392, 1, NULL);
	put32(&M, 0);
	put32(&M, 392);
	put_zeros(&M, 8);
	(void)route_passes(&R, UR_TO_DEVICE);
	return R.guard.verdict.reason;
}

static void test_answered(void **unused)
{
	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(stream(), UR_REASON_NONE);
}

static void test_not_yet_answered(void **unused)
{
	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);
}

static enum ur_reason bulk(const struct test_device *d, u32 flags, u32 length)
{
	u32 i;

	assert_int_equal(route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"), 0);
	assert_int_equal(route_enumerate(&R, d), 0);
	put_flagged(&M, flags, 8, UR_DIR_OUT, 2, length, 0, NULL);
	for (i = 0; i < length; i++)
		put8(&M, 0);
	(void)route_passes(&R, UR_TO_DEVICE);
	return R.guard.verdict.reason;
}

/*
 * What was asked for may have been done before it is answered: nothing passes to an
 * endpoint of that interface, or of the device, by the settings before nor after.
 */
static void test_in_between(void **unused)
{
	static const u8 report[8] = { 0x21, 10, 0, 0, 0, 0, 0, 0 };
	const struct test_device *disk = &TEST_DEVICES[0];

	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(ask(2, SET_INTERFACE), 0);
	assert_int_equal(ask(3, report), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);

	assert_int_equal(setup(NULL), 0);
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(ask(2, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);

	assert_int_equal(setup(NULL), 0);
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(ask(2, SET_INTERFACE), 0);
	assert_int_equal(answer(2, 0), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(stream(), UR_REASON_NONE);

	assert_int_equal(bulk(disk, 0, 8), UR_REASON_NONE);
	assert_int_equal(ask(9, SET_CONFIGURATION), 0);
	put_submit(&M, 10, UR_DIR_OUT, 2, 0, 0, NULL);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_ENDPOINT);
}

/* Another interface goes on meanwhile. */
static void test_beside(void **unused)
{
	static const u8 set[8] = { 1, 11, 0, 0, 0, 0, 0, 0 };

	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(ask(2, set), 0);
	assert_int_equal(stream(), UR_REASON_NONE);
}

/* USBIP_URB_* of linux/usbip.h: what a disk's bulk OUT request may have. */
static const struct {
	int row;
	u32 flags, length;
	enum ur_reason reason;
} flag_rows[] = {
	{ 1, 0x1, 8, UR_REASON_NONE },		/* SHORT_NOT_OK */
	{ 2, 0x2, 8, UR_REASON_NONE },		/* ISO_ASAP */
	{ 3, 0x4, 8, UR_REASON_FLAGS },		/* NO_TRANSFER_DMA_MAP */
	{ 4, 0x4, 0, UR_REASON_FLAGS },
	{ 5, 0x8, 8, UR_REASON_FLAGS },
	{ 6, 0x3e0, 8, UR_REASON_NONE },	/* NO_FSBR to DIR_IN */
	{ 7, 0x400, 8, UR_REASON_FLAGS },
	{ 8, 0x10000, 8, UR_REASON_FLAGS },	/* DMA_MAP_SINGLE */
	{ 9, 0x20000, 8, UR_REASON_FLAGS },	/* DMA_MAP_PAGE */
	{ 10, 0x40000, 8, UR_REASON_NONE },	/* DMA_MAP_SG */
	{ 11, 0x40000, 0, UR_REASON_FLAGS },
	{ 12, 0x40100, 8, UR_REASON_FLAGS },	/* and FREE_BUFFER */
	{ 13, 0x80000, 8, UR_REASON_FLAGS },
	{ 14, 0x80000000, 8, UR_REASON_FLAGS },
};

static void test_flags(void **unused)
{
	static const u8 report[8] = { 0x21, 9, 0, 2, 0, 0, 8, 0 };
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(flag_rows); i++)
		row_is(flag_rows[i].row, "reason",
		       bulk(&TEST_DEVICES[0], flag_rows[i].flags,
			    flag_rows[i].length),
		       flag_rows[i].reason);
	/* Nothing in pieces to endpoint 0, or in packets. */
	assert_int_equal(bulk(&TEST_DEVICES[0], 0, 8), UR_REASON_NONE);
	put_flagged(&M, 0x40000, 9, UR_DIR_OUT, 0, 8, 0, report);
	put_zeros(&M, 8);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_FLAGS);
	assert_int_equal(setup(NULL), 0);
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	put_flagged(&M, 0x40000, 77, UR_DIR_IN, 1, 392, 1, NULL);
	put32(&M, 0);
	put32(&M, 392);
	put_zeros(&M, 8);
	assert_int_equal(route_passes(&R, UR_TO_DEVICE), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_FLAGS);
}

static void test_failed(void **unused)
{
	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, (u32)-32), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);
}

static void test_unlinked(void **unused)
{
	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(ask(2, SET_INTERFACE), 0);
	assert_int_equal(unlink_it(3, 2), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);
}

static void test_back_to_0(void **unused)
{
	(void)unused;
	assert_int_equal(ask(1, SET_INTERFACE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(ask(2, SET_INTERFACE_0), 0);
	assert_int_equal(answer(2, 0), 0);
	assert_int_equal(stream(), UR_REASON_ENDPOINT);
}

/* Whatever ends the configuration ends the alternates with it. */
static void test_configuration(void **unused)
{
	static const struct {
		int row;
		const u8 *setup_packet;
		u32 status;
		bool is_unlinked;
		bool is_configured;
	} rows[] = {
		{ 1, SET_CONFIGURATION, 0, false, true },
		{ 2, SET_CONFIGURATION, (u32)-32, false, false },
		{ 3, SET_CONFIGURATION, 0, true, false },
		{ 4, UNCONFIGURE, 0, false, false },
	};
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		(void)setup(unused);
		assert_int_equal(ask(1, SET_INTERFACE), 0);
		assert_int_equal(answer(1, 0), 0);
		assert_int_equal(ask(2, rows[i].setup_packet), 0);
		row_is(rows[i].row, "ends",
		       rows[i].is_unlinked ? unlink_it(3, 2) :
					     answer(2, rows[i].status), 0);
		row_is(rows[i].row, "configured", R.guard.is_configured,
		       rows[i].is_configured);
		row_is(rows[i].row, "reason", stream(), UR_REASON_ENDPOINT);
	}
}

/* Who is asked has to be there, in the settings now selected: not of a vendor's. */
static const struct {
	int row;
	u8 setup_packet[8];
	enum ur_reason reason;
} asked[] = {
	{ 1, { 0x41, 1, 0, 0, 7, 0, 0, 0 }, UR_REASON_NONE },
	{ 2, { 0x42, 1, 0, 0, 0x85, 0, 0, 0 }, UR_REASON_NONE },
	{ 3, { 0x02, 1, 0, 0, 0x80, 0, 0, 0 }, UR_REASON_NONE },
	{ 4, { 0x02, 1, 0, 0, 0x85, 0, 0, 0 }, UR_REASON_ENDPOINT },
	{ 5, { 0x22, 1, 0, 0, 0x81, 0, 0, 0 }, UR_REASON_ENDPOINT },
	{ 6, { 0x21, 10, 0, 0, 1, 0, 0, 0 }, UR_REASON_NONE },
	{ 7, { 0x21, 10, 0, 0, 1, 2, 0, 0 }, UR_REASON_NONE },
	{ 8, { 0x21, 10, 0, 0, 2, 0, 0, 0 }, UR_REASON_INTERFACE },
	{ 9, { 0x21, 10, 0, 0, 32, 0, 0, 0 }, UR_REASON_INTERFACE },
	{ 10, { 1, 11, 0, 0, 1, 1, 0, 0 }, UR_REASON_INTERFACE },
	{ 11, { 1, 11, 0, 1, 1, 0, 0, 0 }, UR_REASON_INTERFACE },
	{ 12, { 1, 11, 2, 0, 1, 0, 0, 0 }, UR_REASON_INTERFACE },
	{ 13, { 0, 9, 2, 0, 0, 0, 0, 0 }, UR_REASON_CONFIGURATION },
	{ 14, { 0, 9, 1, 1, 0, 0, 0, 0 }, UR_REASON_CONFIGURATION },
	{ 15, { 0x23, 3, 4, 0, 1, 0, 0, 0 }, UR_REASON_CONTROL_REQUEST },
	{ 16, { 0, 9, 1, 0, 0, 0, 2, 0 }, UR_REASON_CONTROL_LENGTH },
};

static void test_asked(void **unused)
{
	size_t i;

	for (i = 0; i < ROWS(asked); i++) {
		(void)setup(unused);
		(void)ask(1, asked[i].setup_packet);
		row_text(asked[i].row, "reason",
			 ur_reason_name(R.guard.verdict.reason),
			 ur_reason_name(asked[i].reason));
	}
}

/* The header of a control request beside its setup packet and the import. */
static const struct {
	int row;
	u32 devid, direction, length;
	u8 setup_packet[8];
	enum ur_reason reason;
} headers[] = {
	{ 1, TEST_DEVID, UR_DIR_IN, 2, { 0x80, 0, 0, 0, 0, 0, 2, 0 },
	  UR_REASON_NONE },
	{ 2, TEST_DEVID + 1, UR_DIR_IN, 2, { 0x80, 0, 0, 0, 0, 0, 2, 0 },
	  UR_REASON_DEVID },
	{ 3, 0, UR_DIR_IN, 2, { 0x80, 0, 0, 0, 0, 0, 2, 0 }, UR_REASON_DEVID },
	{ 4, TEST_DEVID, UR_DIR_OUT, 2, { 0x80, 0, 0, 0, 0, 0, 2, 0 },
	  UR_REASON_CONTROL_DIRECTION },
	{ 5, TEST_DEVID, UR_DIR_IN, 8, { 0x21, 9, 0, 2, 0, 0, 8, 0 },
	  UR_REASON_CONTROL_DIRECTION },
	{ 6, TEST_DEVID, UR_DIR_IN, 3, { 0x80, 0, 0, 0, 0, 0, 2, 0 },
	  UR_REASON_CONTROL_LENGTH },
	/* Without data either direction is the other one. */
	{ 7, TEST_DEVID, UR_DIR_IN, 0, { 0x21, 10, 0, 0, 0, 0, 0, 0 },
	  UR_REASON_NONE },
};

static void test_headers(void **unused)
{
	size_t i;

	for (i = 0; i < ROWS(headers); i++) {
		(void)setup(unused);
		put_submit(&M, 1, headers[i].direction, 0, headers[i].length, 0,
			   headers[i].setup_packet);
		M.bytes = 8;
		put32(&M, headers[i].devid);
		M.bytes = UR_PDU_HEADER_BYTES;
		if (headers[i].direction == UR_DIR_OUT)
			put_zeros(&M, headers[i].length);
		(void)route_passes(&R, UR_TO_DEVICE);
		row_text(headers[i].row, "reason",
			 ur_reason_name(R.guard.verdict.reason),
			 ur_reason_name(headers[i].reason));
	}
}

/* Nobody but the core speaks to a control endpoint that is not endpoint 0. */
static void test_control_endpoint(void **unused)
{
	static const u8 configuration[25] = {
		9, 2, 25, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 1, 255, 0, 0, 0,
		7, 5, 0x81, 0, 8, 0, 0,
	};
	const struct test_device d = { "control", 0x46f4, 1, DISK_DEVICE,
				       configuration, sizeof(configuration) };

	(void)unused;
	assert_int_equal(route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"), 0);
	assert_int_equal(route_enumerate(&R, &d), 0);
	put_submit(&M, 7, UR_DIR_IN, 1, 8, 0, NULL);
	(void)route_passes(&R, UR_TO_DEVICE);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_TYPE);
}

/* Before a configuration is selected an interface cannot be asked. */
static void test_unconfigured(void **unused)
{
	static const u8 get_interface[8] = { 0x81, 10, 0, 0, 0, 0, 0, 0 };

	(void)unused;
	assert_int_equal(ask(1, UNCONFIGURE), 0);
	assert_int_equal(answer(1, 0), 0);
	assert_int_equal(ask(2, get_interface), UR_PEER_BROKEN);
	assert_int_equal(R.guard.verdict.reason, UR_REASON_CONTROL_REQUEST);
}

static void test_severed(void **unused)
{
	struct ur_pdu pdu = { .command = UR_CMD_SUBMIT, .seqnum = 5,
			      .devid = TEST_DEVID, .setup = { 0x80, 8, 0, 0, 0,
							      0, 1, 0 },
			      .length = 1, .direction = UR_DIR_IN };
	const struct ur_pdu late = { .command = UR_RET_SUBMIT, .seqnum = 6 };
	struct ur_request request;
	struct ur_reader none;

	(void)unused;
	ur_reader_init(&none, NULL, 0);
	assert_int_equal(ur_guard_header(&R.guard, UR_TO_DEVICE, &pdu,
					 &request), 0);
	assert_int_equal(ask(6, UNCONFIGURE), 0);
	assert_int_equal(answer(99, 0), UR_PEER_BROKEN);
	assert_int_equal(R.guard.refused[UR_REASON_SEQNUM_UNKNOWN], 1);
	assert_int_equal(ur_guard_header(&R.guard, UR_TO_DEVICE, &pdu,
					 &request), UR_PEER_BROKEN);
	assert_int_equal(ur_guard_message(&R.guard, UR_TO_DEVICE, &pdu, NULL, 0,
					  &none), UR_PEER_BROKEN);
	assert_int_equal(ur_guard_message(&R.guard, UR_TO_CLIENT, &late, NULL, 0,
					  &none), UR_PEER_BROKEN);
	assert_int_equal(R.guard.refused[UR_REASON_SEQNUM_UNKNOWN], 4);
	assert_int_equal(R.guard.session.outstanding, 1);
}

#define state_test(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(test_answered), state_test(test_not_yet_answered),
		state_test(test_failed), state_test(test_unlinked),
		state_test(test_back_to_0), state_test(test_in_between),
		state_test(test_beside), state_test(test_flags),
		state_test(test_configuration),
		state_test(test_asked), state_test(test_control_endpoint),
		state_test(test_headers),
		state_test(test_unconfigured), state_test(test_severed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
