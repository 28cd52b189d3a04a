/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines for somebody who may not read them. */
#ifndef UR_OUTPUT_H
#define UR_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Write the line whole, in one write(). Never waits for who reads: a pipe, socket
 * or terminal that is full fails with EAGAIN. A file can still wait for its disk.
 * Whether it was written; if not, why is in errno. At most PIPE_BUF bytes.
 */
bool ur_output_write(int fd, const char *line, size_t bytes);

#endif
