/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What wire/pdu.h promises, for the prover: proved by prove_pdu.c, used by
 * prove_framer.c.
 */
#ifndef PDU_SPEC_H
#define PDU_SPEC_H

#include "pdu.h"
#include "cursor_spec.h"

#define ALL_OF_ISO(i) (i)->offset, (i)->length, (i)->actual_length, (i)->status
#define ALL_OF_PDU(p) (p)->command, (p)->seqnum, (p)->devid, (p)->direction, \
	(p)->ep, (p)->transfer_flags, (p)->unlink_seqnum, (p)->status, \
	(p)->length, (p)->start_frame, (p)->packets, (p)->interval, \
	(p)->error_count, (p)->setup[0 .. UR_PDU_SETUP_BYTES - 1]

#define LIMITS_OK(l) \
	((l)->transfer_bytes <= UR_LIMIT_MAX && (l)->iso_packets <= UR_LIMIT_MAX)

/* Of a checked header: what is not bounded is free. */
#define PDU_OK(p) \
	((p)->direction <= UR_DIR_IN && (p)->ep <= UR_EP_MAX && \
	 (p)->length <= UR_LIMIT_MAX)
#define PACKETS_OF(p) ((p)->packets == UR_PACKETS_NONE ? 0 : (p)->packets)

/*@
  predicate is_refused(int result) =
	result == UR_PEER_MALFORMED || result == UR_PEER_TOO_BIG;
*/

/*@ requires \valid_read(limits);
  @ assigns \nothing;
  @ ensures \result <==> LIMITS_OK(limits); */
bool ur_limits_is_valid(const struct ur_limits *limits);

/*@ assigns \nothing; */
static inline struct ur_limits ur_limits_default(void);

/*@ requires \valid_read(pdu) && \valid_read(limits) && \valid(why);
  @ requires \separated(why, pdu) && \separated(why, limits);
  @ requires LIMITS_OK(limits);
  @ assigns ALL_OF_WHY(why);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures ok: \result == 0 ==> PDU_OK(pdu) &&
  @	pdu->length <= limits->transfer_bytes &&
  @	PACKETS_OF(pdu) <= limits->iso_packets; */
int ur_pdu_check(const struct ur_pdu *pdu, enum ur_travel travel,
		 const struct ur_limits *limits, struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid_read(limits) && LIMITS_OK(limits);
  @ requires \valid(pdu) && \valid(why);
  @ requires \separated(r, limits, pdu, why, r->base + (0 .. r->size - 1));
  @ assigns r->at, r->failed, ALL_OF_PDU(pdu), ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures took: \result == 0 ==> r->at == \old(r->at) + UR_PDU_HEADER_BYTES;
  @ ensures ok: \result == 0 ==> PDU_OK(pdu) &&
  @	pdu->length <= limits->transfer_bytes &&
  @	PACKETS_OF(pdu) <= limits->iso_packets; */
int ur_pdu_read(struct ur_reader *r, enum ur_travel travel,
		const struct ur_limits *limits, struct ur_pdu *pdu,
		struct ur_refusal *why);

/*@ requires WRITER_OK(w) && \valid_read(limits) && LIMITS_OK(limits);
  @ requires \valid_read(pdu) && \valid(why);
  @ requires \separated(w, why, w->base + (0 .. w->size - 1), pdu);
  @ requires \separated(w, why, w->base + (0 .. w->size - 1), limits);
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1], ALL_OF_WHY(why);
  @ ensures cursor: WRITER_OK(w);
  @ ensures said: \result == 0 || \result == UR_BUG_INVALID;
  @ ensures whole: w->at == \old(w->at) +
  @	(\result == 0 ? UR_PDU_HEADER_BYTES : 0); */
int ur_pdu_write(struct ur_writer *w, enum ur_travel travel,
		 const struct ur_limits *limits, const struct ur_pdu *pdu,
		 struct ur_refusal *why);

/*@ requires \valid_read(pdu);
  @ assigns \nothing;
  @ ensures \result.length == pdu->length &&
  @	    \result.iso_packets == PACKETS_OF(pdu); */
struct ur_request ur_pdu_request(const struct ur_pdu *pdu);

/*@ requires \valid_read(pdu) && \valid_read(request) && \valid(why);
  @ requires \separated(why, pdu, request);
  @ assigns ALL_OF_WHY(why);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures fits: \result == 0 ==> pdu->length <= request->length &&
  @	PACKETS_OF(pdu) == request->iso_packets; */
int ur_pdu_fits(const struct ur_pdu *pdu, const struct ur_request *request,
		struct ur_refusal *why);

/*@ requires \valid_read(pdu) && \valid_read(request);
  @ assigns \nothing;
  @ ensures \result == 0 || \result == pdu->length; */
u32 ur_pdu_payload_bytes(const struct ur_pdu *pdu,
			 const struct ur_request *request);

/*@ requires \valid_read(pdu);
  @ assigns \nothing;
  @ ensures \result == PACKETS_OF(pdu); */
u32 ur_pdu_iso_packets(const struct ur_pdu *pdu);

/*@ requires \valid_read(pdu);
  @ assigns \nothing;
  @ ensures \result == (pdu->command == UR_RET_SUBMIT ? pdu->length : 0); */
u32 ur_pdu_iso_actual(const struct ur_pdu *pdu);

/*@ requires \valid_read(iso) && \valid_read(request);
  @ requires \valid(actual_left) && \valid(why);
  @ requires \separated(actual_left, why, iso);
  @ requires \separated(actual_left, why, request);
  @ assigns *actual_left, ALL_OF_WHY(why);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures inside: \result == 0 ==>
  @	iso->offset + iso->length <= request->length &&
  @	iso->actual_length <= iso->length;
  @ ensures counted: *actual_left == \old(*actual_left) -
  @	(\result == 0 ? iso->actual_length : 0); */
int ur_iso_check(const struct ur_iso *iso, const struct ur_request *request,
		 u32 *actual_left, struct ur_refusal *why);

/*@ requires READER_OK(r) && \valid(iso) && \valid(why);
  @ requires \separated(r, iso, why, r->base + (0 .. r->size - 1));
  @ assigns r->at, r->failed, ALL_OF_ISO(iso), ALL_OF_WHY(why);
  @ ensures cursor: READER_OK(r);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures took: \result == 0 ==> r->at == \old(r->at) + UR_ISO_BYTES; */
int ur_iso_read(struct ur_reader *r, struct ur_iso *iso, struct ur_refusal *why);

/*@ requires WRITER_OK(w) && \valid_read(iso) && \valid(why);
  @ requires \separated(w, iso, why, w->base + (0 .. w->size - 1));
  @ assigns w->at, w->failed, w->base[0 .. w->size - 1], ALL_OF_WHY(why);
  @ ensures cursor: WRITER_OK(w);
  @ ensures said: \result == 0 || \result == UR_BUG_INVALID;
  @ ensures whole: w->at == \old(w->at) +
  @	(\result == 0 ? UR_ISO_BYTES : 0); */
int ur_iso_write(struct ur_writer *w, const struct ur_iso *iso,
		 struct ur_refusal *why);

#endif
