/* SPDX-License-Identifier: BSD-2-Clause */
/* What is attached here: the ports in use, each with its device and its origin. */
#ifndef UR_ATTACHED_H
#define UR_ATTACHED_H

#include "device.h"
#include "state.h"
#include "vhci.h"

struct ur_attached {
	struct ur_vhci_port port;
	struct ur_device device;	/* all zero while it has no address yet */
	bool has_origin;
	struct ur_state_origin origin;
};

struct ur_attached_list {
	struct ur_attached *items;
	u32 count;
};

/* What fails is said. */
enum ur_exit ur_attached_read(struct ur_attached_list *list) ur_must_check;
void ur_attached_free(struct ur_attached_list *list);

/* "used" or "error" */
const char *ur_attached_status(const struct ur_attached *item);

#endif
