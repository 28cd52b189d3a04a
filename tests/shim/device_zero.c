// SPDX-License-Identifier: BSD-2-Clause
/*
 * Gadget zeros: a source and a sink of each type of endpoint, at each speed that
 * has all of them (low speed has neither bulk nor isochronous ones).
 *
 *      endpoint    type           full    high    super    bytes of a packet
 *      1 in, out   bulk             64     512     1024
 *      2 in, out   isochronous    1023    1024     1024
 *      3 in, out   interrupt        64      64       64
 *
 * With the class, vendor and product of the kernel's, so that usbtest takes them.
 */
#include "device.h"

#include <errno.h>
#include <string.h>

unsigned int device_pattern;

/* ---- descriptors: USB 2.0 section 9.6, USB 3.2 section 9.6.7 ------------- */

static const u8 full[] = {
	9, 2, 60, 0, 1, 1, 0, 0xc0, 1,
	9, 4, 0, 0, 6, 0xff, 0, 0, 0,
	7, 5, 0x81, 2, 0x40, 0x00, 0,
	7, 5, 0x01, 2, 0x40, 0x00, 0,
	7, 5, 0x82, 1, 0xff, 0x03, 1,
	7, 5, 0x02, 1, 0xff, 0x03, 1,
	7, 5, 0x83, 3, 0x40, 0x00, 4,
	7, 5, 0x03, 3, 0x40, 0x00, 4,
};

static const u8 high[] = {
	9, 2, 60, 0, 1, 1, 0, 0xc0, 1,
	9, 4, 0, 0, 6, 0xff, 0, 0, 0,
	7, 5, 0x81, 2, 0x00, 0x02, 0,	/* bulk, 512 */
	7, 5, 0x01, 2, 0x00, 0x02, 0,
	7, 5, 0x82, 1, 0x00, 0x04, 1,	/* isochronous, 1024, each microframe */
	7, 5, 0x02, 1, 0x00, 0x04, 1,
	7, 5, 0x83, 3, 0x40, 0x00, 4,	/* interrupt, 64 */
	7, 5, 0x03, 3, 0x40, 0x00, 4,
};

/* Behind each endpoint its companion: no bursts; bytes of an interval. */
static const u8 super[] = {
	9, 2, 96, 0, 1, 1, 0, 0xc0, 1,
	9, 4, 0, 0, 6, 0xff, 0, 0, 0,
	7, 5, 0x81, 2, 0x00, 0x04, 0,
	6, 0x30, 0, 0, 0, 0,
	7, 5, 0x01, 2, 0x00, 0x04, 0,
	6, 0x30, 0, 0, 0, 0,
	7, 5, 0x82, 1, 0x00, 0x04, 1,
	6, 0x30, 0, 0, 0x00, 0x04,
	7, 5, 0x02, 1, 0x00, 0x04, 1,
	6, 0x30, 0, 0, 0x00, 0x04,
	7, 5, 0x83, 3, 0x40, 0x00, 4,
	6, 0x30, 0, 0, 0x40, 0x00,
	7, 5, 0x03, 3, 0x40, 0x00, 4,
	6, 0x30, 0, 0, 0x40, 0x00,
};

/* ---- what they do -------------------------------------------------------- */

/* What a vendor request 0x5b wrote, 0x5c reads back, as usbtest expects. */
static u8 written[4096];

static void reset(void)
{
	memset(written, 0, sizeof(written));
}

static int control(const u8 setup[8], u8 *data, u32 length)
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

/* Byte `i` of a transfer whose packets have `packet` bytes. */
static u8 wanted(u32 i, u32 packet)
{
	return device_pattern ? (u8)(i % packet % 63) : 0;
}

static int move(const struct transfer *t, u32 packet)
{
	u32 i;

	for (i = 0; i < t->length; i++)
		if (t->in)
			t->data[i] = wanted(i, packet);
		else if (t->data[i] != wanted(i, packet))
			return -EPIPE;
	return (int)t->length;
}

static int transfer(const struct transfer *t, u32 bulk_packet)
{
	if (t->ep != 1 && t->ep != 3)
		return -EPIPE;
	return move(t, t->ep == 1 ? bulk_packet : 64);
}

static int transfer_full(const struct transfer *t)
{
	return transfer(t, 64);
}

static int transfer_high(const struct transfer *t)
{
	return transfer(t, 512);
}

static int transfer_super(const struct transfer *t)
{
	return transfer(t, 1024);
}

#define ZERO(of_speed, number, text)                                          \
	{                                                                     \
		.vendor = 0x0525, .product = 0xa4a0, .speed = (number),       \
		.interface = { 0xff, 0, 0 }, .name = (text),                  \
		.configuration = of_speed,                                    \
		.configuration_bytes = sizeof(of_speed), .control = control,  \
		.transfer = transfer_##of_speed, .reset = reset,              \
	}

const struct device device_zero = ZERO(high, UR_SPEED_HIGH, "emulated zero");
const struct device device_zero_full =
	ZERO(full, UR_SPEED_FULL, "emulated zero, full speed");
const struct device device_zero_super =
	ZERO(super, UR_SPEED_SUPER, "emulated zero, super speed");
