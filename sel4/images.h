/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's kernel, initramfs and device tree, as linked into its VMM, and
 * where in the guest they go. images.S fills it in; the places are computed from
 * the files' sizes by sel4/place, never typed.
 */
#ifndef UR_IMAGES_H
#define UR_IMAGES_H

#include "env.h"

struct ur_images {
	u64 kernel, kernel_bytes;
	u64 initrd, initrd_bytes;
	u64 dtb, dtb_bytes;
	u64 ram_gpa, ram_bytes;
	u64 initrd_gpa;
	u64 dtb_gpa, dtb_room;	/* the last page of the room is the VMM's */
};

extern const struct ur_images ur_images;

#endif
