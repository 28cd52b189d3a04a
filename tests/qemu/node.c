// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the QEMU tests do to /dev/usbrouteN inside a guest, one verb a test:
 *
 *      node echo SERVICE              serve: send back what comes, for ever
 *      node mute SERVICE              serve: accept, and do nothing
 *      node listen SERVICE BACKLOG     listen, and accept nothing
 *      node sink SERVICE              serve: read all, print count and sum
 *      node rtt SERVICE N             N round trips of 48 bytes
 *      node pump SERVICE BYTES        send a pattern, half-close, check the echo
 *      node many SERVICE N            N connects, one byte there and back, close
 *      node refused SERVICE           expect ECONNREFUSED
 *      node down MS                   expect EHOSTDOWN after MS milliseconds
 *      node signal SERVICE            a signal ends a blocking read and connect
 *      node poll SERVICE              poll, O_NONBLOCK, MSG_PEEK, FIONREAD, SO_RCVTIMEO
 *      node half SERVICE              poll after our own half-close, of an echo
 *      node halfquiet SERVICE         the same, of a mute server: no hang-up
 *      node edge SERVICE              20 round trips by EPOLLET, in time
 *      node dontwait SERVICE          MSG_DONTWAIT beside a thread that sleeps
 *      node stopread SERVICE N        shutdown(SHUT_RD) against recv and poll
 *      node hold SERVICE              connect, then wait for the end; prints errno,
 *                                     after which poll tells of a hang-up
 *      node late SERVICE              connect to a peer that is yet to come
 *      node busy SERVICE              connect until EBUSY, print how many
 *      node info                      state end channels ring_bytes fault got want
 *      node restart                   take a new epoch
 *
 * The node is /dev/usbroute0, or what UR_NODE names.
 * Ends with 0 and a line that starts with "ok", or says what was expected.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "usbroute.h"

static int node;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int dial(unsigned int service, unsigned int timeout_ms)
{
	struct usbroute_connect c = {
		.service = service, .timeout_ms = timeout_ms,
		.flags = USBROUTE_CLOEXEC,
	};

	return ioctl(node, USBROUTE_IOC_CONNECT, &c);
}

static int must_dial(unsigned int service)
{
	int fd = dial(service, 5000);

	if (fd < 0)
		err(1, "connect to service %u", service);
	return fd;
}

static void must_read(int fd, void *to, size_t n)
{
	ssize_t got = recv(fd, to, n, MSG_WAITALL);

	if (got != (ssize_t)n)
		err(1, "recv: expected %zu, got %zd", n, got);
}

static void must_write(int fd, const void *from, size_t n)
{
	const char *at = from;
	size_t left = n;

	/* A part is written when the stream ends meanwhile; then it says why. */
	while (left) {
		ssize_t put = write(fd, at, left);

		if (put < 0)
			err(1, "write: %zu of %zu bytes left", left, n);
		at += put;
		left -= (size_t)put;
	}
}

/* ---- serving ------------------------------------------------------------- */

static void *echo_one(void *argument)
{
	int fd = (int)(intptr_t)argument;
	static _Thread_local char buffer[65536];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			break;
	close(fd);
	return NULL;
}

static void *mute_one(void *argument)
{
	return argument;	/* the descriptor stays open */
}

static void *sink_one(void *argument)
{
	int fd = (int)(intptr_t)argument;
	static _Thread_local unsigned char buffer[65536];
	unsigned long long total = 0, sum = 0;
	ssize_t n, i;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (total += (unsigned long long)n, i = 0; i < n; i++)
			sum = sum * 31 + buffer[i];
	printf("sink %llu bytes sum %llx end %s\n", total, sum,
	       n < 0 ? strerror(errno) : "eof");
	fflush(stdout);
	close(fd);
	return NULL;
}

static void must_listen(unsigned int service, unsigned int backlog)
{
	struct usbroute_listen l = { .service = service, .backlog = backlog };

	if (ioctl(node, USBROUTE_IOC_LISTEN, &l) < 0)
		err(1, "listen on service %u", service);
	printf("ok serving %u\n", service);
	fflush(stdout);
}

static int listen_only(unsigned int service, unsigned int backlog)
{
	must_listen(service, backlog);
	return pause();
}

