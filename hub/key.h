/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of the configuration file: which section has which, and what each one
 * sets. For config.c only, whose state while it reads is here too.
 */
#ifndef UR_KEY_H
#define UR_KEY_H

#include <stdbool.h>
#include <stdio.h>

#include "config.h"

#define UR_KEY_VALUE_BYTES 256

enum ur_key_number {
	UR_KEY_A,
	UR_KEY_B,
	UR_KEY_SOCKET,
	UR_KEY_SIZE,
	UR_KEY_CHANNELS,
	UR_KEY_MODE,
	UR_KEY_OWNER,
	UR_KEY_GROUP,
	UR_KEY_ALLOW_UID,
	UR_KEY_POLICY,
	UR_KEY_AUDIT,
	UR_KEY_TRANSFER,
	UR_KEY_CALLS,
	UR_KEY_PRIORITY,
	UR_KEY_COUNT
};

struct ur_parse {
	struct ur_config *config;
	const char *file;
	FILE *stream;
	char *text; /* getline's */
	size_t text_room;
	unsigned int line;
	unsigned int section_line; /* 0: none yet */
	bool section_new;	   /* no key of it seen yet */
	struct ur_config_link *link;   /* NULL: this section is none */
	struct ur_config_guard *guard; /* NULL: this section is not the guard's */
	struct {
		unsigned int line; /* 0: not given */
		char value[UR_KEY_VALUE_BYTES];
	} given[UR_KEY_COUNT]; /* in this section */
	unsigned int errors;
};

/* One line on standard error, and one error more. */
__attribute__((format(printf, 3, 4))) void
ur_parse_complain(struct ur_parse *parse, unsigned int line, const char *format,
		  ...);

/* A line KEY = VALUE of the section that `link` or `guard` is. */
void ur_key_take(struct ur_parse *parse, const char *name, const char *value);

/* The section ends: what it must have is there? */
void ur_key_settle(struct ur_parse *parse);

#endif
