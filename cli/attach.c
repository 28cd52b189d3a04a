// SPDX-License-Identifier: BSD-2-Clause
/*
 * usbroute attach: ask the peer for a device, give the stream to vhci-hcd, and
 * wait until this machine's kernel has the device and its drivers have looked.
 */
#include <stdio.h>
#include <unistd.h>

#include "ask.h"
#include "clock.h"
#include "events.h"
#include "link.h"
#include "say.h"
#include "selector.h"
#include "state.h"
#include "text.h"
#include "usb.h"
#include "vhci.h"

/*
 * The kernel announces a device that works, but not one that does not (a port
 * that became free again): that we look for, this often.
 */
#define LOOK_MS 200

struct attach {
	const struct ur_options *options;
	struct ur_selector selector;
	struct ur_link link;
	u64 deadline_ms;
	struct ur_op_device device;	/* what the peer gave */
	u32 port;
	char busid[UR_OP_BUSID_BYTES];	/* here */
};

static enum ur_exit call_peer(struct attach *attach, int *fd)
{
	int left = ur_until_ms(attach->deadline_ms);

	return ur_link_connect(&attach->link, (u32)left, fd);
}

/* VID:PID becomes a busid by the peer's list, on a connection of its own. */
static enum ur_exit look_up(struct attach *attach, struct ur_op_busid *busid)
{
	struct ur_device_list list = { 0 };
	const struct ur_device *found;
	enum ur_exit exit;
	int fd;

	exit = call_peer(attach, &fd);
	if (exit)
		return exit;
	exit = ur_ask_devices(fd, attach->deadline_ms, &list);
	close(fd);
	if (!exit)
		exit = ur_selector_find(&attach->selector, &list, &found);
	if (!exit)
		*busid = found->op.busid;
	ur_device_list_free(&list);
	return exit;
}

/* The device's stream, ready for URBs. */
static enum ur_exit import(struct attach *attach, int *fd)
{
	struct ur_op_busid busid;
	enum ur_exit exit;

	if (attach->selector.kind == UR_SELECT_ID)
		exit = look_up(attach, &busid);
	else
		exit = ur_selector_busid(&attach->selector, &busid);
	if (!exit)
		exit = call_peer(attach, fd);
	if (exit)
		return exit;
	exit = ur_ask_import(*fd, attach->deadline_ms, &busid, &attach->device);
	if (exit)
		close(*fd);
	return exit;
}

static void record(const struct attach *attach)
{
	struct ur_state_origin origin;

	ur_text_copy(origin.host, sizeof(origin.host), attach->link.host);
	ur_text_copy(origin.service, sizeof(origin.service),
		     attach->link.service);
	ur_text_copy(origin.busid, sizeof(origin.busid),
		     attach->device.busid.text);
	ur_state_record(attach->port, &origin);
}

/* Waiting */

/* May it still come: is the port taken? Learns the busid once there is one. */
static enum ur_exit look(struct attach *attach)
{
	struct ur_vhci_port port;

	if (ur_vhci_read_port(attach->port, &port) != UR_EXIT_OK)
		return UR_EXIT_FAILED;
	if (port.status == UR_VHCI_USED)
		memcpy(attach->busid, port.busid, sizeof(attach->busid));
	if (port.status == UR_VHCI_USED || port.status == UR_VHCI_UNASSIGNED)
		return UR_EXIT_OK;
	ur_say("port %u: the other side let go of %s before it was usable",
	       attach->port, attach->device.busid.text);
	return UR_EXIT_PEER_GONE;
}

/*
 * "bind" of the device itself comes after its interfaces were added and their
 * drivers, as far as loaded, were tried.
 */
static enum ur_exit wait_for_device(struct attach *attach,
				    struct ur_events *events)
{
	u64 deadline = ur_now_ms() + attach->options->settle_ms;
	struct ur_event event;

	while (ur_until_ms(deadline) > 0) {
		bool is_news = ur_events_next(events, LOOK_MS, &event);
		enum ur_exit exit = look(attach);

		if (exit)
			return exit;
		if (is_news && strcmp(event.action, "bind") == 0 &&
		    strcmp(event.busid, attach->busid) == 0)
			return UR_EXIT_OK;
	}
	ur_say("port %u: %s is not usable after %.1f s; given back",
	       attach->port, attach->device.busid.text,
	       attach->options->settle_ms / 1000.0);
	return UR_EXIT_FAILED;
}

static void print_device(const struct attach *attach)
{
	struct ur_device_list list = { 0 };
	const struct ur_device *device = NULL;
	u32 i;

	printf("port %u: %s %04x:%04x is %s here\n", attach->port,
	       attach->device.busid.text, attach->device.vendor,
	       attach->device.product, attach->busid);
	if (ur_usb_list(&list) == 0)
		device = ur_device_by_busid(&list, attach->busid);
	for (i = 0; device && i < device->interface_count; i++) {
		const struct ur_device_interface *at = &device->interfaces[i];

		printf("    %s  %02x/%02x/%02x %s  %s\n", at->name,
		       at->op.interface_class, at->op.interface_subclass,
		       at->op.interface_protocol,
		       ur_class_text(at->op.interface_class),
		       at->driver[0] ? at->driver : "(no driver)");
	}
	ur_device_list_free(&list);
}

static enum ur_exit plug_in(struct attach *attach, struct ur_events *events,
			    int fd)
{
	enum ur_exit exit;

	exit = ur_vhci_attach(fd, &attach->device, &attach->port);
	if (exit)
		return exit;
	record(attach);
	exit = wait_for_device(attach, events);
	if (!exit) {
		print_device(attach);
		return exit;
	}
	ur_state_forget(attach->port);
	/* After PEER_GONE there is nothing left to let go of. */
	if (exit == UR_EXIT_FAILED && ur_vhci_detach(attach->port))
		ur_say("port %u: still taken", attach->port);
	return exit;
}

static enum ur_exit run(struct attach *attach, struct ur_events *events)
{
	enum ur_exit exit;
	int fd;

	exit = ur_link_open(&attach->link, attach->options->device);
	if (exit)
		return exit;
	exit = import(attach, &fd);
	if (!exit) {
		exit = plug_in(attach, events, fd);
		close(fd);
	}
	ur_link_close(&attach->link);
	return exit;
}

/* Whether there are ports is asked before the peer is bothered. */
static enum ur_exit check_vhci(void)
{
	struct ur_vhci_list list = { 0 };
	enum ur_exit exit = ur_vhci_read(&list);

	ur_vhci_free(&list);
	return exit;
}

enum ur_exit ur_command_attach(const struct ur_options *options)
{
	struct attach attach = {
		.options = options,
		.deadline_ms = ur_now_ms() + options->timeout_ms,
	};
	struct ur_events *events;
	enum ur_exit exit;

	exit = ur_selector_parse(&attach.selector, options->operands[0]);
	if (!exit)
		exit = check_vhci();
	if (exit)
		return exit;
	events = ur_events_open();
	if (!events)
		return UR_EXIT_FAILED;
	exit = run(&attach, events);
	ur_events_close(events);
	return exit;
}
