// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "attached.h"
#include "say.h"
#include "usb.h"

static bool is_in_use(const struct ur_vhci_port *port)
{
	/* A controller that is not ready shows UNASSIGNED ports without devid. */
	return port->status == UR_VHCI_USED || port->status == UR_VHCI_ERROR;
}

static void fill(struct ur_attached *item, const struct ur_vhci_port *port,
		 const struct ur_device_list *devices)
{
	const struct ur_device *device;

	item->port = *port;
	device = ur_device_by_busid(devices, port->busid);
	if (device)
		item->device = *device;
	item->has_origin = ur_state_origin(port->port, &item->origin);
}

static enum ur_exit join(const struct ur_vhci_list *ports,
			 const struct ur_device_list *devices,
			 struct ur_attached_list *list)
{
	u32 i;

	list->items = calloc(ports->count + 1, sizeof(*list->items));
	if (!list->items) {
		ur_say("out of memory for %u ports", ports->count);
		return UR_EXIT_FAILED;
	}
	for (i = 0; i < ports->count; i++)
		if (is_in_use(&ports->items[i]))
			fill(&list->items[list->count++], &ports->items[i],
			     devices);
	return UR_EXIT_OK;
}

enum ur_exit ur_attached_read(struct ur_attached_list *list)
{
	struct ur_device_list devices = { 0 };
	struct ur_vhci_list ports = { 0 };
	enum ur_exit exit = ur_vhci_read(&ports);

	if (!exit && ur_usb_list(&devices) < 0)
		exit = UR_EXIT_FAILED;
	if (!exit)
		exit = join(&ports, &devices, list);
	ur_device_list_free(&devices);
	ur_vhci_free(&ports);
	return exit;
}

void ur_attached_free(struct ur_attached_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

const char *ur_attached_status(const struct ur_attached *item)
{
	return item->port.status == UR_VHCI_ERROR ? "error" : "used";
}
