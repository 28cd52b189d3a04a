/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard decided, one JSON object a line: relay/audit.h's, and when.
 */
#ifndef UR_JOURNAL_H
#define UR_JOURNAL_H

#include "audit.h"

struct ur_journal {
	const char *path; /* "": standard output */
	int fd;		  /* -1: not open */
	u64 lost;	  /* of the audit, as it was told last */
	bool has_failed;  /* the last line could not be written */
};

/* Append to the file, which is made if there is none. 0, or -1 with a log line. */
int ur_journal_open(struct ur_journal *journal, const char *path);
void ur_journal_close(struct ur_journal *journal);

/*
 * Write all that the audit has. A line that cannot be written is lost, with a log
 * line for the first in a row: the guard's decisions stand without it.
 */
void ur_journal_drain(struct ur_journal *journal, struct ur_audit *audit);

#endif
