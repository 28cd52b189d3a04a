// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include "fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static unsigned int count;	/* atomic, as the next */
static const char *what;
static int with_errno;
static unsigned int fatal;	/* this one fails */
static __thread bool this_thread;
static int log_fd = -1;

static void log_line(const char *word, unsigned int number, const char *name)
{
	char line[80];
	int bytes = snprintf(line, sizeof(line), "%s %u %s\n", word, number, name);

	if (log_fd >= 0 && write(log_fd, line, (size_t)bytes) != bytes)
		abort();
}

/* Does this allocation fail? Then errno says how. */
static bool fails(const char *name, int error)
{
	unsigned int number;

	if (!this_thread)
		return false;
	number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (number != fatal)
		return false;
	__atomic_store_n(&what, name, __ATOMIC_RELAXED);
	with_errno = error;
	log_line("failed", number, name);
	errno = error;
	return true;
}

/* ---- a thread of a test -------------------------------------------------- */

void fail_arm(unsigned int nth)
{
	count = 0;
	what = NULL;
	with_errno = 0;
	fatal = nth;
	this_thread = true;
}

unsigned int fail_disarm(void)
{
	this_thread = false;
	return count;
}

const char *fail_what(void)
{
	return __atomic_load_n(&what, __ATOMIC_RELAXED);
}

int fail_errno(void)
{
	return with_errno;
}

/* ---- a program ----------------------------------------------------------- */

__attribute__((constructor)) static void arm_program(void)
{
	const char *nth = getenv("UR_FAIL_AT"), *log = getenv("UR_FAIL_LOG");

	if (!nth || !log)
		return;
	log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		abort();
	fatal = (unsigned int)strtoul(nth, NULL, 10);
	this_thread = true;
}

__attribute__((destructor)) static void count_program(void)
{
	this_thread = false;
	log_line("count", count, "");
}

/* ---- memory -------------------------------------------------------------- */

void *__interceptor_malloc(size_t bytes);
void *__interceptor_calloc(size_t count, size_t bytes);
void *__interceptor_realloc(void *old, size_t bytes);
void *__interceptor_reallocarray(void *old, size_t count, size_t bytes);
char *__interceptor_strdup(const char *text);
char *__interceptor_strndup(const char *text, size_t bytes);

void *malloc(size_t bytes)
{
	return fails("malloc", ENOMEM) ? NULL : __interceptor_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return fails("calloc", ENOMEM) ? NULL : __interceptor_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return fails("realloc", ENOMEM) ? NULL :
					  __interceptor_realloc(old, bytes);
}

void *reallocarray(void *old, size_t n, size_t bytes)
{
	return fails("reallocarray", ENOMEM) ?
		       NULL : __interceptor_reallocarray(old, n, bytes);
}

char *strdup(const char *text)
{
	return fails("strdup", ENOMEM) ? NULL : __interceptor_strdup(text);
}

char *strndup(const char *text, size_t bytes)
{
	return fails("strndup", ENOMEM) ? NULL :
					  __interceptor_strndup(text, bytes);
}

/* ---- what syscalls.txt sends here ---------------------------------------- */

int fail_open(const char *path, int flags, ...);
int fail_fcntl(int fd, int command, ...);
int fail_socket(int domain, int type, int protocol);
int fail_accept4(int fd, struct sockaddr *from, socklen_t *bytes, int flags);
int fail_eventfd(unsigned int value, int flags);
int fail_signalfd(int fd, const sigset_t *set, int flags);
int fail_timerfd_create(int clock, int flags);
int fail_epoll_create1(int flags);
int fail_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event);
int fail_memfd_create(const char *name, unsigned int flags);
int fail_ftruncate(int fd, off_t bytes);
int fail_posix_fallocate(int fd, off_t from, off_t bytes);
void *fail_mmap(void *at, size_t bytes, int access, int flags, int fd, off_t from);
FILE *fail_fopen(const char *path, const char *mode);
DIR *fail_opendir(const char *path);

int fail_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return fails("open", EMFILE) ? -1 : open(path, flags, mode);
}

int fail_fcntl(int fd, int command, ...)
{
	va_list args;
	void *argument;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	if (command == F_DUPFD_CLOEXEC && fails("fcntl", EMFILE))
		return -1;
	return fcntl(fd, command, argument);
}

int fail_socket(int domain, int type, int protocol)
{
	return fails("socket", EMFILE) ? -1 : socket(domain, type, protocol);
}

int fail_accept4(int fd, struct sockaddr *from, socklen_t *bytes, int flags)
{
	return fails("accept4", EMFILE) ? -1 : accept4(fd, from, bytes, flags);
}

int fail_eventfd(unsigned int value, int flags)
{
	return fails("eventfd", EMFILE) ? -1 : eventfd(value, flags);
}

int fail_signalfd(int fd, const sigset_t *set, int flags)
{
	return fails("signalfd", EMFILE) ? -1 : signalfd(fd, set, flags);
}

int fail_timerfd_create(int clock, int flags)
{
	return fails("timerfd_create", EMFILE) ? -1 :
						 timerfd_create(clock, flags);
}

int fail_epoll_create1(int flags)
{
	return fails("epoll_create1", EMFILE) ? -1 : epoll_create1(flags);
}

int fail_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
{
	if (command == EPOLL_CTL_ADD && fails("epoll_ctl", ENOMEM))
		return -1;
	return epoll_ctl(epoll, command, fd, event);
}

int fail_memfd_create(const char *name, unsigned int flags)
{
	return fails("memfd_create", EMFILE) ? -1 : memfd_create(name, flags);
}

int fail_ftruncate(int fd, off_t bytes)
{
	return fails("ftruncate", ENOSPC) ? -1 : ftruncate(fd, bytes);
}

int fail_posix_fallocate(int fd, off_t from, off_t bytes)
{
	return fails("posix_fallocate", ENOSPC) ?
		       ENOSPC : posix_fallocate(fd, from, bytes);
}

void *fail_mmap(void *at, size_t bytes, int access, int flags, int fd, off_t from)
{
	return fails("mmap", ENOMEM) ? MAP_FAILED :
				       mmap(at, bytes, access, flags, fd, from);
}

FILE *fail_fopen(const char *path, const char *mode)
{
	return fails("fopen", EMFILE) ? NULL : fopen(path, mode);
}

DIR *fail_opendir(const char *path)
{
	return fails("opendir", EMFILE) ? NULL : opendir(path);
}
