// SPDX-License-Identifier: BSD-2-Clause
/* The command's pure parts: numbers, text, selectors, vhci-hcd's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "device.h"
#include "selector.h"
#include "text.h"
#include "vhci.h"

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void row_is(size_t row, const char *what, long long got, long long want)
{
	if (got == want)
		return;
	printf("# row %zu: %s: got %lld, want %lld\n", row, what, got, want);
	fail();
}

static void row_text(size_t row, const char *what, const char *got,
		     const char *want)
{
	if (strcmp(got, want) == 0)
		return;
	printf("# row %zu: %s: got \"%s\", want \"%s\"\n", row, what, got,
	       want);
	fail();
}

/* text.c */

static void numbers_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		int base;
		u32 most;
		bool is_number;
		u32 value;
	} rows[] = {
		{ "0", 10, 9, true, 0 },
		{ "9", 10, 9, true, 9 },
		{ "10", 10, 9, false, 0 },
		{ "007", 10, 9, true, 7 },
		{ "4294967295", 10, 0xffffffff, true, 0xffffffff },
		{ "4294967296", 10, 0xffffffff, false, 0 },
		{ "99999999999999999999999", 10, 0xffffffff, false, 0 },
		{ "ffff", 16, 0xffff, true, 0xffff },
		{ "FfFf", 16, 0xffff, true, 0xffff },
		{ "10000", 16, 0xffff, false, 0 },
		{ "", 10, 9, false, 0 },
		{ " 1", 10, 9, false, 0 },
		{ "1 ", 10, 9, false, 0 },
		{ "+1", 10, 9, false, 0 },
		{ "-1", 10, 0xffffffff, false, 0 },
		{ "0x1", 16, 0xffff, false, 0 },
		{ "1a", 10, 99, false, 0 },
		{ "\xb2", 10, 9, false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		u32 value = 0x5a5a;
		bool is = ur_text_number(rows[i].text, rows[i].base,
					 rows[i].most, &value);

		row_is(i, "is a number", is, rows[i].is_number);
		row_is(i, "value", value, is ? rows[i].value : 0x5a5a);
	}
}

