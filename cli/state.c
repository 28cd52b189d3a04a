// SPDX-License-Identifier: BSD-2-Clause
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "state.h"
#include "text.h"

#ifndef UR_RUN_ROOT	/* the tests have their own */
#define UR_RUN_ROOT ""
#endif
#define LINK_DIR "/run/usbroute/"
#define PORT_DIR "/var/run/vhci_hcd"
#define PATH_BYTES 512

/* Every directory of the path up to its last slash. */
static void make_directories(const char *path)
{
	char part[PATH_BYTES];
	char *slash;

	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0755);	/* may exist; open() tells the rest */
		*slash = '/';
	}
}

static void write_file(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd;

	make_directories(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, length) != (ssize_t)length)
		ur_say("cannot write %s: %m", path);
	if (fd >= 0)
		close(fd);
}

static void remove_file(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		ur_say("cannot remove %s: %m", path);
}

/* A link may be named by a path: its slashes become part of one name. */
static void bound_path(char path[PATH_BYTES], const char *link,
		       const char *busid)
{
	char name[128];
	char *at;

	snprintf(name, sizeof(name), "%s", link);
	for (at = name; *at != '\0'; at++)
		if (*at == '/')
			*at = '_';
	snprintf(path, PATH_BYTES, "%s" LINK_DIR "%s/bound/%s", UR_RUN_ROOT,
		 name, busid);
}

void ur_state_mark(const char *link, const char *busid)
{
	char path[PATH_BYTES];

	bound_path(path, link, busid);
	write_file(path, "");
}

void ur_state_unmark(const char *link, const char *busid)
{
	char path[PATH_BYTES];

	bound_path(path, link, busid);
	remove_file(path);
}

void ur_state_each(const char *link,
		   void (*visit)(const char *busid, void *context),
		   void *context)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	DIR *directory;

	bound_path(path, link, "");
	directory = opendir(path);
	if (!directory) {
		if (errno != ENOENT)
			ur_say("cannot read %s: %m", path);
		return;
	}
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			visit(entry->d_name, context);
	closedir(directory);
}

static void port_path(char path[PATH_BYTES], u32 port)
{
	snprintf(path, PATH_BYTES, "%s" PORT_DIR "/port%u", UR_RUN_ROOT, port);
}

void ur_state_record(u32 port, const struct ur_state_origin *origin)
{
	char path[PATH_BYTES];
	char text[256];

	snprintf(text, sizeof(text), "%s %s %s\n", origin->host,
		 origin->service, origin->busid);
	port_path(path, port);
	write_file(path, text);
}

void ur_state_forget(u32 port)
{
	char path[PATH_BYTES];

	port_path(path, port);
	remove_file(path);
}

bool ur_state_origin(u32 port, struct ur_state_origin *origin)
{
	char path[PATH_BYTES];
	FILE *file;
	int fields;

	memset(origin, 0, sizeof(*origin));
	port_path(path, port);
	file = fopen(path, "re");
	if (!file && errno != ENOENT)
		ur_say("cannot read %s: %m", path);
	if (!file)
		return false;
	fields = fscanf(file, "%107s %7s %31s", origin->host, origin->service,
			origin->busid);
	fclose(file);
	ur_text_clean(origin->host);
	ur_text_clean(origin->service);
	ur_text_clean(origin->busid);
	return fields == 3;
}
