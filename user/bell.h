/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The doorbell of a link between processes, from the side of one end.
 *
 * Who waits takes a ticket, looks at what it waits for, and waits with that
 * ticket: a doorbell rung in between ends the wait at once.
 *
 *      futex      the ringer counts in `bell` of its own outbox and wakes that
 *                 word; all who wait do so on the peer's word
 *      eventfds   one of those who wait pumps: it polls the eventfd, empties it
 *                 and ends everybody's turn; the others wait for the turn's end
 *
 * A hostile peer can ring without pause, and each doorbell would wake this
 * process for nothing. So they are paid for: a doorbell heard and an epoch met cost
 * one each, one thing that we moved or opened and one millisecond earn one each, and
 * at most UR_BELL_SAVINGS are kept. Whoever has nothing left naps for a millisecond
 * and hears nothing meanwhile. An honest peer rings when there is something to do,
 * and never gets there; a storm gets a thousand looks a second.
 */
#ifndef UR_BELL_H
#define UR_BELL_H

#include "link.h"

#define UR_BELL_SAVINGS 256u
#define UR_BELL_NAP_NS 1000000ull

struct ur_bell {
	ur_shm32 *own;		/* our bell word */
	const ur_shm32 *peer;	/* the peer's */
	int ring_fd;		/* -1: futex */
	int wait_fd;
	u32 rung;		/* what our word says; never read back */
	u32 heard;		/* what the peer's word said last */
	u32 turn;		/* futex of this process only */
	u32 savings;		/* doorbells that may still be heard */
	u64 heard_paid;		/* of `received` */
	u64 met_paid;		/* of the link's epochs */
	u64 work_paid;		/* what the link had done then */
	u64 paid_ns;		/* until when time was counted */
	bool pumped;		/* a thread polls wait_fd */
	u32 loss_percent;
	u32 random;
	u64 sent;
	u64 received;
	u64 lost;
	u64 naps;
};

/* Duplicates the eventfds, if there are two. Returns 0 or a negative errno. */
int ur_bell_open(struct ur_bell *b, struct ur_header_shm *own,
		 const struct ur_header_shm *peer, int ring_fd, int wait_fd)
	ur_must_check;
void ur_bell_close(struct ur_bell *b);

/* LOCKED: count a doorbell of ours. False: the test knob loses it. */
bool ur_bell_count(struct ur_bell *b) ur_must_check;

/* UNLOCKED: wake the peer. */
void ur_bell_ring(struct ur_bell *b);

/* LOCKED: a ticket for ur_bell_wait(). */
u32 ur_bell_ticket(struct ur_bell *b) ur_must_check;

/*
 * LOCKED: settle accounts. `work` counts what we moved and opened, `met` the peer's
 * epochs. Returns whether there is a storm: the next wait has to be a nap.
 */
bool ur_bell_is_storm(struct ur_bell *b, u64 work, u64 met, u64 now_ns) ur_must_check;

/* UNLOCKED: UR_BELL_NAP_NS or less; `turn` is from under the lock. As a wait. */
int ur_bell_nap(struct ur_bell *b, u32 turn, u64 timeout_ns) ur_must_check;

/* LOCKED: become the pump, if there has to be one and is none. */
bool ur_bell_take_pump(struct ur_bell *b) ur_must_check;

/* UNLOCKED: returns 0, also when the time is up or for nothing, or -EINTR. */
int ur_bell_wait(struct ur_bell *b, u32 ticket, u64 timeout_ns) ur_must_check;

/* UNLOCKED: the same for the pump; 1: a doorbell was there. */
int ur_bell_pump(struct ur_bell *b, u64 timeout_ns) ur_must_check;

/* LOCKED: no longer the pump; wakes the others. Takes the pump's result. */
void ur_bell_leave_pump(struct ur_bell *b, int pumped);

/*
 * Wake everyone of this process who waits. With a futex it reaches only who
 * already waits in the kernel, so the caller repeats it until they all left.
 */
void ur_bell_kick(struct ur_bell *b);

#endif
