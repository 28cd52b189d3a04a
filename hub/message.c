// SPDX-License-Identifier: BSD-2-Clause
#include <endian.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

static void attach_fd(struct msghdr *header, int fd)
{
	struct cmsghdr *control = header->msg_control;

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
}

bool ur_message_send(int client, const struct ur_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	uint64_t number = htole64((uint64_t)message->number);
	struct iovec body = { &number, sizeof(number) };
	struct msghdr header = { .msg_iov = &body, .msg_iovlen = 1 };

	if (message->fd != UR_MESSAGE_NO_FD) {
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		attach_fd(&header, message->fd);
	}
	return sendmsg(client, &header, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       sizeof(number);
}

void ur_message_refuse(int client, int err)
{
	ur_message_send(client, &(struct ur_message){ -err, UR_MESSAGE_NO_FD });
	close(client);
}
