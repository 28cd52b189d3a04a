// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile end of a link, in a guest that has not loaded usbroute.ko: maps the
 * ivshmem region by sysfs and lies.
 *
 *      scribble noise SECONDS SEED    random bytes all over both outboxes
 *      scribble lies SECONDS SEED     a right header, an acknowledged epoch, then
 *                                     channel words and indices that almost fit
 *      scribble flap SECONDS SEED     a new epoch as fast as it goes
 *      scribble deaf SECONDS SEED     the same, and none of the other end's is
 *                                     ever acknowledged: the link stays down
 *      scribble storm SECONDS SEED    doorbells as fast as they go
 *
 * Which half is whose is read from BAR 0, as the module does.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"

static u8 *region;
static size_t region_bytes;
static volatile u32 *registers;
static struct ur_header_shm *mine;
static struct ur_header_shm *theirs;
static struct ur_geometry geometry;
static enum ur_end end;
static u64 random_state;

static u32 random_u32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 16);
}

static void *map(const char *directory, const char *name, size_t *bytes)
{
	char path[256];
	struct stat st;
	void *at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	*bytes = (size_t)st.st_size;
	at = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		err(1, "mmap %s", path);
	close(fd);
	return at;
}

/* The one PCI device 1af4:1110. */
static void find_device(char *path, size_t bytes)
{
	char line[16];
	glob_t all;
	size_t i;

	if (glob("/sys/bus/pci/devices/*", 0, NULL, &all))
		errx(1, "no PCI devices");
	for (i = 0; i < all.gl_pathc; i++) {
		FILE *file;

		snprintf(path, bytes, "%s/device", all.gl_pathv[i]);
		file = fopen(path, "r");
		if (file && fgets(line, sizeof(line), file) &&
		    !strcmp(line, "0x1110\n")) {
			fclose(file);
			snprintf(path, bytes, "%s", all.gl_pathv[i]);
			globfree(&all);
			return;
		}
		if (file)
			fclose(file);
	}
	errx(1, "no ivshmem device");
}

static void enable(const char *directory)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/enable", directory);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err(1, "%s", path);
	close(fd);
}

static void attach(void)
{
	struct ur_fault fault;
	char directory[200];
	size_t bytes;

	find_device(directory, sizeof(directory));
	enable(directory);
	registers = map(directory, "resource0", &bytes);
	region = map(directory, "resource2", &region_bytes);
	end = registers[2] & 1 ? UR_END_B : UR_END_A;
	mine = (void *)(region + (end == UR_END_B ? region_bytes / 2 : 0));
	theirs = (void *)(region + (end == UR_END_B ? 0 : region_bytes / 2));
	if (ur_geometry_init(&geometry, region_bytes / 2, 0, 0, &fault) < 0)
		errx(1, "geometry");
}

static void ring(void)
{
	registers[3] = (registers[2] ^ 1) << 16;
}

static void noise(void)
{
	u32 *words = (u32 *)region;
	u32 control = geometry.data_offset / 4, half = (u32)(region_bytes / 8);
	int i;

	for (i = 0; i < 200; i++)
		words[random_u32() % control + (i & 1 ? half : 0)] = random_u32();
	ring();
}

static void come_up(void)
{
	ur_store_release(&mine->epoch, 0);
	ur_fence();
	memset(mine + 1, 0, geometry.channels * sizeof(struct ur_block_shm));
	ur_header_write(mine, &geometry, end);
	ur_store_once(&mine->seen, ur_load_acquire(&theirs->epoch));
	ur_store_release(&mine->epoch, random_u32() | 1);
	ring();
	usleep(300);
}

/* A value that is near what would be right. */
static u32 nearly(u32 right)
{
	switch (random_u32() % 6) {
	case 0: return right;
	case 1: return right + 1;
	case 2: return right - 1;
	case 3: return right + geometry.ring_bytes;
	case 4: return right + random_u32() % (geometry.ring_bytes + 2);
	default: return random_u32();
	}
}

static void lie_on(u32 c)
{
	struct ur_block_shm *own = ur_block(mine, c);
	const struct ur_block_shm *peer = ur_peer_block(theirs, c);
	u32 generation = ur_load_once(&peer->word) >> 8;
	u32 states = random_u32() % 16 ? 7 : 256;

	ur_store_once(&own->service, 5000);
	switch (random_u32() % 4) {
	case 0:
		ur_store_release(&own->word, (generation + !(random_u32() % 4))
						     << 8 | random_u32() % states);
		break;
	case 1:
		ur_store_release(&own->produced, nearly(ur_load_once(&peer->consumed)));
		break;
	case 2:
		ur_store_release(&own->consumed, nearly(ur_load_once(&peer->produced)));
		break;
	default:
		ur_store_once(&own->data_event, random_u32());
		ur_store_once(&own->space_event, random_u32());
	}
}

static void lies(void)
{
	int i;

	come_up();
	for (i = 0; i < 40; i++) {
		ur_store_once(&mine->seen, ur_load_acquire(&theirs->epoch));
		lie_on(random_u32() % geometry.channels);
		if (i % 4 == 0) {
			ring();
			usleep(100); /* let it look */
		}
	}
}

static void deaf(void)
{
	ur_header_write(mine, &geometry, end);
	ur_store_once(&mine->seen, 0);
	ur_store_release(&mine->epoch, random_u32() | 1);
	ring();
}

static void storm(void)
{
	int i;

	for (i = 0; i < 1000; i++)
		ring();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*once)(void);
	} modes[] = { { "noise", noise }, { "lies", lies },
		      { "flap", come_up }, { "deaf", deaf },
		      { "storm", storm } };
	unsigned long rounds = 0;
	time_t until;
	size_t i;

	if (argc != 4)
		errx(2, "usage: scribble noise|lies|flap|deaf|storm SECONDS SEED");
	random_state = strtoull(argv[3], NULL, 0) * 0x9e3779b97f4a7c15ull + 1;
	attach();
	until = time(NULL) + atoi(argv[2]);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, argv[1]))
			break;
	if (i == sizeof(modes) / sizeof(modes[0]))
		errx(2, "no such mode: %s", argv[1]);
	for (; time(NULL) < until; rounds++)
		modes[i].once();
	printf("ok %s %lu rounds\n", argv[1], rounds);
	return 0;
}
