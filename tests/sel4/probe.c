// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a test does inside a guest of the seL4 image, beneath the driver:
 *
 *      probe load ADDRESS              the 32-bit word there
 *      probe pair ADDRESS              the two there, by one instruction of two registers
 *      probe sum ADDRESS BYTES         a checksum of the words there
 *      probe store ADDRESS VALUE       writes it, then prints what is there
 *      probe storm ADDRESS SECONDS     stores 1 as fast as it goes; prints how often
 *      probe scribble ADDRESS BYTES SECONDS    random words all over; prints how many
 *      probe late COUNT MILLISECONDS   sleeps; prints the mean and the worst lateness in us
 *      probe reads DEVICE BYTES COUNT  direct reads; prints the mean time in us
 *      probe work MILLION              counts so far; prints the time in ms
 *
 * Addresses are guest-physical, by /dev/mem; the driver must not hold them.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		errx(2, "'%s' is no number", text);
	return value;
}

static volatile uint32_t *map(uint64_t address, uint64_t bytes)
{
	uint64_t page = address & ~4095ull;
	int fd = open("/dev/mem", O_RDWR | O_SYNC);
	void *at;

	if (fd < 0)
		err(1, "/dev/mem");
	at = mmap(NULL, bytes + (address - page), PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, (off_t)page);
	if (at == MAP_FAILED)
		err(1, "mmap of %#llx", (unsigned long long)address);
	close(fd);
	return (volatile uint32_t *)((char *)at + (address - page));
}

static void load(char **a)
{
	printf("%#x\n", *map(number(a[0]), 4));
}

/* The processor does not say which registers, so nobody can do it in its place. */
static void pair(char **a)
{
	volatile uint32_t *at = map(number(a[0]), 8);
	uint32_t first, second;

	__asm__ volatile("ldp %w0, %w1, [%2]" : "=&r"(first), "=&r"(second) : "r"(at));
	printf("%#x %#x\n", first, second);
}

static void sum(char **a)
{
	uint64_t words = number(a[1]) / 4, i;
	volatile uint32_t *at = map(number(a[0]), words * 4);
	uint32_t value = 2166136261u;

	for (i = 0; i < words; i++)
		value = (value ^ at[i]) * 16777619u;
	printf("%#x\n", value);
}

static void store(char **a)
{
	volatile uint32_t *word = map(number(a[0]), 4);

	*word = (uint32_t)number(a[1]);
	printf("%#x\n", *word);
}

static void storm(char **a)
{
	volatile uint32_t *bell = map(number(a[0]), 4);
	uint64_t end = now_ns() + number(a[1]) * 1000000000;
	uint64_t count = 0;

	for (; now_ns() < end; count++)
		*bell = 1;
	printf("%llu\n", (unsigned long long)count);
}

static void scribble(char **a)
{
	uint64_t words = number(a[1]) / 4;
	volatile uint32_t *at = map(number(a[0]), words * 4);
	uint64_t end = now_ns() + number(a[2]) * 1000000000;
	uint64_t state = 88172645463325252ull, count = 0;

	for (; now_ns() < end; count++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		/* every other word in the header and the channel blocks */
		at[(state >> 32) % (count & 1 ? words : 0x1100 / 4)] = (uint32_t)state;
	}
	printf("%llu\n", (unsigned long long)count);
}

static void late(char **a)
{
	uint64_t count = number(a[0]), ns = number(a[1]) * 1000000;
	uint64_t i, sum = 0, worst = 0;

	for (i = 0; i < count; i++) {
		struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
		uint64_t before = now_ns(), lateness;

		nanosleep(&t, NULL);
		lateness = now_ns() - before - ns;
		sum += lateness;
		worst = lateness > worst ? lateness : worst;
	}
	printf("%llu %llu\n", (unsigned long long)(sum / count / 1000),
	       (unsigned long long)(worst / 1000));
}

static void reads(char **a)
{
	uint64_t bytes = number(a[1]), count = number(a[2]), i, start;
	int fd = open(a[0], O_RDONLY | O_DIRECT);
	void *buffer;

	if (fd < 0)
		err(1, "%s", a[0]);
	if (posix_memalign(&buffer, 4096, bytes))
		errx(1, "no memory");
	start = now_ns();
	for (i = 0; i < count; i++)
		if (pread(fd, buffer, bytes, (off_t)(i % 32 * bytes)) != (ssize_t)bytes)
			err(1, "read of %s", a[0]);
	printf("%llu\n", (unsigned long long)((now_ns() - start) / count / 1000));
}

static void work(char **a)
{
	volatile uint64_t left = number(a[0]) * 1000000;
	uint64_t start = now_ns();

	while (left)
		left--;
	printf("%llu\n", (unsigned long long)((now_ns() - start) / 1000000));
}

static const struct {
	const char *name;
	int arguments;
	void (*run)(char **arguments);
} commands[] = {
	{ "load", 1, load }, { "pair", 1, pair }, { "sum", 2, sum }, { "store", 2, store }, { "storm", 2, storm },
	{ "scribble", 3, scribble }, { "late", 2, late }, { "reads", 3, reads },
	{ "work", 1, work },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc < 2 || strcmp(argv[1], commands[i].name) ||
		    argc != commands[i].arguments + 2)
			continue;
		commands[i].run(argv + 2);
		return 0;
	}
	errx(2, "see the top of tests/sel4/probe.c");
}
