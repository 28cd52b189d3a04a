// SPDX-License-Identifier: BSD-2-Clause
/*
 * wire/descriptor.c, for any bytes: every entry of the summary that is written or
 * read lies inside it, every piece inside its descriptor, and every loop ends.
 */
#include "descriptor.h"
#include "cursor_spec.h"

#define IS_REFUSED(e) ((e) == UR_PEER_MALFORMED || (e) == UR_PEER_TOO_BIG)

/* The endpoints of alternate setting `i` are entries that are there. */
#define ALTERNATE_OK(c, i) \
	((c)->alternate[i].first_endpoint + (c)->alternate[i].endpoints <= \
	 (c)->endpoints)
#define SUMMARY_OK(c) \
	((c)->alternates <= UR_ALTERNATES_MAX && \
	 (c)->endpoints <= UR_ENDPOINTS_MAX && \
	 (\forall integer i; 0 <= i < (c)->alternates ==> ALTERNATE_OK(c, i)))

/*@ requires \valid(c) && bytes == sizeof(struct ur_configuration);
  @ assigns *c;
  @ ensures c->alternates == 0 && c->endpoints == 0; */
void zero_configuration(struct ur_configuration *c, size_t bytes);
#define ur_zero zero_configuration

/*@ requires \valid_read(at + (0 .. bytes - 1));
  @ requires \valid(total) && \valid(why) && \separated(total, why);
  @ requires \separated(total, at + (0 .. bytes - 1));
  @ assigns *total, ALL_OF_WHY(why);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures head: \result == 0 ==> 2 <= *total <= 0xffff; */
