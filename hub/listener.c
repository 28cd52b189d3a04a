// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "message.h"

#define BACKLOG 8

static int stream_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* The configuration has checked that it fits. */
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return address;
}

/* Only a refused connection proves that nobody listens any more. */
static bool is_dead(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = stream_socket();
	bool dead;

	if (fd < 0)
		return false;
	dead = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	       errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int clear_place(const char *path)
{
	struct stat there;

	if (lstat(path, &there) < 0)
		return 0; /* bind says why, if it is not just absent */
	if (!S_ISSOCK(there.st_mode)) {
		ur_log("%s: what is there is not a socket; not removed", path);
		return -1;
	}
	if (!is_dead(path)) {
		ur_log("%s: another process listens there", path);
		return -1;
	}
	ur_log("%s: replaces the socket of a process that is gone", path);
	if (unlink(path) < 0) {
		ur_log("%s: cannot remove: %m", path);
		return -1;
	}
	return 0;
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un address = address_of(path);
	mode_t before = umask(0777);
	int err = bind(fd, (struct sockaddr *)&address, sizeof(address));

	umask(before);
	return err;
}

/*
 * Returns the step that failed, or NULL. Nobody can connect before listen, so
 * nobody slips in while the mode is not yet right.
 */
static const char *publish(struct ur_listener *listener,
			   const struct ur_config_link *link)
{
	const char *path = listener->path;

	if (lstat(path, &listener->made) < 0)
		return "look at";
	if (lchown(path, link->owner, link->group) < 0)
		return "give owner and group to";
	if (chmod(path, link->mode) < 0)
		return "set the mode of";
	if (listen(listener->fd, BACKLOG) < 0)
		return "listen on";
	return NULL;
}

static int make(struct ur_listener *listener, const struct ur_config_link *link)
{
	const char *step;

	if (bind_to(listener->fd, listener->path) < 0) {
		ur_log("%s: cannot make a socket there: %m", listener->path);
		return -1;
	}
	step = publish(listener, link);
	if (step)
		ur_log("%s: cannot %s the socket: %m", listener->path, step);
	return step ? -1 : 0;
}

int ur_listener_open(struct ur_listener *listener, const char *path,
		     const struct ur_config_link *link)
{
	*listener = (struct ur_listener){ .path = path, .fd = -1, .spare = -1 };
	if (clear_place(path) < 0)
		return -1;
	listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (listener->spare >= 0)
		listener->fd = stream_socket();
	if (listener->fd < 0)
		ur_log("%s: cannot make a socket: %m", path);
	else if (make(listener, link) == 0)
		return 0;
	ur_listener_close(listener);
	return -1;
}

/* While fd is open the inode's number is not given to another file. */
static void remove_file(const struct ur_listener *listener)
{
	struct stat there;

	if (lstat(listener->path, &there) == 0 &&
	    there.st_dev == listener->made.st_dev &&
	    there.st_ino == listener->made.st_ino)
		unlink(listener->path);
}

void ur_listener_close(struct ur_listener *listener)
{
	if (listener->fd >= 0) {
		remove_file(listener);
		close(listener->fd);
	}
	if (listener->spare >= 0)
		close(listener->spare);
	listener->fd = -1;
	listener->spare = -1;
}

/*
 * With no descriptor left the connection would stay in the queue and wake us
 * for ever: give up the spare one for as long as it takes to turn it away.
 */
static void turn_away(struct ur_listener *listener)
{
	int err = errno;
	int fd;

	ur_log("%s: refused a connection: %m", listener->path);
	close(listener->spare);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		ur_message_refuse(fd, err);
	listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int ur_listener_accept(struct ur_listener *listener, struct ucred *who)
{
	socklen_t bytes = sizeof(*who);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(listener);
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &bytes) < 0) {
		ur_log("%s: refused a stranger: %m", listener->path);
		ur_message_refuse(fd, EACCES);
		return -1;
	}
	return fd;
}
