/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines of an attack's file, and the bytes of a message that one says. What
 * they mean is told in play.c, which plays both ends against the guard; live.c
 * and its like play one end against a kernel.
 */
#ifndef UR_TEST_DIALOGUE_H
#define UR_TEST_DIALOGUE_H

#include "route.h"

#define LINE_ROOM 4096
#define CONFIGURATION_ROOM 512

static inline bool starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static inline const char *value_of(const char *line, const char *key)
{
	char padded[32];
	const char *at;

	snprintf(padded, sizeof(padded), " %s=", key);
	at = strstr(line, padded);
	return at ? at + strlen(padded) : NULL;
}

static inline u32 number_of(const char *line, const char *key, u32 otherwise)
{
	const char *at = value_of(line, key);

	return at ? (u32)strtoll(at, NULL, 0) : otherwise;
}

static inline void put_hex(const char *at)
{
	char pair[3] = "";

	for (; at && at[0] && at[0] != '\n'; at++) {
		if (at[0] == ' ')
			continue;
		memcpy(pair, at, 2);
		put8(&M, (u32)strtoul(pair, NULL, 16));
		at++;
	}
}

static inline void put_hex_word(const char *at)
{
	char word[LINE_ROOM];

	if (at && sscanf(at, "%4095s", word) == 1)
		put_hex(word);
}

static inline void put_data(const char *line)
{
	u32 i, bytes = number_of(line, "data", 0);

	for (i = 0; i < bytes; i++)
		put8(&M, i * 7);
	put_hex_word(value_of(line, "hex"));
}

static inline void put_iso(const char *line)
{
	const char *at = value_of(line, "iso");
	unsigned offset, length, actual;
	int used;

	while (at && sscanf(at, "%i:%i:%i%n", (int *)&offset, (int *)&length,
			    (int *)&actual, &used) == 3) {
		put32(&M, offset);
		put32(&M, length);
		put32(&M, actual);
		put32(&M, 0);
		at = at[used] == ',' ? at + used + 1 : NULL;
	}
}

static inline void set_word(u32 at, u32 value)
{
	u32 bytes = M.bytes;

	M.bytes = at;
	put32(&M, value);
	M.bytes = bytes;
}

static inline void put_request(const char *line, u32 seq)
{
	const char *setup = value_of(line, "setup");
	u8 eight[8] = { 0 };

	if (setup) {
		M.bytes = 0;
		put_hex_word(setup);
		memcpy(eight, M.at, 8);
	}
	put_flagged(&M, number_of(line, "flags", 0), seq, number_of(line, "dir", 0), number_of(line, "ep", 0),
		   number_of(line, "len", 0), number_of(line, "packets", 0),
		   eight);
}

static inline int make(const char *line)
{
	u32 seq = number_of(line, "seq", 1);
	u32 status = number_of(line, "status", 0);

	M.bytes = 0;
	if (strncmp(line + 1, " submit", 7) == 0)
		put_request(line, seq);
	else if (strncmp(line + 1, " unlinked", 9) == 0)
		put_unlinked(&M, seq, status);
	else if (strncmp(line + 1, " unlink", 7) == 0)
		put_unlink(&M, seq, number_of(line, "victim", 0));
	else if (strncmp(line + 1, " ret", 4) == 0)
		put_ret(&M, seq, status, number_of(line, "len", 0),
			number_of(line, "packets", 0),
			number_of(line, "errors", 0));
	else if (strncmp(line + 1, " hex ", 5) == 0)
		put_hex(line + 6);
	else
		return -1;
	if (value_of(line, "devid"))
		set_word(8, number_of(line, "devid", 0));
	if (strncmp(line + 1, " hex ", 5) != 0)
		put_data(line);
	put_iso(line);
	return 0;
}

/* ---- devices: disk, sound, or the one the file describes ------------------ */

struct described {
	struct test_device it;
	u8 device[18];
	u8 configuration[CONFIGURATION_ROOM];
};

/* device VENDOR:PRODUCT CONFIGURATION-IN-HEX */
static inline int describe(struct described *d, const char *line)
{
	unsigned int vendor, product;
	char hex[LINE_ROOM];

	if (sscanf(line, "device %x:%x %4095s", &vendor, &product, hex) != 3 ||
	    strlen(hex) > 2 * CONFIGURATION_ROOM)
		return -1;
	M.bytes = 0;
	put_hex(hex);
	memcpy(d->configuration, M.at, M.bytes);
	memcpy(d->device, SOUND_DEVICE, sizeof(d->device));
	d->device[8] = (u8)vendor;
	d->device[9] = (u8)(vendor >> 8);
	d->device[10] = (u8)product;
	d->device[11] = (u8)(product >> 8);
	d->it = (struct test_device){ "described", (u16)vendor, (u16)product,
				      d->device, d->configuration, M.bytes };
	return 0;
}

/* The device that a line "use disk" and its like names, or NULL. */
static inline const struct test_device *device_of(const char *line,
						  const struct described *d)
{
	size_t i;

	for (i = 0; i < sizeof(TEST_DEVICES) / sizeof(TEST_DEVICES[0]); i++)
		if (strstr(line, TEST_DEVICES[i].name))
			return &TEST_DEVICES[i];
	return strstr(line, "described") && d->it.name ? &d->it : NULL;
}

#endif
