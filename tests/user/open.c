// SPDX-License-Identifier: BSD-2-Clause
/* The file behind a link: sizes, owners, descriptors. */
#define _GNU_SOURCE
#include "duo.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- what cannot be opened ----------------------------------------------- */

enum { NO_FILE = -1 };

static const struct {
	long size;		/* of the file, before */
	bool create;
	u64 region;
	u32 channels, ring;
	int error;
	const char *says[3];
} REFUSALS[] = {
	/* 1 */ { NO_FILE, false, 0, 0, 0, ENOENT, { "cannot open", "No such file" } },
	/* 2 */ { 100000, false, 65536, 0, 0, EINVAL, { "100000", "65536" } },
	/* 3 */ { 65536, false, 131072, 0, 0, EINVAL, { "65536", "131072" } },
	/* 4 */ { 65537, false, 65536, 0, 0, EINVAL, { "65537", "65536" } },
	/* 5 */ { 131072, true, 65536, 0, 0, EINVAL, { "131072", "65536" } },
	/* 6 */ { 0, false, 65536, 0, 0, EINVAL, { "0 bytes", "65536" } },
	/* 7 */ { 0, false, 0, 0, 0, EINVAL, { "0 bytes", "65536", "1073741824" } },
	/* 8 */ { 4096, false, 0, 0, 0, EINVAL, { "4096", "65536" } },
	/* 9 */ { 102400, false, 0, 0, 0, EINVAL, { "102400", "multiple of two pages" } },
	/* 10 */ { NO_FILE, true, 32768, 0, 0, EINVAL, { "32768", "65536" } },
	/* 11 */ { NO_FILE, true, 2ull << 30, 0, 0, EINVAL, { "2147483648", "1073741824" } },
	/* 12 */ { NO_FILE, true, 100000, 0, 0, EINVAL, { "100000", "multiple of two pages" } },
	/* 13 */ { NO_FILE, true, 65536, 65, 0, EINVAL, { "65 channels", "64 could" } },
	/* 14 */ { NO_FILE, true, 65536, 0, 100, EINVAL, { "100 cannot", "64 could" } },
	/* 15 */ { NO_FILE, true, 65536, 0, 4096, EINVAL, { "4096 cannot", "1024 could" } },
};

static u32 open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	u32 count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void make_file(long size)
{
	int fd;

	unlink(duo_path());
	if (size == NO_FILE)
		return;
	fd = open(duo_path(), O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void refusal_rows(void **state)
{
	u32 before = open_descriptors();
	size_t i, j;

	(void)state;
	for (i = 0; i < ROWS(REFUSALS); i++) {
		struct ur_file_link_config c =
			ur_file_link_config(UR_END_A, duo_path());
		char why[UR_WHY_BYTES] = "";
		struct ur_file_link *l;
		int n;

		make_file(REFUSALS[i].size);
		c.create = REFUSALS[i].create;
		c.region_bytes = REFUSALS[i].region;
		c.channels = REFUSALS[i].channels;
		c.ring_bytes = REFUSALS[i].ring;
		n = ur_file_link_open(&c, &l, why);
		if (n != -REFUSALS[i].error)
			row_fails("row %zu: %d: %s", i + 1, n, why);
		for (j = 0; j < 3 && REFUSALS[i].says[j]; j++)
			if (!strstr(why, REFUSALS[i].says[j]))
				row_fails("row %zu: \"%s\" does not say \"%s\"",
					  i + 1, why, REFUSALS[i].says[j]);
	}
	unlink(duo_path());
	assert_int_equal(open_descriptors(), before);
}

/* What is no file of bytes, and no descriptor. */
static const struct {
	const char *path;
	int fd;
	int error;
	const char *says;
} NO_FILES[] = {
	/* 1 */ { "/dev/null", -1, EINVAL, "not a regular file" },
	/* 2 */ { "/dev/shm", -1, EISDIR, "Is a directory" },
	/* 3 */ { "/dev/shm/no/such/folder", -1, ENOENT, "cannot open" },
	/* 4 */ { NULL, -1, ENOENT, "descriptor -1" },
	/* 5 */ { NULL, 9999, ENOENT, "descriptor 9999" },
};

static void no_file_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(NO_FILES); i++) {
		struct ur_file_link_config c =
			ur_file_link_config(UR_END_A, NO_FILES[i].path);
		char why[UR_WHY_BYTES] = "";
		struct ur_file_link *l;
		int n;

		c.fd = NO_FILES[i].fd;
		n = ur_file_link_open(&c, &l, why);
		if (n != -NO_FILES[i].error || !strstr(why, NO_FILES[i].says))
			row_fails("row %zu: %d: %s", i + 1, n, why);
	}
}

