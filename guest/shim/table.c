// SPDX-License-Identifier: BSD-2-Clause
/*
 * The descriptor table: a pointer for each number. What is not ours costs a
 * load of its pointer; what is takes the lock, so that a close by another
 * thread cannot free the socket meanwhile.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* A page of it becomes memory only when a number of it is ours. */
#define DESCRIPTORS_MAX 65536

static struct ur_sock *_Atomic table[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int forks;
static struct ur_sock kept = { .kind = UR_KIND_KEPT };

void ur_say(const char *format, ...)
{
	char line[512] = "usbroute-preload: ";
	size_t start = strlen(line);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + start, sizeof(line) - start - 1, format, args);
	va_end(args);
	if (n > 0) {
		strcat(line, "\n");
		n = (int)ur_libc()->write(STDERR_FILENO, line, strlen(line));
	}
}

/* ---- sockets ------------------------------------------------------------- */

struct ur_sock *ur_sock_new(enum ur_kind kind, int family)
{
	struct ur_sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->references = 1;
	s->forks = forks;
	s->family = family;
	s->receive_timeout_ms = UR_FOREVER;
	s->send_timeout_ms = UR_FOREVER;
	return s;
}

/* A child has no link: there is nothing to give back. */
static void free_sock(struct ur_sock *s)
{
	bool ring = s->link && s->forks == forks;

	if (ring && s->stream)
		ur_stream_close(s->stream, s->aborts);
	else if (ring && s->kind == UR_KIND_LISTENER)
		ur_file_link_unlisten(s->link->link, s->service);
	if (s->epoll)
		ur_epoll_free(s->epoll);
	free(s->peeked.data);
	free(s);
}

void ur_sock_put(struct ur_sock *s)
{
	unsigned int left;

	if (s == &kept)
		return;
	pthread_mutex_lock(&lock);
	left = --s->references;
	pthread_mutex_unlock(&lock);
	if (left == 0)
		free_sock(s);
}

bool ur_sock_is_inherited(struct ur_sock *s)
{
	if (s->forks == forks)
		return false;
	if (atomic_exchange(&s->told_forks, forks) != forks)
		ur_say("a ring in user space is not handed through fork: process %d did not connect it",
		       (int)getpid());
	return true;
}

int ur_sock_check(struct ur_sock *s)
{
	if (ur_sock_is_inherited(s))
		return -EOPNOTSUPP;
	if (s->kind == UR_KIND_STREAM)
		return 0;
	return s->kind == UR_KIND_CALLING ? -EAGAIN : -ENOTCONN;
}

ssize_t ur_sock_done(struct ur_sock *s, ssize_t result)
{
	ur_sock_put(s);
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

/* ---- the table ----------------------------------------------------------- */

static bool is_number(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS_MAX;
}

struct ur_sock *ur_table_get(int fd)
{
	struct ur_sock *s;

	if (!is_number(fd) ||
	    !atomic_load_explicit(&table[fd], memory_order_acquire))
		return NULL;
	pthread_mutex_lock(&lock);
	s = table[fd];
	if (s == &kept)
		s = NULL;
	if (s)
		s->references++;
	pthread_mutex_unlock(&lock);
	return s;
}

struct ur_sock *ur_table_ring(int fd)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s || ur_sock_is_ring(s))
		return s;
	ur_sock_put(s);
	return NULL;
}

static void leave(struct ur_sock *s)
{
	bool last;

	if (!s || s == &kept)
		return;
	pthread_mutex_lock(&lock);
	last = --s->descriptors == 0;
	pthread_mutex_unlock(&lock);
	if (last && s->sets)
		ur_epoll_forget(s);
	ur_sock_put(s);
}

int ur_table_set(int fd, struct ur_sock *s)
{
	struct ur_sock *old;

	if (!is_number(fd)) {
		ur_say("descriptor %d: expected one below %d", fd,
		       DESCRIPTORS_MAX);
		return -EMFILE;
	}
	pthread_mutex_lock(&lock);
	old = table[fd];
	s->references++;
	s->descriptors++;
	atomic_store_explicit(&table[fd], s, memory_order_release);
	pthread_mutex_unlock(&lock);
	leave(old);
	return 0;
}

void ur_table_clear(int fd)
{
	struct ur_sock *old;

	if (!is_number(fd) ||
	    !atomic_load_explicit(&table[fd], memory_order_acquire))
		return;
	pthread_mutex_lock(&lock);
	old = table[fd];
	atomic_store_explicit(&table[fd], NULL, memory_order_release);
	pthread_mutex_unlock(&lock);
	leave(old);
}

void ur_table_keep(int fd)
{
	if (is_number(fd))
		table[fd] = &kept;
}

bool ur_table_is_kept(int fd)
{
	return is_number(fd) && atomic_load(&table[fd]) == &kept;
}

void ur_table_each(void (*see)(int fd, struct ur_sock *s, void *context),
		   void *context)
{
	int fd;

	for (fd = 0; fd < DESCRIPTORS_MAX; fd++) {
		struct ur_sock *s = ur_table_get(fd);

		if (!s)
			continue;
		see(fd, s, context);
		ur_sock_put(s);
	}
}

/* ---- fork ---------------------------------------------------------------- */

unsigned int ur_forks(void)
{
	return forks;
}

/* Alone: whoever held the lock is not in the child. */
void ur_table_forked(void)
{
	int fd;

	pthread_mutex_init(&lock, NULL);
	forks++;
	for (fd = 0; fd < DESCRIPTORS_MAX; fd++)
		if (atomic_load(&table[fd]) == &kept)
			table[fd] = NULL;
}
