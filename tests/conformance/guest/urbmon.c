// SPDX-License-Identifier: BSD-2-Clause
/*
 * What usbmon sees of one bus, a line for each event, in full:
 *
 *      urbmon BUS OUT      until SIGTERM; "watching" once nothing can be missed
 *
 *      S|C|E id dev ep(hex, 80 = in) type status length captured hash setup|-
 *
 * The hash is of the bytes that came along (FNV-1a, 64 bits), "-" where none did.
 * The last line is "dropped N": events that usbmon had no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RING_BYTES (16 << 20)
#define DATA_BYTES (4 << 20)
#define ISO_BYTES 16

/* Documentation/usb/usbmon.rst, "raw binary format", the 64 bytes of GETX. */
struct event {
	__u64 id;
	unsigned char type, xfer_type, epnum, devnum;
	__u16 busnum;
	char flag_setup, flag_data;
	__s64 seconds;
	__s32 useconds;
	int status;
	unsigned int length, captured;
	unsigned char setup[8];
	int interval, start_frame;
	unsigned int xfer_flags, descriptors;
};
_Static_assert(sizeof(struct event) == 64, "usbmon's event");

struct get {
	struct event *event;
	void *data;
	size_t room;
};

struct statistics {
	__u32 queued, dropped;
};

#define GET_STATISTICS _IOR(0x92, 3, struct statistics)
#define SET_RING _IO(0x92, 4)
#define GET_EVENT _IOW(0x92, 10, struct get)

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "urbmon: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long hash(const unsigned char *data, size_t bytes)
{
	unsigned long long h = 0xcbf29ce484222325ull;

	while (bytes--)
		h = (h ^ *data++) * 0x100000001b3ull;
	return h;
}

static void put_setup(FILE *out, const struct event *e)
{
	int i;

	fputc(' ', out);
	if (e->type != 'S' || e->flag_setup)
		fputc('-', out);
	for (i = 0; i < 8 && e->type == 'S' && !e->flag_setup; i++)
		fprintf(out, "%02x", e->setup[i]);
	fputc('\n', out);
}

/* The packets' descriptors of an isochronous URB come before its bytes. */
static void put(FILE *out, const struct event *e, const unsigned char *data)
{
	size_t skip = e->descriptors * (size_t)ISO_BYTES;
	size_t bytes = e->captured > skip ? e->captured - skip : 0;

	fprintf(out, "%c %llx %u %02x %u %d %u %zu ", e->type,
		(unsigned long long)e->id, e->devnum, e->epnum, e->xfer_type,
		e->status, e->length, bytes);
	if (e->flag_data)
		fputc('-', out);
	else
		fprintf(out, "%016llx", hash(data + skip, bytes));
	put_setup(out, e);
}

static int open_bus(const char *bus)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/usbmon%s", bus);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		die(path);
	if (ioctl(fd, SET_RING, RING_BYTES) < 0)
		die("ring size");
	return fd;
}

static void catch_end(void)
{
	struct sigaction action = { .sa_handler = end };

	sigaction(SIGTERM, &action, NULL);
}

/* One event, if there is one. */
static bool take(int fd, FILE *out)
{
	static unsigned char data[DATA_BYTES];
	struct event event;
	struct get get = { &event, data, sizeof(data) };

	if (ioctl(fd, GET_EVENT, &get) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			die("event");
		return false;
	}
	put(out, &event, data);
	return true;
}

int main(int argc, char **argv)
{
	struct statistics statistics = { 0, 0 };
	struct pollfd poll_fd = { .events = POLLIN };
	FILE *out;

	if (argc != 3) {
		fprintf(stderr, "usage: urbmon BUS OUT\n");
		return 2;
	}
	poll_fd.fd = open_bus(argv[1]);
	out = fopen(argv[2], "w");
	if (!out)
		die(argv[2]);
	catch_end();
	printf("watching\n");
	fflush(stdout);
	while (!ended)
		if (!take(poll_fd.fd, out))
			poll(&poll_fd, 1, 200);
	while (take(poll_fd.fd, out))
		continue;
	if (ioctl(poll_fd.fd, GET_STATISTICS, &statistics) < 0)
		die("statistics");
	fprintf(out, "dropped %u\n", statistics.dropped);
	return fclose(out) ? 1 : 0;
}
