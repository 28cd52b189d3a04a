// SPDX-License-Identifier: BSD-2-Clause
/*
 * One exchange with a device; a driver that has it is sent away:
 *
 *      usbdo /dev/bus/usb/BBB/DDD INTERFACE OUT-EP IN-EP HEX...
 *
 * The bytes of HEX go out, one bulk transfer for each argument; what comes in on
 * IN-EP, one transfer of up to 64 KiB, is printed as hex. IN-EP 0: nothing is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TIMEOUT_MS 5000
#define ROOM 65536

static void die(const char *what)
{
	fprintf(stderr, "usbdo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bulk(int fd, unsigned int ep, void *data, unsigned int bytes)
{
	struct usbdevfs_bulktransfer t = {
		.ep = ep, .len = bytes, .timeout = TIMEOUT_MS, .data = data,
	};
	int moved = ioctl(fd, USBDEVFS_BULK, &t);

	if (moved < 0)
		die(ep & 0x80 ? "in" : "out");
	return moved;
}

static void send_hex(int fd, unsigned int ep, const char *hex)
{
	static unsigned char data[ROOM];
	unsigned int n = 0, byte;

	while (n < sizeof(data) && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		data[n++] = (unsigned char)byte;
	if (strlen(hex) != 2 * n) {
		fprintf(stderr, "usbdo: not hex: %s\n", hex);
		exit(2);
	}
	bulk(fd, ep, data, n);
}

static void receive(int fd, unsigned int ep)
{
	static unsigned char data[ROOM];
	int i, moved = bulk(fd, ep | 0x80, data, sizeof(data));

	for (i = 0; i < moved; i++)
		printf("%02x", data[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct usbdevfs_disconnect_claim claim = { 0 };
	unsigned int out, in;
	int fd, i;

	if (argc < 5) {
		fprintf(stderr, "usage: usbdo NODE INTERFACE OUT-EP IN-EP HEX...\n");
		return 2;
	}
	claim.interface = (unsigned int)strtoul(argv[2], NULL, 0);
	out = (unsigned int)strtoul(argv[3], NULL, 0);
	in = (unsigned int)strtoul(argv[4], NULL, 0);
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		die(argv[1]);
	if (ioctl(fd, USBDEVFS_DISCONNECT_CLAIM, &claim) < 0)
		die("claim");
	for (i = 5; i < argc; i++)
		send_hex(fd, out, argv[i]);
	if (in)
		receive(fd, in);
	return 0;
}
