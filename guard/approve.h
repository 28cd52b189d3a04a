/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Policy met with what a device said: once by its import, once by its descriptors.
 * For guard.c only; everything lives in struct ur_guard.
 */
#ifndef UR_APPROVE_H
#define UR_APPROVE_H

#include "guard.h"

/* By the import: identity and port. What is not known yet cannot allow more. */
int ur_approve_import(struct ur_guard *g, struct ur_verdict *v) ur_must_check;

/* The device descriptor, if it is whole, is that of the device imported. */
int ur_approve_device(struct ur_guard *g, struct ur_verdict *v) ur_must_check;

/*
 * By the descriptors: device, every configuration (all pinned, no value twice), and
 * the strings, if a rule asks for such: all read that the device names, or "" where
 * it said that it has none.
 */
int ur_approve_descriptors(struct ur_guard *g,
			   struct ur_verdict *v) ur_must_check;

/* Asked for that string in that language, the device had none. */
void ur_approve_lacks(struct ur_guard *g, u8 number, u16 language);

/*
 * Whether a class's write may reach an interface that takes firmware: the one that it
 * goes to or, where it goes to none, any. In whatever setting and configuration,
 * since the client may select another in the same breath. The device was approved.
 */
bool ur_approve_is_firmware(const struct ur_guard *g,
			    const struct ur_control *c) ur_must_check;

/* The pinned configuration of that value, left in g->scratch? */
bool ur_approve_find(struct ur_guard *g, u32 value) ur_must_check;

#endif
