/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single attributes of sysfs, by their path below /sys. (libudev walks it, but
 * does not write drivers' attributes.) Errors are -errno.
 */
#ifndef UR_SYSFS_H
#define UR_SYSFS_H

#include "env.h"

#define UR_SYSFS_PATH_BYTES 512
#define UR_SYSFS_PAGE_BYTES 4097	/* no attribute is longer, and a NUL */

/* How many bytes, cut to fit, or -errno. */
int ur_sysfs_read_bytes(const char *path, void *to, size_t size) ur_must_check;

/* The text, cut to fit, its last newline removed. 0 or -errno. */
int ur_sysfs_read(const char *path, char *text, size_t size) ur_must_check;

/*
 * Exactly the bytes of `text`, in one write: several of usbip-host's attributes
 * take a newline as part of a name. 0 or -errno.
 */
int ur_sysfs_write(const char *path, const char *text) ur_must_check;

bool ur_sysfs_exists(const char *path) ur_must_check;

/* The name of the driver of a USB device; "" if it has none, or is gone. */
void ur_sysfs_driver(const char *busid, char *driver, size_t size);

#endif
