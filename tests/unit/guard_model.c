// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guard beside a plain reference (guard_reference.h), message by message:
 *
 *      draw a message ---> reference: which reasons? ---+
 *            |                                          | the same, at each step
 *            +----> gate, in slices: passed? refused? --+
 *
 * What is drawn is mostly what a client and a device would say: enumeration, bulk,
 * interrupt and isochronous transfers, unlinks in every order; some of it is then
 * changed in one field. Whether that is legal is the reference's to say.
 *
 *     guard_model [SEQUENCES [SEED]]      sequence n of seed s is sequence 0 of s + n
 */
#include <inttypes.h>

#include "compile.h"
#include "guard_draw.h"

static struct route R;
/* By what the policy asks for; the last rule is "allow" with what it denies. */
static struct {
	int bytes;
	u8 table[UR_COMPILE_BYTES];
} policies[REF_ASKS];
static struct {
	u64 sequences, messages, passed[2], refused, issued, answered, given_back;
	u64 unanswered;		/* when severed, or at the end */
	u64 stalled;		/* answered by the guard, not in `issued` */
	u64 reasons[UR_REASONS];
	u64 kinds[REF_UNLINKED + 1][2];	/* passed, refused */
	u64 isochronous[2];		/* passed, by enum ur_travel */
	u64 changes[5];			/* forbidden: bits of enum ur_policy_change */
} count;

/* What is said to the guard by others than this model's two ends. */
#define NOT_DRAWN                                                            \
	(BIT(UR_REASON_NONE) | BIT(UR_REASON_BUFFER) | BIT(UR_REASON_ORDER) | \
	 BIT(UR_REASON_KNOWN_DEVICE) | BIT(UR_REASON_POLICY_DEVICE) |        \
	 BIT(UR_REASON_POLICY_CHANGE) | BIT(UR_REASON_HELD) |                \
	 BIT(UR_REASON_SHARE) | BIT(UR_REASON_SERVICE))
/* Enough for every reason to be drawn; the seed is fixed, so it stays so. */
#define ENOUGH 100000u

/* ---- as bytes ------------------------------------------------------------------ */

static void patch(u32 at, u32 value)
{
	u32 bytes = M.bytes;

	M.bytes = at;
	put32(&M, value);
	M.bytes = bytes;
}

/* Data behind the header: of a request OUT, of an answer as it was asked. */
static u32 data_bytes(const struct ref_say *s)
{
	const struct ref_request *asked = ref_find(&ref, s->seqnum);

	if (s->length > ROUTE_TRANSFER)
		return 0;
	if (s->kind == REF_SUBMIT)
		return s->direction == 0 ? s->length : 0;
	return s->kind == REF_RET && asked && asked->direction == 1 ? s->length : 0;
}

static void encode(const struct ref_say *s)
{
	u32 i, bytes = data_bytes(s);

	if (s->kind == REF_SUBMIT)
		put_flagged(&M, s->flags, s->seqnum, s->direction, s->ep, s->length,
			   s->packets, s->setup);
	else if (s->kind == REF_UNLINK)
		put_unlink(&M, s->seqnum, s->victim);
	else if (s->kind == REF_RET)
		put_ret(&M, s->seqnum, s->status, s->length, s->packets,
			s->errors);
	else
		put_unlinked(&M, s->seqnum, s->status);
	if (s->kind <= REF_UNLINK)
		patch(8, s->devid);
	if (s->is_other_command)
		patch(0, s->command);
	for (i = 0; i < bytes; i++)
		put8(&M, i < sizeof(s->data) ? s->data[i] : 0);
	for (i = 0; i < s->said_packets; i++) {
		put32(&M, s->packet[i].offset);
		put32(&M, s->packet[i].length);
		put32(&M, s->packet[i].actual);
		put32(&M, s->packet[i].status);
	}
}

/* ---- the comparison ------------------------------------------------------------ */

