// SPDX-License-Identifier: BSD-2-Clause
/* libudev, as far as the command uses it, over a directory of plain files. */
#include <dirent.h>
#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct udev {
	int unused;
};

struct udev_list_entry {
	struct udev_list_entry *next;
	char name[512];
};

struct udev_enumerate {
	struct udev *udev;
	char devtype[32];
	char parent[520];
	struct udev_list_entry *entries;
};

struct udev_device {
	char syspath[512];	/* "/sys/devices/...": without the root */
	char action[16];
	char driver[64];
	struct udev_device *parent;
};

struct udev_monitor {
	int unused;
};

struct udev *udev_new(void)
{
	return calloc(1, sizeof(struct udev));
}

struct udev *udev_unref(struct udev *udev)
{
	free(udev);
	return NULL;
}

/* Devices */

struct udev_device *udev_device_new_from_syspath(struct udev *udev,
						 const char *syspath)
{
	struct udev_device *device;

	(void)udev;
	if (access(fake_path("%s", syspath), F_OK) != 0)
		return NULL;
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	snprintf(device->syspath, sizeof(device->syspath), "%s", syspath);
	return device;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
	if (device)
		udev_device_unref(device->parent);
	free(device);
	return NULL;
}

const char *udev_device_get_syspath(struct udev_device *device)
{
	return device->syspath;
}

const char *udev_device_get_sysname(struct udev_device *device)
{
	return strrchr(device->syspath, '/') + 1;
}

const char *udev_device_get_action(struct udev_device *device)
{
	return device->action;
}

const char *udev_device_get_sysattr_value(struct udev_device *device,
					  const char *name)
{
	return fake_read(fake_path("%s/%s", device->syspath, name));
}

const char *udev_device_get_driver(struct udev_device *device)
{
	char target[512];
	ssize_t got = readlink(fake_path("%s/driver", device->syspath), target,
			       sizeof(target) - 1);

	if (got < 0)
		return NULL;
	target[got] = '\0';
	snprintf(device->driver, sizeof(device->driver), "%.63s",
		 strrchr(target, '/') + 1);
	return device->driver;
}

struct udev_device *udev_device_get_parent(struct udev_device *device)
{
	char path[512];

	if (!device->parent) {
		snprintf(path, sizeof(path), "%s", device->syspath);
		*strrchr(path, '/') = '\0';
		device->parent = udev_device_new_from_syspath(NULL, path);
	}
	return device->parent;
}

/* Enumeration */

struct udev_enumerate *udev_enumerate_new(struct udev *udev)
{
	struct udev_enumerate *all = calloc(1, sizeof(*all));

	if (all)
		all->udev = udev;
	return all;
}

struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *all)
{
	while (all->entries) {
		struct udev_list_entry *next = all->entries->next;

		free(all->entries);
		all->entries = next;
	}
	free(all);
	return NULL;
}

int udev_enumerate_add_match_subsystem(struct udev_enumerate *all,
				       const char *subsystem)
{
	(void)all;
	return strcmp(subsystem, "usb") == 0 ? 0 : -1;
}

int udev_enumerate_add_match_property(struct udev_enumerate *all,
				      const char *property, const char *value)
{
	snprintf(all->devtype, sizeof(all->devtype), "%s=%s", property, value);
	return 0;
}

int udev_enumerate_add_match_parent(struct udev_enumerate *all,
				    struct udev_device *parent)
{
	snprintf(all->parent, sizeof(all->parent), "%s/", parent->syspath);
	return 0;
}

static int add_entry(struct udev_enumerate *all, const char *syspath)
{
	struct udev_list_entry **at = &all->entries;
	struct udev_list_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	snprintf(entry->name, sizeof(entry->name), "%s", syspath);
	while (*at && strcmp((*at)->name, syspath) < 0)
		at = &(*at)->next;
	entry->next = *at;
	*at = entry;
	return 0;
}

static int scan_one(struct udev_enumerate *all, const char *name)
{
	const char *real_root = fake_path("%s", "");
	const char *type;
	int error = 0;
	char *real;

	real = realpath(fake_path("/sys/bus/usb/devices/%s", name), NULL);
	if (!real)
		return errno == ENOMEM ? -ENOMEM : 0;
	type = fake_read(fake_path("%s/uevent", real + strlen(real_root)));
	if (type && strcmp(type, all->devtype) == 0 &&
	    strncmp(real + strlen(real_root), all->parent,
		    strlen(all->parent)) == 0)
		error = add_entry(all, real + strlen(real_root));
	free(real);
	return error;
}

int udev_enumerate_scan_devices(struct udev_enumerate *all)
{
	DIR *directory = opendir(fake_path("/sys/bus/usb/devices"));
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			error = scan_one(all, entry->d_name);
	closedir(directory);
	return error;
}

struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *all)
{
	return all->entries;
}

struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *entry)
{
	return entry->next;
}

const char *udev_list_entry_get_name(struct udev_list_entry *entry)
{
	return entry->name;
}

/* Events: within one process, through a pipe */

static int event_pipe[2] = { -1, -1 };

void fake_event(const char *action, const char *busid)
{
	struct udev_device event = { 0 };

	if (event_pipe[1] < 0)
		return;
	snprintf(event.action, sizeof(event.action), "%s", action);
	snprintf(event.syspath, sizeof(event.syspath), "/%s", busid);
	if (write(event_pipe[1], &event, sizeof(event)) != sizeof(event))
		abort();
}

struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev,
						   const char *name)
{
	struct udev_monitor *monitor = calloc(1, sizeof(*monitor));

	(void)udev;
	if (monitor && strcmp(name, "kernel") == 0 && pipe(event_pipe) == 0)
		return monitor;
	free(monitor);
	return NULL;
}

struct udev_monitor *udev_monitor_unref(struct udev_monitor *monitor)
{
	if (!monitor)
		return NULL;
	close(event_pipe[0]);
	close(event_pipe[1]);
	event_pipe[1] = -1;
	free(monitor);
	return NULL;
}

int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *monitor,
						    const char *subsystem,
						    const char *devtype)
{
	(void)monitor;
	return strcmp(subsystem, "usb") || strcmp(devtype, "usb_device");
}

int udev_monitor_enable_receiving(struct udev_monitor *monitor)
{
	(void)monitor;
	return 0;
}

int udev_monitor_get_fd(struct udev_monitor *monitor)
{
	(void)monitor;
	return event_pipe[0];
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *monitor)
{
	struct udev_device *device = calloc(1, sizeof(*device)), event;

	(void)monitor;
	if (read(event_pipe[0], &event, sizeof(event)) != sizeof(event))
		abort();
	if (device)
		*device = event;
	return device;
}
