/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * /dev/usbrouteN: one link, seen from the virtual machine that has it.
 *
 * Every open file of the device is independent. CONNECT and ACCEPT return
 * descriptors of connected stream sockets: read, write, send, recv, poll,
 * shutdown and close work as on any other, and the kernel's USB/IP drivers take
 * them through sysfs.
 *
 * poll() on the device: POLLIN when ACCEPT would not wait (after LISTEN),
 * POLLPRI when the link's state or epochs changed since this file's last INFO.
 */
#ifndef UR_UAPI_H
#define UR_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define USBROUTE_SERVICE_USBIP 3240
#define USBROUTE_SERVICE_EVENTS 3241

#define USBROUTE_WAIT_FOREVER 0xffffffffu	/* of timeout_ms */

#define USBROUTE_CLOEXEC 1u	/* the new descriptor is close-on-exec */
#define USBROUTE_NONBLOCK 2u	/* the new descriptor does not block */

/*
 * Call a service of the peer; the result is the socket's descriptor. Waits up
 * to timeout_ms for the link to come up and for the answer; 0 does not wait.
 *
 * EHOSTDOWN     no peer within the time
 * ETIMEDOUT     a peer, but no answer within the time; the call is withdrawn
 * ECONNREFUSED  nobody listens on that service
 * ECONNRESET    the peer went away meanwhile
 * EBUSY         every channel we may call on is in use
 * EPROTO        the link is severed; INFO says why
 */
struct usbroute_connect {
	__u32 service;
	__u32 timeout_ms;
	__u32 flags;
	__u32 channel;		/* out */
};

/* Serve a service with this file. EADDRINUSE: another file does. */
struct usbroute_listen {
	__u32 service;
	__u32 backlog;		/* calls that may wait, 1..64; more are refused */
};

/*
 * Take the next call; the result is the socket's descriptor. EAGAIN: none
 * within timeout_ms (0 does not wait). EINVAL: this file does not listen.
 */
struct usbroute_accept {
	__u32 timeout_ms;
	__u32 flags;
	__u32 service;		/* out */
	__u32 channel;		/* out */
};

enum usbroute_link_state {
	USBROUTE_LINK_DOWN = 0,		/* no peer, or not yet acknowledged */
	USBROUTE_LINK_UP = 1,
	USBROUTE_LINK_BROKEN = 2,	/* severed: fault, fault_got, fault_want */
};

struct usbroute_info {
	__u32 version;		/* of this struct: 1 */
	__u32 state;		/* enum usbroute_link_state */
	__u32 end;		/* 0 = A, 1 = B */
	__u32 channels;
	__u32 ring_bytes;
	__u32 outbox_bytes;
	__u32 epoch;
	__u32 peer_epoch;
	__u32 fault;		/* SPEC.md section 8 */
	__u32 fault_channel;
	__u32 fault_got;
	__u32 fault_want;
	__u32 channels_open;
	__u32 high_water;	/* most bytes ever waiting in a ring of ours */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 doorbells_sent;
	__u64 doorbells_suppressed;	/* publishes that needed none */
	__u64 doorbells_received;
	__u64 stalls_room;
	__u64 stalls_data;
	__u64 calls;
	__u64 accepts;
	__u64 refusals;
	__u64 peer_epochs;
	__u64 faults;
	char fault_name[32];
	char binding[32];	/* "ivshmem 0000:00:04.0", "device-tree ..." */
};

#define USBROUTE_IOC_CONNECT _IOWR('U', 0x80, struct usbroute_connect)
#define USBROUTE_IOC_LISTEN _IOW('U', 0x81, struct usbroute_listen)
#define USBROUTE_IOC_ACCEPT _IOWR('U', 0x82, struct usbroute_accept)
#define USBROUTE_IOC_INFO _IOR('U', 0x83, struct usbroute_info)
/* Take a new epoch: every channel ends, a severed link may come up again. */
#define USBROUTE_IOC_RESTART _IO('U', 0x84)

#endif
