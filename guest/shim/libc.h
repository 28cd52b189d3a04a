/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions this library stands in front of, as whoever comes next in the
 * search order (libc) has them. Found once, at the first use, and never changed
 * after: any thread may call any of them at any time.
 */
#ifndef UR_SHIM_LIBC_H
#define UR_SHIM_LIBC_H

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct ur_libc {
	__typeof__(&accept) accept;
	__typeof__(&accept4) accept4;
	__typeof__(&bind) bind;
	__typeof__(&close) close;
	__typeof__(&close_range) close_range;
	__typeof__(&closefrom) closefrom;
	__typeof__(&connect) connect;
	__typeof__(&dup) dup;
	__typeof__(&dup2) dup2;
	__typeof__(&dup3) dup3;
	__typeof__(&epoll_ctl) epoll_ctl;
	__typeof__(&epoll_pwait) epoll_pwait;
	__typeof__(&epoll_pwait2) epoll_pwait2;
	__typeof__(&epoll_wait) epoll_wait;
	__typeof__(&execve) execve;
	__typeof__(&execvpe) execvpe;
	__typeof__(&fcntl) fcntl;
	__typeof__(&fdopen) fdopen;
	__typeof__(&fexecve) fexecve;
	__typeof__(&getaddrinfo) getaddrinfo;
	__typeof__(&getnameinfo) getnameinfo;
	__typeof__(&getpeername) getpeername;
	__typeof__(&getsockname) getsockname;
	__typeof__(&getsockopt) getsockopt;
	__typeof__(&ioctl) ioctl;
	__typeof__(&listen) listen;
	__typeof__(&poll) poll;
	__typeof__(&popen) popen;
	__typeof__(&posix_spawn) posix_spawn;
	__typeof__(&posix_spawn_file_actions_adddup2)
		posix_spawn_file_actions_adddup2;
	__typeof__(&posix_spawnp) posix_spawnp;
	__typeof__(&ppoll) ppoll;
	__typeof__(&pselect) pselect;
	__typeof__(&preadv2) preadv2;
	__typeof__(&pwritev2) pwritev2;
	__typeof__(&read) read;
	__typeof__(&readv) readv;
	__typeof__(&recv) recv;
	__typeof__(&recvfrom) recvfrom;
	__typeof__(&recvmmsg) recvmmsg;
	__typeof__(&recvmsg) recvmsg;
	__typeof__(&select) select;
	__typeof__(&send) send;
	__typeof__(&sendfile) sendfile;
	__typeof__(&sendmmsg) sendmmsg;
	__typeof__(&sendmsg) sendmsg;
	__typeof__(&sendto) sendto;
	__typeof__(&setsockopt) setsockopt;
	__typeof__(&shutdown) shutdown;
	__typeof__(&splice) splice;
	__typeof__(&system) system;
	__typeof__(&vdprintf) vdprintf;
	int (*__vdprintf_chk)(int fd, int flag, const char *format, va_list args);
	__typeof__(&write) write;
	__typeof__(&writev) writev;
};

const struct ur_libc *ur_libc(void);

#endif
