/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's ports: vhci-hcd, through its attributes in sysfs.
 *
 * A controller has as many ports for SuperSpeed as for slower devices; ports are
 * numbered through all controllers, whose tables are the attributes status,
 * status.1, ... of the first.
 */
#ifndef UR_VHCI_H
#define UR_VHCI_H

#include "command.h"
#include "op.h"

/* The kernel's enum usbip_device_status, as far as it is about ports. */
enum ur_vhci_status {
	UR_VHCI_FREE = 4,
	UR_VHCI_UNASSIGNED = 5,	/* taken, the device has no address yet */
	UR_VHCI_USED = 6,
	UR_VHCI_ERROR = 7,
};

struct ur_vhci_port {
	u32 port;
	bool is_super;
	u32 status;
	u32 speed;		/* enum ur_op_speed; 0 unless USED */
	u32 devid;		/* of the device where it comes from */
	char busid[UR_OP_BUSID_BYTES];	/* here; "0-0" unless USED */
};

struct ur_vhci_list {
	struct ur_vhci_port *items;
	u32 count;
	u32 room;
};

/*
 * Add the ports of one status text. Returns 0, or the number (from 1) of the
 * first line that is not a port's; nothing of that line or after it is added.
 * Or -1: no memory, and that was said.
 */
int ur_vhci_parse(const char *text, struct ur_vhci_list *list) ur_must_check;
void ur_vhci_free(struct ur_vhci_list *list);

/* All ports of this machine. UR_EXIT_FAILED and said: no vhci-hcd, ... */
enum ur_exit ur_vhci_read(struct ur_vhci_list *list) ur_must_check;

/* One port, read anew. UR_EXIT_NO_MATCH and said if there is none. */
enum ur_exit ur_vhci_read_port(u32 number,
			       struct ur_vhci_port *port) ur_must_check;

/*
 * Give the stream to a free port that suits the speed, and with it the device.
 * Tells the port taken. The kernel holds the stream on its own from here.
 */
enum ur_exit ur_vhci_attach(int fd, const struct ur_op_device *device,
			    u32 *port) ur_must_check;

/* Begin to let a port's device go: the kernel does the rest in a while. */
enum ur_exit ur_vhci_detach(u32 port) ur_must_check;

/* Whether nothing is left of it: the port is free and its device gone. */
bool ur_vhci_is_gone(u32 port, const char *busid) ur_must_check;

#endif
