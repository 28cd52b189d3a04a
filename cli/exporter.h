/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices that `usbroute serve` gives away, and whose they are.
 *
 * A device is bound to usbip-host when it is first imported, and stays bound
 * until the exporter is closed. Its own driver could have it back each time the
 * client lets go; but then a client that reboots or attaches again would race
 * with that driver (a file system mounted here in between, a device that the
 * driver's probe left in another state), and every re-attach would cost two
 * rebinds. So: what was exported once is for export, and SIGTERM gives it back.
 *
 * Which devices were bound by us is kept in files named by busid, so that a serve
 * that was killed leaves no orphans: the next one takes them over.
 */
#ifndef UR_EXPORTER_H
#define UR_EXPORTER_H

#include "selector.h"

#define UR_HELD_MAX 16	/* usbip-host's own table has as many places */

struct ur_exporter {
	const char *owner;	/* the link's name: two serves do not mix */
	const struct ur_selector *selectors;	/* the caller's; none: all devices */
	u32 selector_count;
	char held[UR_HELD_MAX][UR_OP_BUSID_BYTES];
	u32 held_count;
};

/*
 * Needs usbip-host. Devices that an earlier exporter of this owner left bound are
 * ours now, so there must be only one at a time. The owner's name and the
 * selectors stay the caller's and must outlive us. What fails is said.
 */
enum ur_exit ur_exporter_open(struct ur_exporter *exporter, const char *owner,
			      const struct ur_selector *selectors,
			      u32 count) ur_must_check;

/*
 * Give every device that we bound back to its own driver, whoever uses it.
 * UR_EXIT_FAILED if one would not go; each was logged.
 */
enum ur_exit ur_exporter_close(struct ur_exporter *exporter) ur_must_check;

/*
 * The devices that can be imported: no hubs, nothing that is itself attached
 * from a peer, and only what the selectors allow. Devices in use are listed too
 * (usbipd leaves them out): there is one client, and "busy" tells it more than
 * "no such device". 0, or -1 and it was said.
 */
int ur_exporter_list(struct ur_exporter *exporter,
		     struct ur_device_list *list) ur_must_check;

/*
 * Hand the stream `fd` to usbip-host for the device that `busid` names: its
 * busid, or "serial:XYZ" (selector.h). Returns enum ur_op_status, and after
 * UR_OP_OK *device is what the client must know; the kernel uses the stream then
 * and holds it on its own. UR_OP_DEV_BUSY: somebody has the device, or has
 * just let go and the kernel is not done with that.
 */
u32 ur_exporter_import(struct ur_exporter *exporter,
		       const struct ur_op_busid *busid, int fd,
		       struct ur_op_device *device) ur_must_check;

#endif
