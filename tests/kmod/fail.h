/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For a test build of usbroute.ko: the kernel's functions that it calls and that
 * may fail for want of something, each of which fails when it is the fail_at-th
 * call from now (module parameter, fail.c). Put before every source by
 * -include, so that the module's own sources know nothing of it.
 */
#ifndef UR_TEST_FAIL_H
#define UR_TEST_FAIL_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/net.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <net/sock.h>

bool ur_fail(const char *what);

#define UR_FAIL(failure, call, ...) \
	(ur_fail(#call) ? (failure) : call(__VA_ARGS__))

/* probe */
#define devm_kzalloc(...) UR_FAIL(NULL, devm_kzalloc, __VA_ARGS__)
#define pcim_enable_device(...) UR_FAIL(-ENOMEM, pcim_enable_device, __VA_ARGS__)
#define pcim_iomap_regions(...) UR_FAIL(-ENOMEM, pcim_iomap_regions, __VA_ARGS__)
#define devm_memremap(...) UR_FAIL(ERR_PTR(-ENOMEM), devm_memremap, __VA_ARGS__)
#define pci_alloc_irq_vectors(...) \
	UR_FAIL(-ENOSPC, pci_alloc_irq_vectors, __VA_ARGS__)
#define kvzalloc(...) UR_FAIL(NULL, kvzalloc, __VA_ARGS__)
#define ida_alloc_max(...) UR_FAIL(-ENOMEM, ida_alloc_max, __VA_ARGS__)
#define dev_set_name(...) UR_FAIL(-ENOMEM, dev_set_name, __VA_ARGS__)
#define request_irq(...) UR_FAIL(-ENOMEM, request_irq, __VA_ARGS__)
#define cdev_device_add(...) UR_FAIL(-ENOMEM, cdev_device_add, __VA_ARGS__)

/* load */
#define proto_register(...) UR_FAIL(-ENOMEM, proto_register, __VA_ARGS__)
#define alloc_chrdev_region(...) UR_FAIL(-ENOMEM, alloc_chrdev_region, __VA_ARGS__)
#define __class_register(...) UR_FAIL(-ENOMEM, __class_register, __VA_ARGS__)
#define __pci_register_driver(...) \
	UR_FAIL(-ENOMEM, __pci_register_driver, __VA_ARGS__)
#define __platform_driver_register(...) \
	UR_FAIL(-ENOMEM, __platform_driver_register, __VA_ARGS__)

/* open, connect, accept */
#define kzalloc(...) UR_FAIL(NULL, kzalloc, __VA_ARGS__)
#define get_unused_fd_flags(...) UR_FAIL(-EMFILE, get_unused_fd_flags, __VA_ARGS__)
#define sock_create_lite(...) UR_FAIL(-ENOMEM, sock_create_lite, __VA_ARGS__)
#define sk_alloc(...) UR_FAIL(NULL, sk_alloc, __VA_ARGS__)
/* As the real one, it ends the socket that it cannot make a file of. */
#define sock_alloc_file(sock, ...)                                   \
	UR_FAIL((sock_release(sock), ERR_PTR(-ENOMEM)), sock_alloc_file, sock, \
		__VA_ARGS__)

#endif
