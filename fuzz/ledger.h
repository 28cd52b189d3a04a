/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What passed a guard, judged without it: a plain ledger of the requests and answers
 * that came out, read word by word from their bytes.
 *
 * Every answer that passed has exactly one request under way, of its kind; its data
 * is as long as it says and no longer than was asked; its packets lie where the
 * request put them. Every message is as long as its header says. An import is one
 * question and one answer, before everything else.
 */
#ifndef UR_FUZZ_LEDGER_H
#define UR_FUZZ_LEDGER_H

#include "fuzz.h"
#include "travel.h"

enum { LEDGER_MAX = 520, LEDGER_PACKETS = 16 };

struct ledger_line {
	u32 command;		/* 1: a transfer, 2: an unlink */
	u32 seqnum, direction, ep, length, packets;
	bool has_victim;	/* an unlink whose victim is still under way */
	u32 victim;
	u32 packet[LEDGER_PACKETS][2];	/* offset, length */
	u8 setup[8];
};

struct ledger {
	u32 ops[2];		/* OP_* messages, by enum ur_travel */
	bool is_declined;
	u32 count;
	struct ledger_line line[LEDGER_MAX];
};

static inline u32 ledger_find(const struct ledger *l, u32 command, u32 seqnum)
{
	u32 i;

	for (i = 0; i < l->count; i++)
		if (l->line[i].command == command && l->line[i].seqnum == seqnum)
			return i;
	return LEDGER_MAX;
}

static inline void ledger_strike(struct ledger *l, u32 index)
{
	l->line[index] = l->line[--l->count];
}

static inline void ledger_op(struct ledger *l, enum ur_travel travel,
			     const u8 *at, u32 bytes)
{
	bool is_ok = bytes > 8 || fuzz_big32(at + 4) == 0;

	fuzz_holds(fuzz_big32(at) == (travel == UR_TO_DEVICE ? 0x01118003u :
							       0x01110003u),
		   "the first message is an import");
	fuzz_holds(bytes == (travel == UR_TO_DEVICE ? 40u : is_ok ? 320u : 8u),
		   "an import as long as it is");
	fuzz_holds(travel == UR_TO_DEVICE || l->ops[UR_TO_DEVICE] == 1,
		   "an import is asked for before it is answered");
	l->is_declined = travel == UR_TO_CLIENT && !is_ok;
	l->ops[travel]++;
}

static inline void ledger_request(struct ledger *l, const u8 *at, u32 bytes)
{
	struct ledger_line *new = &l->line[l->count];
	u32 packets = fuzz_big32(at + 32), i;

	*new = (struct ledger_line){
		.command = fuzz_big32(at), .seqnum = fuzz_big32(at + 4),
		.direction = fuzz_big32(at + 12), .ep = fuzz_big32(at + 16),
		.length = fuzz_big32(at + 24),
		.packets = packets == 0xffffffff ? 0 : packets,
	};
	fuzz_holds(l->ops[UR_TO_CLIENT] == 1, "requests follow an import");
	fuzz_holds(new->command == 1 || new->command == 2, "a request");
	fuzz_holds(ledger_find(l, 1, new->seqnum) == LEDGER_MAX &&
			   ledger_find(l, 2, new->seqnum) == LEDGER_MAX,
		   "a number that is not under way");
	fuzz_holds(new->packets <= LEDGER_PACKETS && l->count < LEDGER_MAX,
		   "no more than our limits");
	fuzz_holds(bytes == 48 + (new->direction == 0 ? new->length : 0) +
				    16 * new->packets,
		   "a request as long as it says");
	memcpy(new->setup, at + 40, 8);
	new->victim = fuzz_big32(at + 20);
	new->has_victim = new->command == 2 &&
			  ledger_find(l, 1, new->victim) < LEDGER_MAX;
	at += bytes - 16 * new->packets;
	for (i = 0; i < new->packets; i++, at += 16) {
		new->packet[i][0] = fuzz_big32(at);
		new->packet[i][1] = fuzz_big32(at + 4);
		fuzz_holds((u64)new->packet[i][0] + new->packet[i][1] <=
				   new->length,
			   "a packet inside the buffer");
	}
	l->count++;
}

static inline void ledger_packets(const struct ledger_line *asked, const u8 *at,
				  u32 actual)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < asked->packets; i++, at += 16) {
		fuzz_holds(fuzz_big32(at) == asked->packet[i][0] &&
				   fuzz_big32(at + 4) == asked->packet[i][1],
			   "a packet where its request put it");
		fuzz_holds(fuzz_big32(at + 8) <= asked->packet[i][1],
			   "a packet no longer than asked");
		sum += fuzz_big32(at + 8);
	}
	fuzz_holds(asked->packets == 0 || sum == actual,
		   "packets add up to the message");
}

/* An unlink, or its victim, is done: no unlink waits for that transfer now. */
static inline void ledger_forget(struct ledger *l, u32 seqnum)
{
	u32 i;

	for (i = 0; i < l->count; i++)
		if (l->line[i].has_victim && l->line[i].victim == seqnum)
			l->line[i].has_victim = false;
}

static inline void ledger_answer(struct ledger *l, const u8 *at, u32 bytes)
{
	u32 command = fuzz_big32(at), seqnum = fuzz_big32(at + 4);
	u32 status = fuzz_big32(at + 20), actual = fuzz_big32(at + 24);
	u32 packets = fuzz_big32(at + 32), index, victim;
	struct ledger_line asked;

	fuzz_holds(command == 3 || command == 4, "an answer");
	index = ledger_find(l, command - 2, seqnum);
	fuzz_holds(index < LEDGER_MAX, "an answer has a request of its kind");
	asked = l->line[index];
	fuzz_holds(actual <= asked.length, "no more than was asked");
	fuzz_holds((packets == 0xffffffff ? 0 : packets) == asked.packets,
		   "as many packets as asked");
	fuzz_holds(status == 0 || status >= 0xfffff001, "0 or an error number");
	fuzz_holds(bytes == 48 + (command == 3 && asked.direction == 1 ? actual :
									 0) +
				    16 * asked.packets,
		   "an answer as long as it says");
	ledger_packets(&asked, at + bytes - 16 * asked.packets, actual);
	ledger_strike(l, index);
	ledger_forget(l, seqnum);
	victim = asked.has_victim ? ledger_find(l, 1, asked.victim) : LEDGER_MAX;
	if (victim < LEDGER_MAX)
		ledger_strike(l, victim);
}

/* A message came out. Aborts if it must not have. */
static inline void ledger_passed(struct ledger *l, enum ur_travel travel,
				 const u8 *at, u32 bytes)
{
	fuzz_holds(!l->is_declined, "nothing after an import without a device");
	fuzz_holds(bytes >= 8, "a message has a header");
	if (l->ops[travel] == 0) {
		ledger_op(l, travel, at, bytes);
		return;
	}
	fuzz_holds(bytes >= 48, "a message has a header");
	if (travel == UR_TO_DEVICE)
		ledger_request(l, at, bytes);
	else
		ledger_answer(l, at, bytes);
}

#endif
