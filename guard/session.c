// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 *     CMD_SUBMIT s            CMD_UNLINK u, victim s      RET_UNLINK u
 *     record[i] = s           record[j] = u               frees j, and i if s is
 *                             j.victim = i                still there
 *                             i.is_being_unlinked
 *                             RET_SUBMIT s frees i, and cuts j.victim
 *
 * Each check stands on its own line and nothing is changed before the last one.
 */
#include "session.h"

/* Linux's MAX_ERRNO: a status is 0 or -1..-4095. */
#define ERRNO_MAX 4095u

void ur_session_init(struct ur_session *s)
{
	u32 i;

	ur_zero(s, sizeof(*s));
	for (i = 0; i < UR_SESSION_PACKETS; i++)
		s->packet[i].next = i + 1;
	s->packet[UR_SESSION_PACKETS - 1].next = UR_SESSION_NONE;
	s->free_packets = UR_SESSION_PACKETS;
}

static u32 index_of(const struct ur_session *s, u32 seqnum)
{
	u32 i;

	for (i = 0; i < s->top; i++)
		if (s->record[i].command != 0 && s->record[i].seqnum == seqnum)
			return i;
	return UR_SESSION_NONE;
}

const struct ur_record *ur_session_find(const struct ur_session *s, u32 seqnum)
{
	u32 i = index_of(s, seqnum);

	return i == UR_SESSION_NONE ? NULL : &s->record[i];
}

static int may_unlink(const struct ur_session *s, const struct ur_pdu *pdu,
		      struct ur_verdict *v)
{
	const struct ur_record *victim = ur_session_find(s, pdu->unlink_seqnum);

	if (!victim)
		return 0;
	if (victim->command != UR_CMD_SUBMIT)
		return ur_deny(v, UR_REASON_UNLINK_KIND, "command of the victim",
			       "exactly", victim->command, UR_CMD_SUBMIT);
	if (victim->is_being_unlinked)
		return ur_deny(v, UR_REASON_UNLINK_TWICE, "unlinks of a seqnum",
			       "at most", 2, 1);
	return 0;
}

int ur_session_may_open(const struct ur_session *s, const struct ur_pdu *pdu,
			struct ur_verdict *v)
{
	u32 packets = ur_pdu_iso_packets(pdu);

	if (ur_session_find(s, pdu->seqnum))
		return ur_deny(v, UR_REASON_SEQNUM_IN_USE, "seqnum", "not",
			       pdu->seqnum, pdu->seqnum);
	if (s->outstanding >= UR_SESSION_RECORDS)
		return ur_deny(v, UR_REASON_OUTSTANDING, "requests under way",
			       "at most", s->outstanding + 1,
			       UR_SESSION_RECORDS);
	if (packets > s->free_packets)
		return ur_deny(v, UR_REASON_ISO_ROOM, "number_of_packets",
			       "at most", packets, s->free_packets);
	return pdu->command == UR_CMD_UNLINK ? may_unlink(s, pdu, v) : 0;
}

static u32 free_record(struct ur_session *s)
{
	u32 i;

	for (i = 0; i < s->top; i++)
		if (s->record[i].command == 0)
			return i;
	return s->top++;
}

/* Give a chain back. `count` bounds it, whatever the chain says. */
static void free_chain(struct ur_session *s, u32 first, u32 count)
{
	u32 at = first;
	u32 i;

	if (count == 0)
		return;
	for (i = 1; i < count; i++)
		at = s->packet[at].next;
	s->packet[at].next = s->free_packet;
	s->free_packet = first;
	s->free_packets += count;
}

static int keep_packets(struct ur_session *s, struct ur_record *record,
			struct ur_reader *iso, struct ur_verdict *v)
{
	u32 count = record->request.iso_packets;
	u32 at = s->free_packet;
	struct ur_iso one;
	u32 i;

	record->first_packet = at;
	for (i = 0; i < count; i++) {
		struct ur_session_packet *p = &s->packet[at];

		if (ur_iso_read(iso, &one, &v->why))
			return ur_deny_as(v, UR_REASON_FRAMING);
		p->offset = one.offset;
		p->length = one.length;
		at = p->next;
	}
	s->free_packet = at;
	s->free_packets -= count;
	return 0;
}

int ur_session_open(struct ur_session *s, const struct ur_pdu *pdu,
		    struct ur_reader *iso, struct ur_verdict *v)
{
	struct ur_record record = { 0 };
	int error = ur_session_may_open(s, pdu, v);

