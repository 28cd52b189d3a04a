// SPDX-License-Identifier: BSD-2-Clause
/* A keyboard and a gadget zero; the disk has a file of its own. */
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
	.interface = { 3, 1, 1 },
	.name = "emulated keyboard",
	.configuration = keyboard_configuration,
	.configuration_bytes = sizeof(keyboard_configuration),
	.control = keyboard_control,
	.transfer = keyboard_transfer,
	.reset = keyboard_reset,
};

/* ---- gadget zero: a source and a sink of each type ----------------------- */

static const u8 zero_configuration[] = {
	9, 2, 60, 0, 1, 1, 0, 0xc0, 1,
	9, 4, 0, 0, 6, 0xff, 0, 0, 0,
	7, 5, 0x81, 2, 0x00, 0x02, 0,	/* bulk, 512 */
	7, 5, 0x01, 2, 0x00, 0x02, 0,
	7, 5, 0x82, 1, 0x00, 0x04, 1,	/* isochronous, 1024, each microframe */
	7, 5, 0x02, 1, 0x00, 0x04, 1,
	7, 5, 0x83, 3, 0x40, 0x00, 4,	/* interrupt, 64 */
	7, 5, 0x03, 3, 0x40, 0x00, 4,
};

/* What a vendor request 0x5b wrote, 0x5c reads back, as usbtest expects. */
static u8 written[4096];

static void zero_reset(void)
{
	memset(written, 0, sizeof(written));
}

static int zero_control(const u8 setup[8], u8 *data, u32 length)
{
	if (length > sizeof(written))
		return -EPIPE;
	if (setup[0] == 0x40 && setup[1] == 0x5b)
		memcpy(written, data, length);
	else if (setup[0] == 0xc0 && setup[1] == 0x5c)
		memcpy(data, written, length);
	else
		return -EPIPE;
	return (int)length;
}

static int zero_transfer(const struct transfer *t)
{
	u32 i;

	if (t->ep != 1 && t->ep != 3)
		return -EPIPE;
	if (t->in)
		memset(t->data, 0, t->length);
	for (i = 0; i < t->length && !t->in; i++)
		if (t->data[i]) /* it takes zeros only, and so finds what is not */
			return -EPIPE;
	return (int)t->length;
}

const struct device device_zero = {
	.vendor = 0x0525,
	.product = 0xa4a0,
	.interface = { 0xff, 0, 0 },
	.name = "emulated zero",
	.configuration = zero_configuration,
	.configuration_bytes = sizeof(zero_configuration),
	.control = zero_control,
	.transfer = zero_transfer,
	.reset = zero_reset,
};
