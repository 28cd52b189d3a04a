// SPDX-License-Identifier: BSD-2-Clause
/* The cases of talk about exec, vfork and posix_spawn. */
#define _GNU_SOURCE
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Ends with 7 if it has its word, its variable, and no descriptor 77. */
#define SCRIPT "test \"$1,$TALK\" = word,there && ! test -e /proc/self/fd/77 && exit 7"

static const char *const words[] = { "sh", "-c", SCRIPT, "sh", "word", NULL };
static const char *const variables[] = { "TALK=there", "PATH=/usr/bin:/bin", NULL };

#define ARGS ((char *const *)words)
#define ENV ((char *const *)variables)

typedef int exec_fn(void);

static int by_execve(void)
{
	return execve("/bin/sh", ARGS, ENV);
}

static int by_execv(void)
{
	return execv("/bin/sh", ARGS);
}

static int by_execvp(void)
{
	return execvp("sh", ARGS);
}

static int by_execvpe(void)
{
	return execvpe("sh", ARGS, ENV);
}

static int by_fexecve(void)
{
	return fexecve(open("/bin/sh", O_RDONLY | O_CLOEXEC), ARGS, ENV);
}

static int by_execl(void)
{
	return execl("/bin/sh", "sh", "-c", SCRIPT, "sh", "word", (char *)NULL);
}

static int by_execlp(void)
{
	return execlp("sh", "sh", "-c", SCRIPT, "sh", "word", (char *)NULL);
}

static int by_execle(void)
{
	return execle("/bin/sh", "sh", "-c", SCRIPT, "sh", "word", (char *)NULL, ENV);
}

static exec_fn *const all[] = {
	by_execve, by_execv, by_execvp, by_execvpe,
	by_fexecve, by_execl, by_execlp, by_execle,
};

#define COUNT (sizeof(all) / sizeof(all[0]))

static void executed(const struct side *s)
{
	int fd = talk_open(s), status;
	pid_t child;
	size_t i;

	SAME(dup3(fd, 77, O_CLOEXEC), 77);
	SAME(setenv("TALK", "there", 1), 0);
	for (i = 0; i < COUNT; i++) {
		child = fork();
		if (child == 0)
			_exit(100 + all[i]());
		SAME(waitpid(child, &status, 0), child);
		SAME(status, 0x700);
	}
	SAME(write(77, "x", 1), 1);
	talk_meet(s);
}

static void not_executed(const struct side *s)
{
	int fd = talk_open(s), on;
	size_t i;

	for (on = 0; on < 2; on++) { /* with 2 nobody would hear it */
		int own = dup(on);

		talk_hear();
		SAME(dup2(fd, on), on);
		for (i = 0; i < COUNT; i++)
			FAILS(all[i](), EOPNOTSUPP);
		SAME(dup2(own, on), on);
		SAME(talk_heard("is not handed through exec of"), COUNT);
	}
	talk_meet(s);
}

/* 0, or what posix_spawn says; the child's status is in `status`. */
static int spawn(bool by_path, int *status)
{
	pid_t child;
	int n = by_path ? posix_spawn(&child, "/bin/sh", NULL, NULL, ARGS, ENV) :
			  posix_spawnp(&child, "sh", NULL, NULL, ARGS, ENV);

	if (n == 0)
		SAME(waitpid(child, status, 0), child);
	return n;
}

static void spawned(const struct side *s)
{
	int fd = talk_open(s), status;
	char line[8] = "";
	FILE *tube;

	SAME(dup3(fd, 77, O_CLOEXEC), 77);
	SAME(spawn(true, &status), 0);
	SAME(status, 0x700);
	SAME(spawn(false, &status), 0);
	SAME(status, 0x700);
	SAME(system("test -e /proc/self/fd/77 || exit 7"), 0x700);
	tube = popen("echo word", "r");
	TRUE(tube && fgets(line, sizeof(line), tube) && !strcmp(line, "word\n"));
	SAME(pclose(tube), 0);
	talk_meet(s);
}

static void not_spawned(const struct side *s)
{
	int fd = talk_open(s), own = dup(0), status;
	posix_spawn_file_actions_t actions;
	FILE *tube;

	SAME(posix_spawn_file_actions_init(&actions), 0);
	talk_hear();
	SAME(posix_spawn_file_actions_adddup2(&actions, s->control, 5), 0);
	SAME(posix_spawn_file_actions_adddup2(&actions, fd, 5), EOPNOTSUPP);
	SAME(talk_heard("is not handed through posix_spawn as 5"), 1);
	talk_hear();
	SAME(dup2(fd, 0), 0);
	SAME(spawn(true, &status), EOPNOTSUPP);
	SAME(spawn(false, &status), EOPNOTSUPP);
	FAILS(system("exit 0"), EOPNOTSUPP);
	FAILS(popen("exit 0", "r") ? 0 : -1, EOPNOTSUPP);
	tube = popen("exit 0", "w"); /* has the pipe in its place */
	TRUE(tube);
	SAME(pclose(tube), 0);
	SAME(dup2(own, 0), 0);
	SAME(talk_heard("is not handed through exec of"), 4);
	talk_meet(s);
}

/* What the child of vfork closes, the parent has. */
static void vforked(const struct side *s)
{
	int fd = talk_open(s), status;
	pid_t child = vfork();
	char c;

	if (child == 0) {
		close(fd);
		_exit(3);
	}
	SAME(waitpid(child, &status, 0), child);
	SAME(status, 0x300);
	SAME(write(fd, "x", 1), 1);
	SAME(recv(fd, &c, 1, 0), 1);
	talk_meet(s);
}

const struct talk_case talk_exec[] = {
	{ "execve, execv, execvp, execvpe, fexecve, execl, execlp, execle", executed, false },
	{ "none of them with a ring on 0, 1 or 2", not_executed, true },
	{ "posix_spawn, posix_spawnp, system, popen", spawned, false },
	{ "nor posix_spawn and its kin", not_spawned, true },
	{ "vfork", vforked, false },
	{ NULL, NULL, false },
};
