/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard decided, one JSON object a line: relay/audit.h's, and when.
 */
#ifndef UR_JOURNAL_H
#define UR_JOURNAL_H

#include "audit.h"
#include "ration.h"

/* A client can have a decision made as often as it asks, so lines are rationed. */
#define UR_JOURNAL_LINES_A_SECOND 100u
#define UR_JOURNAL_LINES_MOST 1000u

struct ur_journal {
	const char *path; /* "": standard output */
	int fd;		  /* -1: not open */
	u64 left_out;	  /* over the ration, or not written */
	u64 lost;	  /* those and the audit's, as it was told last */
	struct ur_ration ration;
	bool has_failed;  /* the last line could not be written */
};

/* Append to the file, which is made if there is none. 0, or -1 with a log line. */
int ur_journal_open(struct ur_journal *journal, const char *path);
void ur_journal_close(struct ur_journal *journal);

/*
 * Write all that the audit has, within the ration; how many were lost is told once
 * there is a line for it. A line that cannot be written, or that nobody takes, is
 * lost as well, with a log line for the first in a row: the guard's decisions stand
 * without it.
 */
void ur_journal_drain(struct ur_journal *journal, struct ur_audit *audit);

#endif
