// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads or writes a disk past the page cache, one request after the other.
 *
 * usage: disk DEVICE read|write BYTES COUNT
 * Starts again at the beginning when the disk ends. Prints the seconds it took
 * and COUNT. busybox dd has no aligned buffer for direct reads of 512 bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ALIGNMENT 4096

static void die(const char *what)
{
	fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void move(int fd, bool is_write, void *data, size_t bytes, off_t at)
{
	ssize_t n = is_write ? pwrite(fd, data, bytes, at) :
			       pread(fd, data, bytes, at);

	if (n == (ssize_t)bytes)
		return;
	if (n < 0)
		die(is_write ? "write" : "read");
	fprintf(stderr, "disk: moved %zd bytes, expected %zu\n", n, bytes);
	exit(1);
}

static double run(int fd, bool is_write, size_t bytes, long count)
{
	off_t size = lseek(fd, 0, SEEK_END), at = 0;
	double start;
	void *data;

	if (size < (off_t)bytes || posix_memalign(&data, ALIGNMENT, bytes))
		die("no room for one request");
	memset(data, 0x5a, bytes);
	start = now_s();
	for (; count > 0; count--) {
		move(fd, is_write, data, bytes, at);
		at += (off_t)bytes;
		if (at + (off_t)bytes > size)
			at = 0;
	}
	return now_s() - start;
}

int main(int argc, char **argv)
{
	bool is_write = argc == 5 && !strcmp(argv[2], "write");
	int fd;

	if (argc != 5 || (!is_write && strcmp(argv[2], "read"))) {
		fprintf(stderr, "usage: disk DEVICE read|write BYTES COUNT\n");
		return 2;
	}
	fd = open(argv[1], (is_write ? O_WRONLY : O_RDONLY) | O_DIRECT);
	if (fd < 0)
		die(argv[1]);
	printf("%.9f %s\n", run(fd, is_write, strtoul(argv[3], NULL, 0),
				atol(argv[4])), argv[4]);
	return 0;
}
