// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes. A turn is: ask for spans under the lock, copy without it, publish
 * under it. A sender sleeps only when it has filled the ring and a receiver
 * only when it has emptied it, so that whatever number of bytes either one
 * waits for, one of them can go on.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What one turn copies: a part of the ring, so that both ends copy at a time,
 * and not too little of a small one.
 */
#define TURNS_PER_RING 16
#define TURNS_AT_LEAST 4
#define TURN_BYTES_MIN (16u << 10)

/* ---- the list of a link -------------------------------------------------- */

struct ur_stream *ur_stream_new(struct ur_file_link *l)
{
	struct ur_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->link = l;
	ur_spin_init(&s->spin[UR_SENDING], l->spin_ns);
	ur_spin_init(&s->spin[UR_RECEIVING], l->spin_ns);
	return s;
}

void ur_stream_enlist(struct ur_stream *s, struct ur_ticket t, u32 service)
{
	struct ur_file_link *l = s->link;

	s->ticket = t;
	s->service = service;
	s->next = l->streams;
	s->previous = &l->streams;
	if (s->next)
		s->next->previous = &s->next;
	l->streams = s;
}

static void delist(struct ur_stream *s)
{
	*s->previous = s->next;
	if (s->next)
		s->next->previous = s->previous;
}

/* ---- may we, could we, tell me when -------------------------------------- */

/* 1: go on. Otherwise what send or receive returns because of our own side. */
static int own_side(const struct ur_stream *s, enum ur_direction d)
{
	if (s->link->stopped)
		return -ESHUTDOWN;
	if (d == UR_SENDING && s->shut & UR_SHUT_SEND)
		return UR_PEER_CLOSED;
	if (d == UR_RECEIVING && s->shut & UR_SHUT_RECV)
		return 0;
	return 1;
}

union spans {
	struct ur_span own[2];
	struct ur_peer_span peer[2];
};

static int spans_of(struct ur_stream *s, enum ur_direction d, u32 want,
		    union spans *spans)
{
	struct ur_link *core = &s->link->core;
	int n = own_side(s, d);

	if (n <= 0)
		return n;
	return d == UR_SENDING ?
		       ur_channel_room(core, s->ticket, want, spans->own) :
		       ur_channel_data(core, s->ticket, want, spans->peer);
}

int ur_stream_try(struct ur_stream *s, enum ur_direction d, u32 want)
{
	union spans unused;

	return spans_of(s, d, want, &unused);
}

int ur_stream_arm(struct ur_stream *s, enum ur_direction d, u32 low)
{
	struct ur_link *core = &s->link->core;
	int n = own_side(s, d);

	if (n <= 0)
		return n;
	return d == UR_SENDING ? ur_channel_arm_room(core, s->ticket, low) :
				 ur_channel_arm_data(core, s->ticket, low);
}

/* ---- wait for one stream ------------------------------------------------- */

struct wait_stream {
	struct ur_wait wait;
	struct ur_stream *stream;
	enum ur_direction direction;
	u32 low;
};

