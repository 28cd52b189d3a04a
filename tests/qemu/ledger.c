// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes and reads a disk until it is taken away, and says what was
 * acknowledged:
 *
 *      ledger DEVICE FIRST COUNT LIFE
 *
 * Block FIRST + n (of 1 KiB) gets the number LIFE << 32 | n in all its words,
 * past the page cache and through to the disk. Each acknowledged write is a line
 * "w BLOCK NUMBER"; then an older block is read back and compared. No block is
 * written twice; after COUNT it only reads. Ends with "ok gone: ERROR after W
 * writes, R reads", or with 1 and what was wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 1024u
#define WORDS (BLOCK / sizeof(uint64_t))

static uint64_t *buffer;

static int gone(unsigned long writes, unsigned long reads)
{
	int e = errno;

	printf("ok gone: %s after %lu writes, %lu reads\n", strerror(e), writes,
	       reads);
	return e == EIO || e == ENODEV || e == ENXIO ? 0 : 1;
}

static int put(int fd, unsigned long block, uint64_t number)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		buffer[i] = number;
	if (pwrite(fd, buffer, BLOCK, (off_t)(block * BLOCK)) != BLOCK)
		return -1;
	printf("w %lu %llu\n", block, (unsigned long long)number);
	fflush(stdout);
	return 0;
}

static int compare(int fd, unsigned long block, uint64_t number)
{
	size_t i;

	if (pread(fd, buffer, BLOCK, (off_t)(block * BLOCK)) != BLOCK)
		return -1;
	for (i = 0; i < WORDS; i++)
		if (buffer[i] != number)
			errx(1, "block %lu word %zu: expected %#llx, got %#llx",
			     block, i, (unsigned long long)number,
			     (unsigned long long)buffer[i]);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long first, count, writes = 0, reads = 0;
	uint64_t life;
	void *memory;
	int fd;

	if (argc != 5)
		errx(2, "usage: ledger DEVICE FIRST COUNT LIFE");
	first = strtoul(argv[2], NULL, 0);
	count = strtoul(argv[3], NULL, 0);
	life = strtoull(argv[4], NULL, 0) << 32;
	fd = open(argv[1], O_RDWR | O_DIRECT | O_DSYNC);
	if (fd < 0 || posix_memalign(&memory, 4096, BLOCK))
		err(1, "%s", argv[1]);
	buffer = memory;
	for (;;) {
		unsigned long old;

		if (writes < count && put(fd, first + writes, life | writes))
			return gone(writes, reads);
		writes += writes < count;
		old = reads * 7 % writes;
		if (compare(fd, first + old, life | old))
			return gone(writes, reads);
		reads++;
	}
}
