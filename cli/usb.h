/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The USB devices of this machine, read anew at each call through libudev. It
 * needs no udevd: all comes from sysfs itself.
 */
#ifndef UR_USB_H
#define UR_USB_H

#include "device.h"

/*
 * Add every USB device but hubs to `list`, those attached from a peer too. A
 * device that disappears meanwhile is left out. 0, or -1 and it was said.
 */
int ur_usb_list(struct ur_device_list *list) ur_must_check;

#endif
