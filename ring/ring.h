/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One direction of a channel: single producer, single consumer (SPEC section 4).
 *
 * Roles. A producer handle and a consumer handle are different types, so that
 * the wrong side does not compile.
 * Threads. One handle, one thread at a time; the two ends of a ring share
 * nothing but memory. Copying through a span needs no lock of the link.
 * Memory. The handles own nothing; they point into two mapped outboxes.
 * Trust. `produced` and `consumed` in the handle are ours or were checked; the
 * peer's words are claims, loaded once per call. A hostile peer can withhold
 * progress, ask for needless doorbells and feed any bytes; nothing else.
 */
#ifndef UR_RING_H
#define UR_RING_H

#include "env.h"

/* A piece of our own outbox, to be filled. */
struct ur_span {
	u8 *at;
	u32 bytes;
};

/* A piece of the peer's outbox. Copy it out once, then look at the copy. */
struct ur_peer_span {
	const u8 *at;
	u32 bytes;
};

struct ur_producer {
	u8 *data;
	u32 ring_bytes;
	u32 produced;			/* published up to here */
	u32 consumed;			/* last accepted claim */
	u32 refused;			/* the claim of UR_PEER_BROKEN */
	ur_shm32 *own_produced;
	ur_shm32 *own_space_event;
	const ur_shm32 *peer_consumed;
	const ur_shm32 *peer_data_event;
};

struct ur_consumer {
	const u8 *data;
	u32 ring_bytes;
	u32 consumed;			/* published up to here */
	u32 produced;			/* last accepted claim */
	u32 refused;			/* the claim of UR_PEER_BROKEN */
	ur_shm32 *own_consumed;
	ur_shm32 *own_data_event;
	const ur_shm32 *peer_produced;
	const ur_shm32 *peer_space_event;
};

/* PRODUCER: begin a generation. Resets our two words. */
void ur_producer_start(struct ur_producer *p, u32 first_index);

/* CONSUMER: begin a generation. Resets our two words. */
void ur_consumer_start(struct ur_consumer *c, u32 first_index);

/*
 * PRODUCER: bytes that can be filled now, 0..ring_bytes.
 * UR_PEER_BROKEN: the peer's `consumed` is impossible.
 */
int ur_producer_room(struct ur_producer *p) ur_must_check;

/* PRODUCER: where the next `bytes` (at most the room) go: one or two spans. */
void ur_producer_spans(const struct ur_producer *p, u32 bytes,
		       struct ur_span spans[2]);

/*
 * PRODUCER: make `bytes` filled bytes visible. Returns whether to ring the
 * doorbell. Pairs with the load in ur_consumer_data().
 */
bool ur_producer_publish(struct ur_producer *p, u32 bytes) ur_must_check;

/*
 * PRODUCER: ask for a doorbell once `low` bytes of room are there, and look
 * again. Sleep only if the result is below `low`, which is 1..ring_bytes / 2:
 * with more, both ends could wait for each other.
 */
int ur_producer_arm(struct ur_producer *p, u32 low) ur_must_check;

/*
 * CONSUMER: bytes that can be taken now, 0..ring_bytes.
 * UR_PEER_BROKEN: the peer's `produced` is impossible.
 */
int ur_consumer_data(struct ur_consumer *c) ur_must_check;

/* CONSUMER: where the next `bytes` (at most the data) lie. */
void ur_consumer_spans(const struct ur_consumer *c, u32 bytes,
		       struct ur_peer_span spans[2]);

/*
 * CONSUMER: give `bytes` copied bytes back. Returns whether to ring the
 * doorbell. Pairs with the load in ur_producer_room().
 */
bool ur_consumer_release(struct ur_consumer *c, u32 bytes) ur_must_check;

/* CONSUMER: as ur_producer_arm(), for `low` bytes of data. */
int ur_consumer_arm(struct ur_consumer *c, u32 low) ur_must_check;

#endif
