/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The OP_* messages before the URBs: which devices are there, and give me one.
 * USB/IP 1.1.1; numbers and layout: Linux's Documentation/usb/usbip_protocol.rst
 * ("the protocol" below). Each connection carries one request and its reply.
 *
 *     OP_REQ_DEVLIST   header
 *     OP_REP_DEVLIST   header, then if status is 0: count, and count times
 *                      a device with its interfaces
 *     OP_REQ_IMPORT    header, busid
 *     OP_REP_IMPORT    header, then if status is 0: a device, no interfaces
 *
 * Promise. What a reader here accepted, the writer beside it takes, and writes
 *   the same bytes (but for the interface's padding byte, which Linux's usbipd
 *   may leave undefined: ignored on reading, zero on writing). Strings that were
 *   accepted end inside their field and can be printed; a busid is a file name.
 * Roles. Pieces of fixed length, one reader and one writer each, side by side.
 *   Which piece comes next: op_framer.h. A writer of a whole message calls the
 *   writers in the order above.
 * Threads. None kept, none excluded: all state is the caller's.
 * Memory. Nothing is kept; every pointer is used during the call only.
 * Trust. The bytes are the peer's. A hostile peer can get a piece refused and
 *   can choose every value not bounded below.
 *
 * Every reader returns 0, or UR_PEER_MALFORMED, or UR_PEER_TOO_BIG where it says
 * so, with `why` filled; what it was to fill must not be used then.
 * Every writer returns 0, or UR_BUG_INVALID with `why` filled: there is no room,
 * or the reader would refuse the values; nothing is written then.
 */
#ifndef UR_OP_H
#define UR_OP_H

#include "cursor.h"
#include "refusal.h"
#include "travel.h"

#define UR_OP_VERSION 0x0111u /* 1.1.1 in binary: "Protocol Version" */

/* Lengths on the wire, bytes. */
#define UR_OP_HEADER_BYTES 8u
#define UR_OP_COUNT_BYTES 4u
#define UR_OP_PATH_BYTES 256u
#define UR_OP_BUSID_BYTES 32u
#define UR_OP_DEVICE_BYTES 312u
#define UR_OP_INTERFACE_BYTES 4u

/* Our own limit; Linux's usbipd has none. */
#define UR_OP_DEVICES_MAX 128u
/* Linux's USB_MAXINTERFACES. USB 2.0 section 9.6.3 would allow 255. */
#define UR_OP_INTERFACES_MAX 32u
/* busnum and devnum share a 32-bit devid ("usbip_header_basic"). */
#define UR_OP_NUMBER_MAX 0xffffu

enum ur_op_code {
	UR_OP_REQ_DEVLIST = 0x8005,
	UR_OP_REP_DEVLIST = 0x0005,
	UR_OP_REQ_IMPORT = 0x8003,
	UR_OP_REP_IMPORT = 0x0003,
};

/*
 * Status of a reply. The protocol names 0 and 1 only, the rest is what Linux's
 * tools send (ST_*).
 */
enum ur_op_status {
	UR_OP_OK = 0,
	UR_OP_NA = 1,		/* failed, no reason given */
	UR_OP_DEV_BUSY = 2,	/* somebody has the device */
	UR_OP_DEV_ERR = 3,	/* the device is in an error state */
	UR_OP_NODEV = 4,	/* no such device, or not exported */
	UR_OP_ERROR = 5,	/* the request was not understood */
};

/* "Speed" of a device: Linux's enum usb_device_speed. */
enum ur_op_speed {
	UR_SPEED_UNKNOWN = 0,
	UR_SPEED_LOW = 1,
	UR_SPEED_FULL = 2,
	UR_SPEED_HIGH = 3,
	UR_SPEED_WIRELESS = 4,
	UR_SPEED_SUPER = 5,
	UR_SPEED_SUPER_PLUS = 6,
};

struct ur_op_header {
	u16 code;		/* enum ur_op_code */
	u32 status;		/* enum ur_op_status; 0 in a request */
};

