/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of every request, by channel, pair of epochs and sequence. An end
 * that dies keeps no books; somebody who outlives it does. Two columns: what
 * the end that asked says, and what the end that was asked says.
 *
 *      asked       issued --> answered | failed
 *      served      taken ---> sent | unsent
 *
 * Every row ends with exactly one of each pair. Who finds the books wrong says
 * so in `wrong`; the first word stays.
 */
#ifndef UR_TEST_LEDGER_H
#define UR_TEST_LEDGER_H

#include "message.h"

#ifndef LEDGER_ROWS
#define LEDGER_ROWS 128u
#endif

struct row {
	struct key key;
	u8 issued, answered, failed;
	u8 taken, sent, unsent;
};

struct ledger {
	u32 rows;
	const char *wrong;
	struct row row[LEDGER_ROWS];
};

static inline void ledger_wrong(struct ledger *l, const char *what)
{
	if (!l->wrong)
		l->wrong = what;
}

/* From the end: what is asked about is mostly young. */
static inline struct row *ledger_find(struct ledger *l, const struct key *key)
{
	u32 i;

	for (i = l->rows; i > 0; i--)
		if (key_equals(&l->row[i - 1].key, key))
			return &l->row[i - 1];
	return NULL;
}

/* NULL: the key is there already, or no room is left. */
static inline struct row *ledger_new(struct ledger *l, const struct key *key)
{
	struct row *row = &l->row[l->rows];

	if (ledger_find(l, key)) {
		ledger_wrong(l, "the same request twice");
		return NULL;
	}
	if (l->rows == LEDGER_ROWS) {
		ledger_wrong(l, "more requests than the ledger has rows");
		return NULL;
	}
	l->rows++;
	*row = (struct row){ .key = *key };
	return row;
}

static inline void ledger_issue(struct ledger *l, const struct key *key)
{
	struct row *row = ledger_new(l, key);

	if (row)
		row->issued = 1;
}

static inline void ledger_end_asked(struct ledger *l, const struct key *key,
				    bool answered)
{
	struct row *row = ledger_find(l, key);

	if (!row || !row->issued) {
		ledger_wrong(l, "the end of a request that nobody issued");
		return;
	}
	if (row->answered + row->failed)
		ledger_wrong(l, "a request that ended twice");
	row->answered += answered;
	row->failed += !answered;
}

static inline void ledger_end_served(struct ledger *l, const struct key *key,
				     bool sent)
{
	struct row *row = ledger_find(l, key);

	if (!row || !row->taken) {
		ledger_wrong(l, "an answer to a request that nobody took");
		return;
	}
	if (row->sent + row->unsent)
		ledger_wrong(l, "a request that was served twice");
	row->sent += sent;
	row->unsent += !sent;
}

/* Whether the row is over, for an end that asked or one that was asked. */
static inline bool row_is_over(const struct row *row)
{
	return row->answered + row->failed == row->issued &&
	       row->sent + row->unsent == row->taken;
}

static inline const char *ledger_unsettled(const struct ledger *l)
{
	u32 i;

	for (i = 0; i < l->rows && !l->wrong; i++)
		if (!row_is_over(&l->row[i]))
			return "a request with neither answer nor error";
	return l->wrong;
}

#endif
