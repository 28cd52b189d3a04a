// SPDX-License-Identifier: BSD-2-Clause
/*
 * Each allocation of a link between processes fails once, one after the other.
 *
 *      this thread: end A ==== link ==== end B: an echo, and who calls back
 *      (its nth allocation fails)        (allocate undisturbed)
 *
 * Whichever it is: the call says so with the error and leaves nothing behind,
 * or goes on without; and end B serves the next one who comes.
 */
#define _GNU_SOURCE
#include "../user/duo.h"
#include "fail.h"

#include <dirent.h>
#include <semaphore.h>
#include <sys/mman.h>

/* AddressSanitizer's, whose header not every compiler's package has. */
size_t __sanitizer_get_current_allocated_bytes(void);

#define REGION (256u << 10)
#define CALL_BACK 9
#define BYTES 9000
#define MOST 1000	/* allocations of a scenario: surely fewer */

static struct duo D;
static sem_t please_call;
static bool is_over;	/* set before the last post */
static bool is_called_off;	/* atomic: end A is gone */

/* ---- end B --------------------------------------------------------------- */

static void call_back(struct ur_file_link *l)
{
	struct ur_stream *s;
	char byte;

	while (ur_file_link_connect(l, CALL_BACK, UR_WATCHDOG_MS, &s) < 0)
		if (__atomic_load_n(&is_called_off, __ATOMIC_RELAXED))
			return;
	if (ur_stream_send(s, "hi", 2, SOON_MS) == 2)
		while (ur_stream_recv(s, &byte, 1, SOON_MS) > 0)
			;
	ur_stream_close(s, false);
}

static void *call_back_thread(void *link)
{
	while (sem_wait(&please_call) == 0 && !is_over)
		call_back(link);
	return NULL;
}

/* ---- what end A does ----------------------------------------------------- */

static struct ur_file_link_config end_a(void)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_A, NULL);

	c.fd = D.memory;
	c.ring_bytes = 4096;
	c.channels = 8;
	c.wait_fd = D.bells[0];
	c.ring_fd = D.bells[1];
	return c;
}

static int echo(struct ur_stream *s)
{
	static u8 out[BYTES], in[BYTES];
	u32 i;

	for (i = 0; i < BYTES; i++)
		out[i] = (u8)(i * 31 + (i >> 8));
	memset(in, 0, sizeof(in));
	if (ur_stream_send(s, out, BYTES, SOON_MS) != BYTES ||
	    ur_stream_recv_all(s, in, BYTES, SOON_MS) != BYTES)
		return -EIO;
	return memcmp(in, out, BYTES) ? -EBADMSG : 0;
}

static int call_and_echo(struct ur_file_link *l)
{
	struct ur_poll_item item = { .events = UR_POLL_IN };
	struct ur_stream *s;
	int n = ur_file_link_connect(l, SERVICE, SOON_MS, &s);

	if (n < 0)
		return n;
	n = echo(s);
	item.stream = s;
	if (n == 0)
		n = ur_stream_shut(s, UR_SHUT_SEND);
	if (n == 0 && ur_file_link_poll(l, &item, 1, SOON_MS) != 1)
		n = -EIO;
	ur_stream_close(s, false);
	return n;
}

static int be_called(struct ur_file_link *l)
{
	struct ur_stream *s;
	char got[2];
	int n = ur_file_link_listen(l, CALL_BACK, 1);

	if (n < 0)
		return n;
	sem_post(&please_call);
	n = ur_file_link_accept(l, CALL_BACK, SOON_MS, &s);
	if (n < 0)
		return n;
	n = ur_stream_recv_all(s, got, 2, SOON_MS) == 2 ? 0 : -EIO;
	ur_stream_close(s, false);
	return n;
}

static int use(struct ur_file_link *l)
{
	int n = call_and_echo(l);

	return n < 0 ? n : be_called(l);
}

static int open_and(const struct ur_file_link_config *c,
		    int (*act)(struct ur_file_link *l))
{
	char why[UR_WHY_BYTES] = "";
	struct ur_file_link *l;
	int n = ur_file_link_open(c, &l, why);

	if (n < 0 && why[0] == '\0')
		return -ENOMSG; /* an error that says nothing is another error */
	if (n < 0)
		return n;
	n = act(l);
	ur_file_link_close(l);
	return n;
}

static int with_a_peer(void)
{
	struct ur_file_link_config c = end_a();
	int n;

	__atomic_store_n(&is_called_off, false, __ATOMIC_RELAXED);
	n = open_and(&c, use);
	__atomic_store_n(&is_called_off, true, __ATOMIC_RELAXED);
	return n;
}

static int look_once(struct ur_file_link *l)
{
	ur_file_link_look(l);
	return 0;
}

/* Also makes the file, and gives it its size. */
static int with_a_file(void)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_A, duo_path());

	unlink(duo_path());
	c.create = true;
	c.region_bytes = REGION;
	return open_and(&c, look_once);
}

