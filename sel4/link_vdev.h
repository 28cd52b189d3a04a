/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of a link as a VMM gives it to its guest: the virtual device that
 * guest/kmod/of.c binds to.
 *
 *      guest-physical          stage 2            who writes
 *      own outbox              read and write     this guest, and its VMM when it died
 *      peer's outbox           read only          the peer's guest; a store here traps
 *      doorbell page           nothing            a store traps, the peer's VMM is notified
 *
 * Roles. The VMM calls init once, notified() on the peer's notification, and
 *   stopped() when its guest runs no more.
 * Trust. Neither guest is trusted. The VMM reads one word of an outbox, its own
 *   guest's epoch, and only to drop doorbells that nobody could hear.
 */
#ifndef UR_LINK_VDEV_H
#define UR_LINK_VDEV_H

#include "guest.h"
#include "layout.h"

struct ur_link_vdev {
	struct ur_guest *guest;
	struct ur_header_shm *own;	/* our guest's outbox, as the VMM sees it */
	u64 peer_gpa;			/* the peer's outbox, in our guest */
	u64 outbox_bytes;
	u64 bell_gpa;
	u32 peer;			/* channel of the peer's VMM */

	/* private */
	u64 window;			/* when the present window began, in ticks */
	u32 bells;			/* doorbells in it */
	u64 refused;			/* stores to the peer's outbox, so far */
};

bool ur_link_vdev_init(struct ur_link_vdev *v);

/* The peer rang: interrupt our guest. */
void ur_link_vdev_notified(struct ur_link_vdev *v);

/* Our guest is dead: declare it so (SPEC section 6), and ring the survivor. */
void ur_link_vdev_stopped(struct ur_link_vdev *v);

#endif
