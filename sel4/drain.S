/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions of every guest: end what the guest before it left in
 * the virtual processor interface, then enter the kernel.
 *
 * Only a guest can do that: seL4 has no call to empty a list register. An
 * interrupt that was left pending would reach a kernel that has no handler for
 * it yet and never ends it; one that was left active would keep its register, and
 * with it the device, for ever.
 *
 * In: x0 the device tree, which the kernel wants. Runs anywhere; the VMM copies
 * it into the guest's RAM and fills in the words at the end (guest.c).
 */
#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10
#define GICC_APR 0xd0

	.section .rodata.drain, "a"
	.balign 8
	.global ur_drain, ur_drain_entry, ur_drain_gicc, ur_drain_left, ur_drain_end
ur_drain:
	ldr	x9, ur_drain_gicc
	mov	w10, #0xf0
	str	w10, [x9, #GICC_PMR]
	mov	w10, #1
	str	w10, [x9, #GICC_CTLR]
	str	wzr, [x9, #GICC_APR]

	/* What was active, by number. */
	adr	x11, ur_drain_left
	adr	x12, ur_drain_end
1:	cmp	x11, x12
	b.eq	2f
	ldr	w10, [x11], #4
	cmp	w10, #1020
	b.hs	1b
	str	w10, [x9, #GICC_EOIR]
	dsb	sy
	b	1b

	/* What is pending. */
2:	ldr	w10, [x9, #GICC_IAR]
	and	w11, w10, #0x3ff
	cmp	w11, #1020
	b.hs	3f
	str	w10, [x9, #GICC_EOIR]
	dsb	sy
	b	2b

3:	str	wzr, [x9, #GICC_CTLR]
	dsb	sy
	isb
	ldr	x9, ur_drain_entry
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	br	x9

	.balign 8
ur_drain_entry:
	.quad 0
ur_drain_gicc:
	.quad 0
ur_drain_left:
	.word 0x3ff, 0x3ff, 0x3ff, 0x3ff
ur_drain_end:
