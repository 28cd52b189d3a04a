/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the binding share. LOCKED functions are called with the
 * link's lock held; ur_wait_* give it away while they sleep and have it again
 * when they return.
 */
#ifndef UR_USER_INTERNAL_H
#define UR_USER_INTERNAL_H

#include <pthread.h>

#include "bell.h"
#include "channel.h"
#include "doorbell.h"
#include "file_link.h"
#include "region.h"

/* Both directions of a channel, seen from this end. */
enum ur_direction { UR_SENDING, UR_RECEIVING };

/* Calls that wait to be accepted, oldest first. */
struct ur_listener {
	u32 service;
	u32 backlog;		/* 0: this slot is free */
	u32 waiting;
	struct {
		u32 channel;
		u32 generation;
	} calls[UR_CHANNELS_MAX];
};

struct ur_file_link {
	/* Never changed once the link is open. */
	u32 ring_bytes;
	u32 spin_ns;
	bool interruptible;
	int linger_ms;

	pthread_mutex_t lock;		/* of all below, but for `copying` */
	struct ur_link core;
	struct ur_region region;
	struct ur_bell bell;
	struct ur_listener listeners[UR_LISTENERS_MAX];
	struct ur_stream *streams;
	bool stopped;
	u64 watchdog_ns;	/* when to look whether the peer lives */
	u64 burials;

	u32 changes;		/* grows when something may have become possible */
	enum ur_link_state noted_state;	/* of the last change noted */
	u32 noted_epoch;
	u32 told_changes;	/* of state or epoch, at the last info */
	u32 state_changes;

	/*
	 * A kick has to reach who gave the lock away but does not sleep yet.
	 * It begins another round and goes on until nobody sleeps in the old.
	 */
	bool kick;
	u32 round;
	u32 asleep[2];		/* by the lowest bit of the round */

	/*
	 * Held while copying, taken before `lock`. Of the channel and not of
	 * the stream: the channel's next user waits for a copy of the last.
	 */
	pthread_mutex_t copying[2][UR_CHANNELS_MAX];
};

struct ur_stream {
	struct ur_file_link *link;
	struct ur_stream *next;
	struct ur_stream **previous;
	struct ur_ticket ticket;
	u32 service;
	unsigned int shut;	/* UR_SHUT_ */
	struct ur_spin spin[2];	/* of ur_wait_now_ns() */
};

/* ---- wait.c -------------------------------------------------------------- */

/* Of CLOCK_MONOTONIC. */
u64 ur_wait_now_ns(void);

/* A deadline for timeout_ms; UINT64_MAX for UR_FOREVER. */
u64 ur_wait_deadline(int timeout_ms);

void ur_wait_lock(struct ur_file_link *l);

/* Give the lock back; ring and kick as needed. */
void ur_wait_unlock(struct ur_file_link *l);

/* LOCKED: look at the peer, at its life when due, and settle calls. */
void ur_wait_look(struct ur_file_link *l);

/* LOCKED: what a wait is for. */
struct ur_wait {
	bool (*is_over)(struct ur_file_link *l, const struct ur_wait *w);
	u64 deadline;
};

/* LOCKED: 0, -ETIMEDOUT (-EAGAIN if deadline is 0), -EINTR, -ESHUTDOWN. */
int ur_wait_until(struct ur_file_link *l, const struct ur_wait *w)
	ur_must_check;

/* LOCKED: wait until anything about the link or a channel's word changed. */
int ur_wait_change(struct ur_file_link *l, u64 deadline) ur_must_check;

/* ---- calls.c ------------------------------------------------------------- */

/* LOCKED: queue or refuse the calls that nobody answered yet. */
void ur_calls_settle(struct ur_file_link *l);

/* LOCKED: does a call wait for `service`? */
bool ur_calls_waiting(struct ur_file_link *l, u32 service);

/* ---- stream.c ------------------------------------------------------------ */

/* NULL: no memory. */
struct ur_stream *ur_stream_new(struct ur_file_link *l);

/* LOCKED */
void ur_stream_enlist(struct ur_stream *s, struct ur_ticket t, u32 service);

/* LOCKED: as ur_channel_room() and ur_channel_data(), with our own shuts. */
int ur_stream_try(struct ur_stream *s, enum ur_direction d, u32 want);

/* LOCKED: as ur_channel_arm_room() and ur_channel_arm_data(). */
int ur_stream_arm(struct ur_stream *s, enum ur_direction d, u32 low);

#endif
