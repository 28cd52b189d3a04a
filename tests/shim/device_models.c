// SPDX-License-Identifier: BSD-2-Clause
/* A keyboard; the others have files of their own. */
#include "device.h"

#include <errno.h>
#include <string.h>

/* ---- keyboard: HID 1.11, boot protocol ----------------------------------- */

/* Modifiers, a byte, six keys: HID 1.11 appendix B.1. */
static const u8 report_descriptor[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,
	0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01,
	0x75, 0x08, 0x81, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65,
	0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0xc0,
};

static const u8 keyboard_configuration[] = {
	9, 2, 34, 0, 1, 1, 0, 0xa0, 50,
	9, 4, 0, 0, 1, 3, 1, 1, 0,
	9, 0x21, 0x11, 0x01, 0, 1, 0x22, sizeof(report_descriptor), 0,
	7, 5, 0x81, 3, 8, 0, 7,
};

/* It presses the key "a", releases it, and is still. */
static const u8 reports[][8] = { { 0, 0, 4 }, { 0 } };
static unsigned int report;

static void keyboard_reset(void)
{
	report = 0;
}

static int keyboard_control(const u8 setup[8], u8 *data, u32 length)
{
	u32 n = sizeof(report_descriptor);

	if (setup[0] == 0x81 && setup[1] == 6 && setup[3] == 0x22) {
		n = n < length ? n : length;
		memcpy(data, report_descriptor, n);
		return (int)n;
	}
	/* SET_REPORT, SET_IDLE, SET_PROTOCOL */
	return setup[0] == 0x21 ? (int)length : -EPIPE;
}

static int keyboard_transfer(const struct transfer *t)
{
	u32 n = t->length < 8 ? t->length : 8;

	if (!t->in || t->ep != 1)
		return -EPIPE;
	if (report == sizeof(reports) / sizeof(reports[0]))
		return DEVICE_PENDING;
	memcpy(t->data, reports[report++], n);
	return (int)n;
}

const struct device device_keyboard = {
	.vendor = 0x1d6b,
	.product = 0x0104,
	.speed = UR_SPEED_HIGH,
	.interface = { 3, 1, 1 },
	.name = "emulated keyboard",
	.configuration = keyboard_configuration,
	.configuration_bytes = sizeof(keyboard_configuration),
	.control = keyboard_control,
	.transfer = keyboard_transfer,
	.reset = keyboard_reset,
};
