// SPDX-License-Identifier: BSD-2-Clause
/* usbroute port: what is attached here, and where it comes from. */
#include <stdio.h>

#include "attached.h"
#include "json.h"
#include "say.h"
#include "table.h"

static void print_drivers(const struct ur_device *device, char *text,
			  size_t size)
{
	size_t used = 0;
	u32 i;

	text[0] = '\0';
	for (i = 0; i < device->interface_count && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s",
				 i ? " " : "",
				 device->interfaces[i].driver[0] ?
				 device->interfaces[i].driver : "-");
}

static void add_row(struct ur_table *table, const struct ur_attached *item)
{
	const struct ur_device *device = &item->device;
	char drivers[256];

	print_drivers(device, drivers, sizeof(drivers));
	ur_table_row(table);
	ur_table_cell(table, "%u", item->port.port);
	ur_table_cell(table, "%s", ur_attached_status(item));
	ur_table_cell(table, "%s", ur_speed_text(item->port.speed));
	ur_table_cell(table, "%04x:%04x", device->op.vendor,
		      device->op.product);
	ur_table_cell(table, "%s", item->port.busid);
	if (item->has_origin)
		ur_table_cell(table, "%s/%s", item->origin.host,
			      item->origin.busid);
	else
		ur_table_cell(table, "?/%u-%u", item->port.devid >> 16,
			      item->port.devid & 0xffff);
	ur_table_cell(table, "%s", drivers);
	ur_table_cell(table, "%s", device->product);
}

static enum ur_exit print_table(const struct ur_attached_list *list)
{
	static const char *const headings[] = { "PORT", "STATE", "SPEED",
						"ID", "BUSID", "FROM",
						"DRIVERS", "PRODUCT", NULL };
	struct ur_table table;
	u32 i;

	if (list->count == 0) {
		ur_say("nothing is attached");
		return UR_EXIT_OK;
	}
	ur_table_begin(&table, headings);
	for (i = 0; i < list->count; i++)
		add_row(&table, &list->items[i]);
	return ur_table_print(&table);
}

static json_t *port(const struct ur_attached *item)
{
	json_t *to = json_pack("{s:i,s:s,s:s,s:i}",
			       "port", (int)item->port.port,
			       "state", ur_attached_status(item),
			       "hub", item->port.is_super ? "ss" : "hs",
			       "devid", (int)item->port.devid);

	if (item->has_origin)
		json_object_set_new(to, "from", json_pack("{s:s,s:s,s:s}",
			"link", item->origin.host,
			"service", item->origin.service,
			"busid", item->origin.busid));
	if (item->device.op.busid.text[0])
		json_object_set_new(to, "device",
				    ur_json_device(&item->device, true));
	return to;
}

static enum ur_exit print_json(const struct ur_attached_list *list)
{
	json_t *ports;
	u32 i;

	ur_json_begin();
	ports = json_array();
	for (i = 0; i < list->count; i++)
		json_array_append_new(ports, port(&list->items[i]));
	return ur_json_print(json_pack("{s:i,s:o}", "version", UR_JSON_VERSION,
				       "ports", ports));
}

enum ur_exit ur_command_port(const struct ur_options *options)
{
	struct ur_attached_list list = { 0 };
	enum ur_exit exit = ur_attached_read(&list);

	if (!exit)
		exit = options->json ? print_json(&list) : print_table(&list);
	ur_attached_free(&list);
	return exit;
}