static bool is_wrong(const struct ref_say *s, const char *what, u64 got, u64 want)
{
	printf("# %s: got %" PRIu64 ", want %" PRIu64 "\n", what, got, want);
	printf("#   kind %u seqnum %u dir %u ep %u length %u packets %u status %u "
	       "setup %02x %02x %02x%02x %02x%02x %02x%02x\n",
	       s->kind, s->seqnum, s->direction, s->ep, s->length, s->packets,
	       s->status, s->setup[0], s->setup[1], s->setup[3], s->setup[2],
	       s->setup[5], s->setup[4], s->setup[7], s->setup[6]);
	printf("#   guard: %s, %s: %u beside %u\n",
	       ur_reason_name(R.guard.verdict.reason),
	       R.guard.verdict.why.field ? R.guard.verdict.why.field : "-",
	       R.guard.verdict.why.got, R.guard.verdict.why.want);
	return false;
}

static bool check_refused(const struct ref_say *s, u64 why)
{
	enum ur_reason reason = R.guard.verdict.reason;

	if (R.passed_bytes > 0)
		return is_wrong(s, "bytes of a refused message", R.passed_bytes, 0);
	if ((why & BIT(reason)) == 0)
		return is_wrong(s, "reason, as a bit", BIT(reason), why);
	count.refused++;
	count.kinds[s->kind][1]++;
	count.reasons[reason]++;
	return true;
}

static bool check_passed(const struct ref_say *s, enum ur_travel travel)
{
	if (R.passed_bytes != M.bytes || memcmp(R.passed, M.at, M.bytes) != 0)
		return is_wrong(s, "bytes passed", R.passed_bytes, M.bytes);
	if (s->kind >= REF_RET)
		last_settled = s->seqnum;
	ref_pass(&ref, s);
	count.passed[travel]++;
	count.kinds[s->kind][0]++;
	count.isochronous[travel] += s->said_packets > 0;
	if (R.guard.session.outstanding != ref.requests)
		return is_wrong(s, "requests under way",
				R.guard.session.outstanding, ref.requests);
	return ref.ended_twice == 0 ||
	       is_wrong(s, "requests that ended twice", ref.ended_twice, 0);
}

/* Forbidden by policy: nothing passes, and the client gets a stall. */
static bool check_stalled(const struct ref_say *s, u32 before)
{
	u8 want[48] = { 0, 0, 0, 3, (u8)(s->seqnum >> 24), (u8)(s->seqnum >> 16),
			(u8)(s->seqnum >> 8), (u8)s->seqnum, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xe0 };
	u32 i;

	count.stalled++;
	for (i = 0; i < 5; i++)
		count.changes[i] += (ref_changes(&ref, s->setup) & 1u << i) != 0;
	if (R.guard.stalled != before + 1)
		return is_wrong(s, "stalls", R.guard.stalled, before + 1);
	if (R.passed_bytes > 0)
		return is_wrong(s, "bytes of a stalled message", R.passed_bytes, 0);
	return memcmp(R.stall, want, sizeof(want)) == 0 ||
	       is_wrong(s, "a stall of that request", 0, 1);
}

/* Say it to both. False: they differ. */
static bool say(const struct ref_say *s)
{
	static const u32 slices[] = { MESSAGE_ROOM, MESSAGE_ROOM, 48, 17, 1 };
	enum ur_travel travel = s->kind <= REF_UNLINK ? UR_TO_DEVICE :
							UR_TO_CLIENT;
	u64 why = ref_judge(&ref, s);
	u32 stalled = R.guard.stalled;
	int error;

	count.messages++;
	encode(s);
	error = route_send(&R, travel, M.at, M.bytes,
			   M.bytes > 2000 ? MESSAGE_ROOM : PICK(slices));
	if ((error != 0) != (why != 0))
		return is_wrong(s, why ? "passed, reasons against it as bits" :
					 "refused, reason as a bit",
				error ? BIT(R.guard.verdict.reason) : 0, why);
	if (error)
		return check_refused(s, why);
	if (ref_is_forbidden(&ref, s))
		return check_stalled(s, stalled);
	return check_passed(s, travel);
}

