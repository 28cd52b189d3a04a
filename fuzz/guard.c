// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guard between two hostile ends, who say what the input says.
 *
 *     client: requests, bytes ---> gate -+- guard -+- gate <--- device: answers, bytes
 *
 *     byte 0   bits 1..0: the device: disk, sound, or (2, 3) one that the input
 *              describes: vendor, product, length and bytes of its configuration;
 *              bits 3..2: how far they have come when they turn hostile (nothing,
 *              imported, descriptors read, configured); bits 5..4: the policy;
 *              bit 6: the client knows the device as "vm:1-1"
 *     then     operations, each a byte (enum op, CHANGE, CUT) and what it needs
 *
 * Whatever came out is judged by ledger.h, and is what went in, byte for byte, but
 * for the name in an import's answer. What policy forbids is answered here. After a
 * refusal nothing is wanted and nothing comes out, of either side.
 */
#include "compile.h"
#include "ledger.h"
#include "route.h"

enum op { RAW, SUBMIT, UNLINK, CONTROL, ANSWER, RETURN, TURN, SLICE, OPS };
enum { TO_CLIENT = 0x20, CHANGE = 0x40, CUT = 0x80 };
enum { CONFIGURATION_MAX = 511, FUZZ_TRANSFER = 2048 };
enum { FUZZ_ROOM = UR_GATE_BYTES(FUZZ_TRANSFER, LEDGER_PACKETS) };

static struct bed {
	struct ur_policy policy;
	struct ur_guard *guard;
	struct ur_gate gate[2];
	u8 *buffer[2];
	u8 given[2][FUZZ_ROOM];	/* since the last message that came out */
	u32 given_bytes[2];
	u32 slice;
	u8 asked[32];		/* the device's name, by the client */
	bool has_vm;
	struct ledger ledger;
	u8 device[18], configuration[CONFIGURATION_MAX];
	u32 configuration_bytes;
} bed;

/* ---- what the ends do, and what must hold then ------------------------------ */

static void check_refusal(void)
{
	const struct ur_verdict *v = &bed.guard->verdict;

	fuzz_holds(bed.guard->state == UR_GUARD_SEVERED, "a refusal severs");
	fuzz_holds(v->reason > UR_REASON_NONE && v->reason < UR_REASONS,
		   "a refusal has a reason");
	fuzz_holds(v->why.field && v->why.rule, "a refusal says why");
}

/* The answer to an import names the device as the client knows it. */
static void check_name(const struct ur_gate *gate)
{
	const char *asked = (const char *)bed.asked;
	const char *answered = (const char *)gate->message + 264;

	if (gate->bytes != 320 || bed.ledger.ops[UR_TO_CLIENT] > 0)
		return;
	fuzz_holds(memchr(answered, 0, 32) != NULL, "a name that ends");
	fuzz_holds(strncmp(asked, "serial:", 7) == 0 ||
			   strcmp(answered, bed.has_vm ? "vm:1-1" : asked) == 0,
		   "the name that was asked for");
	memcpy(bed.given[UR_TO_CLIENT] + 264, answered, 32);
}

static void check_passed(enum ur_travel travel)
{
	const struct ur_gate *gate = &bed.gate[travel];

	fuzz_holds(bed.guard->state != UR_GUARD_SEVERED,
		   "nothing passes after a refusal");
	fuzz_holds(gate->bytes == bed.given_bytes[travel],
		   "as many bytes pass as were given");
	if (travel == UR_TO_DEVICE && bed.ledger.ops[travel] == 0)
		memcpy(bed.asked, gate->message + 8, sizeof(bed.asked));
	if (travel == UR_TO_CLIENT)
		check_name(gate);
	fuzz_holds(memcmp(gate->message, bed.given[travel], gate->bytes) == 0,
		   "what passes is what was given");
	ledger_passed(&bed.ledger, travel, gate->message, gate->bytes);
	fuzz_holds(bed.guard->session.outstanding == bed.ledger.count,
		   "the session knows what passed");
	bed.given_bytes[travel] = 0;
}

/* A change that policy forbids: the client is told so, and nobody else. */
static void check_stalled(enum ur_travel travel)
{
	const u8 *asked = bed.given[travel];
	u8 answer[UR_PDU_HEADER_BYTES], want[UR_PDU_HEADER_BYTES] = { 0, 0, 0, 3 };

	ur_gate_stall(&bed.gate[travel], answer);
	memcpy(want + 4, asked + 4, 4);
	memcpy(want + 20, "\xff\xff\xff\xe0", 4);
	fuzz_holds(memcmp(answer, want, sizeof(want)) == 0, "a stall of that number");
	fuzz_holds(travel == UR_TO_DEVICE && fuzz_big32(asked) == 1 &&
			   fuzz_big32(asked + 16) == 0,
		   "only control requests are stalled");
	fuzz_holds(ledger_find(&bed.ledger, 1, fuzz_big32(asked + 4)) == LEDGER_MAX &&
			   bed.guard->decision.denied_changes != 0,
		   "one that is not under way, by a rule that forbids something");
	bed.given_bytes[travel] = 0;
}

