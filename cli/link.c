// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "link.h"
#include "say.h"

#ifndef UR_DEV_ROOT
#define UR_DEV_ROOT ""
#endif

int ur_link_find(glob_t *found)
{
	char pattern[256];
	int error;

	memset(found, 0, sizeof(*found));
	snprintf(pattern, sizeof(pattern), "%s/dev/usbroute[0-9]*",
		 UR_DEV_ROOT);
	error = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, found);
	if (error == 0)
		return 0;
	found->gl_pathc = 0;
	if (error == GLOB_NOMATCH)
		return 0;
	ur_say("cannot look for %s: %s", pattern,
	       error == GLOB_NOSPACE ? "out of memory" : strerror(errno));
	return -1;
}

static enum ur_exit say_several(const glob_t *found)
{
	char names[256] = "";
	size_t used = 0;
	size_t i;

	for (i = 0; i < found->gl_pathc && used < sizeof(names); i++)
		used += snprintf(names + used, sizeof(names) - used, " %s",
				 found->gl_pathv[i]);
	ur_say("several links, choose one with --device:%s", names);
	return UR_EXIT_USAGE;
}

static enum ur_exit set_name(struct ur_link *link, const char *name)
{
	if (strlen(name) >= sizeof(link->name)) {
		ur_say("--device %.40s...: %zu characters, want at most %zu",
		       name, strlen(name), sizeof(link->name) - 1);
		return UR_EXIT_USAGE;
	}
	strcpy(link->name, name);
	return UR_EXIT_OK;
}

static enum ur_exit choose_only(struct ur_link *link)
{
	enum ur_exit exit = UR_EXIT_FAILED;
	glob_t found;

	if (ur_link_find(&found) < 0)
		exit = UR_EXIT_FAILED;
	else if (found.gl_pathc == 1)
		exit = set_name(link, found.gl_pathv[0]);
	else if (found.gl_pathc > 1)
		exit = say_several(&found);
	else
		ur_say("no /dev/usbrouteN here: load the module usbroute, and "
		       "give the VM an ivshmem-doorbell device");
	globfree(&found);
	return exit;
}

static const struct {
	const char *prefix;
	const struct ur_link_kind *kind;
} kinds[] = {
	{ "tcp:", &ur_link_tcp },
	{ "unix:", &ur_link_unix },
	{ "", &ur_link_node },
};

static void set_kind(struct ur_link *link)
{
	size_t i = 0;

	while (strncmp(link->name, kinds[i].prefix, strlen(kinds[i].prefix)))
		i++;
	link->kind = kinds[i].kind;
	link->address = link->name + strlen(kinds[i].prefix);
}

enum ur_exit ur_link_open(struct ur_link *link, const char *name)
{
	enum ur_exit exit;

	memset(link, 0, sizeof(*link));
	link->fd = -1;
	exit = name ? set_name(link, name) : choose_only(link);
	if (exit)
		return exit;
	set_kind(link);
	return link->kind->open(link);
}

void ur_link_close(struct ur_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

enum ur_exit ur_link_connect(struct ur_link *link, u32 timeout_ms, int *fd)
{
	return link->kind->connect(link, timeout_ms, fd);
}

enum ur_exit ur_link_listen(struct ur_link *link, u32 backlog)
{
	return link->kind->listen(link, backlog);
}

int ur_link_accept(struct ur_link *link, u32 *channel)
{
	return link->kind->accept(link, channel);
}

void ur_link_report(struct ur_link *link)
{
	link->kind->report(link);
}
