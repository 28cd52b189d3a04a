// SPDX-License-Identifier: BSD-2-Clause
/*
 * A recorded session of the stock tools as a test vector: what usbip, usbipd and
 * Linux's drivers really said over TCP.
 *
 *     pcap file --> TCP streams (capture order, real segment boundaries)
 *                     to port 3240: OP framer, then URB framer ----+ requests
 *                     from it:      OP framer, then URB framer <---+ answers
 *
 * Every byte must be consumed, every request answered once, and every message
 * written again must give the same bytes.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "framer.h"
#include "op_framer.h"

enum { PORT = 3240, FLOWS_MAX = 64, TEXT_MAX = 200 };

/* What is claimed, one TAP line each; empty text = holds so far. */
enum claim { READ, OP_WHOLE, URB_WHOLE, ANSWERED, SAME_BYTES, CLAIMS };

static const char *const claims[CLAIMS] = {
	[READ] = "the capture is whole and has an import",
	[OP_WHOLE] = "every OP message was read to its end",
	[URB_WHOLE] = "every URB message was read to its end",
	[ANSWERED] = "every request was answered once",
	[SAME_BYTES] = "every message written again has the same bytes",
};
static char refuted[CLAIMS][TEXT_MAX];

struct pending {
	u32 seqnum;
	u32 command;
	u32 unlink_seqnum;
	struct ur_request request;
};

enum phase { IN_OP, IN_URB, OVER };

/* One direction of a connection: its bytes, and how far they were parsed. */
struct half {
	bool synchronised;
	u32 first;		/* TCP sequence number of byte 0 */
	u8 *bytes;
	u8 *have;		/* 1 for each byte that was captured */
	size_t room;
	size_t end;		/* behind the last byte captured */
	size_t parsed;		/* bytes the framers have taken */
	enum phase phase;
	enum ur_travel travel;
	struct ur_op_framer op;
	struct ur_framer urb;
};

struct flow {
	u32 client;
	u16 client_port;
	struct half half[2];	/* by enum ur_travel */
	struct pending *pending;
	size_t pendings;
	size_t pending_room;
};

static struct flow flows[FLOWS_MAX];
static size_t flow_count;

static struct {
	u32 packets, imports, pieces, submits, unlinks, answers, iso;
	u32 padding;	/* interfaces whose padding byte is not zero */
	u64 payload[2];	/* bytes of data, by enum ur_travel */
} seen;

__attribute__((format(printf, 2, 3)))
static void refute(enum claim claim, const char *format, ...)
{
	va_list args;

	if (refuted[claim][0])
		return;
	va_start(args, format);
	vsnprintf(refuted[claim], TEXT_MAX, format, args);
	va_end(args);
}

static void refute_refusal(enum claim claim, const struct half *half,
			   const struct ur_refusal *why)
{
	refute(claim, "%s, byte %zu: %s: got %u, want %s %u",
	       half->travel == UR_TO_DEVICE ? "to device" : "to client",
	       half->parsed, why->field, why->got, why->rule, why->want);
}

static void *grow(void *memory, size_t bytes)
{
	void *grown = realloc(memory, bytes);

	if (!grown) {
		printf("Bail out! no memory for %zu bytes\n", bytes);
		exit(1);
	}
	return grown;
}

/* The `bytes` bytes before half->parsed against those just written. */
static void same_bytes(const struct half *half, const char *what,
		       const u8 *written, int error, size_t bytes)
{
	size_t at = half->parsed - bytes;

	if (error)
		refute(SAME_BYTES, "%s at byte %zu: cannot be written: %d",
		       what, at, error);
	else if (memcmp(half->bytes + at, written, bytes) != 0)
		refute(SAME_BYTES, "%s at byte %zu differs", what, at);
}

/* requests and answers */

static void remember(struct flow *flow, const struct ur_pdu *pdu)
{
	struct pending p = {
		pdu->seqnum,
		pdu->command,
		pdu->unlink_seqnum,
		ur_pdu_request(pdu),
	};

	if (flow->pendings == flow->pending_room) {
		flow->pending_room = flow->pending_room * 2 + 16;
		flow->pending = grow(flow->pending,
				     flow->pending_room * sizeof(p));
	}
	flow->pending[flow->pendings++] = p;
	seen.submits += pdu->command == UR_CMD_SUBMIT;
	seen.unlinks += pdu->command == UR_CMD_UNLINK;
}

static bool settle(struct flow *flow, u32 seqnum, u32 command,
		   struct pending *settled)
{
	size_t i;

