// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "audit.h"

const char *ur_audit_name(enum ur_audit_event event)
{
	static const char *const names[UR_AUDIT_EVENTS] = {
		[UR_AUDIT_HIDDEN] = "hidden",
		[UR_AUDIT_IMPORTED] = "imported",
		[UR_AUDIT_DENIED] = "denied",
		[UR_AUDIT_APPROVED] = "approved",
		[UR_AUDIT_STALLED] = "stalled",
		[UR_AUDIT_REFUSED] = "refused",
		[UR_AUDIT_ENDED] = "ended",
		[UR_AUDIT_CUT] = "cut",
	};

	return (u32)event < UR_AUDIT_EVENTS ? names[event] : "unknown";
}

void ur_audit_count(struct ur_audit *audit, enum ur_reason reason, u32 times)
{
	audit->refused[reason] += times;
}

void ur_audit_write(struct ur_audit *audit, const struct ur_audit_record *record)
{
	struct ur_audit_record *to;

	audit->written++;
	if (audit->count == UR_AUDIT_RECORDS) {
		audit->lost++;
		return;
	}
	to = &audit->record[(audit->first + audit->count) % UR_AUDIT_RECORDS];
	*to = *record;
	to->number = audit->written;
	if (record->verdict.reason != UR_REASON_NONE)
		to->total = audit->refused[record->verdict.reason];
	audit->count++;
}

bool ur_audit_take(struct ur_audit *audit, struct ur_audit_record *record)
{
	if (audit->count == 0)
		return false;
	*record = audit->record[audit->first];
	audit->first = (audit->first + 1) % UR_AUDIT_RECORDS;
	audit->count--;
	return true;
}

/* ---- a line ----------------------------------------------------------------- */

/* What does not fit is left out; UR_AUDIT_LINE_BYTES is enough for every record. */
struct line {
	char *text;
	u32 bytes;
};

static void put_char(struct line *l, char c)
{
	if (l->bytes + 1 < UR_AUDIT_LINE_BYTES)
		l->text[l->bytes++] = c;
}

static void put_text(struct line *l, const char *text)
{
	u32 i;

	for (i = 0; text[i] != '\0'; i++)
		put_char(l, text[i]);
}

static void put_number(struct line *l, u64 value)
{
	char digits[20];
	u32 count = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (count > 0)
		put_char(l, digits[--count]);
}

static void put_hex4(struct line *l, u16 value)
{
	static const char digits[] = "0123456789abcdef";
	u32 shift;

	for (shift = 16; shift > 0; shift -= 4)
		put_char(l, digits[value >> (shift - 4) & 15]);
}

/* "," if it is not the first, then "key": */
static void put_key(struct line *l, const char *key)
{
	if (l->bytes > 1)
		put_char(l, ',');
	put_char(l, '"');
	put_text(l, key);
	put_text(l, "\":");
}

static void put_string(struct line *l, const char *key, const char *text)
{
	put_key(l, key);
	put_char(l, '"');
	put_text(l, text);
	put_char(l, '"');
}

static void put_value(struct line *l, const char *key, u64 value)
{
	put_key(l, key);
	put_number(l, value);
}

static void put_device(struct line *l, const struct ur_audit_record *r)
{
	static const char *const targets[] = {
		[UR_POLICY_ALLOW] = "allow",
		[UR_POLICY_BLOCK] = "block",
		[UR_POLICY_REJECT] = "reject",
	};

	put_key(l, "id");
	put_char(l, '"');
	put_hex4(l, r->vendor);
	put_char(l, ':');
	put_hex4(l, r->product);
	put_char(l, '"');
	put_string(l, "target", targets[r->decision.target]);
	if (r->decision.rule == UR_POLICY_NO_RULE)
		put_string(l, "rule", "none");
	else
		put_value(l, "line", r->decision.line);
}

static void put_verdict(struct line *l, const struct ur_audit_record *r)
{
	const struct ur_verdict *v = &r->verdict;

	put_string(l, "reason", ur_reason_name(v->reason));
	put_string(l, "field", v->why.field);
	put_value(l, "got", v->why.got);
	put_string(l, "want", v->why.rule);
	put_value(l, "limit", v->why.want);
	if (r->total > 0)
		put_value(l, "total", r->total);
}

u32 ur_audit_line(const struct ur_audit_record *r, char text[UR_AUDIT_LINE_BYTES])
{
	struct line l = { text, 0 };

	put_char(&l, '{');
	put_value(&l, "number", r->number);
	put_string(&l, "event", ur_audit_name(r->event));
	put_string(&l, "client", r->client);
	put_string(&l, "device", r->port.text);
	if (r->has_device)
		put_device(&l, r);
	if (r->event == UR_AUDIT_DENIED)
		put_string(&l, "told", ur_op_status_text(r->status));
	if (r->verdict.reason != UR_REASON_NONE)
		put_verdict(&l, r);
	if (r->event >= UR_AUDIT_REFUSED) {
		put_value(&l, "to_device", r->passed[UR_TO_DEVICE]);
		put_value(&l, "to_client", r->passed[UR_TO_CLIENT]);
	}
	put_char(&l, '}');
	l.text[l.bytes] = '\0';
	return l.bytes;
}
