/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the hub waits. Each loop has an epoll, and a thread that runs it; those that
 * share a turn have it one at a time, always but while they wait. So what is done
 * between two waits is done as by a single thread.
 *
 * A source is part of a longer-lived object and outlives the loop's run, so an
 * event that was already collected when its source was removed or given another
 * descriptor finds valid memory. It may then be spurious: ready() asks the
 * descriptor itself (without blocking) and never trusts that something is there.
 */
#ifndef UR_LOOP_H
#define UR_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define UR_LOOP_NONE (-1)

struct ur_source {
	int fd; /* UR_LOOP_NONE: not watched */
	void (*ready)(struct ur_source *source);
};

/*
 * Something to do that has no descriptor. work() does a bounded piece and says
 * whether more is left; it is called again after each look at the descriptors.
 */
struct ur_worker {
	bool (*work)(struct ur_worker *worker);
};

/* Goes to whoever has waited for it longest: nobody can take it again and again. */
struct ur_turn {
	pthread_mutex_t mutex;
};

struct ur_loop {
	int epoll;
	int wake; /* an eventfd of its own: written once, to end a wait for good */
	struct ur_turn *turn; /* the caller's */
	atomic_bool stopped;
	struct ur_worker *worker; /* the caller's, or NULL */
};

/* 0, or -1 with a log line. */
int ur_turn_init(struct ur_turn *turn);

/* 0, or -1 with a log line; then there is nothing to close. */
int ur_loop_open(struct ur_loop *loop, struct ur_turn *turn);
void ur_loop_close(struct ur_loop *loop);

/*
 * Watch fd, which stays the caller's, for something to read or its end.
 * 0, or -1 with a log line.
 */
int ur_loop_add(struct ur_loop *loop, struct ur_source *source, int fd);

/*
 * The same for an eventfd that is never read: ready() once for all that was
 * written to it since. What is in it already counts as written now.
 */
int ur_loop_add_edge(struct ur_loop *loop, struct ur_source *source, int fd);

/* Watch no longer; to be called before the descriptor is closed. */
void ur_loop_remove(struct ur_loop *loop, struct ur_source *source);

/* Run until ur_loop_stop. 0, or -1 with a log line. */
int ur_loop_run(struct ur_loop *loop);

/* From any thread, with the turn or without. */
void ur_loop_stop(struct ur_loop *loop);

#endif
