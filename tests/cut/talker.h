/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two small programs over a link: one asks, one answers. A turn does what can be
 * done without waiting, then arms and goes to sleep, as a real owner does; its
 * caller takes the doorbell.
 *
 *      asks        call, requests (two under way), half-close, end, close
 *      answers     accept, an answer for each request, end, half-close, close
 *
 * One visit is one call with its requests. A visit that failed begins anew.
 * Everything in struct talker is private memory: it is gone when its end dies.
 * What the two say is in the ledger LEDGER, which nobody's death touches.
 */
#ifndef UR_TEST_TALKER_H
#define UR_TEST_TALKER_H

#include "ledger.h"
#include "pair.h"

#define UNDER_WAY 2

struct talker {
	struct ur_ticket ticket;
	struct ur_ticket stale;	/* of the call before; life 0: none */
	bool connected;		/* has a ticket that is not over */
	bool answered;
	bool shut;
	u32 epoch[2];		/* when it was connected, by enum ur_end */
	u32 left;		/* requests to issue in this visit */
	u32 waiting;		/* keys[0..waiting): no answer yet, oldest first */
	struct key keys[UNDER_WAY];
	bool sending;
	struct message out;
	struct message in;
};

/* What the asking end has been told to do; survives its death. */
struct errand {
	enum ur_end asks;
	u32 visits;		/* still to be made */
	u32 abort_at;		/* abort the visit with that many left; 0: none */
	u32 requests;		/* per visit */
};

static struct talker TALKER[2];
static struct errand ERRAND;
static struct ledger LEDGER;
static bool ABORTED;		/* the present call, by the asking end */

/* Called before each piece of a message is copied into a ring. */
static void copy_point(enum ur_end end, u32 at);

static void wrong(const char *what)
{
	ledger_wrong(&LEDGER, what);
}

/* ---- bytes --------------------------------------------------------------- */

#define PIECE 13	/* bytes copied between two places where an end can die */

static void fill_span(enum ur_end end, struct ur_span s, const u8 *from)
{
	u32 done, n;

	for (done = 0; done < s.bytes; done += n) {
		n = s.bytes - done < PIECE ? s.bytes - done : PIECE;
		copy_point(end, done);
		memcpy(s.at + done, from + done, n);
	}
}

/* Bytes sent, or an error. */
static int push(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	struct message *m = &t->out;
	struct ur_span s[2];
	int n, error;

	n = ur_channel_room(&P.l[end], t->ticket, message_length(m) - m->done, s);
	if (n < 0)
		return n;
	fill_span(end, s[0], m->bytes + m->done);
	fill_span(end, s[1], m->bytes + m->done + s[0].bytes);
	error = ur_channel_publish(&P.l[end], t->ticket, (u32)n);
	if (error < 0)
		return error;
	m->done += (u32)n;
	return n;
}

/* Bytes received, 0: end of stream, or an error. */
static int pull(enum ur_end end, enum message_kind kind)
{
	struct talker *t = &TALKER[end];
	struct message *m = &t->in;
	bool had_head = m->done >= MESSAGE_HEADER;
	int n = pair_recv(&P.l[end], t->ticket, m->bytes + m->done,
			  message_lacks(m));

	if (n <= 0)
		return n;
	m->done += (u32)n;
	if (!had_head && m->done == MESSAGE_HEADER &&
	    message_head_wrong(m, kind)) {
		wrong(message_head_wrong(m, kind));
		m->head.bytes = 0;
	}
	return n;
}

static bool has_whole(const struct message *m)
{
	return m->done >= MESSAGE_HEADER && message_lacks(m) == 0;
}

static void check_whole(enum ur_end end)
{
	struct talker *t = &TALKER[end];

	if (message_payload_wrong(&t->in))
		wrong(message_payload_wrong(&t->in));
	if (memcmp(t->in.head.key.epoch, t->epoch, sizeof(t->epoch)) != 0)
		wrong("a message of an old epoch in a new one");
	if (t->in.head.key.channel != t->ticket.channel)
		wrong("a message of another channel");
	t->in.done = 0;
}

/* ---- the end of a call --------------------------------------------------- */

/* Only a peer that stopped or started, or that said abort, may reset. */
static bool may_be_reset(enum ur_end end)
{
	const struct talker *t = &TALKER[end];

	return ur_plain_load_acquire(&P.box[!end]->epoch) != t->epoch[!end] ||
	       P.l[end].epoch != t->epoch[end];
}

static void fail_asked(struct talker *t)
{
	u32 i;

	for (i = 0; i < t->waiting; i++)
		ledger_end_asked(&LEDGER, &t->keys[i], false);
	t->waiting = 0;
}

