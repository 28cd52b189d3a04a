// SPDX-License-Identifier: BSD-2-Clause
/* usbroute version: what runs here, and how the links are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "link.h"
#include "op.h"
#include "say.h"
#include "sysfs.h"
#include "text.h"

#ifndef UR_VERSION
#define UR_VERSION "unknown"
#endif

static void print_module(void)
{
	char text[64];

	if (ur_sysfs_read("module/usbroute/version", text, sizeof(text)) == 0) {
		ur_text_clean(text);
		printf("module usbroute %s\n", text);
	} else if (ur_sysfs_exists("module/usbroute")) {
		printf("module usbroute, no version\n");
	} else {
		printf("module usbroute not loaded\n");
	}
}

static void print_info(const char *name, const struct usbroute_info *info)
{
	printf("%s: %s, end %c, link %s, epoch %u, peer's epoch %u\n", name,
	       info->binding, info->end ? 'B' : 'A',
	       ur_link_state_text(info->state), info->epoch, info->peer_epoch);
	printf("    %u channels (%u open), rings of %u bytes, "
	       "sent %llu, received %llu\n",
	       info->channels, info->channels_open, info->ring_bytes,
	       (unsigned long long)info->bytes_sent,
	       (unsigned long long)info->bytes_received);
	if (info->fault)
		printf("    fault %u: %s of channel %u: got %u, want %u\n",
		       info->fault, info->fault_name, info->fault_channel,
		       info->fault_got, info->fault_want);
}

static enum ur_exit print_link(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);
	struct usbroute_info info;
	int error = fd < 0 ? -errno : ur_link_info(fd, &info);

	if (fd >= 0)
		close(fd);
	if (error == -EPROTO) {
		ur_say("%s: module's interface %u, want 1: program and module "
		       "are of different versions", name, info.version);
		return UR_EXIT_FAILED;
	}
	if (error) {
		errno = -error;
		ur_say("%s: %m", name);
		return UR_EXIT_FAILED;
	}
	print_info(name, &info);
	return UR_EXIT_OK;
}

static enum ur_exit print_links(void)
{
	enum ur_exit exit = UR_EXIT_OK;
	glob_t found;
	size_t i;

	if (ur_link_find(&found) < 0)
		exit = UR_EXIT_FAILED;
	for (i = 0; i < found.gl_pathc; i++)
		if (print_link(found.gl_pathv[i]))
			exit = UR_EXIT_FAILED;
	globfree(&found);
	return exit;
}

enum ur_exit ur_command_version(const struct ur_options *options)
{
	printf("usbroute %s\nUSB/IP %u.%u.%u\n", UR_VERSION,
	       UR_OP_VERSION >> 8, UR_OP_VERSION >> 4 & 0xf,
	       UR_OP_VERSION & 0xf);
	print_module();
	return options->device ? print_link(options->device) : print_links();
}
