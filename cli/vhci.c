// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "device.h"
#include "say.h"
#include "sysfs.h"
#include "text.h"
#include "vhci.h"

#define VHCI "devices/platform/vhci_hcd.0"
#define CONTROLLERS_MAX 128	/* as the kernel's configuration allows */
#define FIELDS 7

/* One line: "hs  0000 006 003 00010002 000003 3-1" */

static u32 split(char *line, char *fields[FIELDS + 1])
{
	char *rest = NULL;
	char *field;
	u32 count = 0;

	for (field = strtok_r(line, " \t", &rest); field && count <= FIELDS;
	     field = strtok_r(NULL, " \t", &rest))
		fields[count++] = field;
	return count;
}

static bool parse_hub(const char *field, bool *is_super)
{
	*is_super = strcmp(field, "ss") == 0;
	return *is_super || strcmp(field, "hs") == 0;
}

static bool parse_port(char *line, struct ur_vhci_port *port)
{
	char *fields[FIELDS + 1];

	memset(port, 0, sizeof(*port));
	if (split(line, fields) != FIELDS ||
	    strlen(fields[6]) >= sizeof(port->busid))
		return false;
	/* fields[5], the descriptor's number, means nothing to us */
	ur_text_copy(port->busid, sizeof(port->busid), fields[6]);
	return parse_hub(fields[0], &port->is_super) &&
	       ur_text_number(fields[1], 10, 0xffff, &port->port) &&
	       ur_text_number(fields[2], 10, UR_VHCI_ERROR, &port->status) &&
	       ur_text_number(fields[3], 10, UR_SPEED_SUPER_PLUS,
			      &port->speed) &&
	       ur_text_number(fields[4], 16, 0xffffffff, &port->devid);
}

