/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VMM with one Linux guest and one end of a link says of itself. vmm.c has
 * the entry points that Microkit calls; each VMM is this struct.
 */
#ifndef UR_VMM_H
#define UR_VMM_H

#include "board.h"
#include "guest.h"
#include "link_vdev.h"

#define UR_VMM_PEER 10	/* channels, as in every system description */
#define UR_VMM_TIMER 11

struct ur_vmm {
	enum { UR_VMM_A, UR_VMM_B } end;
	const struct ur_guest_irq *irqs;
	u32 irq_count;
	/* The guest does not run any more: stop what its devices still do. Or NULL. */
	void (*silence)(void);
};

extern const struct ur_vmm ur_vmm;

#endif
