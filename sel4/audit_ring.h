/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard's last decisions, one line each (relay/audit.h), in a region that is the
 * guard's alone. Whoever may read physical memory reads it there while the guard
 * runs, or long after it died: sel4/audit prints a copy.
 *
 *      0       magic "URAU", version 1, slots, bytes of a slot; 16: lines so far
 *      1024    slot 0: number, bytes, text
 *      2048    slot 1 ...
 *
 * Line n (from 1) is in slot (n - 1) % slots until line n + slots comes. A slot whose
 * number is 0 is empty or about to change. All words little-endian, 32 bits.
 *
 * Threads. The guard's. Trust. Nobody else's bytes are here but inside a line, where
 *   they were checked to be printable.
 */
#ifndef UR_AUDIT_RING_H
#define UR_AUDIT_RING_H

#include "audit.h"

#define UR_AUDIT_MAGIC 0x55415255u /* "URAU" */
#define UR_AUDIT_VERSION 1u
#define UR_AUDIT_SLOT_BYTES 1024u

struct ur_audit_slot_shm {
	ur_shm32 number;
	ur_shm32 bytes;
	char text[UR_AUDIT_SLOT_BYTES - 8u];
};

struct ur_audit_ring_shm {
	ur_shm32 magic;
	ur_shm32 version;
	ur_shm32 slots;
	ur_shm32 slot_bytes;
	ur_shm32 lines;
	u8 pad[UR_AUDIT_SLOT_BYTES - 0x14];
	struct ur_audit_slot_shm slot[];
};

_Static_assert(offsetof(struct ur_audit_ring_shm, lines) == 0x10, "see above");
_Static_assert(offsetof(struct ur_audit_ring_shm, slot) == 1024, "see above");
_Static_assert(sizeof(struct ur_audit_slot_shm) == 1024, "see above");
_Static_assert(UR_AUDIT_LINE_BYTES <= sizeof(((struct ur_audit_slot_shm *)0)->text),
	       "a line fits a slot");

struct ur_audit_ring {
	struct ur_audit_ring_shm *shm;
	u32 slots;
	u32 lines;
};

/* `bytes` bytes at `region`, at least two slots' worth; what is there is forgotten. */
void ur_audit_ring_init(struct ur_audit_ring *ring, void *region, size_t bytes);

/* One more line, in the place of the oldest if there is no other. */
void ur_audit_ring_put(struct ur_audit_ring *ring, const char *line, u32 bytes);

#endif
