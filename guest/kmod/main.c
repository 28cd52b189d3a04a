// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usbroute.ko: stream sockets over memory that another virtual machine shares.
 *
 *      pci.c, of.c     find the memory and the doorbell
 *      node.c          one link: watchdog, life and death
 *      bell.c          its doorbell, and what a storm of them may cost
 *      chardev.c       /dev/usbrouteN: connect, listen, accept, info
 *      socket.c        the sockets: what usbip-host and vhci-hcd send through
 *      sysfs.c         counters
 *      core_*.c        ring/, compiled for the kernel
 *
 * It moves bytes and parses nothing.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "node.h"

unsigned int ur_param_channels;
module_param_named(channels, ur_param_channels, uint, 0444);
MODULE_PARM_DESC(channels, "channels per link, 1..64; both ends alike (0: 16)");

unsigned int ur_param_ring_bytes;
module_param_named(ring_bytes, ur_param_ring_bytes, uint, 0444);
MODULE_PARM_DESC(ring_bytes,
		 "bytes per ring, a power of two; both ends alike (0: largest that fits, at most 2097152)");

unsigned int ur_param_spin_us = 500;
module_param_named(spin_us, ur_param_spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us,
		 "longest spin before a sleep, in microseconds; of sockets made from then on (500)");

unsigned int ur_param_drop_doorbells;
module_param_named(drop_doorbells, ur_param_drop_doorbells, uint, 0644);
MODULE_PARM_DESC(drop_doorbells,
		 "for tests: percent of doorbells not sent (0)");

unsigned int ur_param_first_index;
module_param_named(first_index, ur_param_first_index, uint, 0444);
MODULE_PARM_DESC(first_index,
		 "for tests: where ring indices start; both ends alike (0)");

unsigned int ur_param_first_generation = 1;
module_param_named(first_generation, ur_param_first_generation, uint, 0444);
MODULE_PARM_DESC(first_generation,
		 "for tests: where channel generations start (1)");

static int __init usbroute_init(void)
{
	int err;

	err = ur_socket_init();
	if (err)
		return err;
	err = ur_node_init();
	if (err)
		goto no_node;
	err = ur_pci_register();
	if (err)
		goto no_pci;
	err = ur_of_register();
	if (err)
		goto no_of;
	return 0;

no_of:
	ur_pci_unregister();
no_pci:
	ur_node_exit();
no_node:
	ur_socket_exit();
	return err;
}

static void __exit usbroute_exit(void)
{
	ur_of_unregister();
	ur_pci_unregister();
	ur_node_exit();
	ur_socket_exit();
}

module_init(usbroute_init);
module_exit(usbroute_exit);

MODULE_DESCRIPTION("USB/IP over shared memory between virtual machines");
MODULE_AUTHOR("The usbroute developers");
MODULE_VERSION(UR_VERSION_TEXT);
MODULE_LICENSE("Dual BSD/GPL");
