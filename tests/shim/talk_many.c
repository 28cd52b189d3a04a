// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk that have to do with many descriptors, threads and processes. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

/* ---- many descriptors ---------------------------------------------------- */

static void poll_mixed(const struct side *s)
{
	int fd = talk_open(s), tube[2];
	struct pollfd p[2];
	char c;

	SAME(pipe(tube), 0);
	p[0] = (struct pollfd){ .fd = tube[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (!s->server) {
		talk_meet(s);
		poll(NULL, 0, 30);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	SAME(poll(p, 2, 0), 0);
	SAME(poll(p, 2, 20), 0);
	talk_meet(s);
	SAME(poll(p, 2, 10000), 1);
	SAME(p[1].revents, POLLIN);
	SAME(p[0].revents, 0);
	SAME(write(tube[1], "y", 1), 1);
	SAME(poll(p, 2, -1), 2);
	SAME(read(fd, &c, 1), 1);
	SAME(poll(p, 2, -1), 1);
	SAME(p[0].revents, POLLIN);
	talk_meet(s);
}

static void select_mixed(const struct side *s)
{
	int fd = talk_open(s), tube[2], top;
	struct timeval t = { .tv_sec = 10 };
	fd_set in, out;

	SAME(pipe(tube), 0);
	top = (fd > tube[0] ? fd : tube[0]) + 1;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	FD_SET(tube[0], &in);
	if (!s->server) {
		talk_meet(s);
		poll(NULL, 0, 30);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	SAME(select(top, &in, NULL, NULL, &t), 1);
	TRUE(FD_ISSET(fd, &in) && !FD_ISSET(tube[0], &in));
	TRUE(t.tv_sec < 10);
	FD_ZERO(&out);
	FD_SET(fd, &out);
	SAME(select(top, &in, &out, NULL, NULL), 2);
	talk_meet(s);
}

static int wait_set(int set, int timeout_ms)
{
	struct epoll_event e[4];

	memset(e, 0, sizeof(e));
	return epoll_wait(set, e, 4, timeout_ms) == 1 ?
		       (int)(e[0].data.u32 | e[0].events << 8) : 0;
}

static void epoll_level(const struct side *s)
{
	int fd = talk_open(s), set = epoll_create1(0), tube[2];
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 7 };
	char c;

	if (!s->server) {
		talk_meet(s);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	SAME(pipe(tube), 0);
	SAME(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0);
	FAILS(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), EEXIST);
	e.data.u32 = 8;
	SAME(epoll_ctl(set, EPOLL_CTL_ADD, tube[0], &e), 0);
	SAME(wait_set(set, 0), 0);
	SAME(wait_set(set, 20), 0);
	talk_meet(s);
	SAME(wait_set(set, 10000), 7 | EPOLLIN << 8);
	SAME(wait_set(set, 10000), 7 | EPOLLIN << 8);
	SAME(read(fd, &c, 1), 1);
	SAME(write(tube[1], &c, 1), 1);
	SAME(wait_set(set, 10000), 8 | EPOLLIN << 8);
	e = (struct epoll_event){ .events = EPOLLOUT | EPOLLONESHOT, .data.u32 = 9 };
	SAME(read(tube[0], &c, 1), 1);
	SAME(epoll_ctl(set, EPOLL_CTL_MOD, fd, &e), 0);
	SAME(wait_set(set, 10000), 9 | EPOLLOUT << 8);
	SAME(wait_set(set, 20), 0);
	SAME(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
	FAILS(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), ENOENT);
	talk_meet(s);
}

static void epoll_edge(const struct side *s)
{
	int fd = talk_open(s), set = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 7 };
	char data[8];

	if (!s->server) {
		SAME(write(fd, "ab", 2), 2);
		talk_meet(s);
		talk_meet(s);
		SAME(write(fd, "c", 1), 1);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	SAME(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0);
	SAME(wait_set(set, 10000), 7 | EPOLLIN << 8);
	SAME(wait_set(set, 20), 0); /* told, though it is there */
	talk_meet(s);
	SAME(wait_set(set, 10000), 7 | EPOLLIN << 8);
	SAME(recv(fd, data, 8, 0), 3);
	SAME(wait_set(set, 20), 0);
	talk_meet(s);
	SAME(wait_set(set, 10000) & 0xff, 7); /* the end */
	SAME(close(fd), 0);
	SAME(wait_set(set, 0), 0);
}

/* ---- threads ------------------------------------------------------------- */

#define ROUNDS 300

static void *echo(void *context)
{
	int fd = *(int *)context;
	char data[512];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		SAME(send(fd, data, (size_t)n, 0), n);
	return NULL;
}

static void *poll_on(void *context)
{
	struct pollfd p[2] = { { .fd = *(int *)context, .events = POLLIN },
			       { .fd = 0, .events = 0 } };
	int i;

	for (i = 0; i < ROUNDS; i++)
		TRUE(poll(p, 1 + (i & 1), 1) >= 0);
	return NULL;
}

static void *open_and_close(void *context)
{
	int i;

	(void)context;
	for (i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), other = dup(fd);

		SAME(close(fd), 0);
		SAME(close(other), 0);
	}
	return NULL;
}

static void threads(const struct side *s)
{
	void *(*const work[3])(void *) = { echo, poll_on, open_and_close };
	int fd = talk_open(s), copy, i;
	pthread_t thread[3];
	char data[300];

	if (s->server) {
		for (i = 0; i < 3; i++)
			SAME(pthread_create(&thread[i], NULL, work[i], &fd), 0);
		for (i = 0; i < 3; i++)
			SAME(pthread_join(thread[i], NULL), 0);
		SAME(close(fd), 0);
		return;
	}
	copy = dup(fd);
	for (i = 0; i < ROUNDS; i++) {
		memset(data, i, sizeof(data));
		SAME(send(copy, data, sizeof(data), 0), sizeof(data));
		SAME(recv(fd, data, sizeof(data), MSG_WAITALL), sizeof(data));
		SAME(data[299], (char)i);
	}
	SAME(close(copy), 0);
	SAME(shutdown(fd, SHUT_WR), 0);
	SAME(recv(fd, data, 1, 0), 0);
}

struct busy {
	int fd;
	atomic_bool over;
};

/* In a set for good, in another now and then; waits for nothing. */
static void *use_sets(void *context)
{
	struct busy *b = context;
	struct epoll_event e = { .events = EPOLLPRI };
	int set = epoll_create1(0), other = epoll_create1(0);

	SAME(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &e), 0);
	while (!b->over) {
		SAME(epoll_ctl(other, EPOLL_CTL_ADD, b->fd, &e), 0);
		SAME(epoll_wait(set, &e, 1, 0), 0);
		SAME(epoll_ctl(other, EPOLL_CTL_DEL, b->fd, NULL), 0);
	}
	return NULL;
}

static void fork_in_epoll(const struct side *s)
{
	struct busy b = { .fd = talk_open(s) };
	pthread_t thread[2];
	int i, status;

	if (!s->server) {
		talk_meet(s);
		return;
	}
	for (i = 0; i < 2; i++)
		SAME(pthread_create(&thread[i], NULL, use_sets, &b), 0);
	for (i = 0; i < 150; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(3);
			SAME(close(b.fd), 0);
			_exit(0);
		}
		SAME(waitpid(child, &status, 0), child);
		SAME(status, 0);
	}
	b.over = true;
	for (i = 0; i < 2; i++)
		SAME(pthread_join(thread[i], NULL), 0);
	talk_meet(s);
}

