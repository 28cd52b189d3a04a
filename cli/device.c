// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "device.h"
#include "say.h"

#define CLASS_HUB 0x09

struct ur_device *ur_device_list_add(struct ur_device_list *list)
{
	struct ur_device *item;

	if (list->count == list->room) {
		u32 room = list->room ? list->room * 2 : 8;
		void *items = reallocarray(list->items, room, sizeof(*item));

		if (!items) {
			ur_say("out of memory for %u devices", room);
			return NULL;
		}
		list->items = items;
		list->room = room;
	}
	item = &list->items[list->count++];
	memset(item, 0, sizeof(*item));
	return item;
}

void ur_device_list_free(struct ur_device_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

const struct ur_device *ur_device_by_busid(const struct ur_device_list *list,
					   const char *busid)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->items[i].op.busid.text, busid) == 0)
			return &list->items[i];
	return NULL;
}

bool ur_device_is_hub(const struct ur_device *device)
{
	return device->op.device_class == CLASS_HUB;
}

static const struct {
	u32 speed;
	const char *sysfs;
	const char *text;
} speeds[] = {
	{ UR_SPEED_LOW, "1.5", "low" },
	{ UR_SPEED_FULL, "12", "full" },
	{ UR_SPEED_HIGH, "480", "high" },
	{ UR_SPEED_WIRELESS, "53.3-480", "wireless" },
	{ UR_SPEED_SUPER, "5000", "super" },
	{ UR_SPEED_SUPER_PLUS, "10000", "super+" },
	{ UR_SPEED_SUPER_PLUS, "20000", "super+" },
};
#define SPEEDS (sizeof(speeds) / sizeof(speeds[0]))

const char *ur_speed_text(u32 speed)
{
	size_t i;

	for (i = 0; i < SPEEDS; i++)
		if (speeds[i].speed == speed)
			return speeds[i].text;
	return "unknown";
}

u32 ur_speed_from_sysfs(const char *text)
{
	size_t i;

	for (i = 0; text && i < SPEEDS; i++)
		if (strcmp(speeds[i].sysfs, text) == 0)
			return speeds[i].speed;
	return UR_SPEED_UNKNOWN;
}

/* "Defined Class Codes" of the USB-IF, those a person may meet. */
static const struct {
	u8 number;
	const char *text;
} classes[] = {
	{ 0x01, "audio" },    { 0x02, "comm" },	   { 0x03, "hid" },
	{ 0x05, "physical" }, { 0x06, "image" },   { 0x07, "printer" },
	{ 0x08, "storage" },  { 0x09, "hub" },	   { 0x0a, "cdc-data" },
	{ 0x0b, "smartcard" },{ 0x0d, "security" },{ 0x0e, "video" },
	{ 0x0f, "health" },   { 0x10, "av" },	   { 0xdc, "diagnostic" },
	{ 0xe0, "wireless" }, { 0xef, "misc" },	   { 0xfe, "application" },
	{ 0xff, "vendor" },
};

const char *ur_class_text(u8 number)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].number == number)
			return classes[i].text;
	return "";
}
