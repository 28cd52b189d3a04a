// SPDX-License-Identifier: BSD-2-Clause
/*
 * A stream through wire/framer.h or wire/op_framer.h, twice: in one piece, and cut
 * where the input says. Both must tell the same.
 *
 *     byte 0   bit 0: to the client; bit 1: an OP_* message, not URBs
 *     byte 1   number of cuts, then as many bytes: the length of each slice in turn
 *     rest     the stream
 *
 * An answer is admitted by a request made from it: nothing here knows another.
 */
#include "framer.h"
#include "fuzz.h"
#include "op_framer.h"

enum { CUTS_MAX = 16 };
static const struct ur_limits LIMITS = { 4096, 64 };

/* What a stream told: each event with what it holds, mixed into one number. */
struct story {
	u64 mixed;
	u64 taken;
	u64 payload;		/* of the message so far */
	u32 isos;
	int end;		/* 0, or the error */
	bool is_between;
};

static void tell(struct story *s, const void *what, size_t bytes)
{
	const u8 *at = what;

	while (bytes-- > 0)
		s->mixed = (s->mixed ^ *at++) * 1099511628211u;
}

static struct ur_request request_of(const struct ur_pdu *pdu)
{
	struct ur_request request = ur_pdu_request(pdu);

	if (pdu->command >= UR_RET_SUBMIT)
		request.direction = pdu->seqnum & 1 ? UR_DIR_IN : UR_DIR_OUT;
	if (pdu->seqnum & 2)
		request.length += 16;
	if ((pdu->seqnum & 0xff00) == 0xff00)
		request.length /= 2;
	return request;
}

static int admit(struct ur_framer *f, struct story *s)
{
	struct ur_request request = request_of(&f->pdu);

	tell(s, &f->pdu.seqnum, 4);
	tell(s, &f->pdu.length, 4);
	s->payload = ur_pdu_payload_bytes(&f->pdu, &request);
	s->isos = ur_pdu_iso_packets(&f->pdu);
	return ur_framer_admit(f, &request);
}

static int urb_event(struct ur_framer *f, int event, const u8 *at, size_t taken,
		     struct story *s)
{
	switch (event) {
	case UR_FRAME_HEADER:
		return admit(f, s);
	case UR_FRAME_PAYLOAD:
		fuzz_holds(taken > 0 && taken <= s->payload, "as much as said");
		s->payload -= taken;
		tell(s, at, taken);
		break;
	case UR_FRAME_ISO:
		fuzz_holds(s->payload == 0 && s->isos > 0, "as many as said");
		s->isos--;
		tell(s, &f->iso, sizeof(f->iso));
		break;
	case UR_FRAME_END:
		fuzz_holds(taken == 0 && s->payload + s->isos == 0, "all of it");
		tell(s, "END", 3);
		break;
	default:
		break;
	}
	return event < 0 ? event : 0;
}

/* One slice; 0, or the error that ended it. */
static int take_urbs(struct ur_framer *f, const u8 *at, size_t count,
		     struct story *s)
{
	size_t taken;
	int event, error;

	for (;;) {
		event = ur_framer_take(f, at, count, &taken);
		fuzz_holds(taken <= count, "no more than there is");
		fuzz_holds(event >= 0 || taken == 0, "an error takes nothing");
		error = urb_event(f, event, at, taken, s);
		if (error)
			return error;
		at += taken;
		count -= taken;
		s->taken += taken;
		if (event == UR_FRAME_MORE) {
			fuzz_holds(count == 0, "all is taken");
			return 0;
		}
	}
}

static int take_op(struct ur_op_framer *f, const u8 *at, size_t count,
		   struct story *s)
{
	size_t taken;
	int event;

	for (;;) {
		u32 wants = ur_op_framer_wants(f);

		event = ur_op_framer_take(f, at, count, &taken);
		fuzz_holds(taken <= wants && taken <= count, "no more than wanted");
		if (event <= UR_OP_MORE) {
			s->taken += taken;
			return event;
		}
		if (event == UR_OP_END) {
			fuzz_holds(wants == 0, "nothing wanted at the end");
			return 0;
		}
		tell(s, &event, sizeof(event));
		at += taken;
		count -= taken;
		s->taken += taken;
		if (event == UR_OP_DEVICE)
			tell(s, f->device.busid.text, UR_OP_BUSID_BYTES);
	}
}

struct slicer {
	u32 cuts;
	u8 length[CUTS_MAX];
};

static size_t slice_of(const struct slicer *slicer, u32 number, size_t left)
{
	size_t length;

	if (!slicer || slicer->cuts == 0)
		return left;
	length = slicer->length[number % slicer->cuts] + 1u;
	return length < left ? length : left;
}

static struct story run(enum ur_travel travel, bool is_op, const u8 *stream,
			size_t bytes, const struct slicer *slicer)
{
	struct story s = { .mixed = 14695981039346656037u };
	struct ur_op_framer op;
	struct ur_framer urb;
	u32 number = 0;
	size_t part;

	ur_op_framer_init(&op, travel);
	if (ur_framer_init(&urb, travel, &LIMITS))
		abort();
	while (bytes > 0 && s.end == 0) {
		part = slice_of(slicer, number++, bytes);
		s.end = is_op ? take_op(&op, stream, part, &s) :
				take_urbs(&urb, stream, part, &s);
		stream += part;
		bytes -= part;
	}
	if (s.end) {
		fuzz_holds((is_op ? take_op(&op, NULL, 0, &s) :
				    take_urbs(&urb, NULL, 0, &s)) == s.end,
			   "an error stays");
		fuzz_holds((is_op ? op.why.field : urb.why.field) != NULL,
			   "a refusal says why");
	}
	s.is_between = ur_framer_is_between(&urb);
	return s;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u32 mode = fuzz_u8(&in), i;
	enum ur_travel travel = mode & 1 ? UR_TO_CLIENT : UR_TO_DEVICE;
	struct slicer slicer = { .cuts = fuzz_u8(&in) % (CUTS_MAX + 1) };
	struct story whole, cut;
	size_t bytes;
	u8 *stream;

	for (i = 0; i < slicer.cuts; i++)
		slicer.length[i] = (u8)fuzz_u8(&in);
	stream = fuzz_bytes(&in, in.left, &bytes);
	whole = run(travel, mode & 2, stream, bytes, NULL);
	cut = run(travel, mode & 2, stream, bytes, &slicer);
	fuzz_holds(whole.end == cut.end, "the same end however it is cut");
	fuzz_holds(whole.mixed == cut.mixed, "the same events");
	fuzz_holds(whole.end || whole.taken == cut.taken, "the same bytes");
	fuzz_holds(whole.is_between == cut.is_between, "the same state");
	free(stream);
	return 0;
}
