// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM of the VM that gets a USB device: its UART, its end of the link, and
 * nothing else of the machine. Channels and addresses: *.system.
 */
#include "vmm.h"

enum { CH_UART = 1 };

static const struct ur_guest_irq irqs[] = {
	{ .intid = UR_UART_INTID, .channel = CH_UART },
};

const struct ur_vmm ur_vmm = {
	.end = UR_VMM_A,
	.irqs = irqs,
	.irq_count = sizeof(irqs) / sizeof(irqs[0]),
};
