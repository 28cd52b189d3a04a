// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Two words per channel, one in each outbox, each generation << 8 | state:
 *
 *      caller    CALL ----------> HALF --> CLOSED            CALL (g+1)
 *                     \                       \             /
 *      acceptor        OPEN --------> HALF --> CLOSED -----
 *
 * Neither touches the other's word; the caller goes on to g+1 only when both
 * words are at an end. `own` is what we published and `peer` what we last saw,
 * both for `generation`; peer IDLE means that it has not said anything of that
 * generation yet.
 */
#include "channel.h"

#define ONE(state) (1u << (state))
#define ENDED (ONE(UR_CHANNEL_CLOSED) | ONE(UR_CHANNEL_RESET) | \
	       ONE(UR_CHANNEL_REFUSED))
#define FINAL (ONE(UR_CHANNEL_HALF) | ONE(UR_CHANNEL_CLOSED))
#define CALLER_STATES (ONE(UR_CHANNEL_CALL) | ONE(UR_CHANNEL_HALF) | \
		       ONE(UR_CHANNEL_CLOSED) | ONE(UR_CHANNEL_RESET))
#define ACCEPTOR_STATES (ONE(UR_CHANNEL_OPEN) | ONE(UR_CHANNEL_HALF) | ENDED)

/*
 * Where a peer's word may be found next, in the same generation: the transitive
 * closure, since we may not have looked in between.
 */
static const u8 may_follow[] = {
	[UR_CHANNEL_IDLE] = CALLER_STATES | ACCEPTOR_STATES,
	[UR_CHANNEL_CALL] = CALLER_STATES,
	[UR_CHANNEL_OPEN] = ACCEPTOR_STATES & ~ONE(UR_CHANNEL_REFUSED),
	[UR_CHANNEL_HALF] = FINAL | ONE(UR_CHANNEL_RESET),
	[UR_CHANNEL_CLOSED] = ONE(UR_CHANNEL_CLOSED),
	[UR_CHANNEL_RESET] = ONE(UR_CHANNEL_RESET),
	[UR_CHANNEL_REFUSED] = ONE(UR_CHANNEL_REFUSED),
};

static bool is_one_of(u32 state, u32 set)
{
	return ONE(state) & set;
}

static bool is_ours(const struct ur_link *l, u32 c)
{
	return (c & 1) == (l->end == UR_END_B);
}

static u32 word_of(u32 generation, u32 state)
{
	return generation << 8 | state;
}

static u32 next_generation(u32 generation)
{
	return (generation + 1) & 0xffffffu;
}

static void publish_state(struct ur_link *l, u32 c, enum ur_channel_state state)
{
	struct ur_channel *ch = &l->channels[c];

	ch->own = (u8)state;
	ur_store_release(&ur_block(l->own, c)->word,
			 word_of(ch->generation, state));
	l->bell = true;
}

static void start_rings(struct ur_link *l, u32 c)
{
	ur_producer_start(&l->channels[c].tx, l->geometry.first_index);
	ur_consumer_start(&l->channels[c].rx, l->geometry.first_index);
}

static void take_life(struct ur_link *l, u32 c, struct ur_ticket *t)
{
	if (++l->lives == 0)
		l->lives = 1;
	l->channels[c].life = l->lives;
	t->channel = c;
	t->life = l->lives;
}

/* ---- all channels -------------------------------------------------------- */