	for (i = 0; i < flow->pendings; i++) {
		if (flow->pending[i].seqnum != seqnum ||
		    flow->pending[i].command != command)
			continue;
		*settled = flow->pending[i];
		flow->pending[i] = flow->pending[--flow->pendings];
		return true;
	}
	return false;
}

/* An answered unlink settles its URB too, if that was still under way. */
static struct ur_request settle_answer(struct flow *flow,
				       const struct ur_pdu *pdu)
{
	u32 command = pdu->command == UR_RET_SUBMIT ? UR_CMD_SUBMIT :
						      UR_CMD_UNLINK;
	struct pending settled = { 0 }, unlinked;

	seen.answers++;
	if (!settle(flow, pdu->seqnum, command, &settled))
		refute(ANSWERED, "an answer without a request: seqnum %u",
		       pdu->seqnum);
	else if (command == UR_CMD_UNLINK)
		(void)settle(flow, settled.unlink_seqnum, UR_CMD_SUBMIT,
			     &unlinked);
	return settled.request;
}

/* the URB phase */

static int on_header(struct flow *flow, struct half *half)
{
	struct ur_limits limits = ur_limits_default();
	const struct ur_pdu *pdu = &half->urb.pdu;
	u8 again[UR_PDU_HEADER_BYTES];
	struct ur_request request;
	struct ur_refusal why;
	struct ur_writer w;

	ur_writer_init(&w, again, sizeof(again));
	same_bytes(half, "header", again,
		   ur_pdu_write(&w, half->travel, &limits, pdu, &why),
		   sizeof(again));
	if (half->travel == UR_TO_DEVICE) {
		remember(flow, pdu);
		request = ur_pdu_request(pdu);
	} else {
		request = settle_answer(flow, pdu);
	}
	return ur_framer_admit(&half->urb, &request);
}

static void on_iso(struct half *half)
{
	u8 again[UR_ISO_BYTES];
	struct ur_refusal why;
	struct ur_writer w;

	seen.iso++;
	ur_writer_init(&w, again, sizeof(again));
	same_bytes(half, "iso packet", again,
		   ur_iso_write(&w, &half->urb.iso, &why), sizeof(again));
}

static int take_urb(struct flow *flow, struct half *half, const u8 *bytes,
		    size_t count)
{
	size_t taken;
	int event = ur_framer_take(&half->urb, bytes, count, &taken);
	int error = event;

	half->parsed += taken;
	if (event == UR_FRAME_HEADER)
		error = on_header(flow, half);
	else if (event == UR_FRAME_PAYLOAD)
		seen.payload[half->travel] += taken;
	else if (event == UR_FRAME_ISO)
		on_iso(half);
	if (error < 0) {
		refute_refusal(URB_WHOLE, half, &half->urb.why);
		half->phase = OVER;
	}
	return event;
}

/* the OP phase */

static void on_interface(struct half *half)
{
	u8 again[UR_OP_INTERFACE_BYTES];
	struct ur_refusal why;
	struct ur_writer w;
	int error;

	ur_writer_init(&w, again, sizeof(again));
	error = ur_op_interface_write(&w, &half->op.interface, &why);
	/* usbipd may send the padding byte undefined: op.h. */
	seen.padding += half->bytes[half->parsed - 1] != 0;
	again[3] = half->bytes[half->parsed - 1];
	same_bytes(half, "interface", again, error, sizeof(again));
}

static void on_piece(struct half *half, int piece)
{
	const struct ur_op_framer *f = &half->op;
	u8 again[UR_OP_DEVICE_BYTES];
	struct ur_refusal why;
	struct ur_writer w;
	int error = 0;

	seen.pieces++;
	ur_writer_init(&w, again, sizeof(again));
	if (piece == UR_OP_HEADER)
		error = ur_op_header_write(&w, half->travel, &f->header, &why);
	else if (piece == UR_OP_BUSID)
		error = ur_op_busid_write(&w, &f->busid, &why);
	else if (piece == UR_OP_COUNT)
		error = ur_op_count_write(&w, f->count, &why);
	else if (piece == UR_OP_DEVICE)
		error = ur_op_device_write(&w, &f->device, &why);
	same_bytes(half, "OP piece", again, error, ur_writer_used(&w));
}

static void on_op_end(struct half *half)
{
	struct ur_limits limits = ur_limits_default();
	u16 code = half->op.header.code;
	bool imported = half->op.header.status == UR_OP_OK &&
			(code == UR_OP_REQ_IMPORT || code == UR_OP_REP_IMPORT);

	half->phase = imported ? IN_URB : OVER;
	seen.imports += imported && half->travel == UR_TO_CLIENT;
	if (ur_framer_init(&half->urb, half->travel, &limits))
		refute(URB_WHOLE, "the default limits are refused");
}

