// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <libudev.h>
#include <stdlib.h>

#include "say.h"
#include "text.h"
#include "usb.h"

static u32 number_of(struct udev_device *udev, const char *name, int base,
		     u32 most)
{
	const char *text = udev_device_get_sysattr_value(udev, name);
	u32 value = 0;

	/* sysfs pads bNumInterfaces and bConfigurationValue with spaces */
	while (text && *text == ' ')
		text++;
	if (!text || !ur_text_number(text, base, most, &value))
		return 0;
	return value;
}

static u16 hex16(struct udev_device *udev, const char *name)
{
	return (u16)number_of(udev, name, 16, 0xffff);
}

static u8 hex8(struct udev_device *udev, const char *name)
{
	return (u8)number_of(udev, name, 16, 0xff);
}

static u8 decimal8(struct udev_device *udev, const char *name)
{
	return (u8)number_of(udev, name, 10, 0xff);
}

static void fill_op(struct udev_device *udev, struct ur_op_device *op)
{
	ur_text_copy(op->path, sizeof(op->path),
		     udev_device_get_syspath(udev));
	ur_text_copy(op->busid.text, sizeof(op->busid.text),
		     udev_device_get_sysname(udev));
	op->busnum = number_of(udev, "busnum", 10, UR_OP_NUMBER_MAX);
	op->devnum = number_of(udev, "devnum", 10, UR_OP_NUMBER_MAX);
	op->speed = ur_speed_from_sysfs(
		udev_device_get_sysattr_value(udev, "speed"));
	op->vendor = hex16(udev, "idVendor");
	op->product = hex16(udev, "idProduct");
	op->bcd_device = hex16(udev, "bcdDevice");
	op->device_class = hex8(udev, "bDeviceClass");
	op->device_subclass = hex8(udev, "bDeviceSubClass");
	op->device_protocol = hex8(udev, "bDeviceProtocol");
	op->configuration = decimal8(udev, "bConfigurationValue");
	op->configurations = decimal8(udev, "bNumConfigurations");
}

static void fill_local(struct udev_device *udev, struct ur_device *device)
{
	ur_text_copy(device->driver, sizeof(device->driver),
		     udev_device_get_driver(udev));
	ur_text_copy(device->serial, sizeof(device->serial),
		     udev_device_get_sysattr_value(udev, "serial"));
	ur_text_copy(device->manufacturer, sizeof(device->manufacturer),
		     udev_device_get_sysattr_value(udev, "manufacturer"));
	ur_text_copy(device->product, sizeof(device->product),
		     udev_device_get_sysattr_value(udev, "product"));
	device->is_attached = strstr(device->op.path, "/vhci_hcd.") != NULL;
}

static void add_interface(struct udev_device *udev, struct ur_device *device)
{
	struct ur_device_interface *to;

	if (device->interface_count == UR_OP_INTERFACES_MAX)
		return;
	to = &device->interfaces[device->interface_count++];
	to->op.interface_class = hex8(udev, "bInterfaceClass");
	to->op.interface_subclass = hex8(udev, "bInterfaceSubClass");
	to->op.interface_protocol = hex8(udev, "bInterfaceProtocol");
	ur_text_copy(to->name, sizeof(to->name), udev_device_get_sysname(udev));
	ur_text_copy(to->driver, sizeof(to->driver),
		     udev_device_get_driver(udev));
}

/* What is not there was unplugged meanwhile, unless memory is short. */
static bool is_lost(const void *found)
{
	return !found && errno == ENOMEM;
}

/* Calls visit() for each USB device of that type, below `parent` if not NULL. */
static int walk(struct udev *udev, const char *type, struct udev_device *parent,
		void (*visit)(struct udev_device *found, void *context),
		void *context)
{
	struct udev_enumerate *all = udev_enumerate_new(udev);
	struct udev_list_entry *entry;
	int error;

	if (!all)
		return -1;
	error = udev_enumerate_add_match_subsystem(all, "usb");
	if (error >= 0)
		error = udev_enumerate_add_match_property(all, "DEVTYPE", type);
	if (error >= 0 && parent)
		error = udev_enumerate_add_match_parent(all, parent);
	if (error >= 0)
		error = udev_enumerate_scan_devices(all);
	if (error >= 0) {
		udev_list_entry_foreach(entry,
					udev_enumerate_get_list_entry(all)) {
			struct udev_device *found;

			errno = 0;
			found = udev_device_new_from_syspath(
				udev, udev_list_entry_get_name(entry));
			if (is_lost(found))
				error = -ENOMEM;
			if (found)
				visit(found, context);
			udev_device_unref(found);
		}
	}
	udev_enumerate_unref(all);
	return error < 0 ? -1 : 0;
}

struct interface_walk {
	struct ur_device *device;
	const char *parent;	/* syspath */
	bool failed;
};

/* A match by parent also finds what is below a hub: only direct children. */
static void visit_interface(struct udev_device *found, void *context)
{
	struct interface_walk *walk = context;
	struct udev_device *parent;

	errno = 0;
	parent = udev_device_get_parent(found);
	walk->failed |= is_lost(parent);
	if (parent &&
	    strcmp(udev_device_get_syspath(parent), walk->parent) == 0)
		add_interface(found, walk->device);
}

struct device_walk {
	struct udev *udev;
	struct ur_device_list *list;
	bool failed;
};

static void visit_device(struct udev_device *found, void *context)
{
	struct device_walk *devices = context;
	struct interface_walk interfaces = { 0 };
	struct ur_device *device = ur_device_list_add(devices->list);

	if (!device) {
		devices->failed = true;
		return;
	}
	fill_op(found, &device->op);
	/* Hubs, of which vhci-hcd alone makes 16, would cost most of the time. */
	if (device->op.devnum == 0 || ur_device_is_hub(device)) {
		devices->list->count--;
		return;
	}
	fill_local(found, device);
	interfaces.device = device;
	interfaces.parent = udev_device_get_syspath(found);
	if (walk(devices->udev, "usb_interface", found, visit_interface,
		 &interfaces) < 0 || interfaces.failed)
		devices->failed = true;
	device->op.interfaces = (u8)device->interface_count;
}

int ur_usb_list(struct ur_device_list *list)
{
	struct device_walk devices = { .udev = udev_new(), .list = list };

	if (!devices.udev || walk(devices.udev, "usb_device", NULL,
				  visit_device, &devices) < 0)
		devices.failed = true;
	udev_unref(devices.udev);
	if (devices.failed)
		ur_say("cannot list the USB devices of this machine");
	return devices.failed ? -1 : 0;
}
