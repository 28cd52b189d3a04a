// SPDX-License-Identifier: BSD-2-Clause
/*
 * A USB/IP server with five devices of its own, for clients to be tested with:
 * a keyboard, a disk, and gadget zeros whose endpoints are of all four types, at
 * high (1-3), full (1-4) and super (1-5) speed.
 *
 *      device [-1] [-p] [PORT]     (3240; -1: ends after one connection;
 *                                  -p: gadget zeros use pattern 1)
 *
 * One connection at a time, plain socket functions and the formats of wire/: it
 * serves over TCP, and over rings when the library is loaded. "serving" on
 * standard output says that it listens.
 */
#include "device.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct device *const devices[] = {
	&device_keyboard, &device_disk, &device_zero, &device_zero_full,
	&device_zero_super,
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

/* ---- bytes --------------------------------------------------------------- */

bool device_receive(int fd, void *data, size_t bytes)
{
	return bytes == 0 || recv(fd, data, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

bool device_send(int fd, const void *data, size_t bytes)
{
	return bytes == 0 ||
	       send(fd, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static void say(const struct ur_refusal *why)
{
	fprintf(stderr, "device: %s: got %u, want %s %u\n", why->field, why->got,
		why->rule, why->want);
}

/* ---- OP ------------------------------------------------------------------ */

static struct ur_op_device description(size_t number)
{
	const struct device *d = devices[number];
	struct ur_op_device op = {
		.busnum = 1,
		.devnum = (u32)number + 2,
		.speed = d->speed,
		.vendor = d->vendor,
		.product = d->product,
		.bcd_device = 0x0100,
		.configuration = 1,
		.configurations = 1,
		.interfaces = 1,
	};

	snprintf(op.busid.text, sizeof(op.busid.text), "1-%zu", number + 1);
	snprintf(op.path, sizeof(op.path), "/sys/devices/emulated/usb1/1-%zu",
		 number + 1);
	return op;
}

static bool reply_header(struct ur_writer *w, u16 code, u32 status,
			 struct ur_refusal *why)
{
	struct ur_op_header header = { code, status };

	return ur_op_header_write(w, UR_TO_CLIENT, &header, why) == 0;
}

static bool answer_list(int fd)
{
	u8 bytes[UR_OP_HEADER_BYTES + UR_OP_COUNT_BYTES +
		 DEVICES * (UR_OP_DEVICE_BYTES + UR_OP_INTERFACE_BYTES)];
	struct ur_writer w;
	struct ur_refusal why;
	bool good;
	size_t i;

	ur_writer_init(&w, bytes, sizeof(bytes));
	good = reply_header(&w, UR_OP_REP_DEVLIST, UR_OP_OK, &why) &&
	       ur_op_count_write(&w, DEVICES, &why) == 0;
	for (i = 0; i < DEVICES && good; i++) {
		struct ur_op_device op = description(i);

		good = ur_op_device_write(&w, &op, &why) == 0 &&
		       ur_op_interface_write(&w, &devices[i]->interface, &why) == 0;
	}
	if (!good)
		say(&why);
	return good && device_send(fd, bytes, sizeof(bytes));
}

/* The number of the device, -1: there is none, -2: no request. */
static int requested(int fd, struct ur_refusal *why)
{
	u8 bytes[UR_OP_BUSID_BYTES];
	struct ur_reader r;
	struct ur_op_busid busid;
	size_t i;

	if (!device_receive(fd, bytes, sizeof(bytes)))
		return -2;
	ur_reader_init(&r, bytes, sizeof(bytes));
	if (ur_op_busid_read(&r, &busid, why) < 0) {
		say(why);
		return -2;
	}
	for (i = 0; i < DEVICES; i++)
		if (strcmp(description(i).busid.text, busid.text) == 0)
			return (int)i;
	return -1;
}

static void answer_import(int fd)
{
	u8 bytes[UR_OP_HEADER_BYTES + UR_OP_DEVICE_BYTES];
	struct ur_writer w;
	struct ur_refusal why;
	int number = requested(fd, &why);
	struct ur_op_device op;

	if (number == -2)
		return;
	ur_writer_init(&w, bytes, sizeof(bytes));
	if (number < 0) {
		if (reply_header(&w, UR_OP_REP_IMPORT, UR_OP_NODEV, &why))
			device_send(fd, bytes, UR_OP_HEADER_BYTES);
		return;
	}
	op = description((size_t)number);
	if (!reply_header(&w, UR_OP_REP_IMPORT, UR_OP_OK, &why) ||
	    ur_op_device_write(&w, &op, &why) < 0)
		say(&why);
	else if (device_send(fd, bytes, sizeof(bytes)))
		device_run(fd, devices[number], ur_op_devid(&op));
}

static void answer(int fd)
{
	u8 bytes[UR_OP_HEADER_BYTES];
	struct ur_reader r;
	struct ur_op_header header;
	struct ur_refusal why;

	if (!device_receive(fd, bytes, sizeof(bytes)))
		return;
	ur_reader_init(&r, bytes, sizeof(bytes));
	if (ur_op_header_read(&r, UR_TO_DEVICE, &header, &why) < 0)
		say(&why);
	else if (header.code == UR_OP_REQ_DEVLIST)
		answer_list(fd);
	else
		answer_import(fd);
}

/* ---- the server ---------------------------------------------------------- */

static int listener(const char *port)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE,
		.ai_family = AF_INET,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *a;
	int fd, one = 1, n = getaddrinfo(NULL, port, &hints, &a);

	if (n) {
		fprintf(stderr, "device: port %s: %s\n", port, gai_strerror(n));
		exit(2);
	}
	fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 8) < 0) {
		fprintf(stderr, "device: port %s: %s\n", port, strerror(errno));
		exit(1);
	}
	freeaddrinfo(a);
	return fd;
}

int main(int argc, char **argv)
{
	bool once = false;
	int option, fd, at;

	while ((option = getopt(argc, argv, "1p")) != -1) {
		if (option == '?')
			return 2;
		once = once || option == '1';
		device_pattern = device_pattern || option == 'p';
	}
	at = listener(optind < argc ? argv[optind] : "3240");
	printf("serving\n");
	fflush(stdout);
	do {
		fd = accept(at, NULL, NULL);
		if (fd < 0) {
			fprintf(stderr, "device: accept: %s\n", strerror(errno));
			return 1;
		}
		answer(fd);
		close(fd);
	} while (!once);
	return 0;
}
