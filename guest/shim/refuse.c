// SPDX-License-Identifier: BSD-2-Clause
/* What a ring cannot do: it says so at once. */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>

UR_EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t bytes);

/* Is one of the two a ring? Then it was said, and errno is `error`. */
static bool refuses(const char *what, int a, int b, int error)
{
	struct ur_sock *s = ur_table_ring(a);

	if (!s)
		s = ur_table_ring(b);
	if (!s)
		return false;
	ur_sock_put(s);
	ur_say("%s: not for a ring in user space (descriptors %d, %d)", what, a, b);
	errno = error;
	return true;
}

/* EINVAL is what makes programs copy instead. */
UR_EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t bytes)
{
	if (refuses("sendfile", to, from, EINVAL))
		return -1;
	return ur_libc()->sendfile(to, from, offset, bytes);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t bytes)
{
	return sendfile(to, from, offset, bytes);
}

UR_EXPORT ssize_t splice(int from, off64_t *from_offset, int to,
			 off64_t *to_offset, size_t bytes, unsigned int flags)
{
	if (refuses("splice", from, to, EINVAL))
		return -1;
	return ur_libc()->splice(from, from_offset, to, to_offset, bytes, flags);
}

/* SIGIO: neither a ring nor the kernel's socket of a node sends it. */
int ur_refuse_async(int fd)
{
	ur_say("O_ASYNC on descriptor %d: a link sends no SIGIO, expected poll", fd);
	return -EOPNOTSUPP;
}

/* stdio would read and write past this library. */
UR_EXPORT FILE *fdopen(int fd, const char *mode)
{
	if (refuses("fdopen", fd, fd, EOPNOTSUPP))
		return NULL;
	return ur_libc()->fdopen(fd, mode);
}

UR_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count,
		       int flags)
{
	if (refuses("sendmmsg", fd, fd, EOPNOTSUPP))
		return -1;
	return ur_libc()->sendmmsg(fd, messages, count, flags);
}

UR_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count,
		       int flags, struct timespec *timeout)
{
	if (refuses("recvmmsg", fd, fd, EOPNOTSUPP))
		return -1;
	return ur_libc()->recvmmsg(fd, messages, count, flags, timeout);
}
