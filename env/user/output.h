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
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
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

#define UR_OUTPUT_LOG_BYTES 512

/*
 * One line on standard error: the program's name and the text, cut to
 * UR_OUTPUT_LOG_BYTES. errno is kept, and %m is its text. A line that nobody takes
 * is counted in *lost, which is told before the next one that is taken. From any
 * thread.
 */
__attribute__((format(printf, 3, 0))) static inline void
ur_output_log(const char *program, atomic_ulong *lost, const char *format,
	      va_list args)
{
	char line[UR_OUTPUT_LOG_BYTES];
	int used, saved = errno;
	unsigned long before = atomic_exchange(lost, 0);

	if (before > 0) {
		used = snprintf(line, sizeof(line),
				"%s: %lu lines lost: nobody read\n", program,
				before);
		if (!ur_output_write(STDERR_FILENO, line, (size_t)used)) {
			*lost += before + 1;
			errno = saved;
			return;
		}
	}
	used = snprintf(line, sizeof(line), "%s: ", program);
	errno = saved;
	used += vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	if (used > UR_OUTPUT_LOG_BYTES - 1)
		used = UR_OUTPUT_LOG_BYTES - 1;
	line[used++] = '\n';
	if (!ur_output_write(STDERR_FILENO, line, (size_t)used))
		++*lost;
	errno = saved;
}

#endif
