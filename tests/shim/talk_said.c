// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk that a ring cannot do: it fails at once, and says so. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

static void not_through_fork(const struct side *s)
{
	int fd = talk_open(s), status;
	pid_t child = fork();
	char c;

	if (child == 0) {
		FAILS(send(fd, "x", 1, 0), EOPNOTSUPP);
		FAILS(recv(fd, &c, 1, 0), EOPNOTSUPP);
		SAME(talk_ready(fd, POLLIN, 0), POLLNVAL);
		SAME(close(fd), 0);
		_exit(0);
	}
	SAME(waitpid(child, &status, 0), child);
	SAME(status, 0);
	SAME(send(fd, "y", 1, 0), 1); /* the parent's is as it was */
	SAME(recv(fd, &c, 1, 0), 1);
	SAME(c, 'y');
	talk_meet(s);
}

static void not_through_exec(const struct side *s)
{
	char name[] = "false", *args[] = { name, NULL }; /* status 1 */
	int fd = talk_open(s);

	SAME(fcntl(fd, F_GETFD), FD_CLOEXEC);
	FAILS(fcntl(fd, F_SETFD, 0), EOPNOTSUPP);
	SAME(dup2(fd, 0), 0);
	FAILS(execv("/bin/false", args), EOPNOTSUPP);
	FAILS(execvp("false", args), EOPNOTSUPP);
	FAILS(execlp("false", "false", "x", (char *)NULL), EOPNOTSUPP);
	talk_meet(s);
}

static void not_for_rings(const struct side *s)
{
	int fd = talk_open(s), tube[2];

	SAME(pipe(tube), 0);
	FAILS(sendfile(fd, tube[0], NULL, 1), EINVAL);
	FAILS(splice(tube[0], NULL, fd, NULL, 1, 0), EINVAL);
	FAILS(fdopen(fd, "r") ? 0 : -1, EOPNOTSUPP);
	FAILS(send(fd, "x", 1, MSG_FASTOPEN), EOPNOTSUPP);
	talk_meet(s);
}

const struct talk_case talk_said[] = {
	{ "not through fork, and says so", not_through_fork, true },
	{ "not through exec, and says so", not_through_exec, true },
	{ "sendfile, splice, fdopen are refused", not_for_rings, true },
	{ NULL, NULL, false },
};
