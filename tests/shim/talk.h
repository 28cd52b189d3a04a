/* SPDX-License-Identifier: BSD-2-Clause */
/* What the cases of talk share. */
#ifndef UR_TEST_TALK_H
#define UR_TEST_TALK_H

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	int control;		/* a socket pair that is not under test */
	bool server;
};

struct talk_case {
	const char *name;
	void (*run)(const struct side *s);
	bool ring;		/* of the library alone */
};

extern const struct talk_case talk_cases[];	/* each ends with a name of NULL */
extern const struct talk_case talk_control[];
extern const struct talk_case talk_many[];
extern const struct talk_case talk_waits[];
extern const struct talk_case talk_threads[];
extern const struct talk_case talk_exec[];
extern const struct talk_case talk_fortify[];
extern const struct talk_case talk_said[];
extern const char *talk_host;
extern const char *talk_port;

void talk_fail(const char *file, int line, const char *what, long got, long want);

#define SAME(got, want)                                                     \
	do {                                                                \
		long same_got = (long)(got), same_want = (long)(want);      \
		if (same_got != same_want)                                  \
			talk_fail(__FILE__, __LINE__, #got, same_got, same_want); \
	} while (0)
#define TRUE(yes) SAME(!!(yes), 1)
/* -1 and this errno. */
#define FAILS(call, error)          \
	do {                        \
		SAME(call, -1);     \
		SAME(errno, error); \
	} while (0)

/* Both sides are here. */
void talk_meet(const struct side *s);
/* A connected stream. */
int talk_open(const struct side *s);
int talk_listen(void);
int talk_socket(struct addrinfo **a, int flags);
/* revents of poll() */
short talk_ready(int fd, short events, int timeout_ms);
/* What comes on standard error from here on; until talk_heard(), which shows it. */
void talk_hear(void);
/* How often `part` was in it. */
int talk_heard(const char *part);

#endif
