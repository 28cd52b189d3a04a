/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A USB device as the commands see it, of this machine or of the peer, and a
 * list of them.
 */
#ifndef UR_DEVICE_H
#define UR_DEVICE_H

#include "op.h"

#define UR_DRIVER_BYTES 32
#define UR_STRING_BYTES 128	/* USB string descriptors: at most 126 characters */

struct ur_device_interface {
	struct ur_op_interface op;
	char name[UR_OP_BUSID_BYTES];	/* "1-1:1.0"; local devices only */
	char driver[UR_DRIVER_BYTES];	/* local devices only; "" = none */
};

struct ur_device {
	struct ur_op_device op;
	struct ur_device_interface interfaces[UR_OP_INTERFACES_MAX];
	u32 interface_count;		/* those of the array; at most op's */
	/* Known of local devices only; "" where unknown. */
	char driver[UR_DRIVER_BYTES];	/* "usb", "usbip-host", ... */
	char serial[UR_STRING_BYTES];
	char manufacturer[UR_STRING_BYTES];
	char product[UR_STRING_BYTES];
	bool is_attached;		/* hangs on vhci-hcd: is a peer's device */
};

/* Starts as { 0 }; the items are the list's until ur_device_list_free(). */
struct ur_device_list {
	struct ur_device *items;
	u32 count;
	u32 room;
};

/* A new item at the end, all zero. NULL: no memory, and that was said. */
struct ur_device *ur_device_list_add(struct ur_device_list *list);
void ur_device_list_free(struct ur_device_list *list);

/* NULL: none with that busid. */
const struct ur_device *ur_device_by_busid(const struct ur_device_list *list,
					   const char *busid);

bool ur_device_is_hub(const struct ur_device *device);

/* "high", "super", ...; "unknown" for anything else. */
const char *ur_speed_text(u32 speed);
/* From sysfs's megabits per second ("480"); NULL or unknown: UR_SPEED_UNKNOWN. */
u32 ur_speed_from_sysfs(const char *text);

/* "storage", "hid", ...; "" where the number has no short name. */
const char *ur_class_text(u8 number);

#endif
