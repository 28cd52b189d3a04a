/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's half of an OP_* exchange, over any connected stream.
 *
 * Trust. The answer is the peer's: it is read piece by piece by wire/op_framer.h, a
 *   piece that cannot be true ends the exchange, and at most
 *   UR_OP_DEVICES_MAX devices are taken. A peer that sends nothing costs the time
 *   up to the deadline.
 *
 * Every function that fails has said why and returns the exit status for it.
 */
#ifndef UR_ASK_H
#define UR_ASK_H

#include "command.h"
#include "device.h"

/* Which devices does the peer export? Adds them to `list`. */
enum ur_exit ur_ask_devices(int fd, u64 deadline_ms,
			    struct ur_device_list *list) ur_must_check;

/*
 * Give me that device. UR_EXIT_NO_MATCH: there is none. UR_EXIT_REFUSED: it is
 * in use, or in error. After UR_EXIT_OK the stream carries URBs, from its next
 * byte on, and *device is what was given: the device asked for, or if it was
 * asked for by serial number (selector.h) any.
 */
enum ur_exit ur_ask_import(int fd, u64 deadline_ms,
			   const struct ur_op_busid *busid,
			   struct ur_op_device *device) ur_must_check;

#endif
