/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole messages over a connected stream socket, before a deadline.
 *
 * Exactly the bytes asked for are taken: what follows them belongs to the kernel
 * once the socket is handed over. The socket itself stays blocking (the kernel's
 * drivers use it so); MSG_DONTWAIT and poll() keep these calls from hanging.
 *
 * Each returns 0, UR_PEER_CLOSED at the end of the stream, -ETIMEDOUT at the
 * deadline, or -errno.
 */
#ifndef UR_STREAM_H
#define UR_STREAM_H

#include "env.h"

int ur_stream_read(int fd, void *to, size_t bytes,
		   u64 deadline_ms) ur_must_check;
int ur_stream_write(int fd, const void *from, size_t bytes,
		    u64 deadline_ms) ur_must_check;

#endif
