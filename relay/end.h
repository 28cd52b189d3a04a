/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One end of a route: an open channel of a link, and bytes through it by copying
 * once. One thread at a time has the link, so no lock is held or needed.
 */
#ifndef UR_END_H
#define UR_END_H

#include "channel.h"

struct ur_relay_end {
	struct ur_link *link;
	struct ur_ticket ticket;
};

/* Up to `bytes`, as many as there is room for; errors of ur_channel_room(). */
static inline int ur_must_check ur_end_send(const struct ur_relay_end *end,
					    const u8 *from, u32 bytes)
{
	struct ur_span spans[2];
	int n = ur_channel_room(end->link, end->ticket, bytes, spans);

	if (n <= 0)
		return n;
	ur_copy(spans[0].at, from, spans[0].bytes);
	if (spans[1].bytes > 0)
		ur_copy(spans[1].at, from + spans[0].bytes, spans[1].bytes);
	if (ur_channel_publish(end->link, end->ticket, (u32)n))
		return UR_PEER_RESET;
	return n;
}

/* Up to `bytes`, as many as are there; 0 and errors as ur_channel_data(). */
static inline int ur_must_check ur_end_receive(const struct ur_relay_end *end,
					       u8 *at, u32 bytes)
{
	struct ur_peer_span spans[2];
	int n = ur_channel_data(end->link, end->ticket, bytes, spans);

	if (n <= 0)
		return n;
	ur_copy(at, spans[0].at, spans[0].bytes);
	if (spans[1].bytes > 0)
		ur_copy(at + spans[0].bytes, spans[1].at, spans[1].bytes);
	if (ur_channel_release(end->link, end->ticket, (u32)n))
		return UR_PEER_RESET;
	return n;
}

/* About to sleep for one byte: may we? False: go on instead. */
static inline bool ur_must_check ur_end_arm_receive(const struct ur_relay_end *end)
{
	return ur_channel_arm_data(end->link, end->ticket, 1) == UR_TRY_AGAIN;
}

static inline bool ur_must_check ur_end_arm_send(const struct ur_relay_end *end)
{
	return ur_channel_arm_room(end->link, end->ticket, 1) == UR_TRY_AGAIN;
}

#endif
