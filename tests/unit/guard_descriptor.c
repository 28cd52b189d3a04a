// SPDX-License-Identifier: BSD-2-Clause
/* wire/descriptor: what is whole passes and is summed up, what is not is named. */
#include "descriptor.h"
#include "wire_test.h"

static struct ur_configuration C;

#define HEAD(total, interfaces) "0902" total "00" interfaces "01008032"
#define IF00_0 "090400000008065000"
#define IF00_1 "090400000108065000"
#define IF00_2 "090400000208065000"
#define EP81 "07058102000200"
#define EP02 "07050202000200"
#define COMPANION "06300f000000"

/* text, the refused field or NULL, alternates, endpoints */
static const struct {
	int row;
	const char *text;
	const char *field;
	u32 alternates, endpoints;
} rows[] = {
	{ 1, HEAD("09", "00"), NULL, 0, 0 },
	{ 2, HEAD("12", "01") IF00_0, NULL, 1, 0 },
	{ 3, HEAD("20", "01") IF00_2 EP81 EP02, NULL, 1, 2 },
	{ 4, HEAD("26", "01") IF00_2 EP81 COMPANION EP02, NULL, 1, 2 },
	{ 5, HEAD("1b", "01") IF00_0 "090400010008065000", NULL, 2, 0 },
	{ 6, HEAD("1b", "02") IF00_0 "090401000008065000", NULL, 2, 0 },
	{ 7, HEAD("17", "01") IF00_0 "0524001001", NULL, 1, 0 },
	{ 8, HEAD("1a", "01") "080b000103000000" IF00_0, NULL, 1, 0 },
	{ 9, HEAD("1b", "02") IF00_0 "090405000008065000", NULL, 2, 0 },
	{ 10, HEAD("13", "01") IF00_0, "descriptor bytes", 0, 0 },
	{ 11, HEAD("11", "01") IF00_0, "descriptor bytes", 0, 0 },
	{ 12, HEAD("08", "00"), "wTotalLength", 0, 0 },
	{ 13, "0802090000010080", "bLength", 0, 0 },
	{ 14, "0901090000010080 32", "bDescriptorType", 0, 0 },
	{ 15, "090209", "descriptor bytes", 0, 0 },
	{ 16, "090209000000008032", "bConfigurationValue", 0, 0 },
	{ 17, HEAD("12", "02") IF00_0, "interfaces", 0, 0 },
	{ 18, HEAD("12", "00") IF00_0, "interfaces", 0, 0 },
	{ 19, HEAD("19", "01") IF00_2 EP81, "endpoints of an interface", 0, 0 },
	{ 20, HEAD("20", "01") IF00_1 EP81 EP02, "endpoints of an interface", 0, 0 },
	{ 21, HEAD("10", "00") EP81, "endpoints of an interface", 0, 0 },
	{ 22, HEAD("20", "01") IF00_2 EP81 EP81, "bEndpointAddress", 0, 0 },
	{ 23, HEAD("19", "01") IF00_1 "07058002000200", "bEndpointAddress", 0, 0 },
	{ 24, HEAD("19", "01") IF00_1 "0705a102000200", "bEndpointAddress", 0, 0 },
	{ 25, HEAD("19", "01") IF00_1 "07058102ff1f00", NULL, 1, 1 },
	{ 26, HEAD("19", "01") IF00_1 "07058102008000", "wMaxPacketSize", 0, 0 },
	{ 27, HEAD("29", "02") IF00_1 EP81 "090401000108065000" EP81,
	  "bEndpointAddress", 0, 0 },
	{ 28, HEAD("29", "01") IF00_1 EP81 "090400010108065000" EP81, NULL, 2, 2 },
	{ 29, HEAD("1b", "01") IF00_0 IF00_0, "bAlternateSetting", 0, 0 },
	{ 30, HEAD("12", "01") "090400010008065000", "bAlternateSetting", 0, 0 },
	{ 31, HEAD("12", "01") "090420000008065000", "bInterfaceNumber", 0, 0 },
	{ 32, HEAD("12", "01") "090400001f08065000", "bNumEndpoints", 0, 0 },
	{ 33, HEAD("11", "01") "0804000000080650", "bLength", 0, 0 },
	{ 34, HEAD("18", "01") IF00_1 "060581020002", "bLength", 0, 0 },
	{ 35, HEAD("14", "01") IF00_0 "0024", "bLength", 0, 0 },
	{ 36, HEAD("14", "01") IF00_0 "0124", "bLength", 0, 0 },
	{ 37, HEAD("14", "01") IF00_0 "0324", "bLength", 0, 0 },
	{ 38, HEAD("13", "01") IF00_0 "02", "bLength", 0, 0 },
	{ 39, HEAD("18", "01") IF00_0 COMPANION, "endpoint companion", 0, 0 },
	{ 40, HEAD("25", "01") IF00_1 EP81 COMPANION COMPANION,
	  "endpoint companion", 0, 0 },
	{ 41, HEAD("1b", "01") IF00_0 "090209000001008032", "bDescriptorType",
	  0, 0 },
	{ 42, HEAD("14", "01") IF00_0 "0201", "bDescriptorType", 0, 0 },
	{ 43, HEAD("1b", "02") IF00_1 "090401000008065000",
	  "endpoints of an interface", 0, 0 },
};

