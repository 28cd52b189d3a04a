// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk that a ring cannot do: it fails at once, and says so. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

static void not_through_fork(const struct side *s)
{
	int fd = talk_open(s), status;
	pid_t child = fork();
	char c;

	if (child == 0) {
		FAILS(send(fd, "x", 1, 0), EOPNOTSUPP);
		FAILS(recv(fd, &c, 1, 0), EOPNOTSUPP);
		SAME(talk_ready(fd, POLLIN, 0), POLLNVAL);
		SAME(close(fd), 0);
		_exit(0);
	}
	SAME(waitpid(child, &status, 0), child);
	SAME(status, 0);
	SAME(send(fd, "y", 1, 0), 1); /* the parent's is as it was */
	SAME(recv(fd, &c, 1, 0), 1);
	SAME(c, 'y');
	talk_meet(s);
}

typedef void in_child_fn(int fd);

/* What a child is told of a ring of its parent: once, whichever call is first. */
static void tell_child(int fd, in_child_fn *call)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		talk_hear();
		call(fd);
		call(fd);
		SAME(talk_heard("not handed through fork"), 1);
		_exit(0);
	}
	SAME(waitpid(child, &status, 0), child);
	SAME(status, 0);
}

static void child_polls(int fd)
{
	SAME(talk_ready(fd, POLLIN, 0), POLLNVAL);
}

static void child_selects(int fd)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	FAILS(select(fd + 1, &in, NULL, NULL, NULL), EBADF);
}

static void child_waits(int fd)
{
	struct epoll_event e = { .events = EPOLLIN };
	int set = epoll_create1(0);

	SAME(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0);
	SAME(epoll_wait(set, &e, 1, -1), 1);
	SAME(e.events, POLLNVAL);
}

static void child_counts(int fd)
{
	int n;

	FAILS(ioctl(fd, FIONREAD, &n), EOPNOTSUPP);
	FAILS(ioctl(fd, TIOCOUTQ, &n), EOPNOTSUPP);
}

static void child_asks(int fd)
{
	int error;
	socklen_t bytes = sizeof(error);

	FAILS(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes), EOPNOTSUPP);
	FAILS(shutdown(fd, SHUT_RD), EOPNOTSUPP);
}

static void told_once(const struct side *s)
{
	int fd = talk_open(s);

	tell_child(fd, child_polls);
	tell_child(fd, child_selects);
	tell_child(fd, child_waits);
	tell_child(fd, child_counts);
	tell_child(fd, child_asks);
	talk_meet(s);
}

static void not_through_exec(const struct side *s)
{
	char name[] = "false", *args[] = { name, NULL }; /* status 1 */
	int fd = talk_open(s);

	SAME(fcntl(fd, F_GETFD), FD_CLOEXEC);
	FAILS(fcntl(fd, F_SETFD, 0), EOPNOTSUPP);
	SAME(dup2(fd, 0), 0);
	FAILS(execv("/bin/false", args), EOPNOTSUPP);
	FAILS(execvp("false", args), EOPNOTSUPP);
	FAILS(execlp("false", "false", "x", (char *)NULL), EOPNOTSUPP);
	talk_meet(s);
}

static void not_for_rings(const struct side *s)
{
	int fd = talk_open(s), tube[2];
	char c = 'x';
	struct iovec piece = { &c, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };

	SAME(pipe(tube), 0);
	talk_hear();
	FAILS(sendfile(fd, tube[0], NULL, 1), EINVAL);
	FAILS(sendfile64(fd, tube[0], NULL, 1), EINVAL);
	FAILS(splice(tube[0], NULL, fd, NULL, 1, 0), EINVAL);
	FAILS(fdopen(fd, "r") ? 0 : -1, EOPNOTSUPP);
	FAILS(sendmmsg(fd, &m, 1, 0), EOPNOTSUPP);
	FAILS(recvmmsg(fd, &m, 1, MSG_DONTWAIT, NULL), EOPNOTSUPP);
	SAME(talk_heard("not for a ring in user space"), 6);
	talk_hear();
	FAILS(send(fd, "x", 1, MSG_FASTOPEN), EOPNOTSUPP);
	FAILS(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	SAME(talk_heard("of a send or receive, expected none but"), 2);
	talk_meet(s);
}

/* 1, or -1: `count` descriptors handed over `by`, in one message of one byte. */
static int hand(int by, const int *fds, size_t count, bool many)
{
	union {
		struct cmsghdr first;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char c = 'x';
	struct iovec piece = { &c, 1 };
	struct mmsghdr m = { .msg_hdr = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	} };

	memset(&control, 0, sizeof(control));
	control.first.cmsg_level = SOL_SOCKET;
	control.first.cmsg_type = SCM_RIGHTS;
	control.first.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.first), fds, count * sizeof(int));
	return many ? sendmmsg(by, &m, 1, 0) : (int)sendmsg(by, &m.msg_hdr, 0);
}

static void not_handed(const struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = talk_open(s), pair[2], with[2] = { s->control, fd };
	int set = epoll_create1(0);

	SAME(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	SAME(hand(pair[0], with, 1, false), 1); /* not ours */
	SAME(hand(pair[0], with, 1, true), 1);
	SAME(hand(pair[0], &set, 1, false), 1); /* nothing in it yet */
	SAME(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0);
	talk_hear();
	FAILS(hand(pair[0], with, 2, false), EOPNOTSUPP);
	FAILS(hand(pair[0], with, 2, true), EOPNOTSUPP);
	FAILS(hand(pair[0], &set, 1, false), EOPNOTSUPP);
	SAME(talk_heard("is not handed to another process"), 3);
	FAILS(hand(fd, with, 1, false), EOPNOTSUPP); /* no control data on a ring */
	talk_meet(s);
}

static void no_signals(const struct side *s)
{
	int fd = talk_open(s), on = 1, off = 0, other;
	struct addrinfo *a;

	talk_hear();
	FAILS(fcntl(fd, F_SETFL, O_ASYNC), EOPNOTSUPP);
	FAILS(ioctl(fd, FIOASYNC, &on), EOPNOTSUPP);
	SAME(ioctl(fd, FIOASYNC, &off), 0);
	other = talk_socket(&a, 0);
	SAME(fcntl(other, F_SETFL, O_ASYNC), 0); /* TCP's, so far */
	FAILS(connect(other, a->ai_addr, a->ai_addrlen), EOPNOTSUPP);
	SAME(talk_heard("a link sends no SIGIO"), 3);
	freeaddrinfo(a);
	talk_meet(s);
}

const struct talk_case talk_said[] = {
	{ "not through fork, and says so", not_through_fork, true },
	{ "a child is told once, by whatever it calls first", told_once, true },
	{ "not through exec, and says so", not_through_exec, true },
	{ "sendfile, splice, fdopen, sendmmsg, recvmmsg, MSG_OOB are refused", not_for_rings, true },
	{ "not through SCM_RIGHTS, and says so", not_handed, true },
	{ "O_ASYNC is refused", no_signals, true },
	{ NULL, NULL, false },
};