static int add_port(struct ur_vhci_list *list, const struct ur_vhci_port *port)
{
	if (list->count == list->room) {
		u32 room = list->room ? list->room * 2 : 32;
		void *items = reallocarray(list->items, room, sizeof(*port));

		if (!items) {
			ur_say("out of memory for %u ports", room);
			return -1;
		}
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = *port;
	return 0;
}

static int parse_line(char *line, struct ur_vhci_list *list)
{
	struct ur_vhci_port port;

	if (strncmp(line, "hub", 3) == 0 || *line == '\0')
		return 0;	/* the table's head */
	if (!parse_port(line, &port))
		return 1;
	return add_port(list, &port);
}

int ur_vhci_parse(const char *text, struct ur_vhci_list *list)
{
	char *copy = strdup(text);
	char *rest = copy;
	int number = 0;
	int error = copy ? 0 : -1;

	while (!error && rest) {
		error = parse_line(strsep(&rest, "\n"), list);
		number++;
	}
	free(copy);
	return error > 0 ? number : error;
}

void ur_vhci_free(struct ur_vhci_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* All ports */

static enum ur_exit parse_controller(const char *name, const char *text,
				     struct ur_vhci_list *list)
{
	int line = ur_vhci_parse(text, list);

	if (line < 0)
		ur_say("/sys/" VHCI "/%s: out of memory", name);
	if (line > 0)
		ur_say("/sys/" VHCI "/%s: line %d is not a port: want "
		       "\"hub port sta spd dev sockfd local_busid\"",
		       name, line);
	return line ? UR_EXIT_FAILED : UR_EXIT_OK;
}

static enum ur_exit say_absent(int error)
{
	errno = -error;
	if (error == -ENOENT)
		ur_say("no vhci-hcd here: load it with modprobe vhci-hcd");
	else
		ur_say("cannot read /sys/" VHCI "/status: %m");
	return UR_EXIT_FAILED;
}

enum ur_exit ur_vhci_read(struct ur_vhci_list *list)
{
	char text[UR_SYSFS_PAGE_BYTES];
	enum ur_exit exit = UR_EXIT_OK;
	char name[16] = "status";
	char path[64];
	int error = 0;
	int i;

	for (i = 0; i < CONTROLLERS_MAX && !exit; i++) {
		if (i > 0)
			snprintf(name, sizeof(name), "status.%d", i);
		snprintf(path, sizeof(path), VHCI "/%s", name);
		error = ur_sysfs_read(path, text, sizeof(text));
		if (error)
			return i > 0 && error == -ENOENT ? UR_EXIT_OK :
							   say_absent(error);
		exit = parse_controller(name, text, list);
	}
	return exit;
}

enum ur_exit ur_vhci_read_port(u32 number, struct ur_vhci_port *port)
{
	struct ur_vhci_list list = { 0 };
	enum ur_exit exit = ur_vhci_read(&list);
	bool is_found = false;
	u32 i;

	for (i = 0; !exit && i < list.count; i++)
		if (list.items[i].port == number) {
			*port = list.items[i];
			is_found = true;
		}
	ur_vhci_free(&list);
	if (!exit && !is_found) {
		ur_say("no port %u here: there are %u", number, i);
		return UR_EXIT_NO_MATCH;
	}
	return exit;
}

/* Attach */

/*
 * This vhci-hcd knows no SuperSpeedPlus; such a device works as a SuperSpeed one:
 * how fast it talks here is not how fast it talks there.
 */
static u32 vhci_speed(u32 speed)
{
	return speed == UR_SPEED_SUPER_PLUS ? UR_SPEED_SUPER : speed;
}

/* 0, -EBUSY: somebody was faster, -ENOSPC: no port left, or -errno. */
static int try_attach(const struct ur_vhci_list *list, int fd, u32 devid,
		      u32 speed, u32 *port)
{
	bool is_super = speed == UR_SPEED_SUPER;
	char text[64];
	u32 i;

	for (i = 0; i < list->count; i++)
		if (list->items[i].status == UR_VHCI_FREE &&
		    list->items[i].is_super == is_super)
			break;
	if (i == list->count)
		return -ENOSPC;
	*port = list->items[i].port;
	snprintf(text, sizeof(text), "%u %d %u %u", *port, fd, devid, speed);
	return ur_sysfs_write(VHCI "/attach", text);
}

static enum ur_exit say_attach(int error, u32 port, u32 speed)
{
	if (error == 0)
		return UR_EXIT_OK;
	errno = -error;
	if (error == -ENOSPC)
		ur_say("no free port for a device of %s speed",
		       ur_speed_text(speed));
	else
		ur_say("vhci-hcd does not take the device on port %u (%s "
		       "speed): %m", port, ur_speed_text(speed));
	return UR_EXIT_FAILED;
}

enum ur_exit ur_vhci_attach(int fd, const struct ur_op_device *device,
			    u32 *port)
{
	u32 speed = vhci_speed(device->speed);
	int tries = 16;	/* as many attachers at once, and we lose to each */
	int error;

	*port = 0;
	do {
		struct ur_vhci_list list = { 0 };
		enum ur_exit exit = ur_vhci_read(&list);

		error = exit ? 0 : try_attach(&list, fd, ur_op_devid(device),
					      speed, port);
		ur_vhci_free(&list);
		if (exit)
			return exit;
	} while (error == -EBUSY && --tries > 0);
	return say_attach(error, *port, device->speed);
}

/* Detach */

enum ur_exit ur_vhci_detach(u32 port)
{
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%u", port);
	error = ur_sysfs_write(VHCI "/detach", text);
	if (!error)
		return UR_EXIT_OK;
	errno = -error;
	ur_say("port %u: vhci-hcd does not let go: %m", port);
	return UR_EXIT_FAILED;
}

bool ur_vhci_is_gone(u32 port, const char *busid)
{
	char path[UR_SYSFS_PATH_BYTES];
	struct ur_vhci_port now;

	snprintf(path, sizeof(path), "bus/usb/devices/%s", busid);
	return !ur_sysfs_exists(path) &&
	       ur_vhci_read_port(port, &now) == UR_EXIT_OK &&
	       now.status == UR_VHCI_FREE;
}
