// SPDX-License-Identifier: BSD-2-Clause
/*
 * The cases of talk in which several threads open, accept and wait at a time.
 *
 *      client: WORKERS threads                server: WORKERS threads
 *      connect, send a word, read it   <==>   accept or epoll, send it back
 */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define WORKERS 3
#define TURNS 12

static void start(pthread_t *threads, void *(*work)(void *), void *context)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		SAME(pthread_create(&threads[i], NULL, work, context), 0);
}

static void join(pthread_t *threads)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		SAME(pthread_join(threads[i], NULL), 0);
}

/* ---- the client ---------------------------------------------------------- */

static int call_once(void)
{
	struct addrinfo *a;
	int fd = talk_socket(&a, 0);

	SAME(connect(fd, a->ai_addr, a->ai_addrlen), 0);
	freeaddrinfo(a);
	return fd;
}

static void *call_often(void *context)
{
	char word[8], back[8];
	int i, fd;

	for (i = 0; i < TURNS; i++) {
		fd = call_once();
		snprintf(word, sizeof(word), "%7d", i);
		SAME(send(fd, word, 8, 0), 8);
		SAME(recv(fd, back, 8, MSG_WAITALL), 8);
		TRUE(!memcmp(word, back, 8));
		SAME(close(fd), 0);
	}
	return context;
}

static void call_from_all(const struct side *s)
{
	pthread_t threads[WORKERS];

	talk_meet(s);
	start(threads, call_often, NULL);
	join(threads);
	talk_meet(s);
}

/* ---- servers ------------------------------------------------------------- */

static void answer(int fd)
{
	char word[8];

	SAME(recv(fd, word, 8, MSG_WAITALL), 8);
	SAME(send(fd, word, 8, 0), 8);
}

static void *accept_often(void *context)
{
	int i, fd;

	for (i = 0; i < TURNS; i++) {
		fd = accept(*(int *)context, NULL, NULL);
		TRUE(fd >= 0);
		answer(fd);
		SAME(close(fd), 0);
	}
	return NULL;
}

static void accepts(const struct side *s)
{
	pthread_t threads[WORKERS];
	int listener;

	if (!s->server) {
		call_from_all(s);
		return;
	}
	listener = talk_listen();
	talk_meet(s);
	start(threads, accept_often, &listener);
	join(threads);
	talk_meet(s);
}

struct served {
	int set;
	int listener;
	atomic_int left;
};

/* Unless another thread has it already. */
static void take_call(struct served *served)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT };
	int fd = accept(served->listener, NULL, NULL);

	if (fd < 0) {
		SAME(errno, EAGAIN);
		return;
	}
	e.data.fd = fd;
	SAME(epoll_ctl(served->set, EPOLL_CTL_ADD, fd, &e), 0);
}

static void *serve_set(void *context)
{
	struct served *served = context;
	struct epoll_event e[2];
	int i, n;

	while (served->left > 0) {
		n = epoll_wait(served->set, e, 2, 20);
		TRUE(n >= 0);
		for (i = 0; i < n; i++) {
			if (e[i].data.fd == served->listener) {
				take_call(served);
				continue;
			}
			answer(e[i].data.fd);
			SAME(close(e[i].data.fd), 0);
			served->left--;
		}
	}
	return NULL;
}

static void one_set(const struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct served served = { .left = WORKERS * TURNS };
	pthread_t threads[WORKERS];

	if (!s->server) {
		call_from_all(s);
		return;
	}
	served.set = epoll_create1(0);
	served.listener = talk_listen();
	SAME(fcntl(served.listener, F_SETFL, O_NONBLOCK), 0);
	e.data.fd = served.listener;
	SAME(epoll_ctl(served.set, EPOLL_CTL_ADD, served.listener, &e), 0);
	talk_meet(s);
	start(threads, serve_set, &served);
	join(threads);
	talk_meet(s);
}

/* ---- waits of all kinds for one stream ----------------------------------- */

struct waited {
	int fd;
	int set;
	atomic_bool over;
};

static void *wait_for_it(void *context)
{
	struct waited *w = context;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	struct epoll_event e;
	char c;

	while (!w->over) {
		TRUE(poll(&p, 1, 1) >= 0);
		TRUE(epoll_wait(w->set, &e, 1, 1) >= 0);
		if (recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
			SAME(errno, EAGAIN);
	}
	return NULL;
}

static void peeked_and_read(const struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct waited w = { .fd = talk_open(s), .set = epoll_create1(0) };
	pthread_t threads[WORKERS];
	unsigned int i;
	unsigned char c;

	if (!s->server) {
		for (i = 0; i < 1000; i++) {
			c = (unsigned char)i;
			SAME(send(w.fd, &c, 1, 0), 1);
		}
		talk_meet(s);
		return;
	}
	SAME(epoll_ctl(w.set, EPOLL_CTL_ADD, w.fd, &e), 0);
	start(threads, wait_for_it, &w);
	for (i = 0; i < 1000; i++) {
		SAME(recv(w.fd, &c, 1, 0), 1);
		SAME(c, (unsigned char)i);
	}
	w.over = true;
	join(threads);
	talk_meet(s);
}

const struct talk_case talk_threads[] = {
	{ "threads that connect, threads that accept", accepts, false },
	{ "threads that serve one epoll set", one_set, false },
	{ "threads that wait and peek beside one that reads", peeked_and_read, false },
	{ NULL, NULL, false },
};