/* Bytes from one end, as far as the gate wants them. */
static void offer(enum ur_travel travel, const u8 *bytes, u32 count)
{
	struct ur_gate *gate = &bed.gate[travel];
	u32 room, part;
	int event = 0;
	u8 *at;

	while (count > 0 && event >= 0) {
		room = ur_gate_room(gate, &at);
		fuzz_holds(room == 0 || bed.guard->state != UR_GUARD_SEVERED,
			   "nothing is wanted after a refusal");
		part = room < count ? room : count;
		part = part < bed.slice ? part : bed.slice;
		if (part == 0)
			return;
		memcpy(at, bytes, part);
		memcpy(bed.given[travel] + bed.given_bytes[travel], bytes, part);
		bed.given_bytes[travel] += part;
		bytes += part;
		count -= part;
		event = ur_gate_fill(gate, part);
		if (event < 0)
			check_refusal();
		if (event == UR_GATE_READY)
			check_passed(travel);
		if (event == UR_GATE_STALLED)
			check_stalled(travel);
		if (event > UR_GATE_MORE)
			ur_gate_next(gate);
	}
}

/* The session's own books beside the ledger's. */
static void check_books(void)
{
	const struct ur_session *s = &bed.guard->session;
	u32 i, open = 0, packets = s->free_packets;

	for (i = 0; i < UR_SESSION_RECORDS; i++) {
		if (s->record[i].command == 0)
			continue;
		open++;
		packets += s->record[i].request.iso_packets;
	}
	fuzz_holds(open == s->outstanding, "as many records as it counts");
	fuzz_holds(packets == UR_SESSION_PACKETS, "no packet got lost");
	/* A refused answer may have been settled first: nothing follows it. */
	fuzz_holds(bed.guard->state == UR_GUARD_SEVERED ||
			   open == bed.ledger.count,
		   "the session and the ledger count the same");
}

/* ---- messages --------------------------------------------------------------- */

static void set_word(u32 at, u32 value)
{
	u32 bytes = M.bytes;

	if (at + 4 > bytes)
		return;
	M.bytes = at;
	put32(&M, value);
	M.bytes = bytes;
}

/* Send M, changed and cut as the operation says. */
static void send(struct fuzz_input *in, u32 op, enum ur_travel travel)
{
	u32 keep;

	if (op & CHANGE) {
		u32 at = fuzz_u8(in), value = fuzz_u32(in);

		/* Words of the header first, then any byte. */
		if (at < 12)
			set_word(at * 4, value);
		else if (M.bytes > 0)
			M.at[at * 4 % M.bytes] ^= (u8)value;
	}
	if (op & CUT) {
		keep = fuzz_u16(in);
		M.bytes = keep < M.bytes ? keep : M.bytes;
	}
	offer(travel, M.at, M.bytes);
}

static void put_packets(u32 packets, u32 length, bool is_answer)
{
	u32 i, one = packets ? length / packets : 0;

	for (i = 0; i < packets; i++) {
		put32(&M, i * one);
		put32(&M, one);
		put32(&M, is_answer ? one : 0);
		put32(&M, 0);
	}
}

static void submit(struct fuzz_input *in, u32 op)
{
	u32 seqnum = fuzz_u8(in), where = fuzz_u8(in);
	u32 length = fuzz_u16(in) % (FUZZ_TRANSFER + 1), packets = fuzz_u8(in);

	packets %= LEDGER_PACKETS + 1;
	if (packets)
		length -= length % packets;
	put_submit(&M, seqnum, where >> 7, where & 15, length, packets, NULL);
	if (where >> 7 == UR_DIR_OUT)
		put_zeros(&M, length);
	put_packets(packets, length, false);
	send(in, op, UR_TO_DEVICE);
}