static bool is_alive(void)
{
	return R.guard.state != UR_GUARD_SEVERED;
}

/* ---- a sequence ---------------------------------------------------------------- */

static bool ask(const u8 setup[8])
{
	struct ref_say s = { .kind = REF_SUBMIT, .devid = TEST_DEVID,
			     .seqnum = next_seqnum++, .direction = setup[0] >> 7,
			     .length = setup[6] };

	memcpy(s.setup, setup, 8);
	return say(&s);
}

/* The honest answer to the request that was asked last. */
static bool answer(void)
{
	const struct ref_request *asked = &ref.request[ref.requests - 1];
	struct ref_say s = { .kind = REF_RET, .seqnum = asked->seqnum };

	if (asked->packets > 0) {
		s.packets = asked->packets;
		answer_packets(&s, asked);
	} else if (ref_is_get_descriptor(asked->setup)) {
		answer_descriptor(&s, asked);
	}
	return say(&s);
}

/* As Linux reads them, or not all of them. */
static bool read_strings(void)
{
	static const u8 numbers[] = { 0, 2, 3 };
	u8 string[8] = { 0x80, 6, 0, 3, 0, 0, 255, 0 };
	bool ok = true;
	u32 i;

	for (i = 0; ok && i < sizeof(numbers) && draw(16); i++) {
		string[2] = numbers[i];
		string[4] = i == 0 ? 0 : 'a';
		string[6] = 255;
		ok = ask(string) && answer();
		string[6] = 2;
		if (ok && !ref_has_string(&ref, numbers[i]))
			ok = ask(string) && answer();
	}
	return ok;
}

static bool enumerate(void)
{
	u8 device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	u8 configuration[8] = { 0x80, 6, 0, 2, 0, 0, 255, 0 };
	u8 select[8] = { 0, 9, 0, 0, 0, 0, 0, 0 };
	u32 i, which = draw(ref.device->configurations);
	bool ok = ask(device) && answer();

	for (i = 0; ok && i < ref.device->configurations; i++) {
		configuration[2] = (u8)i;
		ok = ask(configuration) && answer();
	}
	select[2] = ref.device->configuration[which].value;
	ok = ok && (ref.asks == 0 || read_strings()) && ask(select);
	return ok && (!is_alive() || answer());
}

/* As many isochronous packets as the guard keeps, over and over: none gets lost. */
static bool stream_on(struct ref_say *s)
{
	draw_packets(s, REF_SAY_PACKETS);
	return say(s) && (!is_alive() || answer());
}

/* More at once than the guard keeps: descriptors, requests, or packets. */
static bool flood(void)
{
	u32 i, what = draw(4);
	bool ok = true;

	for (i = 0; ok && is_alive() && i < 4 * REF_REQUESTS; i++) {
		u8 string[8] = { 0x80, 6, (u8)i, 3, 9, 4, 255, 0 };
		struct ref_say s = { .devid = TEST_DEVID };

		if (what == 0) {
			ok = ask(string);
			ok = ok && is_alive() && answer();
			continue;
		}
		s.seqnum = next_seqnum++;
		if (!draw_data(&s))
			continue;
		if (what == 1 && s.said_packets > 0)
			draw_packets(&s, REF_SAY_PACKETS);
		ok = what == 2 && s.said_packets > 0 ? stream_on(&s) : say(&s);
	}
	return ok;
}

/* An alternate setting with isochronous endpoints, if the device has one. */
static bool select_iso(void)
{
	const struct ref_configuration *c = ref_selected(&ref);
	u8 set[8] = { 1, 11, 0, 0, 0, 0, 0, 0 };
	u32 i;

	for (i = 0; c && i < c->alternates; i++) {
		const struct ref_alternate *a = &c->alternate[i];

		if (a->endpoints == 0 || a->endpoint[0].type != 1)
			continue;
		set[2] = a->number;
		set[4] = a->interface;
		return ask(set) && (!is_alive() || ref.requests == 0 || answer());
	}
	return true;
}

