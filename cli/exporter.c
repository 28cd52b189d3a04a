// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>

#include "exporter.h"
#include "say.h"
#include "state.h"
#include "sysfs.h"
#include "usb.h"

#define DRIVERS "bus/usb/drivers"
#define STUB "usbip-host"

/* Values of usbip_status: the kernel's enum usbip_device_status. */
#define STUB_AVAILABLE "1"
#define STUB_USED "2"
#define STUB_ERROR "3"

/* What we hold */

static int held_index(const struct ur_exporter *exporter, const char *busid)
{
	u32 i;

	for (i = 0; i < exporter->held_count; i++)
		if (strcmp(exporter->held[i], busid) == 0)
			return (int)i;
	return -1;
}

/* Whether there is, or now is, a place for it. */
static bool hold(struct ur_exporter *exporter, const char *busid)
{
	if (held_index(exporter, busid) >= 0)
		return true;
	if (exporter->held_count == UR_HELD_MAX) {
		ur_say("%s: %u devices are bound already, want at most %u",
		       busid, exporter->held_count, UR_HELD_MAX);
		return false;
	}
	snprintf(exporter->held[exporter->held_count++], UR_OP_BUSID_BYTES,
		 "%s", busid);
	ur_state_mark(exporter->owner, busid);
	return true;
}

static void let_go(struct ur_exporter *exporter, const char *busid)
{
	int i = held_index(exporter, busid);

	ur_state_unmark(exporter->owner, busid);
	if (i < 0)
		return;
	exporter->held_count--;
	memmove(exporter->held[i], exporter->held[exporter->held_count],
		UR_OP_BUSID_BYTES);
}

/* Binding */

static bool is_bound_to(const char *busid, const char *driver)
{
	char bound[UR_DRIVER_BYTES];

	ur_sysfs_driver(busid, bound, sizeof(bound));
	return strcmp(bound, driver) == 0;
}

static int tell_driver(const char *driver, const char *attribute,
		       const char *text)
{
	char path[UR_SYSFS_PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), DRIVERS "/%s/%s", driver, attribute);
	error = ur_sysfs_write(path, text);
	if (error) {
		errno = -error;
		ur_say("cannot write \"%s\" to /sys/%s: %m", text, path);
	}
	return error;
}

/*
 * "rebind" lets every driver but usbip-host look at the device and takes it out
 * of usbip-host's table ("del" would leave it there: the kernel keeps an entry
 * that was matched once). Where it fails, the generic driver is asked itself.
 */
static bool give_back(const char *busid)
{
	if (is_bound_to(busid, STUB) && tell_driver(STUB, "unbind", busid))
		return false;
	if (tell_driver(STUB, "rebind", busid) || !is_bound_to(busid, "usb"))
		tell_driver("usb", "bind", busid);
	if (!is_bound_to(busid, "usb")) {
		ur_say("%s: no driver wants it back", busid);
		return false;
	}
	ur_say("%s: given back to its own driver", busid);
	return true;
}

static bool add_and_bind(const char *busid)
{
	char text[UR_OP_BUSID_BYTES + 8];

	snprintf(text, sizeof(text), "add %s", busid);
	return tell_driver(STUB, "match_busid", text) == 0 &&
	       tell_driver(STUB, "bind", busid) == 0;
}

static bool take_from_driver(const struct ur_device *device)
{
	const char *busid = device->op.busid.text;

	if (device->driver[0] &&
	    tell_driver(device->driver, "unbind", busid) != 0)
		return false;
	if (add_and_bind(busid) && is_bound_to(busid, STUB))
		return true;
	tell_driver("usb", "bind", busid);
	return false;
}

static bool bind_device(struct ur_exporter *exporter,
			const struct ur_device *device)
{
	const char *busid = device->op.busid.text;

	if (strcmp(device->driver, STUB) == 0)
		return true;
	if (!hold(exporter, busid))
		return false;
	if (!take_from_driver(device)) {
		ur_say("%s: cannot bind it to " STUB, busid);
		let_go(exporter, busid);
		return false;
	}
	ur_say("%s: taken from driver %s for export", busid,
	       device->driver[0] ? device->driver : "(none)");
	return true;
}

/* Open and close */

static bool is_here(const char *busid)
{
	char path[UR_SYSFS_PATH_BYTES];

	snprintf(path, sizeof(path), "bus/usb/devices/%s", busid);
	return ur_sysfs_exists(path);
}

/*
 * What an earlier serve had when it was killed. A device that was unplugged
 * meanwhile, or rebound, is not ours any more; one that is between two drivers is
 * nobody's, and its own gets it back.
 */
