/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The way through the guard: link -> gate -> link, one bounded turn at a time.
 *
 *     client VM == link 0 == | relay: gate[0] -> |  == link 1 == device VM
 *                            |        <- gate[1] |
 *
 * Promise. In a turn at most UR_RELAY_MESSAGES messages of a route pass, and some
 *   UR_RELAY_BYTES bytes move (at most one message's more), in at most UR_RELAY_STEPS
 *   steps: both directions together, each one first in every other turn, whatever
 *   the ends do. A message is copied out of the sender's ring whole before it is
 *   judged, and only what passed is copied into the receiver's. A receiver that is
 *   slow stops its own route: the next message is not taken before this one went.
 *   A refusal resets both channels.
 * Roles. The owner has both links, looks at them, makes or accepts the channels, and
 *   rings where ur_link_take_bell() says so after each turn.
 * Threads. One at a time for a relay, its routes and every link they use.
 * Memory. The caller's: a route, and two buffers for its gates.
 * Trust. Neither end; see channel.h for what their words can do, gate.h for bytes.
 */
#ifndef UR_RELAY_H
#define UR_RELAY_H

#include "end.h"
#include "gate.h"

#define UR_RELAY_MESSAGES 64u
#define UR_RELAY_BYTES (1u << 20)
#define UR_RELAY_STEPS 512u

enum ur_route_state {
	UR_ROUTE_OPEN,
	UR_ROUTE_ENDED,		/* both ends closed in order */
	UR_ROUTE_REFUSED,	/* the guard severed it: guard.verdict */
	UR_ROUTE_BROKEN,	/* an end went away, or in the middle of a message */
};

struct ur_route {
	enum ur_route_state state;
	struct ur_relay_end end[2];	/* by enum ur_travel: whence it comes */
	/*
	 * Set by an owner that wants to see the import before its answer goes on:
	 * the answer waits for ur_route_confirm(), and if the route ends before
	 * that, the client's channel stays open, for the owner to answer.
	 */
	bool is_pending;
	enum ur_travel first;		/* in the next turn */
	bool has_ended[2];		/* no more comes from there */
	u32 sent[2];			/* of the message that is ready */
	/* The guard's own answer to the client, before anything else goes on. */
	bool stalls;
	u32 stall_sent;
	u8 stall[UR_PDU_HEADER_BYTES];
	struct ur_guard guard;
	struct ur_gate gate[2];
};

struct ur_relay {
	struct ur_route **routes;
	u32 count;
	u32 first;		/* whose turn begins */
};

/*
 * A route from the client's channel to the device's, both open. The buffers are
 * for one message of `limits` in each direction: UR_GATE_BYTES(). UR_BUG_INVALID:
 * as ur_guard_init() and ur_gate_init().
 */
int ur_route_init(struct ur_route *route, struct ur_relay_end client,
		  struct ur_relay_end device, const struct ur_policy *policy,
		  const char *client_name, const struct ur_limits *limits,
		  u8 *const buffers[2], u32 room) ur_must_check;

/*
 * One turn for each route, another one first each time. Whether anything moved: if
 * so, look and turn again before sleeping.
 */
bool ur_relay_turn(struct ur_relay *relay) ur_must_check;

/*
 * About to sleep: ask every open route's ends for a doorbell. Whether the owner may
 * sleep; if not, turn again.
 */
bool ur_relay_arm(struct ur_relay *relay) ur_must_check;

/* Whether an import was judged and waits for its owner: guard.state says how. */
bool ur_route_waits(const struct ur_route *route) ur_must_check;

/* The answer may go to the client. */
void ur_route_confirm(struct ur_route *route);

/* End a route now, both channels reset. No effect on one that is over. */
void ur_route_close(struct ur_route *route);

#endif
