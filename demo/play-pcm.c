// SPDX-License-Identifier: BSD-2-Clause
/* Plays 16-bit little-endian samples from standard input: play-pcm /dev/dsp RATE CHANNELS */
#include <err.h>
#include <fcntl.h>
#include <linux/soundcard.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void set(int fd, unsigned long what, const char *name, int want)
{
	int got = want;

	if (ioctl(fd, what, &got) < 0)
		err(1, "%s %d", name, want);
	if (got != want)
		errx(1, "%s: expected %d, got %d", name, want, got);
}

int main(int argc, char **argv)
{
	static char buffer[16384];
	ssize_t n;
	int fd;

	if (argc != 4)
		errx(2, "usage: play-pcm DEVICE RATE CHANNELS <samples");
	fd = open(argv[1], O_WRONLY);
	if (fd < 0)
		err(1, "%s", argv[1]);
	set(fd, SNDCTL_DSP_SETFMT, "format", AFMT_S16_LE);
	set(fd, SNDCTL_DSP_CHANNELS, "channels", atoi(argv[3]));
	set(fd, SNDCTL_DSP_SPEED, "rate", atoi(argv[2]));
	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			err(1, "%s: write", argv[1]);
	if (n < 0)
		err(1, "standard input");
	if (ioctl(fd, SNDCTL_DSP_SYNC, 0) < 0)
		err(1, "%s: drain", argv[1]);
	return 0;
}
