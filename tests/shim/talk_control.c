// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk about numbers and what ioctl says of them. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static void number_copied(const struct side *s)
{
	int fd = talk_open(s);
	char data[4] = "";

	if (!s->server) {
		SAME(recv(fd, data, 4, MSG_WAITALL), 2);
		return;
	}
	FAILS(dup3(fd, fd, 0), EINVAL);
	FAILS(dup3(fd, 50, 1), EINVAL);
	SAME(dup3(fd, 50, O_CLOEXEC), 50);
	SAME(fcntl(50, F_GETFD), FD_CLOEXEC);
	SAME(close(fd), 0);
	SAME(write(50, "a", 1), 1);
	SAME(dup3(s->control, 51, 0), 51);
	SAME(dup3(50, 51, O_CLOEXEC), 51); /* over one that is not ours */
	SAME(dup3(s->control, 50, 0), 50); /* and the other way */
	SAME(write(51, "b", 1), 1);
}

static void closed_from(const struct side *s)
{
	int fd = talk_open(s), high = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	char c;

	TRUE(high >= 100);
	if (!s->server) {
		SAME(recv(fd, &c, 1, 0), 1);
		talk_meet(s);
		return;
	}
	closefrom(100);
	FAILS(write(high, "x", 1), EBADF);
	FAILS(fcntl(high, F_GETFD), EBADF);
	SAME(write(fd, "y", 1), 1);
	talk_meet(s);
}

static void not_blocking(const struct side *s)
{
	int fd = talk_open(s), on = 1, off = 0;
	char c;

	SAME(ioctl(fd, FIONBIO, &on), 0);
	TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	FAILS(recv(fd, &c, 1, 0), EAGAIN);
	SAME(ioctl(fd, FIONBIO, &off), 0);
	TRUE(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	talk_meet(s);
	if (!s->server) {
		poll(NULL, 0, 30);
		SAME(write(fd, "x", 1), 1);
	} else {
		SAME(recv(fd, &c, 1, 0), 1); /* it waits */
	}
	talk_meet(s);
}

/* TCP counts until it is acknowledged, a ring until it is read. */
static void not_sent(const struct side *s)
{
	int fd = talk_open(s), n = -1, i;
	char data[8];

	if (s->server) {
		talk_meet(s);
		talk_meet(s);
		SAME(recv(fd, data, 5, MSG_WAITALL), 5);
		talk_meet(s);
		return;
	}
	SAME(ioctl(fd, TIOCOUTQ, &n), 0);
	SAME(n, 0);
	SAME(send(fd, "abcde", 5, 0), 5);
	talk_meet(s);
	SAME(ioctl(fd, TIOCOUTQ, &n), 0);
	if (getenv("USBROUTE_PEERS"))
		SAME(n, 5);
	talk_meet(s);
	talk_meet(s);
	for (i = 0; i < 100 && n; i++) {
		poll(NULL, 0, 10);
		SAME(ioctl(fd, TIOCOUTQ, &n), 0);
	}
	SAME(n, 0);
}

static void no_urgent_data(const struct side *s)
{
	int fd = talk_open(s);
	char c;

	FAILS(recv(fd, &c, 1, MSG_OOB), EINVAL);
	FAILS(recv(fd, &c, 1, MSG_ERRQUEUE), EAGAIN);
	talk_meet(s);
}

const struct talk_case talk_control[] = {
	{ "dup3", number_copied, false },
	{ "closefrom", closed_from, false },
	{ "FIONBIO", not_blocking, false },
	{ "TIOCOUTQ", not_sent, false },
	{ "MSG_OOB and MSG_ERRQUEUE: there is none", no_urgent_data, false },
	{ NULL, NULL, false },
};
