// SPDX-License-Identifier: BSD-2-Clause
/*
 * A stream between two processes, by plain socket functions: what the preload
 * library costs is what this measures, beside bench/cable.
 *
 *      stream serve PORT 64k|rtt48
 *      stream call HOST PORT 64k|rtt48 SECONDS      prints MB/s or us
 *      stream foreign SECONDS      read of what is no socket: prints ns for a call
 *
 * It goes to the processor CORE once it is connected, not before: who opens a ring
 * with one processor to run on would never spin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536
#define HEADER 48

static char data[PIECE];

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "stream: %s: %s\n", what, why);
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(void)
{
	const char *core = getenv("CORE");
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core ? atoi(core) : 0, &set);
	if (core && sched_setaffinity(0, sizeof(set), &set) < 0)
		fail(core, strerror(errno));
}

static int make(const char *host, const char *port, struct addrinfo **a)
{
	struct addrinfo hints = {
		.ai_flags = host ? 0 : AI_PASSIVE,
		.ai_family = AF_INET,
		.ai_socktype = SOCK_STREAM,
	};
	int fd, n = getaddrinfo(host, port, &hints, a);

	if (n)
		fail(host ? host : port, gai_strerror(n));
	fd = socket((*a)->ai_family, (*a)->ai_socktype, (*a)->ai_protocol);
	if (fd < 0)
		fail("socket", strerror(errno));
	return fd;
}

static void all(bool sending, int fd, size_t bytes)
{
	ssize_t n = sending ? send(fd, data, bytes, MSG_NOSIGNAL) :
			      recv(fd, data, bytes, MSG_WAITALL);

	if (n != (ssize_t)bytes)
		fail(sending ? "send" : "recv", n < 0 ? strerror(errno) : "too few bytes");
}

static void serve(const char *port, bool echo)
{
	struct addrinfo *a;
	int fd, at = make(NULL, port, &a);

	if (bind(at, a->ai_addr, a->ai_addrlen) < 0 || listen(at, 1) < 0)
		fail("listen", strerror(errno));
	fd = accept(at, NULL, NULL);
	if (fd < 0)
		fail("accept", strerror(errno));
	pin();
	if (echo)
		while (recv(fd, data, HEADER, MSG_WAITALL) == HEADER)
			all(true, fd, HEADER);
	else
		while (recv(fd, data, PIECE, 0) > 0)
			continue;
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void call(const char *host, const char *port, bool echo, double seconds)
{
	struct addrinfo *a;
	int fd = make(host, port, &a);
	double begin, now, count = 0;

	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		fail("connect", strerror(errno));
	pin();
	begin = now_s();
	do {
		all(true, fd, echo ? HEADER : PIECE);
		if (echo)
			all(false, fd, HEADER);
		count++;
		now = now_s();
	} while (now - begin < seconds);
	printf("%g\n", echo ? (now - begin) / count * 1e6 :
			      count * PIECE / 1e6 / (now - begin));
	shutdown(fd, SHUT_WR);
	while (recv(fd, data, PIECE, 0) > 0)
		continue;
}

static void foreign(double seconds)
{
	int fd = open("/dev/zero", O_RDONLY), i;
	double begin, now, count = 0;

	if (fd < 0)
		fail("/dev/zero", strerror(errno));
	pin();
	begin = now_s();
	do {
		for (i = 0; i < 1000; i++)
			if (read(fd, data, 1) != 1)
				fail("read", strerror(errno));
		count += 1000;
		now = now_s();
	} while (now - begin < seconds);
	printf("%g\n", (now - begin) / count * 1e9);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], strcmp(argv[3], "rtt48") == 0);
	else if (argc == 6 && strcmp(argv[1], "call") == 0)
		call(argv[2], argv[3], strcmp(argv[4], "rtt48") == 0, atof(argv[5]));
	else if (argc == 3 && strcmp(argv[1], "foreign") == 0)
		foreign(atof(argv[2]));
	else
		fail("usage",
		     "stream serve PORT CASE | call HOST PORT CASE SECONDS | foreign SECONDS");
	return 0;
}
