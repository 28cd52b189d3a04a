/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What wire/cursor.h and wire/refusal.h promise, for the prover: proved by
 * prove_cursor.c, used by the proofs of everything that reads and writes.
 */
#ifndef CURSOR_SPEC_H
#define CURSOR_SPEC_H

#include "cursor.h"
#include "refusal.h"

/*
 * All of a structure, field by field: a store into a field is easier for the
 * provers than one of unknown fields into a range of memory.
 */
#define ALL_OF_WHY(w) (w)->field, (w)->rule, (w)->got, (w)->want
#define ALL_OF_CURSOR(c) (c)->base, (c)->size, (c)->at, (c)->failed

/* Macros, not predicates, so that stores into other fields are seen through. */
#define IS_BOOL(b) ((b) == 0 || (b) == 1)
#define READER_OK(r) \
	(\valid(r) && (r)->at <= (r)->size && IS_BOOL((r)->failed) && \
	 \valid_read((r)->base + (0 .. (r)->size - 1)) && \
	 \separated((r), (r)->base + (0 .. (r)->size - 1)))
#define WRITER_OK(w) \
	(\valid(w) && (w)->at <= (w)->size && IS_BOOL((w)->failed) && \
	 \valid((w)->base + (0 .. (w)->size - 1)) && \
	 \separated((w), (w)->base + (0 .. (w)->size - 1)))

/* Bytes that can still be read or written. */
#define LEFT(c) ((c)->failed != 0 ? 0 : (c)->size - (c)->at)

/*@
  // The cursor of before, moved by `bytes`, or failed and not moved.
  predicate reader_took{L1, L2}(struct ur_reader *r, integer bytes) =
	bytes <= \at(LEFT(r), L1) || bytes == 0 ?
	\at(r->at, L2) == \at(r->at, L1) + bytes &&
	\at(r->failed, L2) == \at(r->failed, L1) :
	\at(r->at, L2) == \at(r->at, L1) && \at(r->failed, L2) == 1;

  predicate writer_took{L1, L2}(struct ur_writer *w, integer bytes) =
	bytes <= \at(LEFT(w), L1) || bytes == 0 ?
	\at(w->at, L2) == \at(w->at, L1) + bytes &&
	\at(w->failed, L2) == \at(w->failed, L1) :
	\at(w->at, L2) == \at(w->at, L1) && \at(w->failed, L2) == 1;
*/

/* ---- integers */

/*@ assigns \nothing; */
static inline u16 ur_be16_to_host(struct ur_be16 wire);
/*@ assigns \nothing; */
static inline u32 ur_be32_to_host(struct ur_be32 wire);
/*@ assigns \nothing; */
static inline u64 ur_be64_to_host(struct ur_be64 wire);
/*@ assigns \nothing; */
static inline struct ur_be16 ur_be16_from_host(u16 value);
/*@ assigns \nothing; */
static inline struct ur_be32 ur_be32_from_host(u32 value);
/*@ assigns \nothing; */
static inline struct ur_be64 ur_be64_from_host(u64 value);

/* ---- reader */

/*@ requires \valid(r);
  @ requires \valid_read(base + (0 .. size - 1));
  @ requires \separated(r, base + (0 .. size - 1));
  @ assigns ALL_OF_CURSOR(r);
  @ ensures ok: READER_OK(r);
  @ ensures all: r->base == base && r->size == size && r->at == 0 && !r->failed; */
static inline void ur_reader_init(struct ur_reader *r, const u8 *base,
				  size_t size);

/*@ requires READER_OK(r);
  @ assigns \nothing;
  @ ensures left: \result == LEFT(r); */
static inline size_t ur_reader_remaining(const struct ur_reader *r);

/*@ requires READER_OK(r);
  @ assigns \nothing;
  @ ensures \result == !r->failed; */
static inline bool ur_reader_is_ok(const struct ur_reader *r);

/*@ requires READER_OK(r);
  @ assigns \nothing;
  @ ensures \result == (!r->failed && r->at == r->size); */
static inline bool ur_reader_is_done(const struct ur_reader *r);

