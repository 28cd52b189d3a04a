/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One Linux guest of a VMM: its images, its life and its sleep. guest.c is the
 * only file here that calls libvmm, so what changes between its releases
 * changes there.
 *
 * Roles. A VMM (device_vmm.c, client_vmm.c) describes its guest, starts it once
 *   from init() and hands on every notification and every fault.
 * Threads. A protection domain has one.
 * Memory. The VMM owns struct ur_guest; it lives as long as the VMM.
 * Trust. Whatever the guest does reaches at most itself: its faults, its
 *   registers and its RAM are claims. A guest that stops is started again.
 */
#ifndef UR_GUEST_H
#define UR_GUEST_H

#include <microkit.h>

#include "env.h"

/* A hardware interrupt that the guest handles itself. */
struct ur_guest_irq {
	u32 intid;
	u32 channel;
};

/* A store to, or a load from, memory that stage 2 does not give the guest. */
struct ur_guest_access {
	u64 offset;	/* in the range that was registered */
	bool write;
	u32 value;	/* of a load: what the guest gets, zero if the trap says nothing */
};

typedef void (*ur_guest_trap_fn)(struct ur_guest_access *access, void *data);

/* Why the guest came to its VMM; as words, what it reads in its page of counts. */
enum ur_guest_count {
	UR_GUEST_WAITS,		/* WFI, WFE */
	UR_GUEST_TIMER,		/* its timer fired */
	UR_GUEST_ACKS,		/* it ended an interrupt */
	UR_GUEST_ACCESSES,	/* memory that it does not have: GIC, doorbell */
	UR_GUEST_OTHERS,
	UR_GUEST_AWAKE_US,	/* microseconds, up to its last sleep */
	UR_GUEST_COUNTS
};

struct ur_guest {
	void *ram;		/* where the VMM sees the guest's RAM */
	u32 timer;		/* channel of the timer, to ask for a wake-up */
	const struct ur_guest_irq *irqs;
	u32 irq_count;
	u32 link_intid;		/* the interrupt that the VMM itself raises */
	/*
	 * The guest does not run any more; it is off, or about to be started
	 * again. For the link, and to silence its devices.
	 */
	void (*stopped)(void);

	/* private */
	u32 starts;		/* in a row, each soon after the one before */
	u64 started;		/* when, in ticks */
	bool asleep;		/* its vCPU is stopped until something wakes it */
	u32 counts[UR_GUEST_COUNTS];	/* since the VMM started; they wrap */
	u64 woke_at;		/* in ticks */
	bool rung_again;	/* the link's interrupt, before the guest ended the last one */
	u64 held_until;		/* in ticks; 0: not held */
};

/* Prepare the guest. Once, before anything else; false: said why, nothing runs. */
bool ur_guest_init(struct ur_guest *g);

/* Put its images in its RAM and let it run. */
bool ur_guest_start(struct ur_guest *g);


/* Raise link_intid, and wake the guest if it sleeps. Where it is not enabled, nothing. */
void ur_guest_inject(struct ur_guest *g);

/* A page of guest-physical memory that loads `counts`. */
bool ur_guest_show_counts(struct ur_guest *g, u64 gpa);

/* A range of guest-physical memory whose accesses `trap` is told of. */
bool ur_guest_trap(u64 gpa, u64 bytes, ur_guest_trap_fn trap, void *data);

/*
 * From notified(): a passed-through interrupt or the timer. False: the channel
 * is somebody else's.
 */
bool ur_guest_notified(struct ur_guest *g, u32 channel);

/* From fault(): true if the guest is to be answered, and so goes on. */
bool ur_guest_fault(struct ur_guest *g, microkit_msginfo info);

/* Let the guest do nothing before `ticks`; it looks at this when it traps. */
void ur_guest_hold(struct ur_guest *g, u64 ticks);

/* The counter that both guests' timers and the timer PD run on. */
u64 ur_guest_now(void);
u64 ur_guest_ticks_per_ms(void);

/* One prefixed line on the debug console; nothing where the kernel has none. */
void ur_guest_say(const char *what, u64 value);

#endif
