/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own announcements about USB devices, so that nobody has to look
 * again and again. Open it before the step whose effects are awaited.
 */
#ifndef UR_EVENTS_H
#define UR_EVENTS_H

#include "env.h"

struct ur_events;

/* NULL: not possible, and that was said. */
struct ur_events *ur_events_open(void) ur_must_check;
void ur_events_close(struct ur_events *events);

/*
 * Wait up to wait_ms for the next event; false: none. `busid` is the USB device's,
 * `action` "add", "bind" (its drivers have looked at it), "remove", ...
 */
struct ur_event {
	char action[16];
	char busid[32];
};
bool ur_events_next(struct ur_events *events, int wait_ms,
		    struct ur_event *event);

#endif
