/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USBGuard's rule language to the guard's table (guard/policy.h). A part of the
 * language: allow, block, reject; id, name, serial, via-port, with-interface, each
 * with a set operator or without; label. What is left out (hash, parent-hash,
 * with-connect-type, if) is an error, not ignored.
 *
 *     label "to=CLIENT deny=CHANGE,CHANGE..."     either word may be missing
 *     CHANGE  set-configuration set-interface feature dfu vendor
 */
#ifndef UR_COMPILE_H
#define UR_COMPILE_H

#include "policy.h"

/* Room for the largest table there can be. */
#define UR_COMPILE_BYTES                                           \
	(UR_POLICY_HEADER_BYTES +                                  \
	 UR_POLICY_RULES_MAX * UR_POLICY_RULE_BYTES +              \
	 UR_POLICY_VALUES_MAX * UR_POLICY_VALUE_BYTES + UR_POLICY_TEXT_MAX)

/* Where the text is wrong, both from 1, and why. */
struct ur_compile_error {
	u32 line;
	u32 column;
	char text[160];
};

/*
 * Compile `text` into `table` (UR_COMPILE_BYTES). The bytes of the table, or
 * UR_BUG_INVALID with `error` filled. The table is one that ur_policy_load() takes.
 */
int ur_compile(const char *text, u8 *table,
	       struct ur_compile_error *error) ur_must_check;

/* Texts that a device description may hold, for `device` below. */
#define UR_COMPILE_TEXT_BYTES 256
#define UR_COMPILE_INTERFACES_MAX 256

/* A device written in the same language, without a target. */
struct ur_compile_device {
	struct ur_policy_device device;	/* points into the rest */
	char name[UR_COMPILE_TEXT_BYTES];
	char serial[UR_COMPILE_TEXT_BYTES];
	char port[UR_COMPILE_TEXT_BYTES];
	char client[UR_COMPILE_TEXT_BYTES];
	struct ur_interface_type interface[UR_COMPILE_INTERFACES_MAX];
};

/*
 * Read a device, for instance: id 46f4:0001 serial "1" via-port "1-1"
 * with-interface 08:06:50 label "to=client1". What is not said is empty.
 */
int ur_compile_device(const char *text, struct ur_compile_device *device,
		      struct ur_compile_error *error) ur_must_check;

#endif