static void adopt(const char *busid, void *context)
{
	struct ur_exporter *exporter = context;

	if (is_bound_to(busid, STUB)) {
		if (hold(exporter, busid))
			ur_say("%s: still bound to " STUB " by an earlier serve",
			       busid);
		return;
	}
	if (is_bound_to(busid, "") && is_here(busid) &&
	    tell_driver("usb", "bind", busid) == 0)
		ur_say("%s: left without a driver by an earlier serve, given back",
		       busid);
	ur_state_unmark(exporter->owner, busid);
}

enum ur_exit ur_exporter_open(struct ur_exporter *exporter, const char *owner,
			      const struct ur_selector *selectors, u32 count)
{
	memset(exporter, 0, sizeof(*exporter));
	exporter->owner = owner;
	exporter->selectors = selectors;
	exporter->selector_count = count;
	if (!ur_sysfs_exists(DRIVERS "/" STUB)) {
		ur_say("no driver " STUB " here: load it with modprobe " STUB);
		return UR_EXIT_FAILED;
	}
	ur_state_each(owner, adopt, exporter);
	return UR_EXIT_OK;
}

enum ur_exit ur_exporter_close(struct ur_exporter *exporter)
{
	enum ur_exit exit = UR_EXIT_OK;

	while (exporter->held_count > 0) {
		char busid[UR_OP_BUSID_BYTES];

		memcpy(busid, exporter->held[exporter->held_count - 1],
		       sizeof(busid));
		if (is_bound_to(busid, STUB) && !give_back(busid))
			exit = UR_EXIT_FAILED;
		let_go(exporter, busid);
	}
	return exit;
}

/* The list */

static bool is_exported(const struct ur_exporter *exporter,
			const struct ur_device *device)
{
	u32 i;

	if (device->is_attached)
		return false;
	for (i = 0; i < exporter->selector_count; i++)
		if (ur_selector_matches(&exporter->selectors[i], device))
			return true;
	return exporter->selector_count == 0;
}

int ur_exporter_list(struct ur_exporter *exporter, struct ur_device_list *list)
{
	u32 kept = 0;
	u32 i;

	if (ur_usb_list(list) < 0)
		return -1;
	for (i = 0; i < list->count && kept < UR_OP_DEVICES_MAX; i++)
		if (is_exported(exporter, &list->items[i]))
			list->items[kept++] = list->items[i];
	list->count = kept;
	return 0;
}

/* Import */

static const struct ur_device *find(const struct ur_device_list *list,
				    const char *name)
{
	struct ur_selector by_serial = { .kind = UR_SELECT_SERIAL };
	size_t prefix = strlen(UR_SERIAL_PREFIX);
	const struct ur_device *found;

	if (strncmp(name, UR_SERIAL_PREFIX, prefix) != 0)
		return ur_device_by_busid(list, name);
	snprintf(by_serial.text, sizeof(by_serial.text), "%s", name + prefix);
	return ur_selector_find(&by_serial, list, &found) ? NULL : found;
}

static u32 status_of(const char *busid)
{
	static const struct {
		const char *text;
		u32 status;
	} states[] = {
		{ STUB_AVAILABLE, UR_OP_OK },
		{ STUB_USED, UR_OP_DEV_BUSY },
		{ STUB_ERROR, UR_OP_DEV_ERR },
	};
	char path[UR_SYSFS_PATH_BYTES];
	char text[16];
	size_t i;

	snprintf(path, sizeof(path), "bus/usb/devices/%s/usbip_status", busid);
	if (ur_sysfs_read(path, text, sizeof(text)) == 0)
		for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			if (strcmp(text, states[i].text) == 0)
				return states[i].status;
	return UR_OP_NA;
}

static u32 hand_over(const char *busid, int fd)
{
	char path[UR_SYSFS_PATH_BYTES];
	char text[16];
	int error;

	snprintf(path, sizeof(path), "bus/usb/devices/%s/usbip_sockfd", busid);
	snprintf(text, sizeof(text), "%d", fd);
	error = ur_sysfs_write(path, text);
	if (error) {
		errno = -error;
		ur_say("%s: " STUB " does not take the stream: %m", busid);
	}
	return error ? UR_OP_NA : UR_OP_OK;
}

static u32 import(struct ur_exporter *exporter, const struct ur_device *device,
		  int fd)
{
	const char *busid = device->op.busid.text;
	u32 status;

	if (!bind_device(exporter, device))
		return UR_OP_NA;
	status = status_of(busid);
	return status == UR_OP_OK ? hand_over(busid, fd) : status;
}

u32 ur_exporter_import(struct ur_exporter *exporter,
		       const struct ur_op_busid *busid, int fd,
		       struct ur_op_device *device)
{
	struct ur_device_list list = { 0 };
	const struct ur_device *found;
	u32 status = UR_OP_NA;

	if (ur_exporter_list(exporter, &list) == 0) {
		found = find(&list, busid->text);
		status = found ? import(exporter, found, fd) : UR_OP_NODEV;
		if (found)
			*device = found->op;
	}
	ur_device_list_free(&list);
	return status;
}
