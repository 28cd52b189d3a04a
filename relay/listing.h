/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One client's list of devices: each device VM is asked in turn, and what policy
 * lets the client import is written down under the guard's names.
 *
 * Promise. A device VM that is down, silent, refuses or says what cannot be is left
 *   out, and the others are listed. What does not fit the answer's buffer is left
 *   out too.
 * Roles. The router steps it until it is done and then sends the text.
 * Threads. The router's. Memory. The buffer is the caller's.
 * Trust. Device VMs are not trusted: each piece is read and written by op.h.
 */
#ifndef UR_LISTING_H
#define UR_LISTING_H

#include "audit.h"
#include "end.h"
#include "op_framer.h"

#define UR_SERVICE_USBIP 3240u

/* A VM, as the guard knows it. */
struct ur_site {
	const char *name;
	struct ur_link *link;
};

struct ur_listing_config {
	const struct ur_policy *policy;
	const char *client;
	const struct ur_site *devices;
	u32 device_count;
	u32 patience;		/* ticks for each device VM */
};

enum ur_listing_state {
	UR_LISTING_CALLS,	/* the next device VM */
	UR_LISTING_REACHES,
	UR_LISTING_ASKS,
	UR_LISTING_READS,
};

struct ur_listing {
	struct ur_listing_config config;
	enum ur_listing_state state;
	u32 site;		/* whose turn it is */
	u32 ticks;		/* since the state began */
	u32 sent;		/* of the request */
	struct ur_relay_end end;
	struct ur_op_framer op;
	u32 interfaces;		/* of `device`, so far */
	struct ur_op_interface interface[UR_OP_INTERFACES_MAX];
	struct ur_op_device device;

	u32 count;		/* devices written */
	struct ur_writer answer;
};

/* `room` bytes at `buffer`, at least UR_OP_HEADER_BYTES + UR_OP_COUNT_BYTES. */
void ur_listing_init(struct ur_listing *l, const struct ur_listing_config *config,
		     u8 *buffer, u32 room);

/* Whether anything moved; if not, it is done or waits for a device VM. Bounded. */
bool ur_listing_step(struct ur_listing *l, struct ur_audit *audit) ur_must_check;

bool ur_listing_is_done(const struct ur_listing *l) ur_must_check;

/* As ur_router_tick(). */
void ur_listing_tick(struct ur_listing *l);

/* About to sleep: may we? */
bool ur_listing_arm(struct ur_listing *l) ur_must_check;

/* Give back what it holds. */
void ur_listing_close(struct ur_listing *l);

/* The answer's bytes in the buffer, once it is done. */
u32 ur_listing_finish(struct ur_listing *l) ur_must_check;

#endif
