// SPDX-License-Identifier: BSD-2-Clause
/*
 * The cable between two processes, each on its own core, beside its rivals.
 *
 *      parent, end A, first core  ==== subject ====  child, end B, last core
 *
 *      64k     A sends messages of 64 KiB for a while; the clock stops when B,
 *              which has read all of them, says so
 *      rtt48   A sends 48 bytes (a USB/IP header), B sends them back
 *
 * usage: cable [RUNS [SECONDS [SUBJECT]]]
 * Subjects take turns, RUNS rounds of them; each turn lasts SECONDS and a new
 * pair of processes. One JSON object a line for each number.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "file_link.h"

#define SERVICE 7
#define SOON_MS 10000
#define BIG (64u << 10)
#define SMALL 48u
#define SMALL_REGION (16u << 20)	/* what two machines have: rings of 256 KiB */
#define PIPE_BYTES (256u << 10)
#define COPY_AREA (256u << 10)
#define LARGE (4u << 20)	/* of a socket's buffer; the ring has 2 MiB */
#define NEVER_SLEEP 1000000u	/* microseconds; longer than any wait here */
#define TURN_LIMIT_S 60		/* a turn that hangs ends the program */
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* What the child found out; shared with the parent. */
struct side {
	u64 switches;		/* times it went to sleep */
	u64 doorbells;		/* it rang */
};

struct end {
	int in, out;		/* descriptors, or -1 and a stream */
	bool spin;		/* of descriptors: never sleep */
	struct ur_file_link *link;
	struct ur_stream *stream;
};

/* Both ends of a subject, before there are two processes. */
struct wires {
	int in[2], out[2];	/* by end */
	int memory;		/* of a ring */
};

struct subject {
	const char *name;
	void (*make)(struct wires *w);
	u32 spin_us;		/* of a ring, else 0 or not */
};

static const char *current = "start";
static u8 message[BIG];

static void die(const char *what)
{
	fprintf(stderr, "cable: %s: %s: %s\n", current, what, strerror(errno));
	exit(1);
}

static void die_of(const char *what, ssize_t error)
{
	errno = (int)-error;
	die(what);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The first processor we may use, or the last one. */
static void pin(bool last)
{
	static cpu_set_t all;
	static bool known;
	cpu_set_t one;
	int i, chosen = -1;

	if (!known && sched_getaffinity(0, sizeof(all), &all) < 0)
		die("sched_getaffinity");
	known = true;
	for (i = 0; i < CPU_SETSIZE && (chosen < 0 || last); i++)
		if (CPU_ISSET(i, &all))
			chosen = i;
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("sched_setaffinity");
}

/* ---- the rivals ---------------------------------------------------------- */

static void two_way(struct wires *w, const int fd[2])
{
	int i;

	for (i = 0; i < 2; i++)
		w->in[i] = w->out[i] = fd[i];
}

static void make_unix(struct wires *w)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		die("socketpair");
	two_way(w, fd);
}

/* Beyond the system's limit only for root; for others what the limit is. */
static void make_large_unix(struct wires *w)
{
	const int bytes = LARGE;
	int i;

	make_unix(w);
	for (i = 0; i < 2; i++)
		if (setsockopt(w->out[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
			       sizeof(bytes)) < 0 &&
		    setsockopt(w->out[i], SOL_SOCKET, SO_SNDBUF, &bytes,
			       sizeof(bytes)) < 0)
			die("SO_SNDBUF");
}

static int tcp_socket(void)
{
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof(one)) < 0)
		die("a TCP socket");
	return fd;
}