static void one_eventfd_is_no_doorbell(void **state)
{
	struct duo d;
	struct ur_file_link_config c;
	char why[UR_WHY_BYTES] = "";
	struct ur_file_link *l;
	u32 before;

	(void)state;
	duo_memory(&d);
	before = open_descriptors();
	c = duo_config(&d, UR_END_A);
	c.ring_fd = d.bells[0];
	c.wait_fd = -1;
	assert_int_equal(ur_file_link_open(&c, &l, why), -EINVAL);
	assert_non_null(strstr(why, "eventfds"));
	c.wait_fd = 9999;
	assert_int_equal(ur_file_link_open(&c, &l, why), -EBADF);
	assert_int_equal(open_descriptors(), before);
	duo_forget(&d);
}

/* ---- what can ------------------------------------------------------------ */

static void whoever_comes_first_makes_the_file(void **state)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_B, duo_path());
	struct ur_file_link *a, *b;
	struct ur_file_link_info info;
	struct stat st;

	(void)state;
	unlink(duo_path());
	c.create = true;
	b = must_open(&c);
	assert_int_equal(stat(duo_path(), &st), 0);
	assert_int_equal(st.st_size, (64 << 20) + (16 << 10));
	assert_int_equal(st.st_mode & 0777, 0600);
	c.end = UR_END_A; /* with region_bytes 0 */
	a = must_open(&c);
	ur_file_link_info(a, &info);
	assert_int_equal(info.geometry.outbox_bytes,
			 (32 << 20) + (8 << 10));
	assert_int_equal(info.geometry.channels, 16);
	assert_int_equal(info.geometry.ring_bytes, 2 << 20);
	ur_file_link_look(b);
	assert_int_equal(ur_file_link_wait_up(a, SOON_MS), 0);
	ur_file_link_close(a);
	ur_file_link_close(b);
	unlink(duo_path());
}

/* Both ends in one process, each with its own open file. */
static void an_end_has_one_owner(void **state)
{
	struct duo d;
	u32 end;

	(void)state;
	duo_open(&d);
	for (end = 0; end < 2; end++) {
		struct ur_file_link_config c = duo_config(&d, end);
		char why[UR_WHY_BYTES] = "";
		struct ur_file_link *l;

		assert_int_equal(ur_file_link_open(&c, &l, why), -EBUSY);
		assert_non_null(strstr(why, end ? "end B" : "end A"));
		assert_non_null(strstr(why, "taken"));
		ur_file_link_close(d.l[end]);
		d.l[end] = must_open(&c);
	}
	duo_close(&d);
}

static void nothing_is_left_open(void **state)
{
	u32 before = open_descriptors(), i;
	struct duo d;

	(void)state;
	for (i = 0; i < 20; i++) {
		duo_open(&d);
		ur_file_link_look(d.l[1]);
		assert_int_equal(ur_file_link_wait_up(d.l[0], SOON_MS), 0);
		duo_close(&d);
	}
	assert_int_equal(open_descriptors(), before);
}

