// SPDX-License-Identifier: BSD-2-Clause
/*
 * Counts the instructions that this guest's processor retires, in the kernel and
 * in all programs, while a command runs. Idle time retires none. Under QEMU's
 * TCG the counter exists on arm64, with -icount.
 *
 * usage: count COMMAND [ARGUMENT...]
 * Prints the number on a line of its own, after what COMMAND prints.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Everybody on the first processor, the only one. */
static int open_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);

	if (fd < 0)
		die("no instruction counter (arm64 and -icount?)");
	return fd;
}

static int run(char **command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		execvp(command[0], command);
		die(command[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	uint64_t instructions = 0;
	int fd, status;

	if (argc < 2) {
		fprintf(stderr, "usage: count COMMAND [ARGUMENT...]\n");
		return 2;
	}
	fd = open_counter();
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	status = run(argv + 1);
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	if (read(fd, &instructions, sizeof(instructions)) != sizeof(instructions))
		die("read");
	printf("%llu\n", (unsigned long long)instructions);
	return status;
}