static int serve(unsigned int service, void *(*one)(void *))
{
	must_listen(service, 16);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct usbroute_accept a = { .timeout_ms = USBROUTE_WAIT_FOREVER };
		int fd = ioctl(node, USBROUTE_IOC_ACCEPT, &a);
		pthread_t thread;

		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			err(1, "accept");
		if (pthread_create(&thread, NULL, one, (void *)(intptr_t)fd))
			errx(1, "no thread");
		pthread_detach(thread);
	}
}

/* ---- calling ------------------------------------------------------------- */

static int rtt(unsigned int service, int rounds)
{
	int fd = must_dial(service), i;
	char message[48] = "round trip";
	double start = now();

	for (i = 0; i < rounds; i++) {
		must_write(fd, message, sizeof(message));
		must_read(fd, message, sizeof(message));
	}
	printf("ok rtt %d rounds %.1f us each\n", rounds,
	       (now() - start) * 1e6 / rounds);
	return 0;
}

static unsigned char pattern(unsigned long long at)
{
	return (unsigned char)(at * 2654435761u >> 7);
}

struct pump {
	int fd;
	unsigned long long bytes;
};

static void *pump_out(void *argument)
{
	struct pump *p = argument;
	static unsigned char buffer[100003];
	unsigned long long at = 0;

	while (at < p->bytes) {
		size_t n = sizeof(buffer), i;

		if (p->bytes - at < n)
			n = (size_t)(p->bytes - at);
		for (i = 0; i < n; i++)
			buffer[i] = pattern(at + i);
		must_write(p->fd, buffer, n);
		at += n;
	}
	if (shutdown(p->fd, SHUT_WR))
		err(1, "shutdown");
	return NULL;
}

static int pump(unsigned int service, unsigned long long bytes)
{
	static unsigned char buffer[65536];
	struct pump p = { must_dial(service), bytes };
	unsigned long long at = 0;
	double start = now();
	pthread_t out;
	ssize_t n, i;

	if (pthread_create(&out, NULL, pump_out, &p))
		errx(1, "no thread");
	while ((n = read(p.fd, buffer, sizeof(buffer))) > 0)
		for (i = 0; i < n; i++, at++)
			if (buffer[i] != pattern(at))
				errx(1, "byte %llu: expected %u, got %u", at,
				     pattern(at), buffer[i]);
	if (n < 0)
		err(1, "read after %llu bytes", at);
	pthread_join(out, NULL);
	if (at != bytes)
		errx(1, "expected %llu bytes, got %llu", bytes, at);
	printf("ok pump %llu bytes both ways %.1f MB/s\n", bytes,
	       (double)bytes / (now() - start) / 1e6);
	return 0;
}

static int many(unsigned int service, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		int fd = must_dial(service);
		char c = (char)i, d;

		must_write(fd, &c, 1);
		must_read(fd, &d, 1);
		if (c != d)
			errx(1, "connect %d: expected %d, got %d", i, c, d);
		close(fd);
	}
	printf("ok many %d\n", n);
	return 0;
}

static int expect_errno(const char *what, int got, int want)
{
	if (got != want)
		errx(1, "%s: expected %s, got %s", what, strerror(want),
		     strerror(got));
	printf("ok %s: %s\n", what, strerror(want));
	return 0;
}

static int refused(unsigned int service)
{
	int fd = dial(service, 5000);

	return expect_errno("connect", fd < 0 ? errno : 0, ECONNREFUSED);
}

static int down(unsigned int ms)
{
	double start = now(), took;
	int fd = dial(1, ms), e = fd < 0 ? errno : 0;

	took = (now() - start) * 1000;
	/* It counts ticks, which the other processor may count late and at once. */
	if (took + 50 < ms || took > ms + 1000)
		errx(1, "connect took %.0f ms, expected %u", took, ms);
	return expect_errno("connect", e, EHOSTDOWN);
}

static void nothing(int number)
{
	(void)number;
}

