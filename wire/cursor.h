/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A bounded reader and a bounded writer over a byte buffer, big-endian.
 *
 * Promise. No access outside [0, size) of the buffer, whatever is asked. A
 *   parser never holds a pointer into the buffer, only a cursor.
 * Failure is sticky. The first get or put that does not fit marks the cursor
 *   and touches nothing; every later one fails too; a failed get gives zeros.
 *   So a parser reads all its fields and asks ur_reader_is_done() once, before
 *   it gives any of them a meaning: one place to forget instead of twenty.
 * Threads. One cursor, one thread.
 * Memory. The buffer stays the caller's and must be private to it: bytes the
 *   peer can still change are copied first (nothing here reads a byte twice).
 * Trust. The bytes are anyone's; the sizes are our own.
 */
#ifndef UR_CURSOR_H
#define UR_CURSOR_H

#include "env.h"

/*
 * Integers as they lie on the wire, most significant byte first
 * (usbip_protocol.rst, "The fields are in network byte order"). Own types, so
 * that using one as a number, or a number as one, does not compile.
 */
struct ur_be16 {
	u8 byte[2];
};

struct ur_be32 {
	u8 byte[4];
};

struct ur_be64 {
	u8 byte[8];
};

/* By arithmetic: no alignment, no host byte order, and provable. */
static inline u16 ur_be16_to_host(struct ur_be16 wire)
{
	return (u16)(wire.byte[0] * 0x100u + wire.byte[1]);
}

static inline u32 ur_be32_to_host(struct ur_be32 wire)
{
	return wire.byte[0] * 0x1000000u + wire.byte[1] * 0x10000u +
	       wire.byte[2] * 0x100u + wire.byte[3];
}

static inline u64 ur_be64_to_host(struct ur_be64 wire)
{
	u64 value = 0;
	u32 i;

	/*@ loop assigns i, value; loop pragma UNROLL "completely", 9; */
	for (i = 0; i < 8; i++)
		value = value * 0x100u + wire.byte[i];
	return value;
}

static inline struct ur_be16 ur_be16_from_host(u16 value)
{
	struct ur_be16 wire = { { (u8)(value / 0x100u), (u8)(value % 0x100u) } };

	return wire;
}

static inline struct ur_be32 ur_be32_from_host(u32 value)
{
	struct ur_be32 wire = { {
		(u8)(value / 0x1000000u),
		(u8)(value / 0x10000u % 0x100u),
		(u8)(value / 0x100u % 0x100u),
		(u8)(value % 0x100u),
	} };

	return wire;
}

static inline struct ur_be64 ur_be64_from_host(u64 value)
{
	struct ur_be64 wire = { { 0 } };
	u32 i;

	/*@ loop assigns i, value, wire; loop pragma UNROLL "completely", 9; */
	for (i = 8; i > 0; i--) {
		wire.byte[i - 1] = (u8)(value % 0x100u);
		value /= 0x100u;
	}
	return wire;
}

struct ur_reader {
	const u8 *base;
	size_t size;
	size_t at;	/* <= size, always */
	bool failed;
};

/* `base` may be NULL if `size` is 0. */
static inline void ur_reader_init(struct ur_reader *r, const u8 *base,
				  size_t size)
{
	r->base = base;
	r->size = size;
	r->at = 0;
	r->failed = false;
}

/* Bytes not yet read; 0 once the cursor failed. */
static inline size_t ur_reader_remaining(const struct ur_reader *r)
{
	return r->failed ? 0 : r->size - r->at;
}

/* Whether every get so far was inside the buffer. */
static inline bool ur_must_check ur_reader_is_ok(const struct ur_reader *r)
{
	return !r->failed;
}

/* Whether every get was inside and nothing is left: the usual last question. */
static inline bool ur_must_check ur_reader_is_done(const struct ur_reader *r)
{
	return !r->failed && r->at == r->size;
}

/* Copy the next `bytes` to `to`, or zeros if there are not so many. */
static inline void ur_reader_bytes(struct ur_reader *r, u8 *to, size_t bytes)
{
	if (bytes == 0)
		return;
	if (bytes > ur_reader_remaining(r)) {
		r->failed = true;
		ur_zero(to, bytes);
		return;
	}
	ur_copy(to, r->base + r->at, bytes);
	r->at += bytes;
}

static inline void ur_reader_skip(struct ur_reader *r, size_t bytes)
{
	if (bytes > ur_reader_remaining(r))
		r->failed = true;
	else
		r->at += bytes;
}

static inline u8 ur_reader_u8(struct ur_reader *r)
{
	u8 byte = 0;

	ur_reader_bytes(r, &byte, 1);
	return byte;
}

static inline u16 ur_reader_u16(struct ur_reader *r)
{
	struct ur_be16 wire = { { 0 } };

	ur_reader_bytes(r, wire.byte, sizeof(wire.byte));
	return ur_be16_to_host(wire);
}

static inline u32 ur_reader_u32(struct ur_reader *r)
{
	struct ur_be32 wire = { { 0 } };

	ur_reader_bytes(r, wire.byte, sizeof(wire.byte));
	return ur_be32_to_host(wire);
}

static inline u64 ur_reader_u64(struct ur_reader *r)
{
	struct ur_be64 wire = { { 0 } };

	ur_reader_bytes(r, wire.byte, sizeof(wire.byte));
	return ur_be64_to_host(wire);
}

struct ur_writer {
	u8 *base;
	size_t size;
	size_t at;	/* <= size, always */
	bool failed;
};

/* `base` may be NULL if `size` is 0. */
static inline void ur_writer_init(struct ur_writer *w, u8 *base, size_t size)
{
	w->base = base;
	w->size = size;
	w->at = 0;
	w->failed = false;
}

/* Bytes written: the length of the message if ur_writer_is_ok(). */
static inline size_t ur_writer_used(const struct ur_writer *w)
{
	return w->at;
}

/* Bytes that still fit; 0 once the cursor failed. */
static inline size_t ur_writer_remaining(const struct ur_writer *w)
{
	return w->failed ? 0 : w->size - w->at;
}

/* Whether every put so far was inside the buffer. */
static inline bool ur_must_check ur_writer_is_ok(const struct ur_writer *w)
{
	return !w->failed;
}

static inline void ur_writer_bytes(struct ur_writer *w, const u8 *from,
				   size_t bytes)
{
	if (bytes == 0)
		return;
	if (bytes > ur_writer_remaining(w)) {
		w->failed = true;
		return;
	}
	ur_copy(w->base + w->at, from, bytes);
	w->at += bytes;
}

static inline void ur_writer_zeros(struct ur_writer *w, size_t bytes)
{
	if (bytes == 0)
		return;
	if (bytes > ur_writer_remaining(w)) {
		w->failed = true;
		return;
	}
	ur_zero(w->base + w->at, bytes);
	w->at += bytes;
}

static inline void ur_writer_u8(struct ur_writer *w, u8 value)
{
	ur_writer_bytes(w, &value, 1);
}

static inline void ur_writer_u16(struct ur_writer *w, u16 value)
{
	struct ur_be16 wire = ur_be16_from_host(value);

	ur_writer_bytes(w, wire.byte, sizeof(wire.byte));
}

static inline void ur_writer_u32(struct ur_writer *w, u32 value)
{
	struct ur_be32 wire = ur_be32_from_host(value);

	ur_writer_bytes(w, wire.byte, sizeof(wire.byte));
}

static inline void ur_writer_u64(struct ur_writer *w, u64 value)
{
	struct ur_be64 wire = ur_be64_from_host(value);

	ur_writer_bytes(w, wire.byte, sizeof(wire.byte));
}

#endif
