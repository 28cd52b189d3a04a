// SPDX-License-Identifier: BSD-2-Clause
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* ---- calls of the peer --------------------------------------------------- */

static struct ur_listener *listener_of(struct ur_file_link *l, u32 service)
{
	u32 i;

	for (i = 0; i < UR_LISTENERS_MAX; i++)
		if (l->listeners[i].backlog && l->listeners[i].service == service)
			return &l->listeners[i];
	return NULL;
}

static bool still_waits(struct ur_file_link *l, u32 channel, u32 generation)
{
	u32 service;

	return ur_channel_called(&l->core, channel, &service) == (int)channel &&
	       l->core.channels[channel].generation == generation;
}

static void drop_withdrawn(struct ur_file_link *l, struct ur_listener *q)
{
	u32 i, kept = 0;

	for (i = 0; i < q->waiting; i++)
		if (still_waits(l, q->calls[i].channel, q->calls[i].generation))
			q->calls[kept++] = q->calls[i];
	q->waiting = kept;
}

static bool is_queued(const struct ur_listener *q, u32 channel)
{
	u32 i;

	for (i = 0; i < q->waiting; i++)
		if (q->calls[i].channel == channel)
			return true;
	return false;
}

static void settle(struct ur_file_link *l, u32 channel, u32 service)
{
	struct ur_listener *q = listener_of(l, service);

	if (q && is_queued(q, channel))
		return;
	if (!q || q->waiting == q->backlog) {
		ur_channel_refuse(&l->core, channel);
		return;
	}
	q->calls[q->waiting].channel = channel;
	q->calls[q->waiting].generation = l->core.channels[channel].generation;
	q->waiting++;
}

void ur_calls_settle(struct ur_file_link *l)
{
	u32 i, service;
	int c;

	for (i = 0; i < UR_LISTENERS_MAX; i++)
		drop_withdrawn(l, &l->listeners[i]);
	for (c = 0; (c = ur_channel_called(&l->core, (u32)c, &service)) >= 0; c++)
		settle(l, (u32)c, service);
}

bool ur_calls_waiting(struct ur_file_link *l, u32 service)
{
	struct ur_listener *q = listener_of(l, service);

	return q && q->waiting;
}

static struct ur_listener *free_listener(struct ur_file_link *l)
{
	u32 i;

	for (i = 0; i < UR_LISTENERS_MAX; i++)
		if (!l->listeners[i].backlog)
			return &l->listeners[i];
	return NULL;
}

static int listen_on(struct ur_file_link *l, u32 service, u32 backlog)
{
	struct ur_listener *q = free_listener(l);

	if (l->stopped)
		return -ESHUTDOWN;
	if (listener_of(l, service))
		return -EADDRINUSE;
	if (!q)
		return -ENOSPC;
	*q = (struct ur_listener){ .service = service, .backlog = backlog };
	return 0;
}

int ur_file_link_listen(struct ur_file_link *l, u32 service, u32 backlog)
{
	int n;

	if (backlog < 1 || backlog > UR_CHANNELS_MAX)
		return UR_BUG_INVALID;
	ur_wait_lock(l);
	n = listen_on(l, service, backlog);
	ur_wait_unlock(l);
	return n;
}

void ur_file_link_unlisten(struct ur_file_link *l, u32 service)
{
	struct ur_listener *q;

	ur_wait_lock(l);
	q = listener_of(l, service);
	if (q)
		q->backlog = 0;
	ur_calls_settle(l);
	l->changes++;
	l->kick = true; /* who waits in accept */
	ur_wait_unlock(l);
}

static int take_call(struct ur_file_link *l, u32 service, struct ur_ticket *t)
{
	struct ur_listener *q = listener_of(l, service);
	u32 channel, i;

	if (!q)
		return UR_BUG_INVALID;
	drop_withdrawn(l, q);
	if (q->waiting == 0)
		return UR_TRY_AGAIN;
	channel = q->calls[0].channel;
	q->waiting--;
	for (i = 0; i < q->waiting; i++)
		q->calls[i] = q->calls[i + 1];
	return ur_channel_accept(&l->core, channel, t);
}

