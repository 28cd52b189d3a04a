// SPDX-License-Identifier: BSD-2-Clause
#include <microkit.h>

#include "link.h"
#include "link_vdev.h"

/*
 * More doorbells than this in a millisecond is no conversation. A doorbell is
 * passed on all the same; its ringer then waits for the next millisecond, so that
 * what it costs is its own time and not the peer's.
 */
#ifndef UR_BELLS_PER_MS
#define UR_BELLS_PER_MS 8
#endif

static void limit(struct ur_link_vdev *v)
{
	u64 now = ur_guest_now();

	if (now - v->window >= ur_guest_ticks_per_ms()) {
		v->window = now;
		v->bells = 0;
	}
	if (++v->bells >= UR_BELLS_PER_MS)
		ur_guest_hold(v->guest, v->window + ur_guest_ticks_per_ms());
}

static void bell(struct ur_guest_access *access, void *data)
{
	struct ur_link_vdev *v = data;

	if (!access->write)
		return;
	microkit_notify(v->peer);
	limit(v);
}

/* What is read only in stage 2 traps when written; nothing was stored. */
static void peer_outbox(struct ur_guest_access *access, void *data)
{
	struct ur_link_vdev *v = data;

	if (v->refused++ == 0)
		ur_guest_say("the guest wrote to the peer's outbox; refused, at offset",
			     access->offset);
	limit(v);
}

bool ur_link_vdev_init(struct ur_link_vdev *v)
{
	return ur_guest_trap(v->bell_gpa, 0x1000, bell, v) &&
	       ur_guest_trap(v->peer_gpa, v->outbox_bytes, peer_outbox, v);
}

/* A guest whose driver has not announced itself looks when it does. */
void ur_link_vdev_notified(struct ur_link_vdev *v)
{
	if (ur_link_is_announced(v->own))
		ur_guest_inject(v->guest);
}

void ur_link_vdev_stopped(struct ur_link_vdev *v)
{
	ur_link_declare_down(v->own);
	microkit_notify(v->peer);
}
