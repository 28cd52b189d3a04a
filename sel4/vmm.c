// SPDX-License-Identifier: BSD-2-Clause
#include "vmm.h"

/* Set by the Microkit tool: where this domain sees them. */
uintptr_t guest_ram;
uintptr_t outbox;

static struct ur_guest guest;
static struct ur_link_vdev link;

static void stopped(void)
{
	if (ur_vmm.silence)
		ur_vmm.silence();
	ur_link_vdev_stopped(&link);
}

static void describe(void)
{
	guest = (struct ur_guest){
		.ram = (void *)guest_ram,
		.timer = UR_VMM_TIMER,
		.irqs = ur_vmm.irqs,
		.irq_count = ur_vmm.irq_count,
		.link_intid = UR_LINK_INTID,
		.stopped = stopped,
	};
	link = (struct ur_link_vdev){
		.guest = &guest,
		.own = (void *)outbox,
		.peer_gpa = ur_vmm.end == UR_VMM_A ? UR_OUTBOX_B_GPA : UR_OUTBOX_A_GPA,
		.outbox_bytes = UR_OUTBOX_BYTES,
		.bell_gpa = UR_BELL_GPA,
		.peer = UR_VMM_PEER,
	};
}

void init(void)
{
	describe();
	if (ur_guest_init(&guest) && ur_guest_show_counts(&guest, UR_COUNTS_GPA) &&
	    ur_link_vdev_init(&link))
		ur_guest_start(&guest);
}

void notified(microkit_channel channel)
{
	if (channel == UR_VMM_PEER)
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
