// SPDX-License-Identifier: BSD-2-Clause
/*
 * The links of rings that this process has, and a thread for each.
 *
 * A futex in shared memory cannot be waited for beside a descriptor. So who
 * waits for both leaves a watch and sleeps in ppoll with an eventfd of its own;
 * the link's thread sleeps on the futex and writes to the eventfds of the
 * watches that are due:
 *
 *      ppoll(descriptors, eventfd)  <-- eventfd --  watcher  <-- futex --  peer
 *
 * Who waits for rings alone sleeps on the futex itself. While there are no watches
 * the thread only looks after the link every 100 ms, as the kernel would after a
 * connection: a program that does something else must not seem dead.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define WATCHDOG_NS (UR_WATCHDOG_MS * NS_PER_MS)
#define LINGER_DEFAULT_MS 10000
#define LINGER_MAX_MS 3600000

static struct ur_shim_link *links;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the watcher --------------------------------------------------------- */

struct watcher_wait {
	struct ur_wait wait;
	struct ur_shim_link *link;
};

static void signal_eventfd(int fd)
{
	const u64 one = 1;
	ssize_t n = ur_libc()->write(fd, &one, sizeof(one));

	(void)n; /* full: it is readable anyway */
}

/* Tells whom it concerns; over when there was nobody to tell for a while. */
static bool is_unwatched(struct ur_file_link *l, const struct ur_wait *wait)
{
	struct ur_shim_link *sl = ((const struct watcher_wait *)wait)->link;
	struct ur_watch *w;
	u64 now = ur_wait_now_ns();

	(void)l;
	for (w = sl->watches; w; w = w->next)
		if (ur_watch_is_due(w))
			signal_eventfd(w->fd);
	if (sl->watches)
		sl->watched_ns = now;
	return sl->leaving || now - sl->watched_ns > WATCHDOG_NS;
}

/* LOCKED */
static void idle(struct ur_shim_link *sl)
{
	u64 until = ur_wait_now_ns() + WATCHDOG_NS;
	struct timespec t = {
		.tv_sec = (time_t)(until / NS_PER_S),
		.tv_nsec = (long)(until % NS_PER_S),
	};

	pthread_cond_timedwait(&sl->wake, &sl->link->lock, &t);
	ur_wait_look(sl->link);
	ur_wait_unlock(sl->link); /* rings and kicks, if the look wants it */
	ur_wait_lock(sl->link);
}

static void *watch(void *context)
{
	struct ur_shim_link *sl = context;
	struct watcher_wait w = { { is_unwatched, UINT64_MAX }, sl };

	ur_wait_lock(sl->link);
	while (!sl->leaving && ur_wait_until(sl->link, &w.wait) != -ESHUTDOWN)
		while (!sl->leaving && !sl->watches)
			idle(sl);
	ur_wait_unlock(sl->link);
	return NULL;
}

/* The program's signals are for its own threads. */
static int start_watcher(struct ur_shim_link *sl)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&sl->watcher, NULL, watch, sl);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

/* ---- opening ------------------------------------------------------------- */

static void init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t clock;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(wake, &clock);
	pthread_condattr_destroy(&clock);
}

static int open_link(struct ur_shim_link *sl)
{
	struct ur_file_link_config config =
		ur_file_link_config(sl->place->end, sl->place->path);
	char why[UR_WHY_BYTES];
	int n;

	config.create = true;
	config.interruptible = true;
	n = ur_file_link_open(&config, &sl->link, why);
	if (n < 0) {
		ur_say("%s", why);
		return n;
	}
	ur_table_keep(sl->link->region.fd);
	return 0;
}

static int new_link(const struct ur_place *place, struct ur_shim_link **link)
{
	struct ur_shim_link *sl = calloc(1, sizeof(*sl));
	int n;

	if (!sl)
		return -ENOMEM;
	sl->place = place;
	init_wake(&sl->wake);
	n = open_link(sl);
	if (n < 0) {
		free(sl);
		return n;
	}
	sl->next = links;
	links = sl;
	*link = sl;
	return 0;
}

