// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who uses the device in the client VM: submits the file's requests through usbfs
 * and says what came of each. The memory behind each buffer is watched: what the
 * kernel writes there it had no right to.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/input.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

#define URBS 16
#define PACKETS 16
#define BUFFER (64u << 10)
#define MARK 0xee

struct transfer {
	u32 seqnum;
	u32 asked;
	bool is_control;
	bool is_done;
	u8 *buffer;		/* BUFFER bytes */
	struct usbdevfs_urb *urb;
};

static struct {
	int fd;
	char folder[256];	/* of sysfs */
	const struct test_device *device;
	struct transfer transfer[URBS];
	u32 count;
} R;

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long number_in(const char *folder, const char *name, int base)
{
	char path[4096], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return text[0] > ' ' ? strtol(text, NULL, base) : -1;
}

/* The device's file of usbfs once it is configured, or -1. */
static int find(const struct test_device *d)
{
	char path[64];
	glob_t folders;
	int fd = -1;
	size_t i;

	if (glob("/sys/bus/usb/devices/[0-9]*", 0, NULL, &folders))
		return -1;
	for (i = 0; i < folders.gl_pathc && fd < 0; i++) {
		const char *f = folders.gl_pathv[i];

		if (number_in(f, "idVendor", 16) != d->vendor ||
		    number_in(f, "idProduct", 16) != d->product ||
		    number_in(f, "bConfigurationValue", 10) < 1)
			continue;
		snprintf(path, sizeof(path), "/dev/bus/usb/%03ld/%03ld",
			 number_in(f, "busnum", 10), number_in(f, "devnum", 10));
		snprintf(R.folder, sizeof(R.folder), "%s", f);
		fd = open(path, O_RDWR);
	}
	globfree(&folders);
	return fd;
}

static int wait_for(const struct test_device *d)
{
	long end = now_ms() + 20000;
	int fd = find(d);

	while (fd < 0 && now_ms() < end) {
		poll(NULL, 0, 50);
		fd = find(d);
	}
	return fd;
}

/* ---- requests ------------------------------------------------------------- */

static u8 type_of(u8 address)
{
	static const u8 types[] = { USBDEVFS_URB_TYPE_CONTROL,
				    USBDEVFS_URB_TYPE_ISO,
				    USBDEVFS_URB_TYPE_BULK,
				    USBDEVFS_URB_TYPE_INTERRUPT };
	const u8 *c = R.device->configuration;
	u32 at;

	for (at = 0; at + 4 <= R.device->configuration_bytes && c[at]; at += c[at])
		if (c[at + 1] == 5 && c[at + 2] == address)
			return types[c[at + 3] & 3];
	return USBDEVFS_URB_TYPE_BULK;
}

static void put_packets(struct usbdevfs_urb *urb, const char *line)
{
	const char *at = value_of(line, "iso");
	unsigned offset, length, actual;
	int used, n = 0;

	while (at && n < PACKETS &&
	       sscanf(at, "%i:%i:%i%n", (int *)&offset, (int *)&length,
		      (int *)&actual, &used) == 3) {
		urb->iso_frame_desc[n++].length = length;
		at = at[used] == ',' ? at + used + 1 : NULL;
	}
	urb->number_of_packets = n;
	urb->flags = USBDEVFS_URB_ISO_ASAP;
}

static void put_control(struct transfer *t, const char *line)
{
	t->is_control = true;
	M.bytes = 0;
	put_hex_word(value_of(line, "setup"));
	memcpy(t->buffer, M.at, 8);
	t->urb->buffer_length += 8;
}

static void submit(const char *line)
{
	struct transfer *t = &R.transfer[R.count];
	u8 address = (u8)(number_of(line, "ep", 0) |
			  number_of(line, "dir", 0) << 7);

	t->seqnum = number_of(line, "seq", 1);
	t->asked = number_of(line, "len", 0);
	t->buffer = malloc(BUFFER);
	t->urb = calloc(1, sizeof(*t->urb) +
				   PACKETS * sizeof(t->urb->iso_frame_desc[0]));
	if (!t->buffer || !t->urb || t->asked > BUFFER / 2 || R.count == URBS - 1)
		errx(1, "no room for %s", line);
	memset(t->buffer, MARK, BUFFER);
	t->urb->buffer = t->buffer;
	t->urb->buffer_length = (int)t->asked;
	t->urb->endpoint = address;
	t->urb->type = type_of(address);
	if ((address & 0x7f) == 0) {
		t->urb->type = USBDEVFS_URB_TYPE_CONTROL;
		put_control(t, line);
	}
	if (t->urb->type == USBDEVFS_URB_TYPE_ISO)
		put_packets(t->urb, line);
	if (ioctl(R.fd, USBDEVFS_SUBMITURB, t->urb))
		live_say("urb seq=%u not submitted: %s", t->seqnum,
			 strerror(errno));
	else
		R.count++;
}

/* In a process of its own: the kernel waits until the device has answered. */
static void discard(const char *line)
{
	u32 victim = number_of(line, "victim", 0), i;

	for (i = 0; i < R.count; i++) {
		if (R.transfer[i].seqnum != victim || fork() != 0)
			continue;
		ioctl(R.fd, USBDEVFS_DISCARDURB, R.transfer[i].urb);
		_exit(0);
	}
	poll(NULL, 0, 200);
}

/* SET_INTERFACE has to go through the kernel, or it would not know. */
static bool set_interface(const char *line)
{
	struct usbdevfs_setinterface s;
	const char *setup = value_of(line, "setup");

	if (!setup || !starts(setup, "010b"))
		return false;
	M.bytes = 0;
	put_hex_word(setup);
	s.interface = M.at[4];
	s.altsetting = M.at[2];
	if (ioctl(R.fd, USBDEVFS_SETINTERFACE, &s))
		live_say("interface %u not set: %s", s.interface,
			 strerror(errno));
	return true;
}

