// SPDX-License-Identifier: BSD-2-Clause
#include "internal.h"

#include <errno.h>

/* ---- what is true now ---------------------------------------------------- */

static u32 receiving_events(struct ur_stream *s)
{
	int n = ur_stream_try(s, UR_RECEIVING, 1);

	if (n == UR_TRY_AGAIN)
		return 0;
	if (n > 0)
		return UR_POLL_IN;
	if (n == 0)
		return UR_POLL_IN | (s->shut & UR_SHUT_RECV ? 0 : UR_POLL_HUP);
	return UR_POLL_IN | UR_POLL_ERR | UR_POLL_HUP;
}

static u32 sending_events(struct ur_stream *s)
{
	int n = ur_stream_try(s, UR_SENDING, 1);

	if (n == UR_TRY_AGAIN)
		return 0;
	return n > 0 ? UR_POLL_OUT : UR_POLL_OUT | UR_POLL_ERR;
}

static u32 stream_events(const struct ur_poll_item *item)
{
	const u32 always = UR_POLL_ERR | UR_POLL_HUP;
	u32 events = receiving_events(item->stream);

	if (item->events & UR_POLL_OUT)
		events |= sending_events(item->stream);
	return events & (item->events | always);
}

static u32 link_events(struct ur_file_link *l, const struct ur_poll_item *item)
{
	u32 events = 0;

	if (ur_calls_waiting(l, item->service))
		events |= UR_POLL_IN;
	if (l->state_changes != l->told_changes)
		events |= UR_POLL_STATE;
	return events & item->events;
}

struct wait_items {
	struct ur_wait wait;
	struct ur_poll_item *items;
	u32 count;
};

static u32 look_at_items(struct ur_file_link *l, const struct wait_items *w)
{
	u32 i, found = 0;

	for (i = 0; i < w->count; i++) {
		struct ur_poll_item *item = &w->items[i];

		item->revents = item->stream ? stream_events(item) :
					       link_events(l, item);
		found += item->revents != 0;
	}
	return found;
}

static bool has_events(struct ur_file_link *l, const struct ur_wait *wait)
{
	return look_at_items(l, (const struct wait_items *)wait) != 0;
}

/* ---- before sleeping ----------------------------------------------------- */

/* What is there already is found by the look that follows. */
static void arm(struct ur_stream *s, enum ur_direction d)
{
	int there = ur_stream_arm(s, d, 1);

	(void)there;
}

static void arm_items(const struct wait_items *w)
{
	u32 i;

	for (i = 0; i < w->count; i++) {
		const struct ur_poll_item *item = &w->items[i];

		if (item->stream && item->events & UR_POLL_IN)
			arm(item->stream, UR_RECEIVING);
		if (item->stream && item->events & UR_POLL_OUT)
			arm(item->stream, UR_SENDING);
	}
}

static int poll_items(struct ur_file_link *l, const struct wait_items *w)
{
	int n;

	ur_wait_look(l);
	if (l->stopped)
		return -ESHUTDOWN;
	n = (int)look_at_items(l, w);
	if (n > 0)
		return n;
	arm_items(w);
	n = ur_wait_until(l, &w->wait);
	if (n == 0)
		n = (int)look_at_items(l, w);
	return n == -EAGAIN || n == -ETIMEDOUT ? 0 : n;
}

int ur_file_link_poll(struct ur_file_link *l, struct ur_poll_item *items,
		      u32 count, int timeout_ms)
{
	struct wait_items w = {
		.wait = { has_events, ur_wait_deadline(timeout_ms) },
		.items = items,
		.count = count,
	};
	int n;

	ur_wait_lock(l);
	n = poll_items(l, &w);
	ur_wait_unlock(l);
	return n;
}
