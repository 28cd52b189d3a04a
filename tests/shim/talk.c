// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two processes and one stream: what a TCP socket does, case by case.
 *
 *      talk HOST PORT [part of a name]
 *
 *      parent: bind, listen, accept  <== stream ==>  child: connect
 *              `------- a pipe for "go on" -------'
 *
 * The same program runs over the kernel's TCP (the oracle: every case but those
 * marked RING must hold there) and over the library. TAP.
 */
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 10

const char *talk_host;
const char *talk_port;

/* ---- for the cases ------------------------------------------------------- */

void talk_fail(const char *file, int line, const char *what, long got, long want)
{
	printf("# %s:%d: %s: got %ld (errno %d, %s), expected %ld\n", file, line,
	       what, got, errno, strerror(errno), want);
	fflush(stdout);
	_exit(1);
}

void talk_meet(const struct side *s)
{
	char c = 'm';

	SAME(write(s->control, &c, 1), 1);
	SAME(read(s->control, &c, 1), 1);
}

int talk_listen(void)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *a;
	int one = 1, fd;

	SAME(getaddrinfo(NULL, talk_port, &hints, &a), 0);
	fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
	TRUE(fd >= 0);
	SAME(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	SAME(bind(fd, a->ai_addr, a->ai_addrlen), 0);
	SAME(listen(fd, 8), 0);
	freeaddrinfo(a);
	return fd;
}

int talk_socket(struct addrinfo **a, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_INET, .ai_socktype = SOCK_STREAM,
	};
	int fd;

	SAME(getaddrinfo(talk_host, talk_port, &hints, a), 0);
	fd = socket((*a)->ai_family, (*a)->ai_socktype | flags,
		    (*a)->ai_protocol);
	TRUE(fd >= 0);
	return fd;
}

short talk_ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) < 0 ? -1 : p.revents;
}

static int own_error = -1, heard = -1;

void talk_hear(void)
{
	int tube[2];

	SAME(pipe(tube), 0);
	own_error = dup(2);
	TRUE(own_error >= 0);
	SAME(dup2(tube[1], 2), 2);
	SAME(close(tube[1]), 0);
	heard = tube[0];
}

int talk_heard(const char *part)
{
	static char text[4096];
	int n, count = 0;
	char *at;

	SAME(dup2(own_error, 2), 2); /* the last writer is gone */
	SAME(close(own_error), 0);
	n = (int)read(heard, text, sizeof(text) - 1);
	TRUE(n >= 0);
	text[n] = 0;
	SAME(write(2, text, (size_t)n), n);
	SAME(close(heard), 0);
	for (at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

int talk_open(const struct side *s)
{
	struct addrinfo *a;
	int listener, fd;

	if (s->server) {
		listener = talk_listen();
		talk_meet(s);
		fd = accept(listener, NULL, NULL);
		TRUE(fd >= 0);
		SAME(close(listener), 0);
		return fd;
	}
	talk_meet(s);
	fd = talk_socket(&a, 0);
	SAME(connect(fd, a->ai_addr, a->ai_addrlen), 0);
	freeaddrinfo(a);
	return fd;
}

/* ---- running them -------------------------------------------------------- */

static void run_side(const struct talk_case *c, int control, bool server)
{
	struct side s = { .control = control, .server = server };

	alarm(LIMIT_S);
	c->run(&s);
}

static bool run_case(const struct talk_case *c)
{
	int control[2], status = 0;
	pid_t server, client;
	bool good;

	SAME(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	fflush(stdout);
	server = fork();
	if (server == 0) {
		close(control[1]);
		run_side(c, control[0], true);
		exit(0);
	}
	client = fork();
	if (client == 0) {
		close(control[0]);
		run_side(c, control[1], false);
		exit(0);
	}
	close(control[0]);
	close(control[1]);
	waitpid(server, &status, 0);
	good = status == 0;
	if (!good)
		printf("# the server ended with status 0x%x\n", status);
	waitpid(client, &status, 0);
	if (status)
		printf("# the client ended with status 0x%x\n", status);
	return good && status == 0;
}

static const struct talk_case *const tables[] = {
	talk_cases, talk_control, talk_many, talk_threads, talk_waits, talk_exec,
	talk_fortify, talk_said,
};

/* The cases asked for: run them, or only count them. */
static int each_case(const char *only, bool ring, bool run, int *failed)
{
	const struct talk_case *c;
	int number = 0;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (c = tables[i]; c->name; c++) {
			bool good;

			if (!strstr(c->name, only) || (c->ring && !ring))
				continue;
			number++;
			if (!run)
				continue;
			good = run_case(c);
			*failed += !good;
			printf("%sok %d - %s: %s\n", good ? "" : "not ", number,
			       ring ? "ring" : "tcp", c->name);
		}
	}
	return number;
}

int main(int argc, char **argv)
{
	bool ring = getenv("USBROUTE_PEERS") != NULL;
	const char *only = argc > 3 ? argv[3] : "";
	int failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: talk HOST PORT [part of a name]\n");
		return 2;
	}
	talk_host = argv[1];
	talk_port = argv[2];
	printf("1..%d\n", each_case(only, ring, false, &failed));
	each_case(only, ring, true, &failed);
	return failed != 0;
}
