// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Rules and values are read from the table each time: it was checked at loading,
 * and there is no second representation that could differ from it.
 */
#include "policy.h"

enum { RULE_ATTRIBUTES_AT = 4, RULE_CLIENT_AT = 34, ATTRIBUTE_BYTES = 6 };

enum matching { NO, MAYBE, YES };

struct attribute {
	u8 operator;
	u16 first;
	u16 count;
};

struct rule {
	u8 target;
	u8 denied;
	u16 line;
	struct attribute attribute[UR_POLICY_ATTRIBUTES];
	u16 client_at;
	u16 client_bytes;
};

static struct rule rule_of(const struct ur_policy *p, u32 index, u32 *zeros)
{
	struct ur_reader r;
	struct rule rule;
	u32 i;

	ur_reader_init(&r, p->table + UR_POLICY_HEADER_BYTES +
			       index * UR_POLICY_RULE_BYTES,
		       UR_POLICY_RULE_BYTES);
	rule.target = ur_reader_u8(&r);
	rule.denied = ur_reader_u8(&r);
	rule.line = ur_reader_u16(&r);
	*zeros = 0;
	for (i = 0; i < UR_POLICY_ATTRIBUTES; i++) {
		rule.attribute[i].operator = ur_reader_u8(&r);
		*zeros |= ur_reader_u8(&r);
		rule.attribute[i].first = ur_reader_u16(&r);
		rule.attribute[i].count = ur_reader_u16(&r);
	}
	rule.client_at = ur_reader_u16(&r);
	rule.client_bytes = ur_reader_u16(&r);
	*zeros |= ur_reader_u16(&r);
	return rule;
}

static struct ur_reader value_of(const struct ur_policy *p, u32 index)
{
	struct ur_reader r;

	ur_reader_init(&r, p->table + UR_POLICY_HEADER_BYTES +
			       p->rules * UR_POLICY_RULE_BYTES +
			       index * UR_POLICY_VALUE_BYTES,
		       UR_POLICY_VALUE_BYTES);
	return r;
}

/* ---- loading -------------------------------------------------------------- */

static int bad(struct ur_refusal *why, const char *field, const char *rule,
	       u32 got, u32 want)
{
	return ur_refuse(why, UR_BUG_INVALID, field, rule, got, want);
}

static int check_span(const struct ur_policy *p, u32 at, u32 bytes,
		      struct ur_refusal *why)
{
	if (at > p->text_bytes || bytes > p->text_bytes - at)
		return bad(why, "policy text", "at most", at + bytes,
			   p->text_bytes);
	return 0;
}

static int check_value(const struct ur_policy *p, u32 index, u32 attribute,
		       struct ur_refusal *why)
{
	struct ur_reader r = value_of(p, index);
	u32 a = ur_reader_u16(&r);
	u32 b = ur_reader_u16(&r);
	u32 rest = ur_reader_u32(&r);

	if (attribute == UR_POLICY_ID) {
		u32 mask = rest >> 24;

		if (mask > 3 || (rest & 0xffffff) != 0 ||
		    ((mask & 1) == 0 && a != 0) || ((mask & 2) == 0 && b != 0))
			return bad(why, "policy id", "masked, not", rest, 0);
		return 0;
	}
	if (rest != 0)
		return bad(why, "policy value", "exactly", rest, 0);
	if (attribute != UR_POLICY_INTERFACE)
		return check_span(p, a, b, why);
	if ((b & 0xff) > 7)
		return bad(why, "policy mask", "at most", b & 0xff, 7);
	return 0;
}

