/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Endpoints that class drivers take for granted.
 *
 * A description may be whole by chapter 9 of the USB specification and still lack
 * what its driver uses without looking: the driver then reads a descriptor that
 * is not there. Two tables: what a class's specification demands of every device
 * of that class, and, for devices without a class, what the Linux driver of that
 * very device needs. The second is a list of signatures: it helps against the
 * descriptions it knows, and an unknown device is the policy's business.
 *
 * Stateless, no memory of its own. Trust: every field is the device's claim.
 */
#ifndef UR_KNOWN_H
#define UR_KNOWN_H

#include "descriptor.h"
#include "reason.h"

/*
 * May a driver be bound to this configuration of the device vendor:product?
 * UR_PEER_BROKEN, and why: UR_REASON_DESCRIPTOR where a class's specification
 * says so, UR_REASON_KNOWN_DEVICE where the second table does.
 */
int ur_known_check(u16 vendor, u16 product,
		   const struct ur_configuration *configuration,
		   struct ur_verdict *v) ur_must_check;

#endif
