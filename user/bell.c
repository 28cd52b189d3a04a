// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include "bell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

static struct timespec timespec_of(u64 ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};
}

static int futex_wait(const u32 *word, int op, u32 value, u64 timeout_ns)
{
	struct timespec t = timespec_of(timeout_ns);

	if (syscall(SYS_futex, word, op, value, &t, NULL, 0) < 0 &&
	    errno == EINTR)
		return -EINTR;
	return 0;
}

static void futex_wake(const u32 *word, int op)
{
	syscall(SYS_futex, word, op, INT_MAX, NULL, NULL, 0);
}

static bool has_eventfds(const struct ur_bell *b)
{
	return b->wait_fd >= 0;
}

/* ---- open, close --------------------------------------------------------- */

static int own_copy(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int flags = copy < 0 ? -1 : fcntl(copy, F_GETFL);

	if (flags >= 0 && fcntl(copy, F_SETFL, flags | O_NONBLOCK) == 0)
		return copy;
	flags = -errno;
	if (copy >= 0)
		close(copy);
	return flags;
}

int ur_bell_open(struct ur_bell *b, struct ur_header_shm *own,
		 const struct ur_header_shm *peer, int ring_fd, int wait_fd)
{
	*b = (struct ur_bell){
		.own = &own->bell,
		.peer = &peer->bell,
		.ring_fd = -1,
		.wait_fd = -1,
		.random = 2463534242u,
		.savings = UR_BELL_SAVINGS,
	};
	/* A dead owner's count goes on, or its peer may wait for just this. */
	b->rung = ur_load_once(b->own);
	if (ring_fd < 0 && wait_fd < 0)
		return 0;
	if (ring_fd < 0 || wait_fd < 0)
		return -EINVAL;
	b->ring_fd = own_copy(ring_fd);
	if (b->ring_fd < 0)
		return b->ring_fd;
	b->wait_fd = own_copy(wait_fd);
	if (b->wait_fd >= 0)
		return 0;
	close(b->ring_fd);
	return b->wait_fd;
}

void ur_bell_close(struct ur_bell *b)
{
	if (!has_eventfds(b))
		return;
	close(b->ring_fd);
	close(b->wait_fd);
}

/* ---- ring ---------------------------------------------------------------- */

static bool gets_lost(struct ur_bell *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 17;
	b->random ^= b->random << 5;
	return b->random % 100 < b->loss_percent;
}

bool ur_bell_count(struct ur_bell *b)
{
	if (b->loss_percent && gets_lost(b)) {
		b->lost++;
		return false;
	}
	b->sent++;
	b->rung++;
	ur_store_release(b->own, b->rung);
	return true;
}

static void signal_eventfd(int fd)
{
	const u64 one = 1;
	ssize_t n;

	do {
		n = write(fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR); /* EAGAIN: it is full, so it rings */
}

void ur_bell_ring(struct ur_bell *b)
{
	if (has_eventfds(b))
		signal_eventfd(b->ring_fd);
	else
		futex_wake(&b->own->raw, FUTEX_WAKE);
}

/* ---- wait ---------------------------------------------------------------- */

u32 ur_bell_ticket(struct ur_bell *b)
{
	u32 now;

	if (has_eventfds(b))
		return b->turn;
	now = ur_load_acquire(b->peer);
	b->received += now != b->heard;
	b->heard = now;
	return now;
}

bool ur_bell_is_storm(struct ur_bell *b, u64 work, u64 met, u64 now_ns)
{
	u64 ms = (now_ns - b->paid_ns) / UR_BELL_NAP_NS;
	u64 earned = b->savings + ms + (work - b->work_paid);
	u64 cost = b->received - b->heard_paid + (met - b->met_paid);
	u64 left = earned > cost ? earned - cost : 0;

	b->paid_ns += ms * UR_BELL_NAP_NS;
	b->work_paid = work;
	b->heard_paid = b->received;
	b->met_paid = met;
	b->savings = left < UR_BELL_SAVINGS ? (u32)left : UR_BELL_SAVINGS;
	return left == 0;
}

int ur_bell_nap(struct ur_bell *b, u32 turn, u64 timeout_ns)
{
	if (timeout_ns > UR_BELL_NAP_NS)
		timeout_ns = UR_BELL_NAP_NS;
	return futex_wait(&b->turn, FUTEX_WAIT_PRIVATE, turn, timeout_ns);
}

bool ur_bell_take_pump(struct ur_bell *b)
{
	if (!has_eventfds(b) || b->pumped)
		return false;
	b->pumped = true;
	return true;
}

int ur_bell_wait(struct ur_bell *b, u32 ticket, u64 timeout_ns)
{
	if (has_eventfds(b))
		return futex_wait(&b->turn, FUTEX_WAIT_PRIVATE, ticket,
				  timeout_ns);
	return futex_wait(&b->peer->raw, FUTEX_WAIT, ur_le32_swap(ticket),
			  timeout_ns);
}

int ur_bell_pump(struct ur_bell *b, u64 timeout_ns)
{
	struct pollfd item = { .fd = b->wait_fd, .events = POLLIN };
	struct timespec t = timespec_of(timeout_ns);
	int n = ppoll(&item, 1, &t, NULL);
	u64 count;

	if (n < 0)
		return errno == EINTR ? -EINTR : 0;
	return n > 0 && read(b->wait_fd, &count, sizeof(count)) == sizeof(count);
}

void ur_bell_leave_pump(struct ur_bell *b, int pumped)
{
	b->pumped = false;
	b->received += pumped > 0;
	__atomic_store_n(&b->turn, b->turn + 1, __ATOMIC_RELAXED);
	futex_wake(&b->turn, FUTEX_WAKE_PRIVATE);
}

void ur_bell_kick(struct ur_bell *b)
{
	if (has_eventfds(b))
		signal_eventfd(b->wait_fd);
	else
		futex_wake(&b->peer->raw, FUTEX_WAKE);
	futex_wake(&b->turn, FUTEX_WAKE_PRIVATE); /* who naps */
}