static int check_attribute(const struct ur_policy *p, u32 which,
			   const struct attribute *a, struct ur_refusal *why)
{
	int error = 0;
	u32 i;

	if (a->operator >= UR_POLICY_OPERATORS)
		return bad(why, "policy operator", "at most", a->operator,
			   UR_POLICY_OPERATORS - 1);
	if ((a->operator == UR_POLICY_ABSENT) != (a->count == 0))
		return bad(why, "policy values", "with an operator,", a->count,
			   a->operator);
	if (a->first > p->values || a->count > p->values - a->first)
		return bad(why, "policy value", "at most",
			   (u32)a->first + a->count, p->values);
	for (i = 0; i < a->count && !error; i++)
		error = check_value(p, a->first + i, which, why);
	return error;
}

static int check_rule(const struct ur_policy *p, u32 index,
		      struct ur_refusal *why)
{
	u32 zeros, i;
	struct rule rule = rule_of(p, index, &zeros);
	int error = 0;

	if (rule.target < UR_POLICY_ALLOW || rule.target > UR_POLICY_REJECT)
		return bad(why, "policy target", "1 to", rule.target,
			   UR_POLICY_REJECT);
	if (rule.denied > UR_CHANGES_ALL)
		return bad(why, "policy changes", "at most", rule.denied,
			   UR_CHANGES_ALL);
	if (zeros != 0)
		return bad(why, "policy padding", "exactly", zeros, 0);
	for (i = 0; i < UR_POLICY_ATTRIBUTES && !error; i++)
		error = check_attribute(p, i, &rule.attribute[i], why);
	return error ? error :
		       check_span(p, rule.client_at, rule.client_bytes, why);
}

static int check_text(const struct ur_policy *p, struct ur_refusal *why)
{
	u32 i;

	for (i = 0; i < p->text_bytes; i++) {
		u8 byte = p->table[p->text_at + i];

		if (byte < 32 || byte == 127)
			return bad(why, "policy text byte", "printable, not",
				   byte, byte);
	}
	return 0;
}

static int check_header(struct ur_policy *p, struct ur_reader *r, size_t bytes,
			struct ur_refusal *why)
{
	u32 magic = ur_reader_u32(r);
	u32 version = ur_reader_u16(r);
	u32 zeros, said;

	p->rules = ur_reader_u16(r);
	p->values = ur_reader_u16(r);
	zeros = ur_reader_u16(r);
	p->text_bytes = ur_reader_u32(r);
	said = ur_reader_u32(r);
	zeros |= ur_reader_u32(r);
	if (!ur_reader_is_ok(r))
		return bad(why, "policy bytes", "at least", (u32)bytes,
			   UR_POLICY_HEADER_BYTES);
	if (magic != UR_POLICY_MAGIC)
		return bad(why, "policy magic", "exactly", magic,
			   UR_POLICY_MAGIC);
	if (version != UR_POLICY_VERSION)
		return bad(why, "policy version", "exactly", version,
			   UR_POLICY_VERSION);
	if (zeros != 0)
		return bad(why, "policy padding", "exactly", zeros, 0);
	if (bytes != said)
		return bad(why, "policy bytes", "exactly", (u32)bytes, said);
	return 0;
}

static int check_sizes(struct ur_policy *p, size_t bytes,
		       struct ur_refusal *why)
{
	if (p->rules > UR_POLICY_RULES_MAX)
		return bad(why, "policy rules", "at most", p->rules,
			   UR_POLICY_RULES_MAX);
	if (p->values > UR_POLICY_VALUES_MAX)
		return bad(why, "policy values", "at most", p->values,
			   UR_POLICY_VALUES_MAX);
	if (p->text_bytes > UR_POLICY_TEXT_MAX)
		return bad(why, "policy text", "at most", p->text_bytes,
			   UR_POLICY_TEXT_MAX);
	p->text_at = UR_POLICY_HEADER_BYTES + p->rules * UR_POLICY_RULE_BYTES +
		     p->values * UR_POLICY_VALUE_BYTES;
	if (bytes != p->text_at + p->text_bytes)
		return bad(why, "policy bytes", "exactly", (u32)bytes,
			   p->text_at + p->text_bytes);
	return 0;
}

