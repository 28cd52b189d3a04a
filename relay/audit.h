/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the router decided, as records: the owner takes them out after each turn and
 * prints them its own way.
 *
 * Promise. No record is changed once it was written. While nobody takes any out,
 *   the first UR_AUDIT_RECORDS stay and the later ones are counted as lost. A refusal
 *   is counted whether or not its record is lost, and where there is none: calls
 *   that are refused before anything was said.
 * Threads. The router's. Memory. Fixed.
 * Trust. Names and numbers of devices are claims of the device side; they were
 *   checked to be printable (op.h).
 */
#ifndef UR_AUDIT_H
#define UR_AUDIT_H

#include "guard.h"

#define UR_AUDIT_RECORDS 256u
#define UR_AUDIT_LINE_BYTES 768u	/* of one line, with its NUL */

enum ur_audit_event {
	UR_AUDIT_HIDDEN,	/* not in a client's list: policy */
	UR_AUDIT_IMPORTED,	/* the policy allows it, by what the import says */
	UR_AUDIT_DENIED,	/* no route: `status` is what the client was told */
	UR_AUDIT_APPROVED,	/* the policy allows it, by its descriptors */
	UR_AUDIT_STALLED,	/* a change was forbidden: `verdict` */
	UR_AUDIT_REFUSED,	/* severed: `verdict` */
	UR_AUDIT_ENDED,		/* a route ended in order */
	UR_AUDIT_CUT,		/* an end went away, or in the middle of a message */
	UR_AUDIT_EVENTS,
};

struct ur_audit_record {
	u64 number;		/* from 1; a gap is a loss */
	enum ur_audit_event event;
	char client[UR_GUARD_CLIENT_BYTES];
	struct ur_op_busid port;	/* "vm:1-1", or as the client asked */
	bool has_device;	/* the two below and `decision` are known */
	u16 vendor;
	u16 product;
	struct ur_policy_decision decision;
	u32 status;		/* enum ur_op_status */
	struct ur_verdict verdict;
	u64 total;		/* refusals for that reason so far, this one included */
	u64 passed[2];		/* messages, by enum ur_travel */
};

struct ur_audit {
	u64 written;		/* lost ones included */
	u64 lost;
	u64 refused[UR_REASONS];	/* since the start; a stall counts as well */
	u32 first;
	u32 count;
	struct ur_audit_record record[UR_AUDIT_RECORDS];
};

/* "imported" */
const char *ur_audit_name(enum ur_audit_event event);

/* So many refusals for that reason: before the record of the last is written. */
void ur_audit_count(struct ur_audit *audit, enum ur_reason reason, u32 times);

/* A copy of `record`, numbered, with its total. */
void ur_audit_write(struct ur_audit *audit, const struct ur_audit_record *record);

/* The oldest, which leaves. False: there is none. */
bool ur_audit_take(struct ur_audit *audit,
		   struct ur_audit_record *record) ur_must_check;

/*
 * The record as one JSON object without a newline; its bytes, without the NUL. No
 * text in it can need an escape: names are our own or a busid, the rest constants.
 */
u32 ur_audit_line(const struct ur_audit_record *record,
		  char line[UR_AUDIT_LINE_BYTES]);

#endif
