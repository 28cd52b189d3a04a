// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Indices run freely modulo 2^32; all that is ever compared is a difference.
 *
 *        consumed          produced                consumed + ring_bytes
 *           |------ data ------|-------- room -------------|
 *
 * The peer moves one of the two and can only move it towards the next mark. A
 * claim is measured from the last accepted one, so that a step backwards shows
 * up as a step too far.
 */
#include "doorbell.h"
#include "ring.h"

void ur_producer_start(struct ur_producer *p, u32 first_index)
{
	p->produced = first_index;
	p->consumed = first_index;
	ur_store_once(p->own_produced, first_index);
	ur_store_once(p->own_space_event, first_index);
}

void ur_consumer_start(struct ur_consumer *c, u32 first_index)
{
	c->consumed = first_index;
	c->produced = first_index;
	ur_store_once(c->own_consumed, first_index);
	ur_store_once(c->own_data_event, first_index);
}

int ur_producer_room(struct ur_producer *p)
{
	u32 claim = ur_load_acquire(p->peer_consumed);
	u32 step = claim - p->consumed;

	if (step > p->produced - p->consumed) {
		p->refused = claim;
		return UR_PEER_BROKEN;
	}
	p->consumed = claim;
	return (int)(p->ring_bytes - (p->produced - p->consumed));
}

int ur_consumer_data(struct ur_consumer *c)
{
	u32 claim = ur_load_acquire(c->peer_produced);
	u32 step = claim - c->produced;

	if (step > c->ring_bytes - (c->produced - c->consumed)) {
		c->refused = claim;
		return UR_PEER_BROKEN;
	}
	c->produced = claim;
	return (int)(c->produced - c->consumed);
}

void ur_producer_spans(const struct ur_producer *p, u32 bytes,
		       struct ur_span spans[2])
{
	u32 at = p->produced % p->ring_bytes;
	u32 first = p->ring_bytes - at;

	if (first > bytes)
		first = bytes;
	spans[0].at = p->data + at;
	spans[0].bytes = first;
	spans[1].at = p->data;
	spans[1].bytes = bytes - first;
}

void ur_consumer_spans(const struct ur_consumer *c, u32 bytes,
		       struct ur_peer_span spans[2])
{
	u32 at = c->consumed % c->ring_bytes;
	u32 first = c->ring_bytes - at;

	if (first > bytes)
		first = bytes;
	spans[0].at = c->data + at;
	spans[0].bytes = first;
	spans[1].at = c->data;
	spans[1].bytes = bytes - first;
}

bool ur_producer_publish(struct ur_producer *p, u32 bytes)
{
	u32 old = p->produced;

	ur_assert(bytes <= p->ring_bytes - (p->produced - p->consumed));
	p->produced = old + bytes;
	ur_store_release(p->own_produced, p->produced);
	ur_fence(); /* with the one in ur_consumer_arm() */
	return ur_event_passed(ur_load_once(p->peer_data_event), old, p->produced);
}

bool ur_consumer_release(struct ur_consumer *c, u32 bytes)
{
	u32 old = c->consumed;

	ur_assert(bytes <= c->produced - c->consumed);
	c->consumed = old + bytes;
	ur_store_release(c->own_consumed, c->consumed);
	ur_fence(); /* with the one in ur_producer_arm() */
	return ur_event_passed(ur_load_once(c->peer_space_event), old, c->consumed);
}

int ur_producer_arm(struct ur_producer *p, u32 low)
{
	ur_store_once(p->own_space_event, p->produced + low - p->ring_bytes - 1);
	ur_fence(); /* with the one in ur_consumer_release() */
	return ur_producer_room(p);
}

int ur_consumer_arm(struct ur_consumer *c, u32 low)
{
	ur_store_once(c->own_data_event, c->consumed + low - 1);
	ur_fence(); /* with the one in ur_producer_publish() */
	return ur_consumer_data(c);
}
