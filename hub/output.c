// SPDX-License-Identifier: BSD-2-Clause
/*
 * O_NONBLOCK would be for all who share the file, so the kernel is asked first.
 * Between answer and write another process can only fill what we share with it.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "output.h"

static bool has_room(int fd)
{
	struct pollfd output = { .fd = fd, .events = POLLOUT };

	if (poll(&output, 1, 0) > 0)
		return true;
	errno = EAGAIN;
	return false;
}

bool ur_output_write(int fd, const char *line, size_t bytes)
{
	ssize_t written = has_room(fd) ? write(fd, line, bytes) : -1;

	if (written >= 0 && (size_t)written < bytes)
		errno = ENOSPC;
	return written == (ssize_t)bytes;
}
