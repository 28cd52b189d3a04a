/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the live player share. One thread; every wait is bounded. */
#ifndef UR_TEST_LIVE_H
#define UR_TEST_LIVE_H

#include <stdarg.h>

#include "dialogue.h"

#define LIVE_LINES 64
#define LIVE_WAIT_MS 3000	/* for a reaction to the attack */
#define LIVE_START_MS 60000	/* for somebody to call */

/* A file of tests/attacks/files. */
struct live {
	struct described described;
	const struct test_device *device;	/* disk if it names none */
	char prelude[16];		/* "use", "import", "read", or "" */
	bool has_reset;			/* a line "live reset" */
	u32 real_ep, real_dir;		/* "live endpoint EP DIR": the real device's */
	u32 count;
	char line[LIVE_LINES][LINE_ROOM];	/* those of messages only */
};

/* Ends the program where the file cannot be read. */
void live_load(struct live *live, const char *path);

/* "tcp" (127.0.0.1) or "link" (/dev/usbroute0): a stream, or -1 in time. */
int live_call(const char *where);
int live_listen(const char *where);
int live_accept(const char *where, int listener);

/* All bytes, or false: the stream ended, or nothing came for `ms`. */
bool live_send(int fd, const void *at, u32 bytes);
bool live_receive(int fd, void *to, u32 bytes, int ms);
/* Whether something is there, or becomes so in time: 1, 0, or -1 at the end. */
int live_wait(int fd, int ms);

u32 live_be32(const u8 *at);
void live_put_be32(u8 *at, u32 value);

/* A line of the result, flushed. */
void live_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

int live_device(struct live *live, const char *where);
int live_client(struct live *live, const char *where, const char *busid);
int live_read(struct live *live);
int live_keys(int seconds);

#endif
