/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VMM puts into its guest's RAM, and where: struct ur_images of images.h.
 * The files come by -D from make; placement.inc is written by sel4/place.
 */
	.include "placement.inc"

	.section .rodata.images, "a"
	.balign 4096
kernel:
	.incbin UR_KERNEL
kernel_end:
	.balign 4096
initrd:
	.incbin UR_INITRD
initrd_end:
	.balign 8
dtb:
	.incbin UR_DTB
dtb_end:

	.balign 8
	.global ur_images
ur_images:
	.quad kernel, kernel_end - kernel
	.quad initrd, initrd_end - initrd
	.quad dtb, dtb_end - dtb
	.quad ram_gpa, ram_bytes, initrd_gpa, dtb_gpa, dtb_room