static void control(struct fuzz_input *in, u32 op)
{
	static const u8 known[][8] = {
		{ 0x80, 6, 0, 1, 0, 0, 18, 0 },	  { 0x80, 6, 0, 2, 0, 0, 255, 1 },
		{ 0, 9, 1, 0, 0, 0, 0, 0 },	  { 0, 9, 0, 0, 0, 0, 0, 0 },
		{ 1, 11, 1, 0, 1, 0, 0, 0 },	  { 1, 11, 0, 0, 1, 0, 0, 0 },
		{ 0x80, 6, 1, 3, 9, 4, 255, 0 },  { 0x80, 6, 0, 3, 0, 0, 255, 0 },
		{ 2, 1, 0, 0, 0x81, 0, 0, 0 },	  { 0x21, 10, 0, 0, 0, 0, 0, 0 },
		{ 0x81, 6, 0, 0x22, 0, 0, 64, 0 },{ 0x80, 0, 0, 0, 0, 0, 2, 0 },
		{ 0x80, 6, 0, 15, 0, 0, 255, 0 }, { 0x40, 1, 0, 0, 0, 0, 0, 0 },
		{ 0xa1, 1, 0, 1, 0, 2, 4, 0 },
	};
	u32 seqnum = fuzz_u8(in), which = fuzz_u8(in), i;
	u8 setup[8];

	if (which < sizeof(known) / sizeof(known[0]))
		memcpy(setup, known[which], 8);
	else
		for (i = 0; i < 8; i++)
			setup[i] = (u8)fuzz_u8(in);
	i = fuzz_little16(setup + 6) % (FUZZ_TRANSFER + 1);
	put_submit(&M, seqnum, setup[0] >> 7, 0, i, 0, setup);
	if (setup[0] >> 7 == UR_DIR_OUT)
		put_zeros(&M, i);
	send(in, op, UR_TO_DEVICE);
}

/* What the device has for a GET_DESCRIPTOR, or NULL. */
static const u8 *descriptor_of(const u8 setup[8], u32 *bytes)
{
	static const u8 language[4] = { 4, 3, 9, 4 }, text[6] = { 6, 3, 'a', 0, 'b' };
	static const u8 bos[12] = { 5, 15, 12, 0, 1, 7, 16, 2 };

	if (setup[0] != 0x80 || setup[1] != 6)
		return NULL;
	*bytes = setup[3] == 1 ? 18 : setup[3] == 2 ? bed.configuration_bytes :
		 setup[3] == 15 ? 12 : setup[2] == 0 ? 4 : 6;
	return setup[3] == 1  ? bed.device :
	       setup[3] == 2  ? bed.configuration :
	       setup[3] == 15 ? bos :
	       setup[3] != 3  ? NULL :
	       setup[2] == 0  ? language : text;
}

/* Answer line `which` of the ledger as an honest device would. */
static void answer(struct fuzz_input *in, u32 op)
{
	u32 which = fuzz_u8(in), how = fuzz_u8(in), bytes = 0, length;
	const struct ledger_line *asked;
	const u8 *said;

	if (bed.ledger.count == 0)
		return;
	asked = &bed.ledger.line[which % bed.ledger.count];
	if (asked->command == 2) {
		put_unlinked(&M, asked->seqnum, how & 1 ? (u32)-104 : 0);
		send(in, op, UR_TO_CLIENT);
		return;
	}
	said = asked->ep == 0 ? descriptor_of(asked->setup, &bytes) : NULL;
	length = said && bytes < asked->length ? bytes : asked->length;
	if (how & 2)
		length = asked->packets ? 0 : length / 2;
	put_ret(&M, asked->seqnum, how & 1 ? (u32)-32 : 0, length, asked->packets,
		0);
	for (bytes = 0; asked->direction == UR_DIR_IN && bytes < length; bytes++)
		put8(&M, said ? said[bytes] : bytes);
	for (bytes = 0; bytes < asked->packets; bytes++) {
		put32(&M, asked->packet[bytes][0]);
		put32(&M, asked->packet[bytes][1]);
		put32(&M, length ? asked->packet[bytes][1] : 0);
		put32(&M, 0);
	}
	send(in, op, UR_TO_CLIENT);
}

/* An answer of the input's own making. */
static void answer_anything(struct fuzz_input *in, u32 op)
{
	u32 seqnum = fuzz_u8(in), length = fuzz_u16(in), packets = fuzz_u8(in);

	if (packets == 255) {
		put_unlinked(&M, seqnum, length & 1 ? (u32)-104 : 0);
	} else {
		put_ret(&M, seqnum, 0, length, packets, 0);
		put_zeros(&M, length % FUZZ_TRANSFER);
		put_packets(packets % (LEDGER_PACKETS + 1), length, true);
	}
	send(in, op, UR_TO_CLIENT);
}

/* The device becomes another one: a byte of its descriptors. */
static void turn(struct fuzz_input *in)
{
	u32 at = fuzz_u8(in), value = fuzz_u8(in);

	if (at < 18)
		bed.device[at] = (u8)value;
	else
		bed.configuration[(at - 18) % bed.configuration_bytes] = (u8)value;
}

static void raw(struct fuzz_input *in, u32 op)
{
	size_t want = fuzz_u16(in), got;
	u8 *bytes = fuzz_bytes(in, want, &got);

	offer(op & TO_CLIENT ? UR_TO_CLIENT : UR_TO_DEVICE, bytes, (u32)got);
	free(bytes);
}

