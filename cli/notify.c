// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"
#include "say.h"

/* A path, or a name of the abstract space, which is written with an '@'. */
static socklen_t address(const char *name, struct sockaddr_un *to)
{
	size_t length = strlen(name);

	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	if (length >= sizeof(to->sun_path) || !strchr("/@", name[0]))
		return 0;
	memcpy(to->sun_path, name, length);
	if (name[0] == '@')
		to->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

void ur_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to;
	socklen_t length;
	int fd;

	if (!name || !*name)
		return;
	length = address(name, &to);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!length || fd < 0 ||
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (struct sockaddr *)&to, length) < 0)
		ur_say("cannot tell systemd %s on \"%s\": %m", state, name);
	if (fd >= 0)
		close(fd);
}