static void init_one(struct ur_link *l, u32 c)
{
	const struct ur_geometry *g = &l->geometry;
	struct ur_channel *ch = &l->channels[c];
	struct ur_block_shm *own = ur_block(l->own, c);
	const struct ur_block_shm *peer = ur_peer_block(l->peer, c);
	u32 data = g->data_offset + c * g->ring_bytes;

	ch->generation = g->first_generation & 0xffffffu;
	ch->own = UR_CHANNEL_IDLE;
	ch->peer = UR_CHANNEL_IDLE;
	ch->life = 0;
	ch->service = 0;
	/*
	 * Field by field: in a restart somebody may be spinning on the pointers
	 * (ur_channel_data_moved()), so they never are anything else meanwhile.
	 */
	ch->tx.data = (u8 *)l->own + data;
	ch->tx.ring_bytes = g->ring_bytes;
	ch->tx.own_produced = &own->produced;
	ch->tx.own_space_event = &own->space_event;
	ch->tx.peer_consumed = &peer->consumed;
	ch->tx.peer_data_event = &peer->data_event;
	ch->rx.data = (const u8 *)l->peer + data;
	ch->rx.ring_bytes = g->ring_bytes;
	ch->rx.own_consumed = &own->consumed;
	ch->rx.own_data_event = &own->data_event;
	ch->rx.peer_produced = &peer->produced;
	ch->rx.peer_space_event = &peer->space_event;
}

void ur_channels_init(struct ur_link *l)
{
	u32 c;

	for (c = 0; c < l->geometry.channels; c++)
		init_one(l, c);
}

void ur_channels_end(struct ur_link *l)
{
	u32 c;

	for (c = 0; c < l->geometry.channels; c++) {
		struct ur_channel *ch = &l->channels[c];

		ch->own = UR_CHANNEL_IDLE;
		ch->peer = UR_CHANNEL_IDLE;
		ch->life = 0;
	}
}

/* ---- the peer's word ----------------------------------------------------- */

/* May the peer, as caller, begin another generation now? */
static bool is_free_for_call(const struct ur_channel *ch)
{
	return ch->peer == UR_CHANNEL_IDLE || is_one_of(ch->own, ENDED);
}

static bool sever_word(struct ur_link *l, u32 number, u32 c, u32 word)
{
	const struct ur_channel *ch = &l->channels[c];

	ur_link_sever(l, number, c, word, word_of(ch->generation, ch->peer));
	return true;
}

static bool meet_new_call(struct ur_link *l, u32 c, u32 word)
{
	struct ur_channel *ch = &l->channels[c];
	u32 state = word & 0xff;

	if (!is_free_for_call(ch) || state == UR_CHANNEL_HALF)
		return sever_word(l, UR_FAULT_MOVE, c, word);
	ch->generation = word >> 8;
	ch->own = UR_CHANNEL_IDLE;
	ch->peer = (u8)state;
	ch->life = 0;
	ch->service = ur_load_once(&ur_peer_block(l->peer, c)->service);
	return true;
}

/*
 * Load the peer's word once and take note of it. Returns whether it changed or
 * was refused. Loads acquire: what the peer stored before the word (indices of
 * a new generation, a final `produced`) is seen by what we load next.
 */
static bool look(struct ur_link *l, u32 c)
{
	struct ur_channel *ch = &l->channels[c];
	u32 word = ur_load_acquire(&ur_peer_block(l->peer, c)->word);
	u32 state = word & 0xff;
	bool current = word >> 8 == ch->generation;
	u32 role = is_ours(l, c) ? ACCEPTOR_STATES : CALLER_STATES;

	if (word == 0 && ch->peer == UR_CHANNEL_IDLE)
		return false;
	if (state > UR_CHANNEL_REFUSED || !is_one_of(state, role))
		return sever_word(l, UR_FAULT_STATE, c, word);
	if (is_ours(l, c)) {
		/* Before we call, and of older generations: not an answer. */
		if (ch->peer == UR_CHANNEL_IDLE &&
		    (!current || ch->own == UR_CHANNEL_IDLE))
			return false;
	} else if (!current || ch->peer == UR_CHANNEL_IDLE) {
		return meet_new_call(l, c, word);
	}
	/* A caller that says HALF saw our OPEN, so not before we answered. */
	if (!current || !is_one_of(state, may_follow[ch->peer]) ||
	    (state == UR_CHANNEL_HALF && ch->own == UR_CHANNEL_IDLE))
		return sever_word(l, UR_FAULT_MOVE, c, word);
	if (state == ch->peer)
		return false;
	ch->peer = (u8)state;
	return true;
}