static void make_tcp(struct wires *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(at);
	int listener = tcp_socket();
	int fd[2] = { tcp_socket(), -1 };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &bytes) < 0 ||
	    connect(fd[0], (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect to 127.0.0.1");
	fd[1] = accept(listener, NULL, NULL);
	if (fd[1] < 0)
		die("accept");
	close(listener);
	two_way(w, fd);
}

static void make_pipe(struct wires *w)
{
	int fd[2], end;

	for (end = 0; end < 2; end++) {
		if (pipe(fd) < 0 ||
		    fcntl(fd[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
			die("pipe");
		w->in[end] = fd[0];
		w->out[!end] = fd[1];
	}
}

static void make_memory(struct wires *w, u64 bytes)
{
	w->memory = ur_file_link_memfd(bytes);
	if (w->memory < 0)
		die_of("memfd", w->memory);
}

static void make_ring(struct wires *w)
{
	make_memory(w, UR_FILE_REGION_DEFAULT);
}

static void make_small_ring(struct wires *w)
{
	make_memory(w, SMALL_REGION);
}

/* ---- an end -------------------------------------------------------------- */

static void open_link(struct end *e, const struct wires *w, enum ur_end which,
		      const struct subject *s)
{
	struct ur_file_link_config c = ur_file_link_config(which, NULL);
	char why[UR_WHY_BYTES];
	int n;

	c.fd = w->memory;
	c.spin_us = s->spin_us;
	n = ur_file_link_open(&c, &e->link, why);
	if (n < 0) {
		fprintf(stderr, "cable: end %c: %s\n", "AB"[which], why);
		exit(1);
	}
}

static void take_end(struct end *e, const struct wires *w, enum ur_end which,
		     const struct subject *s)
{
	*e = (struct end){ .in = w->in[which], .out = w->out[which],
			   .spin = s->spin_us };
	if (w->memory >= 0) {
		open_link(e, w, which, s);
		return;
	}
	close(w->in[!which]);
	if (w->out[!which] != w->in[!which])
		close(w->out[!which]);
}

static ssize_t send_some(const struct end *e, const u8 *data, size_t bytes)
{
	return e->spin ? send(e->out, data, bytes, MSG_DONTWAIT) :
			 write(e->out, data, bytes);
}

static void put(const struct end *e, const u8 *data, size_t bytes)
{
	ssize_t n = 0;
	size_t done;

	if (e->stream) {
		n = ur_stream_send(e->stream, data, bytes, SOON_MS);
		if (n != (ssize_t)bytes)
			die_of("send", n);
		return;
	}
	for (done = 0; done < bytes; done += n > 0 ? (size_t)n : 0) {
		n = send_some(e, data + done, bytes - done);
		if (n < 0 && errno != EAGAIN)
			die("send");
	}
}

static ssize_t recv_some(const struct end *e, u8 *data, size_t bytes)
{
	return e->spin ? recv(e->in, data, bytes, MSG_DONTWAIT) :
			 read(e->in, data, bytes);
}

/* All bytes, or fewer at the end of the stream. */
static size_t get(const struct end *e, u8 *data, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	if (e->stream) {
		n = ur_stream_recv_all(e->stream, data, bytes, SOON_MS);
		if (n < 0)
			die_of("receive", n);
		return (size_t)n;
	}
	while (done < bytes) {
		n = recv_some(e, data + done, bytes - done);
		if (n == 0)
			break;
		if (n < 0 && errno != EAGAIN)
			die("receive");
		done += n > 0 ? (size_t)n : 0;
	}
	return done;
}

static void no_more(const struct end *e)
{
	if (e->stream)
		(void)!ur_stream_shut(e->stream, UR_SHUT_SEND);
	else if (e->in == e->out)
		shutdown(e->out, SHUT_WR);
	else
		close(e->out);
}

static void leave(struct end *e, struct side *result)
{
	struct ur_file_link_info info = { 0 };
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	if (e->link) {
		ur_file_link_info(e->link, &info);
		ur_stream_close(e->stream, false);
		ur_file_link_close(e->link);
	}
	result->switches = (u64)used.ru_nvcsw;
	result->doorbells = info.doorbells_sent;
}

/* ---- the two processes --------------------------------------------------- */

static void say(int control)
{
	if (write(control, "", 1) != 1)
		die("control socket: write");
}

static void hear(int control)
{
	char byte;

	if (read(control, &byte, 1) != 1)
		die("control socket: the other process ended");
}

static void child(struct end *e, u32 bytes, bool echo, int control,
		  struct side *result)
{
	int n = 0;

	if (e->link)
		n = ur_file_link_listen(e->link, SERVICE, 1);
	if (n < 0)
		die_of("listen", n);
	say(control);
	if (e->link)
		n = ur_file_link_accept(e->link, SERVICE, SOON_MS, &e->stream);
	if (n < 0)
		die_of("accept", n);
	while (get(e, message, bytes) == bytes)
		if (echo)
			put(e, message, bytes);
	say(control);
	leave(e, result);
}

/* Operations in `seconds`, which becomes what it took. */
static u64 parent(struct end *e, u32 bytes, bool echo, int control,
		  double *seconds)
{
	double start = now_s();
	u64 count = 0;
	u32 i;

	do {
		for (i = 0; i < 16; i++, count++) {
			put(e, message, bytes);
			if (echo && get(e, message, bytes) != bytes)
				die("the echo ended");
		}
	} while (now_s() - start < *seconds);
	no_more(e);
	hear(control);
	*seconds = now_s() - start;
	return count;
}

static pid_t start_child(const struct wires *w, const struct subject *s,
			 u32 bytes, bool echo, const int control[2],
			 struct side *result)
{
	struct end e;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TURN_LIMIT_S);
	close(control[0]);
	pin(true);
	take_end(&e, w, UR_END_B, s);
	child(&e, bytes, echo, control[1], result);
	exit(0);
}

static void tell(const char *test, const char *subject, int run,
		 const char *metric, const char *unit, double value)
{
	printf("{\"case\": \"%s\", \"subject\": \"%s\", \"metric\": \"%s\", "
	       "\"unit\": \"%s\", \"value\": %.6g, \"run\": %d}\n",
	       test, subject, metric, unit, value, run);
	fflush(stdout);
}

static void report(const struct subject *s, bool echo, int run, u64 count,
		   double seconds, const struct side sides[2])
{
	const char *test = echo ? "rtt48" : "64k";
	double n = (double)count;

	if (echo)
		tell(test, s->name, run, "latency", "us", seconds * 1e6 / n);
	else
		tell(test, s->name, run, "throughput", "MB/s",
		     n * BIG / seconds * 1e-6);
	tell(test, s->name, run, "sleeps", "1/op",
	     (double)(sides[0].switches + sides[1].switches) / n);
	if (!strncmp(s->name, "ring", 4))
		tell(test, s->name, run, "doorbells", "1/op",
		     (double)(sides[0].doorbells + sides[1].doorbells) / n);
}

static u64 sleeps_so_far(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (u64)used.ru_nvcsw;
}

static void join(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status != 0) {
		fprintf(stderr, "cable: %s: the child's status is %#x, "
			"expected 0\n", current, status);
		exit(1);
	}
}

static void one_turn(const struct subject *s, bool echo, int run,
		     double seconds, struct side *sides)
{
	u32 bytes = echo ? SMALL : BIG;
	struct wires w = { { -1, -1 }, { -1, -1 }, -1 };
	u64 count, before;
	struct end e;
	int control[2], n = 0;
	pid_t pid;

	current = s->name;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) < 0)
		die("socketpair");
	s->make(&w);
	pid = start_child(&w, s, bytes, echo, control, &sides[1]);
	close(control[1]);
	take_end(&e, &w, UR_END_A, s);
	hear(control[0]);
	if (e.link)
		n = ur_file_link_connect(e.link, SERVICE, SOON_MS, &e.stream);
	if (n < 0)
		die_of("connect", n);
	before = sleeps_so_far();
	count = parent(&e, bytes, echo, control[0], &seconds);
	leave(&e, &sides[0]);
	sides[0].switches -= before;
	join(pid);
	report(s, echo, run, count, seconds, sides);
	close(control[0]);
	close(w.memory >= 0 ? w.memory : e.in);
}

