/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Lines for somebody who may not read them, of a process that others wait for.
 *
 * O_NONBLOCK would be for all who share the file, so the kernel is asked first.
 * Between answer and write another process can only fill what we share with it.
 */
#ifndef UR_OUTPUT_H
#define UR_OUTPUT_H

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "env.h"

/*
 * Write the line whole, in one write(). Never waits for who reads: a pipe, socket
 * or terminal that is full fails with EAGAIN. A file can still wait for its disk.
 * Whether it was written; if not, why is in errno. At most PIPE_BUF bytes.
 */
static inline bool ur_output_write(int fd, const char *line, size_t bytes)
{
	struct pollfd output = { .fd = fd, .events = POLLOUT };
	ssize_t written;

	if (poll(&output, 1, 0) <= 0) {
		errno = EAGAIN;
		return false;
	}
	written = write(fd, line, bytes);
	if (written >= 0 && (size_t)written < bytes)
		errno = ENOSPC;
	return written == (ssize_t)bytes;
}

#endif
