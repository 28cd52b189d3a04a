// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk: what a TCP socket does. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MANY (4u << 20)

/* A byte that depends on its place. */
static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* ---- bytes --------------------------------------------------------------- */

static void send_many(int fd)
{
	unsigned char *data = malloc(MANY);
	size_t i, at, n;

	for (i = 0; i < MANY; i++)
		data[i] = byte_at(i);
	for (at = 0; at < MANY; at += n) {
		n = 1 + (at * 31) % 70000;
		n = n < MANY - at ? n : MANY - at;
		SAME(send(fd, data + at, n, 0), n);
	}
	free(data);
}

static void receive_many(int fd)
{
	unsigned char data[50000];
	size_t at = 0, i;
	ssize_t n;

	while (at < MANY) {
		n = recv(fd, data, 1 + at % sizeof(data), 0);
		TRUE(n > 0);
		for (i = 0; i < (size_t)n; i++)
			if (data[i] != byte_at(at + i))
				SAME(data[i], byte_at(at + i));
		at += (size_t)n;
	}
}

static void many(const struct side *s)
{
	int fd = talk_open(s);
	char c;

	if (s->server) {
		send_many(fd);
		receive_many(fd);
	} else {
		receive_many(fd);
		send_many(fd);
	}
	SAME(shutdown(fd, SHUT_WR), 0);
	SAME(read(fd, &c, 1), 0);
}

