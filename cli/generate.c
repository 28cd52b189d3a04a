// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rules are written so that they match at the guard, which knows a device by its
 * descriptors and by the VM that has it: the interfaces are those of all settings,
 * not of the one now selected, and a port is one with a VM's name or none.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "generate.h"
#include "guard.h"
#include "say.h"
#include "sysfs.h"
#include "usb.h"

#define TYPES_MAX 64
#define DESCRIPTORS_BYTES 65536

/* USB 2.0 table 9-12: where the class of an interface descriptor is. */
enum { INTERFACE = 4, INTERFACE_BYTES = 9, CLASS_AT = 5 };

struct types {
	u8 type[TYPES_MAX][3];
	u32 count;
	bool is_cut;
};

/* Text as the guard has it, for the compiler to read back. */
static void print_quoted(const char *word, const char *text)
{
	printf(" %s \"", word);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar((u8)*text < 32 || *text == 127 ? '?' : *text);
	}
	putchar('"');
}

static void add_type(struct types *types, const u8 type[3])
{
	u32 i;

	for (i = 0; i < types->count; i++)
		if (memcmp(types->type[i], type, 3) == 0)
			return;
	if (types->count == TYPES_MAX)
		types->is_cut = true;
	else
		memcpy(types->type[types->count++], type, 3);
}

static void path_of(char path[UR_SYSFS_PATH_BYTES], const struct ur_device *d,
		    const char *attribute)
{
	snprintf(path, UR_SYSFS_PATH_BYTES, "bus/usb/devices/%s/%s",
		 d->op.busid.text, attribute);
}

/*
 * From the device descriptor and all configurations, as the device gave them. A rule
 * that named a part of them would be blocked, one that named none would allow more.
 */
static bool read_types(const struct ur_device *d, struct types *types)
{
	static u8 bytes[DESCRIPTORS_BYTES];
	char path[UR_SYSFS_PATH_BYTES];
	int at, got;

	path_of(path, d, "descriptors");
	got = ur_sysfs_read_bytes(path, bytes, sizeof(bytes));
	for (at = 0; at + 2 <= got && bytes[at] >= 2; at += bytes[at])
		if (bytes[at + 1] == INTERFACE &&
		    at + INTERFACE_BYTES <= got)
			add_type(types, bytes + at + CLASS_AT);
	if (got < 0) {
		errno = -got;
		ur_say("%s: left out: its descriptors cannot be read: %m",
		       d->op.busid.text);
	} else if (types->is_cut) {
		ur_say("%s: left out: more than %u kinds of interfaces",
		       d->op.busid.text, TYPES_MAX);
	}
	return got >= 0 && !types->is_cut;
}

static void print_interfaces(const struct types *types)
{
	u32 i;

	if (types->count == 0)
		return;
	printf(" with-interface match-all {");
	for (i = 0; i < types->count; i++)
		printf(" %02x:%02x:%02x", types->type[i][0], types->type[i][1],
		       types->type[i][2]);
	printf(" }");
}

static void print_rule(const struct ur_device *d, const char *client,
		       const char *vm)
{
	char serial[UR_SYSFS_PAGE_BYTES], path[UR_SYSFS_PATH_BYTES];
	char port[UR_GUARD_VM_BYTES + UR_OP_BUSID_BYTES];
	struct types types = { .count = 0 };

	if (!read_types(d, &types))
		return;
	printf("allow id %04x:%04x", d->op.vendor, d->op.product);
	path_of(path, d, "serial");
	if (ur_sysfs_read(path, serial, sizeof(serial)) == 0 && serial[0])
		print_quoted("serial", serial);
	snprintf(port, sizeof(port), "%s:%s", vm ? vm : "", d->op.busid.text);
	if (vm && strlen(port) < UR_OP_BUSID_BYTES)
		print_quoted("via-port", port);
	print_interfaces(&types);
	if (client)
		printf(" label \"to=%s\"", client);
	putchar('\n');
}

static bool is_name(const char *what, const char *name, size_t most)
{
	if (name[0] && strlen(name) <= most && !strpbrk(name, " \t\n\"\\,:"))
		return true;
	ur_say("policy generate: want a %s of 1 to %zu characters without blanks, "
	       "quotes, commas and colons", what, most);
	return false;
}

enum ur_exit ur_policy_generate(const struct ur_options *options)
{
	char **operands = options->operands;
	const char *client = options->operand_count > 1 ? operands[1] : NULL;
	const char *vm = options->operand_count > 2 ? operands[2] : NULL;
	struct ur_device_list list = { 0 };
	int error;
	u32 i;

	if ((client && !is_name("client's name", client, UR_GUARD_CLIENT_BYTES - 1)) ||
	    (vm && !is_name("device VM's name", vm, UR_GUARD_VM_BYTES - 1)))
		return UR_EXIT_USAGE;
	error = ur_usb_list(&list);
	for (i = 0; !error && i < list.count; i++)
		if (!list.items[i].is_attached)
			print_rule(&list.items[i], client, vm);
	ur_device_list_free(&list);
	return error ? UR_EXIT_FAILED : UR_EXIT_OK;
}
