/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guarded route in one process, for tests that play both hostile ends:
 *
 *      bytes of the client ---> gate ---+                   "passed": what the
 *                                     guard                 other side would get
 *      bytes of the device ---> gate ---+
 *
 * and the messages themselves, written byte by byte: not with wire/'s writers,
 * which would refuse what an attack needs.
 */
#ifndef UR_TEST_ROUTE_H
#define UR_TEST_ROUTE_H

#include <stdio.h>
#include <stdlib.h>

#include "gate.h"

#define ROUTE_TRANSFER (64u << 10)
#define ROUTE_PACKETS 128u
#define ROUTE_ROOM UR_GATE_BYTES(ROUTE_TRANSFER, ROUTE_PACKETS)
#define MESSAGE_ROOM (ROUTE_ROOM + 4096u)

struct route {
	struct ur_policy policy;
	struct ur_guard guard;
	struct ur_gate gate[2];		/* by enum ur_travel */
	u8 buffer[2][ROUTE_ROOM];
	u8 passed[MESSAGE_ROOM];	/* by the last route_send() */
	u32 passed_bytes;
	u64 passed_in_all;
	u8 stall[UR_PDU_HEADER_BYTES];	/* the guard's own last answer */
};

/* A table with one rule: this target for every device and client. */
static const u8 ALLOW_ALL[] = {
	0x55, 0x52, 0x50, 0x54, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 64, 0, 0, 0, 0, UR_POLICY_ALLOW, 0, 0, 1, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static inline int route_open(struct route *r, const u8 *table, size_t bytes,
			     const char *client)
{
	struct ur_limits limits = { ROUTE_TRANSFER, ROUTE_PACKETS };
	struct ur_refusal why;
	int i, error = ur_policy_load(&r->policy, table, bytes, &why);

	r->passed_in_all = 0;
	if (!error)
		error = ur_guard_init(&r->guard, &r->policy, client);
	for (i = 0; i < 2 && !error; i++)
		error = ur_gate_init(&r->gate[i], (enum ur_travel)i, &r->guard,
				     &limits, r->buffer[i], ROUTE_ROOM);
	return error;
}

/*
 * Send bytes in slices of at most `slice`. Returns 0 when all were taken or the
 * gate wants no more, or the refusal. What passed is in r->passed.
 */
static inline int route_send(struct route *r, enum ur_travel travel,
			     const u8 *bytes, u32 count, u32 slice)
{
	struct ur_gate *gate = &r->gate[travel];
	u32 room, part;
	int event = 0;
	u8 *at;

	r->passed_bytes = 0;
	while (count > 0 && event >= 0) {
		room = ur_gate_room(gate, &at);
		part = room < slice ? room : slice;
		part = part < count ? part : count;
		if (part == 0)
			break;
		memcpy(at, bytes, part);
		bytes += part;
		count -= part;
		event = ur_gate_fill(gate, part);
		if (event == UR_GATE_STALLED) {
			ur_gate_stall(gate, r->stall);
			ur_gate_next(gate);
		}
		if (event != UR_GATE_READY)
			continue;
		if (r->passed_bytes + gate->bytes <= MESSAGE_ROOM)
			memcpy(r->passed + r->passed_bytes, gate->message,
			       gate->bytes);
		r->passed_bytes += gate->bytes;
		ur_gate_next(gate);
	}
	r->passed_in_all += r->passed_bytes;
	if (event < 0)
		return event;
	return r->guard.state == UR_GUARD_SEVERED ? UR_PEER_BROKEN : 0;
}

/* ---- messages ------------------------------------------------------------ */

struct message {
	u32 bytes;
	u8 at[MESSAGE_ROOM];
};

static inline void put8(struct message *m, u32 value)
{
	if (m->bytes >= MESSAGE_ROOM) {
		printf("Bail out! a message of more than %u bytes\n", MESSAGE_ROOM);
		exit(1);
	}
	m->at[m->bytes++] = (u8)value;
}

static inline void put16(struct message *m, u32 value)
{
	put8(m, value >> 8);
	put8(m, value);
}

static inline void put32(struct message *m, u32 value)
{
	put16(m, value >> 16);
	put16(m, value);
}

static inline void put_zeros(struct message *m, u32 count)
{
	while (count-- > 0)
		put8(m, 0);
}

static inline void put_text(struct message *m, const char *text, u32 field)
{
	u32 i, length = (u32)strlen(text);

	for (i = 0; i < field; i++)
		put8(m, i < length ? (u8)text[i] : 0);
}

/* Ten words from 0x14 on are said by the caller; see usbip_protocol.rst. */
static inline void put_head(struct message *m, u32 command, u32 seqnum,
			    u32 devid, u32 direction, u32 ep)
{
	m->bytes = 0;
	put32(m, command);
	put32(m, seqnum);
	put32(m, devid);
	put32(m, direction);
	put32(m, ep);
}

#define TEST_DEVID (1u << 16 | 2u)

static inline void put_flagged(struct message *m, u32 flags, u32 seqnum,
			       u32 direction, u32 ep, u32 length, u32 packets,
			       const u8 *setup)
{
	u32 i;

	put_head(m, 1, seqnum, TEST_DEVID, direction, ep);
	put32(m, flags);
	put32(m, length);
	put32(m, 0);
	put32(m, packets);
	put32(m, 0);
	for (i = 0; i < 8; i++)
		put8(m, setup ? setup[i] : 0);
}

static inline void put_submit(struct message *m, u32 seqnum, u32 direction,
			      u32 ep, u32 length, u32 packets, const u8 *setup)
{
	put_flagged(m, 0, seqnum, direction, ep, length, packets, setup);
}

static inline void put_unlink(struct message *m, u32 seqnum, u32 victim)
{
	put_head(m, 2, seqnum, TEST_DEVID, 0, 0);
	put32(m, victim);
	put_zeros(m, 24);
}

static inline void put_ret(struct message *m, u32 seqnum, u32 status,
			   u32 length, u32 packets, u32 errors)
{
	put_head(m, 3, seqnum, 0, 0, 0);
	put32(m, status);
	put32(m, length);
	put32(m, 0);
	put32(m, packets);
	put32(m, errors);
	put_zeros(m, 8);
}

static inline void put_unlinked(struct message *m, u32 seqnum, u32 status)
{
	put_head(m, 4, seqnum, 0, 0, 0);
	put32(m, status);
	put_zeros(m, 24);
}

/* ---- two devices, and what a client does before it uses one --------------- */

struct test_device {
	const char *name;
	u16 vendor;
	u16 product;
	const u8 *device;		/* 18 bytes */
	const u8 *configuration;
	u32 configuration_bytes;
};

static const u8 DISK_DEVICE[18] = { 18, 1, 0, 2, 0, 0, 0, 64, 0xf4, 0x46,
				    1, 0, 0, 1, 1, 2, 3, 1 };
/* One interface 08:06:50, bulk IN 1, bulk OUT 2. */
static const u8 DISK_CONFIGURATION[32] = {
	9, 2, 32, 0, 1, 1, 0, 0x80, 50,
	9, 4, 0, 0, 2, 8, 6, 0x50, 0,
	7, 5, 0x81, 2, 0, 2, 0,
	7, 5, 0x02, 2, 0, 2, 0,
};
static const u8 SOUND_DEVICE[18] = { 18, 1, 0, 2, 0, 0, 0, 64, 0x34, 0x12,
				     2, 0, 0, 1, 0, 0, 0, 1 };
/* Interface 0: 01:01:00. Interface 1: 01:02:00, alternate 1 has iso IN 1, OUT 2. */
static const u8 SOUND_CONFIGURATION[54] = {
	9, 2, 54, 0, 2, 1, 0, 0x80, 50,
	9, 4, 0, 0, 0, 1, 1, 0, 0,
	9, 4, 1, 0, 0, 1, 2, 0, 0,
	9, 4, 1, 1, 2, 1, 2, 0, 0,
	9, 5, 0x81, 1, 0x88, 1, 1, 0, 0,
	9, 5, 0x02, 1, 0x88, 1, 1, 0, 0,
};

static const struct test_device TEST_DEVICES[] = {
	{ "disk", 0x46f4, 1, DISK_DEVICE, DISK_CONFIGURATION,
	  sizeof(DISK_CONFIGURATION) },
	{ "sound", 0x1234, 2, SOUND_DEVICE, SOUND_CONFIGURATION,
	  sizeof(SOUND_CONFIGURATION) },
};

static inline void put_import(struct message *m, const char *busid)
{
	m->bytes = 0;
	put32(m, 0x01118003);
	put32(m, 0);
	put_text(m, busid, 32);
}

static inline void put_imported(struct message *m, const struct test_device *d,
				const char *busid)
{
	m->bytes = 0;
	put32(m, 0x01110003);
	put32(m, 0);
	put_text(m, "/sys/devices/a/usb1/1-1", 256);
	put_text(m, busid, 32);
	put32(m, 1);
	put32(m, 2);
	put32(m, 3);
	put16(m, d->vendor);
	put16(m, d->product);
	put16(m, 0x0100);
	put_zeros(m, 4);	/* class, subclass, protocol, configuration */
	put8(m, 1);
	put8(m, 1);
}

static struct message M;

/* The whole of M must pass. */
static inline int route_passes(struct route *r, enum ur_travel travel)
{
	int error = route_send(r, travel, M.at, M.bytes, MESSAGE_ROOM);

	if (error)
		return error;
	return r->passed_bytes == M.bytes &&
			       memcmp(r->passed, M.at, M.bytes) == 0 ?
		       0 :
		       UR_BUG_STATE;
}

static inline int route_import(struct route *r, const struct test_device *d)
{
	int error;

	put_import(&M, "1-1");
	error = route_passes(r, UR_TO_DEVICE);
	put_imported(&M, d, "1-1");
	return error ? error : route_passes(r, UR_TO_CLIENT);
}

/* One control request with its answer; `data` NULL: none. */
static inline int route_control(struct route *r, u32 seqnum, const u8 setup[8],
				const u8 *data, u32 bytes)
{
	u32 asked = setup[6] + setup[7] * 256u, i;
	int error;

	put_submit(&M, seqnum, setup[0] >> 7, 0, asked, 0, setup);
	error = route_passes(r, UR_TO_DEVICE);
	put_ret(&M, seqnum, 0, bytes, 0, 0);
	for (i = 0; data && i < bytes; i++)
		put8(&M, data[i]);
	return error ? error : route_passes(r, UR_TO_CLIENT);
}

/* Import, read the descriptors, select configuration 1 with its alternates 0. */
static inline int route_enumerate(struct route *r, const struct test_device *d)
{
	const u8 get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const u8 get_head[8] = { 0x80, 6, 0, 2, 0, 0, 9, 0 };
	const u8 get_all[8] = { 0x80, 6, 0, 2, 0, 0, 0xff, 0 };
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };
	int error = route_import(r, d);

	if (!error)
		error = route_control(r, 0xff01, get_device, d->device, 18);
	if (!error)
		error = route_control(r, 0xff02, get_head, d->configuration, 9);
	if (!error)
		error = route_control(r, 0xff03, get_all, d->configuration,
				      d->configuration_bytes);
	return error ? error : route_control(r, 0xff04, set, NULL, 0);
}

#endif
