/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of one link: two outboxes in one sealed memfd.
 *
 * Of a link between two clients the hub reads nothing that it acts on, and writes
 * one word: the epoch of an end that is dead, in place of its owner (SPEC section
 * 6). Of a link with the guard it has one end, and touches it by ring/ only. The
 * clients may write anything anywhere; the seals keep them from changing the
 * size, so that a store of ours or of the other client cannot fault.
 */
#ifndef UR_MEMORY_H
#define UR_MEMORY_H

#include "layout.h"

struct ur_memory {
	int fd;
	void *base;
	u32 bytes;
};

/* name is for /proc only. 0, or -1 with a log line. */
int ur_memory_open(struct ur_memory *memory, const char *name, u32 bytes);
void ur_memory_close(struct ur_memory *memory);

/*
 * Say that nobody is at this end any more. Ordered before whatever the caller
 * does next. Returns the epoch that ended: a claim of that end, good for a log.
 */
u32 ur_memory_declare_down(struct ur_memory *memory, enum ur_end end);

#endif
