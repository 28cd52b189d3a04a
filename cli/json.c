// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "say.h"

/* A part that there was no memory for: the document lacks it. */
static bool is_short;

static void *allocate(size_t bytes)
{
	void *at = malloc(bytes);

	is_short |= !at;
	return at;
}

void ur_json_begin(void)
{
	json_set_alloc_funcs(allocate, free);
	json_object_seed(1);
}

/* "46f4": as lsusb and udev rules write it, and as a selector takes it. */
static json_t *hex16(u16 value)
{
	return json_sprintf("%04x", value);
}

static json_t *interface(const struct ur_device_interface *from, bool is_local)
{
	json_t *to = json_pack("{s:i,s:i,s:i}",
			       "class", from->op.interface_class,
			       "subclass", from->op.interface_subclass,
			       "protocol", from->op.interface_protocol);

	if (!is_local)
		return to;
	json_object_set_new(to, "name", json_string(from->name));
	json_object_set_new(to, "driver", json_string(from->driver));
	return to;
}

static json_t *interfaces(const struct ur_device *device, bool is_local)
{
	json_t *array = json_array();
	u32 i;

	for (i = 0; i < device->interface_count; i++)
		json_array_append_new(array, interface(&device->interfaces[i],
						       is_local));
	return array;
}

static void add_local(json_t *to, const struct ur_device *device)
{
	json_object_set_new(to, "driver", json_string(device->driver));
	json_object_set_new(to, "serial", json_string(device->serial));
	json_object_set_new(to, "manufacturer",
			    json_string(device->manufacturer));
	json_object_set_new(to, "product_name", json_string(device->product));
}

json_t *ur_json_device(const struct ur_device *device, bool is_local)
{
	const struct ur_op_device *op = &device->op;
	json_t *to = json_pack(
		"{s:s,s:s,s:i,s:i,s:s,s:o,s:o,s:o,s:i,s:i,s:i,s:i,s:o}",
		"busid", op->busid.text, "path", op->path,
		"busnum", (int)op->busnum, "devnum", (int)op->devnum,
		"speed", ur_speed_text(op->speed),
		"vendor", hex16(op->vendor), "product", hex16(op->product),
		"bcd_device", hex16(op->bcd_device),
		"class", op->device_class, "subclass", op->device_subclass,
		"protocol", op->device_protocol,
		"configuration", op->configuration,
		"interfaces", interfaces(device, is_local));

	if (to && is_local)
		add_local(to, device);
	return to;
}

enum ur_exit ur_json_print(json_t *document)
{
	int error = -1;

	if (document && !is_short)
		error = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	if (error) {
		ur_say(is_short ? "cannot print JSON: out of memory" :
				  "cannot print JSON");
		return UR_EXIT_FAILED;
	}
	putchar('\n');
	return UR_EXIT_OK;
}
