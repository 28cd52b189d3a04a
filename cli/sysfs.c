// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sysfs.h"
#include "text.h"

#ifndef UR_SYSFS_ROOT	/* the tests have their own tree */
#define UR_SYSFS_ROOT "/sys"
#endif

#define FULL_PATH_BYTES (UR_SYSFS_PATH_BYTES + 256)

static void full_path(char full[FULL_PATH_BYTES], const char *path)
{
	snprintf(full, FULL_PATH_BYTES, "%s/%s", UR_SYSFS_ROOT, path);
}

static int open_attribute(const char *path, int flags)
{
	char full[FULL_PATH_BYTES];
	int fd;

	full_path(full, path);
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ur_sysfs_read_bytes(const char *path, void *to, size_t size)
{
	int fd = open_attribute(path, O_RDONLY);
	ssize_t got = 0, all = 0;

	if (fd < 0)
		return fd;
	while ((size_t)all < size &&
	       (got = read(fd, (u8 *)to + all, size - (size_t)all)) > 0)
		all += got;
	if (got < 0)
		all = -errno;
	close(fd);
	return (int)all;
}

int ur_sysfs_read(const char *path, char *text, size_t size)
{
	int got = ur_sysfs_read_bytes(path, text, size - 1);

	if (got < 0)
		return got;
	if (got > 0 && text[got - 1] == '\n')
		got--;
	text[got] = '\0';
	return 0;
}

int ur_sysfs_write(const char *path, const char *text)
{
	int fd = open_attribute(path, O_WRONLY);
	int error = 0;
	ssize_t put;

	if (fd < 0)
		return fd;
	put = write(fd, text, strlen(text));
	if (put < 0)
		error = -errno;
	else if ((size_t)put != strlen(text))
		error = -EIO;
	close(fd);
	return error;
}

bool ur_sysfs_exists(const char *path)
{
	char full[FULL_PATH_BYTES];

	full_path(full, path);
	return access(full, F_OK) == 0;
}

void ur_sysfs_driver(const char *busid, char *driver, size_t size)
{
	char path[UR_SYSFS_PATH_BYTES];
	char full[FULL_PATH_BYTES];
	char target[FULL_PATH_BYTES];
	char *slash;
	ssize_t got;

	snprintf(path, sizeof(path), "bus/usb/devices/%s/driver", busid);
	full_path(full, path);
	got = readlink(full, target, sizeof(target) - 1);
	target[got > 0 ? got : 0] = '\0';
	slash = strrchr(target, '/');
	ur_text_copy(driver, size, slash ? slash + 1 : target);
}
