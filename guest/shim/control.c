// SPDX-License-Identifier: BSD-2-Clause
/* fcntl, ioctl, getsockopt, setsockopt, shutdown. */
#define _GNU_SOURCE
#include "bytes.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/time.h>

UR_EXPORT int fcntl64(int fd, int command, ...)
	__attribute__((alias("fcntl")));

/* ---- fcntl --------------------------------------------------------------- */

static int copy_number(int fd, struct ur_sock *s, int command, long from)
{
	int n = ur_libc()->fcntl(fd, F_DUPFD_CLOEXEC, from);
	int error;

	(void)command; /* a ring does not survive an exec in any case */
	if (n < 0)
		return -errno;
	error = ur_table_set(n, s);
	if (error == 0)
		return n;
	ur_libc()->close(n);
	return error;
}

static int set_flags(int fd, long flags)
{
	if (!(flags & FD_CLOEXEC)) {
		ur_say("descriptor %d is a ring in user space and does not survive an exec: got F_SETFD %ld, expected FD_CLOEXEC",
		       fd, flags);
		return -EOPNOTSUPP;
	}
	return ur_libc()->fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}

static int control_ring(int fd, struct ur_sock *s, int command, long arg)
{
	int n;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return copy_number(fd, s, command, arg);
	case F_SETFD:
		return set_flags(fd, arg);
	case F_SETFL:
		s->nonblocking = arg & O_NONBLOCK;
		break;
	}
	n = ur_libc()->fcntl(fd, command, arg);
	return n < 0 ? -errno : n;
}

/* The kernel's own socket: its copy is as much ours as it is. */
static int control_node(int fd, struct ur_sock *s, int command, long arg)
{
	int n = ur_libc()->fcntl(fd, command, arg);

	if (n < 0)
		return -errno;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
		int error = ur_table_set(n, s);

		if (error < 0) {
			ur_libc()->close(n);
			return error;
		}
	}
	return n;
}

/* One argument of one word, whatever it is; so has every command of Linux. */
static int control(int fd, int command, long arg)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s)
		return ur_libc()->fcntl(fd, command, arg);
	if (command == F_SETFL && arg & O_ASYNC)
		return (int)ur_sock_done(s, ur_refuse_async(fd));
	return (int)ur_sock_done(s, ur_sock_is_ring(s) ?
					    control_ring(fd, s, command, arg) :
					    control_node(fd, s, command, arg));
}

UR_EXPORT int fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	return control(fd, command, arg);
}

/* ---- ioctl --------------------------------------------------------------- */

static int ioctl_ring(int fd, struct ur_sock *s, unsigned long request, void *arg)
{
	bool stream = s->kind == UR_KIND_STREAM;

	if ((request == FIONREAD || request == TIOCOUTQ) && ur_sock_is_inherited(s))
		return -EOPNOTSUPP;
	switch (request) {
	case FIONREAD:
		*(int *)arg = stream ? (int)ur_sock_unread(s) : 0;
		return stream || s->kind == UR_KIND_CALLING ? 0 : -EINVAL;
	case TIOCOUTQ:
		*(int *)arg = stream ? (int)ur_sock_unsent(s) : 0;
		return 0;
	case FIOASYNC:
		if (*(int *)arg)
			return ur_refuse_async(fd);
		break;
	case FIONBIO:
		s->nonblocking = *(int *)arg != 0;
		break;
	}
	return ur_libc()->ioctl(fd, request, arg) < 0 ? -errno : 0;
}

UR_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct ur_sock *s = request == FIOASYNC ? ur_table_get(fd) :
						  ur_table_ring(fd);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!s)
		return ur_libc()->ioctl(fd, request, arg);
	return (int)ur_sock_done(s, ioctl_ring(fd, s, request, arg));
}

/* ---- options ------------------------------------------------------------- */

static int timeout_of(int fd, int name)
{
	struct timeval t = { 0 };
	socklen_t bytes = sizeof(t);

	if (ur_libc()->getsockopt(fd, SOL_SOCKET, name, &t, &bytes) < 0 ||
	    (t.tv_sec == 0 && t.tv_usec == 0) || t.tv_sec > INT_MAX / 2000)
		return UR_FOREVER;
	return (int)(t.tv_sec * 1000 + (t.tv_usec + 999) / 1000);
}