static void fail_served(struct talker *t)
{
	if (t->sending)
		ledger_end_served(&LEDGER, &t->out.head.key, false);
}

static void hang_up(enum ur_end end, bool abort)
{
	struct talker *t = &TALKER[end];

	if (end == ERRAND.asks)
		fail_asked(t);
	else
		fail_served(t);
	ur_channel_close(&P.l[end], t->ticket, abort);
	*t = (struct talker){ .stale = t->ticket };
}

/* A call of ours returned an error; go on with another call. */
static void fails(enum ur_end end, int error)
{
	bool aborted = ABORTED && end != ERRAND.asks;

	if (error != UR_PEER_RESET &&
	    !(error == UR_PEER_CLOSED && aborted))
		wrong("an error other than reset");
	else if (!aborted && !may_be_reset(end))
		wrong("a reset, and nobody died");
	hang_up(end, false);
}

static void connected(enum ur_end end)
{
	struct talker *t = &TALKER[end];

	t->connected = true;
	t->epoch[end] = P.l[end].epoch;
	t->epoch[!end] = P.l[end].peer_epoch;
}

/* The requests that are in the ledger for this channel and pair of epochs. */
static u32 next_sequence(const struct talker *t)
{
	u32 i, n = 0;

	for (i = 0; i < LEDGER.rows; i++) {
		const struct key *k = &LEDGER.row[i].key;

		n += k->channel == t->ticket.channel &&
		     memcmp(k->epoch, t->epoch, sizeof(t->epoch)) == 0;
	}
	return n;
}

/* Lengths on either side of what fits into a ring with its header. */
static u32 payload_of(u32 sequence)
{
	static const u32 bytes[] = { 16, 0, 29, 5 };

	return bytes[sequence % ROWS(bytes)];
}

/* ---- who asks ------------------------------------------------------------ */

static bool ask_call(enum ur_end end)
{
	struct talker *t = &TALKER[end];

	if (ERRAND.visits == 0 ||
	    ur_channel_call(&P.l[end], 7, &t->ticket) < 0)
		return false;
	ABORTED = false;
	connected(end);
	t->left = ERRAND.requests;
	return true;
}

static void ask_issue(struct talker *t)
{
	struct key key = { .channel = t->ticket.channel };

	memcpy(key.epoch, t->epoch, sizeof(key.epoch));
	key.sequence = next_sequence(t);
	ledger_issue(&LEDGER, &key);
	t->keys[t->waiting++] = key;
	t->left--;
	message_build(&t->out, REQUEST, &key, payload_of(key.sequence),
		      payload_of(key.sequence + 1));
	t->sending = true;
}

/* < 0: an error; else whether it went on. */
static int ask_send(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	int n;

	if (!t->sending && t->left && t->waiting < UNDER_WAY)
		ask_issue(t);
	if (t->sending) {
		n = push(end);
		t->sending = t->out.done < message_length(&t->out);
		return n == UR_TRY_AGAIN ? 0 : n;
	}
	if (t->left || t->shut)
		return 0;
	n = ur_channel_shut(&P.l[end], t->ticket);
	t->shut = n == 0;
	return n < 0 ? n : 1;
}

static void ask_take(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	u32 i;

	if (t->waiting == 0 ||
	    !key_equals(&t->in.head.key, &t->keys[0])) {
		wrong("an answer to another request");
		check_whole(end);
		return;
	}
	if (t->in.head.bytes != payload_of(t->keys[0].sequence + 1))
		wrong("an answer of another length than was asked for");
	check_whole(end);
	ledger_end_asked(&LEDGER, &t->keys[0], true);
	t->waiting--;
	for (i = 0; i < t->waiting; i++)
		t->keys[i] = t->keys[i + 1];
}

static int ask_recv(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	int n = pull(end, ANSWER);

	if (n == UR_TRY_AGAIN)
		return 0;
	if (n == 0) {
		if (!t->shut || t->waiting || t->in.done)
			wrong("end of stream before the last answer");
		hang_up(end, false);
		ERRAND.visits--;
		return 1;
	}
	if (n > 0 && has_whole(&t->in))
		ask_take(end);
	return n;
}

static bool ask_aborts(enum ur_end end)
{
	if (ERRAND.abort_at == 0 || TALKER[end].left > ERRAND.abort_at)
		return false;
	ABORTED = true;
	ERRAND.abort_at = 0;
	ERRAND.visits--;
	hang_up(end, true);
	return true;
}

/* ---- who answers --------------------------------------------------------- */

