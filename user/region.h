/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file behind a link: its size, its two mappings, and who owns which end.
 */
#ifndef UR_REGION_H
#define UR_REGION_H

#include "file_link.h"

struct ur_region {
	int fd;			/* our own open file description: has the lock */
	enum ur_end end;
	u32 outbox_bytes;
	void *own;		/* read-write */
	const void *peer;	/* read-only */
};

/* Returns 0 or a negative errno, and then *why and nothing held. */
int ur_region_open(struct ur_region *r, const struct ur_file_link_config *c,
		   char why[UR_WHY_BYTES]) ur_must_check;

/* Unmap, and give the end back. */
void ur_region_close(struct ur_region *r);

/*
 * If nobody owns the peer's end and its header still says somebody does: write
 * "down" there (SPEC section 6). Returns whether it did.
 */
bool ur_region_bury_peer(struct ur_region *r);

#endif
