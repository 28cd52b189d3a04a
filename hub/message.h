/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of QEMU's ivshmem protocol: a 64-bit number to the client, with or
 * without a descriptor. Clients send none. Nothing here waits for a client.
 */
#ifndef UR_MESSAGE_H
#define UR_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define UR_MESSAGE_NO_FD (-1)

struct ur_message {
	int64_t number;
	int fd; /* UR_MESSAGE_NO_FD: none goes with it; stays the caller's */
};

/* False with errno when the client does not take it now, or is gone. */
bool ur_message_send(int client, const struct ur_message *message);

/*
 * Turn a client away and close its connection. It gets -err (an errno number)
 * in place of the protocol's version: QEMU then ends with an error that shows
 * the number, while it spins for ever at a connection that just closes.
 */
void ur_message_refuse(int client, int err);

#endif