static void *read_one(void *context)
{
	char c;

	SAME(recv(*(int *)context, &c, 1, 0), 0);
	return NULL;
}

static void shut_wakes(const struct side *s)
{
	int fd = talk_open(s);
	pthread_t thread;

	SAME(pthread_create(&thread, NULL, read_one, &fd), 0);
	poll(NULL, 0, 20);
	SAME(shutdown(fd, SHUT_RD), 0);
	SAME(pthread_join(thread, NULL), 0);
	talk_meet(s);
}

static void on_signal(int number)
{
	(void)number;
}

/* SIGALRM is what ends a case that hangs. */
static void interrupted(const struct side *s)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 30000000 }, { 0, 30000000 } };
	int fd = talk_open(s);
	timer_t timer;
	char c;

	sigaction(SIGUSR1, &action, NULL);
	SAME(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	SAME(timer_settime(timer, 0, &often, NULL), 0);
	FAILS(recv(fd, &c, 1, 0), EINTR);
	FAILS(talk_ready(fd, POLLIN, -1) == -1 ? -1 : 0, EINTR);
	SAME(timer_delete(timer), 0);
	talk_meet(s);
}

/* ---- what the library alone has ------------------------------------------- */

static int opened(const char *path)
{
	char name[32], to[256];
	int fd, n = 0;

	for (fd = 0; fd < 64; fd++) {
		ssize_t bytes;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		bytes = readlink(name, to, sizeof(to) - 1);
		if (bytes < 0)
			continue;
		to[bytes] = 0;
		n += strcmp(to, path) == 0;
	}
	return n;
}