static bool can_go_on(struct ur_file_link *l, const struct ur_wait *wait)
{
	const struct wait_stream *w = (const struct wait_stream *)wait;
	int n = ur_stream_try(w->stream, w->direction, w->low);

	(void)l;
	if (n > 0 && (u32)n < w->low) /* enough only if no more comes */
		n = ur_stream_arm(w->stream, w->direction, w->low);
	return n != UR_TRY_AGAIN;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * Since `begin`, as long as the budget lasts. Nothing is armed meanwhile, so the
 * peer need not ring.
 */
static bool spin(struct ur_stream *s, enum ur_direction d, u64 begin,
		 u64 deadline)
{
	struct ur_spin *spin = &s->spin[d];
	u64 last, now = begin;
	bool found = false;

	if (ur_spin_goes_on(spin, begin, now))
		ur_wait_look(s->link);
	while (!found && ur_spin_goes_on(spin, begin, now) && now < deadline) {
		ur_wait_unlock(s->link);
		relax();
		ur_wait_lock(s->link);
		found = ur_stream_try(s, d, 1) != UR_TRY_AGAIN;
		last = now;
		now = ur_wait_now_ns();
		ur_spin_looked(spin, last, now);
	}
	return found;
}

static void count_stall(struct ur_file_link *l, enum ur_direction d)
{
	if (d == UR_SENDING)
		l->core.counters.stalls_room++;
	else
		l->core.counters.stalls_data++;
}

/* 0: try again. */
static int wait_to_go_on(struct ur_stream *s, enum ur_direction d, size_t want,
			 u64 deadline)
{
	u64 begin = ur_wait_now_ns();
	int n = 0;
	struct wait_stream w = {
		.wait = { can_go_on, deadline },
		.stream = s,
		.direction = d,
		.low = s->link->ring_bytes / 2,
	};

	if (want < w.low)
		w.low = (u32)want;
	ur_wait_lock(s->link);
	if (!spin(s, d, begin, deadline) && ur_stream_arm(s, d, w.low) == UR_TRY_AGAIN) {
		count_stall(s->link, d);
		n = ur_wait_until(s->link, &w.wait);
	}
	ur_spin_learn(&s->spin[d], ur_wait_now_ns() - begin);
	ur_wait_unlock(s->link);
	return n;
}

/* ---- a turn -------------------------------------------------------------- */

/* Pieces of the caller's memory, and how far we are. */
struct cursor {
	const struct iovec *piece;
	size_t at;
	size_t left;		/* of all pieces */
};

/* The caller's memory from where we are: at most `most` bytes in one piece. */
static size_t next_piece(struct cursor *c, size_t most, u8 **at)
{
	size_t n;

	while (c->at == c->piece->iov_len) {
		c->piece++;
		c->at = 0;
	}
	n = c->piece->iov_len - c->at;
	if (n > most)
		n = most;
	*at = (u8 *)c->piece->iov_base + c->at;
	c->at += n;
	c->left -= n;
	return n;
}

static void fill(struct ur_span span, struct cursor *c)
{
	u32 done = 0;

	while (done < span.bytes) {
		u8 *at;
		size_t n = next_piece(c, span.bytes - done, &at);

		ur_copy(span.at + done, at, n);
		done += (u32)n;
	}
}

static void drain(struct ur_peer_span span, struct cursor *c)
{
	u32 done = 0;

	while (done < span.bytes) {
		u8 *at;
		size_t n = next_piece(c, span.bytes - done, &at);

		ur_copy(at, span.at + done, n);
		done += (u32)n;
	}
}

static void copy(enum ur_direction d, const union spans *spans, struct cursor *c)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (d == UR_SENDING)
			fill(spans->own[i], c);
		else
			drain(spans->peer[i], c);
	}
}

static u32 turn_bytes(const struct ur_stream *s, size_t left)
{
	u32 ring = s->link->ring_bytes;
	u32 most = ring / TURNS_PER_RING;

	if (most < TURN_BYTES_MIN)
		most = ring / TURNS_AT_LEAST < TURN_BYTES_MIN ?
			       ring / TURNS_AT_LEAST : TURN_BYTES_MIN;
	return left < most ? (u32)left : most;
}

static int finish(struct ur_stream *s, enum ur_direction d, u32 bytes)
{
	struct ur_link *core = &s->link->core;

	return d == UR_SENDING ? ur_channel_publish(core, s->ticket, bytes) :
				 ur_channel_release(core, s->ticket, bytes);
}

/*
 * Copy once. > 0: bytes; 0, < 0: as ur_channel_room(), ur_channel_data().
 * Before it says "not now" to one who will not wait, it looks after the link, so
 * that who never waits learns of the peer's end as well.
 */
