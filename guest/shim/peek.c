// SPDX-License-Identifier: BSD-2-Clause
/* Looking at a ring without moving its index: MSG_PEEK, FIONREAD, TIOCOUTQ. */
#define _GNU_SOURCE
#include "bytes.h"

#include <errno.h>

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

static ssize_t copy_spans(struct ur_stream *s, u8 *data, u32 want)
{
	struct ur_peer_span spans[2];
	int n = ur_stream_try(s, UR_RECEIVING, want);

	if (n > 0)
		n = ur_channel_data(&s->link->core, s->ticket, want, spans);
	if (n <= 0)
		return n;
	ur_wait_unlock(s->link);
	ur_copy(data, spans[0].at, spans[0].bytes);
	ur_copy(data + spans[0].bytes, spans[1].at, spans[1].bytes);
	ur_wait_lock(s->link);
	return n;
}

ssize_t ur_sock_peek(struct ur_sock *sock, void *data, size_t bytes, bool all,
		     int timeout_ms)
{
	struct ur_stream *s = sock->stream;
	struct ur_file_link *l = s->link;
	pthread_mutex_t *copying = &l->copying[UR_RECEIVING][s->ticket.channel];
	u32 want = bytes < l->ring_bytes ? (u32)bytes : l->ring_bytes;
	u32 low = !all ? 1 : want < l->ring_bytes / 2 ? want : l->ring_bytes / 2;
	ssize_t n;

	ur_wait_lock(l);
	n = low ? wait_for(s, low, timeout_ms) : 0;
	ur_wait_unlock(l);
	if (n < 0 && n != UR_TRY_AGAIN && n != -ETIMEDOUT)
		return n;
	pthread_mutex_lock(copying);
	ur_wait_lock(l);
	n = copy_spans(s, data, want);
	ur_wait_unlock(l);
	pthread_mutex_unlock(copying);
	return n;
}

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