static void ask(const char *line)
{
	if (starts(line, "> submit") && !set_interface(line))
		submit(line);
	else if (starts(line, "> unlink"))
		discard(line);
}

/* ---- what came ------------------------------------------------------------ */

static void say_result(const struct transfer *t)
{
	u32 own = t->asked + (t->is_control ? 8 : 0), i, beyond = 0;

	for (i = own; i < BUFFER; i++)
		beyond += t->buffer[i] != MARK;
	live_say("urb seq=%u asked=%u status=%d got=%d beyond=%u errors=%d",
		 t->seqnum, t->asked, t->urb->status, t->urb->actual_length,
		 beyond, t->urb->error_count);
	for (i = 0; i < (u32)t->urb->number_of_packets && i < PACKETS; i++)
		live_say("packet %u length=%u got=%u", i,
			 t->urb->iso_frame_desc[i].length,
			 t->urb->iso_frame_desc[i].actual_length);
}

static void reap(long end)
{
	struct pollfd p = { .fd = R.fd, .events = POLLOUT };
	struct usbdevfs_urb *urb;
	u32 left = R.count, i;

	while (left > 0 && now_ms() < end) {
		urb = NULL;
		if (ioctl(R.fd, USBDEVFS_REAPURBNDELAY, &urb)) {
			if (errno != EAGAIN)
				break;
			poll(&p, 1, 100);
			continue;
		}
		for (i = 0; i < R.count; i++)
			if (R.transfer[i].urb == urb) {
				R.transfer[i].is_done = true;
				say_result(&R.transfer[i]);
			}
		left--;
	}
	for (i = 0; i < R.count; i++)
		if (!R.transfer[i].is_done)
			live_say("urb seq=%u without a result: %s",
				 R.transfer[i].seqnum,
				 errno == ENODEV ? "the device is gone" :
						   "still under way");
}

/* The reset may take as long as the new enumeration; nobody waits for it. */
static int reset(void)
{
	pid_t child = fork();
	long end = now_ms() + 10000;
	int status;

	if (child == 0)
		_exit(ioctl(R.fd, USBDEVFS_RESET) ? errno : 0);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now_ms() > end) {
			live_say("reset still under way");
			_exit(0);
		}
		poll(NULL, 0, 50);
	}
	live_say("reset: %s", WEXITSTATUS(status) ?
				      strerror(WEXITSTATUS(status)) : "done");
	return 0;
}

/* Drivers are bound before the configuration shows, or a moment later. */
static int say_drivers(void)
{
	char pattern[512], target[256];
	glob_t links;
	ssize_t n;
	size_t i;

	poll(NULL, 0, 500);
	snprintf(pattern, sizeof(pattern), "%s/*:*/driver", R.folder);
	if (glob(pattern, 0, NULL, &links))
		return 0;
	for (i = 0; i < links.gl_pathc; i++) {
		n = readlink(links.gl_pathv[i], target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		live_say("driver %s", strrchr(target, '/') ?
					      strrchr(target, '/') + 1 : "");
	}
	globfree(&links);
	return 0;
}

/* The device as its own descriptor will call it, if the file changes that. */
static struct test_device as_it_says(const struct live *live)
{
	struct test_device d = *live->device;
	u32 i;

	for (i = 0; i < live->count && live->prelude[0] == 'i'; i++) {
		M.bytes = 0;
		put_hex_word(value_of(live->line[i], "hex"));
		if (live->line[i][0] != '<' || M.bytes != 18 || M.at[1] != 1)
			continue;
		d.vendor = (u16)(M.at[8] | M.at[9] << 8);
		d.product = (u16)(M.at[10] | M.at[11] << 8);
	}
	return d;
}

int live_read(struct live *live)
{
	struct test_device device = as_it_says(live);
	unsigned interface;
	u32 i;

	R.device = &device;
	R.fd = wait_for(&device);
	if (R.fd < 0) {
		live_say("no device");
		return 0;
	}
	live_say("device");
	if (strcmp(live->prelude, "use") != 0)
		return say_drivers();
	if (live->has_reset)
		return reset();
	for (interface = 0; interface < 2; interface++) {
		struct usbdevfs_disconnect_claim claim = { interface, 0, "" };

		ioctl(R.fd, USBDEVFS_DISCONNECT_CLAIM, &claim);
	}
	for (i = 0; i < live->count; i++)
		if (live->line[i][0] == '>')
			ask(live->line[i]);
	reap(now_ms() + 4000);
	live_say("done");
	fflush(stdout);
	_exit(0);	/* not by close(): it would wait for what hangs */
}

/* ---- keys ----------------------------------------------------------------- */

#define INPUTS 32

static int read_keys(int fd)
{
	struct input_event e;
	int keys = 0;

	while (read(fd, &e, sizeof(e)) == sizeof(e))
		if (e.type == EV_KEY && e.value == 1) {
			live_say("key %u", e.code);
			keys++;
		}
	return keys;
}

int live_keys(int seconds)
{
	long end = now_ms() + seconds * 1000L;
	int fd[INPUTS], i, keys = 0;
	char path[32];

	memset(fd, -1, sizeof(fd));
	live_say("listening");
	while (now_ms() < end && keys < 5) {
		for (i = 0; i < INPUTS; i++) {
			snprintf(path, sizeof(path), "/dev/input/event%d", i);
			if (fd[i] < 0)
				fd[i] = open(path, O_RDONLY | O_NONBLOCK);
			if (fd[i] >= 0)
				keys += read_keys(fd[i]);
		}
		poll(NULL, 0, 2);
	}
	live_say("%d keys", keys);
	return 0;
}
