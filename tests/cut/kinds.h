/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was cut, how often, by whom and where in the ring: so that a test can
 * insist that nothing was left out.
 */
#ifndef UR_TEST_KINDS_H
#define UR_TEST_KINDS_H

#include "talker.h"

#define RING 64u

enum cut_kind {
	CUT_EPOCH, CUT_SEEN, CUT_FAULT, CUT_HEADER, CUT_CLEAN, CUT_CALL,
	CUT_OPEN, CUT_HALF, CUT_CLOSED, CUT_RESET, CUT_SERVICE, CUT_PRODUCED,
	CUT_CONSUMED, CUT_EVENT, CUT_BYTES, CUT_KINDS,
};

static const char *const KIND_NAMES[] = {
	"epoch", "seen", "fault", "header", "clean", "call", "open", "half",
	"closed", "reset", "service", "produced", "consumed", "event", "bytes",
};

_Static_assert(ROWS(KIND_NAMES) == CUT_KINDS, "a name for each");

static u64 KINDS[2][2][CUT_KINDS];	/* by victim, whether it asks, kind */
static u64 AT_INDEX[RING];		/* bytes and indices, by place in the ring */
static u64 STRADDLES;			/* with data on both sides of 2^32 */

static inline enum cut_kind kind_of_word(u32 value)
{
	static const u8 kinds[] = { CUT_CLEAN, CUT_CALL,   CUT_OPEN,
				    CUT_HALF,  CUT_CLOSED, CUT_RESET };

	return value == 0 ? CUT_CLEAN : kinds[value & 0xff];
}

static inline enum cut_kind kind_of_block(size_t at, u32 value)
{
	switch (at) {
	case offsetof(struct ur_block_shm, word):
		return kind_of_word(value);
	case offsetof(struct ur_block_shm, service):
		return value ? CUT_SERVICE : CUT_CLEAN;
	case offsetof(struct ur_block_shm, produced):
		return CUT_PRODUCED;
	case offsetof(struct ur_block_shm, consumed):
		return CUT_CONSUMED;
	default:
		return CUT_EVENT;
	}
}

static inline enum cut_kind kind_of(enum ur_end end, const ur_shm32 *word, u32 value)
{
	size_t at = (size_t)((const u8 *)word - (const u8 *)P.box[end]);

	if (at >= sizeof(struct ur_header_shm))
		return kind_of_block(at % sizeof(struct ur_block_shm), value);
	if (at == offsetof(struct ur_header_shm, epoch))
		return CUT_EPOCH;
	if (at == offsetof(struct ur_header_shm, seen))
		return CUT_SEEN;
	if (at == offsetof(struct ur_header_shm, fault))
		return CUT_FAULT;
	return CUT_HEADER;
}

static inline void forget_kinds(void)
{
	memset(KINDS, 0, sizeof(KINDS));
	memset(AT_INDEX, 0, sizeof(AT_INDEX));
	STRADDLES = 0;
}

/* `end` dies before it publishes a word or bytes of that kind. */
static inline void count_kind(enum ur_end end, enum cut_kind kind)
{
	const struct ur_channel *ch =
		&P.l[end].channels[TALKER[end].ticket.channel];
	const struct ur_producer *tx = &ch->tx;

	KINDS[end][end == ERRAND.asks][kind]++;
	if (!TALKER[end].connected)
		return;
	if (kind == CUT_PRODUCED || kind == CUT_BYTES) {
		AT_INDEX[tx->produced % RING]++;
		STRADDLES += tx->produced < tx->consumed;
	} else if (kind == CUT_CONSUMED) {
		AT_INDEX[ch->rx.consumed % RING]++;
		STRADDLES += ch->rx.produced < ch->rx.consumed;
	}
}

static inline void print_kinds(void)
{
	u32 end, asks, k;

	for (end = 0; end < 2; end++)
		for (asks = 0; asks < 2; asks++) {
			printf("# %c dies, %s:", "AB"[end],
			       asks ? "asks" : "answers");
			for (k = 0; k < CUT_KINDS; k++)
				printf(" %s %llu", KIND_NAMES[k],
				       (unsigned long long)KINDS[end][asks][k]);
			printf("\n");
		}
	printf("# %llu cuts with data across 2^32\n",
	       (unsigned long long)STRADDLES);
}

/* Only the longer talk has a call that is aborted, by who asks. */
static inline bool is_published(enum cut_kind kind, bool asks, bool longer)
{
	switch (kind) {
	case CUT_CALL:
	case CUT_SERVICE:
		return asks;
	case CUT_OPEN:
		return !asks;
	case CUT_RESET:
		return asks && longer;
	default:
		return true;
	}
}

/* Each kind that an end in that role can publish was cut. */
static inline void assert_kinds(bool longer)
{
	u32 end, asks, k;

	for (end = 0; end < 2; end++)
		for (asks = 0; asks < 2; asks++)
			for (k = 0; k < CUT_KINDS; k++)
				if ((KINDS[end][asks][k] > 0) !=
				    is_published(k, asks, longer))
					row_fails("%c %s: %llu cuts of %s",
						  "AB"[end],
						  asks ? "asks" : "answers",
						  (unsigned long long)KINDS[end][asks][k],
						  KIND_NAMES[k]);
}

#endif
