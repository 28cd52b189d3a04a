// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waiting for rings and for descriptors of the kernel at the same time: the one
 * engine below poll, select and epoll.
 *
 *      look at the rings; nothing?
 *      rings of one link alone:  sleep on its doorbell
 *      otherwise:  leave a watch on each link, look again, ppoll, look again
 *
 * What is ready is what TCP would say; see tcp(7) and poll(2).
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

#define ROOM_TO_TELL 4	/* a part of the ring: less room is no POLLOUT */
#define NS_PER_S 1000000000ull
#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)
#define ENDED (READABLE | WRITABLE | POLLRDHUP | POLLHUP)

/* ---- what is true now ---------------------------------------------------- */

static short reading_events(struct ur_sock *s, int in)
{
	short events = 0;

	if (in >= 0 || s->shut_receive)
		events |= READABLE;
	if (in == 0 || s->shut_receive)
		events |= POLLRDHUP;
	if (in == 0 && s->shut_send)
		events |= POLLHUP;
	return events;
}

static short stream_events(struct ur_sock *s, u32 *bytes)
{
	u32 ring = s->link->link->ring_bytes;
	int in = ur_stream_try(s->stream, UR_RECEIVING, ring);
	int out = ur_stream_try(s->stream, UR_SENDING, ring / ROOM_TO_TELL);
	short events;

	*bytes = in > 0 ? (u32)in : 0;
	if (s->over)
		return ENDED;
	if (in < 0 && in != UR_TRY_AGAIN)
		return ENDED | POLLERR;
	events = reading_events(s, in);
	if (out != UR_TRY_AGAIN && (out < 0 || (u32)out >= ring / ROOM_TO_TELL))
		events |= WRITABLE;
	return events;
}

short ur_sock_events(struct ur_sock *s, u32 *bytes)
{
	*bytes = 0;
	switch (s->kind) {
	case UR_KIND_LISTENER:
		return ur_calls_waiting(s->link->link, s->service) ? READABLE : 0;
	case UR_KIND_CALLING:
		return 0;
	case UR_KIND_STREAM:
		return stream_events(s, bytes);
	default:
		return ENDED | POLLERR;
	}
}

static bool is_news(const struct ur_item *i)
{
	if (!i->edge)
		return true;
	if (i->got & ~i->told || i->bytes != i->told_bytes)
		return true;
	return i->got & POLLOUT && i->sock->no_space;
}

/* LOCKED */
static bool look_at(struct ur_item *i)
{
	i->got = ur_sock_events(i->sock, &i->bytes) &
		 (i->want | POLLERR | POLLHUP);
	if (i->got && !is_news(i))
		i->got = 0;
	return i->got;
}

static bool look_alone(struct ur_item *i)
{
	struct ur_file_link *l = i->sock->link->link;
	bool ready;

	ur_wait_lock(l);
	ur_wait_look(l);
	ready = look_at(i);
	ur_wait_unlock(l);
	return ready;
}

static int look(struct ur_mixed *m)
{
	size_t i;
	int found = 0;

	for (i = 0; i < m->items_count; i++) {
		if (ur_sock_is_inherited(m->items[i].sock))
			m->items[i].got = POLLNVAL;
		else
			look_alone(&m->items[i]);
		found += m->items[i].got != 0;
	}
	return found;
}

/* ---- a watch ------------------------------------------------------------- */

bool ur_watch_is_due(struct ur_watch *w)
{
	struct ur_mixed *m = w->mixed;
	size_t i;

	for (i = 0; i < m->items_count; i++) {
		struct ur_item item = m->items[i];

		if (item.sock->link == w->link && look_at(&item))
			return true;
	}
	return false;
}

static void arm(const struct ur_item *i)
{
	struct ur_sock *s = i->sock;
	u32 low = s->kind == UR_KIND_STREAM ?
			  s->link->link->ring_bytes / ROOM_TO_TELL : 0;
	int there = 0;

	if (low && i->want & READABLE)
		there |= ur_stream_arm(s->stream, UR_RECEIVING, 1);
	if (low && i->want & WRITABLE)
		there |= ur_stream_arm(s->stream, UR_SENDING, low);
	(void)there; /* the look that follows finds it */
}

static void watch(struct ur_shim_link *sl, struct ur_watch *w, struct ur_mixed *m,
		  int fd)
{
	const u64 one = 1;
	ssize_t n = 0;
	size_t i;

	*w = (struct ur_watch){ .link = sl, .mixed = m, .fd = fd };
	ur_wait_lock(sl->link);
	w->next = sl->watches;
	w->previous = &sl->watches;
	if (w->next)
		w->next->previous = &w->next;
	sl->watches = w;
	for (i = 0; i < m->items_count; i++)
		if (m->items[i].sock->link == sl)
			arm(&m->items[i]);
	if (ur_watch_is_due(w))
		n = ur_libc()->write(fd, &one, sizeof(one));
	(void)n;
	pthread_cond_signal(&sl->wake);
	ur_wait_unlock(sl->link);
}

