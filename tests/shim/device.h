/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the emulated USB/IP server share. One thread. */
#ifndef UR_TEST_DEVICE_H
#define UR_TEST_DEVICE_H

#include <stdbool.h>

#include "op.h"
#include "pdu.h"

#define DEVICE_BUFFER (1u << 20)

/* A transfer on an endpoint other than 0. `data` has `length` bytes. */
struct transfer {
	bool in;
	unsigned int ep;
	u8 *data;
	u32 length;
};

/* What a transfer returns instead of its bytes: -errno, or no answer yet. */
#define DEVICE_PENDING 1000000000

struct device {
	u16 vendor;
	u16 product;
	u32 speed;		/* UR_SPEED_FULL, _HIGH or _SUPER */
	struct ur_op_interface interface;
	const char *name;
	const u8 *configuration;	/* descriptors, USB 2.0 section 9.6 */
	u32 configuration_bytes;
	/* Class and vendor requests; bytes or -errno. `data` as above. */
	int (*control)(const u8 setup[8], u8 *data, u32 length);
	int (*transfer)(const struct transfer *t);
	void (*reset)(void);	/* a client came */
};

extern const struct device device_keyboard;
extern const struct device device_disk;
/* A gadget zero of each speed; _HIGH's is the one without a suffix. */
extern const struct device device_zero;
extern const struct device device_zero_full;
extern const struct device device_zero_super;

/*
 * What gadget zeros give and take: 0 zeros, 1 what usbtest's and the kernel's
 * gadget's pattern=1 is: the place in the packet, modulo 63.
 */
extern unsigned int device_pattern;

/* Answer URBs until the client is gone. */
void device_run(int fd, const struct device *d, u32 devid);

/* All bytes, or false: the stream ended. */
bool device_receive(int fd, void *data, size_t bytes);
bool device_send(int fd, const void *data, size_t bytes);

/* disk.c: the medium, to be written and read back. */
#define DISK_BLOCK 512u
#define DISK_BLOCKS 8192u

#endif
