// SPDX-License-Identifier: BSD-2-Clause
/*
 * wire/framer.c, for any bytes in slices of any size: nothing is written beyond
 * the piece, no more is taken than was given, and what holds between two calls
 * (FRAMER_OK) holds after each of them.
 */
#include "framer.h"
#include "pdu_spec.h"

/*
 * Macros, not predicates: what a store into another field leaves as it was is
 * seen through them at once.
 */
#define PIECE_OK(f) \
	((f)->piece_bytes < UR_PDU_HEADER_BYTES && \
	 ((f)->state == UR_FRAMER_HEADED ==> (f)->piece_bytes == 0) && \
	 ((f)->state == UR_FRAMER_ADMITTED ==> \
	  (f)->piece_bytes < UR_ISO_BYTES && \
	  ((f)->iso_left == 0 ==> (f)->piece_bytes == 0)))
#define ISO_ACTUAL(p) ((p).command == UR_RET_SUBMIT ? (p).length : 0)
#define ERROR_OK(f) ((f)->state == UR_FRAMER_BROKEN ==> is_refused((f)->error))
#define SUM_OK(f) \
	((f)->state == UR_FRAMER_ADMITTED ==> \
	 (f)->actual_left <= ISO_ACTUAL((f)->pdu))
#define FRAMER_OK(f) \
	(\valid(f) && LIMITS_OK(&(f)->limits) && PIECE_OK(f) && ERROR_OK(f) && \
	 SUM_OK(f))

/*@
  predicate slice_ok{L}(struct ur_framer *f, u8 *bytes, integer count,
			size_t *taken) =
	\valid_read(bytes + (0 .. count - 1)) && \valid(taken) &&
	\separated(f, taken) && \separated(f, bytes + (0 .. count - 1));
*/

/*@ requires \valid(f) && bytes == sizeof(struct ur_framer);
  @ assigns *f;
  @ ensures f->piece_bytes == 0; */
void zero_framer(struct ur_framer *f, size_t bytes);
#define ur_zero zero_framer

/*@ requires \valid(f) && \valid_read(limits) && \separated(f, limits);
  @ assigns *f;
  @ ensures said: \result == 0 || \result == UR_BUG_INVALID;
  @ ensures ok: \result == 0 ==> FRAMER_OK(f); */
int ur_framer_init(struct ur_framer *f, enum ur_travel travel,
		   const struct ur_limits *limits);

/*@ requires FRAMER_OK(f) && slice_ok(f, bytes, count, taken);
  @ assigns *f, *taken;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: UR_FRAME_MORE <= \result <= UR_FRAME_END ||
  @	is_refused(\result) || \result == UR_BUG_STATE;
  @ ensures given: *taken <= count;
  @ ensures none: \result < 0 || \result == UR_FRAME_END ==> *taken == 0;
  @ ensures all: \result == UR_FRAME_MORE ==> *taken == count;
  @ ensures some: \result == UR_FRAME_PAYLOAD ==> *taken > 0;
  @ ensures sticky: \old(f->state) == UR_FRAMER_BROKEN ==>
  @	\result == \old(f->error) && f->state == UR_FRAMER_BROKEN;
  @ ensures judged: \old(f->state) == UR_FRAMER_HEADED ==>
  @	\result == UR_BUG_STATE; */
int ur_framer_take(struct ur_framer *f, const u8 *bytes, size_t count,
		   size_t *taken);

/*@ requires FRAMER_OK(f) && \valid_read(request) && \separated(f, request);
  @ assigns *f;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: \result == 0 || is_refused(\result) ||
  @	\result == UR_BUG_STATE;
  @ ensures fits: \result == 0 ==> f->payload_left <= request->length &&
  @	f->iso_left == request->iso_packets; */
int ur_framer_admit(struct ur_framer *f, const struct ur_request *request);

/*@ requires FRAMER_OK(f);
  @ assigns \nothing; */