static void test_configurations(void **unused)
{
	u8 bytes[256];
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_refusal why = { "none", "", 0, 0 };
		size_t count = hex(rows[i].text, bytes, sizeof(bytes));
		u8 *at = exact(bytes, count);
		struct ur_reader r;
		int error;

		ur_reader_init(&r, at, count);
		error = ur_configuration_read(&r, UR_DESCRIPTOR_CONFIGURATION,
					      &C, &why);
		row_text(rows[i].row, "refused", error ? why.field : "nothing",
			 rows[i].field ? rows[i].field : "nothing");
		if (!error) {
			row_is(rows[i].row, "alternates", C.alternates,
			       rows[i].alternates);
			row_is(rows[i].row, "endpoints", C.endpoints,
			       rows[i].endpoints);
		}
		free(at);
	}
}

/* Every prefix of a good one, and every byte of it changed: refused or whole. */
static void test_hurt(void **unused)
{
	u8 bytes[64];
	size_t count = hex(rows[3].text, bytes, sizeof(bytes)), i;
	u32 value;

	(void)unused;
	for (i = 0; i < count; i++)
		for (value = 0; value < 256; value++) {
			u8 *at = exact(bytes, count);
			struct ur_refusal why;
			struct ur_reader r;

			at[i] = (u8)value;
			ur_reader_init(&r, at, count);
			if (ur_configuration_read(&r, 2, &C, &why) == 0) {
				assert_true(C.alternates <= UR_ALTERNATES_MAX);
				assert_true(C.endpoints <= UR_ENDPOINTS_MAX);
			}
			free(at);
		}
	for (i = 0; i < count; i++) {
		u8 *at = exact(bytes, i);
		struct ur_refusal why;
		struct ur_reader r;

		ur_reader_init(&r, at, i);
		assert_int_equal(ur_configuration_read(&r, 2, &C, &why),
				 UR_PEER_MALFORMED);
		free(at);
	}
}

static void test_summary(void **unused)
{
	u8 bytes[64];
	size_t count = hex(rows[3].text, bytes, sizeof(bytes));
	struct ur_refusal why;
	struct ur_reader r;

	(void)unused;
	ur_reader_init(&r, bytes, count);
	assert_int_equal(ur_configuration_read(&r, 2, &C, &why), 0);
	assert_int_equal(C.value, 1);
	assert_int_equal(C.interfaces, 1);
	assert_int_equal(C.alternate[0].interface_class, 8);
	assert_int_equal(C.alternate[0].interface_subclass, 6);
	assert_int_equal(C.alternate[0].interface_protocol, 0x50);
	assert_int_equal(C.endpoint[0].address, 0x81);
	assert_int_equal(C.endpoint[0].type, UR_TRANSFER_BULK);
	assert_int_equal(C.endpoint[0].max_packet, 512);
	assert_true(C.endpoint[0].has_companion);
	assert_int_equal(C.endpoint[0].max_burst, 15);
	assert_false(C.endpoint[1].has_companion);
	assert_non_null(ur_alternate_find(&C, 0, 0));
	assert_null(ur_alternate_find(&C, 0, 1));
}

