/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a person names a device:
 *
 *     1-1.2           its busid; also usbip-vudc.0 of a software device
 *     usb1:1-1.2      its busid at the device VM usb1, as a guard lists it
 *     46f4:0001       vendor and product
 *     serial=XYZ      its serial number, exactly
 *     port=1-1.2      whatever is plugged in there (what a busid means, too)
 */
#ifndef UR_SELECTOR_H
#define UR_SELECTOR_H

#include "command.h"
#include "device.h"

enum ur_selector_kind {
	UR_SELECT_BUSID,
	UR_SELECT_ID,
	UR_SELECT_SERIAL,
};

struct ur_selector {
	enum ur_selector_kind kind;
	char text[UR_STRING_BYTES];	/* the busid or the serial number */
	u16 vendor;
	u16 product;
};

/* UR_EXIT_OK; or UR_EXIT_USAGE, and what was wrong has been said. */
enum ur_exit ur_selector_parse(struct ur_selector *selector,
			       const char *text) ur_must_check;

bool ur_selector_matches(const struct ur_selector *selector,
			 const struct ur_device *device);

/*
 * The one device that matches. UR_EXIT_NO_MATCH, or UR_EXIT_USAGE if several do:
 * each was named on standard error, so that the person can choose.
 */
enum ur_exit ur_selector_find(const struct ur_selector *selector,
			      const struct ur_device_list *list,
			      const struct ur_device **found) ur_must_check;

/* The selector as it was written, for messages. */
#define UR_SELECTOR_TEXT_BYTES (UR_STRING_BYTES + 8)
void ur_selector_print(const struct ur_selector *selector,
		       char text[UR_SELECTOR_TEXT_BYTES]);

/*
 * What to ask the peer for: a busid, or "serial:XYZ".
 *
 * OP_REP_DEVLIST carries no serial numbers, so a client cannot turn one into a
 * busid. It lets the other side do it: the busid field of OP_REQ_IMPORT holds
 * "serial:" and the number, which is not a busid of any Linux but fits the
 * field and its characters, so every byte is still USB/IP 1.1.1. `usbroute serve`
 * looks it up; any other server answers that there is no such device. The price:
 * numbers longer than 24 characters, or with characters that a busid cannot
 * have, cannot be asked for (UR_EXIT_USAGE, said).
 */
#define UR_SERIAL_PREFIX "serial:"
enum ur_exit ur_selector_busid(const struct ur_selector *selector,
			       struct ur_op_busid *busid) ur_must_check;

#endif