static void copied_text_fits_and_is_printable(void **state)
{
	static const struct {
		const char *from;
		size_t size;
		const char *want;
	} rows[] = {
		{ "plain", 16, "plain" },
		{ NULL, 16, "" },
		{ "", 16, "" },
		{ "1234567", 8, "1234567" },
		{ "12345678", 8, "1234567" },
		{ "x", 1, "" },
		{ "a\nb\x1b[31mc\x7f", 32, "a?b?[31mc?" },
		{ "gr\xc3\xbc\xff", 32, "gr???" },
		{ "\t", 4, "?" },
		{ " ~", 4, " ~" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		char *to = malloc(rows[i].size);	/* ASan sees its end */

		ur_text_copy(to, rows[i].size, rows[i].from);
		row_text(i, "copy", to, rows[i].want);
		free(to);
	}
}

/* device.c */

static void speeds_have_the_numbers_and_names_of_linux(void **state)
{
	static const struct {
		const char *sysfs;
		u32 speed;
		const char *text;
	} rows[] = {
		{ "1.5", 1, "low" },	      { "12", 2, "full" },
		{ "480", 3, "high" },	      { "53.3-480", 4, "wireless" },
		{ "5000", 5, "super" },	      { "10000", 6, "super+" },
		{ "20000", 6, "super+" },     { "unknown", 0, "unknown" },
		{ "", 0, "unknown" },	      { NULL, 0, "unknown" },
		{ "4800", 0, "unknown" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		row_is(i, "speed", ur_speed_from_sysfs(rows[i].sysfs),
		       rows[i].speed);
		row_text(i, "name", ur_speed_text(rows[i].speed), rows[i].text);
	}
	row_text(i, "name of 7", ur_speed_text(7), "unknown");
}

/* selector.c */

static void selectors_name_one_kind_of_thing(void **state)
{
	static const struct {
		const char *text;
		int kind;	/* -1: no selector */
		const char *value;
		u16 vendor;
		u16 product;
	} rows[] = {
		{ "1-1", UR_SELECT_BUSID, "1-1", 0, 0 },
		{ "10-1.2.3.4", UR_SELECT_BUSID, "10-1.2.3.4", 0, 0 },
		{ "usbip-vudc.0", UR_SELECT_BUSID, "usbip-vudc.0", 0, 0 },
		{ "port=2-1.4", UR_SELECT_BUSID, "2-1.4", 0, 0 },
		{ "1234567890123456789012345678901", UR_SELECT_BUSID,
		  "1234567890123456789012345678901", 0, 0 },
		{ "usb1:1-1.2", UR_SELECT_BUSID, "usb1:1-1.2", 0, 0 },
		{ "cafe:1-1", UR_SELECT_BUSID, "cafe:1-1", 0, 0 },
		{ "46f4:0001", UR_SELECT_ID, "", 0x46f4, 1 },
		{ "46F4:1", UR_SELECT_ID, "", 0x46f4, 1 },
		{ "0:0", UR_SELECT_ID, "", 0, 0 },
		{ "serial=UR123", UR_SELECT_SERIAL, "UR123", 0, 0 },
		{ "serial=a b:c", UR_SELECT_SERIAL, "a b:c", 0, 0 },
		{ "serial=46f4:0001", UR_SELECT_SERIAL, "46f4:0001", 0, 0 },
		{ "", -1, "", 0, 0 },
		{ "12345678901234567890123456789012", -1, "", 0, 0 },
		{ "-1", -1, "", 0, 0 },
		{ "../1-1", -1, "", 0, 0 },
		{ "1-1/..", -1, "", 0, 0 },
		{ "1-1\n", -1, "", 0, 0 },
		{ "port=", -1, "", 0, 0 },
		{ "port=46f4:0001", -1, "", 0, 0 },
		{ "serial=", -1, "", 0, 0 },
		{ "46f4:", -1, "", 0, 0 },
		{ ":0001", -1, "", 0, 0 },
		{ "46f40:0001", -1, "", 0, 0 },
		{ "46f4:00010", -1, "", 0, 0 },
		{ "46g4:0001", -1, "", 0, 0 },
		{ "1:2:3", -1, "", 0, 0 },
		{ "usb1:1", -1, "", 0, 0 },
		{ "usb1:", -1, "", 0, 0 },
		{ ":1-1", -1, "", 0, 0 },
		{ "usb1:../1-1", -1, "", 0, 0 },
		{ "usb1:usb2:1-1", -1, "", 0, 0 },
		{ "abcdefghijklmnopqrstuvwxyz12:1-1", -1, "", 0, 0 },
		{ "vendor=46f4", -1, "", 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_selector got;
		int exit = ur_selector_parse(&got, rows[i].text);

		row_is(i, "exit", exit,
		       rows[i].kind < 0 ? UR_EXIT_USAGE : UR_EXIT_OK);
		if (exit)
			continue;
		row_is(i, "kind", got.kind, rows[i].kind);
		row_text(i, "text", got.text, rows[i].value);
		row_is(i, "vendor", got.vendor, rows[i].vendor);
		row_is(i, "product", got.product, rows[i].product);
	}
}

/* Two disks of one kind, one with and one without a number, and a keyboard. */
static void fill(struct ur_device_list *list)
{
	static const struct {
		const char *busid;
		u16 vendor;
		u16 product;
		const char *serial;
	} devices[] = {
		{ "1-1", 0x46f4, 0x0001, "UR1" },
		{ "1-1.1", 0x46f4, 0x0001, "" },
		{ "2-1", 0x0627, 0x0001, "K" },
	};
	size_t i;

	for (i = 0; i < ROWS(devices); i++) {
		struct ur_device *to = ur_device_list_add(list);

		assert_non_null(to);
		strcpy(to->op.busid.text, devices[i].busid);
		strcpy(to->serial, devices[i].serial);
		to->op.vendor = devices[i].vendor;
		to->op.product = devices[i].product;
	}
}

static void a_selector_finds_one_device_or_says_why_not(void **state)
{
	static const struct {
		const char *selector;
		int exit;
		const char *busid;
	} rows[] = {
		{ "1-1", UR_EXIT_OK, "1-1" },
		{ "1-1.1", UR_EXIT_OK, "1-1.1" },
		{ "port=2-1", UR_EXIT_OK, "2-1" },
		{ "1-", UR_EXIT_NO_MATCH, "" },
		{ "1-1.10", UR_EXIT_NO_MATCH, "" },
		{ "0627:0001", UR_EXIT_OK, "2-1" },
		{ "46f4:0001", UR_EXIT_USAGE, "" },
		{ "46f4:0002", UR_EXIT_NO_MATCH, "" },
		{ "serial=UR1", UR_EXIT_OK, "1-1" },
		{ "serial=UR", UR_EXIT_NO_MATCH, "" },
		{ "serial=ur1", UR_EXIT_NO_MATCH, "" },
	};
	struct ur_device_list list = { 0 };
	size_t i;

	(void)state;
	fill(&list);
	for (i = 0; i < ROWS(rows); i++) {
		const struct ur_device *found = NULL;
		struct ur_selector selector;

		row_is(i, "parse",
		       ur_selector_parse(&selector, rows[i].selector), 0);
		row_is(i, "exit", ur_selector_find(&selector, &list, &found),
		       rows[i].exit);
		if (rows[i].exit == UR_EXIT_OK)
			row_text(i, "found", found->op.busid.text,
				 rows[i].busid);
	}
	ur_device_list_free(&list);
}

/* A peer may send "serial:" alone; devices without a number are not it. */
static void an_empty_serial_is_nobody(void **state)
{
	struct ur_selector nobody = { .kind = UR_SELECT_SERIAL };
	struct ur_device_list list = { 0 };
	const struct ur_device *found = NULL;

	(void)state;
	fill(&list);
	row_is(0, "exit", ur_selector_find(&nobody, &list, &found),
	       UR_EXIT_NO_MATCH);
	ur_device_list_free(&list);
}

static void a_request_names_a_busid_or_a_serial(void **state)
{
	static const struct {
		const char *selector;
		int exit;
		const char *busid;
	} rows[] = {
		{ "1-1", UR_EXIT_OK, "1-1" },
		{ "serial=UR123", UR_EXIT_OK, "serial:UR123" },
		{ "serial=123456789012345678901234", UR_EXIT_OK,
		  "serial:123456789012345678901234" },
		{ "serial=1234567890123456789012345", UR_EXIT_USAGE, "" },
		{ "serial=a b", UR_EXIT_USAGE, "" },
		{ "serial=a/b", UR_EXIT_USAGE, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_selector selector;
		struct ur_op_busid busid;

		row_is(i, "parse",
		       ur_selector_parse(&selector, rows[i].selector), 0);
		row_is(i, "exit", ur_selector_busid(&selector, &busid),
		       rows[i].exit);
		if (rows[i].exit == UR_EXIT_OK)
			row_text(i, "busid", busid.text, rows[i].busid);
	}
}

/* vhci.c */

#define HEAD "hub port sta spd dev      sockfd local_busid\n"
#define FREE "hs  0000 004 000 00000000 000000 0-0\n"

static void port_tables_are_read_line_by_line(void **state)
{
	static const struct {
		const char *text;
		int line;	/* 0: all good */
		u32 count;
	} rows[] = {
		{ "", 0, 0 },
		{ "\n", 0, 0 },
		{ HEAD, 0, 0 },
		{ HEAD FREE FREE, 0, 2 },
		{ HEAD "hs  0000 004 000 00000000 000000 0-0", 0, 1 },
		{ "hs  0000 005 000 00000000 0000000000000000 0-0", 0, 1 },
		{ "ss  0015 006 005 00010002 000003 4-1", 0, 1 },
		{ HEAD FREE "hs  0001 004 000 00000000 000000\n", 3, 1 },
		{ HEAD FREE "hs  0001 004 000 00000000 000000 0-0 x\n", 3, 1 },
		{ HEAD "xs  0000 004 000 00000000 000000 0-0\n" FREE, 2, 0 },
		{ "hs  -001 004 000 00000000 000000 0-0", 1, 0 },
		{ "hs  0000 008 000 00000000 000000 0-0", 1, 0 },
		{ "hs  0000 004 007 00000000 000000 0-0", 1, 0 },
		{ "hs  0000 004 000 100000000 000000 0-0", 1, 0 },
		{ "hs  99999999 004 000 00000000 000000 0-0", 1, 0 },
		{ "hs  0x00 004 000 00000000 000000 0-0", 1, 0 },
		{ "hs  0000 006 003 00010002 000003 "
		  "1234567890123456789012345678901", 0, 1 },
		{ "hs  0000 006 003 00010002 000003 "
		  "12345678901234567890123456789012", 1, 0 },
		{ "0000 004 000 00000000 c5a7bb80 1-2.3", 1, 0 },
		{ "h", 1, 0 },
		{ "\x01\x02\x03", 1, 0 },
		{ "       ", 1, 0 },
		{ FREE "\r", 2, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		struct ur_vhci_list list = { 0 };

		row_is(i, "line", ur_vhci_parse(rows[i].text, &list),
		       rows[i].line);
		row_is(i, "ports", list.count, rows[i].count);
		ur_vhci_free(&list);
	}
}

static void a_port_in_use_tells_all(void **state)
{
	struct ur_vhci_list list = { 0 };
	const struct ur_vhci_port *port;

	(void)state;
	row_is(0, "line",
	       ur_vhci_parse("ss  0045 006 005 00020103 000007 18-1\x1b",
			     &list), 0);
	port = &list.items[0];
	row_is(0, "port", port->port, 45);
	row_is(0, "is super", port->is_super, true);
	row_is(0, "status", port->status, UR_VHCI_USED);
	row_is(0, "speed", port->speed, UR_SPEED_SUPER);
	row_is(0, "devid", port->devid, 0x20103);
	row_text(0, "busid", port->busid, "18-1?");
	ur_vhci_free(&list);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
		cmocka_unit_test(copied_text_fits_and_is_printable),
		cmocka_unit_test(speeds_have_the_numbers_and_names_of_linux),
		cmocka_unit_test(selectors_name_one_kind_of_thing),
		cmocka_unit_test(a_selector_finds_one_device_or_says_why_not),
		cmocka_unit_test(an_empty_serial_is_nobody),
		cmocka_unit_test(a_request_names_a_busid_or_a_serial),
		cmocka_unit_test(port_tables_are_read_line_by_line),
		cmocka_unit_test(a_port_in_use_tells_all),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
