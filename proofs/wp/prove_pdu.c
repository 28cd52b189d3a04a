// SPDX-License-Identifier: BSD-2-Clause
/* wire/pdu.c, for any bytes and any structures: its own functions. */
#include "pdu_spec.h"

/*@ requires \valid(pdu) && bytes == sizeof(struct ur_pdu);
  @ assigns ALL_OF_PDU(pdu); */
void zero_pdu(struct ur_pdu *pdu, size_t bytes);
#define ur_zero zero_pdu

#include "pdu.c"

/*@ assigns \result \from command, &shapes[0 .. SHAPES - 1];
  @ ensures known: \result == \null || \valid_read(\result);
  @ ensures named: \result != \null ==> \result->command == command; */
static const struct shape *shape_of(u32 command);

/*@ requires \valid_read(shape);
  @ assigns \nothing; */
static bool has(const struct shape *shape, u32 field);

/*@ requires \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures is_refused(\result); */
static int refuse_command(u32 command, enum ur_travel travel,
			  struct ur_refusal *why);

/*@ requires \valid_read(pdu);
  @ assigns \nothing; */
static u32 setup_bits(const struct ur_pdu *pdu);

/*@ requires \valid_read(shape) && \valid_read(pdu) && \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == 0 || is_refused(\result); */
static int check_absent(const struct shape *shape, const struct ur_pdu *pdu,
			struct ur_refusal *why);

/*@ requires \valid_read(shape) && \valid_read(pdu) && \valid(why);
  @ assigns ALL_OF_WHY(why);
  @ ensures \result == 0 || is_refused(\result); */
static int check_sequence(const struct shape *shape, const struct ur_pdu *pdu,
			  struct ur_refusal *why);

/*@ requires \valid_read(shape) && \valid_read(pdu) && \valid_read(limits);
  @ requires \valid(why) && \separated(why, pdu) && \separated(why, limits);
  @ requires LIMITS_OK(limits);
  @ assigns ALL_OF_WHY(why);
  @ ensures said: \result == 0 || is_refused(\result);
  @ ensures ok: \result == 0 ==> PDU_OK(pdu) &&
  @	pdu->length <= limits->transfer_bytes &&
  @	PACKETS_OF(pdu) <= limits->iso_packets; */
static int check_bounds(const struct shape *shape, const struct ur_pdu *pdu,
			const struct ur_limits *limits, struct ur_refusal *why);

/*@ requires \valid(pdu);
  @ assigns ALL_OF_PDU(pdu); */
static void place(struct ur_pdu *pdu, u32 at_0x14, u32 at_0x24);