/* The kernel's socket keeps the options, and has checked them. */
void ur_sock_read_options(struct ur_sock *s, int fd)
{
	struct linger linger = { 0 };
	socklen_t bytes = sizeof(linger);

	ur_libc()->getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes);
	s->aborts = linger.l_onoff && linger.l_linger == 0;
	s->receive_timeout_ms = timeout_of(fd, SO_RCVTIMEO);
	s->send_timeout_ms = timeout_of(fd, SO_SNDTIMEO);
	s->nonblocking = (ur_libc()->fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/*
 * What is true of the kernel's own socket by its nature, or means nothing where
 * there is no network.
 */
static bool is_of_tcp(int level)
{
	return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

static int set_node_option(int fd, struct ur_sock *s, int level, int name,
			   const void *value, socklen_t bytes)
{
	if (s->kind == UR_KIND_NODE_LISTENER &&
	    (level == SOL_SOCKET || is_of_tcp(level)))
		return 0;
	if (ur_libc()->setsockopt(fd, level, name, value, bytes) == 0)
		return 0;
	if (is_of_tcp(level) && (errno == EOPNOTSUPP || errno == ENOPROTOOPT))
		return 0;
	return -errno;
}

UR_EXPORT int setsockopt(int fd, int level, int name, const void *value,
			 socklen_t bytes)
{
	struct ur_sock *s = ur_table_get(fd);
	int n;

	if (!s || s->kind == UR_KIND_BOUND) {
		if (s)
			ur_sock_put(s);
		return ur_libc()->setsockopt(fd, level, name, value, bytes);
	}
	if (!ur_sock_is_ring(s))
		return (int)ur_sock_done(s, set_node_option(fd, s, level, name,
							    value, bytes));
	n = ur_libc()->setsockopt(fd, level, name, value, bytes) < 0 ? -errno : 0;
	if (n == 0)
		ur_sock_read_options(s, fd);
	return (int)ur_sock_done(s, n);
}

/* Of a stream that was reset and nobody was told yet. */
static int pending_error(struct ur_sock *s)
{
	u32 bytes;
	short events;

	if (s->kind != UR_KIND_STREAM || s->over)
		return atomic_exchange(&s->error, 0);
	ur_wait_lock(s->link->link);
	ur_wait_look(s->link->link);
	events = ur_sock_events(s, &bytes);
	ur_wait_unlock(s->link->link);
	if (!(events & POLLERR))
		return atomic_exchange(&s->error, 0);
	s->over = true;
	return ECONNRESET;
}

static int give_int(int value, void *to, socklen_t *bytes)
{
	if (*bytes < sizeof(value))
		return -EINVAL;
	memcpy(to, &value, sizeof(value));
	*bytes = sizeof(value);
	return 0;
}

static int get_option(int fd, struct ur_sock *s, int level, int name, void *value,
		      socklen_t *bytes)
{
	bool ring = ur_sock_is_ring(s);

	if (level == SOL_SOCKET && name == SO_ERROR && ring)
		return ur_sock_is_inherited(s) ?
			       -EOPNOTSUPP : give_int(pending_error(s), value, bytes);
	if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
		return give_int(s->kind == UR_KIND_LISTENER ||
				s->kind == UR_KIND_NODE_LISTENER, value, bytes);
	if (level == SOL_SOCKET && name == SO_DOMAIN)
		return give_int(s->family, value, bytes);
	if (level == SOL_SOCKET && name == SO_PROTOCOL)
		return give_int(IPPROTO_TCP, value, bytes);
	if (level == IPPROTO_TCP && name == TCP_NODELAY && !ring)
		return give_int(1, value, bytes);
	return ur_libc()->getsockopt(fd, level, name, value, bytes) < 0 ? -errno : 0;
}

UR_EXPORT int getsockopt(int fd, int level, int name, void *restrict value,
			 socklen_t *restrict bytes)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s)
		return ur_libc()->getsockopt(fd, level, name, value, bytes);
	return (int)ur_sock_done(s, get_option(fd, s, level, name, value, bytes));
}

/* ---- shutdown ------------------------------------------------------------ */

/*
 * Not ur_stream_shut(): for it both halves together are a close, after which a
 * peer that still sends is told of a reset. TCP does not tell it, and gives out
 * what had come before SHUT_RD.
 */
static int shut_ring(struct ur_sock *s, int how)
{
	struct ur_stream *stream = s->stream;
	struct ur_file_link *l = stream->link;
	int n = 0;

	ur_wait_lock(l);
	if (how != SHUT_RD && !(stream->shut & UR_SHUT_SEND)) {
		stream->shut |= UR_SHUT_SEND;
		n = ur_channel_shut(&l->core, stream->ticket);
	}
	if (how != SHUT_WR &&
	    ur_stream_try(stream, UR_RECEIVING, 1) == UR_TRY_AGAIN)
		stream->shut |= UR_SHUT_RECV;
	l->kick = true;
	ur_wait_unlock(l);
	return n == -EPIPE || n == -ECONNRESET ? 0 : n;
}

static int shut(struct ur_sock *s, int how)
{
	int n = ur_sock_check(s);

	if (n < 0)
		return n == -EAGAIN ? -ENOTCONN : n;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (how != SHUT_RD)
		s->shut_send = true;
	if (how != SHUT_WR)
		s->shut_receive = true;
	return shut_ring(s, how);
}

UR_EXPORT int shutdown(int fd, int how)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->shutdown(fd, how);
	return (int)ur_sock_done(s, shut(s, how));
}
