// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

#define BATCH 16

/* Turns */

/*
 * The kernel hands a mutex with this protocol on to the first in the queue; with any
 * other, who gives it back and wants it again mostly gets it.
 */
int ur_turn_init(struct ur_turn *turn)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	errno = pthread_mutex_init(&turn->mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (errno)
		ur_log("cannot make a mutex: %m");
	return errno ? -1 : 0;
}

static void take(struct ur_turn *turn)
{
	pthread_mutex_lock(&turn->mutex);
}

static void give(struct ur_turn *turn)
{
	pthread_mutex_unlock(&turn->mutex);
}

/* Start and end */

/* Its event has no source. */
static int watch_wake(struct ur_loop *loop)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (loop->epoll < 0 || loop->wake < 0)
		return -1;
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event);
}

int ur_loop_open(struct ur_loop *loop, struct ur_turn *turn)
{
	loop->turn = turn;
	loop->stopped = false;
	loop->worker = NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC);
	if (watch_wake(loop) == 0)
		return 0;
	ur_log("cannot make an epoll descriptor that can be woken: %m");
	ur_loop_close(loop);
	return -1;
}

void ur_loop_close(struct ur_loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->wake >= 0)
		close(loop->wake);
}

/* Sources */

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

/* Run */

static void dispatch(const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		struct ur_source *source = events[i].data.ptr;

		if (source && source->fd != UR_LOOP_NONE)
			source->ready(source);
	}
}

static bool has_work(struct ur_loop *loop)
{
	return loop->worker && loop->worker->work(loop->worker);
}

/* The turn is given away meanwhile. Whether there is no error. */
static bool await(struct ur_loop *loop, int timeout)
{
	struct epoll_event events[BATCH];
	int count, error;

	give(loop->turn);
	count = epoll_wait(loop->epoll, events, BATCH, timeout);
	error = errno;
	take(loop->turn);
	if (count < 0 && error != EINTR) {
		errno = error;
		ur_log("cannot wait for events: %m");
		return false;
	}
	dispatch(events, count);
	return true;
}

int ur_loop_run(struct ur_loop *loop)
{
	bool good = true;

	take(loop->turn);
	while (good && !loop->stopped)
		good = await(loop, has_work(loop) ? 0 : -1);
	give(loop->turn);
	return good ? 0 : -1;
}

void ur_loop_stop(struct ur_loop *loop)
{
	const uint64_t once = 1;

	loop->stopped = true;
	(void)!write(loop->wake, &once, sizeof(once));
}