static bool open_with_policy(void)
{
	static const char *const rules[REF_ASKS] = {
		"", "block name \"no\"\n", "block serial \"no\"\n",
		"block name \"no\"\nblock serial \"no\"\n",
	};
	struct ur_compile_error error;
	char text[64];
	u8 *table = policies[ref.asks].table;
	u32 blocks = (ref.asks & 1) + ref.asks / 2;

	if (policies[ref.asks].bytes == 0) {
		snprintf(text, sizeof(text), "%sallow", rules[ref.asks]);
		policies[ref.asks].bytes = ur_compile(text, table, &error);
	}
	table[24 + 40 * blocks + 1] = (u8)ref.denied;
	return !route_open(&R, table, (size_t)policies[ref.asks].bytes, "c");
}

static bool start(void)
{
	struct test_device d = { 0 };

	ref.device = &REF_DEVICES[draw(REF_DEVICE_COUNT)];
	ref.denied = draw(4) ? 0 : draw(32);
	ref.asks = draw(3) ? 0 : draw(REF_ASKS);
	ref.is_approved = false;
	memset(ref.is_absent, 0, sizeof(ref.is_absent));
	ref.configuration = ref.first_configuration = 0;
	ref.requests = ref.pins = ref.issued = ref.ended_twice = 0;
	memset(ref.alternate, 0, sizeof(ref.alternate));
	next_seqnum = draw(4) ? draw(1000) : 0u - draw(50);
	last_settled = next_seqnum - 1;
	d.vendor = ref.device->vendor;
	d.product = ref.device->product;
	put_import(&M, "1-1");
	if (!open_with_policy() || route_passes(&R, UR_TO_DEVICE))
		return false;
	put_imported(&M, &d, "1-1");
	M.at[M.bytes - 2] = ref.device->configurations;
	return !route_passes(&R, UR_TO_CLIENT) &&
	       (draw(10) == 0 || (enumerate() && (draw(2) || select_iso())));
}

/* After a refusal: what would have been right passes no more, of either side. */
static bool is_dead(void)
{
	u64 before = R.passed_in_all;
	struct ref_say s = draw_request();

	encode(&s);
	(void)route_send(&R, UR_TO_DEVICE, M.at, M.bytes, MESSAGE_ROOM);
	s = draw_answer();
	encode(&s);
	(void)route_send(&R, UR_TO_CLIENT, M.at, M.bytes, MESSAGE_ROOM);
	return R.passed_in_all == before ||
	       is_wrong(&s, "bytes after a refusal", R.passed_in_all - before, 0);
}

/* Every request of the sequence ended once, or is known to be under way. */
static bool settle_books(void)
{
	struct ref_say none = { 0 };
	u32 i, open = 0;

	for (i = 0; i < ref.issued; i++) {
		count.answered += ref.end[i] == REF_ANSWERED;
		count.given_back += ref.end[i] == REF_GIVEN_BACK;
		open += ref.end[i] == REF_OPEN;
	}
	count.issued += ref.issued;
	count.unanswered += open;
	return open == ref.requests ||
	       is_wrong(&none, "requests without an end", open, ref.requests);
}

static bool play(u32 seed)
{
	u32 steps, wild;
	bool ok;

	random_state = seed * 2654435761u | 1;
	(void)draw(2);
	ok = start();
	steps = 4 + draw(60);
	wild = 4u << draw(8);	/* one in so many is changed */
	if (ok && is_alive() && draw(500) == 0)
		ok = flood();
	while (ok && is_alive() && steps-- > 0) {
		struct ref_say s = ref.requests > draw(6) ? draw_answer() :
							    draw_request();

		if (draw(wild) == 0)
			change(&s);
		ok = say(&s);
	}
	if (ok && !is_alive())
		ok = is_dead();
	count.sequences++;
	return ok && settle_books();
}