static int with_a_memfd(void)
{
	int fd = ur_file_link_memfd(REGION);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int until_buried(struct ur_file_link *l)
{
	struct ur_poll_item state = { .events = UR_POLL_STATE };
	struct ur_file_link_info info = { 0 };
	u64 end = now_ms() + SOON_MS;

	while (info.burials == 0 && now_ms() < end) {
		int n = ur_file_link_poll(l, &state, 1, UR_WATCHDOG_MS);

		if (n < 0)
			return n;
		ur_file_link_info(l, &info);
	}
	return info.burials == 1 ? 0 : -ETIMEDOUT;
}

/* End B of this file says that it lives, and nobody has its lock. */
static int with_a_dead_peer(void)
{
	struct ur_file_link_config c = ur_file_link_config(UR_END_A, NULL);
	int n = ur_file_link_memfd(REGION);
	u32 epoch = 7;

	c.fd = n;
	if (n >= 0 && pwrite(c.fd, &epoch, 4, REGION / 2 + 0x40) == 4)
		n = open_and(&c, until_buried);
	if (c.fd >= 0)
		close(c.fd);
	return n;
}

/* ---- one at a time ------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(void);
	u32 least;	/* allocations that there surely are */
} SCENARIOS[] = {
	{ "a link with a peer: open, call, accept, move, close", with_a_peer, 8 },
	{ "a link in a file that is made", with_a_file, 5 },
	{ "a memfd", with_a_memfd, 2 },
	{ "a dead peer is declared down", with_a_dead_peer, 7 },
};

struct holdings {
	size_t bytes;
	u32 descriptors;
	u32 mappings;
};

static struct holdings holdings(void)
{
	struct holdings h = { .bytes = __sanitizer_get_current_allocated_bytes() };
	DIR *dir = opendir("/proc/self/fd");
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (readdir(dir))
		h.descriptors++;
	while (fgets(line, sizeof(line), maps))
		h.mappings += strstr(line, "usbroute") != NULL;
	fclose(maps);
	closedir(dir);
	return h;
}

static bool same(struct holdings a, struct holdings b)
{
	return a.bytes == b.bytes && a.descriptors == b.descriptors &&
	       a.mappings == b.mappings;
}

static struct holdings quiet;	/* between two runs, end B waiting */

/* When end B has had nothing to do for a while. */
static struct holdings find_quiet(void)
{
	struct holdings h = holdings(), now;
	int i;

	for (i = 0; i < 100; i++) {
		usleep(1000);
		now = holdings();
		if (!same(h, now))
			i = 0;
		h = now;
	}
	return h;
}

/* End B lets go of what it had for the last one in its own time. */
static struct holdings settled(void)
{
	u64 end = now_ms() + SOON_MS;
	struct holdings h = holdings();

	while (!same(quiet, h) && now_ms() < end) {
		usleep(1000);
		h = holdings();
	}
	return h;
}

/* False: there is no nth, and the scenario is through. */
static bool one(size_t i, u32 nth)
{
	struct holdings after;
	int n, wrong;

	fail_arm(nth);
	n = SCENARIOS[i].run();
	fail_disarm();
	if (!fail_what() && n < 0)
		row_fails("%s: nothing failed, and it returned %d",
			  SCENARIOS[i].name, n);
	if (!fail_what())
		return false;
	if (n != 0 && n != -fail_errno())
		row_fails("%s: number %u, %s, failed: returned %d, expected %d",
			  SCENARIOS[i].name, nth, fail_what(), n, -fail_errno());
	after = settled();
	if (!same(quiet, after))
		row_fails("%s: number %u, %s, failed: %zu bytes, %u descriptors, %u mappings, "
			  "expected %zu, %u, %u",
			  SCENARIOS[i].name, nth, fail_what(), after.bytes,
			  after.descriptors, after.mappings, quiet.bytes,
			  quiet.descriptors, quiet.mappings);
	wrong = with_a_peer();
	if (wrong)
		row_fails("%s: number %u, %s, failed: the next one got %d",
			  SCENARIOS[i].name, nth, fail_what(), wrong);
	return true;
}

static u32 total;

static void every_allocation_fails_once(void **state)
{
	size_t i;
	u32 nth;

	(void)state;
	for (i = 0; i < ROWS(SCENARIOS); i++)
		assert_int_equal(SCENARIOS[i].run(), 0);
	quiet = find_quiet();
	for (i = 0; i < ROWS(SCENARIOS); i++) {
		for (nth = 1; nth < MOST && one(i, nth); nth++)
			;
		printf("# %s: %u\n", SCENARIOS[i].name, nth - 1);
		assert_in_range(nth - 1, SCENARIOS[i].least, MOST - 2);
		total += nth - 1;
	}
	unlink(duo_path());
	printf("# %u allocations failed, one at a time\n", total);
}

static int open_b(void **state)
{
	struct ur_file_link_config c;

	(void)state;
	duo_memory(&D);
	c = duo_config(&D, UR_END_B);
	c.wait_fd = D.bells[1];
	c.ring_fd = D.bells[0];
	D.l[1] = must_open(&c);
	return sem_init(&please_call, 0, 0);
}

static void with_an_echo(void **state)
{
	pthread_t caller;

	echo_start(&D);
	pthread_create(&caller, NULL, call_back_thread, D.l[1]);
	every_allocation_fails_once(state);
	is_over = true;
	sem_post(&please_call);
	pthread_join(caller, NULL);
	echo_stop(&D);
	ur_file_link_close(D.l[1]);
	duo_forget(&D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(with_an_echo, open_b),
	};

	return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
