// SPDX-License-Identifier: BSD-2-Clause
/* send, recv, read, write and their kin. */
#define _GNU_SOURCE
#include "bytes.h"

#include <errno.h>
#include <signal.h>

#define FLAGS_KNOWN (MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_NOSIGNAL | \
		     MSG_MORE | MSG_CMSG_CLOEXEC | MSG_OOB | MSG_ERRQUEUE)

extern void __chk_fail(void) __attribute__((noreturn));
UR_EXPORT ssize_t preadv64v2(int fd, const struct iovec *pieces, int count,
			     off64_t offset, int rwf)
	__attribute__((alias("preadv2")));
UR_EXPORT ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count,
			      off64_t offset, int rwf)
	__attribute__((alias("pwritev2")));
UR_EXPORT ssize_t __read_chk(int fd, void *data, size_t bytes, size_t size);
UR_EXPORT ssize_t __recv_chk(int fd, void *data, size_t bytes, size_t size,
			     int flags);
UR_EXPORT ssize_t __recvfrom_chk(int fd, void *data, size_t bytes, size_t size,
				 int flags, __SOCKADDR_ARG from,
				 socklen_t *from_bytes);

/* ---- waiting and ending as TCP does -------------------------------------- */

/* A fault of the thread itself: not while it waits. */
static bool is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGILL ||
	       number == SIGFPE || number == SIGTRAP || number == SIGABRT;
}

/*
 * A handler ran while we waited. Which one is not known, so: the call goes on if
 * each handler that may have was installed with SA_RESTART.
 */
bool ur_signals_restart(void)
{
	struct sigaction action;
	int i;

	for (i = 1; i < NSIG; i++) {
		if (is_fault(i) || sigaction(i, NULL, &action) < 0)
			continue;
		if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
		    !(action.sa_flags & SA_RESTART))
			return false;
	}
	return true;
}

static bool goes_on(ssize_t n, int timeout_ms)
{
	return n == -EINTR && timeout_ms == UR_FOREVER && ur_signals_restart();
}

/* A reset is told once; then reading finds the end, and writing EPIPE. */
static ssize_t settle(struct ur_sock *s, ssize_t n, ssize_t after)
{
	if (n >= 0 || n == -EPIPE || n == -EINTR || n == -ENOMEM)
		return n;
	if (n == -EAGAIN || n == -ETIMEDOUT)
		return -EAGAIN;
	if (atomic_exchange(&s->over, true))
		return after;
	n = atomic_exchange(&s->error, 0);
	return n ? -n : -ECONNRESET;
}

static int refuse_flags(int flags, int known)
{
	if (!(flags & ~known))
		return 0;
	ur_say("flags 0x%x of a send or receive, expected none but 0x%x", flags,
	       known);
	return -EOPNOTSUPP;
}

/* ---- receive ------------------------------------------------------------- */

static int receive_timeout(struct ur_sock *s, int flags)
{
	if (flags & MSG_DONTWAIT || s->nonblocking || s->shut_receive)
		return 0;
	return s->receive_timeout_ms;
}

static ssize_t receive_ring(struct ur_sock *s, void *data, size_t bytes,
			    int flags, int timeout_ms)
{
	ssize_t n;

	do {
		if (flags & MSG_PEEK)
			n = ur_sock_peek(s, data, bytes, flags & MSG_WAITALL,
					 timeout_ms);
		else if (flags & MSG_WAITALL)
			n = ur_stream_recv_all(s->stream, data, bytes, timeout_ms);
		else
			n = ur_stream_recv(s->stream, data, bytes, timeout_ms);
	} while (goes_on(n, timeout_ms));
	return n;
}

static ssize_t receive_piece(struct ur_sock *s, u8 *data, size_t bytes,
			     int flags, int timeout_ms)
{
	ssize_t taken = flags & MSG_PEEK ? 0 : ur_sock_take_peeked(s, data, bytes);
	ssize_t n;

	if (taken < 0 || (size_t)taken == bytes)
		return taken;
	if (taken && !(flags & MSG_WAITALL))
		timeout_ms = 0;
	n = receive_ring(s, data + taken, bytes - (size_t)taken, flags, timeout_ms);
	return taken ? taken + (n > 0 ? n : 0) : n;
}

