// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include "libc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#define NAMED(name) { #name, offsetof(struct ur_libc, name) }

static const struct {
	const char *name;
	size_t offset;
} names[] = {
	NAMED(accept), NAMED(accept4), NAMED(bind), NAMED(close),
	NAMED(close_range), NAMED(closefrom), NAMED(connect), NAMED(dup),
	NAMED(dup2), NAMED(dup3), NAMED(epoll_ctl), NAMED(epoll_pwait),
	NAMED(epoll_pwait2), NAMED(epoll_wait), NAMED(execve), NAMED(execvpe),
	NAMED(fcntl), NAMED(fdopen), NAMED(fexecve), NAMED(getaddrinfo),
	NAMED(getnameinfo), NAMED(getpeername), NAMED(getsockname),
	NAMED(getsockopt), NAMED(ioctl), NAMED(listen), NAMED(poll),
	NAMED(popen), NAMED(posix_spawn), NAMED(posix_spawn_file_actions_adddup2),
	NAMED(posix_spawnp), NAMED(ppoll), NAMED(preadv2), NAMED(pselect), NAMED(pwritev2),
	NAMED(read), NAMED(readv), NAMED(recv),
	NAMED(recvfrom), NAMED(recvmmsg), NAMED(recvmsg), NAMED(select),
	NAMED(send), NAMED(sendfile), NAMED(sendmmsg), NAMED(sendmsg),
	NAMED(sendto), NAMED(setsockopt), NAMED(shutdown), NAMED(splice),
	NAMED(system), NAMED(vdprintf), NAMED(__vdprintf_chk), NAMED(write), NAMED(writev),
};

static struct ur_libc libc;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Without one of them nothing could be promised, and there is nobody to tell. */
static void find_all(void)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *found = dlsym(RTLD_NEXT, names[i].name);

		if (!found)
			abort();
		*(void **)((char *)&libc + names[i].offset) = found;
	}
}

const struct ur_libc *ur_libc(void)
{
	pthread_once(&once, find_all);
	return &libc;
}