bool ur_framer_is_between(const struct ur_framer *f);

#include "framer.c"

/*@ requires \valid(f) && is_refused(error);
  @ assigns f->state, f->error;
  @ ensures f->state == UR_FRAMER_BROKEN && f->error == error;
  @ ensures \result == error; */
static int break_stream(struct ur_framer *f, int error);

/*@ assigns \nothing;
  @ ensures \result == (count < limit ? count : limit); */
static u32 at_most(size_t count, u32 limit);

/*@ requires \valid(f) && f->piece_bytes < want <= UR_PDU_HEADER_BYTES;
  @ requires slice_ok(f, bytes, count, taken);
  @ assigns f->piece[0 .. UR_PDU_HEADER_BYTES - 1], f->piece_bytes, *taken;
  @ ensures whole: \result <==> f->piece_bytes == want;
  @ ensures part: f->piece_bytes <= want;
  @ ensures given: *taken <= count;
  @ ensures all: !\result ==> *taken == count; */
static bool assemble(struct ur_framer *f, u32 want, const u8 *bytes,
		     size_t count, size_t *taken);

/*@ requires FRAMER_OK(f) && slice_ok(f, bytes, count, taken);
  @ requires f->state == UR_FRAMER_ENDED;
  @ assigns *f, *taken;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: \result == UR_FRAME_MORE || \result == UR_FRAME_HEADER ||
  @	is_refused(\result);
  @ ensures given: *taken <= count;
  @ ensures all: \result == UR_FRAME_MORE ==> *taken == count; */
static int take_header(struct ur_framer *f, const u8 *bytes, size_t count,
		       size_t *taken);

/*@ requires FRAMER_OK(f) && \valid(taken) && \separated(f, taken);
  @ requires f->payload_left > 0;
  @ assigns f->payload_left, *taken;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: \result == UR_FRAME_MORE || \result == UR_FRAME_PAYLOAD;
  @ ensures given: *taken <= count;
  @ ensures all: \result == UR_FRAME_MORE ==> *taken == count;
  @ ensures some: \result == UR_FRAME_PAYLOAD ==> *taken > 0;
  @ ensures counted: f->payload_left == \old(f->payload_left) - *taken; */
static int take_payload(struct ur_framer *f, size_t count, size_t *taken);

/*@ requires \valid(f) && f->actual_left <= ISO_ACTUAL(f->pdu);
  @ assigns ALL_OF_WHY(&f->why);
  @ ensures \result == 0 || is_refused(\result); */
static int check_sum(struct ur_framer *f);

/*@ requires FRAMER_OK(f) && slice_ok(f, bytes, count, taken);
  @ requires f->state == UR_FRAMER_ADMITTED && f->iso_left > 0;
  @ assigns *f, *taken;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: \result == UR_FRAME_MORE || \result == UR_FRAME_ISO ||
  @	is_refused(\result);
  @ ensures given: *taken <= count;
  @ ensures all: \result == UR_FRAME_MORE ==> *taken == count; */
static int take_iso(struct ur_framer *f, const u8 *bytes, size_t count,
		    size_t *taken);

/*@ requires FRAMER_OK(f) && slice_ok(f, bytes, count, taken);
  @ requires f->state == UR_FRAMER_ADMITTED && *taken == 0;
  @ assigns *f, *taken;
  @ ensures ok: FRAMER_OK(f);
  @ ensures said: UR_FRAME_MORE <= \result <= UR_FRAME_END &&
  @	\result != UR_FRAME_HEADER || is_refused(\result);
  @ ensures given: *taken <= count;
  @ ensures none: \result == UR_FRAME_END ==> *taken == 0;
  @ ensures all: \result == UR_FRAME_MORE ==> *taken == count;
  @ ensures some: \result == UR_FRAME_PAYLOAD ==> *taken > 0; */
static int take_rest(struct ur_framer *f, const u8 *bytes, size_t count,
		     size_t *taken);
