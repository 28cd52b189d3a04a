/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which device may go to which client: USBGuard's rule language, compiled on the
 * host to a flat table. The first rule that matches decides; none does: block.
 *
 * Promise. ur_policy_load() accepts a table only if every offset, count and code
 *   in it is in range, so that matching cannot fail. A table is never changed.
 * Roles. cli/policy.c writes tables, the guard loads and asks. Text never comes
 *   here.
 * Threads. A loaded policy may be asked by any number of threads.
 * Memory. The table stays the caller's, private and unchanged while it is used.
 * Trust. The table is checked as hostile input: a file can be damaged. What the
 *   device says about itself is a claim, and matched as one.
 *
 *     header      0 magic "URPT"  4 version 1 (16)  6 rules (16)  8 values (16)
 *     24 bytes    10 zero (16)  12 text bytes  16 table bytes  20 zero
 *     rule        0 target (8)  1 denied changes (8)  2 line (16)
 *     40 bytes    4 five times: operator (8), zero (8), first value (16), count (16)
 *                 in the order of enum ur_policy_attribute
 *                 34 client: offset (16), bytes (16) in the text; 38 zero
 *     value       id: vendor, product (16), mask (8), zero;
 *     8 bytes     interface: class, subclass, protocol, mask (8), zero;
 *                 text: offset, bytes (16), zero (32)
 *     text        printable UTF-8, no terminators
 *
 * All integers big-endian. A mask bit says that the field counts (bit 0: the
 * first one); a field that does not count is zero.
 */
#ifndef UR_POLICY_H
#define UR_POLICY_H

#include "cursor.h"
#include "refusal.h"

#define UR_POLICY_MAGIC 0x55525054u
#define UR_POLICY_VERSION 1u
#define UR_POLICY_HEADER_BYTES 24u
#define UR_POLICY_RULE_BYTES 40u
#define UR_POLICY_VALUE_BYTES 8u
#define UR_POLICY_RULES_MAX 1024u
#define UR_POLICY_VALUES_MAX 8192u
#define UR_POLICY_TEXT_MAX 65535u

enum ur_policy_target {
	UR_POLICY_ALLOW = 1,
	UR_POLICY_BLOCK = 2,
	UR_POLICY_REJECT = 3,
};

enum ur_policy_attribute {
	UR_POLICY_ID,
	UR_POLICY_NAME,
	UR_POLICY_SERIAL,
	UR_POLICY_PORT,
	UR_POLICY_INTERFACE,
	UR_POLICY_ATTRIBUTES,
};

/*
 * How the rule's values R meet the device's values D. A value of the rule with
 * wildcards covers every value that fits it.
 */
enum ur_policy_operator {
	UR_POLICY_ABSENT = 0,	/* the rule does not ask */
	UR_POLICY_ALL_OF = 1,	/* each of R covers one of D */
	UR_POLICY_ONE_OF = 2,	/* one of R covers one of D */
	UR_POLICY_NONE_OF = 3,	/* none of R covers any of D */
	UR_POLICY_EQUALS = 4,	/* as many, each covered and covering */
	UR_POLICY_EQUALS_ORDERED = 5,	/* the same, in the same order */
	UR_POLICY_MATCH_ALL = 6,	/* each of D is covered by one of R */
	UR_POLICY_OPERATORS,
};

/* What a rule may forbid an allowed device's client. */
enum ur_policy_change {
	UR_CHANGE_CONFIGURATION = 1,
	UR_CHANGE_INTERFACE = 2,
	UR_CHANGE_FEATURE = 4,	/* CLEAR_FEATURE and SET_FEATURE */
	UR_CHANGE_DFU = 8,	/* firmware */
	UR_CHANGE_VENDOR = 16,	/* vendor requests that write */
	UR_CHANGES_ALL = 31,
};

struct ur_interface_type {
	u8 interface_class;
	u8 interface_subclass;
	u8 interface_protocol;
};

/*
 * A device as it is known so far; `known` has bit 1 << attribute for each that is.
 * UR_POLICY_SOME_INTERFACES: the interfaces are known in part (a device list has one
 * alternate setting of each). Texts end with NUL; "" is a value.
 */
#define UR_POLICY_SOME_INTERFACES (1u << UR_POLICY_ATTRIBUTES)

struct ur_policy_device {
	u32 known;
	u16 vendor;
	u16 product;
	const char *name;
	const char *serial;
	const char *port;
	const char *client;	/* who wants it */
	const struct ur_interface_type *interfaces;
	u32 interface_count;	/* alternates count one by one, as in USBGuard */
};

struct ur_policy {
	const u8 *table;
	u32 rules;
	u32 values;
	u32 text_at;
	u32 text_bytes;
	u32 asks;		/* bit 1 << attribute: some rule has it */
};

#define UR_POLICY_NO_RULE 0xffffffffu

struct ur_policy_decision {
	enum ur_policy_target target;
	u32 rule;		/* index; UR_POLICY_NO_RULE: blocked by default */
	u32 line;		/* of the text it was compiled from */
	u32 denied_changes;	/* bits of enum ur_policy_change */
};

/* UR_BUG_INVALID and `why`: it is no table. */
int ur_policy_load(struct ur_policy *policy, const u8 *table, size_t bytes,
		   struct ur_refusal *why) ur_must_check;

/*
 * Decide. While not everything is known, a rule that only might match decides
 * nothing, except that a might-be allow counts as allow: ask again when all is
 * known. Blocked then is blocked for good.
 */
struct ur_policy_decision
ur_policy_decide(const struct ur_policy *policy,
		 const struct ur_policy_device *device) ur_must_check;

#endif
