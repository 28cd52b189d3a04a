/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which requests are under way, and whether an answer belongs to one of them.
 *
 * Promise. An answer is settled only if its request passed here and everything
 *   fits: kind, length, number of packets, each packet's place, status. One
 *   answer a request. Whatever else comes is refused, with a reason.
 * Unlinking. CMD_UNLINK names a victim. These orders are legal on a link that
 *   keeps the order of each direction (S = the victim's RET_SUBMIT, U =
 *   RET_UNLINK, any status):
 *       request, S, unlink, U      the answer crossed the unlink on its way
 *       request, unlink, S, U      the same, seen a little earlier
 *       request, unlink, U         U settles both; S must not come any more
 *   S after U is refused: Linux's client has given the URB back by then and ends
 *   the connection as well. An unlink whose victim is not under way when it
 *   passes settles nothing but itself.
 * Threads. One session, one thread.
 * Memory. Fixed, the caller's; about 100 KiB. Work per call: one pass over the
 *   records that were ever used at once, and over the packets of the message.
 * Trust. PDUs passed ur_pdu_check(); everything they say is still a claim. A
 *   hostile peer can get itself severed and can use up its own route's records.
 */
#ifndef UR_SESSION_H
#define UR_SESSION_H

#include "pdu.h"
#include "reason.h"

/*
 * Requests under way on one route. A network adapter has 120 of Linux's, a UAS
 * disk 100.
 */
#define UR_SESSION_RECORDS 512u
/* Isochronous packets under way on one route: eight requests of 1024. */
#define UR_SESSION_PACKETS 8192u

#define UR_SESSION_NONE 0xffffffffu

/* A request, copied once from the message that asked. */
struct ur_record {
	u32 command;		/* CMD_SUBMIT or CMD_UNLINK; 0: free */
	u32 seqnum;
	u8 ep;
	bool is_being_unlinked;
	u32 victim;		/* CMD_UNLINK: record under way, or NONE */
	struct ur_request request;
	u32 first_packet;	/* chain in `packet`, if iso_packets > 0 */
	u8 setup[UR_PDU_SETUP_BYTES];	/* ep 0 */
};

struct ur_session_packet {
	u32 offset;
	u32 length;
	u32 next;
};

struct ur_session {
	u32 top;		/* records at and above it were never used */
	u32 outstanding;
	u32 high_water;		/* most requests ever under way at once */
	u32 free_packet;	/* chain of free packets */
	u32 free_packets;
	struct ur_record record[UR_SESSION_RECORDS];
	struct ur_session_packet packet[UR_SESSION_PACKETS];
};

void ur_session_init(struct ur_session *s);

/* The record of the request under way with that number, or NULL. */
const struct ur_record *ur_session_find(const struct ur_session *s, u32 seqnum);

/*
 * Whether a request may be opened now: its number is free, there is room, its
 * victim can be unlinked. Changes nothing.
 */
int ur_session_may_open(const struct ur_session *s, const struct ur_pdu *pdu,
			struct ur_verdict *v) ur_must_check;

/*
 * Open it: after ur_session_may_open() said 0 and the message is whole. `iso` is
 * a cursor over its packet descriptors, checked by the framer.
 */
int ur_session_open(struct ur_session *s, const struct ur_pdu *pdu,
		    struct ur_reader *iso, struct ur_verdict *v) ur_must_check;

/*
 * The record that an answer belongs to, by its header alone; NULL and `v` filled
 * if there is none or the header does not fit it. Changes nothing.
 */
const struct ur_record *ur_session_answered(const struct ur_session *s,
					    const struct ur_pdu *pdu,
					    struct ur_verdict *v) ur_must_check;

/*
 * Settle a whole answer: all its packets lie where the request put them. `settled`
 * becomes a copy of the request, and for an unlink that settles its victim too
 * `victim` becomes that one's (else its command is 0).
 */
int ur_session_settle(struct ur_session *s, const struct ur_pdu *pdu,
		      struct ur_reader *iso, struct ur_record *settled,
		      struct ur_record *victim,
		      struct ur_verdict *v) ur_must_check;

#endif
