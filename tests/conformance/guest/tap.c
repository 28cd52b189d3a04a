// SPDX-License-Identifier: BSD-2-Clause
/*
 * A tap on a client's end of the route:
 *
 *      vhci-hcd <== TCP on the loopback ==> tap <== /dev/usbroute0, or TCP ==> the device VM
 *                                            |
 *                                            v  OUT
 *
 *      tap TARGET OUT      TARGET: /dev/usbrouteN or ADDRESS:PORT
 *
 * Serves port 3240 of 127.0.0.1. For each connection it makes one of its own to
 * TARGET, copies both ways and writes down what it took from either side before
 * it passes it on: a header of three little-endian words (connection, direction:
 * 0 to the device, bytes), then the bytes. Ends on SIGTERM. "serving": it listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "usbroute.h"

#define CONNECTIONS 32
#define PIECE 65536

struct connection {
	int fd[2];	/* our client; the device VM. -1: that direction ended */
	bool open[2];	/* still to be read */
	uint32_t number;
};

static struct connection connections[CONNECTIONS];
static uint32_t made;
static FILE *out;
static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "tap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int call_link(const char *path)
{
	struct usbroute_connect c = {
		.service = USBROUTE_SERVICE_USBIP, .timeout_ms = 5000,
	};
	int fd, link = open(path, O_RDWR);

	if (link < 0)
		return -1;
	fd = ioctl(link, USBROUTE_IOC_CONNECT, &c);
	close(link);
	return fd;
}

static struct sockaddr_in address(const char *host, int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		fprintf(stderr, "tap: no address: %s\n", host);
		exit(2);
	}
	return a;
}

static int call_tcp(const char *target)
{
	char host[64];
	int port, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a;

	if (sscanf(target, "%63[^:]:%d", host, &port) != 2) {
		fprintf(stderr, "tap: neither a link nor ADDRESS:PORT: %s\n", target);
		exit(2);
	}
	a = address(host, port);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static int serve(void)
{
	struct sockaddr_in a = address("127.0.0.1", 3240);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		die("port 3240");
	return fd;
}

static struct connection *unused(void)
{
	int i;

	for (i = 0; i < CONNECTIONS; i++)
		if (!connections[i].number)
			return &connections[i];
	fprintf(stderr, "tap: more than %d connections\n", CONNECTIONS);
	exit(1);
}

static void admit(int listener, const char *target)
{
	struct connection *c = unused();

	c->fd[0] = accept(listener, NULL, NULL);
	if (c->fd[0] < 0)
		return;
	c->fd[1] = *target == '/' ? call_link(target) : call_tcp(target);
	if (c->fd[1] < 0) {
		fprintf(stderr, "tap: %s: %s\n", target, strerror(errno));
		close(c->fd[0]);
		return;
	}
	c->open[0] = c->open[1] = true;
	c->number = ++made;
}

static bool pass_on(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		bytes -= (size_t)n;
	}
	return true;
}

static void write_down(uint32_t number, uint32_t side, const void *data, size_t bytes)
{
	const uint32_t head[3] = { number, side, (uint32_t)bytes };

	if (fwrite(head, sizeof(head), 1, out) != 1 ||
	    fwrite(data, 1, bytes, out) != bytes)
		die("writing");
}

/* An end of file goes on as one; when both ways have ended the connection has. */
static void stop_side(struct connection *c, int side)
{
	shutdown(c->fd[!side], SHUT_WR);
	c->open[side] = false;
	if (c->open[!side])
		return;
	close(c->fd[0]);
	close(c->fd[1]);
	c->number = 0;
}

static void move(struct connection *c, int side)
{
	static char data[PIECE];
	ssize_t n = recv(c->fd[side], data, sizeof(data), 0);

	if (n > 0) {
		write_down(c->number, (uint32_t)side, data, (size_t)n);
		if (pass_on(c->fd[!side], data, (size_t)n))
			return;
	}
	stop_side(c, side);
}

static void turn(int listener, const char *target)
{
	struct pollfd fds[1 + 2 * CONNECTIONS] = { { listener, POLLIN, 0 } };
	int i;

	for (i = 0; i < 2 * CONNECTIONS; i++) {
		struct connection *c = &connections[i / 2];

		fds[1 + i].fd = c->number && c->open[i % 2] ? c->fd[i % 2] : -1;
		fds[1 + i].events = POLLIN;
	}
	if (poll(fds, 1 + 2 * CONNECTIONS, 200) <= 0)
		return;
	for (i = 0; i < 2 * CONNECTIONS; i++)
		if (fds[1 + i].revents && connections[i / 2].number)
			move(&connections[i / 2], i % 2);
	if (fds[0].revents)
		admit(listener, target);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	int listener;

	if (argc != 3) {
		fprintf(stderr, "usage: tap TARGET OUT\n");
		return 2;
	}
	out = fopen(argv[2], "w");
	if (!out)
		die(argv[2]);
	sigaction(SIGTERM, &action, NULL);
	listener = serve();
	printf("serving\n");
	fflush(stdout);
	while (!ended)
		turn(listener, argv[1]);
	return fclose(out) ? 1 : 0;
}