static int take_op(struct half *half, const u8 *bytes, size_t count)
{
	size_t taken;
	int event = ur_op_framer_take(&half->op, bytes, count, &taken);

	half->parsed += taken;
	if (event == UR_OP_END)
		on_op_end(half);
	else if (event == UR_OP_INTERFACE)
		on_interface(half);
	else if (event > UR_OP_MORE)
		on_piece(half, event);
	if (event < 0) {
		refute_refusal(OP_WHOLE, half, &half->op.why);
		half->phase = OVER;
	}
	return event;
}

/* Parse on as far as bytes are there; the framers keep what is in between. */
static void feed(struct flow *flow, struct half *half, size_t end)
{
	int event = 1;

	while (event > 0 && half->phase != OVER) {
		const u8 *at = half->bytes + half->parsed;
		size_t left = end - half->parsed;

		if (half->phase == IN_OP)
			event = take_op(half, at, left);
		else
			event = take_urb(flow, half, at, left);
	}
}

/* TCP */

static void deliver(struct flow *flow, struct half *half)
{
	size_t end = half->parsed;

	while (end < half->end && half->have[end])
		end++;
	if (end > half->parsed)
		feed(flow, half, end);
}

static void segment(struct flow *flow, struct half *half, u32 sequence,
		    const u8 *data, size_t count)
{
	size_t at = sequence - half->first;

	if (count == 0 || at > UR_LIMIT_MAX)	/* before byte 0: keep-alive */
		return;
	if (at + count > half->room) {
		size_t room = (at + count) * 2;

		half->bytes = grow(half->bytes, room);
		half->have = grow(half->have, room);
		memset(half->have + half->room, 0, room - half->room);
		half->room = room;
	}
	memcpy(half->bytes + at, data, count);
	memset(half->have + at, 1, count);
	if (at + count > half->end)
		half->end = at + count;
	deliver(flow, half);
}

static struct flow *flow_of(u32 client, u16 client_port)
{
	size_t i;

	for (i = flow_count; i > 0; i--)
		if (flows[i - 1].client == client &&
		    flows[i - 1].client_port == client_port)
			return &flows[i - 1];
	return NULL;
}

static struct flow *new_flow(u32 client, u16 client_port)
{
	struct flow *flow = &flows[flow_count];

	if (flow_count == FLOWS_MAX) {
		refute(READ, "more than %d connections", FLOWS_MAX);
		return NULL;
	}
	flow_count++;
	flow->client = client;
	flow->client_port = client_port;
	flow->half[UR_TO_DEVICE].travel = UR_TO_DEVICE;
	flow->half[UR_TO_CLIENT].travel = UR_TO_CLIENT;
	ur_op_framer_init(&flow->half[UR_TO_DEVICE].op, UR_TO_DEVICE);
	ur_op_framer_init(&flow->half[UR_TO_CLIENT].op, UR_TO_CLIENT);
	return flow;
}

enum { SYN = 2, ACK = 16 };

static void tcp(struct ur_reader *r, u32 source, u32 target)
{
	u16 source_port = ur_reader_u16(r);
	u16 target_port = ur_reader_u16(r);
	u32 sequence = ur_reader_u32(r);
	bool asks = target_port == PORT;
	u32 flags, header;
	struct flow *flow;
	struct half *half;

	ur_reader_skip(r, 4);
	header = ur_reader_u8(r) / 16u * 4u;
	flags = ur_reader_u8(r);
	ur_reader_skip(r, 6);
	ur_reader_skip(r, header - 20u);
	if (!ur_reader_is_ok(r) || header < 20 ||
	    (!asks && source_port != PORT))
		return;
	flow = asks ? flow_of(source, source_port) :
		      flow_of(target, target_port);
	if (asks && (flags & (SYN | ACK)) == SYN &&
	    (!flow || flow->half[0].first != sequence + 1))
		flow = new_flow(source, source_port);
	if (!flow) {
		refute(READ, "a connection began before the capture");
		return;
	}
	half = &flow->half[asks ? UR_TO_DEVICE : UR_TO_CLIENT];
	if (flags & SYN) {
		half->synchronised = true;
		half->first = sequence + 1;
	} else if (half->synchronised) {
		size_t count = ur_reader_remaining(r);

		segment(flow, half, sequence, r->base + r->at, count);
	}
}