static void operate(struct fuzz_input *in)
{
	u32 op = fuzz_u8(in), a, b;

	switch ((enum op)(op % OPS)) {
	case RAW:
		raw(in, op);
		break;
	case SUBMIT:
		submit(in, op);
		break;
	case UNLINK:
		a = fuzz_u8(in);
		b = fuzz_u8(in);
		put_unlink(&M, a, b);
		send(in, op, UR_TO_DEVICE);
		break;
	case CONTROL:
		control(in, op);
		break;
	case ANSWER:
		answer(in, op);
		break;
	case RETURN:
		answer_anything(in, op);
		break;
	case TURN:
		turn(in);
		break;
	default:
		bed.slice = fuzz_u8(in) + 1;
		break;
	}
}

/* ---- a run ------------------------------------------------------------------ */

static const char *const RULES[] = {
	"allow",
	"allow label \"deny=set-configuration,set-interface,feature,dfu,vendor\"",
	"block with-interface one-of { 01:*:* }\nallow via-port \"1-1\"",
	"allow serial \"ab\" label \"deny=set-interface\"",
};

static void open_guard(bool has_vm)
{
	const struct ur_op_busid name = { "vm:1-1" };

	if (!bed.guard)
		bed.guard = malloc(sizeof(*bed.guard));
	if (!bed.guard || ur_guard_init(bed.guard, &bed.policy, "client1") ||
	    (has_vm && ur_guard_address(bed.guard, "vm", &name)))
		abort();
	bed.has_vm = has_vm;
}

static void open_bed(u32 rules, bool has_vm)
{
	static u8 table[4][UR_COMPILE_BYTES];
	static int bytes[4];
	struct ur_limits limits = { FUZZ_TRANSFER, LEDGER_PACKETS };
	struct ur_compile_error error;
	struct ur_refusal why;
	int i;

	if (bytes[rules] == 0)
		bytes[rules] = ur_compile(RULES[rules], table[rules], &error);
	if (bytes[rules] < 0 ||
	    ur_policy_load(&bed.policy, table[rules], (size_t)bytes[rules], &why))
		abort();
	open_guard(has_vm);
	for (i = 0; i < 2; i++) {
		if (!bed.buffer[i])
			bed.buffer[i] = malloc(FUZZ_ROOM);
		if (ur_gate_init(&bed.gate[i], (enum ur_travel)i, bed.guard,
				 &limits, bed.buffer[i], FUZZ_ROOM))
			abort();
		bed.given_bytes[i] = 0;
	}
	bed.ledger.count = bed.ledger.ops[0] = bed.ledger.ops[1] = 0;
	bed.ledger.is_declined = false;
	bed.slice = FUZZ_ROOM;
}

static void be(const struct test_device *d)
{
	memcpy(bed.device, d->device, 18);
	memcpy(bed.configuration, d->configuration, d->configuration_bytes);
	bed.configuration_bytes = d->configuration_bytes;
}

static void be_described(struct fuzz_input *in)
{
	u32 vendor = fuzz_u16(in), product = fuzz_u16(in);
	size_t want = fuzz_u16(in) % CONFIGURATION_MAX + 1, got;
	u8 *configuration = fuzz_bytes(in, want, &got);

	be(&TEST_DEVICES[0]);
	bed.device[8] = (u8)vendor;
	bed.device[9] = (u8)(vendor >> 8);
	bed.device[10] = (u8)product;
	bed.device[11] = (u8)(product >> 8);
	if (got > 0) {
		memcpy(bed.configuration, configuration, got);
		bed.configuration_bytes = (u32)got;
	}
	free(configuration);
}

/* An honest beginning: the operations above, as bytes of their own. */
static void prelude(u32 how_far)
{
	static const u8 enumerate[] = {
		CONTROL, 1, 0, ANSWER, 0, 0,	CONTROL, 2, 1, ANSWER, 0, 0,
		CONTROL, 3, 2, ANSWER, 0, 0,
	};
	struct fuzz_input in = { enumerate, how_far == 2 ? 12 : 18 };

	const struct test_device d = {
		.vendor = (u16)fuzz_little16(bed.device + 8),
		.product = (u16)fuzz_little16(bed.device + 10),
	};

	if (how_far == 0)
		return;
	put_import(&M, "1-1");
	offer(UR_TO_DEVICE, M.at, M.bytes);
	put_imported(&M, &d, "1-1");
	offer(UR_TO_CLIENT, M.at, M.bytes);
	while (how_far > 1 && in.left > 0)
		operate(&in);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u32 start = fuzz_u8(&in);

	open_bed(start >> 4 & 3, start & 0x40);
	if (start & 2)
		be_described(&in);
	else
		be(&TEST_DEVICES[start & 1]);
	prelude(start >> 2 & 3);
	while (in.left > 0)
		operate(&in);
	check_books();
	return 0;
}
