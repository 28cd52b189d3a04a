// SPDX-License-Identifier: BSD-2-Clause
/*
 * close and its kin, dup and its kin.
 *
 * The table changes before a number is free and after it is taken, so that no
 * thread finds another socket under its number.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <linux/close_range.h>

/* This library's own are not the program's to close. */
static bool refuses(int fd)
{
	if (!ur_table_is_kept(fd))
		return false;
	errno = EBADF;
	return true;
}

UR_EXPORT int close(int fd)
{
	if (refuses(fd))
		return -1;
	ur_table_clear(fd);
	return ur_libc()->close(fd);
}

/* From one number of ours to the next; what is between goes to libc at once. */
static int close_between(unsigned int first, unsigned int last, int flags)
{
	unsigned int fd, limit = (unsigned int)sysconf(_SC_OPEN_MAX);

	for (fd = first; fd <= last && fd < limit; fd++) {
		if (ur_table_is_kept((int)fd)) {
			if (fd > first &&
			    ur_libc()->close_range(first, fd - 1, flags) < 0)
				return -1;
			first = fd + 1;
		} else {
			ur_table_clear((int)fd);
		}
	}
	return first <= last ? ur_libc()->close_range(first, last, flags) : 0;
}

UR_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	if (first > last || flags & CLOSE_RANGE_CLOEXEC)
		return ur_libc()->close_range(first, last, flags);
	return close_between(first, last, flags);
}

UR_EXPORT void closefrom(int first)
{
	close_between(first < 0 ? 0 : (unsigned int)first, ~0u, 0);
}

/* `fd` is a new number for what `s` is. */
static int copied(struct ur_sock *s, int fd)
{
	int n = fd < 0 ? -errno : ur_table_set(fd, s);

	if (n == 0 && ur_sock_is_ring(s))
		ur_libc()->fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (n < 0 && fd >= 0)
		ur_libc()->close(fd);
	return (int)ur_sock_done(s, n < 0 ? n : fd);
}

UR_EXPORT int dup(int fd)
{
	struct ur_sock *s = ur_table_get(fd);

	return s ? copied(s, ur_libc()->dup(fd)) : ur_libc()->dup(fd);
}

UR_EXPORT int dup2(int fd, int to)
{
	struct ur_sock *s;

	if (refuses(to))
		return -1;
	if (fd == to)
		return ur_libc()->dup2(fd, to);
	s = ur_table_get(fd);
	if (s)
		return copied(s, ur_libc()->dup2(fd, to));
	ur_table_clear(to);
	return ur_libc()->dup2(fd, to);
}

UR_EXPORT int dup3(int fd, int to, int flags)
{
	struct ur_sock *s;

	if (refuses(to))
		return -1;
	s = fd == to ? NULL : ur_table_get(fd);
	if (s)
		return copied(s, ur_libc()->dup3(fd, to, flags));
	if (fd != to)
		ur_table_clear(to);
	return ur_libc()->dup3(fd, to, flags);
}