static void packet(const struct pcap_pkthdr *info, const u8 *bytes)
{
	struct ur_reader r;
	u32 source, target, header, total;
	u8 protocol;

	seen.packets++;
	if (info->caplen != info->len)
		refute(READ, "packet %u: %u bytes of %u captured",
		       seen.packets, info->caplen, info->len);
	ur_reader_init(&r, bytes, info->caplen);
	ur_reader_skip(&r, 12);
	if (ur_reader_u16(&r) != 0x0800)
		return;
	header = ur_reader_u8(&r) % 16u * 4u;
	ur_reader_skip(&r, 1);
	total = ur_reader_u16(&r);
	ur_reader_skip(&r, 5);
	protocol = ur_reader_u8(&r);
	ur_reader_skip(&r, 2);
	source = ur_reader_u32(&r);
	target = ur_reader_u32(&r);
	ur_reader_skip(&r, header - 20u);
	if (!ur_reader_is_ok(&r) || header < 20 || protocol != 6)
		return;
	/* Less the padding of a short frame; 0 is a segment not yet cut. */
	if (total >= header && 14u + total <= info->caplen)
		r.size = 14u + total;
	tcp(&r, source, target);
}

/* the verdict */

static void judge_half(const struct flow *flow, const struct half *half)
{
	if (half->parsed != half->end)
		refute(READ, "port %u: %zu of %zu bytes used",
		       flow->client_port, half->parsed, half->end);
	if (half->phase == IN_OP)
		refute(OP_WHOLE, "port %u ends inside an OP message",
		       flow->client_port);
	if (half->phase == IN_URB && !ur_framer_is_between(&half->urb))
		refute(URB_WHOLE, "port %u ends inside an URB message",
		       flow->client_port);
}

static void judge(void)
{
	size_t i;

	for (i = 0; i < flow_count; i++) {
		judge_half(&flows[i], &flows[i].half[UR_TO_DEVICE]);
		judge_half(&flows[i], &flows[i].half[UR_TO_CLIENT]);
		if (flows[i].pendings > 0)
			refute(ANSWERED, "port %u: %zu requests are not "
			       "answered, the first has seqnum %u",
			       flows[i].client_port, flows[i].pendings,
			       flows[i].pending[0].seqnum);
	}
	if (seen.imports == 0)
		refute(READ, "no import in %u packets", seen.packets);
	if (seen.pieces == 0)
		refute(OP_WHOLE, "there is none");
	if (seen.submits == 0 || seen.answers == 0)
		refute(URB_WHOLE, "%u requests and %u answers", seen.submits,
		       seen.answers);
}

static int report(void)
{
	int failed = 0;
	int i;

	printf("# %u packets, %zu connections, %u imports, %u OP pieces\n",
	       seen.packets, flow_count, seen.imports, seen.pieces);
	printf("# %u submits, %u unlinks, %u answers, %u iso packets\n",
	       seen.submits, seen.unlinks, seen.answers, seen.iso);
	printf("# %llu bytes out, %llu bytes in; %u undefined paddings\n",
	       (unsigned long long)seen.payload[UR_TO_DEVICE],
	       (unsigned long long)seen.payload[UR_TO_CLIENT], seen.padding);
	for (i = 0; i < CLAIMS; i++) {
		if (refuted[i][0])
			printf("# %s\n", refuted[i]);
		printf("%sok %d - capture: %s\n", refuted[i][0] ? "not " : "",
		       i + 1, claims[i]);
		failed |= refuted[i][0] != 0;
	}
	return failed;
}

static void forget(void)
{
	size_t i;

	for (i = 0; i < flow_count; i++) {
		free(flows[i].pending);
		free(flows[i].half[0].bytes);
		free(flows[i].half[0].have);
		free(flows[i].half[1].bytes);
		free(flows[i].half[1].have);
	}
}

int main(int argc, char **argv)
{
	char message[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *info;
	const u8 *bytes;
	FILE *file;
	pcap_t *pcap;
	int got;

	if (argc != 2) {
		fprintf(stderr, "usage: unit-wire-capture FILE.pcap\n");
		return 2;
	}
	file = fopen(argv[1], "rb");
	if (!file && errno == ENOENT) {
		printf("1..1\nok 1 - capture: %s # SKIP the file is absent\n",
		       argv[1]);
		return 0;
	}
	pcap = file ? pcap_fopen_offline(file, message) : NULL;
	if (!pcap || pcap_datalink(pcap) != DLT_EN10MB) {
		printf("1..1\n# %s: not a capture with link type Ethernet\n",
		       argv[1]);
		printf("not ok 1 - capture: %s can be read\n", argv[1]);
		return 1;
	}
	printf("1..%d\n", CLAIMS);
	while ((got = pcap_next_ex(pcap, &info, &bytes)) == 1)
		packet(info, bytes);
	if (got != PCAP_ERROR_BREAK)
		refute(READ, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	judge();
	got = report();
	forget();
	return got;
}
