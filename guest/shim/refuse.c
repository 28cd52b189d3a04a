// SPDX-License-Identifier: BSD-2-Clause
/* What a ring cannot do: it says so at once. */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <limits.h>

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

/* A ring, a set with rings in it, or a socket that is still to listen. */
static bool is_private(int fd)
{
	struct ur_sock *s = ur_table_get(fd);
	int kind;

	if (!s)
		return false;
	kind = s->kind;
	ur_sock_put(s);
	return kind != UR_KIND_NODE && kind != UR_KIND_NODE_LISTENER;
}

/* `end` is the end of all control data: the length in it is the program's. */
static bool hands_private(const struct cmsghdr *c, const u8 *end)
{
	const u8 *at = CMSG_DATA(c), *last = (const u8 *)c + c->cmsg_len;
	int fd;

	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return false;
	for (; at + sizeof(fd) <= last && at + sizeof(fd) <= end; at += sizeof(fd)) {
		memcpy(&fd, at, sizeof(fd));
		if (!is_private(fd))
			continue;
		ur_say("descriptor %d stands for a ring in user space and is not handed to another process by SCM_RIGHTS",
		       fd);
		return true;
	}
	return false;
}

int ur_refuse_handing(const struct msghdr *message)
{
	struct msghdr *m = (struct msghdr *)message; /* for the macros */
	const struct cmsghdr *c;

	if (!m || !m->msg_control || !m->msg_controllen)
		return 0;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, (struct cmsghdr *)c))
		if (hands_private(c, (u8 *)m->msg_control + m->msg_controllen))
			return -EOPNOTSUPP;
	return 0;
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
	unsigned int i;

	if (refuses("sendmmsg", fd, fd, EOPNOTSUPP))
		return -1;
	for (i = 0; messages && i < count && i < IOV_MAX; i++) {
		if (ur_refuse_handing(&messages[i].msg_hdr) == 0)
			continue;
		errno = EOPNOTSUPP;
		return -1;
	}
	return ur_libc()->sendmmsg(fd, messages, count, flags);
}

UR_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count,
		       int flags, struct timespec *timeout)
{
	if (refuses("recvmmsg", fd, fd, EOPNOTSUPP))
		return -1;
	return ur_libc()->recvmmsg(fd, messages, count, flags, timeout);
}
