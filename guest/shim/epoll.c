// SPDX-License-Identifier: BSD-2-Clause
/*
 * epoll. The kernel's set has the descriptors of the kernel; the rings that a
 * program adds are in a list of ours beside it, and a wait is a wait for both.
 * The list hangs on the set's descriptor in the table.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <stdlib.h>

struct member {
	struct member *next;
	struct ur_sock *sock;	/* no reference: see ur_epoll_forget() */
	int fd;
	struct epoll_event event;
	bool spent;		/* EPOLLONESHOT was told */
	short told;		/* EPOLLET: what, and with how many bytes */
	u32 told_bytes;
};

struct ur_epoll {
	struct ur_epoll *next;	/* of all */
	struct member *members;
	unsigned int count;
};

static struct ur_epoll *sets;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- members; all with the lock held ------------------------------------- */

static struct member **find(struct ur_epoll *e, int fd, const struct ur_sock *s)
{
	struct member **m = &e->members;

	while (*m && ((*m)->fd != fd || (*m)->sock != s))
		m = &(*m)->next;
	return m;
}

static void drop(struct ur_epoll *e, struct member **at)
{
	struct member *m = *at;

	*at = m->next;
	m->sock->sets--;
	e->count--;
	free(m);
}

static int add(struct ur_epoll *e, int fd, struct ur_sock *s,
	       const struct epoll_event *event)
{
	struct member *m;

	if (*find(e, fd, s))
		return -EEXIST;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct member){
		.next = e->members, .sock = s, .fd = fd, .event = *event,
	};
	e->members = m;
	e->count++;
	s->sets++;
	return 0;
}

static int change(struct ur_epoll *e, int op, int fd, struct ur_sock *s,
		  const struct epoll_event *event)
{
	struct member **at = find(e, fd, s);

	if (op == EPOLL_CTL_ADD)
		return add(e, fd, s, event);
	if (!*at)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL) {
		drop(e, at);
		return 0;
	}
	(*at)->event = *event;
	(*at)->spent = false;
	(*at)->told = 0;
	return 0;
}

void ur_epoll_forget(struct ur_sock *s)
{
	struct member **at;
	struct ur_epoll *e;

	pthread_mutex_lock(&lock);
	for (e = sets; e; e = e->next)
		for (at = &e->members; *at;)
			if ((*at)->sock == s)
				drop(e, at);
			else
				at = &(*at)->next;
	pthread_mutex_unlock(&lock);
}

void ur_epoll_free(struct ur_epoll *e)
{
	struct ur_epoll **at = &sets;

	pthread_mutex_lock(&lock);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	while (e->members)
		drop(e, &e->members);
	pthread_mutex_unlock(&lock);
	free(e);
}

/* The lists are whole at any time; whoever held the lock is not in the child. */
void ur_epoll_forked(void)
{
	pthread_mutex_init(&lock, NULL);
}

/* ---- epoll_ctl ----------------------------------------------------------- */

/* The set of a descriptor, made at its first ring; with a reference. */
static struct ur_sock *set_of(int epfd)
{
	struct ur_sock *set = ur_table_get(epfd);

	if (set)
		return set;
	set = ur_sock_new(UR_KIND_EPOLL, AF_UNSPEC);
	if (!set)
		return NULL;
	set->epoll = calloc(1, sizeof(*set->epoll));
	if (set->epoll) {
		pthread_mutex_lock(&lock);
		set->epoll->next = sets;
		sets = set->epoll;
		pthread_mutex_unlock(&lock);
	}
	if (set->epoll && ur_table_set(epfd, set) == 0)
		return set;
	ur_sock_put(set);
	return NULL;
}

static int control(int epfd, int op, int fd, struct ur_sock *s,
		   const struct epoll_event *event)
{
	struct ur_sock *set = set_of(epfd);
	int n = -EINVAL;

	if (!set)
		return -ENOMEM;
	if (set->epoll && (event || op == EPOLL_CTL_DEL)) {
		pthread_mutex_lock(&lock);
		n = change(set->epoll, op, fd, s, event);
		pthread_mutex_unlock(&lock);
	}
	ur_sock_put(set);
	return n;
}

UR_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->epoll_ctl(epfd, op, fd, event);
	return (int)ur_sock_done(s, control(epfd, op, fd, s, event));
}

/* ---- epoll_wait ---------------------------------------------------------- */

static short wanted(const struct member *m)
{
	return (short)(m->event.events & (EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					  EPOLLRDNORM | EPOLLWRNORM | EPOLLPRI));
}

