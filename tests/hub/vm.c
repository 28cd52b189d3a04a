// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VM's end of a link, for tests/hub/vms.py: user/ as a shared library, and the
 * one call of it that Python cannot make.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "../../hub/damper.h"
#include "file_link.h"

struct ur_file_link *vm_open(int memory, int end, int ring_fd, int wait_fd,
			     unsigned int channels, char why[UR_WHY_BYTES]);
int vm_lock(int memory, int end);
void vm_storm(int bell, volatile uint32_t *epoch, const volatile int *stop);
void vm_block(int bell, const volatile int *stop);
unsigned int vm_damper(unsigned int rings, unsigned int rings_per_ms,
		       unsigned int rings_per_work);

/* NULL, and why. channels 0: the default. */
struct ur_file_link *vm_open(int memory, int end, int ring_fd, int wait_fd,
			     unsigned int channels, char why[UR_WHY_BYTES])
{
	struct ur_file_link_config config = ur_file_link_config(end, NULL);
	struct ur_file_link *link;

	config.fd = memory;
	config.ring_fd = ring_fd;
	config.wait_fd = wait_fd;
	config.channels = channels;
	config.spin_us = 0;
	config.linger_ms = 200;
	return ur_file_link_open(&config, &link, why) == 0 ? link : NULL;
}

/*
 * Hold an end's lock, in place of a hub that has none: between bare processes a
 * free one means death. A descriptor, or -1.
 */
int vm_lock(int memory, int end)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = end, .l_len = 1 };
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Ring without pause, with a new epoch each time if there is one. */
void vm_storm(int bell, volatile uint32_t *epoch, const volatile int *stop)
{
	const uint64_t one = 1;

	while (!*stop) {
		if (epoch && ++*epoch == 0)
			++*epoch;
		if (write(bell, &one, sizeof(one)) < 0)
			continue;
	}
}

/* Whoever rings this bell, which is full, shall wait, though it asks not to. */
void vm_block(int bell, const volatile int *stop)
{
	while (!*stop)
		fcntl(bell, F_SETFL, 0);
}

/*
 * How many of so many doorbells a damper hears that is told to be deaf until the
 * next of 100 ms. rings_per_work 0: nothing is ever done for one.
 */
unsigned int vm_damper(unsigned int rings, unsigned int rings_per_ms,
		       unsigned int rings_per_work)
{
	struct ur_damper damper;
	unsigned int i, heard = 0;
	u64 now, deaf_until = 0;

	ur_damper_init(&damper, 0);
	for (i = 1; i <= rings; i++) {
		now = i / rings_per_ms;
		if (now < deaf_until)
			continue;
		heard++;
		if (!ur_damper_hears(&damper,
				     rings_per_work ? i / rings_per_work : 0, now))
			deaf_until = now + 100;
	}
	return heard;
}