int ur_shim_link_get(const struct ur_place *place, struct ur_shim_link **link)
{
	struct ur_shim_link *sl;
	int n = 0;

	pthread_mutex_lock(&lock);
	for (sl = links; sl; sl = sl->next)
		if (strcmp(sl->place->path, place->path) == 0)
			break;
	if (sl)
		*link = sl;
	else
		n = new_link(place, link);
	pthread_mutex_unlock(&lock);
	return n;
}

int ur_shim_link_watch(struct ur_shim_link *sl)
{
	int n = 0;

	pthread_mutex_lock(&lock);
	if (!sl->has_watcher) {
		n = start_watcher(sl);
		sl->has_watcher = n == 0;
	}
	pthread_mutex_unlock(&lock);
	if (n < 0)
		ur_say("no thread for %s: %s", sl->place->path, strerror(-n));
	return n;
}

/* ---- the end of the process ---------------------------------------------- */

/* The kernel would still deliver what was sent; here somebody has to wait. */
static int linger_ms(void)
{
	const char *text = getenv("USBROUTE_LINGER_MS");
	char *end;
	long ms = text ? strtol(text, &end, 10) : LINGER_DEFAULT_MS;

	if (!text || (*text && !*end && ms >= 0 && ms <= LINGER_MAX_MS))
		return (int)ms;
	ur_say("USBROUTE_LINGER_MS: got '%s', expected 0 to %d", text,
	       LINGER_MAX_MS);
	return LINGER_DEFAULT_MS;
}

static void shut(int fd, struct ur_sock *s, void *link)
{
	(void)fd;
	if (s->link == link && s->kind == UR_KIND_STREAM && s->forks == ur_forks() &&
	    ur_stream_shut(s->stream, UR_SHUT_RECV | UR_SHUT_SEND) < 0)
		return;
}

/* Has the peer closed all that we closed? */
static bool is_read(struct ur_file_link *l, const struct ur_wait *w)
{
	const struct ur_link *core = &l->core;
	u32 c;

	(void)w;
	for (c = 0; c < core->geometry.channels; c++)
		if (core->state == UR_LINK_UP &&
		    core->channels[c].own == UR_CHANNEL_CLOSED &&
		    (core->channels[c].peer == UR_CHANNEL_CALL ||
		     core->channels[c].peer == UR_CHANNEL_OPEN ||
		     core->channels[c].peer == UR_CHANNEL_HALF))
			return false;
	return true;
}

static void leave(struct ur_shim_link *sl, u64 deadline)
{
	struct ur_file_link *l = sl->link;
	struct ur_wait farewell = { is_read, deadline };
	int n;

	ur_table_each(shut, sl);
	ur_wait_lock(l);
	do {
		n = ur_wait_until(l, &farewell);
	} while (n == -EINTR);
	if (n == -ETIMEDOUT || n == -EAGAIN) /* of no time at all */
		ur_say("%s: the other side has not read all in %d ms (USBROUTE_LINGER_MS)",
		       sl->place->path, linger_ms());
	sl->leaving = true;
	l->kick = true;
	pthread_cond_signal(&sl->wake);
	ur_wait_unlock(l);
	if (sl->has_watcher)
		pthread_join(sl->watcher, NULL);
	ur_file_link_stop(l); /* other threads may be inside: nothing is freed */
}

__attribute__((destructor)) static void leave_all(void)
{
	struct ur_shim_link *sl;
	u64 deadline;

	if (!links)
		return;
	deadline = ur_wait_deadline(linger_ms());
	for (sl = links; sl; sl = sl->next)
		leave(sl, deadline);
}

/* ---- fork ---------------------------------------------------------------- */

/*
 * The end stays with the parent. A child that kept the file open would keep its
 * lock, and the peer would take a dead parent for alive.
 */
void ur_links_forked(void)
{
	struct ur_shim_link *sl;

	for (sl = links; sl; sl = sl->next) {
		struct ur_region *r = &sl->link->region;

		munmap(r->own, r->outbox_bytes);
		munmap((void *)r->peer, r->outbox_bytes);
		ur_libc()->close(r->fd);
	}
	links = NULL;
	pthread_mutex_init(&lock, NULL);
}
