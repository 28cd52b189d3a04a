// SPDX-License-Identifier: BSD-2-Clause
/*
 * A ring handle, whatever the peer writes into its words: no claim makes a
 * handle's indices impossible, and no span reaches beyond the ring.
 */
#include "doorbell.h"
#include "ring.h"

/* Of ur_geometry: 64 B to 1 GiB. That it is a power of two is not needed. */
#define RING_MOST 0x40000000

/*@
  // What unsigned arithmetic of C is (C11 6.2.5); WP itself only says it where
  // nothing wraps.
  axiomatic Wraps {
	axiom below: \forall integer x; -0x100000000 <= x < 0 ==>
		(u32)x == x + 0x100000000;
	axiom above: \forall integer x; 0x100000000 <= x < 0x200000000 ==>
		(u32)x == x - 0x100000000;
  }

  predicate ring_bytes_ok(integer n) = 0 < n <= RING_MOST;

  // What is in flight, modulo 2^32.
  logic integer flight(u32 produced, u32 consumed) =
	(u32)(produced - consumed);

  predicate producer_words(struct ur_producer *p) =
	\valid(p) && \valid(p->own_produced) && \valid(p->own_space_event) &&
	\valid_read(p->peer_consumed) && \valid_read(p->peer_data_event) &&
	\separated(p, p->own_produced, p->own_space_event);

  predicate producer_ok(struct ur_producer *p) =
	producer_words(p) && ring_bytes_ok(p->ring_bytes) &&
	\valid(p->data + (0 .. p->ring_bytes - 1)) &&
	flight(p->produced, p->consumed) <= p->ring_bytes;

  predicate consumer_words(struct ur_consumer *c) =
	\valid(c) && \valid(c->own_consumed) && \valid(c->own_data_event) &&
	\valid_read(c->peer_produced) && \valid_read(c->peer_space_event) &&
	\separated(c, c->own_consumed, c->own_data_event);

  predicate consumer_ok(struct ur_consumer *c) =
	consumer_words(c) && ring_bytes_ok(c->ring_bytes) &&
	\valid_read(c->data + (0 .. c->ring_bytes - 1)) &&
	flight(c->produced, c->consumed) <= c->ring_bytes;
*/

/*@ assigns \nothing; */
static inline bool ur_event_passed(u32 event, u32 from, u32 to);

/*@ requires \valid(s);
  @ assigns *s; */
static inline void ur_spin_init(struct ur_spin *s, u32 limit);

/*@ requires \valid_read(s);
  @ assigns \nothing; */
static inline bool ur_spin_goes_on(const struct ur_spin *s, u64 begin, u64 now);

/*@ requires \valid(s);
  @ assigns *s; */
static inline void ur_spin_looked(struct ur_spin *s, u64 last, u64 now);

/*@ requires \valid(s);
  @ assigns *s; */
static inline void ur_spin_learn(struct ur_spin *s, u64 waited);

/*@ requires producer_words(p);
  @ assigns p->produced, p->consumed, *p->own_produced, *p->own_space_event;
  @ ensures flight(p->produced, p->consumed) == 0; */
void ur_producer_start(struct ur_producer *p, u32 first_index);

/*@ requires consumer_words(c);
  @ assigns c->produced, c->consumed, *c->own_consumed, *c->own_data_event;
  @ ensures flight(c->produced, c->consumed) == 0; */
void ur_consumer_start(struct ur_consumer *c, u32 first_index);

/*@ requires producer_ok(p);
  @ assigns p->consumed, p->refused;
  @ ensures kept: producer_ok(p);
  @ ensures room: \result == UR_PEER_BROKEN ||
  @	\result == p->ring_bytes - flight(p->produced, p->consumed);
  @ ensures refused: \result == UR_PEER_BROKEN ==>
  @	p->consumed == \old(p->consumed); */
int ur_producer_room(struct ur_producer *p);

/*@ requires consumer_ok(c);
  @ assigns c->produced, c->refused;
  @ ensures kept: consumer_ok(c);
  @ ensures data: \result == UR_PEER_BROKEN ||
  @	\result == flight(c->produced, c->consumed);
  @ ensures refused: \result == UR_PEER_BROKEN ==>
  @	c->produced == \old(c->produced); */
int ur_consumer_data(struct ur_consumer *c);

/*@ requires producer_ok(p);
  @ requires bytes <= p->ring_bytes - flight(p->produced, p->consumed);
  @ requires \valid(spans + (0 .. 1)) && \separated(p, spans + (0 .. 1));
  @ assigns spans[0 .. 1];
  @ ensures all: spans[0].bytes + spans[1].bytes == bytes;
  @ ensures inside: \valid(spans[0].at + (0 .. spans[0].bytes - 1)) &&
  @		    \valid(spans[1].at + (0 .. spans[1].bytes - 1)); */
void ur_producer_spans(const struct ur_producer *p, u32 bytes,
		       struct ur_span spans[2]);

/*@ requires consumer_ok(c);
  @ requires bytes <= flight(c->produced, c->consumed);
  @ requires \valid(spans + (0 .. 1)) && \separated(c, spans + (0 .. 1));
  @ assigns spans[0 .. 1];
  @ ensures all: spans[0].bytes + spans[1].bytes == bytes;
  @ ensures inside: \valid_read(spans[0].at + (0 .. spans[0].bytes - 1)) &&
  @		    \valid_read(spans[1].at + (0 .. spans[1].bytes - 1)); */
void ur_consumer_spans(const struct ur_consumer *c, u32 bytes,
		       struct ur_peer_span spans[2]);

/*@ requires producer_ok(p);
  @ requires bytes <= p->ring_bytes - flight(p->produced, p->consumed);
  @ assigns p->produced, *p->own_produced;
  @ ensures kept: producer_ok(p); */
bool ur_producer_publish(struct ur_producer *p, u32 bytes);

/*@ requires consumer_ok(c);
  @ requires bytes <= flight(c->produced, c->consumed);
  @ assigns c->consumed, *c->own_consumed;
  @ ensures kept: consumer_ok(c); */
bool ur_consumer_release(struct ur_consumer *c, u32 bytes);

/*@ requires producer_ok(p);
  @ assigns p->consumed, p->refused, *p->own_space_event;
  @ ensures kept: producer_ok(p);
  @ ensures room: \result == UR_PEER_BROKEN ||
  @	0 <= \result <= p->ring_bytes; */
int ur_producer_arm(struct ur_producer *p, u32 low);

/*@ requires consumer_ok(c);
  @ assigns c->produced, c->refused, *c->own_data_event;
  @ ensures kept: consumer_ok(c);
  @ ensures data: \result == UR_PEER_BROKEN ||
  @	0 <= \result <= c->ring_bytes; */
int ur_consumer_arm(struct ur_consumer *c, u32 low);

#include "ring.c"