int ur_descriptor_total(const u8 *at, size_t bytes, u8 type, u32 *total,
			struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid(device) && \valid(why);
  @ requires \separated(r, device, why);
  @ assigns r->at, r->failed, *device, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures all: \result == 0 ==> !r->failed && r->at == r->size;
  @ ensures some: \result == 0 ==>
  @	1 <= device->configurations <= UR_CONFIGURATIONS_MAX; */
int ur_device_descriptor_read(struct ur_reader *r,
			      struct ur_device_descriptor *device,
			      struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid(configuration) && \valid(why);
  @ requires \separated(r, configuration, why);
  @ assigns r->at, r->failed, *configuration, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures all: \result == 0 ==> LEFT(r) == 0;
  @ ensures ok: \result == 0 ==> SUMMARY_OK(configuration); */
int ur_configuration_read(struct ur_reader *r, u8 type,
			  struct ur_configuration *configuration,
			  struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid(why) && \separated(r, why);
  @ assigns r->at, r->failed, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result); */
int ur_bos_check(struct ur_reader *r, struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid(why) && \separated(r, why);
  @ assigns r->at, r->failed, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result); */
int ur_string_check(struct ur_reader *r, u8 number, struct ur_refusal *why);

/*@ requires \valid_read(at + (0 .. bytes - 1));
  @ requires \valid(text + (0 .. UR_STRING_TEXT_BYTES - 1));
  @ assigns text[0 .. UR_STRING_TEXT_BYTES - 1];
  @ ensures ended: \exists integer i; 0 <= i < UR_STRING_TEXT_BYTES &&
  @	text[i] == 0; */
void ur_string_text(const u8 *at, size_t bytes, char text[UR_STRING_TEXT_BYTES]);

/*@ requires \valid_read(configuration);
  @ requires configuration->alternates <= UR_ALTERNATES_MAX;
  @ assigns \result \from configuration, interface, alternate;
  @ ensures \result == \null || \exists integer i;
  @	0 <= i < configuration->alternates &&
  @	\result == &configuration->alternate[i]; */
const struct ur_alternate *
ur_alternate_find(const struct ur_configuration *configuration, u8 interface,
		  u8 alternate);

/* Of struct walk, for the loops in descriptor.c. */
#define LAST_ALTERNATE(w) (&(w)->c->alternate[(w)->c->alternates - 1])
#define LAST_ENDPOINT(w) (&(w)->c->endpoint[(w)->c->endpoints - 1])
#define WALK_THERE(w) \
	(\valid((w)->c) && \valid((w)->why) && \
	 \separated((w), (w)->c, (w)->why))
#define WALK_ALTERNATE(w) \
	((w)->alternate == \null || \
	 ((w)->c->alternates > 0 && (w)->alternate == LAST_ALTERNATE(w) && \
	  (w)->alternate->endpoints + (w)->endpoints_due <= \
	  UR_ALTERNATE_ENDPOINTS_MAX && \
	  (w)->alternate->first_endpoint + (w)->alternate->endpoints == \
	  (w)->c->endpoints))
#define WALK_ENDPOINT(w) \
	((w)->endpoint == \null || \
	 ((w)->c->endpoints > 0 && (w)->endpoint == LAST_ENDPOINT(w) && \
	  IS_BOOL((w)->endpoint->has_companion)))
#define WALK_OK(w) \
	(WALK_THERE(w) && SUMMARY_OK((w)->c) && WALK_ALTERNATE(w) && \
	 WALK_ENDPOINT(w))
#define OF_WALK(w) \
	(w)->alternate, (w)->endpoint, (w)->endpoints_due, \
	(w)->c->alternates, (w)->c->endpoints, \
	(w)->c->alternate[0 .. UR_ALTERNATES_MAX - 1], \
	(w)->c->endpoint[0 .. UR_ENDPOINTS_MAX - 1]
#define APART(w, r) \
	(READER_OK(r) && \separated((r), (w), (w)->c, (w)->why))

#include "descriptor.c"

/* ---- heads */

/*@ requires READER_OK(r);
  @ assigns r->at, r->failed;
  @ ensures cursor: READER_OK(r);
  @ ensures moved: \old(r->at) <= r->at;
  @ ensures took: \old(LEFT(r)) >= 2 ==>
  @	r->at == \old(r->at) + 2 && r->failed == \old(r->failed); */
static u16 little(struct ur_reader *r);

/*@ assigns \nothing; */
static bool has_total(u8 type);

/*@ assigns \nothing;
  @ ensures 2 <= \result <= UR_DEVICE_BYTES; */
static u32 head_of(u8 type);

/*@ requires READER_OK(r) && \valid(why) && \separated(r, why);
  @ assigns r->at, r->failed, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures bound: \result == 0 ==> LEFT(r) <= 0xffff; */
static int take_whole(struct ur_reader *r, u8 type, struct ur_refusal *why);

/*@ assigns \nothing; */
static bool is_max_packet_0(u8 bytes);

/*@ requires \valid_read(d) && \valid(why) && \separated(d, why);
  @ assigns ALL_OF_WHY(why);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures some: \result == 0 ==>
  @	1 <= d->configurations <= UR_CONFIGURATIONS_MAX; */
static int check_device(const struct ur_device_descriptor *d,
			struct ur_refusal *why);

/* ---- the walk */

/*@ requires \valid_read(w) && WALK_OK(w);
  @ assigns ALL_OF_WHY(w->why);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int close_alternate(struct walk *w);

/*@ requires \valid(w) && WALK_OK(w) && \valid_read(a);
  @ requires \separated(a, w, w->c, w->why);
  @ requires a->first_endpoint == w->c->endpoints && a->endpoints == 0;
  @ requires w->c->alternates < UR_ALTERNATES_MAX;
  @ requires endpoints <= UR_ALTERNATE_ENDPOINTS_MAX;
  @ assigns OF_WALK(w);
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w); */
static void add_alternate(struct walk *w, const struct ur_alternate *a,
			  u8 endpoints);

/*@ requires \valid(w) && WALK_OK(w) && \valid_read(a);
  @ requires \separated(a, w, w->c, w->why);
  @ requires a->first_endpoint == w->c->endpoints && a->endpoints == 0;
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why);
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int place_alternate(struct walk *w, const struct ur_alternate *a,
			   u8 endpoints);

/*@ requires \valid(w) && WALK_OK(w) && APART(w, r);
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why), r->at, r->failed;
  @ ensures ok: WALK_OK(w);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int take_interface(struct walk *w, struct ur_reader *r);

/*@ requires \valid_read(w) && WALK_OK(w) && w->alternate != \null;
  @ assigns \nothing; */
static bool is_taken(const struct walk *w, u8 address);

/*@ requires \valid_read(w) && WALK_OK(w);
  @ requires \valid_read(e) && \separated(e, w->why);
  @ assigns ALL_OF_WHY(w->why);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures room: \result == 0 ==> w->alternate != \null &&
  @	w->endpoints_due > 0 && w->c->endpoints < UR_ENDPOINTS_MAX; */
static int check_endpoint(const struct walk *w, const struct ur_endpoint *e);

/*@ requires \valid(w) && WALK_OK(w) && w->alternate != \null;
  @ requires \valid_read(e) && IS_BOOL(e->has_companion);
  @ requires \separated(e, w, w->c, w->why);
  @ requires w->c->endpoints < UR_ENDPOINTS_MAX && w->endpoints_due > 0;
  @ assigns OF_WALK(w);
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w); */
static void add_endpoint(struct walk *w, const struct ur_endpoint *e);

/*@ requires \valid(w) && WALK_OK(w);
  @ requires \valid_read(e) && IS_BOOL(e->has_companion);
  @ requires \separated(e, w, w->c, w->why);
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why);
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int place_endpoint(struct walk *w, const struct ur_endpoint *e);

/*@ requires \valid(w) && WALK_OK(w) && APART(w, r);
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why), r->at, r->failed;
  @ ensures ok: WALK_OK(w);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int take_endpoint(struct walk *w, struct ur_reader *r);

/*@ requires \valid(w) && WALK_OK(w) && w->endpoint != \null;
  @ assigns w->c->endpoint[0 .. UR_ENDPOINTS_MAX - 1];
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w); */
static void add_companion(struct walk *w, u8 burst, u8 attributes, u16 bytes);

/*@ requires \valid(w) && WALK_OK(w) && APART(w, r);
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why), r->at, r->failed;
  @ ensures there: WALK_THERE(w);
  @ ensures summary: SUMMARY_OK(w->c);
  @ ensures alternate: WALK_ALTERNATE(w);
  @ ensures endpoint: WALK_ENDPOINT(w);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int take_companion(struct walk *w, struct ur_reader *r);

/*@ requires \valid_read(w) && \valid(w->why) && \separated(w, w->why);
  @ assigns ALL_OF_WHY(w->why);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int take_other(struct walk *w, struct ur_reader *r, u8 type);

/*@ assigns \nothing;
  @ ensures 2 <= \result <= 9; */
static u32 least_of(u8 type);

/*@ requires READER_OK(r) && \valid(piece) && \valid(type) && \valid(why);
  @ requires \separated(r, piece, type, why);
  @ requires \separated(piece, r->base + (0 .. r->size - 1));
  @ assigns r->at, r->failed, ALL_OF_CURSOR(piece), *type, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures moved: \result == 0 ==> LEFT(r) <= \old(LEFT(r)) - 2;
  @ ensures piece: \result == 0 ==> READER_OK(piece) && !piece->failed &&
  @	piece->at == 0 && piece->size <= 253; */
static int cut(struct ur_reader *r, struct ur_reader *piece, u8 *type,
	       struct ur_refusal *why);

/*@ requires \valid(w) && WALK_OK(w) && APART(w, r);
  @ assigns OF_WALK(w), ALL_OF_WHY(w->why), r->at, r->failed;
  @ ensures ok: WALK_OK(w);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures moved: \result == 0 ==> LEFT(r) <= \old(LEFT(r)) - 2; */
static int take_piece(struct walk *w, struct ur_reader *r);

/*@ requires \valid_read(w) && WALK_OK(w);
  @ assigns w->c->interfaces, ALL_OF_WHY(w->why);
  @ ensures \result == 0 || IS_REFUSED(\result); */
static int count_interfaces(struct walk *w);

/* ---- BOS and strings */

/*@ requires READER_OK(piece);
  @ assigns \nothing; */
static u32 capability_least(u8 type, const struct ur_reader *piece);

/*@ requires READER_OK(r) && \valid(why) && \separated(r, why);
  @ assigns r->at, r->failed, ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || IS_REFUSED(\result);
  @ ensures moved: \result == 0 ==> LEFT(r) <= \old(LEFT(r)) - 2; */
static int check_capability(struct ur_reader *r, struct ur_refusal *why);

/*@ requires \valid(to + (0 .. 3)) && unit <= 0x10ffff;
  @ assigns to[0 .. 3];
  @ ensures 1 <= \result <= 4; */
static u32 put_utf8(char *to, u32 unit);

/*@ requires READER_OK(r) && LEFT(r) >= 2;
  @ assigns *r;
  @ ensures same: r->base == \old(r->base) && r->size == \old(r->size);
  @ ensures cursor: READER_OK(r);
  @ ensures moved: LEFT(r) <= \old(LEFT(r)) - 2;
  @ ensures unicode: \result <= 0x10ffff; */
static u32 take_character(struct ur_reader *r);