/* A program that closes all it does not know must not take the link away. */
static void closes_all(const struct side *s)
{
	int fd = talk_open(s), other;
	char c;

	for (other = 3; other < 64; other++)
		if (other != fd && other != s->control)
			close(other);
	SAME(opened(getenv("USBROUTE_LISTEN")), 1);
	SAME(send(fd, "y", 1, 0), 1);
	SAME(recv(fd, &c, 1, 0), 1);
	talk_meet(s);
}

#define SHOWN "shown to whoever peeked"
#define FALSE "never to be read by him"

/* The file of the link has `from`: write `to` over it, as a hostile peer may. */
static void overwrite(const char *from, const char *to)
{
	static char data[65536];
	int fd = open(getenv("USBROUTE_LISTEN"), O_RDWR), times = 0;
	off_t at;
	ssize_t n;

	for (at = 0; (n = pread(fd, data, sizeof(data), at)) > 0; at += n) {
		char *found = memmem(data, (size_t)n, from, strlen(from));

		if (!found)
			continue;
		times++;
		SAME(pwrite(fd, to, strlen(to), at + (found - data)), strlen(to));
	}
	SAME(times, 1);
	SAME(close(fd), 0);
}

static void peek_is_kept(const struct side *s)
{
	char data[64] = "", rest[64] = "";
	int fd = talk_open(s);

	if (!s->server) {
		SAME(send(fd, SHOWN, sizeof(SHOWN), 0), sizeof(SHOWN));
		talk_meet(s);
		talk_meet(s);
		overwrite(SHOWN, FALSE);
		SAME(send(fd, "+", 2, 0), 2);
		talk_meet(s);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	SAME(recv(fd, data, 6, MSG_PEEK), 6);
	SAME(recv(fd, data, sizeof(data), MSG_PEEK), sizeof(SHOWN));
	TRUE(!strcmp(data, SHOWN));
	talk_meet(s);
	talk_meet(s);
	SAME(recv(fd, rest, 6, MSG_PEEK), 6);
	TRUE(!memcmp(rest, SHOWN, 6));
	SAME(recv(fd, rest, 6, 0), 6);
	SAME(recv(fd, rest + 6, sizeof(rest) - 6, 0), sizeof(SHOWN) - 6 + 2);
	TRUE(!strcmp(rest, SHOWN) && !strcmp(rest + sizeof(SHOWN), "+"));
	talk_meet(s);
}

/* The address of a name or of all names; one there is, and how many. */
static int look_up(const char *name, int family, struct sockaddr_storage *first)
{
	struct addrinfo hints = {
		.ai_flags = name ? 0 : AI_PASSIVE,
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *a, *all;
	int n = 0;

	if (getaddrinfo(name, talk_port, &hints, &all))
		return 0;
	memcpy(first, all->ai_addr, all->ai_addrlen);
	for (a = all; a; a = a->ai_next)
		n++;
	freeaddrinfo(all);
	return n;
}

static void same_text(const struct sockaddr_storage *a, int flags, const char *want)
{
	char host[64] = "";

	SAME(getnameinfo((const struct sockaddr *)a, sizeof(*a), host,
			 sizeof(host), NULL, 0, flags), 0);
	if (strcmp(host, want))
		printf("# got %s, expected %s\n", host, want);
	TRUE(!strcmp(host, want));
}

static void names_of_places(const struct side *s)
{
	struct sockaddr_storage a;

	SAME(look_up(talk_host, AF_UNSPEC, &a), 1);
	same_text(&a, NI_NUMERICHOST, "192.0.2.2");
	same_text(&a, NI_NAMEREQD, talk_host);
	SAME(look_up(talk_host, AF_INET6, &a), 1);
	same_text(&a, NI_NUMERICHOST, "2001:db8:7572::2");
	same_text(&a, 0, talk_host);
	SAME(look_up(NULL, AF_UNSPEC, &a), 1); /* one link, one listener */
	same_text(&a, NI_NUMERICHOST, "0.0.0.0");
	SAME(look_up("no-such-host.invalid", AF_INET, &a), 0);
	talk_meet(s);
}

static void version_6(const struct side *s)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(77) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), other;
	struct sockaddr_storage a;
	socklen_t bytes = sizeof(a);

	if (!s->server) {
		SAME(look_up(talk_host, AF_INET6, &a), 1);
		((struct sockaddr_in6 *)&a)->sin6_port = htons(77);
		talk_meet(s);
		SAME(connect(fd, (struct sockaddr *)&a, sizeof(any)), 0);
		talk_meet(s);
		return;
	}
	SAME(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	SAME(listen(fd, 1), 0);
	talk_meet(s);
	other = socket(AF_INET6, SOCK_STREAM, 0);
	SAME(bind(other, (struct sockaddr *)&any, sizeof(any)), 0);
	FAILS(listen(other, 1), EADDRINUSE);
	fd = accept(fd, (struct sockaddr *)&a, &bytes);
	TRUE(fd >= 0);
	SAME(a.ss_family, AF_INET6);
	same_text(&a, NI_NUMERICHOST, "2001:db8:7572::1");
	talk_meet(s);
}

/* Two sockets of TCP's, though a link is configured. */
static void not_ours(const struct side *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int at = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t bytes = sizeof(a);
	char c = 0;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SAME(bind(at, (struct sockaddr *)&a, sizeof(a)), 0);
	SAME(listen(at, 1), 0);
	SAME(getsockname(at, (struct sockaddr *)&a, &bytes), 0);
	SAME(connect(fd, (struct sockaddr *)&a, bytes), 0);
	at = accept(at, NULL, NULL);
	SAME(write(fd, "x", 1), 1);
	SAME(read(at, &c, 1), 1);
	SAME(c, 'x');
	SAME(fcntl(fd, F_SETFD, 0), 0);
	talk_meet(s);
}

const struct talk_case talk_many[] = {
	{ "poll of a stream and a pipe", poll_mixed, false },
	{ "select of a stream and a pipe", select_mixed, false },
	{ "epoll: level, one shot, with a pipe", epoll_level, false },
	{ "epoll: edges", epoll_edge, false },
	{ "threads that echo, poll and open", threads, false },
	{ "a child of one who is in epoll closes", fork_in_epoll, false },
	{ "shutdown wakes a reader", shut_wakes, false },
	{ "a signal ends a wait with EINTR", interrupted, false },
	{ "the library's own descriptors stay open", closes_all, true },
	{ "what was peeked is what comes, whatever the peer writes", peek_is_kept, true },
	{ "names and addresses of places", names_of_places, true },
	{ "IPv6 addresses; one listener for a service", version_6, true },
	{ "TCP beside it stays TCP", not_ours, true },
	{ NULL, NULL, false },
};
