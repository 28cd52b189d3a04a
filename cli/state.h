/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must survive a command's end, in small files under /run.
 *
 *     /run/usbroute/LINK/bound/BUSID   usbroute serve bound this device
 *     /var/run/vhci_hcd/portN          where the device on port N came from
 *
 * The second is the stock tools' file and has their format, "host port busid", so
 * `usbip port` and `usbroute port` name what the other attached.
 */
#ifndef UR_STATE_H
#define UR_STATE_H

#include "link.h"
#include "op.h"

/* A failure is said, and nothing else: the work itself does not need them. */
void ur_state_mark(const char *link, const char *busid);
void ur_state_unmark(const char *link, const char *busid);

/* Each busid that link has marked. The callback may unmark. */
void ur_state_each(const char *link,
		   void (*visit)(const char *busid, void *context),
		   void *context);

struct ur_state_origin {
	char host[108];		/* "usbroute0" */
	char service[8];
	char busid[UR_OP_BUSID_BYTES];	/* there */
};

void ur_state_record(u32 port, const struct ur_state_origin *origin);
void ur_state_forget(u32 port);
/* Whether there is a record that can be read. */
bool ur_state_origin(u32 port, struct ur_state_origin *origin) ur_must_check;

#endif
