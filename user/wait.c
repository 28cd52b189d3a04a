// SPDX-License-Identifier: BSD-2-Clause
/*
 * Everybody who waits looks after the link; nobody else does.
 *
 *      ticket = bell            a doorbell from here on ends the wait
 *      look; is it over? no     (under the lock)
 *      give the lock away
 *      wait(ticket, 100 ms)
 *
 * A change made by this process (a stream shut, the link stopped or severed)
 * rings no bell of the peer: whoever makes it kicks the sleepers, see struct
 * ur_file_link. A lost doorbell, or a kick that missed, costs 100 ms.
 */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define WATCHDOG_NS (UR_WATCHDOG_MS * NS_PER_MS)
#define KICK_TRIES 1000

u64 ur_wait_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 * NS_PER_MS + (u64)t.tv_nsec;
}

u64 ur_wait_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return UINT64_MAX;
	return timeout_ms ? ur_wait_now_ns() + (u64)timeout_ms * NS_PER_MS : 0;
}

/* ---- the lock, and what is due when it is given back --------------------- */

void ur_wait_lock(struct ur_file_link *l)
{
	pthread_mutex_lock(&l->lock);
}

static bool anybody_sleeps(struct ur_file_link *l, u32 round)
{
	bool yes;

	pthread_mutex_lock(&l->lock);
	yes = l->asleep[round & 1] != 0;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

static void kick(struct ur_file_link *l, u32 round)
{
	int i;

	for (i = 0; i < KICK_TRIES && anybody_sleeps(l, round); i++) {
		ur_bell_kick(&l->bell);
		sched_yield();
	}
}

static void note_state(struct ur_file_link *l)
{
	if (l->core.state == l->noted_state &&
	    l->core.peer_epoch == l->noted_epoch)
		return;
	l->noted_state = l->core.state;
	l->noted_epoch = l->core.peer_epoch;
	l->state_changes++;
	l->changes++;
	l->kick = true;
}

void ur_wait_unlock(struct ur_file_link *l)
{
	bool ring, has_kick;
	u32 round = l->round;

	note_state(l);
	ring = ur_link_take_bell(&l->core) && ur_bell_count(&l->bell);
	has_kick = l->kick;
	l->kick = false;
	l->round += has_kick;
	pthread_mutex_unlock(&l->lock);
	if (ring)
		ur_bell_ring(&l->bell);
	if (has_kick)
		kick(l, round);
}

/* ---- look ---------------------------------------------------------------- */

/* Whoever waits tries again on the watchdog, whatever it was that it missed. */
static bool watch(struct ur_file_link *l)
{
	u64 now = ur_wait_now_ns();

	if (now < l->watchdog_ns)
		return false;
	l->watchdog_ns = now + WATCHDOG_NS;
	if (ur_region_bury_peer(&l->region)) {
		l->burials++;
		ur_link_look(&l->core);
	}
	return true;
}

void ur_wait_look(struct ur_file_link *l)
{
	bool changed;

	if (l->stopped)
		return;
	changed = ur_link_look(&l->core);
	changed |= watch(l);
	if (changed) {
		l->changes++;
		ur_calls_settle(l);
	}
	note_state(l);
}

/* ---- wait ---------------------------------------------------------------- */

/* What an honest peer's doorbells are for is what we do: see bell.h. */
static bool is_storm(struct ur_file_link *l, u64 now)
{
	const struct ur_counters *c = &l->core.counters;
	u64 work = c->publishes + c->releases + c->calls + c->accepts;
	bool storm = ur_bell_is_storm(&l->bell, work, c->epochs, now);

	l->bell.naps += storm;
	return storm;
}

/* 0 and for how long at most, or why not at all. */
static int may_wait(u64 deadline, u64 now, u64 *most)
{
	if (deadline == 0)
		return -EAGAIN;
	if (now >= deadline)
		return -ETIMEDOUT;
	*most = deadline - now < WATCHDOG_NS ? deadline - now : WATCHDOG_NS;
	return 0;
}

static int doze(struct ur_file_link *l, u32 ticket, u64 now, u64 timeout_ns)
{
	u32 round = l->round & 1, turn = l->bell.turn;
	bool nap = is_storm(l, now);
	bool pump = !nap && ur_bell_take_pump(&l->bell);
	int n;

	l->asleep[round]++;
	ur_wait_unlock(l);
	if (nap)
		n = ur_bell_nap(&l->bell, turn, timeout_ns);
	else if (pump)
		n = ur_bell_pump(&l->bell, timeout_ns);
	else
		n = ur_bell_wait(&l->bell, ticket, timeout_ns);
	ur_wait_lock(l);
	l->asleep[round]--;
	if (pump)
		ur_bell_leave_pump(&l->bell, n);
	return n;
}

static int doze_until(struct ur_file_link *l, u32 ticket, u64 deadline)
{
	u64 most, now = ur_wait_now_ns();
	int n = may_wait(deadline, now, &most);

	if (n)
		return n;
	n = doze(l, ticket, now, most);
	return n == -EINTR && l->interruptible ? n : 0;
}

/*
 * Wake who else waits, not while we count as asleep ourselves. A peer that is
 * another at each look would keep us here, looking.
 */
static int kick_until(struct ur_file_link *l, u64 deadline)
{
	u64 most, now = ur_wait_now_ns();
	int n = may_wait(deadline, now, &most);
	bool nap = n == 0 && is_storm(l, now);
	u32 turn = l->bell.turn;

	ur_wait_unlock(l);
	if (nap)
		(void)!ur_bell_nap(&l->bell, turn, most);
	ur_wait_lock(l);
	return n;
}

int ur_wait_until(struct ur_file_link *l, const struct ur_wait *w)
{
	bool woken = false;
	int n = 0;

	for (; n == 0; woken = true) {
		u32 ticket = ur_bell_ticket(&l->bell);

		/* What woke us mostly brought it; who sleeps again looks first. */
		if (woken && !l->stopped && w->is_over(l, w))
			return 0;
		ur_wait_look(l);
		if (l->stopped)
			return -ESHUTDOWN;
		if (w->is_over(l, w))
			return 0;
		n = l->kick ? kick_until(l, w->deadline) :
			      doze_until(l, ticket, w->deadline);
	}
	return n;
}

struct wait_change {
	struct ur_wait wait;
	u32 from;
};

static bool has_changed(struct ur_file_link *l, const struct ur_wait *w)
{
	return l->changes != ((const struct wait_change *)w)->from;
}

int ur_wait_change(struct ur_file_link *l, u64 deadline)
{
	struct wait_change w = { { has_changed, deadline }, l->changes };

	return ur_wait_until(l, &w.wait);
}
