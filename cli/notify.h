/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tell systemd how a service is doing: sd_notify(3)'s datagram. Spelt out here
 * because the guest's image should not carry libsystemd for it.
 */
#ifndef UR_NOTIFY_H
#define UR_NOTIFY_H

/* "READY=1", "STOPPING=1"; nothing happens unless systemd asked for it. */
void ur_notify(const char *state);

#endif
