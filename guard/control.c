// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "control.h"
#include "policy.h"

/* Device Firmware Upgrade 1.1: interface class and subclass. */
enum { CLASS_APPLICATION = 0xfe, SUBCLASS_DFU = 1 };
/* A hub's port reset, USB 2.0 section 11.24.2.13. */
enum { HUB_PORT_RESET = 4 };
/* USB 2.0 table 9-6. */
enum { FEATURE_TEST_MODE = 2 };

/* The standard requests that pass, their direction and who may be asked. */
static const struct known {
	u8 request;
	bool is_in;
	bool is_early;
	u8 recipients;		/* bit 1 << enum ur_control_recipient */
} known[] = {
	{ UR_GET_STATUS, true, true, 7 },
	{ UR_CLEAR_FEATURE, false, false, 7 },
	{ UR_SET_FEATURE, false, false, 7 },
	{ UR_GET_DESCRIPTOR, true, true, 3 },
	{ UR_GET_CONFIGURATION, true, true, 1 },
	{ UR_SET_CONFIGURATION, false, true, 1 },
	{ UR_GET_INTERFACE, true, false, 2 },
	{ UR_SET_INTERFACE, false, false, 2 },
	{ UR_SYNCH_FRAME, true, false, 4 },
	{ UR_SET_SEL, false, true, 1 },
	{ UR_SET_ISOCH_DELAY, false, true, 1 },
};

static u16 little(struct ur_reader *r)
{
	u8 low = ur_reader_u8(r);
	u8 high = ur_reader_u8(r);

	return (u16)(high * 0x100u + low);
}

struct ur_control ur_control_read(const u8 setup[UR_PDU_SETUP_BYTES])
{
	struct ur_control c;
	struct ur_reader r;
	u8 type;

	ur_reader_init(&r, setup, UR_PDU_SETUP_BYTES);
	type = ur_reader_u8(&r);
	c.is_in = (type & 0x80) != 0;
	c.kind = (type >> 5) & 3;
	c.recipient = type & 0x1f;
	c.request = ur_reader_u8(&r);
	c.value = little(&r);
	c.index = little(&r);
	c.length = little(&r);
	return c;
}

static const struct known *find(const struct ur_control *c)
{
	u32 i;

	if (c->kind != UR_CONTROL_STANDARD || c->recipient > UR_CONTROL_OTHER)
		return NULL;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].request == c->request &&
		    known[i].is_in == c->is_in &&
		    (known[i].recipients & 1u << c->recipient) != 0)
			return &known[i];
	return NULL;
}

bool ur_control_is(const struct ur_control *c, enum ur_control_request request,
		   enum ur_control_recipient recipient)
{
	const struct known *k = find(c);

	return k && k->request == request && c->recipient == recipient;
}

bool ur_control_is_early(const struct ur_control *c)
{
	const struct known *k = find(c);

	return k && k->is_early && c->recipient == UR_CONTROL_DEVICE;
}

/* A device ignores the direction of a request without data: USB 2.0 section 9.3.1. */
static bool is_read(const struct ur_control *c)
{
	return c->is_in && c->length > 0;
}

static bool is_port_reset(const struct ur_control *c)
{
	return c->kind == UR_CONTROL_CLASS && c->recipient == UR_CONTROL_OTHER &&
	       !is_read(c) && c->request == UR_SET_FEATURE &&
	       c->value == HUB_PORT_RESET;
}

/* A device in a test mode is out of use until its power is cut. */
static bool is_test_mode(const struct ur_control *c)
{
	return c->recipient == UR_CONTROL_DEVICE &&
	       c->request == UR_SET_FEATURE && c->value == FEATURE_TEST_MODE;
}

bool ur_control_is_known(const struct ur_control *c)
{
	if (c->recipient > UR_CONTROL_OTHER || c->kind == UR_CONTROL_RESERVED)
		return false;
	if (c->kind == UR_CONTROL_STANDARD)
		return find(c) != NULL && !is_test_mode(c);
	return !is_port_reset(c);
}

bool ur_control_is_firmware(u8 class, u8 subclass)
{
	return class == CLASS_APPLICATION && subclass == SUBCLASS_DFU;
}

u32 ur_control_changes(const struct ur_control *c, bool is_firmware)
{
	if (is_read(c))
		return 0;
	if (c->kind == UR_CONTROL_VENDOR)
		return UR_CHANGE_VENDOR;
	if (c->kind == UR_CONTROL_CLASS)
		return is_firmware ? UR_CHANGE_DFU : 0;
	switch (c->request) {
	case UR_SET_CONFIGURATION:
		return UR_CHANGE_CONFIGURATION;
	case UR_SET_INTERFACE:
		return UR_CHANGE_INTERFACE;
	case UR_CLEAR_FEATURE:
	case UR_SET_FEATURE:
		return UR_CHANGE_FEATURE;
	default:
		return 0;
	}
}
