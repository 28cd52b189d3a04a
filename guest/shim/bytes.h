/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UR_SHIM_BYTES_H
#define UR_SHIM_BYTES_H

#include <limits.h>

#include "sock.h"

/*
 * Copy what is there without taking it; with `all` wait for `bytes`, or half a
 * ring if that is less. As ur_stream_recv(); -ENOMEM.
 */
ssize_t ur_sock_peek(struct ur_sock *s, void *data, size_t bytes, bool all,
		     int timeout_ms) ur_must_check;

/* Take what was shown, as it was shown; 0: the ring has what comes next. */
ssize_t ur_sock_take_peeked(struct ur_sock *s, void *data, size_t bytes)
	ur_must_check;

/* Bytes to read, and bytes the peer has not read yet. */
u32 ur_sock_unread(struct ur_sock *s);
u32 ur_sock_unsent(struct ur_sock *s);

#endif
