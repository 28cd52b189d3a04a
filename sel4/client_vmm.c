// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM of the VM that gets a USB device: its UART, its end of the link, and
 * nothing else of the machine. Channels and addresses: direct.system.
 */
#include "board.h"
#include "guest.h"
#include "link_vdev.h"

/* Set by the Microkit tool: where this domain sees them. */
uintptr_t guest_ram;
uintptr_t outbox;

enum { CH_UART = 1, CH_PEER = 10, CH_TIMER = 11 };

static const struct ur_guest_irq irqs[] = {
	{ .intid = UR_UART_INTID, .channel = CH_UART },
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
	.peer_gpa = UR_OUTBOX_B_GPA,
	.outbox_bytes = UR_OUTBOX_BYTES,
	.bell_gpa = UR_BELL_GPA,
	.peer = CH_PEER,
};

static void stopped(bool again)
{
	(void)again;
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
