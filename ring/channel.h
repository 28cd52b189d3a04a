/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Channels: one full-duplex byte stream each (SPEC section 7).
 *
 * A ticket is the right to use a channel until it is closed. It goes stale by
 * itself when the channel ends (the peer died, the link was severed), and then
 * every call returns UR_PEER_RESET, whoever uses the channel by then.
 *
 * Threads, memory and trust are as in link.h. To move bytes:
 *
 *      lock;  n = ur_channel_room(l, t, want, spans);  unlock
 *      copy into spans, no lock held
 *      lock;  ur_channel_publish(l, t, n);  bell = ur_link_take_bell(l);  unlock
 *      if (bell) ring
 *
 * One sender and one receiver at a time per channel, stale tickets included:
 * whoever still copies for an old ticket keeps the channel's next sender
 * waiting. Their owner sees to that, usually with a mutex for each direction.
 */
#ifndef UR_CHANNEL_H
#define UR_CHANNEL_H

#include "link.h"

struct ur_ticket {
	u32 channel;
	u32 life;
};

/*
 * Call `service` at the peer. UR_TRY_BUSY: every channel of ours is in use.
 * UR_PEER_DOWN, UR_PEER_BROKEN: the link is not up.
 */
int ur_channel_call(struct ur_link *l, u32 service, struct ur_ticket *t)
	ur_must_check;

/*
 * Was our call answered? 0: open. UR_TRY_AGAIN: not yet. UR_PEER_REFUSED,
 * UR_PEER_RESET: it will not be; close the ticket.
 */
int ur_channel_answered(struct ur_link *l, struct ur_ticket t) ur_must_check;

/*
 * The first channel >= from that the peer calls on and nobody answered yet, and
 * its service. UR_TRY_AGAIN: none.
 */
int ur_channel_called(const struct ur_link *l, u32 from, u32 *service)
	ur_must_check;

/* Accept the call on `channel`. UR_BUG_STATE: there is none (any more). */
int ur_channel_accept(struct ur_link *l, u32 channel, struct ur_ticket *t)
	ur_must_check;

/* Refuse the call on `channel`, if there still is one. */
void ur_channel_refuse(struct ur_link *l, u32 channel);

/*
 * No more bytes from us. The peer reads what is there, then end of stream.
 * UR_BUG_STATE: our call was not accepted (yet).
 */
int ur_channel_shut(struct ur_link *l, struct ur_ticket t) ur_must_check;

/*
 * Give the channel back. With bytes of the peer unread, or abort, the peer
 * learns RESET instead of CLOSED. A stale ticket is fine.
 */
void ur_channel_close(struct ur_link *l, struct ur_ticket t, bool abort);

/*
 * PRODUCER: up to `want` bytes of room, as spans. > 0: bytes. UR_TRY_AGAIN:
 * full. UR_PEER_CLOSED: it reads no more, or we shut. UR_PEER_RESET: it is over.
 */
int ur_channel_room(struct ur_link *l, struct ur_ticket t, u32 want,
		    struct ur_span spans[2]) ur_must_check;

/*
 * PRODUCER: `bytes` of the spans are filled. UR_PEER_RESET: too late.
 * UR_PEER_CLOSED: too late, we shut meanwhile.
 */
int ur_channel_publish(struct ur_link *l, struct ur_ticket t, u32 bytes)
	ur_must_check;

/*
 * PRODUCER: about to sleep for room. UR_TRY_AGAIN: sleep; a doorbell comes when
 * about `low` bytes are free or the channel changes. 0 or another error: do not
 * sleep, go on.
 */
int ur_channel_arm_room(struct ur_link *l, struct ur_ticket t, u32 low)
	ur_must_check;

/*
 * CONSUMER: up to `want` bytes of data, as spans. > 0: bytes. 0: end of
 * stream. UR_TRY_AGAIN: nothing yet. UR_PEER_RESET: it is over.
 */
int ur_channel_data(struct ur_link *l, struct ur_ticket t, u32 want,
		    struct ur_peer_span spans[2]) ur_must_check;

/*
 * CONSUMER: `bytes` of the spans are copied. UR_PEER_RESET: the channel ended
 * meanwhile; what was copied is worth nothing.
 */
int ur_channel_release(struct ur_link *l, struct ur_ticket t, u32 bytes)
	ur_must_check;

/* CONSUMER: as ur_channel_arm_room(), for `low` bytes of data. */
int ur_channel_arm_data(struct ur_link *l, struct ur_ticket t, u32 low)
	ur_must_check;

/* Will the peer send no more than what it has sent (or is it gone)? */
bool ur_channel_peer_shut(struct ur_link *l, struct ur_ticket t) ur_must_check;

/*
 * Hints for whoever spins before it sleeps, and the only calls that need no
 * lock: is there data to take, or room for `low` bytes? What they say is an
 * unchecked claim; ask again with the calls above. Only for the channel's one
 * receiver or sender, which owns the index that is compared.
 */
bool ur_channel_data_moved(const struct ur_link *l, struct ur_ticket t);
bool ur_channel_room_moved(const struct ur_link *l, struct ur_ticket t, u32 low);

/* For ring/link.c: (re)build, end and look at all channels. */
void ur_channels_init(struct ur_link *l);
void ur_channels_end(struct ur_link *l);
bool ur_channels_look(struct ur_link *l);

#endif