static size_t take(struct ur_epoll *e, struct ur_item *items)
{
	struct member *m;
	size_t n = 0;

	pthread_mutex_lock(&lock);
	for (m = e->members; m && n < e->count; m = m->next) {
		struct ur_sock *s = m->spent ? NULL : ur_table_ring(m->fd);

		if (s != m->sock) {
			if (s)
				ur_sock_put(s);
			continue;
		}
		items[n++] = (struct ur_item){
			.sock = s,
			.want = wanted(m),
			.index = (size_t)m->fd,
			.edge = m->event.events & EPOLLET,
			.told = m->told,
			.told_bytes = m->told_bytes,
		};
	}
	pthread_mutex_unlock(&lock);
	return n;
}

static bool tell(struct ur_epoll *e, const struct ur_item *item,
		 struct epoll_event *event)
{
	struct member *m = *find(e, (int)item->index, item->sock);

	if (!m || m->spent)
		return false;
	event->events = (u32)(unsigned short)item->got;
	event->data = m->event.data;
	m->spent = m->event.events & EPOLLONESHOT;
	m->told_bytes = item->bytes;
	if (item->got & POLLOUT)
		item->sock->no_space = false;
	m->told = item->got;
	return true;
}

/* What was told and is no longer true may be told again. */
static void forget(struct ur_epoll *e, const struct ur_item *item)
{
	struct member *m = *find(e, (int)item->index, item->sock);
	struct ur_file_link *l = item->sock->link->link;
	u32 bytes;

	if (!m || !item->edge || item->sock->forks != ur_forks())
		return;
	ur_wait_lock(l);
	m->told &= ur_sock_events(item->sock, &bytes);
	ur_wait_unlock(l);
	if (bytes < m->told_bytes)
		m->told_bytes = bytes;
}

/* Of what is ready, into `events`; gives the references back. */
static int give(struct ur_epoll *e, struct ur_item *items, size_t count,
		struct epoll_event *events, int room)
{
	int n = 0;
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < count; i++) {
		if (!items[i].got)
			forget(e, &items[i]);
		else if (n < room)
			n += tell(e, &items[i], &events[n]);
	}
	pthread_mutex_unlock(&lock);
	for (i = 0; i < count; i++)
		ur_sock_put(items[i].sock);
	return n;
}

struct wait {
	int epfd;
	struct epoll_event *events;
	int room;
	const struct timespec *timeout;
	const sigset_t *mask;
};

static int wait_both(struct ur_epoll *e, struct ur_item *items,
		     const struct wait *w)
{
	struct pollfd rest[2] = { { .fd = w->epfd, .events = POLLIN } };
	struct ur_mixed m = { .items = items, .rest = rest, .rest_count = 1 };
	bool waits = !w->timeout || w->timeout->tv_sec || w->timeout->tv_nsec;
	int n, rings;

	m.items_count = take(e, items);
	n = ur_mixed_wait(&m, w->timeout, waits ? w->mask : NULL);
	rings = give(e, items, m.items_count, w->events, w->room);
	if (n < 0)
		return n;
	n = 0;
	if (rings < w->room && rest[0].revents)
		n = ur_libc()->epoll_wait(w->epfd, w->events + rings,
					  w->room - rings, 0);
	return n < 0 ? -errno : rings + n;
}

static int wait_set(struct ur_sock *set, const struct wait *w)
{
	struct ur_item *items;
	unsigned int count;
	int n;

	if (w->room <= 0)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	count = set->epoll->count;
	pthread_mutex_unlock(&lock);
	items = calloc(count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	n = wait_both(set->epoll, items, w);
	free(items);
	return n;
}

static struct ur_sock *get_set(int epfd)
{
	struct ur_sock *s = ur_table_get(epfd);

	if (!s || s->kind == UR_KIND_EPOLL)
		return s;
	ur_sock_put(s);
	return NULL;
}

UR_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int room,
			   const struct timespec *timeout, const sigset_t *mask)
{
	struct wait w = { epfd, events, room, timeout, mask };
	struct ur_sock *set = get_set(epfd);

	if (!set)
		return ur_libc()->epoll_pwait2(epfd, events, room, timeout, mask);
	return (int)ur_sock_done(set, wait_set(set, &w));
}

UR_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int room,
			  int timeout, const sigset_t *mask)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000l };
	struct wait w = { epfd, events, room, timeout < 0 ? NULL : &t, mask };
	struct ur_sock *set = get_set(epfd);

	if (!set)
		return ur_libc()->epoll_pwait(epfd, events, room, timeout, mask);
	return (int)ur_sock_done(set, wait_set(set, &w));
}

UR_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int room,
			 int timeout)
{
	struct ur_sock *set = get_set(epfd);

	if (!set)
		return ur_libc()->epoll_wait(epfd, events, room, timeout);
	ur_sock_put(set);
	return epoll_pwait(epfd, events, room, timeout, NULL);
}