/*@ requires READER_OK(r);
  @ requires \valid(to + (0 .. bytes - 1));
  @ requires \separated(to + (0 .. bytes - 1), r,
  @			r->base + (0 .. r->size - 1));
  @ assigns r->at, r->failed, to[0 .. bytes - 1];
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, bytes); */
static inline void ur_reader_bytes(struct ur_reader *r, u8 *to, size_t bytes);

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, bytes); */
static inline void ur_reader_skip(struct ur_reader *r, size_t bytes);

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, 1); */
static inline u8 ur_reader_u8(struct ur_reader *r);

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, 2); */
static inline u16 ur_reader_u16(struct ur_reader *r);

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, 4); */
static inline u32 ur_reader_u32(struct ur_reader *r);

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures ok: READER_OK(r);
  @ ensures took: reader_took{Pre, Post}(r, 8); */
static inline u64 ur_reader_u64(struct ur_reader *r);

/* ---- writer */

/*@ requires \valid(w);
  @ requires \valid(base + (0 .. size - 1));
  @ requires \separated(w, base + (0 .. size - 1));
  @ assigns ALL_OF_CURSOR(w);
  @ ensures ok: WRITER_OK(w);
  @ ensures all: w->base == base && w->size == size && w->at == 0 && !w->failed; */
static inline void ur_writer_init(struct ur_writer *w, u8 *base, size_t size);

/*@ requires WRITER_OK(w);
  @ assigns \nothing;
  @ ensures \result == w->at; */
static inline size_t ur_writer_used(const struct ur_writer *w);

/*@ requires WRITER_OK(w);
  @ assigns \nothing;
  @ ensures left: \result == LEFT(w); */
static inline size_t ur_writer_remaining(const struct ur_writer *w);

/*@ requires WRITER_OK(w);
  @ assigns \nothing;
  @ ensures \result == !w->failed; */
static inline bool ur_writer_is_ok(const struct ur_writer *w);

/*@ requires WRITER_OK(w);
  @ requires \valid_read(from + (0 .. bytes - 1));
  @ requires \separated(from + (0 .. bytes - 1), w,
  @			w->base + (0 .. w->size - 1));
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, bytes); */
static inline void ur_writer_bytes(struct ur_writer *w, const u8 *from,
				   size_t bytes);

/*@ requires WRITER_OK(w);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, bytes); */
static inline void ur_writer_zeros(struct ur_writer *w, size_t bytes);

/*@ requires WRITER_OK(w);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, 1); */
static inline void ur_writer_u8(struct ur_writer *w, u8 value);

/*@ requires WRITER_OK(w);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, 2); */
static inline void ur_writer_u16(struct ur_writer *w, u16 value);

/*@ requires WRITER_OK(w);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, 4); */
static inline void ur_writer_u32(struct ur_writer *w, u32 value);

/*@ requires WRITER_OK(w);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1];
  @ ensures ok: WRITER_OK(w);
  @ ensures took: writer_took{Pre, Post}(w, 8); */
static inline void ur_writer_u64(struct ur_writer *w, u64 value);

/* ---- refusals */

/*@ requires \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == error; */
static inline int ur_refuse(struct ur_refusal *why, int error,
			    const char *field, const char *rule, u32 got,
			    u32 want);

/*@ requires \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == UR_PEER_MALFORMED; */
static inline int ur_refuse_other(struct ur_refusal *why, const char *field,
				  u32 got, u32 want);

/*@ requires \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == UR_PEER_MALFORMED; */
static inline int ur_refuse_above(struct ur_refusal *why, const char *field,
				  u32 got, u32 most);

/*@ requires \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == UR_PEER_TOO_BIG; */
static inline int ur_refuse_too_big(struct ur_refusal *why, const char *field,
				    u32 got, u32 limit);

/*@ requires \valid(why) && want <= 0xffffffff;
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == UR_PEER_MALFORMED; */
static inline int ur_refuse_length(struct ur_refusal *why, const char *message,
				   size_t got, size_t want);

/*@ requires WRITER_OK(w) && \valid(why) && \separated(w, why);
  @ assigns ALL_OF_WHY(why);
  @ ensures room: \result == 0 ==> LEFT(w) >= bytes;
  @ ensures none: \result == 0 || \result == UR_BUG_INVALID; */
static inline int ur_require_room(const struct ur_writer *w, u32 bytes,
				  const char *what, struct ur_refusal *why);

#endif
