// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tells at once of each key that goes down, one line "key CODE" on standard output:
 *
 *      keys /dev/input/eventN >/dev/console      until it is killed or the device goes
 *
 * "keys ready" comes first, once no event can be missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DOWN 1

static void tell(const struct input_event *event)
{
	if (event->type == EV_KEY && event->value == DOWN)
		dprintf(STDOUT_FILENO, "key %u\n", event->code);
}

int main(int argc, char **argv)
{
	struct input_event event;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: keys /dev/input/eventN\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0) {
		fprintf(stderr, "keys: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	dprintf(STDOUT_FILENO, "keys ready\n");
	while (read(fd, &event, sizeof(event)) == sizeof(event))
		tell(&event);
	return 0;
}