static bool serve_accept(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	u32 service;
	int n = ur_channel_called(&P.l[end], 0, &service);

	if (n < 0 || ur_channel_accept(&P.l[end], (u32)n, &t->ticket) < 0)
		return false;
	if (service != 7)
		wrong("a call for another service");
	connected(end);
	return true;
}

static void serve_take(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	struct message_head head = t->in.head;
	struct row *row = ledger_find(&LEDGER, &head.key);

	check_whole(end);
	if (!row || row->taken) {
		wrong(row ? "a request came twice" : "a request nobody issued");
		return;
	}
	row->taken = 1;
	message_build(&t->out, ANSWER, &head.key, head.wanted, 0);
	t->sending = true;
}

static int serve_send(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	int n;

	if (!t->sending)
		return 0;
	n = push(end);
	if (n > 0 && t->out.done == message_length(&t->out)) {
		ledger_end_served(&LEDGER, &t->out.head.key, true);
		t->sending = false;
	}
	return n == UR_TRY_AGAIN ? 0 : n;
}

static int serve_recv(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	int n;

	if (t->sending)
		return 0;
	n = pull(end, REQUEST);
	if (n == UR_TRY_AGAIN)
		return 0;
	if (n == 0) {
		if (t->in.done)
			wrong("end of stream in a request");
		n = ur_channel_shut(&P.l[end], t->ticket);
		if (n < 0 && !may_be_reset(end))
			wrong("no half-close after the end of stream");
		hang_up(end, false);
		return 1;
	}
	if (n > 0 && has_whole(&t->in))
		serve_take(end);
	return n;
}

/* ---- a turn -------------------------------------------------------------- */

/* Whether it may sleep: a doorbell will come for whatever it waits for. */
static bool armed_all(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	u32 low = 1 + LEDGER.rows % 32;
	int n = UR_TRY_AGAIN;

	if (t->sending && message_length(&t->out) - t->out.done < low)
		low = message_length(&t->out) - t->out.done;
	if (t->sending)
		n = ur_channel_arm_room(&P.l[end], t->ticket, low);
	if (n == UR_TRY_AGAIN && (end == ERRAND.asks || !t->sending))
		n = ur_channel_arm_data(&P.l[end], t->ticket, 1);
	return n == UR_TRY_AGAIN;
}

/* Returns whether it wants another turn at once. */
static bool talk_on(enum ur_end end, bool asks)
{
	int n = asks ? ask_send(end) : serve_send(end), m = 0;

	if (n >= 0 && TALKER[end].connected)
		m = asks ? ask_recv(end) : serve_recv(end);
	if (n < 0 || m < 0) {
		fails(end, n < 0 ? n : m);
		return true;
	}
	if (n || m)
		return true;
	return !armed_all(end);
}

/* A ticket that is over stays so, whoever uses its channel by now. */
static void try_stale(enum ur_end end)
{
	struct ur_link *l = &P.l[end];
	struct ur_ticket t = TALKER[end].stale;
	struct ur_peer_span in[2];
	struct ur_span out[2];

	if (t.life == 0)
		return;
	if (ur_channel_answered(l, t) != UR_PEER_RESET ||
	    ur_channel_data(l, t, 1, in) != UR_PEER_RESET ||
	    ur_channel_room(l, t, 1, out) != UR_PEER_RESET ||
	    ur_channel_release(l, t, 0) != UR_PEER_RESET ||
	    ur_channel_publish(l, t, 0) != UR_PEER_RESET ||
	    ur_channel_shut(l, t) != UR_PEER_RESET)
		wrong("a ticket that is over can be used");
	ur_channel_close(l, t, true);
}

static bool take_turn(enum ur_end end)
{
	struct talker *t = &TALKER[end];
	bool asks = end == ERRAND.asks;
	int n;

	ur_link_look(&P.l[end]);
	try_stale(end);
	if (!t->connected)
		return asks ? ask_call(end) : serve_accept(end);
	if (!asks)
		return talk_on(end, false);
	if (!t->answered) {
		n = ur_channel_answered(&P.l[end], t->ticket);
		if (n == UR_TRY_AGAIN)
			return false;
		if (n < 0)
			fails(end, n);
		t->answered = n == 0;
		return true;
	}
	return ask_aborts(end) || talk_on(end, true);
}

/* What an end had under way when it died. */
static void bury(enum ur_end end)
{
	u32 i;

	for (i = 0; i < LEDGER.rows; i++) {
		struct row *row = &LEDGER.row[i];

		if (end == ERRAND.asks)
			row->failed += !(row->answered + row->failed);
		else
			row->unsent += row->taken && !(row->sent + row->unsent);
	}
	TALKER[end] = (struct talker){ 0 };
}

#endif