/* A call that was withdrawn before we answered it. */
static void settle_withdrawn(struct ur_link *l, u32 c)
{
	struct ur_channel *ch = &l->channels[c];

	if (!is_ours(l, c) && ch->own == UR_CHANNEL_IDLE &&
	    is_one_of(ch->peer, ENDED))
		publish_state(l, c, UR_CHANNEL_CLOSED);
}

bool ur_channels_look(struct ur_link *l)
{
	bool changed = false;
	u32 c;

	for (c = 0; c < l->geometry.channels; c++) {
		changed |= look(l, c);
		if (l->state != UR_LINK_UP)
			return true;
		settle_withdrawn(l, c);
	}
	return changed;
}

/* ---- call and answer ----------------------------------------------------- */

static bool is_free_to_call(struct ur_link *l, u32 c)
{
	struct ur_channel *ch = &l->channels[c];

	if (ch->life != 0)
		return false;
	look(l, c);
	return ch->own == UR_CHANNEL_IDLE || is_one_of(ch->peer, ENDED);
}

static void call_on(struct ur_link *l, u32 c, u32 service)
{
	struct ur_channel *ch = &l->channels[c];

	if (ch->own != UR_CHANNEL_IDLE)
		ch->generation = next_generation(ch->generation);
	ch->peer = UR_CHANNEL_IDLE;
	start_rings(l, c);
	ur_store_once(&ur_block(l->own, c)->service, service);
	publish_state(l, c, UR_CHANNEL_CALL);
	l->counters.calls++;
}

int ur_channel_call(struct ur_link *l, u32 service, struct ur_ticket *t)
{
	u32 c;

	for (c = 0; c < l->geometry.channels && l->state == UR_LINK_UP; c++) {
		if (!is_ours(l, c) || !is_free_to_call(l, c))
			continue;
		if (l->state != UR_LINK_UP)
			break;
		call_on(l, c, service);
		take_life(l, c, t);
		return 0;
	}
	if (l->state == UR_LINK_UP)
		return UR_TRY_BUSY;
	return l->state == UR_LINK_BROKEN ? UR_PEER_BROKEN : UR_PEER_DOWN;
}

/* The channel of a live ticket, after a look at the peer's word; else NULL. */
static struct ur_channel *enter(struct ur_link *l, struct ur_ticket t)
{
	struct ur_channel *ch = &l->channels[t.channel];

	if (t.life == 0 || ch->life != t.life || l->state != UR_LINK_UP)
		return NULL;
	look(l, t.channel);
	if (ch->life != t.life || ur_link_peer_restarted(l))
		return NULL;
	return ch;
}

int ur_channel_answered(struct ur_link *l, struct ur_ticket t)
{
	struct ur_channel *ch = enter(l, t);

	if (!ch || ch->peer == UR_CHANNEL_RESET)
		return UR_PEER_RESET;
	if (ch->peer == UR_CHANNEL_IDLE)
		return UR_TRY_AGAIN;
	return ch->peer == UR_CHANNEL_REFUSED ? UR_PEER_REFUSED : 0;
}

static bool is_waiting_call(const struct ur_link *l, u32 c)
{
	const struct ur_channel *ch = &l->channels[c];

	return !is_ours(l, c) && ch->own == UR_CHANNEL_IDLE &&
	       ch->peer == UR_CHANNEL_CALL;
}

int ur_channel_called(const struct ur_link *l, u32 from, u32 *service)
{
	u32 c;

	for (c = from; c < l->geometry.channels; c++) {
		if (!is_waiting_call(l, c))
			continue;
		*service = l->channels[c].service;
		return (int)c;
	}
	return UR_TRY_AGAIN;
}

int ur_channel_accept(struct ur_link *l, u32 channel, struct ur_ticket *t)
{
	if (channel >= l->geometry.channels || !is_waiting_call(l, channel))
		return UR_BUG_STATE;
	start_rings(l, channel);
	publish_state(l, channel, UR_CHANNEL_OPEN);
	take_life(l, channel, t);
	l->counters.accepts++;
	return 0;
}

