// SPDX-License-Identifier: BSD-2-Clause
/*
 * A write to an eventfd waits while its counter is full, unless O_NONBLOCK is
 * set. Both the counter and that flag belong to whoever holds the eventfd:
 *
 *	hub                                 hostile client
 *	                                    write 0xfffffffffffffffe
 *	fcntl O_NONBLOCK
 *	                                    fcntl ~O_NONBLOCK
 *	write 1: waits for ever
 *
 * So a timer runs while we write, and its signal ends the wait. It comes again
 * and again, because the first one may come just before the write. The signal is
 * the process's and any thread may get it, which then hands it to the one that rings.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "bell.h"
#include "clock.h"

#define TICK_US 200
#define QUIET_MS 100

static _Thread_local pid_t self; /* 0: not asked yet */
static _Atomic(pid_t) ringer; /* who rings, or rang last */

static void interrupt_ringer(int signal_number)
{
	int error = errno;
	pid_t thread = ringer;

	if (thread != gettid())
		(void)tgkill(getpid(), thread, signal_number);
	errno = error;
}

static void set_timer(suseconds_t us)
{
	const struct itimerval timer = {
		.it_interval.tv_usec = us,
		.it_value.tv_usec = us,
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Whoever started us may have blocked the signal. */
static void hear_timer(void)
{
	/* No SA_RESTART: the write must end. */
	const struct sigaction action = { .sa_handler = interrupt_ringer };
	sigset_t set;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int ur_bell_open(struct ur_bell *bell)
{
	hear_timer();
	bell->quiet_until_ms = 0;
	bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return bell->fd < 0 ? -1 : 0;
}

void ur_bell_close(struct ur_bell *bell)
{
	if (bell->fd >= 0)
		close(bell->fd);
	bell->fd = -1;
}

/* False: it blocked. */
static bool write_once(int fd)
{
	const uint64_t once = 1;
	ssize_t written;

	if (self == 0)
		self = gettid();
	ringer = self;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	set_timer(TICK_US);
	written = write(fd, &once, sizeof(once));
	set_timer(0);
	return written >= 0 || errno != EINTR;
}

bool ur_bell_ring(struct ur_bell *bell)
{
	if (bell->quiet_until_ms > 0 && ur_now_ms() < bell->quiet_until_ms)
		return true;
	if (write_once(bell->fd))
		return true;
	bell->quiet_until_ms = ur_now_ms() + QUIET_MS;
	return false;
}
