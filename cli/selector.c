// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <stdio.h>

#include "say.h"
#include "selector.h"
#include "text.h"

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Letters, digits and . _ - : what a busid is made of; no ':', see below. */
static bool is_busid(const char *text)
{
	size_t length = strlen(text);
	size_t i;

	if (length == 0 || length >= UR_OP_BUSID_BYTES || !isalnum((u8)*text))
		return false;
	for (i = 0; i < length; i++)
		if (!isalnum((u8)text[i]) && !strchr("._-", text[i]))
			return false;
	return true;
}

static bool parse_busid(struct ur_selector *selector, const char *text)
{
	if (!is_busid(text))
		return false;
	selector->kind = UR_SELECT_BUSID;
	ur_text_copy(selector->text, sizeof(selector->text), text);
	return true;
}

/*
 * A guard's name of a device: "usb1:1-1.2". Not to be taken for VID:PID, since a
 * busid has a - or a . in it.
 */
static bool parse_guarded(struct ur_selector *selector, const char *text)
{
	const char *busid = strchr(text, ':') + 1;
	size_t length = busid - 1 - text;
	char vm[UR_OP_BUSID_BYTES] = "";

	if (length >= sizeof(vm) || strlen(text) >= UR_OP_BUSID_BYTES)
		return false;
	memcpy(vm, text, length);
	if (!is_busid(vm) || !is_busid(busid) || !strpbrk(busid, "-."))
		return false;
	selector->kind = UR_SELECT_BUSID;
	ur_text_copy(selector->text, sizeof(selector->text), text);
	return true;
}

static bool parse_serial(struct ur_selector *selector, const char *text)
{
	if (*text == '\0' || strlen(text) >= sizeof(selector->text))
		return false;
	selector->kind = UR_SELECT_SERIAL;
	ur_text_copy(selector->text, sizeof(selector->text), text);
	return true;
}

static bool parse_id(struct ur_selector *selector, const char *text)
{
	const char *colon = strchr(text, ':');
	char vendor[5] = "";
	u32 numbers[2];

	if (colon - text > 4 || strlen(colon + 1) > 4)
		return false;
	memcpy(vendor, text, colon - text);
	if (!ur_text_number(vendor, 16, 0xffff, &numbers[0]) ||
	    !ur_text_number(colon + 1, 16, 0xffff, &numbers[1]))
		return false;
	selector->kind = UR_SELECT_ID;
	selector->vendor = (u16)numbers[0];
	selector->product = (u16)numbers[1];
	return true;
}

static bool parse(struct ur_selector *selector, const char *text)
{
	if (has_prefix(text, "serial="))
		return parse_serial(selector, text + strlen("serial="));
	if (has_prefix(text, "port="))
		return parse_busid(selector, text + strlen("port="));
	if (strchr(text, ':'))
		return parse_id(selector, text) ||
		       parse_guarded(selector, text);
	return parse_busid(selector, text);
}

enum ur_exit ur_selector_parse(struct ur_selector *selector, const char *text)
{
	char shown[64];

	memset(selector, 0, sizeof(*selector));
	if (parse(selector, text))
		return UR_EXIT_OK;
	ur_text_copy(shown, sizeof(shown), text);
	ur_say("\"%s\" names no device: want a busid (1-1.2 or usb1:1-1.2), "
	       "VID:PID (46f4:0001), serial=TEXT or port=1-1.2", shown);
	return UR_EXIT_USAGE;
}

bool ur_selector_matches(const struct ur_selector *selector,
			 const struct ur_device *device)
{
	switch (selector->kind) {
	case UR_SELECT_BUSID:
		return strcmp(selector->text, device->op.busid.text) == 0;
	case UR_SELECT_ID:
		return selector->vendor == device->op.vendor &&
		       selector->product == device->op.product;
	case UR_SELECT_SERIAL:
		/* A peer may ask for "serial:" and nothing: that is nobody. */
		return selector->text[0] != '\0' &&
		       strcmp(selector->text, device->serial) == 0;
	}
	return false;
}

void ur_selector_print(const struct ur_selector *selector,
		       char text[UR_SELECTOR_TEXT_BYTES])
{
	if (selector->kind == UR_SELECT_ID)
		snprintf(text, UR_SELECTOR_TEXT_BYTES, "%04x:%04x",
			 selector->vendor, selector->product);
	else
		snprintf(text, UR_SELECTOR_TEXT_BYTES, "%s%s",
			 selector->kind == UR_SELECT_SERIAL ? "serial=" : "",
			 selector->text);
}

static void say_matches(const struct ur_selector *selector,
			const struct ur_device_list *list)
{
	char text[UR_SELECTOR_TEXT_BYTES];
	u32 i;

	ur_selector_print(selector, text);
	ur_say("%s fits several devices; name one by its busid:", text);
	for (i = 0; i < list->count; i++) {
		const struct ur_device *device = &list->items[i];

		if (ur_selector_matches(selector, device))
			ur_say("    %s  %04x:%04x  %s", device->op.busid.text,
			       device->op.vendor, device->op.product,
			       device->serial);
	}
}

enum ur_exit ur_selector_find(const struct ur_selector *selector,
			      const struct ur_device_list *list,
			      const struct ur_device **found)
{
	char text[UR_SELECTOR_TEXT_BYTES];
	u32 matches = 0;
	u32 i;

	for (i = 0; i < list->count; i++) {
		if (!ur_selector_matches(selector, &list->items[i]))
			continue;
		*found = &list->items[i];
		matches++;
	}
	if (matches == 1)
		return UR_EXIT_OK;
	if (matches > 1) {
		say_matches(selector, list);
		return UR_EXIT_USAGE;
	}
	ur_selector_print(selector, text);
	ur_say("%s: no such device among %u", text, list->count);
	return UR_EXIT_NO_MATCH;
}

enum ur_exit ur_selector_busid(const struct ur_selector *selector,
			       struct ur_op_busid *busid)
{
	bool by_serial = selector->kind == UR_SELECT_SERIAL;
	char text[UR_SELECTOR_TEXT_BYTES];
	struct ur_refusal why;

	snprintf(text, sizeof(text), "%s%s", by_serial ? UR_SERIAL_PREFIX : "",
		 selector->text);
	if (ur_op_busid_set(busid, text, &why) == 0)
		return UR_EXIT_OK;
	ur_say("serial=%s cannot be asked for over the link: at most %zu "
	       "characters, only letters, digits and . : _ -; use the busid",
	       selector->text,
	       UR_OP_BUSID_BYTES - 1 - strlen(UR_SERIAL_PREFIX));
	return UR_EXIT_USAGE;
}