static void alarm_in(int ms)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval timer = { .it_value.tv_usec = ms * 1000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int signals(unsigned int service)
{
	int fd = must_dial(service);
	static char big[4 << 20];
	char c;
	ssize_t n;

	alarm_in(100);
	n = read(fd, &c, 1);
	expect_errno("read", n < 0 ? errno : 0, EINTR);
	must_write(fd, "x", 1);
	must_read(fd, &c, 1);
	alarm_in(300);
	n = write(fd, big, sizeof(big)); /* nobody reads the echo: it fills up */
	if (n <= 0 || n >= (ssize_t)sizeof(big))
		errx(1, "write: expected a part of %zu bytes, got %zd",
		     sizeof(big), n);
	printf("ok write ended by a signal after %zd bytes\n", n);
	return 0;
}

static int polls(unsigned int service)
{
	int fd = must_dial(service), waiting = -1;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct timeval limit = { .tv_usec = 50000 };
	char c;

	if (poll(&p, 1, 0) != 1 || p.revents != POLLOUT)
		errx(1, "poll: expected %d, got %d", POLLOUT, p.revents);
	if (recv(fd, &c, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		err(1, "recv: expected EAGAIN");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (recv(fd, &c, 1, 0) >= 0 || errno != EAGAIN)
		err(1, "recv with a timeout: expected EAGAIN");
	must_write(fd, "abc", 3);
	p.events = POLLIN;
	if (poll(&p, 1, 5000) != 1 || p.revents != POLLIN)
		errx(1, "poll: expected %d, got %d", POLLIN, p.revents);
	if (recv(fd, &c, 1, MSG_PEEK) != 1 || c != 'a')
		errx(1, "peek: expected a");
	if (ioctl(fd, FIONREAD, &waiting) || waiting != 3)
		errx(1, "FIONREAD: expected 3, got %d", waiting);
	shutdown(fd, SHUT_WR);
	must_read(fd, (char[3]){ 0 }, 3);
	if (read(fd, &c, 1) != 0)
		errx(1, "read: expected the end");
	signal(SIGPIPE, SIG_IGN);
	if (write(fd, "x", 1) >= 0 || errno != EPIPE)
		err(1, "write after shutdown: expected EPIPE");
	printf("ok poll\n");
	return 0;
}

static int half(unsigned int service)
{
	int fd = must_dial(service);
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	if (shutdown(fd, SHUT_WR))
		err(1, "shutdown");
	/* The echo ends when it has read our end: first nothing, then that. */
	if (poll(&p, 1, 5000) != 1 || !(p.revents & POLLIN) ||
	    !(p.revents & POLLRDHUP))
		errx(1, "poll: expected POLLIN and POLLRDHUP, got %#x", p.revents);
	printf("ok half\n");
	return 0;
}

/* The peer holds: nothing comes, so a hang-up would be ours. */
static int half_quiet(unsigned int service)
{
	int fd = must_dial(service);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (shutdown(fd, SHUT_WR))
		err(1, "shutdown");
	if (poll(&p, 1, 300) != 0)
		errx(1, "poll: expected nothing, got %#x", p.revents);
	printf("ok half and quiet\n");
	return 0;
}

static int edge(unsigned int service)
{
	int fd = must_dial(service), ep = epoll_create1(0), i;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	char c = 'x';
	double start;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		err(1, "epoll");
	epoll_wait(ep, &e, 1, 0);
	start = now();
	for (i = 0; i < 20; i++) {
		must_write(fd, &c, 1);
		if (epoll_wait(ep, &e, 1, 5000) != 1)
			errx(1, "round %d: no edge", i);
		must_read(fd, &c, 1);
	}
	if (now() - start > 1)
		errx(1, "20 rounds took %.2f s, expected below 1", now() - start);
	printf("ok edge\n");
	return 0;
}

static void *read_one(void *argument)
{
	char c;

	return (void *)(intptr_t)recv((int)(intptr_t)argument, &c, 1, 0);
}

static int dontwait(unsigned int service)
{
	int fd = must_dial(service);
	pthread_t sleeper;
	double start;
	char c;

	if (pthread_create(&sleeper, NULL, read_one, (void *)(intptr_t)fd))
		errx(1, "no thread");
	usleep(100000);
	start = now();
	if (recv(fd, &c, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		err(1, "recv: expected EAGAIN");
	if (now() - start > 0.5)
		errx(1, "recv took %.2f s", now() - start);
	must_write(fd, "x", 1);
	pthread_join(sleeper, NULL);
	printf("ok dontwait\n");
	return 0;
}

static void *poll_one(void *argument)
{
	struct pollfd p = { .fd = (int)(intptr_t)argument, .events = POLLIN };

	return (void *)(intptr_t)poll(&p, 1, 5000);
}

static int stopread(unsigned int service, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		int fd = must_dial(service);
		pthread_t other;
		double start;

		if (pthread_create(&other, NULL, i & 1 ? poll_one : read_one,
				   (void *)(intptr_t)fd))
			errx(1, "no thread");
		usleep((useconds_t)(i * 37 % 400));
		start = now();
		shutdown(fd, SHUT_RD);
		pthread_join(other, NULL);
		if (now() - start > 0.5)
			errx(1, "try %d: the other thread took %.2f s", i,
			     now() - start);
		close(fd);
	}
	printf("ok stopread %d\n", n);
	return 0;
}

static int hold(unsigned int service)
{
	struct pollfd p = { .fd = must_dial(service) };
	const char *end = "eof";
	char c;
	ssize_t n;

	printf("ok holding\n");
	fflush(stdout);
	n = read(p.fd, &c, 1);
	if (n)
		end = n < 0 ? strerror(errno) : "data";
	if (n < 0 && (poll(&p, 1, 0) != 1 || !(p.revents & POLLHUP)))
		errx(1, "%s, then poll: expected POLLHUP, got %#x", end,
		     p.revents);
	printf("ok ended: %s\n", end);
	return 0;
}

static int busy(unsigned int service)
{
	int n = 0;

	while (dial(service, 5000) >= 0)
		n++;
	printf("ok busy after %d: %s\n", n, strerror(errno));
	return 0;
}

/* Until somebody serves it: the peer may be up before its server is. */
static int late(unsigned int service)
{
	double until = now() + 60;
	int fd;

	while ((fd = dial(service, 60000)) < 0 && errno == ECONNREFUSED &&
	       now() < until)
		usleep(5000); /* nobody tells when somebody serves */
	if (fd < 0)
		err(1, "connect");
	printf("ok late\n");
	return 0;
}

static int info(void)
{
	static const char *const states[] = { "down", "up", "broken" };
	struct usbroute_info i;

	if (ioctl(node, USBROUTE_IOC_INFO, &i))
		err(1, "info");
	printf("ok %s %c %u %u %s %#x %#x open %u\n", states[i.state],
	       i.end ? 'B' : 'A', i.channels, i.ring_bytes, i.fault_name,
	       i.fault_got, i.fault_want, i.channels_open);
	return 0;
}

static int restart(void)
{
	if (ioctl(node, USBROUTE_IOC_RESTART))
		err(1, "restart");
	printf("ok restart\n");
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *path = getenv("UR_NODE") ?: "/dev/usbroute0";
	unsigned int a = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 0;
	unsigned long long b = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;

	node = open(path, O_RDWR | O_CLOEXEC);
	if (node < 0)
		err(1, "%s", path);
	if (!strcmp(verb, "echo"))
		return serve(a, echo_one);
	if (!strcmp(verb, "mute"))
		return serve(a, mute_one);
	if (!strcmp(verb, "listen"))
		return listen_only(a, (unsigned int)b);
	if (!strcmp(verb, "sink"))
		return serve(a, sink_one);
	if (!strcmp(verb, "rtt"))
		return rtt(a, (int)b);
	if (!strcmp(verb, "pump"))
		return pump(a, b);
	if (!strcmp(verb, "many"))
		return many(a, (int)b);
	if (!strcmp(verb, "refused"))
		return refused(a);
	if (!strcmp(verb, "down"))
		return down(a);
	if (!strcmp(verb, "signal"))
		return signals(a);
	if (!strcmp(verb, "poll"))
		return polls(a);
	if (!strcmp(verb, "hold"))
		return hold(a);
	if (!strcmp(verb, "half"))
		return half(a);
	if (!strcmp(verb, "halfquiet"))
		return half_quiet(a);
	if (!strcmp(verb, "edge"))
		return edge(a);
	if (!strcmp(verb, "dontwait"))
		return dontwait(a);
	if (!strcmp(verb, "stopread"))
		return stopread(a, (int)b);
	if (!strcmp(verb, "late"))
		return late(a);
	if (!strcmp(verb, "busy"))
		return busy(a);
	if (!strcmp(verb, "info"))
		return info();
	if (!strcmp(verb, "restart"))
		return restart();
	errx(2, "no such verb: %s", verb);
}
