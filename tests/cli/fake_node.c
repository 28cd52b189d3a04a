// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ioctls of /dev/usbroute0, taken over by -Wl,--wrap=ioctl. The device is a
 * text file; lines "NAME VALUE" say how the link is: connect, listen, accept,
 * info (an errno to fail with), state, epoch, peer_epoch, fault, fault_name,
 * fault_channel, fault_got, fault_want, version. Streams go through a socket
 * beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "usbroute.h"

int __wrap_ioctl(int fd, unsigned long request, ...);

static const char *node(void)
{
	return fake_path("/dev/usbroute0");
}

static int fail(const char *what)
{
	int error = (int)fake_number(node(), what, 0);

	errno = error;
	return error ? -1 : 0;
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%.100s",
		 fake_path("/socket"));
	return at;
}

static int do_connect(struct usbroute_connect *call)
{
	struct sockaddr_un to = address();
	int fd;

	if (call->service != USBROUTE_SERVICE_USBIP ||
	    call->flags != USBROUTE_CLOEXEC) {
		errno = EINVAL;
		return -1;
	}
	if (fail("connect"))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	errno = ECONNREFUSED;
	return -1;
}

/* The device's descriptor becomes the listening socket, so poll() works. */
static int do_listen(int fd, const struct usbroute_listen *call)
{
	struct sockaddr_un at = address();
	int listener;

	if (fail("listen"))
		return -1;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, (int)call->backlog) < 0)
		return -1;
	dup3(listener, fd, O_CLOEXEC);
	close(listener);
	return 0;
}

/* A ring may be small: what is sent does not fit at once. */
static int accept_small(int fd)
{
	int stream = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	int bytes = 1;	/* the kernel makes it its least */

	setsockopt(stream, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return stream;
}

static int do_accept(int fd, struct usbroute_accept *call)
{
	static unsigned int calls;

	if (call->timeout_ms != 0 || call->flags != USBROUTE_CLOEXEC) {
		errno = EINVAL;
		return -1;
	}
	if (fail("accept"))
		return -1;
	call->service = USBROUTE_SERVICE_USBIP;
	call->channel = calls++ * 2;
	return accept_small(fd);
}

static int do_info(struct usbroute_info *info)
{
	if (fail("info"))
		return -1;
	memset(info, 0, sizeof(*info));
	info->version = (__u32)fake_number(node(), "version", 1);
	info->state = (__u32)fake_number(node(), "state", USBROUTE_LINK_UP);
	info->channels = 16;
	info->ring_bytes = 262144;
	info->epoch = (__u32)fake_number(node(), "epoch", 5);
	info->peer_epoch = (__u32)fake_number(node(), "peer_epoch", 9);
	info->fault = (__u32)fake_number(node(), "fault", 0);
	info->fault_channel = (__u32)fake_number(node(), "fault_channel", 0);
	info->fault_got = (__u32)fake_number(node(), "fault_got", 0);
	info->fault_want = (__u32)fake_number(node(), "fault_want", 0);
	snprintf(info->fault_name, sizeof(info->fault_name), "%.31s",
		 fake_word(node(), "fault_name", "none"));
	snprintf(info->binding, sizeof(info->binding), "fake 0000:00:04.0");
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case USBROUTE_IOC_CONNECT:
		return do_connect(argument);
	case USBROUTE_IOC_LISTEN:
		return do_listen(fd, argument);
	case USBROUTE_IOC_ACCEPT:
		return do_accept(fd, argument);
	case USBROUTE_IOC_INFO:
		return do_info(argument);
	default:
		errno = ENOTTY;
		return -1;
	}
}
