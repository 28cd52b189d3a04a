/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The shared memory of a link: SPEC.md sections 1 to 3 as C.
 *
 * An outbox is written by its owner and only read by the peer. Its geometry is
 * private: it comes from this end's own configuration, and what the peer's
 * header says is compared with it, never used.
 */
#ifndef UR_LAYOUT_H
#define UR_LAYOUT_H

#include "env.h"

#define UR_MAGIC 0x4b4c5255u /* "URLK" */
#define UR_VERSION 0x00010000u

#define UR_CHANNELS_MAX 64u
#define UR_CHANNELS_DEFAULT 16u
#define UR_RING_BYTES_MIN 64u
#define UR_RING_BYTES_MAX (1u << 30)
#define UR_RING_BYTES_DEFAULT (2u << 20) /* where that many fit */
#define UR_REGION_BYTES_MIN (64u << 10)
#define UR_REGION_BYTES_MAX (1u << 30)

enum ur_end { UR_END_A = 0, UR_END_B = 1 };

/* Offset 0 of an outbox (SPEC section 2). */
struct ur_header_shm {
	ur_shm32 magic;
	ur_shm32 version;
	ur_shm32 end;
	ur_shm32 outbox_bytes;
	ur_shm32 channels;
	ur_shm32 ring_bytes;
	ur_shm32 data_offset;
	u8 pad0[0x40 - 0x1c];

	ur_shm32 epoch;
	ur_shm32 seen;
	ur_shm32 fault;
	ur_shm32 epoch_last;
	u8 pad1[0x80 - 0x50];

	ur_shm32 bell;
	u8 pad2[0x100 - 0x84];
};

/* One per channel, behind the header (SPEC section 3). */
struct ur_block_shm {
	ur_shm32 word;
	ur_shm32 service;
	u8 pad0[0x40 - 0x08];

	ur_shm32 produced;
	ur_shm32 space_event;
	u8 pad1[0x80 - 0x48];

	ur_shm32 consumed;
	ur_shm32 data_event;
	u8 pad2[0x100 - 0x88];
};

_Static_assert(offsetof(struct ur_header_shm, magic) == 0x00, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, version) == 0x04, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, end) == 0x08, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, outbox_bytes) == 0x0c, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, channels) == 0x10, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, ring_bytes) == 0x14, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, data_offset) == 0x18, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, epoch) == 0x40, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, seen) == 0x44, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, fault) == 0x48, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, epoch_last) == 0x4c, "SPEC 2");
_Static_assert(offsetof(struct ur_header_shm, bell) == 0x80, "SPEC 2");
_Static_assert(sizeof(struct ur_header_shm) == 0x100, "SPEC 2");
_Static_assert(offsetof(struct ur_block_shm, word) == 0x00, "SPEC 3");
_Static_assert(offsetof(struct ur_block_shm, service) == 0x04, "SPEC 3");
_Static_assert(offsetof(struct ur_block_shm, produced) == 0x40, "SPEC 3");
_Static_assert(offsetof(struct ur_block_shm, space_event) == 0x44, "SPEC 3");
_Static_assert(offsetof(struct ur_block_shm, consumed) == 0x80, "SPEC 3");
_Static_assert(offsetof(struct ur_block_shm, data_event) == 0x84, "SPEC 3");
_Static_assert(sizeof(struct ur_block_shm) == 0x100, "SPEC 3");

/* Why a link was severed (SPEC section 8). Published, so numbers are fixed. */
enum ur_fault_number {
	UR_FAULT_NONE = 0,
	UR_FAULT_MAGIC = 1,
	UR_FAULT_VERSION = 2,
	UR_FAULT_END = 3,
	UR_FAULT_OUTBOX_BYTES = 4,
	UR_FAULT_CHANNELS = 5,
	UR_FAULT_RING_BYTES = 6,
	UR_FAULT_DATA_OFFSET = 7,
	UR_FAULT_PRODUCED = 8,
	UR_FAULT_CONSUMED = 9,
	UR_FAULT_STATE = 10,
	UR_FAULT_MOVE = 11,
	UR_FAULT_SEVERED = 12,
	UR_FAULT_GEOMETRY = 13,
};

/* A fault with both values, for the person who has to understand it. */
struct ur_fault {
	u32 number;	/* enum ur_fault_number */
	u32 channel;	/* of faults 8 to 11 */
	u32 got;	/* what the peer's outbox said */
	u32 want;	/* what it would have to say; for an index the limit */
};

/* A word of SPEC section 8 for a fault number of ours or the peer's. */
const char *ur_fault_name(u32 number);

struct ur_geometry {
	u32 outbox_bytes;
	u32 channels;
	u32 ring_bytes;		/* a power of two */
	u32 data_offset;
	/*
	 * Where indices and generations start: 0 and 1, and near their wrap in
	 * tests. Both ends must agree on the first.
	 */
	u32 first_index;
	u32 first_generation;
};

/*
 * Fill g for an outbox of outbox_bytes. channels or ring_bytes 0: the default.
 * Returns 0, or UR_BUG_INVALID with *fault naming the offending value and the
 * nearest one that would do.
 */
int ur_geometry_init(struct ur_geometry *g, u64 outbox_bytes, u32 channels,
		     u32 ring_bytes, struct ur_fault *fault) ur_must_check;

/* Write header words 0x00 to 0x1b of our own outbox. */
void ur_header_write(struct ur_header_shm *own, const struct ur_geometry *g,
		     enum ur_end end);

/*
 * Compare the peer's header with our geometry; each word is loaded once.
 * Returns 0, or UR_PEER_BROKEN with *fault.
 */
int ur_header_check(const struct ur_header_shm *peer,
		    const struct ur_geometry *g, enum ur_end peer_end,
		    struct ur_fault *fault) ur_must_check;

static inline struct ur_block_shm *ur_block(struct ur_header_shm *outbox, u32 c)
{
	return (struct ur_block_shm *)(outbox + 1) + c;
}

static inline const struct ur_block_shm *
ur_peer_block(const struct ur_header_shm *outbox, u32 c)
{
	return (const struct ur_block_shm *)(outbox + 1) + c;
}

#endif
