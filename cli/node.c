// SPDX-License-Identifier: BSD-2-Clause
/* A link that is a device node of the usbroute module. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "link.h"
#include "say.h"

#define INFO_VERSION 1

static enum ur_exit node_open(struct ur_link *link)
{
	const char *slash = strrchr(link->name, '/');

	link->fd = open(link->name, O_RDWR | O_CLOEXEC);
	if (link->fd < 0) {
		ur_say("%s: %m", link->name);
		return UR_EXIT_FAILED;
	}
	snprintf(link->host, sizeof(link->host), "%s",
		 slash ? slash + 1 : link->name);
	snprintf(link->service, sizeof(link->service), "%d",
		 USBROUTE_SERVICE_USBIP);
	return UR_EXIT_OK;
}

int ur_link_info(int fd, struct usbroute_info *info)
{
	memset(info, 0, sizeof(*info));
	if (ioctl(fd, USBROUTE_IOC_INFO, info) < 0)
		return -errno;
	info->fault_name[sizeof(info->fault_name) - 1] = '\0';
	info->binding[sizeof(info->binding) - 1] = '\0';
	return info->version == INFO_VERSION ? 0 : -EPROTO;
}

void ur_link_say_fault(const char *name, const struct usbroute_info *info)
{
	ur_say("%s: link broken: %s of channel %u: got %u, want %u", name,
	       info->fault_name, info->fault_channel, info->fault_got,
	       info->fault_want);
}

const char *ur_link_state_text(u32 state)
{
	static const char *const texts[] = {
		[USBROUTE_LINK_DOWN] = "down",
		[USBROUTE_LINK_UP] = "up",
		[USBROUTE_LINK_BROKEN] = "broken",
	};

	return state <= USBROUTE_LINK_BROKEN ? texts[state] : "unknown";
}

/* What CONNECT's errors mean to a person; the rest is ours: %m says it. */
static const struct {
	int error;
	enum ur_exit exit;
	const char *text;
	bool waited;	/* say how long */
} meanings[] = {
	{ EHOSTDOWN, UR_EXIT_PEER_GONE,
	  "no peer: the other VM has not started its end", true },
	{ ETIMEDOUT, UR_EXIT_PEER_GONE, "the other VM does not answer", true },
	{ ECONNREFUSED, UR_EXIT_REFUSED,
	  "nobody serves USB/IP in the other VM: run usbroute serve there",
	  false },
	{ ECONNRESET, UR_EXIT_PEER_GONE, "the other VM went away", false },
	{ EPROTO, UR_EXIT_PEER_GONE, "the link is severed", false },
	{ EBUSY, UR_EXIT_FAILED, "every channel of the link is in use",
	  false },
};

static enum ur_exit explain(const struct ur_link *link, int error,
			    u32 timeout_ms)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].error != error)
			continue;
		if (meanings[i].waited)
			ur_say("%s: %s (waited %.1f s)", link->name,
			       meanings[i].text, timeout_ms / 1000.0);
		else
			ur_say("%s: %s", link->name, meanings[i].text);
		return meanings[i].exit;
	}
	errno = error;
	ur_say("%s: cannot call the other VM: %m", link->name);
	return UR_EXIT_FAILED;
}

static enum ur_exit node_connect(struct ur_link *link, u32 timeout_ms, int *fd)
{
	struct usbroute_connect call = {
		.service = USBROUTE_SERVICE_USBIP,
		.timeout_ms = timeout_ms,
		.flags = USBROUTE_CLOEXEC,
	};
	struct usbroute_info info;
	int error;

	*fd = ioctl(link->fd, USBROUTE_IOC_CONNECT, &call);
	if (*fd >= 0)
		return UR_EXIT_OK;
	error = errno;
	/* A broken link may look like a missing peer: its fault says more. */
	if (ur_link_info(link->fd, &info) == 0 &&
	    info.state == USBROUTE_LINK_BROKEN) {
		ur_link_say_fault(link->name, &info);
		return UR_EXIT_PEER_GONE;
	}
	return explain(link, error, timeout_ms);
}

static enum ur_exit node_listen(struct ur_link *link, u32 backlog)
{
	struct usbroute_listen serve = {
		.service = USBROUTE_SERVICE_USBIP,
		.backlog = backlog,
	};

	if (ioctl(link->fd, USBROUTE_IOC_LISTEN, &serve) == 0)
		return UR_EXIT_OK;
	if (errno == EADDRINUSE)
		ur_say("%s: another program serves USB/IP here already",
		       link->name);
	else
		ur_say("%s: cannot serve USB/IP: %m", link->name);
	return UR_EXIT_FAILED;
}

static int node_accept(struct ur_link *link, u32 *channel)
{
	struct usbroute_accept call = { .flags = USBROUTE_CLOEXEC };
	int fd = ioctl(link->fd, USBROUTE_IOC_ACCEPT, &call);

	if (fd < 0)
		return -errno;
	*channel = call.channel;
	link->calls++;
	return fd;
}

static void node_report(struct ur_link *link)
{
	struct usbroute_info info;
	int error = ur_link_info(link->fd, &info);

	if (error) {
		errno = -error;
		ur_say("%s: cannot read the link's state: %m", link->name);
		return;
	}
	if (info.state == link->state && info.peer_epoch == link->peer_epoch)
		return;
	link->state = info.state;
	link->peer_epoch = info.peer_epoch;
	if (info.state == USBROUTE_LINK_BROKEN)
		ur_link_say_fault(link->name, &info);
	else
		ur_say("%s: link %s, epoch %u, peer's epoch %u", link->name,
		       ur_link_state_text(info.state), info.epoch,
		       info.peer_epoch);
}

const struct ur_link_kind ur_link_node = {
	.open = node_open,
	.connect = node_connect,
	.listen = node_listen,
	.accept = node_accept,
	.report = node_report,
};