enum kind { DEVICE, BOS, STRING, STRING_0, OTHER_SPEED };

static const struct {
	int row;
	enum kind kind;
	const char *text;
	const char *field;
} others[] = {
	{ 1, DEVICE, "120100020000004027060100000101020301", NULL },
	{ 2, DEVICE, "110100020000004027060100000101020301", "bLength" },
	{ 3, DEVICE, "130100020000004027060100000101020301", "descriptor bytes" },
	{ 4, DEVICE, "12010002000000ff27060100000101020301", "bMaxPacketSize0" },
	{ 5, DEVICE, "120100020000004027060100000101020300", "bNumConfigurations" },
	{ 6, DEVICE, "120100020000004027060100000101020309", "bNumConfigurations" },
	{ 7, BOS, "050f050000", NULL },
	{ 8, BOS, "050f0c0001 07100202000000", NULL },
	{ 9, BOS, "050f0c0002 07100202000000", "bNumDeviceCaps" },
	{ 10, BOS, "050f0c0000 07100202000000", "bNumDeviceCaps" },
	{ 11, BOS, "050f0b0001 061002020000", "bLength" },
	{ 12, BOS, "050f0c0001 08100202000000", "bLength" },
	{ 13, BOS, "050f0c0001 07110202000000", "bDescriptorType" },
	{ 14, BOS, "050f0c0001 0710030200000000", "descriptor bytes" },
	{ 15, BOS, "050f0c0001 07100300000000", "bLength" },
	{ 16, BOS, "050f150001 10100a00 01000000 00000000 00000000", "bLength" },
	{ 17, BOS, "050f150001 10100a00 00000000 00000000 00000000", NULL },
	{ 18, STRING, "0203", NULL },
	{ 19, STRING, "04034100", NULL },
	{ 20, STRING, "03034100", "descriptor bytes" },
	{ 21, STRING, "030341", "string bLength" },
	{ 22, STRING_0, "04030904", NULL },
	{ 23, STRING_0, "0203", "languages" },
	{ 24, BOS, "050f190001 14100400 00000000 00000000 00000000 00000000", NULL },
	{ 25, BOS, "050f180001 13100400 00000000 00000000 00000000 000000", "bLength" },
	{ 26, BOS, "050f080001 03100b", NULL },
	{ 27, BOS, "050f070001 0210", "bLength" },
	{ 28, DEVICE, "13010002000000402706010000010102030100", "device descriptor" },
	{ 29, DEVICE, "120100020000000827060100000101020301", NULL },
	{ 30, DEVICE, "120100020000001027060100000101020301", NULL },
	{ 31, DEVICE, "120100020000002027060100000101020301", NULL },
	{ 32, DEVICE, "120100030000000927060100000101020301", NULL },
	{ 33, OTHER_SPEED, "0907120001010080 32 090400000008065000", NULL },
	{ 34, OTHER_SPEED, "0902120001010080 32 090400000008065000",
	  "bDescriptorType" },
};

static int read_other(enum kind kind, struct ur_reader *r, struct ur_refusal *why)
{
	struct ur_device_descriptor device;

	if (kind == DEVICE)
		return ur_device_descriptor_read(r, &device, why);
	if (kind == BOS)
		return ur_bos_check(r, why);
	if (kind == OTHER_SPEED)
		return ur_configuration_read(r, UR_DESCRIPTOR_OTHER_SPEED, &C, why);
	return ur_string_check(r, kind == STRING, why);
}

