// SPDX-License-Identifier: BSD-2-Clause
/*
 * Play an attack's file against a stock kernel, in a guest. The same lines as for
 * play.c, each side by its own player:
 *
 *      live device FILE tcp|link     the device's side ("<"), for a client kernel
 *      live read FILE                the client's requests (">") through usbfs, so
 *                                    that the client's own kernel sends them
 *      live client FILE tcp|link BUSID   the client's side (">"), for usbip-host
 *      live keys SECONDS             the keys that are pressed on any input device
 *
 * A line "live reset" lets the reader reset the device before all else. "live
 * endpoint EP DIR": where the client finds what the file means by its endpoint.
 *
 * Says what happened, a line each; ends with 0 unless it could not play at all.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live.h"
#include "usbroute.h"

#define PORT 3240

/* ---- the file ------------------------------------------------------------- */

static void take(struct live *live, const char *line)
{
	if (starts(line, "device ") && describe(&live->described, line))
		errx(1, "a device that cannot be read: %s", line);
	if (starts(line, "live reset"))
		live->has_reset = true;
	sscanf(line, "live endpoint %u %u", &live->real_ep, &live->real_dir);
	if (starts(line, "use ") || starts(line, "import ") ||
	    starts(line, "read ")) {
		sscanf(line, "%15s", live->prelude);
		live->device = device_of(line, &live->described);
	}
	if (line[0] != '<' && line[0] != '>')
		return;
	if (live->count == LIVE_LINES)
		errx(1, "more than %d messages", LIVE_LINES);
	strcpy(live->line[live->count++], line);
}

void live_load(struct live *live, const char *path)
{
	char line[LINE_ROOM];
	FILE *file = fopen(path, "r");

	if (!file)
		err(1, "%s", path);
	live->device = &TEST_DEVICES[0];
	while (fgets(line, sizeof(line), file))
		take(live, line);
	fclose(file);
	if (!live->device)
		errx(1, "%s: a device that nobody knows", path);
}

/* ---- streams -------------------------------------------------------------- */

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(PORT) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int node(void)
{
	int fd = open("/dev/usbroute0", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/usbroute0");
	return fd;
}

int live_call(const char *where)
{
	struct usbroute_connect call = { .service = PORT, .timeout_ms = 10000 };
	struct sockaddr_in a = loopback();
	int fd;

	if (strcmp(where, "link") == 0)
		return ioctl(node(), USBROUTE_IOC_CONNECT, &call);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -1 : fd;
}

int live_listen(const char *where)
{
	struct usbroute_listen serve = { .service = PORT, .backlog = 8 };
	struct sockaddr_in a = loopback();
	int fd, one = 1;

	if (strcmp(where, "link") == 0) {
		fd = node();
		if (ioctl(fd, USBROUTE_IOC_LISTEN, &serve))
			err(1, "listen on the link");
		return fd;
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		err(1, "listen on port %d", PORT);
	return fd;
}

int live_accept(const char *where, int listener)
{
	struct usbroute_accept call = { .timeout_ms = LIVE_START_MS };

	if (strcmp(where, "link") == 0)
		return ioctl(listener, USBROUTE_IOC_ACCEPT, &call);
	return live_wait(listener, LIVE_START_MS) == 1 ?
		       accept(listener, NULL, NULL) :
		       -1;
}

int live_wait(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;
	int got = poll(&p, 1, ms);

	if (got <= 0)
		return 0;
	/* A listener has nothing to peek at. */
	if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 ||
	    errno == ENOTCONN || errno == EINVAL || errno == ENOTSOCK)
		return 1;
	return -1;
}

bool live_send(int fd, const void *at, u32 bytes)
{
	const u8 *from = at;
	ssize_t n;

	while (bytes > 0) {
		n = send(fd, from, bytes, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		from += n;
		bytes -= (u32)n;
	}
	return true;
}

bool live_receive(int fd, void *to, u32 bytes, int ms)
{
	u8 *at = to;
	ssize_t n;

	while (bytes > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, ms) <= 0)
			return false;
		n = recv(fd, at, bytes, 0);
		if (n <= 0)
			return false;
		at += n;
		bytes -= (u32)n;
	}
	return true;
}

u32 live_be32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

void live_put_be32(u8 *at, u32 value)
{
	u32 i;

	for (i = 0; i < 4; i++)
		at[i] = (u8)(value >> (24 - 8 * i));
}

void live_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct live live;

	if (argc == 3 && strcmp(argv[1], "keys") == 0)
		return live_keys(atoi(argv[2]));
	if (argc < 3)
		errx(2, "live device|read|client FILE ..., live keys SECONDS");
	live_load(&live, argv[2]);
	if (argc == 4 && strcmp(argv[1], "device") == 0)
		return live_device(&live, argv[3]);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return live_read(&live);
	if (argc == 5 && strcmp(argv[1], "client") == 0)
		return live_client(&live, argv[3], argv[4]);
	errx(2, "no player %s with %d arguments", argv[1], argc - 2);
}
