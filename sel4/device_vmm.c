// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM of the VM that owns the USB controller: the whole PCI bus is its
 * guest's, with the interrupts. Channels and addresses: direct.system.
 */
#include "board.h"
#include "guest.h"
#include "link_vdev.h"

/* Set by the Microkit tool: where this domain sees them. */
uintptr_t guest_ram;
uintptr_t outbox;
uintptr_t pci_config;

enum { CH_PCI = 1, CH_PEER = 10, CH_TIMER = 11 };

static const struct ur_guest_irq irqs[] = {
	{ .intid = UR_PCI_INTID, .channel = CH_PCI },
	{ .intid = UR_PCI_INTID + 1, .channel = CH_PCI + 1 },
	{ .intid = UR_PCI_INTID + 2, .channel = CH_PCI + 2 },
	{ .intid = UR_PCI_INTID + 3, .channel = CH_PCI + 3 },
};

static void stopped(bool again);

static struct ur_guest guest = {
	.timer = CH_TIMER,
	.irqs = irqs,
	.irq_count = sizeof(irqs) / sizeof(irqs[0]),
	.link_intid = UR_LINK_INTID,
	.stopped = stopped,
};

static struct ur_link_vdev link = {
	.guest = &guest,
	.peer_gpa = UR_OUTBOX_A_GPA,
	.outbox_bytes = UR_OUTBOX_BYTES,
	.bell_gpa = UR_BELL_GPA,
	.peer = CH_PEER,
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

static void stopped(bool again)
{
	(void)again;
	silence_pci();
	ur_link_vdev_stopped(&link);
}

void init(void)
{
	guest.ram = (void *)guest_ram;
	link.own = (void *)outbox;
	if (ur_guest_init(&guest) && ur_guest_show_counts(&guest, UR_COUNTS_GPA) &&
	    ur_link_vdev_init(&link))
		ur_guest_start(&guest);
}

void notified(microkit_channel channel)
{
	if (channel == CH_PEER)
		ur_link_vdev_notified(&link);
	else if (!ur_guest_notified(&guest, channel))
		ur_guest_say("a notification on a channel nobody has:", channel);
}

seL4_Bool fault(microkit_child child, microkit_msginfo info, microkit_msginfo *reply)
{
	(void)child;
	*reply = microkit_msginfo_new(0, 0);
	return ur_guest_fault(&guest, info);
}