void ur_channel_refuse(struct ur_link *l, u32 channel)
{
	if (channel >= l->geometry.channels || !is_waiting_call(l, channel))
		return;
	publish_state(l, channel, UR_CHANNEL_REFUSED);
	l->counters.refusals++;
}

/* The rings of a call belong to this generation only once it was accepted. */
static bool was_opened(const struct ur_channel *ch)
{
	return !is_one_of(ch->peer,
			  ONE(UR_CHANNEL_IDLE) | ONE(UR_CHANNEL_REFUSED));
}

int ur_channel_shut(struct ur_link *l, struct ur_ticket t)
{
	struct ur_channel *ch = enter(l, t);

	if (!ch)
		return UR_PEER_RESET;
	if (!was_opened(ch))
		return UR_BUG_STATE;
	if (ch->own != UR_CHANNEL_HALF)
		publish_state(l, t.channel, UR_CHANNEL_HALF);
	return 0;
}

static bool has_unread(struct ur_channel *ch)
{
	return was_opened(ch) && ur_consumer_data(&ch->rx) != 0;
}

void ur_channel_close(struct ur_link *l, struct ur_ticket t, bool abort)
{
	struct ur_channel *ch = enter(l, t);

	if (!ch)
		return;
	if (abort || has_unread(ch))
		publish_state(l, t.channel, UR_CHANNEL_RESET);
	else
		publish_state(l, t.channel, UR_CHANNEL_CLOSED);
	ch->life = 0;
}

/* ---- bytes --------------------------------------------------------------- */

static int may_send(struct ur_channel *ch)
{
	if (!ch || ch->peer == UR_CHANNEL_RESET)
		return UR_PEER_RESET;
	if (ch->peer == UR_CHANNEL_IDLE)
		return UR_BUG_STATE;
	if (ch->own == UR_CHANNEL_HALF || is_one_of(ch->peer, ENDED))
		return UR_PEER_CLOSED;
	return 0;
}

static void count_bell(struct ur_link *l, bool needed)
{
	if (needed)
		l->bell = true;
	else
		l->counters.suppressed++;
}

static int checked_room(struct ur_link *l, struct ur_ticket t,
			struct ur_channel *ch, int room)
{
	if (room < 0) {
		ur_link_sever(l, UR_FAULT_CONSUMED, t.channel, ch->tx.refused,
			      ch->tx.produced);
		return UR_PEER_RESET;
	}
	return room;
}

static int checked_data(struct ur_link *l, struct ur_ticket t,
			struct ur_channel *ch, int data)
{
	if (data < 0) {
		ur_link_sever(l, UR_FAULT_PRODUCED, t.channel, ch->rx.refused,
			      ch->rx.consumed + ch->rx.ring_bytes);
		return UR_PEER_RESET;
	}
	return data;
}

int ur_channel_room(struct ur_link *l, struct ur_ticket t, u32 want,
		    struct ur_span spans[2])
{
	struct ur_channel *ch = enter(l, t);
	int n = may_send(ch);

	if (n < 0)
		return n;
	n = checked_room(l, t, ch, ur_producer_room(&ch->tx));
	if (n <= 0)
		return n < 0 ? n : UR_TRY_AGAIN;
	if ((u32)n > want)
		n = (int)want;
	ur_producer_spans(&ch->tx, (u32)n, spans);
	return n;
}

int ur_channel_publish(struct ur_link *l, struct ur_ticket t, u32 bytes)
{
	struct ur_channel *ch = &l->channels[t.channel];
	u32 waiting;

	if (t.life == 0 || ch->life != t.life)
		return UR_PEER_RESET;
	if (ch->own == UR_CHANNEL_HALF) /* `produced` is final */
		return UR_PEER_CLOSED;
	count_bell(l, ur_producer_publish(&ch->tx, bytes));
	l->counters.bytes_sent += bytes;
	l->counters.publishes++;
	waiting = ch->tx.produced - ch->tx.consumed;
	if (waiting > l->counters.high_water)
		l->counters.high_water = waiting;
	return 0;
}

