// SPDX-License-Identifier: BSD-2-Clause
/* poll, ppoll, select, pselect. */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 16
#define WANT_READ (POLLIN | POLLRDNORM)
#define WANT_WRITE (POLLOUT | POLLWRNORM)

extern void __chk_fail(void) __attribute__((noreturn));
UR_EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout,
			 size_t bytes);
UR_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count,
			  const struct timespec *timeout, const sigset_t *mask,
			  size_t bytes);

static bool has_ring(const struct pollfd *fds, nfds_t count)
{
	bool yes = false;
	nfds_t i;

	for (i = 0; i < count && !yes; i++) {
		struct ur_sock *s = ur_table_get(fds[i].fd);

		if (!s)
			continue;
		yes = ur_sock_is_ring(s) || s->kind == UR_KIND_EPOLL;
		ur_sock_put(s);
	}
	return yes;
}

/* ---- the program's array and ours ---------------------------------------- */

static int take(struct ur_mixed *m, const struct pollfd *fds, nfds_t count)
{
	nfds_t i;

	for (i = 0; i < count; i++) {
		struct ur_sock *s = ur_table_get(fds[i].fd);

		m->rest[i] = fds[i];
		m->rest[i].revents = 0;
		if (s && s->kind == UR_KIND_EPOLL) {
			ur_say("an epoll set with rings in it (descriptor %d) cannot be polled",
			       fds[i].fd);
			ur_sock_put(s);
			return -EOPNOTSUPP;
		}
		if (s && ur_sock_is_ring(s)) {
			m->rest[i].fd = -1;
			m->items[m->items_count++] = (struct ur_item){
				.sock = s, .want = fds[i].events, .index = i,
			};
		} else if (s) {
			ur_sock_put(s);
		}
	}
	m->rest_count = count;
	return 0;
}

static void give_back(struct ur_mixed *m, struct pollfd *fds, bool filled)
{
	size_t i;

	for (i = 0; i < m->rest_count && filled; i++)
		fds[i].revents = m->rest[i].fd < 0 ? 0 : m->rest[i].revents;
	for (i = 0; i < m->items_count; i++) {
		if (filled)
			fds[m->items[i].index].revents = m->items[i].got;
		ur_sock_put(m->items[i].sock);
	}
}

static int poll_with(struct ur_mixed *m, struct pollfd *fds, nfds_t count,
		     const struct timespec *timeout, const sigset_t *mask)
{
	int n = take(m, fds, count);

	if (n == 0)
		n = ur_mixed_wait(m, timeout, mask);
	give_back(m, fds, n >= 0);
	if (n >= 0)
		return n;
	errno = -n;
	return -1;
}

static int poll_mixed(struct pollfd *fds, nfds_t count,
		      const struct timespec *timeout, const sigset_t *mask)
{
	struct ur_item few_items[FEW];
	struct pollfd few_rest[FEW + 1];
	struct ur_mixed m = { .items = few_items, .rest = few_rest };
	int n = -1;

	if (count > FEW) {
		m.items = calloc(count, sizeof(*m.items));
		m.rest = calloc(count + 1, sizeof(*m.rest));
	}
	if (m.items && m.rest)
		n = poll_with(&m, fds, count, timeout, mask);
	else
		errno = ENOMEM;
	if (count > FEW) {
		free(m.items);
		free(m.rest);
	}
	return n;
}

/* ---- poll ---------------------------------------------------------------- */

static int poll_ms(struct pollfd *fds, nfds_t count, int timeout)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000l };

	if (!has_ring(fds, count))
		return ur_libc()->poll(fds, count, timeout);
	return poll_mixed(fds, count, timeout < 0 ? NULL : &t, NULL);
}

static int poll_timespec(struct pollfd *fds, nfds_t count,
			 const struct timespec *timeout, const sigset_t *mask)
{
	if (!has_ring(fds, count))
		return ur_libc()->ppoll(fds, count, timeout, mask);
	return poll_mixed(fds, count, timeout, mask);
}

UR_EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return poll_ms(fds, count, timeout);
}

