/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file, usbroute-hub.conf(5): which links there are, and what
 * the guard between them is given. It is written by the host's administrator and
 * trusted, but mistakes in it are found: every error is a line FILE:LINE: MESSAGE
 * on standard error that names what was expected and what is there.
 */
#ifndef UR_CONFIG_H
#define UR_CONFIG_H

#include <limits.h>
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

enum ur_config_kind {
	UR_CONFIG_LINK,	  /* between two VMs */
	UR_CONFIG_CLIENT, /* between a VM that gets devices and the guard */
	UR_CONFIG_DEVICE, /* between a VM that has devices and the guard */
	UR_CONFIG_KINDS,
};

/* "link", "client", "device" */
const char *ur_config_kind_name(enum ur_config_kind kind);

struct ur_config_link {
	enum ur_config_kind kind;
	char name[UR_CONFIG_NAME_MAX + 1];
	unsigned int line;
	/* By enum ur_end. The end that is the guard's has the path "". */
	struct ur_config_path end[2];
	u32 bytes; /* of both outboxes: a power of two */
	u32 channels; /* of a guard's link; a link's own ends choose theirs */
	mode_t mode;
	uid_t owner; /* -1: leave as it is */
	gid_t group; /* -1: leave as it is */
	uid_t uids[UR_CONFIG_UIDS_MAX];
	unsigned int uid_count; /* 0: whoever the socket's mode lets in */
};

struct ur_config_guard {
	unsigned int line; /* 0: no guard */
	char policy[PATH_MAX];
	char audit[PATH_MAX]; /* "": standard output */
	u32 transfer_bytes;   /* of one message's data */
	u32 calls;	      /* of one client at once */
	unsigned int priority; /* real-time; 0: none */
};

struct ur_config {
	struct ur_config_link links[UR_CONFIG_LINKS_MAX];
	unsigned int count; /* of all kinds */
	unsigned int kinds[UR_CONFIG_KINDS];
	struct ur_config_guard guard;
};

/* 0, or -1 after at least one line on standard error. Keeps no file open. */
int ur_config_load(struct ur_config *config, const char *file);

#endif
