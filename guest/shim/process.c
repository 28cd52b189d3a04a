// SPDX-License-Identifier: BSD-2-Clause
/*
 * fork and exec. The kernel's own sockets go through both. A ring is this
 * process's: its indices are private memory, and two who publish them would
 * destroy the stream. So a child is told so at its first call, and an exec with a
 * ring on descriptor 0, 1 or 2 is refused; any other ring is closed by it.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>

static void forked(void)
{
	ur_links_forked();
	ur_table_forked();
	ur_epoll_forked();
}

__attribute__((constructor)) static void at_fork(void)
{
	pthread_atfork(NULL, NULL, forked);
}

/* A child of vfork would change its parent's table. */
UR_EXPORT pid_t vfork(void)
{
	return fork();
}

/* ---- exec ---------------------------------------------------------------- */

#define IN (1u << STDIN_FILENO)
#define OUT (1u << STDOUT_FILENO)
#define ERROR (1u << STDERR_FILENO)

/* numbers: those of 0, 1 and 2 that the program would have from us. */
static bool is_handed(const char *program, unsigned int numbers)
{
	struct ur_sock *s;
	int fd;

	for (fd = 0; fd <= STDERR_FILENO; fd++) {
		s = numbers & (1u << fd) ? ur_table_ring(fd) : NULL;
		if (!s)
			continue;
		ur_sock_put(s);
		ur_say("descriptor %d is a ring in user space and is not handed through exec of %s",
		       fd, program);
		errno = EOPNOTSUPP;
		return true;
	}
	return false;
}

static bool is_handed_ring(const char *program)
{
	return is_handed(program, IN | OUT | ERROR);
}

UR_EXPORT int execve(const char *path, char *const args[], char *const env[])
{
	return is_handed_ring(path) ? -1 : ur_libc()->execve(path, args, env);
}

UR_EXPORT int execv(const char *path, char *const args[])
{
	return execve(path, args, environ);
}

UR_EXPORT int execvpe(const char *file, char *const args[], char *const env[])
{
	return is_handed_ring(file) ? -1 : ur_libc()->execvpe(file, args, env);
}

UR_EXPORT int execvp(const char *file, char *const args[])
{
	return execvpe(file, args, environ);
}

UR_EXPORT int fexecve(int fd, char *const args[], char *const env[])
{
	return is_handed_ring(args[0]) ? -1 : ur_libc()->fexecve(fd, args, env);
}

/* The words of execl and its kin, as an array; ends the argument list. */
static char **words(const char *first, va_list args)
{
	size_t count = 1;
	va_list again;
	char **list;

	va_copy(again, args);
	while (va_arg(again, char *))
		count++;
	va_end(again);
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return NULL;
	list[0] = (char *)first;
	for (size_t i = 1; i <= count; i++)
		list[i] = va_arg(args, char *);
	return list;
}

typedef int exec_fn(const char *what, char *const args[], char *const env[]);

/* has_env: the environment stands behind the NULL. */
static int exec_words(exec_fn *exec, const char *what, const char *first,
		      va_list args, bool has_env)
{
	char **list = words(first, args);
	int n;

	if (!list)
		return -1;
	n = exec(what, list, has_env ? va_arg(args, char **) : environ);
	free(list);
	return n;
}

UR_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list args;
	int n;

	va_start(args, first);
	n = exec_words(execve, path, first, args, false);
	va_end(args);
	return n;
}

UR_EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list args;
	int n;

	va_start(args, first);
	n = exec_words(execvpe, file, first, args, false);
	va_end(args);
	return n;
}

UR_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list args;
	int n;

	va_start(args, first);
	n = exec_words(execve, path, first, args, true);
	va_end(args);
	return n;
}

/* ---- libc's own fork and exec, past both of the above --------------------- */

/* What actions do to 0, 1 and 2 is libc's secret: then they are not looked at. */
UR_EXPORT int posix_spawn(pid_t *pid, const char *path,
			  const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attributes, char *const args[],
			  char *const env[])
{
	if (!actions && is_handed_ring(path))
		return EOPNOTSUPP;
	return ur_libc()->posix_spawn(pid, path, actions, attributes, args, env);
}

UR_EXPORT int posix_spawnp(pid_t *pid, const char *file,
			   const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const args[],
			   char *const env[])
{
	if (!actions && is_handed_ring(file))
		return EOPNOTSUPP;
	return ur_libc()->posix_spawnp(pid, file, actions, attributes, args, env);
}

UR_EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions,
					       int fd, int to)
{
	struct ur_sock *s = ur_table_ring(fd);

	if (!s)
		return ur_libc()->posix_spawn_file_actions_adddup2(actions, fd, to);
	ur_sock_put(s);
	ur_say("descriptor %d is a ring in user space and is not handed through posix_spawn as %d",
	       fd, to);
	return EOPNOTSUPP;
}

UR_EXPORT int system(const char *command)
{
	return command && is_handed_ring(command) ? -1 : ur_libc()->system(command);
}

UR_EXPORT FILE *popen(const char *command, const char *mode)
{
	unsigned int numbers = ERROR | (mode[0] == 'r' ? IN : OUT);

	return is_handed(command, numbers) ? NULL : ur_libc()->popen(command, mode);
}
