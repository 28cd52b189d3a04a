/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One end of a link: the epoch handshake, the faults and, in channel.h, the
 * channels (SPEC sections 6 to 8).
 *
 * Promise. Whatever the peer writes, and whenever, this end writes only into
 * its own outbox, does a bounded amount of work per call and either delivers
 * what an honest peer sent in this pair of epochs or severs the link.
 * Threads. None inside. The owner serialises every call on one link with a lock
 * of its own; only copying through spans goes without it.
 * Memory. The caller owns struct ur_link and both mappings, which outlive it.
 * Trust. `own` is our outbox: written here, not read back (but for epoch_last
 * at the start). `peer` is not trusted.
 */
#ifndef UR_LINK_H
#define UR_LINK_H

#include "layout.h"
#include "ring.h"

enum ur_link_state {
	UR_LINK_DOWN,	/* nobody there, or not yet acknowledged */
	UR_LINK_UP,	/* both ends acknowledged this pair of epochs */
	UR_LINK_BROKEN,	/* severed: see fault; up again only by a new epoch */
};

/* SPEC section 7. Published, so the numbers are fixed. */
enum ur_channel_state {
	UR_CHANNEL_IDLE = 0,
	UR_CHANNEL_CALL = 1,
	UR_CHANNEL_OPEN = 2,
	UR_CHANNEL_HALF = 3,
	UR_CHANNEL_CLOSED = 4,
	UR_CHANNEL_RESET = 5,
	UR_CHANNEL_REFUSED = 6,
};

struct ur_channel {
	u32 generation;	/* the one the two states below belong to */
	u8 own;		/* enum ur_channel_state: what we published for it */
	u8 peer;	/* what the peer was last seen to have published */
	u32 life;	/* of the ticket that holds it; 0: nobody */
	u32 service;	/* of a call that waits for an answer */
	struct ur_producer tx;
	struct ur_consumer rx;
};

/* Since the start of the end. Bytes of payload, times for the rest. */
struct ur_counters {
	u64 bytes_sent;
	u64 bytes_received;
	u64 publishes;
	u64 releases;
	u64 doorbells;		/* wanted: the peer asked, or a state changed */
	u64 suppressed;		/* publishes and releases that needed none */
	u64 stalls_room;	/* the owner slept for room; it counts */
	u64 stalls_data;	/* the owner slept for data; it counts */
	u64 looks;
	u64 calls;
	u64 accepts;
	u64 refusals;		/* calls we refused */
	u64 epochs;		/* of the peer, seen */
	u64 faults;
	u32 high_water;		/* most bytes ever waiting in one of our rings */
};

struct ur_link {
	struct ur_geometry geometry;
	enum ur_end end;
	enum ur_link_state state;
	struct ur_header_shm *own;
	const struct ur_header_shm *peer;
	u32 epoch;		/* ours; 0: stopped */
	u32 peer_epoch;		/* the last one handled */
	u32 lives;		/* tickets handed out */
	bool bell;		/* the owner has to ring the doorbell */
	struct ur_fault fault;	/* why BROKEN */
	struct ur_counters counters;
	struct ur_channel channels[UR_CHANNELS_MAX];
};

/*
 * Take a new epoch and announce it (SPEC section 6, own start). *l is all zero
 * before the first start. Restarts a link that ran before: its channels end. Leaves the link DOWN or BROKEN (the peer's
 * header); ur_link_look() brings it up.
 */
void ur_link_start(struct ur_link *l, const struct ur_geometry *g,
		   enum ur_end end, void *own, const void *peer);

/* Announce that nobody is here any more. Every channel ends. */
void ur_link_stop(struct ur_link *l);

/*
 * Look at the peer's epoch, acknowledgement and channel words. Call it on every
 * doorbell, on the 100 ms watchdog and before a call. Bounded: one pass over
 * the channels. Returns whether the link's state or any channel's changed.
 */
bool ur_link_look(struct ur_link *l);

/* Every channel ends, the peer is told `number`; BROKEN until a new epoch. */
void ur_link_sever(struct ur_link *l, u32 number, u32 channel, u32 got, u32 want);

/*
 * For ring/ only: is the peer's epoch another than the one last handled? Then
 * its other words may have been cleaned already, and say nothing.
 */
bool ur_link_peer_restarted(const struct ur_link *l);

/* Does the owner have to ring the doorbell? Clears the wish. */
bool ur_link_take_bell(struct ur_link *l) ur_must_check;

/*
 * For a dead end's supervisor only: write "down" into its outbox (SPEC section
 * 6). The caller knows that the owner no longer runs, and rings the survivor.
 */
void ur_link_declare_down(void *outbox);

/* For a supervisor: has the owner of this outbox announced itself? */
bool ur_link_is_announced(const void *outbox) ur_must_check;

#endif
