// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stock session with changes, and noise, through the guard for some seconds.
 *
 * What must hold, beside the sanitizers: what passes is what was sent, in order,
 * from its beginning; nothing passes after a refusal; and a plain ledger of the
 * messages that passed has a request for every answer and one answer a request.
 */
#include <time.h>

#include "capture.h"

enum { OPEN_MAX = 4096 };

static struct route R;
static u32 state;
static const char *wrong;

static u32 draw(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* ---- the ledger: command and seqnum under way, and each unlink's victim --- */

static struct {
	u32 command, seqnum, victim;
	bool has_victim;
} ledger[OPEN_MAX];
static u32 ledger_count;

static u32 find(u32 command, u32 seqnum)
{
	u32 i;

	for (i = 0; i < ledger_count; i++)
		if (ledger[i].command == command && ledger[i].seqnum == seqnum)
			return i;
	return OPEN_MAX;
}

static void strike(u32 index)
{
	ledger[index] = ledger[--ledger_count];
}

static u32 word(const u8 *at)
{
	return (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void enter(const u8 *at)
{
	u32 command = word(at), seqnum = word(at + 4), i, k;

	if (command <= 2) {
		if (find(1, seqnum) < OPEN_MAX || find(2, seqnum) < OPEN_MAX)
			wrong = "a number that is under way was asked again";
		ledger[ledger_count].command = command;
		ledger[ledger_count].seqnum = seqnum;
		ledger[ledger_count].victim = word(at + 20);
		ledger[ledger_count].has_victim =
			command == 2 && find(1, word(at + 20)) < OPEN_MAX;
		if (ledger_count < OPEN_MAX - 1)
			ledger_count++;
		return;
	}
	i = find(command - 2, seqnum);
	if (i == OPEN_MAX) {
		wrong = "an answer without a request passed";
		return;
	}
	if (ledger[i].has_victim) {
		u32 victim = ledger[i].victim;

		strike(i);
		k = find(1, victim);
		if (k < OPEN_MAX)
			strike(k);
		return;
	}
	strike(i);
	for (k = 0; command == 3 && k < ledger_count; k++)
		if (ledger[k].has_victim && ledger[k].victim == seqnum)
			ledger[k].has_victim = false;
}

/* Bytes given to each gate and passed by it, mixed: whole messages, so equal. */
static u64 in[2], out[2];

static u64 mix(u64 so_far, const u8 *at, u32 bytes)
{
	while (bytes-- > 0)
		so_far = (so_far ^ *at++) * 1099511628211u;
	return so_far;
}

/* ---- one run -------------------------------------------------------------- */

static void offer(enum ur_travel travel, const u8 *bytes, u32 count)
{
	struct ur_gate *gate = &R.gate[travel];
	bool was_dead = R.guard.state == UR_GUARD_SEVERED;
	u32 room, part;
	int event = 0;
	u8 *at;

	while (count > 0 && event >= 0 && !wrong) {
		bool is_urb = gate->is_urb;

		room = ur_gate_room(gate, &at);
		part = room < count ? room : count;
		if (part > 1 && draw() % 8 == 0)
			part = 1 + draw() % part;
		if (part == 0)
			return;
		if (was_dead)
			wrong = "bytes are wanted after a refusal";
		memcpy(at, bytes, part);
		in[travel] = mix(in[travel], bytes, part);
		bytes += part;
		count -= part;
		event = ur_gate_fill(gate, part);
		if (event != UR_GATE_READY)
			continue;
		if (R.guard.state == UR_GUARD_SEVERED)
			wrong = "a message passed after a refusal";
		out[travel] = mix(out[travel], gate->message, gate->bytes);
		if (out[travel] != in[travel])
			wrong = "what passed is not what was sent";
		if (is_urb)
			enter(gate->message);
		ur_gate_next(gate);
	}
}

static void check_books(void)
{
	const struct ur_session *s = &R.guard.session;
	u32 i, open = 0, packets = s->free_packets;

	for (i = 0; i < UR_SESSION_RECORDS; i++) {
		if (s->record[i].command == 0)
			continue;
		open++;
		packets += s->record[i].request.iso_packets;
	}
	/* The refused answer itself may have been settled: nothing follows it. */
	if (open != s->outstanding ||
	    (R.guard.state != UR_GUARD_SEVERED && open != ledger_count))
		wrong = "the session and the ledger count differently";
	if (packets != UR_SESSION_PACKETS)
		wrong = "packets got lost";
}

static void change(u8 *at, u32 bytes)
{
	static const u32 words[] = { 0, 1, 2, 3, 4, 5, 0xffffffff, 0x7fffffff,
				     0x80000000, 0xfffffffc, 512, 0x10000 };
	u32 times = 1 + draw() % 3, i, w;

	for (i = 0; i < times && bytes > 0; i++) {
		u32 place = draw() % bytes;

		if (draw() % 2) {
			at[place] ^= (u8)(1u << draw() % 8);
			continue;
		}
		place = draw() % (bytes < 48 ? bytes : 48) & ~3u;
		w = words[draw() % (sizeof(words) / sizeof(words[0]))];
		if (place + 4 > bytes)
			continue;
		at[place] = (u8)(w >> 24);
		at[place + 1] = (u8)(w >> 16);
		at[place + 2] = (u8)(w >> 8);
		at[place + 3] = (u8)w;
	}
}

static void play_segment(const struct segment *s, u32 rate)
{
	u8 *copy = malloc(s->bytes);
	enum ur_travel travel = s->travel;

	memcpy(copy, s->at, s->bytes);
	if (draw() % rate == 0)
		change(copy, s->bytes);
	if (draw() % (rate * 8) == 0)
		travel = !travel;
	if (draw() % (rate * 8) != 0)
		offer(travel, copy, s->bytes);
	if (draw() % (rate * 8) == 0)
		offer(travel, copy, s->bytes);
	free(copy);
}

static void run(u32 flow, u32 rate)
{
	u8 noise[256];
	u32 i;

	ledger_count = 0;
	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	if (route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "c"))
		wrong = "cannot start";
	for (i = 0; i < segment_count && !wrong; i++) {
		if (segments[i].flow != flow || segments[i].bytes > 70000)
			continue;
		play_segment(&segments[i], rate);
		if (R.guard.state == UR_GUARD_SEVERED)
			break;
	}
	check_books();
	for (i = 0; i < sizeof(noise); i++)
		noise[i] = (u8)draw();
	offer((enum ur_travel)(draw() % 2), noise, sizeof(noise));
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 3);
	u32 seen[UR_REASONS] = { 0 }, kinds = 0, i;
	u32 runs = 0;

	printf("1..1\n");
	if (argc < 2 || !capture_load(argv[1])) {
		printf("Bail out! no capture\n");
		return 1;
	}
	state = argc > 3 ? (u32)strtoul(argv[3], NULL, 0) : (u32)time(NULL) | 1;
	printf("# seed %u\n", state);
	while (time(NULL) < end && !wrong) {
		run(draw() % flow_count, 4u << draw() % 8);
		seen[R.guard.verdict.reason]++;
		runs++;
	}
	for (i = 1; i < UR_REASONS; i++)
		kinds += seen[i] > 0;
	if (wrong)
		printf("# run %u: %s\n", runs, wrong);
	printf("%sok 1 - the stock session, changed at random\n",
	       wrong ? "not " : "");
	printf("# %u runs, %u kinds of refusal\n", runs, kinds);
	for (i = 0; i < UR_REASONS; i++)
		if (seen[i])
			printf("#   %u %s\n", seen[i], ur_reason_name(i));
	return wrong != NULL;
}
