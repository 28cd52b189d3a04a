/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and interrupts that the VMMs have to know, as the guests see them.
 * The same numbers stand in direct.system and guarded.system (who may) and dts/
 * (what Linux is told). An INTID is the device tree's SPI number plus 32.
 */
#ifndef UR_BOARD_H
#define UR_BOARD_H

/* The link: the same places in both guests, on every board. */
#define UR_OUTBOX_A_GPA 0x80000000ull
#define UR_OUTBOX_B_GPA 0x81000000ull
#define UR_OUTBOX_BYTES 0x800000ull
#define UR_BELL_GPA 0x8f000000ull
#define UR_COUNTS_GPA 0x8f001000ull
#define UR_LINK_INTID 79

#if defined(BOARD_qemu_virt_aarch64)
#define UR_GICC_GPA 0x08010000ull	/* GICv2's processor interface */
#define UR_UART_INTID 33
#define UR_PCI_INTID 35		/* INTA to INTD are four in a row */
#else
#error "this board is not described: see docs/sel4.md, Another board"
#endif

#endif
