/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Several clients, several device VMs, and the guard between them.
 *
 *     client1 == link ==\                      /== link == usb1   (device VM)
 *     client2 == link ===| listing  router     |== link == usb2
 *                        | relay: guard, gates |
 *
 * A client calls the service 3240, asks one thing and gets one answer, as of any
 * USB/IP server. A list is put together from the device VMs' lists: what policy
 * lets that client import, named "usb1:1-1". An import is asked of the device VM
 * that is named in it; from the answer on the stream is a route of relay.h.
 *
 * Promise. Two routes never have the same device. No byte of a device VM reaches a
 *   client but what op.h's writers or a guard made of it, and the other way round.
 *   A silent end holds up only who waits for it, and not for longer than
 *   UR_ROUTER_PATIENCE ticks. A client has only its own share of the calls.
 * Roles. The owner starts the links (the end that is not the VM's), calls
 *   ur_router_look() on each doorbell and 100 ms tick, turns until nothing moves,
 *   rings, drains the audit, and sleeps when ur_router_arm() lets it.
 * Threads. One at a time for all of it.
 * Memory. The caller's, fixed: see struct ur_router_config.
 * Trust. None of the VMs.
 */
#ifndef UR_ROUTER_H
#define UR_ROUTER_H

#include "audit.h"
#include "listing.h"
#include "relay.h"

#define UR_ROUTER_SITES_MAX 32u
#define UR_ROUTER_CALLS_MAX 256u
/* Ticks, 100 ms each, that anybody is waited for before an import is answered. */
#define UR_ROUTER_PATIENCE 30u

enum ur_call_state {
	UR_CALL_FREE,
	UR_CALL_ASKING,		/* the client's request is on its way in */
	UR_CALL_LISTING,	/* the device VMs are asked for their lists */
	UR_CALL_REACHING,	/* a device VM was called and has not answered */
	UR_CALL_IMPORTING,	/* the import was asked, its answer not judged yet */
	UR_CALL_ROUTED,
	UR_CALL_ANSWERING,	/* an answer of our own is on its way out */
};

/* One call of a client, from its request to the end of its route. */
struct ur_call {
	enum ur_call_state state;
	u32 client;		/* of router.clients */
	u32 device;		/* of router.devices */
	u32 last_device;	/* to ask; all of them if the client named none */
	bool is_approved;	/* as the audit knows, like the next */
	u32 stalled;
	u32 ticks;		/* since the state began */
	u32 status;		/* what the client is told if there is no route */
	struct ur_relay_end client_end;
	struct ur_relay_end device_end;
	struct ur_op_framer op;	/* the client's request */
	struct ur_op_busid rest;	/* the device VM's name of what is asked for */
	u32 answer_bytes;	/* of our own answer, in buffers[UR_TO_CLIENT] */
	u32 answer_sent;
	struct ur_listing listing;
	struct ur_route route;
	u8 *buffers[2];
};

struct ur_router_config {
	const struct ur_policy *policy;
	struct ur_limits limits;	/* of one message */
	const struct ur_site *clients;	/* names of 1 to 31 bytes */
	u32 client_count;
	const struct ur_site *devices;	/* names of 1 to 15 bytes, none "serial" */
	u32 device_count;
	struct ur_call *calls;		/* at least one for each client */
	u32 call_count;
	u8 *buffers;			/* UR_ROUTER_BUFFER_BYTES() */
	size_t buffer_bytes;
};

#define UR_ROUTER_BUFFER_BYTES(calls, transfer_bytes, iso_packets) \
	((size_t)(calls) * 2u * UR_GATE_BYTES(transfer_bytes, iso_packets))

struct ur_router {
	struct ur_router_config config;
	u32 share;		/* calls of one client */
	struct ur_route *routes[UR_ROUTER_CALLS_MAX];
	struct ur_relay relay;
	struct ur_audit audit;
};

/*
 * All that the configuration points to outlives the router. UR_BUG_INVALID: a
 * number, a size or a name is out of range, or a name is there twice.
 */
int ur_router_init(struct ur_router *r,
		   const struct ur_router_config *config) ur_must_check;

/* Look at every link and take new calls. Bounded by their channels. */
void ur_router_look(struct ur_router *r);

/* 100 ms have passed. */
void ur_router_tick(struct ur_router *r);

/* One turn for every call, as ur_relay_turn(). Whether anything moved. */
bool ur_router_turn(struct ur_router *r) ur_must_check;

/* About to sleep: whether the owner may; if not, turn again. */
bool ur_router_arm(struct ur_router *r) ur_must_check;

/* Calls in that state. */
u32 ur_router_calls(const struct ur_router *r, enum ur_call_state state);

#endif
