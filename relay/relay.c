// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Each direction is in one of two states: it takes bytes into the gate, or it has a
 * message that passed and puts it into the other ring. A step does one of the two.
 */
#include "relay.h"

/* What one step came to. */
enum step {
	MOVED,
	WAITS,		/* for the sender's bytes or the receiver's room */
	ENDS,		/* the sender will send no more */
	BREAKS,
	REFUSED,
};

int ur_route_init(struct ur_route *route, struct ur_relay_end client,
		  struct ur_relay_end device, const struct ur_policy *policy,
		  const char *client_name, const struct ur_limits *limits,
		  u8 *const buffers[2], u32 room)
{
	int error = ur_guard_init(&route->guard, policy, client_name);
	u32 i;

	route->state = UR_ROUTE_OPEN;
	route->is_pending = false;
	route->stalls = false;
	route->first = UR_TO_DEVICE;
	route->end[UR_TO_DEVICE] = client;
	route->end[UR_TO_CLIENT] = device;
	for (i = 0; i < 2; i++) {
		route->has_ended[i] = false;
		route->sent[i] = 0;
		if (!error)
			error = ur_gate_init(&route->gate[i], (enum ur_travel)i,
					     &route->guard, limits, buffers[i],
					     room);
	}
	return error;
}

static void finish(struct ur_route *route, enum ur_route_state state)
{
	bool abort = state != UR_ROUTE_ENDED;
	u32 i;

	if (route->state != UR_ROUTE_OPEN)
		return;
	route->state = state;
	for (i = 0; i < 2; i++)
		if (i != UR_TO_DEVICE || !route->is_pending)
			ur_channel_close(route->end[i].link,
					 route->end[i].ticket, abort);
}

bool ur_route_waits(const struct ur_route *route)
{
	return route->state == UR_ROUTE_OPEN && route->is_pending &&
	       route->gate[UR_TO_CLIENT].is_ready;
}

void ur_route_confirm(struct ur_route *route)
{
	route->is_pending = false;
}

void ur_route_close(struct ur_route *route)
{
	finish(route, UR_ROUTE_BROKEN);
}

static enum step step_of_error(int error)
{
	return error == UR_TRY_AGAIN ? WAITS : BREAKS;
}

/* Some of the message that passed, into the receiver's ring. */
static enum step put(struct ur_route *route, enum ur_travel travel, u32 *bytes)
{
	struct ur_gate *gate = &route->gate[travel];
	u32 sent = route->sent[travel];
	int n = ur_end_send(&route->end[!travel], gate->message + sent,
			    gate->bytes - sent);

	if (n <= 0)
		return step_of_error(n);
	*bytes += (u32)n;
	sent += (u32)n;
	route->sent[travel] = sent < gate->bytes ? sent : 0;
	if (sent == gate->bytes)
		ur_gate_next(gate);
	return MOVED;
}

/* Without room a direction still wants to know of the end. */
static enum step look_for_end(const struct ur_relay_end *from,
			      const struct ur_gate *gate)
{
	struct ur_peer_span spans[2];
	int n = ur_channel_data(from->link, from->ticket, 1, spans);

	if (n == 0)
		return ur_gate_is_between(gate) ? ENDS : BREAKS;
	return n < 0 ? step_of_error(n) : WAITS;
}

/* Some of the next message, out of the sender's ring. */
static enum step take(struct ur_route *route, enum ur_travel travel, u32 *bytes)
{
	struct ur_relay_end *from = &route->end[travel];
	struct ur_gate *gate = &route->gate[travel];
	u8 *at;
	u32 room = ur_gate_room(gate, &at);
	int n;

	if (room == 0)
		return look_for_end(from, gate);
	n = ur_end_receive(from, at, room);
	if (n == 0)
		return ur_gate_is_between(gate) ? ENDS : BREAKS;
	if (n < 0)
		return step_of_error(n);
	*bytes += (u32)n;
	n = ur_gate_fill(gate, (u32)n);
	if (n == UR_GATE_STALLED) {
		ur_gate_stall(gate, route->stall);
		ur_gate_next(gate);
		route->stall_sent = 0;
		route->stalls = true;
	}
	return n < 0 ? REFUSED : MOVED;
}

/* Between two of the device's answers. */
static bool stalls_now(const struct ur_route *route, enum ur_travel travel)
{
	return route->stalls && travel == UR_TO_CLIENT &&
	       ur_gate_is_between(&route->gate[travel]);
}

static enum step put_stall(struct ur_route *route, u32 *bytes)
{
	int n = ur_end_send(&route->end[UR_TO_DEVICE],
			    route->stall + route->stall_sent,
			    UR_PDU_HEADER_BYTES - route->stall_sent);

	if (n <= 0)
		return step_of_error(n);
	*bytes += (u32)n;
	route->stall_sent += (u32)n;
	route->stalls = route->stall_sent < UR_PDU_HEADER_BYTES;
	return MOVED;
}

/*
 * The receiver sends no more and reads no more: it has hung up, and is not to wait
 * for a sender who never does. (One that reads on is sent what comes.)
 */
