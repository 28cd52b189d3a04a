// SPDX-License-Identifier: BSD-2-Clause
/*
 * What usb core, usbip-host and vhci-hcd do when their attributes are written, in
 * place of ur_sysfs_write() by -Wl,--wrap. Only what Linux 6.1's drivers/usb/usbip
 * does, errors included: a test that passes here must not owe it to kindness.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfs.h"

int __wrap_ur_sysfs_write(const char *path, const char *text);

#define DEVICE "/sys/bus/usb/devices/%s"
#define STUB "/sys/bus/usb/drivers/usbip-host"

static const char *attribute(const char *busid, const char *name)
{
	return fake_path(DEVICE "/%s", busid, name);
}

/* Drivers */

static bool has_driver(const char *busid, const char *driver)
{
	char bound[64];

	ur_sysfs_driver(busid, bound, sizeof(bound));
	return strcmp(bound, driver) == 0;
}

static int set_driver(const char *busid, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	unlink(attribute(busid, "driver"));
	return symlink(target, attribute(busid, "driver")) ? -ENODEV : 0;
}

static int unbind(const char *driver, const char *busid)
{
	if (!has_driver(busid, driver))
		return -ENODEV;
	unlink(attribute(busid, "driver"));
	unlink(attribute(busid, "usbip_status"));
	unlink(attribute(busid, "usbip_sockfd"));
	return 0;
}

static bool is_matched(const char *busid)
{
	const char *table = fake_read(fake_path(STUB "/match_busid"));
	char padded[64];

	snprintf(padded, sizeof(padded), "%s ", busid);
	return table && strstr(table, padded);
}

static int match(const char *text)
{
	char entry[64];

	if (strncmp(text, "add ", 4) != 0)
		return -EINVAL;
	if (!is_matched(text + 4)) {
		snprintf(entry, sizeof(entry), "%s ", text + 4);
		fake_append(fake_path(STUB "/match_busid"), entry);
	}
	return 0;
}

static int bind_stub(const char *busid)
{
	if (!is_matched(busid) || !has_driver(busid, ""))
		return -ENODEV;
	fake_write(attribute(busid, "usbip_status"), "1\n");
	fake_write(attribute(busid, "usbip_sockfd"), "");
	return set_driver(busid, "usbip-host");
}

static int rebind(const char *busid)
{
	if (!is_matched(busid))
		return -ENODEV;
	fake_write(fake_path(STUB "/match_busid"), "");
	return has_driver(busid, "") ? set_driver(busid, "usb") : 0;
}

/* The stub's stream: it answers what it gets with the same, until the end. */

struct stream {
	int fd;
	char status[512];
};

static void *echo(void *argument)
{
	struct stream *stream = argument;
	char bytes[4096];
	ssize_t got;

	while ((got = recv(stream->fd, bytes, sizeof(bytes), 0)) > 0)
		if (send(stream->fd, bytes, got, MSG_NOSIGNAL) != got)
			break;
	shutdown(stream->fd, SHUT_RDWR);
	close(stream->fd);
	if (access(stream->status, F_OK) == 0)
		fake_write(stream->status, "1\n");
	free(stream);
	return NULL;
}

static int take_stream(const char *busid, const char *text)
{
	const char *status = fake_read(attribute(busid, "usbip_status"));
	struct stream *stream;
	pthread_t thread;

	if (!status || strcmp(status, "1") != 0)
		return -EINVAL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	snprintf(stream->status, sizeof(stream->status), "%.500s",
		 attribute(busid, "usbip_status"));
	stream->fd = dup(atoi(text));
	fake_write(stream->status, "2\n");
	if (pthread_create(&thread, NULL, echo, stream)) {
		fake_write(stream->status, "1\n");
		close(stream->fd);
		free(stream);
		return -ENOMEM;
	}
	pthread_detach(thread);
	return 0;
}

/* vhci-hcd */

#define STATUS "/sys/devices/platform/vhci_hcd.0/status"

