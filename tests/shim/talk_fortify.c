// SPDX-License-Identifier: BSD-2-Clause
/*
 * The cases of talk as a program built with _FORTIFY_SOURCE has them: with sizes
 * the compiler knows and lengths it does not, glibc's headers call __read_chk()
 * and its kin. shim.py looks whether this file does.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 2
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* More than the compiler can know. */
static size_t room(size_t bytes)
{
	return bytes + (size_t)atoi("0");
}

static int print(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

static void receive_each(int fd)
{
	struct sockaddr_storage from;
	socklen_t bytes = sizeof(from);
	char data[8];

	SAME(read(fd, data, room(2)), 2);
	TRUE(!memcmp(data, "ab", 2));
	SAME(recv(fd, data, room(2), 0), 2);
	TRUE(!memcmp(data, "cd", 2));
	SAME(recvfrom(fd, data, room(8), 0, (struct sockaddr *)&from, &bytes), 2);
	TRUE(!memcmp(data, "ef", 2));
}

static void checked(const struct side *s)
{
	const struct timespec soon = { 0, 10000000 };
	int fd = talk_open(s);
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1 } };

	if (!s->server) {
		talk_meet(s);
		SAME(dprintf(fd, "%.*s", 3, "abc-"), 3);
		SAME(print(fd, "%s", "def"), 3);
		talk_meet(s);
		talk_meet(s);
		return;
	}
	SAME(poll(p, room(2), 10), 0);
	SAME(ppoll(p, room(2), &soon, NULL), 0);
	talk_meet(s);
	talk_meet(s);
	SAME(poll(p, room(2), -1), 1);
	SAME(p[0].revents, POLLIN);
	SAME(ppoll(p, room(2), NULL, NULL), 1);
	receive_each(fd);
	talk_meet(s);
}

static void overflow_read(int fd)
{
	char data[8];

	TRUE(read(fd, data, room(9)) < 0);
}

static void overflow_recv(int fd)
{
	char data[8];

	TRUE(recv(fd, data, room(9), 0) < 0);
}

static void overflow_recvfrom(int fd)
{
	char data[8];

	TRUE(recvfrom(fd, data, room(9), 0, NULL, NULL) < 0);
}

static void overflow_poll(int fd)
{
	struct pollfd p[2] = { { .fd = fd }, { .fd = -1 } };

	TRUE(poll(p, room(3), 0) < 0);
}

static void overflow_ppoll(int fd)
{
	struct pollfd p[2] = { { .fd = fd }, { .fd = -1 } };

	TRUE(ppoll(p, room(3), NULL, NULL) < 0);
}

/* Who would write past the end is killed, as by libc. */
static void overflowed(const struct side *s)
{
	static void (*const all[])(int fd) = {
		overflow_read, overflow_recv, overflow_recvfrom, overflow_poll,
		overflow_ppoll,
	};
	int fd = talk_open(s), status;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		pid_t child = fork();

		if (child == 0) {
			talk_hear();
			all[i](fd);
			_exit(0);
		}
		SAME(waitpid(child, &status, 0), child);
		TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
	talk_meet(s);
}

const struct talk_case talk_fortify[] = {
	{ "with _FORTIFY_SOURCE: read, recv, recvfrom, poll, ppoll, dprintf", checked, false },
	{ "with _FORTIFY_SOURCE: too long is the end", overflowed, false },
	{ NULL, NULL, false },
};
