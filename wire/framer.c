// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 *                        48 bytes, checked            owner
 *            +--> ENDED ------------------> HEADED ---------> ADMITTED --+
 *            |      |         HEADER          |     admit()    |  ^  |   |
 *            |      |                         |                |  +--+   |
 *            |      +---- bad -----> BROKEN <-+------ bad -----+ PAYLOAD |
 *            |                                                    ISO    |
 *            +-------------------- nothing left: END --------------------+
 *
 * A header and a descriptor are assembled in `piece` and looked at when whole;
 * data is only counted.
 */
#include "framer.h"

int ur_framer_init(struct ur_framer *f, enum ur_travel travel,
		   const struct ur_limits *limits)
{
	if (!ur_limits_is_valid(limits))
		return UR_BUG_INVALID;
	ur_zero(f, sizeof(*f));
	f->travel = travel;
	f->limits = *limits;
	f->state = UR_FRAMER_ENDED;
	return 0;
}

static int break_stream(struct ur_framer *f, int error)
{
	f->state = UR_FRAMER_BROKEN;
	f->error = error;
	return error;
}

static u32 at_most(size_t count, u32 limit)
{
	return count < limit ? (u32)count : limit;
}

/* Fill `piece` towards `want` bytes; whether it is whole. */
static bool assemble(struct ur_framer *f, u32 want, const u8 *bytes,
		     size_t count, size_t *taken)
{
	u32 part = at_most(count, want - f->piece_bytes);

	if (part > 0)
		ur_copy(f->piece + f->piece_bytes, bytes, part);
	f->piece_bytes += part;
	*taken = part;
	return f->piece_bytes == want;
}

static int take_header(struct ur_framer *f, const u8 *bytes, size_t count,
		       size_t *taken)
{
	struct ur_reader r;
	int error;

	if (!assemble(f, UR_PDU_HEADER_BYTES, bytes, count, taken))
		return UR_FRAME_MORE;
	f->piece_bytes = 0;
	ur_reader_init(&r, f->piece, UR_PDU_HEADER_BYTES);
	error = ur_pdu_read(&r, f->travel, &f->limits, &f->pdu, &f->why);
	if (error)
		return break_stream(f, error);
	f->state = UR_FRAMER_HEADED;
	return UR_FRAME_HEADER;
}

static int take_payload(struct ur_framer *f, size_t count, size_t *taken)
{
	u32 part = at_most(count, f->payload_left);

	f->payload_left -= part;
	*taken = part;
	return part > 0 ? UR_FRAME_PAYLOAD : UR_FRAME_MORE;
}

static int check_sum(struct ur_framer *f)
{
	u32 want = ur_pdu_iso_actual(&f->pdu);

	if (f->actual_left == 0)
		return 0;
	return ur_refuse_other(&f->why, "sum of iso actual_length",
			       want - f->actual_left, want);
}

static int take_iso(struct ur_framer *f, const u8 *bytes, size_t count,
		    size_t *taken)
{
	struct ur_reader r;
	int error;

	if (!assemble(f, UR_ISO_BYTES, bytes, count, taken))
		return UR_FRAME_MORE;
	f->piece_bytes = 0;
	ur_reader_init(&r, f->piece, UR_ISO_BYTES);
	error = ur_iso_read(&r, &f->iso, &f->why);
	if (!error)
		error = ur_iso_check(&f->iso, &f->request, &f->actual_left,
				     &f->why);
	f->iso_left--;
	if (!error && f->iso_left == 0)
		error = check_sum(f);
	return error ? break_stream(f, error) : UR_FRAME_ISO;
}

static int take_rest(struct ur_framer *f, const u8 *bytes, size_t count,
		     size_t *taken)
{
	if (f->payload_left > 0)
		return take_payload(f, count, taken);
	if (f->iso_left > 0)
		return take_iso(f, bytes, count, taken);
	f->state = UR_FRAMER_ENDED;
	return UR_FRAME_END;
}

int ur_framer_take(struct ur_framer *f, const u8 *bytes, size_t count,
		   size_t *taken)
{
	int event = UR_BUG_STATE;

	*taken = 0;
	switch (f->state) {
	case UR_FRAMER_ENDED:
		event = take_header(f, bytes, count, taken);
		break;
	case UR_FRAMER_HEADED:
		break;
	case UR_FRAMER_ADMITTED:
		event = take_rest(f, bytes, count, taken);
		break;
	case UR_FRAMER_BROKEN:
		event = f->error;
		break;
	}
	if (event < 0)
		*taken = 0;
	return event;
}

int ur_framer_admit(struct ur_framer *f, const struct ur_request *request)
{
	int error;

	if (f->state != UR_FRAMER_HEADED)
		return UR_BUG_STATE;
	error = ur_pdu_fits(&f->pdu, request, &f->why);
	if (error)
		return break_stream(f, error);
	f->request = *request;
	f->payload_left = ur_pdu_payload_bytes(&f->pdu, request);
	f->iso_left = ur_pdu_iso_packets(&f->pdu);
	f->actual_left = ur_pdu_iso_actual(&f->pdu);
	f->state = UR_FRAMER_ADMITTED;
	return 0;
}

bool ur_framer_is_between(const struct ur_framer *f)
{
	return f->state == UR_FRAMER_ENDED && f->piece_bytes == 0;
}
