// SPDX-License-Identifier: BSD-2-Clause
/* usbroute list: the devices the peer exports, or those this machine could. */
#include <stdio.h>
#include <unistd.h>

#include "ask.h"
#include "clock.h"
#include "exporter.h"
#include "json.h"
#include "link.h"
#include "say.h"
#include "table.h"

static enum ur_exit ask(const struct ur_options *options, char *name,
			size_t size, struct ur_device_list *list)
{
	u64 deadline = ur_now_ms() + options->timeout_ms;
	struct ur_link link;
	enum ur_exit exit;
	int fd;

	exit = ur_link_open(&link, options->device);
	if (exit)
		return exit;
	snprintf(name, size, "%s", link.name);
	exit = ur_link_connect(&link, options->timeout_ms, &fd);
	if (!exit) {
		exit = ur_ask_devices(fd, deadline, list);
		close(fd);
	}
	ur_link_close(&link);
	return exit;
}

static enum ur_exit look(struct ur_device_list *list)
{
	struct ur_exporter all = { 0 };

	return ur_exporter_list(&all, list) < 0 ? UR_EXIT_FAILED : UR_EXIT_OK;
}

/* "08/06/50 storage" or, of a device with several interfaces, "hid hid audio" */
static void print_classes(const struct ur_device *device, char *text,
			  size_t size)
{
	const struct ur_device_interface *at = device->interfaces;
	size_t used = 0;
	u32 i;

	text[0] = '\0';
	if (device->interface_count == 1)
		snprintf(text, size, "%02x/%02x/%02x %s",
			 at->op.interface_class, at->op.interface_subclass,
			 at->op.interface_protocol,
			 ur_class_text(at->op.interface_class));
	for (i = 0; device->interface_count > 1 &&
		    i < device->interface_count && used < size; i++) {
		u8 number = at[i].op.interface_class;
		const char *class = ur_class_text(number);

		used += *class ? snprintf(text + used, size - used, "%s ",
					  class) :
				 snprintf(text + used, size - used, "%02x ",
					  number);
	}
}

static void add_row(struct ur_table *table, const struct ur_device *device,
		    bool is_local)
{
	char classes[256];

	print_classes(device, classes, sizeof(classes));
	ur_table_row(table);
	ur_table_cell(table, "%s", device->op.busid.text);
	ur_table_cell(table, "%04x:%04x", device->op.vendor,
		      device->op.product);
	ur_table_cell(table, "%s", ur_speed_text(device->op.speed));
	ur_table_cell(table, "%s", classes);
	if (!is_local)
		return;
	ur_table_cell(table, "%s", device->driver);
	ur_table_cell(table, "%s", device->serial);
	ur_table_cell(table, "%s", device->product);
}

static enum ur_exit print_table(const struct ur_device_list *list,
				bool is_local)
{
	static const char *const remote[] = { "BUSID", "ID", "SPEED",
					      "INTERFACES", NULL };
	static const char *const local[] = { "BUSID",  "ID",	 "SPEED",
					     "INTERFACES", "DRIVER", "SERIAL",
					     "PRODUCT", NULL };
	struct ur_table table;
	u32 i;

	if (list->count == 0) {
		ur_say(is_local ? "no device here can be exported" :
				  "the other side exports no device");
		return UR_EXIT_OK;
	}
	ur_table_begin(&table, is_local ? local : remote);
	for (i = 0; i < list->count; i++)
		add_row(&table, &list->items[i], is_local);
	return ur_table_print(&table);
}

static enum ur_exit print_json(const struct ur_device_list *list,
			       const char *name, bool is_local)
{
	json_t *devices;
	u32 i;

	ur_json_begin();
	devices = json_array();
	for (i = 0; i < list->count; i++)
		json_array_append_new(devices, ur_json_device(&list->items[i],
							      is_local));
	if (is_local)
		return ur_json_print(json_pack("{s:i,s:o}",
					       "version", UR_JSON_VERSION,
					       "devices", devices));
	return ur_json_print(json_pack("{s:i,s:s,s:o}",
				       "version", UR_JSON_VERSION,
				       "link", name, "devices", devices));
}

enum ur_exit ur_command_list(const struct ur_options *options)
{
	struct ur_device_list list = { 0 };
	enum ur_exit exit;
	char name[128];

	if (options->local)
		exit = look(&list);
	else
		exit = ask(options, name, sizeof(name), &list);
	if (!exit)
		exit = options->json ?
			print_json(&list, name, options->local) :
			print_table(&list, options->local);
	ur_device_list_free(&list);
	return exit;
}
