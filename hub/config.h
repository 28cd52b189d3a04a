/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file, usbroute-hub.conf(5): which links there are. It is
 * written by the host's administrator and trusted, but mistakes in it are
 * found: every error is a line FILE:LINE: MESSAGE on standard error that names
 * what was expected and what is there.
 */
#ifndef UR_CONFIG_H
#define UR_CONFIG_H

#include <sys/types.h>
#include <sys/un.h>

#include "layout.h"

#define UR_CONFIG_LINKS_MAX 64
#define UR_CONFIG_NAME_MAX 32
#define UR_CONFIG_UIDS_MAX 16

struct ur_config_path {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int line;
};

struct ur_config_link {
	char name[UR_CONFIG_NAME_MAX + 1];
	unsigned int line;
	struct ur_config_path end[2]; /* by enum ur_end */
	u32 bytes;		      /* of both outboxes: a power of two */
	mode_t mode;
	uid_t owner; /* -1: leave as it is */
	gid_t group; /* -1: leave as it is */
	uid_t uids[UR_CONFIG_UIDS_MAX];
	unsigned int uid_count; /* 0: whoever the socket's mode lets in */
};

struct ur_config {
	struct ur_config_link links[UR_CONFIG_LINKS_MAX];
	unsigned int count;
};

/* 0, or -1 after at least one line on standard error. Keeps no file open. */
int ur_config_load(struct ur_config *config, const char *file);

#endif