static int wait_for_call(struct ur_file_link *l, u32 service, u64 deadline,
			 struct ur_ticket *t)
{
	int n;

	ur_wait_look(l);
	for (;;) {
		n = take_call(l, service, t);
		if (n != UR_TRY_AGAIN)
			return n;
		n = ur_wait_change(l, deadline);
		if (n < 0)
			return n;
	}
}

int ur_file_link_accept(struct ur_file_link *l, u32 service, int timeout_ms,
			struct ur_stream **stream)
{
	u64 deadline = ur_wait_deadline(timeout_ms);
	struct ur_stream *s = ur_stream_new(l);
	struct ur_ticket ticket;
	int n;

	if (!s)
		return -ENOMEM;
	ur_wait_lock(l);
	n = l->stopped ? -ESHUTDOWN :
			 wait_for_call(l, service, deadline, &ticket);
	if (n == 0)
		ur_stream_enlist(s, ticket, service);
	ur_wait_unlock(l);
	if (n < 0)
		free(s);
	else
		*stream = s;
	return n;
}

/* ---- calls of ours ------------------------------------------------------- */

static bool is_timeout(int n)
{
	return n == -ETIMEDOUT || n == -EAGAIN;
}

static int call(struct ur_file_link *l, u32 service, u64 deadline,
		struct ur_ticket *t)
{
	int n, waited;

	ur_wait_look(l);
	for (;;) {
		n = ur_channel_call(&l->core, service, t);
		if (n != UR_TRY_BUSY && n != UR_PEER_DOWN)
			return n;
		waited = ur_wait_change(l, deadline);
		if (waited < 0)
			return is_timeout(waited) ? n : waited;
	}
}

static int wait_for_answer(struct ur_file_link *l, u64 deadline,
			   struct ur_ticket t)
{
	int n;

	for (;;) {
		n = ur_channel_answered(&l->core, t);
		if (n != UR_TRY_AGAIN)
			break;
		n = ur_wait_change(l, deadline);
		if (n < 0)
			break;
	}
	if (n < 0)
		ur_channel_close(&l->core, t, false);
	return n == -EAGAIN ? -ETIMEDOUT : n;
}

int ur_file_link_connect(struct ur_file_link *l, u32 service, int timeout_ms,
			 struct ur_stream **stream)
{
	u64 deadline = ur_wait_deadline(timeout_ms);
	struct ur_stream *s = ur_stream_new(l);
	struct ur_ticket ticket;
	int n;

	if (!s)
		return -ENOMEM;
	ur_wait_lock(l);
	n = l->stopped ? -ESHUTDOWN : call(l, service, deadline, &ticket);
	if (n == 0)
		n = wait_for_answer(l, deadline, ticket);
	if (n == 0)
		ur_stream_enlist(s, ticket, service);
	ur_wait_unlock(l);
	if (n < 0)
		free(s);
	else
		*stream = s;
	return n;
}

/* ---- the link itself ----------------------------------------------------- */

static int wait_up(struct ur_file_link *l, u64 deadline)
{
	int n;

	ur_wait_look(l);
	for (;;) {
		if (l->stopped)
			return -ESHUTDOWN;
		if (l->core.state == UR_LINK_UP)
			return 0;
		if (l->core.state == UR_LINK_BROKEN)
			return UR_PEER_BROKEN;
		n = ur_wait_change(l, deadline);
		if (n < 0)
			return is_timeout(n) ? UR_PEER_DOWN : n;
	}
}

int ur_file_link_wait_up(struct ur_file_link *l, int timeout_ms)
{
	u64 deadline = ur_wait_deadline(timeout_ms);
	int n;

	ur_wait_lock(l);
	n = wait_up(l, deadline);
	ur_wait_unlock(l);
	return n;
}