UR_EXPORT int ppoll(struct pollfd *fds, nfds_t count,
		    const struct timespec *timeout, const sigset_t *mask)
{
	return poll_timespec(fds, count, timeout, mask);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t bytes)
{
	if (bytes / sizeof(*fds) < count)
		__chk_fail();
	return poll_ms(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *mask, size_t bytes)
{
	if (bytes / sizeof(*fds) < count)
		__chk_fail();
	return poll_timespec(fds, count, timeout, mask);
}

/* ---- select, on top of it ------------------------------------------------ */

struct sets {
	fd_set *read;
	fd_set *write;
	fd_set *except;
};

static short wanted(int fd, const struct sets *s)
{
	return (s->read && FD_ISSET(fd, s->read) ? WANT_READ : 0) |
	       (s->write && FD_ISSET(fd, s->write) ? WANT_WRITE : 0) |
	       (s->except && FD_ISSET(fd, s->except) ? POLLPRI : 0);
}

static nfds_t sets_to_fds(int count, const struct sets *s, struct pollfd *fds)
{
	nfds_t n = 0;
	int fd;

	for (fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
		short events = wanted(fd, s);

		if (events)
			fds[n++] = (struct pollfd){ .fd = fd, .events = events };
	}
	return n;
}

static int tell(fd_set *set, int fd, bool ready)
{
	if (!set || !FD_ISSET(fd, set))
		return 0;
	if (!ready)
		FD_CLR(fd, set);
	return ready;
}

static int fds_to_sets(const struct pollfd *fds, nfds_t count, struct sets *s)
{
	int n = 0;
	nfds_t i;

	for (i = 0; i < count; i++) {
		short e = fds[i].revents;

		if (e & POLLNVAL) {
			errno = EBADF;
			return -1;
		}
		n += tell(s->read, fds[i].fd, e & (WANT_READ | POLLHUP | POLLERR));
		n += tell(s->write, fds[i].fd, e & (WANT_WRITE | POLLERR));
		n += tell(s->except, fds[i].fd, e & POLLPRI);
	}
	return n;
}

static int select_mixed(struct pollfd *fds, nfds_t count, struct sets *s,
			const struct timespec *timeout, const sigset_t *mask)
{
	if (poll_mixed(fds, count, timeout, mask) < 0)
		return -1;
	return fds_to_sets(fds, count, s);
}

/* As Linux does: what is left of the time. */
static void tell_left(struct timeval *timeout, u64 began_ns)
{
	u64 all = (u64)timeout->tv_sec * 1000000 + (u64)timeout->tv_usec;
	u64 used = (ur_wait_now_ns() - began_ns) / 1000;
	u64 left = all > used ? all - used : 0;

	timeout->tv_sec = (time_t)(left / 1000000);
	timeout->tv_usec = (suseconds_t)(left % 1000000);
}

UR_EXPORT int select(int count, fd_set *restrict read, fd_set *restrict write,
		     fd_set *restrict except, struct timeval *restrict timeout)
{
	struct pollfd fds[FD_SETSIZE];
	struct sets sets = { read, write, except };
	nfds_t n = sets_to_fds(count, &sets, fds);
	struct timespec t = { 0 };
	u64 began = 0;
	int found;

	if (!has_ring(fds, n))
		return ur_libc()->select(count, read, write, except, timeout);
	if (timeout) {
		began = ur_wait_now_ns();
		t = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000 };
	}
	found = select_mixed(fds, n, &sets, timeout ? &t : NULL, NULL);
	if (timeout)
		tell_left(timeout, began);
	return found;
}

UR_EXPORT int pselect(int count, fd_set *restrict read, fd_set *restrict write,
		      fd_set *restrict except,
		      const struct timespec *restrict timeout,
		      const sigset_t *restrict mask)
{
	struct pollfd fds[FD_SETSIZE];
	struct sets sets = { read, write, except };
	nfds_t n = sets_to_fds(count, &sets, fds);

	if (!has_ring(fds, n))
		return ur_libc()->pselect(count, read, write, except, timeout,
					  mask);
	return select_mixed(fds, n, &sets, timeout, mask);
}
