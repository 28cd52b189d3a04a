// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

#define BATCH 16

int ur_loop_open(struct ur_loop *loop)
{
	loop->stopped = false;
	loop->worker = NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		ur_log("cannot make an epoll descriptor: %m");
	return loop->epoll < 0 ? -1 : 0;
}

void ur_loop_close(struct ur_loop *loop)
{
	close(loop->epoll);
}

static int watch(struct ur_loop *loop, struct ur_source *source, int fd,
		 uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		ur_log("cannot watch descriptor %d: %m", fd);
		return -1;
	}
	source->fd = fd;
	return 0;
}

int ur_loop_add(struct ur_loop *loop, struct ur_source *source, int fd)
{
	return watch(loop, source, fd, EPOLLIN | EPOLLRDHUP);
}

int ur_loop_add_edge(struct ur_loop *loop, struct ur_source *source, int fd)
{
	return watch(loop, source, fd, EPOLLIN | EPOLLET);
}

void ur_loop_remove(struct ur_loop *loop, struct ur_source *source)
{
	if (source->fd == UR_LOOP_NONE)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = UR_LOOP_NONE;
}

static void dispatch(const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		struct ur_source *source = events[i].data.ptr;

		if (source->fd != UR_LOOP_NONE)
			source->ready(source);
	}
}

static bool has_work(struct ur_loop *loop)
{
	return loop->worker && loop->worker->work(loop->worker);
}

int ur_loop_run(struct ur_loop *loop)
{
	struct epoll_event events[BATCH];

	while (!loop->stopped) {
		int count = epoll_wait(loop->epoll, events, BATCH,
				       has_work(loop) ? 0 : -1);

		if (count < 0 && errno != EINTR) {
			ur_log("cannot wait for events: %m");
			return -1;
		}
		dispatch(events, count);
	}
	return 0;
}

void ur_loop_stop(struct ur_loop *loop)
{
	loop->stopped = true;
}