static ssize_t receive_pieces(struct ur_sock *s, const struct iovec *pieces,
			      size_t count, int flags)
{
	int timeout_ms = receive_timeout(s, flags);
	ssize_t n = 0, sum = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (pieces[i].iov_len == 0)
			continue;
		n = receive_piece(s, pieces[i].iov_base, pieces[i].iov_len, flags,
				  timeout_ms);
		if (n <= 0)
			break;
		sum += n;
		if ((size_t)n < pieces[i].iov_len || flags & MSG_PEEK)
			break;
		if (!(flags & MSG_WAITALL))
			timeout_ms = 0;
	}
	return sum ? sum : n;
}

static ssize_t receive(struct ur_sock *s, const struct iovec *pieces,
		       size_t count, int flags)
{
	ssize_t n = ur_sock_check(s);

	if (n == 0)
		n = refuse_flags(flags, FLAGS_KNOWN);
	if (n < 0)
		return n;
	if (flags & MSG_OOB) /* there is none, as in TCP without urgent data */
		return -EINVAL;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	n = receive_pieces(s, pieces, count, flags);
	if (n == -EAGAIN && s->shut_receive)
		return 0;
	return settle(s, n, 0);
}

static ssize_t receive_one(struct ur_sock *s, void *data, size_t bytes, int flags)
{
	struct iovec piece = { data, bytes };

	return ur_sock_done(s, receive(s, &piece, 1, flags));
}

/* ---- send ---------------------------------------------------------------- */

static void broken_pipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		pthread_kill(pthread_self(), SIGPIPE);
}

static ssize_t send_pieces(struct ur_sock *s, const struct iovec *pieces,
			   int count, int flags)
{
	int timeout_ms = flags & MSG_DONTWAIT || s->nonblocking ?
				 0 : (int)s->send_timeout_ms;
	ssize_t n;

	do {
		n = ur_stream_sendv(s->stream, pieces, count, timeout_ms);
	} while (goes_on(n, timeout_ms));
	return n;
}

static size_t bytes_of(const struct iovec *pieces, size_t count)
{
	size_t sum = 0;

	while (count--)
		sum += pieces[count].iov_len;
	return sum;
}

static ssize_t transmit(struct ur_sock *s, const struct iovec *pieces,
			size_t count, int flags)
{
	ssize_t n = ur_sock_check(s);

	if (n == 0)
		n = refuse_flags(flags, FLAGS_KNOWN & ~MSG_OOB);
	if (n == 0 && count > IOV_MAX)
		n = -EMSGSIZE;
	if (n == -ENOTCONN || s->shut_send)
		n = -EPIPE;
	if (n == 0)
		n = settle(s, send_pieces(s, pieces, (int)count, flags), -EPIPE);
	if (n == -EAGAIN || (n >= 0 && (size_t)n < bytes_of(pieces, count)))
		s->no_space = true;
	if (n == -EPIPE)
		broken_pipe(flags);
	return n;
}

static ssize_t transmit_one(struct ur_sock *s, const void *data, size_t bytes,
			    int flags)
{
	struct iovec piece = { (void *)data, bytes };

	return ur_sock_done(s, transmit(s, &piece, 1, flags));
}

/* ---- what programs call -------------------------------------------------- */

UR_EXPORT ssize_t read(int fd, void *data, size_t bytes)
{
	struct ur_sock *s = ur_table_ring(fd);

	return s ? receive_one(s, data, bytes, 0) :
		   ur_libc()->read(fd, data, bytes);
}

UR_EXPORT ssize_t recv(int fd, void *data, size_t bytes, int flags)
{
	struct ur_sock *s = ur_table_ring(fd);

	return s ? receive_one(s, data, bytes, flags) :
		   ur_libc()->recv(fd, data, bytes, flags);
}

UR_EXPORT ssize_t recvfrom(int fd, void *restrict data, size_t bytes, int flags,
			   __SOCKADDR_ARG from, socklen_t *restrict from_bytes)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->recvfrom(fd, data, bytes, flags, from,
					   from_bytes);
	if (from_bytes)
		*from_bytes = 0; /* a stream says no address here */
	return receive_one(s, data, bytes, flags);
}