/* What follows a header. */
enum ur_op_body {
	UR_OP_BODY_NONE,
	UR_OP_BODY_BUSID,
	UR_OP_BODY_DEVICE,	/* one device, without its interfaces */
	UR_OP_BODY_LIST,	/* a count, and the devices with interfaces */
};

struct ur_op_busid {
	char text[UR_OP_BUSID_BYTES];
};

struct ur_op_device {
	char path[UR_OP_PATH_BYTES];
	struct ur_op_busid busid;
	u32 busnum;
	u32 devnum;
	u32 speed;		/* enum ur_op_speed */
	u16 vendor;		/* idVendor ... USB 2.0 section 9.6.1 */
	u16 product;
	u16 bcd_device;
	u8 device_class;
	u8 device_subclass;
	u8 device_protocol;
	u8 configuration;	/* bConfigurationValue; 0 = not configured */
	u8 configurations;
	u8 interfaces;		/* bNumInterfaces of that configuration */
};

struct ur_op_interface {
	u8 interface_class;	/* USB 2.0 section 9.6.5 */
	u8 interface_subclass;
	u8 interface_protocol;
};

/* A few words for a person about a status, also for an unknown one. */
const char *ur_op_status_text(u32 status);

/* What the URBs call the device: busnum << 16 | devnum. */
u32 ur_op_devid(const struct ur_op_device *device) ur_must_check;

/*
 * Fill `busid` from a C string, for a request of our own. UR_BUG_INVALID: it is
 * empty, too long, or has a character other than letters, digits and . : _ -
 */
int ur_op_busid_set(struct ur_op_busid *busid, const char *text,
		    struct ur_refusal *why) ur_must_check;

/*
 * Version 1.1.1, and one of the two codes that travel that way; status 0 in a
 * request, one of enum ur_op_status in a reply.
 */
int ur_op_header_read(struct ur_reader *r, enum ur_travel travel,
		      struct ur_op_header *header,
		      struct ur_refusal *why) ur_must_check;
int ur_op_header_write(struct ur_writer *w, enum ur_travel travel,
		       const struct ur_op_header *header,
		       struct ur_refusal *why) ur_must_check;

/* What follows a header that was read or written; a refusal has no body. */
enum ur_op_body ur_op_body(const struct ur_op_header *header) ur_must_check;

/*
 * Not empty, ends inside its field and is filled with zeros; letters, digits and
 * . : _ - only, the first a letter or a digit: no "..", no slash, no option.
 */
int ur_op_busid_read(struct ur_reader *r, struct ur_op_busid *busid,
		     struct ur_refusal *why) ur_must_check;
int ur_op_busid_write(struct ur_writer *w, const struct ur_op_busid *busid,
		      struct ur_refusal *why) ur_must_check;

/* Devices in a list. UR_PEER_TOO_BIG: over UR_OP_DEVICES_MAX. */
int ur_op_count_read(struct ur_reader *r, u32 *count,
		     struct ur_refusal *why) ur_must_check;
int ur_op_count_write(struct ur_writer *w, u32 count,
		      struct ur_refusal *why) ur_must_check;

/*
 * busid as above; path not empty, printable ASCII, ends inside its field and
 * is filled with zeros; busnum and devnum at most UR_OP_NUMBER_MAX; a known speed.
 * UR_PEER_TOO_BIG: over UR_OP_INTERFACES_MAX.
 */
int ur_op_device_read(struct ur_reader *r, struct ur_op_device *device,
		      struct ur_refusal *why) ur_must_check;
int ur_op_device_write(struct ur_writer *w, const struct ur_op_device *device,
		       struct ur_refusal *why) ur_must_check;

/* Nothing is bounded. */
int ur_op_interface_read(struct ur_reader *r, struct ur_op_interface *interface,
			 struct ur_refusal *why) ur_must_check;
int ur_op_interface_write(struct ur_writer *w,
			  const struct ur_op_interface *interface,
			  struct ur_refusal *why) ur_must_check;

#endif