static void unwatch(struct ur_watch *w)
{
	struct ur_file_link *l = w->link->link;

	ur_wait_lock(l);
	*w->previous = w->next;
	if (w->next)
		w->next->previous = w->previous;
	ur_wait_unlock(l);
}

static bool is_watched(const struct ur_watch *w, size_t count,
		       const struct ur_shim_link *sl)
{
	while (count--)
		if (w[count].link == sl)
			return true;
	return false;
}

static size_t watch_all(struct ur_watch *w, struct ur_mixed *m, int fd)
{
	size_t i, count = 0;

	for (i = 0; i < m->items_count; i++) {
		struct ur_shim_link *sl = m->items[i].sock->link;

		if (!is_watched(w, count, sl))
			watch(sl, &w[count++], m, fd);
	}
	return count;
}

/* ---- sleeping ------------------------------------------------------------ */

static struct timespec left_until(u64 deadline)
{
	u64 now = deadline ? ur_wait_now_ns() : 0;
	u64 left = deadline > now ? deadline - now : 0;

	return (struct timespec){ (time_t)(left / NS_PER_S),
				  (long)(left % NS_PER_S) };
}

/* ppoll of the descriptors that are not ours, `more` of ours behind them. */
static int poll_rest(struct ur_mixed *m, size_t more, u64 deadline,
		     const sigset_t *mask)
{
	struct timespec left = left_until(deadline);
	int n = ur_libc()->ppoll(m->rest, m->rest_count + more,
				 deadline == UINT64_MAX ? NULL : &left, mask);

	if (n < 0)
		return -errno;
	if (more && m->rest[m->rest_count].revents)
		n--;
	return n;
}

static int poll_watched(struct ur_mixed *m, u64 deadline, const sigset_t *mask)
{
	struct ur_watch watches[UR_PLACES_MAX];
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	size_t count;
	int n;

	if (fd < 0)
		return -errno;
	m->rest[m->rest_count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	count = watch_all(watches, m, fd);
	n = poll_rest(m, 1, deadline, mask);
	while (count--)
		unwatch(&watches[count]);
	ur_libc()->close(fd);
	return n;
}

struct rings_wait {
	struct ur_wait wait;
	struct ur_mixed *mixed;
};

static bool is_any_ready(struct ur_file_link *l, const struct ur_wait *wait)
{
	struct ur_mixed *m = ((const struct rings_wait *)wait)->mixed;
	size_t i;

	(void)l;
	for (i = 0; i < m->items_count; i++)
		if (look_at(&m->items[i]))
			return true;
	return false;
}

static int poll_rings(struct ur_mixed *m, u64 deadline)
{
	struct ur_file_link *l = m->items[0].sock->link->link;
	struct rings_wait w = { { is_any_ready, deadline }, m };
	size_t i;
	int n;

	ur_wait_lock(l);
	for (i = 0; i < m->items_count; i++)
		arm(&m->items[i]);
	n = ur_wait_until(l, &w.wait);
	ur_wait_unlock(l);
	return n == -ETIMEDOUT || n == -EAGAIN || n == -ESHUTDOWN ? 0 : n;
}

/* Are there rings of one link, and nothing else? */
static bool is_pure(const struct ur_mixed *m)
{
	size_t i;

	for (i = 0; i < m->rest_count; i++)
		if (m->rest[i].fd >= 0)
			return false;
	for (i = 1; i < m->items_count; i++)
		if (m->items[i].sock->link != m->items[0].sock->link)
			return false;
	return m->items_count != 0;
}

/* > 0: so many of the rest; 0: look at the rings, or the time is up. */
static int doze(struct ur_mixed *m, u64 deadline, const sigset_t *mask)
{
	bool pure = is_pure(m);

	if (pure && !mask)
		return deadline ? poll_rings(m, deadline) : 0;
	return deadline ? poll_watched(m, deadline, mask) :
			  poll_rest(m, 0, 0, mask);
}

static u64 deadline_of(const struct timespec *t)
{
	if (!t)
		return UINT64_MAX;
	if (t->tv_sec == 0 && t->tv_nsec == 0)
		return 0;
	if (t->tv_sec > UINT32_MAX) /* more than a century */
		return UINT64_MAX - 1;
	return ur_wait_now_ns() + (u64)t->tv_sec * NS_PER_S + (u64)t->tv_nsec;
}

int ur_mixed_wait(struct ur_mixed *m, const struct timespec *timeout,
		  const sigset_t *mask)
{
	u64 deadline = deadline_of(timeout);
	int found, rest;

	found = look(m);
	for (;;) {
		/* What is ready is told, whatever signal would end a wait. */
		rest = doze(m, found ? 0 : deadline, found ? NULL : mask);
		if (rest == -EINTR && found)
			rest = 0;
		if (rest < 0)
			return rest;
		if (!found)
			found = look(m);
		if (found + rest || deadline == 0 ||
		    (deadline != UINT64_MAX && ur_wait_now_ns() >= deadline))
			return found + rest;
	}
}