static bool is_gone(const struct ur_route *route, enum ur_travel travel)
{
	const struct ur_relay_end *to = &route->end[!travel];
	struct ur_span spans[2];

	return route->has_ended[!travel] &&
	       ur_channel_room(to->link, to->ticket, 1, spans) == UR_PEER_CLOSED;
}

static enum step step(struct ur_route *route, enum ur_travel travel, u32 *bytes)
{
	if (travel == UR_TO_CLIENT && ur_route_waits(route))
		return WAITS;
	if (is_gone(route, travel))
		return ENDS;
	if (stalls_now(route, travel))
		return put_stall(route, bytes);
	if (route->gate[travel].is_ready)
		return put(route, travel, bytes);
	if (route->has_ended[travel] ||
	    (route->stalls && travel == UR_TO_DEVICE))
		return WAITS;
	return take(route, travel, bytes);
}

static void end_direction(struct ur_route *route, enum ur_travel travel)
{
	struct ur_relay_end *to = &route->end[!travel];

	route->has_ended[travel] = true;
	/* After a declined import nothing follows in either direction. */
	if (route->has_ended[!travel] ||
	    route->guard.state == UR_GUARD_DECLINED)
		finish(route, UR_ROUTE_ENDED);
	else if (ur_channel_shut(to->link, to->ticket))
		finish(route, UR_ROUTE_BROKEN);
}

/* What a route's turn has spent, both directions together. */
struct budget {
	u64 begun;		/* messages that had passed before */
	u32 bytes;
	u32 steps;
};

static u64 passed(const struct ur_route *route)
{
	return route->guard.passed[UR_TO_DEVICE] +
	       route->guard.passed[UR_TO_CLIENT];
}

/* What passed already may still go on its way. */
static bool is_spent(const struct ur_route *route, enum ur_travel travel,
		     const struct budget *spent)
{
	return spent->steps >= UR_RELAY_STEPS || spent->bytes >= UR_RELAY_BYTES ||
	       (passed(route) - spent->begun >= UR_RELAY_MESSAGES &&
		!route->gate[travel].is_ready);
}

static bool pump(struct ur_route *route, enum ur_travel travel,
		 struct budget *spent)
{
	bool moved = false;

	while (!is_spent(route, travel, spent)) {
		switch (step(route, travel, &spent->bytes)) {
		case MOVED:
			break;
		case WAITS:
			return moved;
		case ENDS:
			end_direction(route, travel);
			return true;
		case BREAKS:
			finish(route, UR_ROUTE_BROKEN);
			return true;
		case REFUSED:
			finish(route, UR_ROUTE_REFUSED);
			return true;
		}
		moved = true;
		spent->steps++;
	}
	return true;
}

/* The direction that goes first may leave the other one nothing: it is last next time. */
static bool turn(struct ur_route *route)
{
	struct budget spent = { passed(route), 0, 0 };
	enum ur_travel first = route->first;
	bool moved = false;

	route->first = first == UR_TO_DEVICE ? UR_TO_CLIENT : UR_TO_DEVICE;
	if (route->state == UR_ROUTE_OPEN)
		moved = pump(route, first, &spent);
	if (route->state == UR_ROUTE_OPEN)
		moved |= pump(route, route->first, &spent);
	return moved;
}

bool ur_relay_turn(struct ur_relay *relay)
{
	bool moved = false;
	u32 i;

	for (i = 0; i < relay->count; i++)
		moved |= turn(relay->routes[(relay->first + i) % relay->count]);
	if (relay->count > 0)
		relay->first = (relay->first + 1) % relay->count;
	return moved;
}

static u32 low_of(const struct ur_relay_end *end, u32 want)
{
	u32 half = end->link->geometry.ring_bytes / 2;

	if (want == 0)
		return 1;
	return want < half ? want : half;
}

static bool arm(struct ur_route *route, enum ur_travel travel)
{
	struct ur_relay_end *from = &route->end[travel];
	struct ur_relay_end *to = &route->end[!travel];
	struct ur_gate *gate = &route->gate[travel];
	u32 left = gate->bytes - route->sent[travel];
	u8 *at;
	u32 room;

	if (travel == UR_TO_CLIENT && ur_route_waits(route))
		return true;
	if (stalls_now(route, travel))
		return ur_end_arm_send(to);
	if (route->stalls && travel == UR_TO_DEVICE)
		return true;
	if (gate->is_ready)
		return ur_channel_arm_room(to->link, to->ticket,
					   low_of(to, left)) == UR_TRY_AGAIN;
	room = ur_gate_room(gate, &at);
	/* What the other direction waits for will wake us. */
	if (route->has_ended[travel] || room == 0)
		return true;
	return ur_channel_arm_data(from->link, from->ticket,
				   low_of(from, room)) == UR_TRY_AGAIN;
}

bool ur_relay_arm(struct ur_relay *relay)
{
	bool may_sleep = true;
	u32 i;

	for (i = 0; i < relay->count; i++) {
		struct ur_route *route = relay->routes[i];

		if (route->state != UR_ROUTE_OPEN)
			continue;
		may_sleep &= arm(route, UR_TO_DEVICE);
		may_sleep &= arm(route, UR_TO_CLIENT);
	}
	return may_sleep;
}
