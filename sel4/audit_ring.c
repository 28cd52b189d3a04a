// SPDX-License-Identifier: BSD-2-Clause
#include "audit_ring.h"

/* The region may have what was there before a reset. */
void ur_audit_ring_init(struct ur_audit_ring *ring, void *region, size_t bytes)
{
	u32 i;

	ring->shm = region;
	ring->slots = (u32)(bytes / UR_AUDIT_SLOT_BYTES) - 1;
	ring->lines = 0;
	for (i = 0; i < ring->slots; i++)
		ur_store_once(&ring->shm->slot[i].number, 0);
	ur_store_once(&ring->shm->lines, 0);
	ur_store_once(&ring->shm->version, UR_AUDIT_VERSION);
	ur_store_once(&ring->shm->slots, ring->slots);
	ur_store_once(&ring->shm->slot_bytes, UR_AUDIT_SLOT_BYTES);
	ur_store_release(&ring->shm->magic, UR_AUDIT_MAGIC);
}

void ur_audit_ring_put(struct ur_audit_ring *ring, const char *line, u32 bytes)
{
	struct ur_audit_slot_shm *slot =
		&ring->shm->slot[ring->lines % ring->slots];

	ring->lines++;
	ur_store_once(&slot->number, 0);
	ur_fence();
	ur_copy(slot->text, line, bytes);
	ur_store_once(&slot->bytes, bytes);
	ur_store_release(&slot->number, ring->lines);
	ur_store_release(&ring->shm->lines, ring->lines);
}