static u32 asks_of(const struct ur_policy *p, u32 index)
{
	u32 zeros, i, asks = 0;
	struct rule rule = rule_of(p, index, &zeros);

	for (i = 0; i < UR_POLICY_ATTRIBUTES; i++)
		if (rule.attribute[i].operator != UR_POLICY_ABSENT)
			asks |= 1u << i;
	return asks;
}

int ur_policy_load(struct ur_policy *policy, const u8 *table, size_t bytes,
		   struct ur_refusal *why)
{
	struct ur_policy p = { .table = table };
	struct ur_reader r;
	int error;
	u32 i;

	ur_reader_init(&r, table, bytes);
	error = check_header(&p, &r, bytes, why);
	if (!error)
		error = check_sizes(&p, bytes, why);
	for (i = 0; !error && i < p.rules; i++) {
		error = check_rule(&p, i, why);
		p.asks |= asks_of(&p, i);
	}
	if (!error)
		error = check_text(&p, why);
	if (!error)
		*policy = p;
	return error;
}

/* ---- matching ------------------------------------------------------------- */

static bool is_text(const struct ur_policy *p, u32 at, u32 bytes,
		    const char *text)
{
	const u8 *want = p->table + p->text_at + at;
	u32 i;

	for (i = 0; i < bytes; i++)
		if (text[i] == '\0' || (u8)text[i] != want[i])
			return false;
	return text[bytes] == '\0';
}

static bool covers_id(struct ur_reader r, const struct ur_policy_device *d)
{
	u16 vendor = ur_reader_u16(&r);
	u16 product = ur_reader_u16(&r);
	u8 mask = ur_reader_u8(&r);

	return ((mask & 1) == 0 || vendor == d->vendor) &&
	       ((mask & 2) == 0 || product == d->product);
}

static bool covers_interface(struct ur_reader r,
			     const struct ur_interface_type *have)
{
	u8 class = ur_reader_u8(&r);
	u8 subclass = ur_reader_u8(&r);
	u8 protocol = ur_reader_u8(&r);
	u8 mask = ur_reader_u8(&r);

	return ((mask & 1) == 0 || class == have->interface_class) &&
	       ((mask & 2) == 0 || subclass == have->interface_subclass) &&
	       ((mask & 4) == 0 || protocol == have->interface_protocol);
}

static const char *text_of(const struct ur_policy_device *d, u32 attribute)
{
	if (attribute == UR_POLICY_NAME)
		return d->name;
	return attribute == UR_POLICY_SERIAL ? d->serial : d->port;
}

/* Whether a value of the rule covers the device's value number `have`. */
static bool covers(const struct ur_policy *p, u32 attribute, u32 value,
		   const struct ur_policy_device *d, u32 have)
{
	struct ur_reader r = value_of(p, value);
	u32 at;

	if (attribute == UR_POLICY_ID)
		return covers_id(r, d);
	if (attribute == UR_POLICY_INTERFACE)
		return covers_interface(r, &d->interfaces[have]);
	at = ur_reader_u16(&r);
	return is_text(p, at, ur_reader_u16(&r), text_of(d, attribute));
}

/* One attribute of a rule beside one device. */
struct meeting {
	const struct ur_policy *policy;
	const struct ur_policy_device *device;
	u32 attribute;
	struct attribute rule;
	u32 have;		/* values of the device */
};

static bool rule_covers(const struct meeting *m, u32 r, u32 d)
{
	return covers(m->policy, m->attribute, m->rule.first + r, m->device, d);
}

static bool covers_one(const struct meeting *m, u32 r)
{
	u32 d;

	for (d = 0; d < m->have; d++)
		if (rule_covers(m, r, d))
			return true;
	return false;
}

static bool is_covered(const struct meeting *m, u32 d)
{
	u32 r;

	for (r = 0; r < m->rule.count; r++)
		if (rule_covers(m, r, d))
			return true;
	return false;
}