/* One process, once: what no cable that copies can beat. */
static void copy_only(int run, double seconds)
{
	static u8 area[COPY_AREA];
	double start = now_s();
	u64 count = 0;
	u32 i;

	do {
		for (i = 0; i < COPY_AREA; i += BIG, count++) {
			memcpy(area + i, message, BIG);
			__asm__ volatile("" : : "r"(area) : "memory");
		}
	} while (now_s() - start < seconds);
	tell("64k", "memcpy", run, "throughput", "MB/s",
	     (double)count * BIG / (now_s() - start) * 1e-6);
}

int main(int argc, char **argv)
{
	static const struct subject subjects[] = {
		{ "ring", make_ring, UR_SPIN_DEFAULT_US },
		{ "ring_sleep", make_ring, 0 },
		{ "ring_spin", make_ring, NEVER_SLEEP },
		{ "ring_256k", make_small_ring, UR_SPIN_DEFAULT_US },
		{ "af_unix", make_unix, 0 },
		{ "af_unix_spin", make_unix, 1 },
		{ "af_unix_4m", make_large_unix, 0 },
		{ "tcp", make_tcp, 0 },
		{ "pipe", make_pipe, 0 },
	};
	int run, runs = argc > 1 ? atoi(argv[1]) : 5;
	double seconds = argc > 2 ? atof(argv[2]) : 0.4;
	const char *only = argc > 3 ? argv[3] : NULL;
	struct side *sides = mmap(NULL, 2 * sizeof(*sides),
				  PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u32 i;

	if (sides == MAP_FAILED)
		die("mmap");
	pin(false);
	for (run = 1; run <= runs; run++) {
		for (i = 0; i < 2 * ROWS(subjects); i++) {
			if (only && strcmp(only, subjects[i / 2].name))
				continue;
			alarm(TURN_LIMIT_S);
			one_turn(&subjects[i / 2], i % 2, run, seconds, sides);
		}
		if (!only)
			copy_only(run, seconds);
	}
	return 0;
}
