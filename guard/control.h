/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a control request asks: its setup packet in words (USB 2.0 section 9.3),
 * and what it would change. Stateless; the bytes are the client's.
 */
#ifndef UR_CONTROL_H
#define UR_CONTROL_H

#include "descriptor.h"
#include "pdu.h"

/* bmRequestType bits 6..5 and 4..0. */
enum ur_control_kind {
	UR_CONTROL_STANDARD = 0,
	UR_CONTROL_CLASS = 1,
	UR_CONTROL_VENDOR = 2,
	UR_CONTROL_RESERVED = 3,
};

enum ur_control_recipient {
	UR_CONTROL_DEVICE = 0,
	UR_CONTROL_INTERFACE = 1,
	UR_CONTROL_ENDPOINT = 2,
	UR_CONTROL_OTHER = 3,
};

/* bRequest of standard requests: USB 2.0 table 9-4, USB 3.2 table 9-5. */
enum ur_control_request {
	UR_GET_STATUS = 0,
	UR_CLEAR_FEATURE = 1,
	UR_SET_FEATURE = 3,
	UR_SET_ADDRESS = 5,
	UR_GET_DESCRIPTOR = 6,
	UR_SET_DESCRIPTOR = 7,
	UR_GET_CONFIGURATION = 8,
	UR_SET_CONFIGURATION = 9,
	UR_GET_INTERFACE = 10,
	UR_SET_INTERFACE = 11,
	UR_SYNCH_FRAME = 12,
	UR_SET_SEL = 48,
	UR_SET_ISOCH_DELAY = 49,
};

struct ur_control {
	bool is_in;
	u8 kind;		/* enum ur_control_kind */
	u8 recipient;		/* enum ur_control_recipient, or above it */
	u8 request;
	u16 value;
	u16 index;
	u16 length;
};

struct ur_control ur_control_read(const u8 setup[UR_PDU_SETUP_BYTES])
	ur_must_check;

/* That standard request, in that direction? */
bool ur_control_is(const struct ur_control *c, enum ur_control_request request,
		   enum ur_control_recipient recipient) ur_must_check;

/*
 * Whether it may pass before a configuration of a device that policy approved is
 * selected: what a host needs to read descriptors, and nothing else.
 */
bool ur_control_is_early(const struct ur_control *c) ur_must_check;

/*
 * Whether it may pass at all. Not: reserved kinds and recipients, standard requests
 * that USB does not have, SET_ADDRESS (each side's own affair), SET_DESCRIPTOR (what
 * is pinned does not change), test modes, and the request that Linux's usbip-host
 * takes for a port reset.
 */
bool ur_control_is_known(const struct ur_control *c) ur_must_check;

/* Whether an interface of that class and subclass takes firmware. */
bool ur_control_is_firmware(u8 class, u8 subclass) ur_must_check;

/*
 * What it would change: bits of enum ur_policy_change; nothing, if it reads data. `is_firmware`: a class's
 * write would reach an interface that takes firmware.
 */
u32 ur_control_changes(const struct ur_control *c,
		       bool is_firmware) ur_must_check;

#endif