UR_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->recvmsg(fd, message, flags);
	message->msg_namelen = 0;
	message->msg_controllen = 0;
	message->msg_flags = 0;
	return ur_sock_done(s, receive(s, message->msg_iov, message->msg_iovlen,
				       flags));
}

UR_EXPORT ssize_t readv(int fd, const struct iovec *pieces, int count)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->readv(fd, pieces, count);
	return ur_sock_done(s, count < 0 || count > IOV_MAX ? -EINVAL :
				       receive(s, pieces, (size_t)count, 0));
}

UR_EXPORT ssize_t write(int fd, const void *data, size_t bytes)
{
	struct ur_sock *s = ur_table_ring(fd);

	return s ? transmit_one(s, data, bytes, 0) :
		   ur_libc()->write(fd, data, bytes);
}

UR_EXPORT ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
	struct ur_sock *s = ur_table_ring(fd);

	return s ? transmit_one(s, data, bytes, flags) :
		   ur_libc()->send(fd, data, bytes, flags);
}

UR_EXPORT ssize_t sendto(int fd, const void *data, size_t bytes, int flags,
			 __CONST_SOCKADDR_ARG to, socklen_t to_bytes)
{
	struct ur_sock *s = ur_table_ring(fd);

	return s ? transmit_one(s, data, bytes, flags) :
		   ur_libc()->sendto(fd, data, bytes, flags, to, to_bytes);
}

UR_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s && ur_refuse_handing(message) < 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (!s)
		return ur_libc()->sendmsg(fd, message, flags);
	if (message->msg_controllen) {
		ur_say("sendmsg with %zu bytes of control data, expected 0",
		       (size_t)message->msg_controllen);
		return ur_sock_done(s, -EOPNOTSUPP);
	}
	return ur_sock_done(s, transmit(s, message->msg_iov,
					message->msg_iovlen, flags));
}

UR_EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->writev(fd, pieces, count);
	return ur_sock_done(s, count < 0 || count > IOV_MAX ? -EINVAL :
				       transmit(s, pieces, (size_t)count, 0));
}

/* A stream has no places: offset -1 is "where it is". */
static int flags_of(int rwf, off_t offset)
{
	if (offset != -1)
		return -ESPIPE;
	if (rwf & ~RWF_NOWAIT) {
		ur_say("flags 0x%x of preadv2 or pwritev2, expected none but 0x%x",
		       rwf, RWF_NOWAIT);
		return -EOPNOTSUPP;
	}
	return rwf ? MSG_DONTWAIT : 0;
}

UR_EXPORT ssize_t preadv2(int fd, const struct iovec *pieces, int count,
			  off_t offset, int rwf)
{
	struct ur_sock *s = ur_table_ring(fd);
	ssize_t n;

	if (!s)
		return ur_libc()->preadv2(fd, pieces, count, offset, rwf);
	n = count < 0 || count > IOV_MAX ? -EINVAL : flags_of(rwf, offset);
	return ur_sock_done(s, n < 0 ? n : receive(s, pieces, (size_t)count, (int)n));
}

UR_EXPORT ssize_t pwritev2(int fd, const struct iovec *pieces, int count,
			   off_t offset, int rwf)
{
	struct ur_sock *s = ur_table_ring(fd);
	ssize_t n;

	if (!s)
		return ur_libc()->pwritev2(fd, pieces, count, offset, rwf);
	n = count < 0 || count > IOV_MAX ? -EINVAL : flags_of(rwf, offset);
	return ur_sock_done(s, n < 0 ? n : transmit(s, pieces, (size_t)count, (int)n));
}

/* What programs built with _FORTIFY_SOURCE call instead. */

ssize_t __read_chk(int fd, void *data, size_t bytes, size_t size)
{
	if (bytes > size)
		__chk_fail();
	return read(fd, data, bytes);
}

ssize_t __recv_chk(int fd, void *data, size_t bytes, size_t size, int flags)
{
	if (bytes > size)
		__chk_fail();
	return recv(fd, data, bytes, flags);
}

ssize_t __recvfrom_chk(int fd, void *data, size_t bytes, size_t size, int flags,
		       __SOCKADDR_ARG from, socklen_t *from_bytes)
{
	if (bytes > size)
		__chk_fail();
	return recvfrom(fd, data, bytes, flags, from, from_bytes);
}
