/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a device says it is: the descriptors of USB 2.0 chapter 9 and USB 3.2
 * chapter 9.6, walked once and summed up.
 *
 * Promise. A descriptor that was accepted is whole: every length inside it ends
 *   inside it, every count is the number of things that are there, and no endpoint
 *   or alternate setting is there twice. The summary has a fixed size.
 * Stricter than Linux, on purpose. Linux repairs what it can (too few endpoints,
 *   an endpoint twice, a configuration cut short); the repairs are where its
 *   parsers had their holes, and two parsers that repair differently see two
 *   devices. Here one that needs repair is refused.
 * Class descriptors between the standard ones are stepped over by their length.
 * Work. One pass; per endpoint one look at those before it (at most 256).
 * Threads. None kept. Memory. Nothing is kept; the summary is the caller's.
 * Trust. The bytes are the peer's, already copied to private memory.
 *
 * Every reader takes exactly one descriptor with all that hangs on it, from a
 * cursor that ends where it ends. 0, or UR_PEER_MALFORMED, or UR_PEER_TOO_BIG
 * (more than the summary holds), with `why` filled.
 */
#ifndef UR_DESCRIPTOR_H
#define UR_DESCRIPTOR_H

#include "cursor.h"
#include "refusal.h"

/* bDescriptorType, USB 2.0 table 9-5 and USB 3.2 table 9-6. */
enum ur_descriptor_type {
	UR_DESCRIPTOR_DEVICE = 1,
	UR_DESCRIPTOR_CONFIGURATION = 2,
	UR_DESCRIPTOR_STRING = 3,
	UR_DESCRIPTOR_INTERFACE = 4,
	UR_DESCRIPTOR_ENDPOINT = 5,
	UR_DESCRIPTOR_QUALIFIER = 6,
	UR_DESCRIPTOR_OTHER_SPEED = 7,
	UR_DESCRIPTOR_ASSOCIATION = 11,
	UR_DESCRIPTOR_BOS = 15,
	UR_DESCRIPTOR_CAPABILITY = 16,
	UR_DESCRIPTOR_COMPANION = 48,
};

#define UR_DEVICE_BYTES 18u
#define UR_CONFIGURATION_BYTES 9u
#define UR_BOS_BYTES 5u

/* Our own bounds of a summary. Linux has 8, 32, 128 and 30 an alternate. */
#define UR_CONFIGURATIONS_MAX 8u
#define UR_INTERFACES_MAX 32u
#define UR_ALTERNATES_MAX 128u
#define UR_ENDPOINTS_MAX 256u
#define UR_ALTERNATE_ENDPOINTS_MAX 30u

/* bmAttributes bits 1..0, USB 2.0 table 9-13. */
enum ur_transfer {
	UR_TRANSFER_CONTROL = 0,
	UR_TRANSFER_ISO = 1,
	UR_TRANSFER_BULK = 2,
	UR_TRANSFER_INTERRUPT = 3,
};

struct ur_device_descriptor {
	u16 usb;		/* bcdUSB */
	u8 device_class;
	u8 device_subclass;
	u8 device_protocol;
	u8 max_packet_0;	/* an exponent if usb >= 0x0300 */
	u16 vendor;
	u16 product;
	u16 bcd_device;
	u8 manufacturer_string;	/* string numbers; 0: there is none */
	u8 product_string;
	u8 serial_string;
	u8 configurations;	/* 1..UR_CONFIGURATIONS_MAX */
};

struct ur_endpoint {
	u8 address;		/* bit 7: IN; bits 3..0: number, not 0 */
	u8 type;		/* enum ur_transfer */
	u16 max_packet;		/* wMaxPacketSize, bits 12..0 */
	u8 interval;
	bool has_companion;
	u8 max_burst;		/* of the companion */
	u8 companion_attributes;
	u16 bytes_per_interval;
};

struct ur_alternate {
	u8 interface;		/* < UR_INTERFACES_MAX */
	u8 alternate;
	u8 interface_class;
	u8 interface_subclass;
	u8 interface_protocol;
	u8 endpoints;		/* in endpoint[first_endpoint ...] */
	u16 first_endpoint;
};

/* A configuration with everything in it, in the order it was said. */
struct ur_configuration {
	u8 value;		/* bConfigurationValue; not 0 */
	u8 attributes;
	u8 max_power;
	u8 interfaces;		/* different interface numbers */
	u16 alternates;
	u16 endpoints;
	struct ur_alternate alternate[UR_ALTERNATES_MAX];
	struct ur_endpoint endpoint[UR_ENDPOINTS_MAX];
};

/*
 * How long the whole descriptor says it is, from its first `bytes` bytes: bLength,
 * or wTotalLength where things hang on it (configuration, other speed, BOS).
 * UR_PEER_MALFORMED: too few bytes to tell, another type than `type`, or shorter
 * than its own head.
 */
int ur_descriptor_total(const u8 *at, size_t bytes, u8 type, u32 *total,
			struct ur_refusal *why) ur_must_check;

int ur_device_descriptor_read(struct ur_reader *r,
			      struct ur_device_descriptor *device,
			      struct ur_refusal *why) ur_must_check;

/* `type`: configuration or other speed. */
int ur_configuration_read(struct ur_reader *r, u8 type,
			  struct ur_configuration *configuration,
			  struct ur_refusal *why) ur_must_check;

/* Binary object store: lengths and counts of its capabilities. */
int ur_bos_check(struct ur_reader *r, struct ur_refusal *why) ur_must_check;

/* String `number`; 0 is the table of languages, which must not be empty. */
int ur_string_check(struct ur_reader *r, u8 number,
		    struct ur_refusal *why) ur_must_check;

/*
 * Bytes that ur_string_text() needs at most: 126 units of three bytes, one more
 * because it wants room for a pair of units (four bytes) at once, a NUL.
 */
#define UR_STRING_TEXT_BYTES 380u

/*
 * The text of a checked string descriptor as UTF-8, ended by a NUL. Half of a
 * surrogate pair and the characters 0..31 and 127 become '?'.
 */
void ur_string_text(const u8 *at, size_t bytes, char text[UR_STRING_TEXT_BYTES]);

/*
 * The alternate setting of that interface and number, or NULL. Owned by
 * `configuration`.
 */
const struct ur_alternate *
ur_alternate_find(const struct ur_configuration *configuration, u8 interface,
		  u8 alternate);

#endif