static void test_others(void **unused)
{
	u8 bytes[64];
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(others); i++) {
		struct ur_refusal why = { "none", "", 0, 0 };
		size_t count = hex(others[i].text, bytes, sizeof(bytes));
		u8 *at = exact(bytes, count);
		struct ur_reader r;
		int error;

		ur_reader_init(&r, at, count);
		error = read_other(others[i].kind, &r, &why);
		row_text(others[i].row, "refused", error ? why.field : "nothing",
			 others[i].field ? others[i].field : "nothing");
		free(at);
	}
}

static const struct {
	int row;
	const char *units;
	const char *text;
} strings[] = {
	{ 1, "0203", "" },
	{ 2, "0603 4100 6200", "Ab" },
	{ 3, "0403 fc00", "\xc3\xbc" },
	{ 4, "0403 ac20", "\xe2\x82\xac" },
	{ 5, "0603 3dd8 00de", "\xf0\x9f\x98\x80" },
	{ 6, "0603 3dd8 4100", "?A" },
	{ 7, "0403 00de", "?" },
	{ 8, "0403 3dd8", "?" },
	{ 9, "0603 0000 0a00", "??" },
	{ 10, "0403 7f00", "?" },
	{ 11, "0603 3dd8 ffff", "?\xef\xbf\xbf" },
	{ 12, "0603 3dd8 00e0", "?\xee\x80\x80" },
};

static void test_strings(void **unused)
{
	char text[UR_STRING_TEXT_BYTES];
	u8 bytes[256];
	size_t i;

	(void)unused;
	for (i = 0; i < ROWS(strings); i++) {
		size_t count = hex(strings[i].units, bytes, sizeof(bytes));
		u8 *at = exact(bytes, count);

		ur_string_text(at, count, text);
		row_text(strings[i].row, "text", text, strings[i].text);
		free(at);
	}
	memset(bytes, 0xff, sizeof(bytes));
	ur_string_text(bytes, 255, text);
	assert_int_equal(strlen(text), 126 * 3);
}

/* As many as fit in the summary, and one more. */
static void fill(u32 alternates, u32 endpoints, struct ur_refusal *why, int want)
{
	static u8 bytes[9 + UR_ALTERNATES_MAX * 2 * (9 + 30 * 7)];
	u32 i, e, at = 9;
	struct ur_reader r;

	for (i = 0; i < alternates; i++) {
		const u8 head[9] = { 9, 4, 0, (u8)i, (u8)endpoints, 255 };

		memcpy(bytes + at, head, 9);
		at += 9;
		for (e = 0; e < endpoints; e++, at += 7) {
			const u8 one[7] = { 7, 5, (u8)(e / 15 * 0x80 + e % 15 + 1),
					    2, 64 };

			memcpy(bytes + at, one, 7);
		}
	}
	memcpy(bytes, (u8[9]){ 9, 2, (u8)at, (u8)(at >> 8), 1, 1, 0, 0x80, 50 }, 9);
	ur_reader_init(&r, bytes, at);
	row_is((int)alternates, "configuration",
	       ur_configuration_read(&r, 2, &C, why), want);
}

static void test_full(void **unused)
{
	struct ur_refusal why = { "none", "", 0, 0 };

	(void)unused;
	fill(UR_ALTERNATES_MAX, 0, &why, 0);
	assert_int_equal(C.alternates, UR_ALTERNATES_MAX);
	fill(UR_ALTERNATES_MAX + 1, 0, &why, UR_PEER_TOO_BIG);
	row_refusal(1, &why, "alternate settings", UR_ALTERNATES_MAX + 1,
		    UR_ALTERNATES_MAX);
	fill(UR_ENDPOINTS_MAX / 16, 16, &why, 0);
	assert_int_equal(C.endpoints, UR_ENDPOINTS_MAX);
	fill(UR_ENDPOINTS_MAX / 16 + 1, 16, &why, UR_PEER_TOO_BIG);
	row_refusal(2, &why, "endpoints", UR_ENDPOINTS_MAX + 1, UR_ENDPOINTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_hurt), cmocka_unit_test(test_summary),
		cmocka_unit_test(test_others), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("descriptor", tests, NULL, NULL);
}
