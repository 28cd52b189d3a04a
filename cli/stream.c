// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "clock.h"
#include "stream.h"

static bool is_try(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int wait_for(int fd, short events, u64 deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int left = ur_until_ms(deadline_ms);

	if (left == 0)
		return -ETIMEDOUT;
	if (poll(&poll_fd, 1, left) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

int ur_stream_read(int fd, void *to, size_t bytes, u64 deadline_ms)
{
	u8 *at = to;

	while (bytes > 0) {
		ssize_t got = recv(fd, at, bytes, MSG_DONTWAIT);
		int error = 0;

		if (got == 0)
			return UR_PEER_CLOSED;
		if (got < 0)
			error = is_try(errno) ?
				wait_for(fd, POLLIN, deadline_ms) : -errno;
		if (error)
			return error;
		at += got > 0 ? got : 0;
		bytes -= got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int ur_stream_write(int fd, const void *from, size_t bytes, u64 deadline_ms)
{
	const u8 *at = from;

	while (bytes > 0) {
		ssize_t put = send(fd, at, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		int error = 0;

		if (put < 0)
			error = is_try(errno) ?
				wait_for(fd, POLLOUT, deadline_ms) : -errno;
		if (error)
			return error;
		at += put > 0 ? put : 0;
		bytes -= put > 0 ? (size_t)put : 0;
	}
	return 0;
}