static void vectors(const struct side *s)
{
	char a[4] = "", b[8] = "";
	struct iovec in[2] = { { a, 3 }, { b, 7 } };
	char text[] = "abcdefgh";
	struct iovec out[3] = { { text, 2 }, { NULL, 0 }, { text + 2, 6 } };
	struct msghdr m = { .msg_iov = s->server ? in : out,
			    .msg_iovlen = s->server ? 2 : 3 };
	int fd = talk_open(s);

	if (!s->server) {
		SAME(writev(fd, out, 3), 8);
		talk_meet(s);
		talk_meet(s);
		SAME(sendmsg(fd, &m, MSG_NOSIGNAL), 8);
		talk_meet(s);
		talk_meet(s);
		SAME(sendto(fd, "xyz", 3, 0, NULL, 0), 3);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	SAME(readv(fd, in, 2), 8);
	TRUE(!strcmp(a, "abc") && !strcmp(b, "defgh"));
	memset(b, 0, sizeof(b));
	talk_meet(s);
	talk_meet(s);
	SAME(recvmsg(fd, &m, 0), 8);
	TRUE(!strcmp(a, "abc") && !strcmp(b, "defgh"));
	talk_meet(s);
	talk_meet(s);
	SAME(recvfrom(fd, b, 7, 0, NULL, NULL), 3);
	TRUE(!strncmp(b, "xyz", 3));
}

/* What libc writes, or reads, past write and read. */
static void by_way_of_libc(const struct side *s)
{
	char data[64] = "", more[8] = "";
	struct iovec in[2] = { { data, 4 }, { more, 8 } };
	char text[] = "abcdef";
	struct iovec out[2] = { { text, 4 }, { text + 4, 2 } };
	int fd = talk_open(s);

	if (!s->server) {
		SAME(dprintf(fd, "%s %d\n", "line", 1), 7);
		talk_meet(s);
		talk_meet(s);
		SAME(pwritev2(fd, out, 2, -1, 0), 6);
		FAILS(pwritev2(fd, out, 2, 0, 0), ESPIPE);
		talk_meet(s);
		return;
	}
	SAME(recv(fd, data, 7, MSG_WAITALL), 7);
	TRUE(!strcmp(data, "line 1\n"));
	FAILS(preadv2(fd, in, 2, -1, RWF_NOWAIT), EAGAIN);
	FAILS(preadv2(fd, in, 2, 7, 0), ESPIPE);
	talk_meet(s);
	talk_meet(s);
	SAME(preadv2(fd, in, 2, -1, 0), 6);
	TRUE(!memcmp(data, "abcd", 4) && !strcmp(more, "ef"));
	talk_meet(s);
}

static void peek(const struct side *s)
{
	char data[16] = "";
	int fd = talk_open(s), n = -1;

	if (!s->server) {
		SAME(send(fd, "hello", 5, 0), 5);
		talk_meet(s);
		talk_meet(s);
		return;
	}
	SAME(recv(fd, data, 16, MSG_PEEK), 5);
	TRUE(!strcmp(data, "hello"));
	SAME(ioctl(fd, FIONREAD, &n), 0);
	SAME(n, 5);
	SAME(recv(fd, data, 2, MSG_PEEK), 2);
	SAME(recv(fd, data, 16, 0), 5);
	TRUE(!strcmp(data, "hello"));
	SAME(ioctl(fd, FIONREAD, &n), 0);
	SAME(n, 0);
	FAILS(recv(fd, data, 1, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	talk_meet(s);
	talk_meet(s);
}

/* What was shown and what came after it are one stream. */
static void peek_and_more(const struct side *s)
{
	char data[32] = "", more[32] = "";
	struct iovec in[2] = { { data, 2 }, { more, 30 } };
	int fd = talk_open(s), n = 0;

	if (!s->server) {
		SAME(send(fd, "abcde", 5, 0), 5);
		talk_meet(s);
		talk_meet(s);
		SAME(send(fd, "fghij", 5, 0), 5);
		talk_meet(s);
		talk_meet(s);
		SAME(send(fd, "klm", 3, 0), 3);
		return;
	}
	talk_meet(s);
	SAME(recv(fd, data, 3, MSG_PEEK), 3);
	SAME(recv(fd, data, 1, 0), 1);
	talk_meet(s);
	talk_meet(s);
	SAME(recv(fd, data, 8, MSG_PEEK), 8);
	TRUE(!strcmp(data, "bcdefghi"));
	SAME(ioctl(fd, FIONREAD, &n), 0);
	SAME(n, 9);
	SAME(readv(fd, in, 2), 9);
	TRUE(!memcmp(data, "bc", 2) && !strcmp(more, "defghij"));
	talk_meet(s);
	memset(data, 0, sizeof(data));
	SAME(recv(fd, data, 2, MSG_PEEK | MSG_WAITALL), 2);
	SAME(recv(fd, data, 3, MSG_WAITALL), 3);
	TRUE(!strcmp(data, "klm"));
	SAME(recv(fd, data, 3, MSG_PEEK), 0);
	SAME(recv(fd, data, 3, 0), 0);
}

static void wait_all(const struct side *s)
{
	char data[16] = "";
	int fd = talk_open(s);

	if (!s->server) {
		SAME(send(fd, "abc", 3, 0), 3);
		talk_meet(s);
		SAME(talk_ready(s->control, POLLIN, 50), 0); /* let it wait */
		SAME(send(fd, "defgh", 5, 0), 5);
		talk_meet(s);
		SAME(send(fd, "xy", 2, 0), 2);
		return;
	}
	talk_meet(s);
	SAME(recv(fd, data, 8, MSG_WAITALL | MSG_PEEK), 8);
	SAME(recv(fd, data, 8, MSG_WAITALL), 8);
	TRUE(!strcmp(data, "abcdefgh"));
	talk_meet(s);
	SAME(recv(fd, data, 8, MSG_WAITALL), 2); /* then the end */
}

static size_t fill(int fd)
{
	static const char data[3000];
	size_t sum = 0;
	ssize_t n;

	while ((n = send(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		sum += (size_t)n;
	SAME(n, -1);
	SAME(errno, EAGAIN);
	return sum;
}

static void nonblocking(const struct side *s)
{
	static char data[65536];
	int fd = talk_open(s);
	size_t sum = 0;
	ssize_t n;

	if (!s->server) {
		sum = fill(fd);
		TRUE(!(talk_ready(fd, POLLOUT, 0) & POLLOUT));
		talk_meet(s);
		SAME(talk_ready(fd, POLLOUT, 10000), POLLOUT);
		SAME(write(s->control, &sum, sizeof(sum)), sizeof(sum));
		return;
	}
	SAME(fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL)), 0);
	talk_meet(s);
	while ((n = read(fd, data, sizeof(data))) != 0) {
		if (n < 0) {
			SAME(errno, EAGAIN);
			TRUE(talk_ready(fd, POLLIN, 10000) & POLLIN);
			continue;
		}
		sum += (size_t)n;
	}
	SAME(read(s->control, &n, sizeof(n)), sizeof(n));
	SAME(sum, n);
}

static void receive_timeout(const struct side *s)
{
	struct timeval t = { .tv_usec = 50000 };
	int fd = talk_open(s);
	char c;

	SAME(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	FAILS(recv(fd, &c, 1, 0), EAGAIN);
	talk_meet(s);
}

/* ---- ends ---------------------------------------------------------------- */

static void half_close(const struct side *s)
{
	int fd = talk_open(s);
	char data[8] = "";

	if (!s->server) {
		SAME(write(fd, "ask", 3), 3);
		SAME(shutdown(fd, SHUT_WR), 0);
		FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
		SAME(recv(fd, data, 8, MSG_WAITALL), 6);
		TRUE(!strcmp(data, "answer"));
		return;
	}
	SAME(recv(fd, data, 8, MSG_WAITALL), 3);
	SAME(talk_ready(fd, POLLIN | POLLOUT | POLLRDHUP, 1000),
	     POLLIN | POLLOUT | POLLRDHUP);
	SAME(talk_ready(fd, POLLPRI, 50), 0); /* half an end is no POLLHUP */
	SAME(read(fd, data, 8), 0);
	SAME(write(fd, "answer", 6), 6);
	SAME(shutdown(fd, SHUT_WR), 0);
	TRUE(talk_ready(fd, POLLIN, 1000) & POLLHUP);
}

static volatile sig_atomic_t pipes;

static void count_pipe(int number)
{
	(void)number;
	pipes++;
}

static void broken_pipe(const struct side *s)
{
	struct sigaction action = { .sa_handler = count_pipe };
	int fd = talk_open(s), i;

	if (!s->server) {
		SAME(close(fd), 0);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	sigaction(SIGPIPE, &action, NULL);
	for (i = 0; i < 100 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
		poll(NULL, 0, 10); /* TCP needs a reset to come back */
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	SAME(pipes, 0);
	FAILS(write(fd, "x", 1), EPIPE);
	SAME(pipes, 1);
}

static void reset(const struct side *s)
{
	int fd = talk_open(s);
	char c;

	if (!s->server) {
		TRUE(talk_ready(fd, POLLIN, 10000) & POLLIN);
		SAME(close(fd), 0); /* with bytes unread */
		talk_meet(s);
		return;
	}
	SAME(write(fd, "unread", 6), 6);
	talk_meet(s);
	TRUE(talk_ready(fd, POLLIN, 10000) & POLLERR);
	FAILS(recv(fd, &c, 1, 0), ECONNRESET);
	SAME(recv(fd, &c, 1, 0), 0);
	FAILS(send(fd, &c, 1, MSG_NOSIGNAL), EPIPE);
}

static void socket_error(const struct side *s)
{
	struct linger linger = { .l_onoff = 1 };
	int fd = talk_open(s), error = 0;
	socklen_t bytes = sizeof(error);
	char c;

	if (!s->server) {
		SAME(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)), 0);
		SAME(close(fd), 0);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	TRUE(talk_ready(fd, POLLIN, 10000) & POLLERR);
	SAME(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
	SAME(error, ECONNRESET);
	SAME(recv(fd, &c, 1, 0), 0);
}

static void shut_both(const struct side *s)
{
	int fd = talk_open(s);
	char c;

	SAME(shutdown(fd, SHUT_RDWR), 0);
	SAME(recv(fd, &c, 1, 0), 0);
	FAILS(send(fd, &c, 1, MSG_NOSIGNAL), EPIPE);
	talk_meet(s);
}

static void closed_with_data(const struct side *s)
{
	static char data[100000];
	int fd = talk_open(s);

	if (!s->server) {
		SAME(send(fd, data, sizeof(data), 0), sizeof(data));
		return; /* exits at once; it must arrive all the same */
	}
	poll(NULL, 0, 50); /* it is gone, or lingers */
	SAME(recv(fd, data, sizeof(data), MSG_WAITALL), sizeof(data));
	SAME(recv(fd, data, 1, 0), 0);
}

/* ---- connecting ---------------------------------------------------------- */

static void refused(const struct side *s)
{
	struct addrinfo *a;
	int fd;

	/* The server listens, but on another port. */
	if (s->server) {
		int listener = talk_listen();

		talk_meet(s);
		talk_meet(s);
		SAME(close(listener), 0);
		return;
	}
	talk_meet(s);
	fd = talk_socket(&a, 0);
	((struct sockaddr_in *)a->ai_addr)->sin_port = htons(9);
	FAILS(connect(fd, a->ai_addr, a->ai_addrlen), ECONNREFUSED);
	freeaddrinfo(a);
	talk_meet(s);
}

static void connect_nonblocking(const struct side *s)
{
	int fd, error = -1;
	socklen_t bytes = sizeof(error);
	struct addrinfo *a;
	char c;

	if (s->server) {
		int listener = talk_listen();

		SAME(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
		FAILS(accept4(listener, NULL, NULL, 0), EAGAIN);
		talk_meet(s);
		SAME(talk_ready(listener, POLLIN, 10000), POLLIN);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		TRUE(fd >= 0);
		FAILS(recv(fd, &c, 1, 0), EAGAIN);
		SAME(write(fd, "x", 1), 1);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	fd = talk_socket(&a, SOCK_NONBLOCK);
	FAILS(connect(fd, a->ai_addr, a->ai_addrlen), EINPROGRESS);
	SAME(talk_ready(fd, POLLOUT, 10000) & ~POLLIN, POLLOUT);
	SAME(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
	SAME(error, 0);
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) /* Linux says 0 once */
		SAME(errno, EISCONN);
	FAILS(connect(fd, a->ai_addr, a->ai_addrlen), EISCONN);
	TRUE(talk_ready(fd, POLLIN, 10000) & POLLIN);
	SAME(recv(fd, &c, 1, 0), 1);
	talk_meet(s);
	freeaddrinfo(a);
}

static void connect_nonblocking_refused(const struct side *s)
{
	int fd, error = -1;
	socklen_t bytes = sizeof(error);
	struct addrinfo *a;

	if (s->server) {
		talk_listen();
		talk_meet(s);
		talk_meet(s);
		return;
	}
	talk_meet(s);
	fd = talk_socket(&a, SOCK_NONBLOCK);
	((struct sockaddr_in *)a->ai_addr)->sin_port = htons(9);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno != ECONNREFUSED) {
		SAME(errno, EINPROGRESS);
		TRUE(talk_ready(fd, POLLOUT, 10000) & POLLERR);
		SAME(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
		SAME(error, ECONNREFUSED);
	}
	talk_meet(s);
}

static void names(const struct side *s)
{
	struct sockaddr_storage a, b;
	socklen_t bytes = sizeof(a), more = sizeof(b);
	char host[64], port[16];
	int fd = talk_open(s);

	SAME(getpeername(fd, (struct sockaddr *)&a, &bytes), 0);
	SAME(getsockname(fd, (struct sockaddr *)&b, &more), 0);
	TRUE(a.ss_family == b.ss_family && bytes == more);
	SAME(getnameinfo((struct sockaddr *)(s->server ? &b : &a), bytes, host,
			 sizeof(host), port, sizeof(port),
			 NI_NUMERICSERV | NI_NUMERICHOST), 0);
	TRUE(!strcmp(port, talk_port));
	talk_meet(s);
}

static void options(const struct side *s)
{
	int fd = talk_open(s), one = 1, got = 0;
	socklen_t bytes = sizeof(got);

	SAME(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	SAME(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &got, &bytes), 0);
	SAME(got, 1);
	SAME(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	SAME(getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &bytes), 0);
	SAME(got, SOCK_STREAM);
	SAME(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &got, &bytes), 0);
	SAME(got, 0);
	talk_meet(s);
}

static void copies(const struct side *s)
{
	int fd = talk_open(s), other, third;
	char data[8] = "";

	if (!s->server) {
		SAME(recv(fd, data, 8, MSG_WAITALL), 2);
		return;
	}
	other = dup(fd);
	third = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	TRUE(other >= 0 && third >= 100);
	SAME(close(fd), 0);
	FAILS(write(fd, "x", 1), EBADF);
	SAME(write(other, "a", 1), 1);
	SAME(dup2(third, other), other);
	SAME(write(other, "b", 1), 1);
	SAME(close(other), 0);
	SAME(talk_ready(third, POLLOUT, 0), POLLOUT);
	SAME(close_range((unsigned int)third, (unsigned int)third, 0), 0);
}

const struct talk_case talk_cases[] = {
	{ "4 MiB each way in pieces of all sizes", many, false },
	{ "readv, writev, sendmsg, recvmsg, sendto, recvfrom", vectors, false },
	{ "dprintf, preadv2, pwritev2", by_way_of_libc, false },
	{ "MSG_PEEK and FIONREAD show and leave", peek, false },
	{ "MSG_PEEK, then more than it showed", peek_and_more, false },
	{ "MSG_WAITALL waits for all, or the end", wait_all, false },
	{ "full and empty: EAGAIN, POLLOUT, POLLIN", nonblocking, false },
	{ "SO_RCVTIMEO", receive_timeout, false },
	{ "half-close: the other half goes on", half_close, false },
	{ "EPIPE and SIGPIPE", broken_pipe, false },
	{ "close with bytes unread: ECONNRESET once", reset, false },
	{ "SO_LINGER 0 aborts, SO_ERROR tells", socket_error, false },
	{ "shutdown of both halves", shut_both, false },
	{ "a sender that exits at once loses nothing", closed_with_data, false },
	{ "connect: refused", refused, false },
	{ "connect without blocking; accept without blocking", connect_nonblocking, false },
	{ "connect without blocking: refused", connect_nonblocking_refused, false },
	{ "getpeername, getsockname, getnameinfo", names, false },
	{ "options of TCP", options, false },
	{ "dup, dup2, F_DUPFD, close_range", copies, false },
	{ NULL, NULL, false },
};
