// SPDX-License-Identifier: BSD-2-Clause
/*
 * A disk: bulk-only transport (class 8, subclass 6, protocol 0x50) and the SCSI
 * commands that Linux sends. Each sector says its own number, in lines of 15
 * digits, until somebody writes it.
 *
 *      CBW (31 bytes out) -> data, in or out -> CSW (13 bytes in)
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CBW_BYTES 31u
#define CSW_BYTES 13u

enum phase { PHASE_CBW, PHASE_IN, PHASE_OUT, PHASE_CSW };

static const u8 configuration[] = {
	9, 2, 32, 0, 1, 1, 0, 0xc0, 1,
	9, 4, 0, 0, 2, 8, 6, 0x50, 0,
	7, 5, 0x81, 2, 0x00, 0x02, 0,
	7, 5, 0x02, 2, 0x00, 0x02, 0,
};

static u8 medium[DISK_BLOCKS * DISK_BLOCK];
static enum phase phase;
static u8 tag[4];
static u32 asked;	/* bytes that the CBW announced */
static u32 moved;
static bool failed;
static u8 small[256];	/* an answer that is not the medium's */
static u8 *from;	/* the data of this command, `left` bytes */
static u32 left;

static void reset(void)
{
	u32 i;

	phase = PHASE_CBW;
	for (i = 0; i < sizeof(medium) / 16; i++) {
		char line[17];

		snprintf(line, sizeof(line), "%015u\n", i / 32);
		memcpy(medium + 16 * (size_t)i, line, 16);
	}
}

static u32 be32(const u8 *b)
{
	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static void put_be32(u8 *b, u32 value)
{
	b[0] = (u8)(value >> 24);
	b[1] = (u8)(value >> 16);
	b[2] = (u8)(value >> 8);
	b[3] = (u8)value;
}

/* ---- SCSI ---------------------------------------------------------------- */

static void answer(u32 bytes)
{
	from = small;
	left = bytes < asked ? bytes : asked;
}

static void inquiry(void)
{
	small[2] = 6;
	small[3] = 2;
	small[4] = 31;
	memcpy(small + 8, "usbroute" "emulated disk   " "1.0 ", 28);
	answer(36);
}

static void capacity(void)
{
	put_be32(small, DISK_BLOCKS - 1);
	put_be32(small + 4, DISK_BLOCK);
	answer(8);
}

static void read_or_write(const u8 *command)
{
	u32 block = be32(command + 2);
	u32 count = (u32)command[7] << 8 | command[8];

	if (block > DISK_BLOCKS || count > DISK_BLOCKS - block ||
	    count * DISK_BLOCK != asked) {
		failed = true;
		return;
	}
	from = medium + (size_t)block * DISK_BLOCK;
	left = asked;
}

static void sense(void)
{
	small[0] = 0x70;
	small[2] = 5; /* illegal request */
	small[7] = 10;
	small[12] = 0x20;
	answer(18);
}

static void command(const u8 *c)
{
	memset(small, 0, sizeof(small));
	switch (c[0]) {
	case 0x00: /* TEST UNIT READY */
	case 0x1b: /* START STOP UNIT */
	case 0x1e: /* PREVENT MEDIUM REMOVAL */
	case 0x35: /* SYNCHRONIZE CACHE */
		return;
	case 0x03:
		return sense();
	case 0x12:
		return inquiry();
	case 0x1a: /* MODE SENSE(6): no pages */
		small[0] = 3;
		return answer(4);
	case 0x25:
		return capacity();
	case 0x28:
	case 0x2a:
		return read_or_write(c);
	}
	failed = true;
}

/* ---- the transport ------------------------------------------------------- */

static int take_cbw(const struct transfer *t)
{
	if (t->in || t->length != CBW_BYTES || memcmp(t->data, "USBC", 4))
		return -EPIPE;
	memcpy(tag, t->data + 4, sizeof(tag));
	asked = (u32)t->data[8] | (u32)t->data[9] << 8 | (u32)t->data[10] << 16 |
		(u32)t->data[11] << 24;
	moved = 0;
	left = 0;
	failed = false;
	command(t->data + 15);
	phase = asked == 0 ? PHASE_CSW : t->data[12] & 0x80 ? PHASE_IN : PHASE_OUT;
	return CBW_BYTES;
}

static int give_data(const struct transfer *t)
{
	u32 n = t->length < left ? t->length : left;

	if (!t->in)
		return -EPIPE;
	memcpy(t->data, from, n);
	from += n;
	left -= n;
	moved += n;
	if (n < t->length || moved == asked)
		phase = PHASE_CSW;
	return (int)n;
}

static int take_data(const struct transfer *t)
{
	u32 n = t->length < left ? t->length : left;

	if (t->in)
		return -EPIPE;
	memcpy(from, t->data, n);
	from += n;
	left -= n;
	moved += t->length;
	if (moved >= asked)
		phase = PHASE_CSW;
	return (int)t->length;
}

static int give_csw(const struct transfer *t)
{
	u32 residue = asked > moved ? asked - moved : 0;
	const u8 csw[CSW_BYTES] = {
		'U', 'S', 'B', 'S', tag[0], tag[1], tag[2], tag[3], (u8)residue,
		(u8)(residue >> 8), (u8)(residue >> 16), (u8)(residue >> 24), failed,
	};

	if (!t->in || t->length < CSW_BYTES)
		return -EPIPE;
	phase = PHASE_CBW;
	memcpy(t->data, csw, CSW_BYTES);
	return CSW_BYTES;
}

static int transfer(const struct transfer *t)
{
	if (t->ep != (t->in ? 1 : 2))
		return -EPIPE;
	switch (phase) {
	case PHASE_CBW:
		return take_cbw(t);
	case PHASE_IN:
		return give_data(t);
	case PHASE_OUT:
		return take_data(t);
	case PHASE_CSW:
		return give_csw(t);
	}
	return -EPIPE;
}

static int control(const u8 setup[8], u8 *data, u32 length)
{
	if (setup[0] == 0xa1 && setup[1] == 0xfe && length) { /* GET_MAX_LUN */
		data[0] = 0;
		return 1;
	}
	if (setup[0] == 0x21 && setup[1] == 0xff) { /* bulk-only reset */
		phase = PHASE_CBW;
		return 0;
	}
	return -EPIPE;
}

const struct device device_disk = {
	.vendor = 0x46f4,
	.product = 0x0001,
	.speed = UR_SPEED_HIGH,
	.interface = { 8, 6, 0x50 },
	.name = "emulated disk",
	.configuration = configuration,
	.configuration_bytes = sizeof(configuration),
	.control = control,
	.transfer = transfer,
	.reset = reset,
};
