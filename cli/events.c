// SPDX-License-Identifier: BSD-2-Clause
#include <libudev.h>
#include <poll.h>
#include <stdlib.h>

#include "events.h"
#include "say.h"
#include "text.h"

struct ur_events {
	struct udev *udev;
	struct udev_monitor *monitor;
};

static bool start(struct ur_events *events)
{
	events->udev = udev_new();
	if (!events->udev)
		return false;
	/* "kernel": there may be no udevd that would pass events on. */
	events->monitor = udev_monitor_new_from_netlink(events->udev, "kernel");
	return events->monitor &&
	       udev_monitor_filter_add_match_subsystem_devtype(
		       events->monitor, "usb", "usb_device") >= 0 &&
	       udev_monitor_enable_receiving(events->monitor) >= 0;
}

struct ur_events *ur_events_open(void)
{
	struct ur_events *events = calloc(1, sizeof(*events));

	if (events && start(events))
		return events;
	ur_say("cannot listen to the kernel's device events: %m");
	ur_events_close(events);
	return NULL;
}

void ur_events_close(struct ur_events *events)
{
	if (!events)
		return;
	udev_monitor_unref(events->monitor);
	udev_unref(events->udev);
	free(events);
}

bool ur_events_next(struct ur_events *events, int wait_ms,
		    struct ur_event *event)
{
	struct pollfd poll_fd = {
		.fd = udev_monitor_get_fd(events->monitor),
		.events = POLLIN,
	};
	struct udev_device *device;

	if (poll(&poll_fd, 1, wait_ms) <= 0)
		return false;
	device = udev_monitor_receive_device(events->monitor);
	if (!device)
		return false;
	ur_text_copy(event->action, sizeof(event->action),
		     udev_device_get_action(device));
	ur_text_copy(event->busid, sizeof(event->busid),
		     udev_device_get_sysname(device));
	udev_device_unref(device);
	return true;
}