static void report(u32 seed, bool ok)
{
	u32 i, kinds = 0;

	for (i = 1; i < UR_REASONS; i++)
		kinds += count.reasons[i] > 0;
	printf("# %" PRIu64 " sequences, %" PRIu64 " messages: %" PRIu64
	       " requests and %" PRIu64 " answers passed, %" PRIu64
	       " refused for %u reasons, %" PRIu64 " stalled\n", count.sequences,
	       count.messages, count.passed[0], count.passed[1], count.refused,
	       kinds, count.stalled);
	printf("# ledger: %" PRIu64 " requests = %" PRIu64 " answered + %" PRIu64
	       " given back by an unlink + %" PRIu64 " without an answer\n",
	       count.issued, count.answered, count.given_back, count.unanswered);
	for (i = 1; i < UR_REASONS; i++)
		if (count.reasons[i] > 0)
			printf("#   %" PRIu64 " %s\n", count.reasons[i],
			       ur_reason_name((enum ur_reason)i));
	if (!ok)
		printf("# sequence %u; again alone: 1 %u\n", seed, seed);
	printf("%sok 1 - the guard and its reference agree\n", ok ? "" : "not ");
}

/* A model that says less than it could compares less: 0 of something is a failure. */
static bool is_drawn(const char *what, const char *name, u64 times)
{
	if (times == 0)
		printf("# %s %s: drawn 0 times, want 1 at least\n", what, name);
	return times > 0;
}

static bool is_everything_drawn(void)
{
	static const char *const kinds[] = {
		[REF_SUBMIT] = "CMD_SUBMIT", [REF_UNLINK] = "CMD_UNLINK",
		[REF_RET] = "RET_SUBMIT", [REF_UNLINKED] = "RET_UNLINK",
	};
	static const char *const changes[] = { "set-configuration", "set-interface",
					       "feature", "dfu", "vendor" };
	bool ok = true;
	u32 i;

	for (i = REF_SUBMIT; i <= REF_UNLINKED; i++) {
		ok &= is_drawn("passed", kinds[i], count.kinds[i][0]);
		ok &= is_drawn("refused", kinds[i], count.kinds[i][1]);
	}
	for (i = 0; i < UR_REASONS; i++)
		ok &= (NOT_DRAWN & BIT(i)) != 0 ||
		      is_drawn("refused for", ur_reason_name((enum ur_reason)i),
			       count.reasons[i]);
	for (i = 0; i < 5; i++)
		ok &= is_drawn("stalled", changes[i], count.changes[i]);
	ok &= is_drawn("passed", "isochronous request",
		       count.isochronous[UR_TO_DEVICE]);
	ok &= is_drawn("passed", "isochronous answer",
		       count.isochronous[UR_TO_CLIENT]);
	ok &= is_drawn("ended by", "an answer", count.answered);
	ok &= is_drawn("ended by", "an unlink", count.given_back);
	return ok & is_drawn("ended by", "nothing", count.unanswered);
}

/* Whether it is, where there were enough sequences to say. */
static bool report_drawn(void)
{
	bool ok = count.sequences < ENOUGH || is_everything_drawn();

	printf("%sok 2 - every kind of message, reason and change was drawn",
	       ok ? "" : "not ");
	if (count.sequences < ENOUGH)
		printf(" # SKIP %" PRIu64 " sequences, want %u", count.sequences,
		       ENOUGH);
	printf("\n");
	return ok;
}

int main(int argc, char **argv)
{
	u32 sequences = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : 100000;
	u32 seed = argc > 2 ? (u32)strtoul(argv[2], NULL, 0) : 1;
	bool ok = true;
	u32 i;

	printf("1..2\n");
	for (i = 0; ok && i < sequences; i++)
		ok = play(seed + i);
	ok = ok && count.issued == count.answered + count.given_back +
					   count.unanswered;
	report(seed + i - 1, ok);
	return !(ok & report_drawn());
}