/* Put `row` over the line of that port if it is there with status `from`. */
static int set_port(unsigned int port, unsigned int from, const char *row)
{
	char text[8192];
	char key[32];
	char *at;

	snprintf(text, sizeof(text), "%s\n", fake_read(fake_path(STATUS)));
	snprintf(key, sizeof(key), "s  %04u %03u ", port, from);
	at = strstr(text, key);
	if (!at)
		return -EBUSY;
	memcpy(at, row, strlen(row));
	fake_write(fake_path(STATUS), text);
	return 0;
}

/*
 * A device with a one-digit name, so that every row is as long as any. It takes
 * its time, and another device makes itself heard before.
 */
static void *plug(void *unused)
{
	static const char busid[] = "4-1";

	fake_event("bind", "9-9");
	usleep(200000);
	if (rename(fake_path("/plug"),
		   fake_path("/sys/devices/platform/vhci_hcd.0/usb4/4-1")))
		return unused;
	if (symlink("../../../devices/platform/vhci_hcd.0/usb4/4-1",
		    fake_path(DEVICE, busid)))
		abort();
	fake_event("add", busid);
	fake_event("bind", busid);
	return unused;
}

static int detach(const char *text)
{
	unsigned int port = (unsigned int)atoi(text);
	char row[64];

	snprintf(row, sizeof(row), "s  %04u 004 000 00000000 000000 0-0", port);
	if (set_port(port, 6, row))
		return -EINVAL;
	if (access(fake_path("/stays"), F_OK) != 0)
		unlink(fake_path(DEVICE, "4-1"));
	return 0;
}

static int attach(const char *text)
{
	unsigned int port, devid, speed;
	struct stat about;
	pthread_t thread;
	char row[64];
	int fd, error;

	if (sscanf(text, "%u %d %u %u", &port, &fd, &devid, &speed) != 4 ||
	    speed < 1 || speed > 5)
		return -EINVAL;
	if (fstat(fd, &about) < 0 || !S_ISSOCK(about.st_mode))
		return -EINVAL;
	snprintf(row, sizeof(row), "s  %04u 006 %03u %08x %06d 4-1", port,
		 speed, devid, fd);
	error = set_port(port, 4, row);
	if (error)
		return error;
	if (pthread_create(&thread, NULL, plug, NULL)) {
		detach(row + 3);
		return -ENOMEM;
	}
	pthread_detach(thread);
	return 0;
}

/* All attributes */

static int effect(const char *path, const char *text)
{
	char name[64];
	char what[64];

	if (sscanf(path, "bus/usb/drivers/%63[^/]/%63s", name, what) == 2) {
		if (strcmp(what, "unbind") == 0)
			return unbind(name, text);
		if (strcmp(name, "usb") == 0 && strcmp(what, "bind") == 0)
			return set_driver(text, "usb");
		if (strcmp(what, "match_busid") == 0)
			return match(text);
		if (strcmp(what, "bind") == 0)
			return bind_stub(text);
		if (strcmp(what, "rebind") == 0)
			return rebind(text);
	}
	if (sscanf(path, "bus/usb/devices/%63[^/]/%63s", name, what) == 2 &&
	    strcmp(what, "usbip_sockfd") == 0)
		return take_stream(name, text);
	if (strcmp(path, "devices/platform/vhci_hcd.0/attach") == 0)
		return attach(text);
	if (strcmp(path, "devices/platform/vhci_hcd.0/detach") == 0)
		return detach(text);
	return -ENOENT;
}

int __wrap_ur_sysfs_write(const char *path, const char *text)
{
	char line[1024];
	long error = fake_number(fake_path("/fail"), path, 0);

	snprintf(line, sizeof(line), "%s %s\n", path, text);
	fake_append(fake_path("/journal"), line);
	if (strchr(text, '\n'))
		return -EINVAL;
	return error ? (int)-error : effect(path, text);
}