static int turn(struct ur_stream *s, enum ur_direction d, struct cursor *c,
		bool waits)
{
	struct ur_file_link *l = s->link;
	pthread_mutex_t *copying = &l->copying[d][s->ticket.channel];
	u32 want = turn_bytes(s, c->left);
	struct cursor next = *c;
	union spans spans;
	int error, n;

	pthread_mutex_lock(copying);
	ur_wait_lock(l);
	n = spans_of(s, d, want, &spans);
	if (n == UR_TRY_AGAIN && !waits) {
		ur_wait_look(l);
		n = spans_of(s, d, want, &spans);
	}
	if (n > 0) {
		ur_wait_unlock(l);
		copy(d, &spans, &next);
		ur_wait_lock(l);
		error = finish(s, d, (u32)n);
		n = error < 0 ? error : n;
	}
	ur_wait_unlock(l);
	pthread_mutex_unlock(copying);
	if (n > 0)
		*c = next;
	return n;
}

static ssize_t move(struct ur_stream *s, enum ur_direction d, struct cursor *c,
		    bool all, int timeout_ms)
{
	u64 deadline = ur_wait_deadline(timeout_ms);
	size_t moved = 0;
	int n = 0;

	while (c->left) {
		bool waits = deadline != 0 && (all || !moved);

		n = turn(s, d, c, waits);
		if (n > 0) {
			moved += (size_t)n;
			continue;
		}
		if (n != UR_TRY_AGAIN || !waits)
			break;
		n = wait_to_go_on(s, d, all ? c->left : 1, deadline);
		if (n < 0)
			break;
	}
	return moved ? (ssize_t)moved : n;
}

/* ---- what file_link.h offers --------------------------------------------- */

ssize_t ur_stream_sendv(struct ur_stream *s, const struct iovec *pieces,
			int count, int timeout_ms)
{
	struct cursor c = { .piece = pieces };
	int i;

	for (i = 0; i < count; i++)
		c.left += pieces[i].iov_len;
	return move(s, UR_SENDING, &c, true, timeout_ms);
}

ssize_t ur_stream_send(struct ur_stream *s, const void *data, size_t bytes,
		       int timeout_ms)
{
	struct iovec piece = { (void *)data, bytes };

	return ur_stream_sendv(s, &piece, 1, timeout_ms);
}

ssize_t ur_stream_recv(struct ur_stream *s, void *data, size_t bytes,
		       int timeout_ms)
{
	struct iovec piece = { data, bytes };
	struct cursor c = { .piece = &piece, .left = bytes };

	return move(s, UR_RECEIVING, &c, false, timeout_ms);
}

ssize_t ur_stream_recv_all(struct ur_stream *s, void *data, size_t bytes,
			   int timeout_ms)
{
	struct iovec piece = { data, bytes };
	struct cursor c = { .piece = &piece, .left = bytes };

	return move(s, UR_RECEIVING, &c, true, timeout_ms);
}

static int shut(struct ur_stream *s, unsigned int which)
{
	struct ur_link *core = &s->link->core;
	bool first = which & UR_SHUT_SEND && !(s->shut & UR_SHUT_SEND);

	s->shut |= which;
	if (s->shut == (UR_SHUT_RECV | UR_SHUT_SEND)) {
		ur_channel_close(core, s->ticket, false);
		return 0;
	}
	return first ? ur_channel_shut(core, s->ticket) : 0;
}

int ur_stream_shut(struct ur_stream *s, unsigned int which)
{
	struct ur_file_link *l = s->link;
	int n;

	ur_wait_lock(l);
	n = shut(s, which & (UR_SHUT_RECV | UR_SHUT_SEND));
	l->kick = true;
	ur_wait_unlock(l);
	return n;
}

void ur_stream_close(struct ur_stream *s, bool abort)
{
	struct ur_file_link *l = s->link;

	ur_wait_lock(l);
	ur_channel_close(&l->core, s->ticket, abort);
	delist(s);
	ur_wait_unlock(l);
	free(s);
}

u32 ur_stream_channel(const struct ur_stream *s)
{
	return s->ticket.channel;
}

u32 ur_stream_service(const struct ur_stream *s)
{
	return s->service;
}