	if (error)
		return error;
	record.command = pdu->command;
	record.seqnum = pdu->seqnum;
	record.ep = (u8)pdu->ep;
	record.victim = UR_SESSION_NONE;
	record.request = ur_pdu_request(pdu);
	ur_copy(record.setup, pdu->setup, sizeof(record.setup));
	error = keep_packets(s, &record, iso, v);
	if (error)
		return error;
	if (pdu->command == UR_CMD_UNLINK)
		record.victim = index_of(s, pdu->unlink_seqnum);
	if (record.victim != UR_SESSION_NONE)
		s->record[record.victim].is_being_unlinked = true;
	s->record[free_record(s)] = record;
	s->outstanding++;
	if (s->outstanding > s->high_water)
		s->high_water = s->outstanding;
	return 0;
}

static int check_status(const struct ur_pdu *pdu, struct ur_verdict *v)
{
	if (pdu->status == 0 || 0u - pdu->status <= ERRNO_MAX)
		return 0;
	return ur_deny(v, UR_REASON_STATUS, "status", "0 or at least",
		       pdu->status, 0u - ERRNO_MAX);
}

static int check_answer(const struct ur_record *record, const struct ur_pdu *pdu,
			struct ur_verdict *v)
{
	u32 want = pdu->command == UR_RET_SUBMIT ? UR_CMD_SUBMIT : UR_CMD_UNLINK;
	u32 packets = ur_pdu_iso_packets(pdu);

	if (record->command != want)
		return ur_deny(v, UR_REASON_ANSWER_KIND, "command asked",
			       "exactly", record->command, want);
	if (pdu->length > record->request.length)
		return ur_deny(v, UR_REASON_LENGTH, "actual_length", "at most",
			       pdu->length, record->request.length);
	if (packets != record->request.iso_packets)
		return ur_deny(v, UR_REASON_PACKETS, "number_of_packets",
			       "exactly", packets, record->request.iso_packets);
	if (pdu->error_count > packets)
		return ur_deny(v, UR_REASON_ERROR_COUNT, "error_count",
			       "at most", pdu->error_count, packets);
	return check_status(pdu, v);
}

const struct ur_record *ur_session_answered(const struct ur_session *s,
					    const struct ur_pdu *pdu,
					    struct ur_verdict *v)
{
	const struct ur_record *record = ur_session_find(s, pdu->seqnum);

	if (!record) {
		(void)ur_deny(v, UR_REASON_SEQNUM_UNKNOWN, "seqnum",
			      "one of the requests under way,", pdu->seqnum,
			      s->outstanding);
		return NULL;
	}
	return check_answer(record, pdu, v) ? NULL : record;
}

static int compare_packet(const struct ur_session_packet *p,
			  const struct ur_iso *one, struct ur_verdict *v)
{
	if (one->offset != p->offset)
		return ur_deny(v, UR_REASON_ISO_LAYOUT, "iso offset", "exactly",
			       one->offset, p->offset);
	if (one->length != p->length)
		return ur_deny(v, UR_REASON_ISO_LAYOUT, "iso length", "exactly",
			       one->length, p->length);
	if (one->status != 0 && 0u - one->status > ERRNO_MAX)
		return ur_deny(v, UR_REASON_STATUS, "iso status",
			       "0 or at least", one->status, 0u - ERRNO_MAX);
	return 0;
}

static int compare_packets(const struct ur_session *s,
			   const struct ur_record *record,
			   struct ur_reader *iso, struct ur_verdict *v)
{
	u32 at = record->first_packet;
	struct ur_iso one;
	int error = 0;
	u32 i;

	for (i = 0; i < record->request.iso_packets && !error; i++) {
		if (ur_iso_read(iso, &one, &v->why))
			return ur_deny_as(v, UR_REASON_FRAMING);
		error = compare_packet(&s->packet[at], &one, v);
		at = s->packet[at].next;
	}
	return error;
}

/* No unlink may settle it any more. */
static void cut_from_unlink(struct ur_session *s, u32 index)
{
	u32 i;

	if (!s->record[index].is_being_unlinked)
		return;
	for (i = 0; i < s->top; i++)
		if (s->record[i].command == UR_CMD_UNLINK &&
		    s->record[i].victim == index)
			s->record[i].victim = UR_SESSION_NONE;
}

static struct ur_record release(struct ur_session *s, u32 index)
{
	struct ur_record gone = s->record[index];

	cut_from_unlink(s, index);
	free_chain(s, gone.first_packet, gone.request.iso_packets);
	s->record[index].command = 0;
	s->outstanding--;
	return gone;
}

int ur_session_settle(struct ur_session *s, const struct ur_pdu *pdu,
		      struct ur_reader *iso, struct ur_record *settled,
		      struct ur_record *victim, struct ur_verdict *v)
{
	const struct ur_record *record = ur_session_answered(s, pdu, v);
	int error;

	victim->command = 0;
	if (!record)
		return UR_PEER_BROKEN;
	error = compare_packets(s, record, iso, v);
	if (error)
		return error;
	*settled = release(s, index_of(s, pdu->seqnum));
	if (settled->command == UR_CMD_UNLINK &&
	    settled->victim != UR_SESSION_NONE)
		*victim = release(s, settled->victim);
	return 0;
}
