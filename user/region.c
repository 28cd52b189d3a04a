// SPDX-License-Identifier: BSD-2-Clause
/*
 * Three bytes of the file are lock words; the locks do not touch the bytes:
 *
 *      0   the owner of end A      held as long as the end is open
 *      1   the owner of end B
 *      2   whoever sizes the file  held while opening
 *
 * A survivor takes the dead end's byte before it writes "down" there, so that
 * no new owner can start in between. All three are locks of the open file
 * description: they go when its last copy is closed, however its owner dies.
 */
#define _GNU_SOURCE
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIZING_BYTE 2
/* A survivor holds a dead end's byte for microseconds; who sizes a large file holds
 * byte 2 until the kernel has cleared all its pages. */
#define LOCK_TRIES 50
#define SIZING_TRIES 2500
#define LOCK_PAUSE_NS 2000000

__attribute__((format(printf, 3, 4)))
static int fail(char *why, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, UR_WHY_BYTES, format, args);
	va_end(args);
	return -error;
}

static const char *name_of(const struct ur_file_link_config *c)
{
	return c->path ? c->path : "the region's descriptor";
}

/* ---- locks --------------------------------------------------------------- */

static int set_lock(int fd, short type, off_t byte)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};
	int n;

	do {
		n = fcntl(fd, F_OFD_SETLK, &lock);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int take_lock(int fd, off_t byte, int tries)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int i;

	for (i = 0; i < tries; i++) {
		if (set_lock(fd, F_WRLCK, byte) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

/* ---- the file ------------------------------------------------------------ */

static int open_file(const struct ur_file_link_config *c, char *why)
{
	char again[32];
	int fd;

	if (c->path) {
		fd = open(c->path, O_RDWR | O_CLOEXEC | (c->create ? O_CREAT : 0),
			  0600);
		if (fd < 0)
			return fail(why, errno, "cannot open %s: %s", c->path,
				    strerror(errno));
		return fd;
	}
	/* A descriptor of our own, or the lock would be shared with the peer. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", c->fd);
	fd = open(again, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(why, errno, "cannot open descriptor %d anew: %s: %s",
			    c->fd, again, strerror(errno));
	return fd;
}

static int take_end(int fd, const struct ur_file_link_config *c, char *why)
{
	char end = c->end == UR_END_A ? 'A' : 'B';
	int error = take_lock(fd, c->end, LOCK_TRIES);

	if (error == -EBUSY)
		return fail(why, EBUSY,
			    "end %c of %s is taken by another process", end,
			    name_of(c));
	if (error < 0)
		return fail(why, -error, "cannot lock end %c of %s: %s", end,
			    name_of(c), strerror(-error));
	return 0;
}

static int check_bounds(unsigned long long bytes,
			const struct ur_file_link_config *c, char *why)
{
	unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);

	if (bytes < UR_REGION_BYTES_MIN || bytes > UR_REGION_BYTES_MAX)
		return fail(why, EINVAL,
			    "a region of %llu bytes (%s), expected %u to %u",
			    bytes, name_of(c), UR_REGION_BYTES_MIN,
			    UR_REGION_BYTES_MAX);
	if (bytes % (2 * page))
		return fail(why, EINVAL,
			    "a region of %llu bytes (%s), expected a multiple of two pages, %llu",
			    bytes, name_of(c), 2 * page);
	return 0;
}

/* Memory is reserved now, so that its lack is an error here and no SIGBUS. */
static int make_size(int fd, const struct ur_file_link_config *c, char *why)
{
	u64 bytes = c->region_bytes ? c->region_bytes : UR_FILE_REGION_DEFAULT;
	int error;

	do {
		error = posix_fallocate(fd, 0, (off_t)bytes);
	} while (error == EINTR);
	if (error == 0)
		return 0;
	fail(why, error, "cannot give %s its %llu bytes: %s", name_of(c),
	     (unsigned long long)bytes, strerror(error));
	return ftruncate(fd, 0) < 0 ? -errno : -error;
}

/* Under the sizing lock: two ends that come together must not both size it. */
static int size_file(int fd, const struct ur_file_link_config *c, u64 *bytes,
		     char *why)
{
	struct stat st;
	int error = 0;

	if (fstat(fd, &st) == 0 && st.st_size == 0 && c->create)
		error = make_size(fd, c, why);
	if (error < 0)
		return error;
	if (fstat(fd, &st) < 0)
		return fail(why, errno, "cannot stat %s: %s", name_of(c),
			    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(why, EINVAL, "%s is not a regular file (mode 0%o)",
			    name_of(c), st.st_mode);
	*bytes = (u64)st.st_size;
	if (c->region_bytes && *bytes != c->region_bytes)
		return fail(why, EINVAL, "%s has %llu bytes, expected %llu",
			    name_of(c), (unsigned long long)*bytes,
			    (unsigned long long)c->region_bytes);
	return check_bounds(*bytes, c, why);
}

static int settle_size(int fd, const struct ur_file_link_config *c, u64 *bytes,
		       char *why)
{
	int error = take_lock(fd, SIZING_BYTE, SIZING_TRIES);

	if (error < 0)
		return fail(why, -error, "%s stays locked for sizing: %s",
			    name_of(c), strerror(-error));
	error = size_file(fd, c, bytes, why);
	set_lock(fd, F_UNLCK, SIZING_BYTE);
	if (error == 0 && !c->path) /* refused where there are no seals */
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	return error;
}

/* ---- the mappings -------------------------------------------------------- */

static off_t offset_of(const struct ur_region *r, bool peer)
{
	return (r->end == UR_END_B) != peer ? r->outbox_bytes : 0;
}

static int map(struct ur_region *r, const struct ur_file_link_config *c,
	       char *why)
{
	r->own = mmap(NULL, r->outbox_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      r->fd, offset_of(r, false));
	r->peer = mmap(NULL, r->outbox_bytes, PROT_READ, MAP_SHARED, r->fd,
		       offset_of(r, true));
	if (r->own != MAP_FAILED && r->peer != MAP_FAILED)
		return 0;
	fail(why, errno, "cannot map %s: %s", name_of(c), strerror(errno));
	if (r->own != MAP_FAILED)
		munmap(r->own, r->outbox_bytes);
	if (r->peer != MAP_FAILED)
		munmap((void *)r->peer, r->outbox_bytes);
	return -ENOMEM;
}

int ur_region_open(struct ur_region *r, const struct ur_file_link_config *c,
		   char why[UR_WHY_BYTES])
{
	u64 bytes = 0;
	int error;

	if (c->region_bytes && check_bounds(c->region_bytes, c, why) < 0)
		return -EINVAL;
	r->end = c->end;
	r->fd = open_file(c, why);
	if (r->fd < 0)
		return r->fd;
	error = take_end(r->fd, c, why);
	if (error == 0)
		error = settle_size(r->fd, c, &bytes, why);
	r->outbox_bytes = (u32)(bytes / 2);
	if (error == 0)
		error = map(r, c, why);
	if (error < 0)
		close(r->fd);
	return error;
}

void ur_region_close(struct ur_region *r)
{
	munmap(r->own, r->outbox_bytes);
	munmap((void *)r->peer, r->outbox_bytes);
	close(r->fd);
}

/* ---- a dead peer --------------------------------------------------------- */

static bool peer_says_it_lives(const struct ur_region *r)
{
	const struct ur_header_shm *peer = r->peer;

	return ur_load_acquire(&peer->epoch) != 0;
}

/* The one time that we write the peer's half, and nobody else owns it. */
static bool declare_down(struct ur_region *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *header = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			    r->fd, offset_of(r, true));

	if (header == MAP_FAILED)
		return false;
	ur_link_declare_down(header);
	munmap(header, page);
	return true;
}

bool ur_region_bury_peer(struct ur_region *r)
{
	off_t byte = r->end == UR_END_A ? UR_END_B : UR_END_A;
	bool buried = false;

	if (!peer_says_it_lives(r) || set_lock(r->fd, F_WRLCK, byte) < 0)
		return false;
	/* A successor may have come and gone cleanly since the first look. */
	if (peer_says_it_lives(r))
		buried = declare_down(r);
	set_lock(r->fd, F_UNLCK, byte);
	return buried;
}