static void a_memfd_cannot_be_shrunk(void **state)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_A, NULL);
	struct ur_file_link *l;
	int fd = memfd_create("plain", MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, 65536), 0);
	c.fd = fd;
	l = must_open(&c);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 131072), -1);
	ur_file_link_close(l);
	close(fd);
	fd = ur_file_link_memfd(65536);
	assert_int_equal(ftruncate(fd, 4096), -1);
	close(fd);
}

/* The peer's half is there to be read: a store would end the process. */
static void only_our_half_is_writable(void **state)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_A, duo_path());
	unsigned long from, to, offset;
	char line[512], mode[5];
	u32 seen = 0;
	struct ur_file_link *l;
	FILE *maps;

	(void)state;
	unlink(duo_path());
	c.create = true;
	c.region_bytes = 65536;
	l = must_open(&c);
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, duo_path()) ||
		    sscanf(line, "%lx-%lx %4s %lx", &from, &to, mode, &offset) != 4)
			continue;
		assert_int_equal(to - from, 32768);
		assert_string_equal(mode, offset ? "r--s" : "rw-s");
		seen++;
	}
	assert_int_equal(seen, 2);
	fclose(maps);
	ur_file_link_close(l);
	unlink(duo_path());
}

static void one_processor_does_not_spin(void **state)
{
	struct ur_file_link_config c;
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	c = ur_file_link_config(UR_END_A, NULL);
	assert_int_equal(c.spin_us, 0);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	c = ur_file_link_config(UR_END_A, NULL);
	assert_int_equal(c.spin_us, CPU_COUNT(&all) > 1 ? UR_SPIN_DEFAULT_US : 0);
}

/* ---- what info says ------------------------------------------------------ */

static void assert_says(struct ur_file_link *l, enum ur_link_state state,
			const char *text)
{
	struct ur_file_link_info info;

	ur_file_link_look(l);
	ur_file_link_info(l, &info);
	if (info.state != state || !strstr(info.text, text))
		row_fails("state %d, \"%s\" does not say \"%s\"", info.state,
			  info.text, text);
}

static void info_says_what_is(void **state)
{
	struct ur_file_link_config c;
	struct duo d;

	(void)state;
	duo_memory(&d);
	c = duo_config(&d, UR_END_A);
	d.l[0] = must_open(&c);
	assert_says(d.l[0], UR_LINK_DOWN, "down: nobody is at end B");
	c = duo_config(&d, UR_END_B);
	d.l[1] = must_open(&c);
	assert_says(d.l[1], UR_LINK_DOWN, "down: epoch 1 waits to be acknowledged");
	assert_says(d.l[0], UR_LINK_UP, "up: epoch 1, the peer's 1");
	ur_file_link_close(d.l[1]);
	assert_says(d.l[0], UR_LINK_DOWN, "down: nobody is at end B");
	c.channels = 4;
	d.l[1] = must_open(&c);
	assert_says(d.l[1], UR_LINK_BROKEN, "channels: the peer has 8 (0x8), expected 4");
	assert_says(d.l[0], UR_LINK_BROKEN, "channels: the peer has 4 (0x4), expected 8");
	assert_int_equal(ur_file_link_wait_up(d.l[0], SOON_MS), UR_PEER_BROKEN);
	ur_file_link_stop(d.l[0]);
	assert_says(d.l[0], UR_LINK_DOWN, "stopped");
	assert_int_equal(ur_file_link_wait_up(d.l[0], SOON_MS), -ESHUTDOWN);
	duo_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_rows),
		cmocka_unit_test(no_file_rows),
		cmocka_unit_test(one_eventfd_is_no_doorbell),
		cmocka_unit_test(whoever_comes_first_makes_the_file),
		cmocka_unit_test(an_end_has_one_owner),
		cmocka_unit_test(nothing_is_left_open),
		cmocka_unit_test(a_memfd_cannot_be_shrunk),
		cmocka_unit_test(only_our_half_is_writable),
		cmocka_unit_test(one_processor_does_not_spin),
		cmocka_unit_test(info_says_what_is),
	};

	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