static u32 count_covering(const struct meeting *m)
{
	u32 count = 0;
	u32 r;

	for (r = 0; r < m->rule.count; r++)
		count += covers_one(m, r);
	return count;
}

static bool all_covered(const struct meeting *m)
{
	u32 d;

	for (d = 0; d < m->have; d++)
		if (!is_covered(m, d))
			return false;
	return true;
}

static bool is_ordered(const struct meeting *m)
{
	u32 i;

	for (i = 0; i < m->rule.count && i < m->have; i++)
		if (!rule_covers(m, i, i))
			return false;
	return m->rule.count == m->have;
}

static bool meets(const struct meeting *m)
{
	switch (m->rule.operator) {
	case UR_POLICY_ALL_OF:
		return count_covering(m) == m->rule.count;
	case UR_POLICY_ONE_OF:
		return count_covering(m) > 0;
	case UR_POLICY_NONE_OF:
		return count_covering(m) == 0;
	case UR_POLICY_EQUALS:
		return m->rule.count == m->have &&
		       count_covering(m) == m->rule.count && all_covered(m);
	case UR_POLICY_EQUALS_ORDERED:
		return is_ordered(m);
	case UR_POLICY_MATCH_ALL:
		return all_covered(m);
	default:
		return true;
	}
}

/* The device has these values and may have more. */
static enum matching may_meet(const struct meeting *m)
{
	switch (m->rule.operator) {
	case UR_POLICY_ALL_OF:
		return count_covering(m) == m->rule.count ? YES : MAYBE;
	case UR_POLICY_ONE_OF:
		return count_covering(m) > 0 ? YES : MAYBE;
	case UR_POLICY_NONE_OF:
		return count_covering(m) > 0 ? NO : MAYBE;
	case UR_POLICY_MATCH_ALL:
		return all_covered(m) ? MAYBE : NO;
	default:
		return m->have <= m->rule.count && all_covered(m) ? MAYBE : NO;
	}
}

static enum matching match_attribute(const struct ur_policy *p,
				     const struct ur_policy_device *d,
				     u32 attribute, const struct attribute *a)
{
	struct meeting m = { p, d, attribute, *a, 1 };

	if (a->operator == UR_POLICY_ABSENT)
		return YES;
	if (attribute == UR_POLICY_INTERFACE) {
		m.have = d->interface_count;
		if ((d->known & UR_POLICY_SOME_INTERFACES) != 0)
			return may_meet(&m);
	}
	if ((d->known & 1u << attribute) == 0)
		return MAYBE;
	return meets(&m) ? YES : NO;
}

static enum matching match(const struct ur_policy *p, const struct rule *rule,
			   const struct ur_policy_device *d)
{
	enum matching result = YES;
	u32 i;

	if (rule->client_bytes > 0 &&
	    !is_text(p, rule->client_at, rule->client_bytes, d->client))
		return NO;
	for (i = 0; i < UR_POLICY_ATTRIBUTES && result != NO; i++) {
		enum matching one = match_attribute(p, d, i,
						    &rule->attribute[i]);

		if (one < result)
			result = one;
	}
	return result;
}

struct ur_policy_decision
ur_policy_decide(const struct ur_policy *policy,
		 const struct ur_policy_device *device)
{
	struct ur_policy_decision decision = { UR_POLICY_BLOCK,
					       UR_POLICY_NO_RULE, 0,
					       UR_CHANGES_ALL };
	u32 i, zeros;

	for (i = 0; i < policy->rules; i++) {
		struct rule rule = rule_of(policy, i, &zeros);
		enum matching m = match(policy, &rule, device);

		if (m == NO || (m == MAYBE && rule.target != UR_POLICY_ALLOW))
			continue;
		decision.target = (enum ur_policy_target)rule.target;
		decision.rule = i;
		decision.line = rule.line;
		decision.denied_changes = rule.denied;
		break;
	}
	return decision;
}