static int armed(int there, u32 low)
{
	if (there < 0)
		return there;
	return (u32)there >= low ? 0 : UR_TRY_AGAIN;
}

/* At most half a ring at either end, or both could wait for each other. */
static u32 clamp_low(u32 low, u32 ring_bytes)
{
	if (low == 0)
		return 1;
	return low < ring_bytes / 2 ? low : ring_bytes / 2;
}

int ur_channel_arm_room(struct ur_link *l, struct ur_ticket t, u32 low)
{
	struct ur_channel *ch = enter(l, t);
	int n = may_send(ch);

	if (n < 0)
		return n;
	low = clamp_low(low, ch->tx.ring_bytes);
	n = armed(checked_room(l, t, ch, ur_producer_arm(&ch->tx, low)), low);
	if (n == UR_TRY_AGAIN && look(l, t.channel))
		return 0;
	return n;
}

int ur_channel_data(struct ur_link *l, struct ur_ticket t, u32 want,
		    struct ur_peer_span spans[2])
{
	/* The peer's word before its `produced`: see end of stream in SPEC 7. */
	struct ur_channel *ch = enter(l, t);
	int n;

	if (!ch || ch->peer == UR_CHANNEL_RESET)
		return UR_PEER_RESET;
	if (!was_opened(ch))
		return UR_BUG_STATE;
	n = checked_data(l, t, ch, ur_consumer_data(&ch->rx));
	if (n == 0 && !is_one_of(ch->peer, FINAL))
		return UR_TRY_AGAIN;
	/* A restarting peer's clean `produced` must not end a stream early. */
	if (n == 0 && ur_link_peer_restarted(l))
		return UR_PEER_RESET;
	if (n > 0 && (u32)n > want)
		n = (int)want;
	if (n > 0)
		ur_consumer_spans(&ch->rx, (u32)n, spans);
	return n;
}

int ur_channel_release(struct ur_link *l, struct ur_ticket t, u32 bytes)
{
	struct ur_channel *ch = &l->channels[t.channel];

	/* After a restart `produced` may have been a clean 0 near the wrap. */
	if (t.life == 0 || ch->life != t.life || ur_link_peer_restarted(l))
		return UR_PEER_RESET;
	count_bell(l, ur_consumer_release(&ch->rx, bytes));
	l->counters.bytes_received += bytes;
	l->counters.releases++;
	return 0;
}

int ur_channel_arm_data(struct ur_link *l, struct ur_ticket t, u32 low)
{
	struct ur_channel *ch = enter(l, t);
	int n;

	if (!ch || ch->peer == UR_CHANNEL_RESET)
		return UR_PEER_RESET;
	if (!was_opened(ch))
		return UR_BUG_STATE;
	if (is_one_of(ch->peer, FINAL))
		return 0;
	low = clamp_low(low, ch->rx.ring_bytes);
	n = armed(checked_data(l, t, ch, ur_consumer_arm(&ch->rx, low)), low);
	if (n == UR_TRY_AGAIN && look(l, t.channel))
		return 0;
	return n;
}

bool ur_channel_peer_shut(struct ur_link *l, struct ur_ticket t)
{
	struct ur_channel *ch = enter(l, t);

	return !ch || is_one_of(ch->peer, FINAL | ONE(UR_CHANNEL_RESET));
}

bool ur_channel_data_moved(const struct ur_link *l, struct ur_ticket t)
{
	const struct ur_consumer *rx = &l->channels[t.channel].rx;

	return ur_load_once(rx->peer_produced) != rx->consumed;
}

bool ur_channel_room_moved(const struct ur_link *l, struct ur_ticket t, u32 low)
{
	const struct ur_producer *tx = &l->channels[t.channel].tx;
	u32 waiting = tx->produced - ur_load_once(tx->peer_consumed);

	return waiting <= tx->ring_bytes - clamp_low(low, tx->ring_bytes);
}
