/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for the command to run on: included into every file of the test
 * build by -include. All that the command knows of a machine comes from below one
 * directory, $USBROUTE_TEST_ROOT:
 *
 *     sys/        a sysfs of plain files and links     fake_udev.c walks it
 *     dev/        usbroute0, a text that says how      fake_node.c does its
 *                 the link is                          ioctls
 *     run/ var/   the command's own files
 *     journal     every write to sysfs, one a line     fake_kernel.c keeps it,
 *     fail        "PATH ERRNO": this write fails       and does what usbip-host
 *     plug/       the device that appears on attach    and vhci-hcd would do
 */
#ifndef UR_FAKE_H
#define UR_FAKE_H

#include <stddef.h>

/* $USBROUTE_TEST_ROOT and the text behind it; one of a few static buffers. */
const char *fake_path(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The file's text without its last newline, in a static buffer; NULL: none. */
const char *fake_read(const char *path);
void fake_write(const char *path, const char *text);
void fake_append(const char *path, const char *text);

/* A line "NAME VALUE" of a text file; `other` if there is none. */
long fake_number(const char *path, const char *name, long other);
const char *fake_word(const char *path, const char *name, const char *other);

/* fake_udev.c: the kernel announces something about a USB device. */
void fake_event(const char *action, const char *busid);

#define UR_SYSFS_ROOT fake_path("/sys")
#define UR_RUN_ROOT fake_path("%s", "")
#define UR_DEV_ROOT fake_path("%s", "")

#endif
