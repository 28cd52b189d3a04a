// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk about waiting: signal masks, restarts, times. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals++;
}

static void handle(int flags)
{
	struct sigaction action = { .sa_handler = count, .sa_flags = flags };

	SAME(sigaction(SIGUSR1, &action, NULL), 0);
	signals = 0;
}

static void block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SAME(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static long ms_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000 +
	       (now.tv_nsec - begin->tv_nsec) / 1000000;
}

/* ---- masks: each kind of wait has them ----------------------------------- */

typedef int wait_fn(int fd, const struct timespec *timeout, const sigset_t *mask);

static int by_ppoll(int fd, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = ppoll(&p, 1, timeout, mask);

	SAME(n == 1, p.revents == POLLIN);
	return n;
}

static int by_pselect(int fd, const struct timespec *timeout, const sigset_t *mask)
{
	fd_set in;
	int n;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	n = pselect(fd + 1, &in, NULL, NULL, timeout, mask);
	if (n >= 0)
		SAME(n, FD_ISSET(fd, &in));
	return n;
}

static int set_of(int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	int set = epoll_create1(0);

	SAME(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0);
	return set;
}

static int by_epoll(int fd, const struct timespec *timeout, const sigset_t *mask)
{
	int ms = timeout ? (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000) : -1;
	struct epoll_event e = { 0 };
	int set = set_of(fd), n = epoll_pwait(set, &e, 1, ms, mask), error = errno;

	SAME(n == 1, e.data.fd == fd);
	SAME(close(set), 0);
	errno = error;
	return n;
}

static int by_epoll_2(int fd, const struct timespec *timeout, const sigset_t *mask)
{
	struct epoll_event e = { 0 };
	int set = set_of(fd), n = epoll_pwait2(set, &e, 1, timeout, mask), error = errno;

	SAME(n == 1, e.data.fd == fd);
	SAME(close(set), 0);
	errno = error;
	return n;
}

/* A signal that is blocked but for the wait. */
static void masked(const struct side *s, wait_fn *wait, bool looks)
{
	const struct timespec now = { 0, 0 }, soon = { 0, 30000000 }, late = { 10, 0 };
	struct timespec begin;
	int fd = talk_open(s);
	sigset_t none;
	char c;

	if (!s->server) {
		talk_meet(s);
		poll(NULL, 0, 30);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	handle(0);
	block();
	sigemptyset(&none);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	SAME(wait(fd, &soon, &none), 0);
	TRUE(ms_since(&begin) >= 29);
	raise(SIGUSR1);
	SAME(wait(fd, &soon, NULL), 0);
	SAME(signals, 0);
	FAILS(wait(fd, NULL, &none), EINTR);
	SAME(signals, 1);
	raise(SIGUSR1);
	if (looks) /* poll looks for signals even if it may not wait */
		FAILS(wait(fd, &now, &none), EINTR);
	else
		SAME(wait(fd, &now, &none), 0);
	SAME(signals, looks ? 2 : 1);
	if (!looks)
		FAILS(wait(fd, &late, &none), EINTR);
	talk_meet(s);
	SAME(wait(fd, &late, &none), 1);
	raise(SIGUSR1);
	SAME(wait(fd, &late, &none), 1); /* it need not wait */
	SAME(signals, 2);
	SAME(read(fd, &c, 1), 1);
	FAILS(wait(fd, &late, &none), EINTR);
	talk_meet(s);
}

static void ppoll_masks(const struct side *s)
{
	masked(s, by_ppoll, true);
}

static void pselect_masks(const struct side *s)
{
	masked(s, by_pselect, true);
}

static void epoll_masks(const struct side *s)
{
	masked(s, by_epoll, false);
}

static void epoll_2_masks(const struct side *s)
{
	masked(s, by_epoll_2, false);
}

/* ---- SA_RESTART ---------------------------------------------------------- */

static timer_t often(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec times = { { 0, 20000000 }, { 0, 20000000 } };
	timer_t timer;

	SAME(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	SAME(timer_settime(timer, 0, &times, NULL), 0);
	return timer;
}

/* recv and send go on; a wait for a time, and poll and epoll, never do. */
static void restarts(const struct side *s)
{
	struct sigaction fault = { .sa_handler = count };
	struct timeval t = { .tv_sec = 5 };
	int fd = talk_open(s), set;
	struct epoll_event e;
	timer_t timer;
	char c;

	if (!s->server) {
		talk_meet(s);
		poll(NULL, 0, 100);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	set = set_of(fd);
	sigaction(SIGSEGV, &fault, NULL);
	handle(SA_RESTART);
	talk_meet(s);
	timer = often();
	SAME(recv(fd, &c, 1, 0), 1);
	TRUE(signals > 0);
	FAILS(talk_ready(fd, POLLIN, -1) == -1 ? -1 : 0, EINTR);
	FAILS(epoll_wait(set, &e, 1, -1), EINTR);
	SAME(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	FAILS(recv(fd, &c, 1, 0), EINTR);
	SAME(timer_delete(timer), 0);
	talk_meet(s);
}

static void accept_restarts(const struct side *s)
{
	struct addrinfo *a;
	timer_t timer;
	int fd;

	if (!s->server) {
		talk_meet(s);
		poll(NULL, 0, 100);
		fd = talk_socket(&a, 0);
		SAME(connect(fd, a->ai_addr, a->ai_addrlen), 0);
		freeaddrinfo(a);
		talk_meet(s);
		return;
	}
	fd = talk_listen();
	handle(SA_RESTART);
	talk_meet(s);
	timer = often();
	TRUE(accept(fd, NULL, NULL) >= 0);
	TRUE(signals > 0);
	handle(0);
	FAILS(accept(fd, NULL, NULL), EINTR);
	SAME(timer_delete(timer), 0);
	talk_meet(s);
}

/* ---- times --------------------------------------------------------------- */

static void send_timeout(const struct side *s)
{
	static const char data[200000];
	struct timeval t = { .tv_usec = 50000 };
	int fd = talk_open(s);
	struct timespec begin;
	ssize_t n;

	if (!s->server) {
		talk_meet(s);
		return;
	}
	SAME(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)), 0);
	do {
		clock_gettime(CLOCK_MONOTONIC, &begin);
		n = send(fd, data, sizeof(data), 0);
	} while (n > 0);
	SAME(n, -1);
	SAME(errno, EAGAIN);
	TRUE(ms_since(&begin) >= 40);
	talk_meet(s);
}

const struct talk_case talk_waits[] = {
	{ "ppoll and its mask", ppoll_masks, false },
	{ "pselect and its mask", pselect_masks, false },
	{ "epoll_pwait and its mask", epoll_masks, false },
	{ "epoll_pwait2 and its mask", epoll_2_masks, false },
	{ "SA_RESTART: recv goes on; poll, epoll and a wait for a time do not", restarts, false },
	{ "SA_RESTART: accept goes on", accept_restarts, false },
	{ "SO_SNDTIMEO", send_timeout, false },
	{ NULL, NULL, false },
};
