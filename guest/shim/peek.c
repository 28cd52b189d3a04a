// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looking at a ring without moving its index: MSG_PEEK, FIONREAD, TIOCOUTQ.
 *
 * What a peek has shown is kept, and is what the next receive gives: a program
 * that judges what it peeks must not read other bytes after. The ring's index
 * stays, so whatever waits for the ring sees those bytes as it did before:
 *
 *      ring      ....|c o n s u m e d|shown, again writable|more|....
 *      kept                          |shown, as it was     |
 */
#define _GNU_SOURCE
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

struct peek_wait {
	struct ur_wait wait;
	struct ur_stream *stream;
	u32 low;
};

static bool is_there(struct ur_file_link *l, const struct ur_wait *wait)
{
	const struct peek_wait *w = (const struct peek_wait *)wait;
	int n = ur_stream_try(w->stream, UR_RECEIVING, w->low);

	(void)l;
	if (n > 0 && (u32)n < w->low) /* enough only if no more comes */
		n = ur_stream_arm(w->stream, UR_RECEIVING, w->low);
	return n != UR_TRY_AGAIN;
}

/* LOCKED */
static int wait_for(struct ur_stream *s, u32 low, int timeout_ms)
{
	struct peek_wait w = { { is_there, ur_wait_deadline(timeout_ms) }, s, low };

	ur_wait_look(s->link);
	if (ur_stream_arm(s, UR_RECEIVING, low) != UR_TRY_AGAIN)
		return 0;
	return ur_wait_until(s->link, &w.wait);
}

/* ---- what is kept; all with the channel's `copying` held ----------------- */

/* LOCKED: some may have been taken by one who saw nothing kept. */
static void catch_up(struct ur_peeked *p, const struct ur_stream *s)
{
	u32 index = s->link->core.channels[s->ticket.channel].rx.consumed;
	u32 gone = index - p->at < p->bytes ? index - p->at : p->bytes;

	p->first += gone;
	p->bytes -= gone;
	p->at = index;
}

/* From the ring what is not kept yet, so that `bytes` are. */
static int keep(struct ur_peeked *p, const struct ur_peer_span *spans, u32 bytes)
{
	u32 skip = p->bytes;
	u8 *data, *at;
	int i;

	if (bytes <= p->bytes)
		return 0;
	data = malloc(bytes);
	if (!data)
		return -ENOMEM;
	if (p->bytes)
		memcpy(data, p->data + p->first, p->bytes);
	at = data + p->bytes;
	for (i = 0; i < 2; i++) {
		u32 over = skip < spans[i].bytes ? skip : spans[i].bytes;

		ur_copy(at, spans[i].at + over, spans[i].bytes - over);
		at += spans[i].bytes - over;
		skip -= over;
	}
	free(p->data);
	*p = (struct ur_peeked){ data, 0, bytes, p->at };
	return 0;
}

static void drop_if_empty(struct ur_sock *sock)
{
	struct ur_peeked *p = &sock->peeked;

	sock->has_peeked = p->bytes != 0;
	if (p->bytes)
		return;
	free(p->data);
	p->data = NULL;
}

/* LOCKED */
static ssize_t show(struct ur_sock *sock, u8 *data, u32 want)
{
	struct ur_stream *s = sock->stream;
	struct ur_peer_span spans[2];
	int error, n = ur_stream_try(s, UR_RECEIVING, want);

	if (n > 0)
		n = ur_channel_data(&s->link->core, s->ticket, want, spans);
	if (n <= 0)
		return n;
	catch_up(&sock->peeked, s);
	ur_wait_unlock(s->link);
	error = keep(&sock->peeked, spans, (u32)n);
	if (error == 0)
		memcpy(data, sock->peeked.data + sock->peeked.first, (size_t)n);
	ur_wait_lock(s->link);
	if (error == 0) /* nothing is given back, but the copy is judged */
		error = ur_channel_release(&s->link->core, s->ticket, 0);
	return error < 0 ? error : n;
}

/* LOCKED */
static ssize_t take(struct ur_sock *sock, u8 *data, u32 want)
{
	struct ur_stream *s = sock->stream;
	struct ur_peeked *p = &sock->peeked;
	int error, n = ur_stream_try(s, UR_RECEIVING, want);

	catch_up(p, s);
	if (n <= 0 || !p->bytes)
		return 0; /* over, or nothing kept: the ring will tell */
	if ((u32)n > p->bytes)
		n = (int)p->bytes;
	ur_wait_unlock(s->link);
	memcpy(data, p->data + p->first, (size_t)n);
	ur_wait_lock(s->link);
	error = ur_channel_release(&s->link->core, s->ticket, (u32)n);
	catch_up(p, s);
	return error < 0 ? error : n;
}

typedef ssize_t kept_fn(struct ur_sock *sock, u8 *data, u32 want);

static ssize_t with_kept(struct ur_sock *sock, kept_fn *use, void *data, size_t bytes)
{
	struct ur_file_link *l = sock->stream->link;
	u32 channel = sock->stream->ticket.channel;
	u32 want = bytes < l->ring_bytes ? (u32)bytes : l->ring_bytes;
	ssize_t n;

	pthread_mutex_lock(&l->copying[UR_RECEIVING][channel]);
	ur_wait_lock(l);
	n = use(sock, data, want);
	ur_wait_unlock(l);
	drop_if_empty(sock);
	pthread_mutex_unlock(&l->copying[UR_RECEIVING][channel]);
	return n;
}

/* ---- MSG_PEEK ------------------------------------------------------------ */

ssize_t ur_sock_take_peeked(struct ur_sock *sock, void *data, size_t bytes)
{
	return sock->has_peeked ? with_kept(sock, take, data, bytes) : 0;
}

ssize_t ur_sock_peek(struct ur_sock *sock, void *data, size_t bytes, bool all,
		     int timeout_ms)
{
	struct ur_stream *s = sock->stream;
	struct ur_file_link *l = s->link;
	u32 want = bytes < l->ring_bytes ? (u32)bytes : l->ring_bytes;
	u32 low = !all ? 1 : want < l->ring_bytes / 2 ? want : l->ring_bytes / 2;
	ssize_t n;

	ur_wait_lock(l);
	n = low ? wait_for(s, low, timeout_ms) : 0;
	ur_wait_unlock(l);
	if (n < 0 && n != UR_TRY_AGAIN && n != -ETIMEDOUT)
		return n;
	return with_kept(sock, show, data, want);
}

/* ---- FIONREAD, TIOCOUTQ -------------------------------------------------- */

/* As ur_stream_try(), for the whole ring. */
static int try_all(struct ur_sock *s, enum ur_direction d)
{
	struct ur_file_link *l = s->link->link;
	int n;

	ur_wait_lock(l);
	n = ur_stream_try(s->stream, d, l->ring_bytes);
	ur_wait_unlock(l);
	return n;
}

u32 ur_sock_unread(struct ur_sock *s)
{
	int n = try_all(s, UR_RECEIVING);

	return n > 0 ? (u32)n : 0;
}

u32 ur_sock_unsent(struct ur_sock *s)
{
	u32 ring = s->link->link->ring_bytes;
	int n = try_all(s, UR_SENDING);

	if (n == UR_TRY_AGAIN)
		return ring;
	return n > 0 ? ring - (u32)n : 0;
}
