// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM of the VM that owns the USB controller: the whole PCI bus is its
 * guest's, with the interrupts. Channels and addresses: *.system.
 */
#include "vmm.h"

/* Set by the Microkit tool. */
uintptr_t pci_config;

enum { CH_PCI = 1 };

static const struct ur_guest_irq irqs[] = {
	{ .intid = UR_PCI_INTID, .channel = CH_PCI },
	{ .intid = UR_PCI_INTID + 1, .channel = CH_PCI + 1 },
	{ .intid = UR_PCI_INTID + 2, .channel = CH_PCI + 2 },
	{ .intid = UR_PCI_INTID + 3, .channel = CH_PCI + 3 },
};

/*
 * A controller whose driver died goes on reading and writing what was that
 * driver's memory. Its guest's RAM is about to be another guest's: each function's
 * command register to zero, so that none is a bus master any more.
 */
static void silence_pci(void)
{
	u32 function;

	for (function = 0; function < 256; function++) {
		volatile u32 *id = (volatile u32 *)(pci_config + (function << 12));

		if (*id != 0xffffffff)
			*(volatile u16 *)(id + 1) = 0;
	}
}

const struct ur_vmm ur_vmm = {
	.end = UR_VMM_B,
	.irqs = irqs,
	.irq_count = sizeof(irqs) / sizeof(irqs[0]),
	.silence = silence_pci,
};
