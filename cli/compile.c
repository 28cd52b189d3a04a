// SPDX-License-Identifier: BSD-2-Clause
/*
 * One rule a line. A rule is read with one character of look-ahead and no table of
 * tokens; each value is written as it is read. The three parts of the table grow
 * side by side and are put together at the end.
 */
#include "compile.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct compiler {
	const char *text;	/* rest of it */
	const char *line_start;
	u32 line;
	bool failed;
	struct ur_compile_error *error;
	struct ur_writer rules, values, strings;
	u32 rule_count, value_count;
};

struct clause {
	u8 operator;
	u16 first;
	u16 count;
};

struct parsed {
	u8 target;
	u8 denied;
	u32 line;
	struct clause clause[UR_POLICY_ATTRIBUTES];
	u16 client_at, client_bytes;
	bool has_label;
};

__attribute__((format(printf, 3, 4)))
static bool wrong_at(struct compiler *c, const char *at, const char *format, ...)
{
	va_list args;

	if (c->failed)
		return false;
	c->failed = true;
	c->error->line = c->line;
	c->error->column = (u32)(at - c->line_start) + 1;
	va_start(args, format);
	vsnprintf(c->error->text, sizeof(c->error->text), format, args);
	va_end(args);
	return false;
}

static void skip_blanks(struct compiler *c)
{
	while (*c->text == ' ' || *c->text == '\t')
		c->text++;
}

static bool is_end(const struct compiler *c)
{
	return *c->text == '\0' || *c->text == '\n' || *c->text == '#';
}

/* The word at the cursor: up to a blank, a brace, a quote or the line's end. */
static u32 take_word(struct compiler *c, char *word, u32 room)
{
	u32 length = (u32)strcspn(c->text, " \t\n{}\"#");
	u32 kept = length < room - 1 ? length : room - 1;

	memcpy(word, c->text, kept);
	word[kept] = '\0';
	c->text += length;
	return length;
}

/* ---- values --------------------------------------------------------------- */

static bool put_escape(struct compiler *c, const char *at)
{
	char digits[3] = "";
	u32 value;

	if (*c->text == '"' || *c->text == '\\') {
		ur_writer_u8(&c->strings, (u8)*c->text++);
		return true;
	}
	if (c->text[0] != 'x' || !isxdigit((u8)c->text[1]) ||
	    !isxdigit((u8)c->text[2]))
		return wrong_at(c, at, "want \\\", \\\\ or \\x and two digits");
	memcpy(digits, c->text + 1, 2);
	value = (u32)strtoul(digits, NULL, 16);
	if (value < 32 || value == 127)
		return wrong_at(c, at, "a control character: got 0x%02x", value);
	ur_writer_u8(&c->strings, (u8)value);
	c->text += 3;
	return true;
}

/* A quoted string, into the table's text. */
static bool take_string(struct compiler *c, u16 *first, u16 *bytes)
{
	const char *start = c->text;
	size_t before = ur_writer_used(&c->strings);

	if (*c->text != '"')
		return wrong_at(c, start, "want a string in quotes");
	c->text++;
	while (*c->text != '"') {
		const char *at = c->text;

		if (*at == '\0' || *at == '\n')
			return wrong_at(c, start, "a string without its end");
		c->text++;
		if (*at == '\\' && !put_escape(c, at))
			return false;
		if (*at != '\\' && ((u8)*at < 32 || *at == 127))
			return wrong_at(c, at, "a control character: got 0x%02x",
					(u8)*at);
		if (*at != '\\')
			ur_writer_u8(&c->strings, (u8)*at);
	}
	c->text++;
	*first = (u16)before;
	*bytes = (u16)(ur_writer_used(&c->strings) - before);
	if (!ur_writer_is_ok(&c->strings))
		return wrong_at(c, start, "texts of all rules: want at most %u bytes",
				UR_POLICY_TEXT_MAX);
	return true;
}

/* Exactly `digits` hexadecimal digits, or a star. */
static bool take_field(const char **at, u32 digits, u32 *value, bool *is_any)
{
	char text[5] = "";
	u32 i;

	*value = 0;
	*is_any = **at == '*';
	if (*is_any) {
		++*at;
		return true;
	}
	for (i = 0; i < digits; i++) {
		if (!isxdigit((u8)**at))
			return false;
		text[i] = *(*at)++;
	}
	*value = (u32)strtoul(text, NULL, 16);
	return true;
}

static bool put_id(struct compiler *c)
{
	const char *start = c->text, *at = start;
	bool any_vendor, any_product, ok;
	u32 vendor, product = 0;

	ok = take_field(&at, 4, &vendor, &any_vendor) && *at++ == ':' &&
	     take_field(&at, 4, &product, &any_product);
	/* A product means nothing without its vendor. */
	if (!ok || (any_vendor && !any_product) || !strchr(" \t\n}#", *at))
		return wrong_at(c, start, "want an id: 46f4:0001, 46f4:* or *:*");
	c->text = at;
	ur_writer_u16(&c->values, (u16)vendor);
	ur_writer_u16(&c->values, (u16)product);
	ur_writer_u8(&c->values, (u8)((any_vendor ? 0 : 1) + (any_product ? 0 : 2)));
	ur_writer_zeros(&c->values, 3);
	return true;
}

static bool put_interface(struct compiler *c)
{
	const char *start = c->text, *at = start;
	u32 value[3] = { 0 };
	bool any[3] = { false };
	bool ok = true;
	u32 i;

	for (i = 0; i < 3 && ok; i++)
		ok = (i == 0 || *at++ == ':') &&
		     take_field(&at, 2, &value[i], &any[i]);
	if (!ok || any[0] || (any[1] && !any[2]) || !strchr(" \t\n}#", *at))
		return wrong_at(c, start,
				"want an interface: 08:06:50, 08:06:* or 08:*:*");
	c->text = at;
	for (i = 0; i < 3; i++)
		ur_writer_u8(&c->values, (u8)value[i]);
	ur_writer_u8(&c->values, (u8)(1 + (any[1] ? 0 : 2) + (any[2] ? 0 : 4)));
	ur_writer_zeros(&c->values, 4);
	return true;
}

static bool put_string(struct compiler *c)
{
	u16 first, bytes;

	if (!take_string(c, &first, &bytes))
		return false;
	ur_writer_u16(&c->values, first);
	ur_writer_u16(&c->values, bytes);
	ur_writer_zeros(&c->values, 4);
	return true;
}

static bool put_value(struct compiler *c, u32 attribute)
{
	bool ok = attribute == UR_POLICY_ID	   ? put_id(c) :
		  attribute == UR_POLICY_INTERFACE ? put_interface(c) :
						     put_string(c);

	if (ok && !ur_writer_is_ok(&c->values))
		return wrong_at(c, c->text, "values of all rules: want at most %u",
				UR_POLICY_VALUES_MAX);
	c->value_count += ok;
	return ok;
}

/* ---- clauses -------------------------------------------------------------- */

static const char *const attributes[UR_POLICY_ATTRIBUTES] = {
	"id", "name", "serial", "via-port", "with-interface",
};

static const char *const operators[UR_POLICY_OPERATORS] = {
	"", "all-of", "one-of", "none-of", "equals", "equals-ordered",
	"match-all",
};

/* { value value ... }; at least one. */
static bool take_set(struct compiler *c, u32 attribute, struct clause *clause)
{
	const char *start = c->text;

	if (*c->text != '{')
		return wrong_at(c, start, "want { and values after an operator");
	c->text++;
	for (skip_blanks(c); *c->text != '}'; skip_blanks(c)) {
		if (is_end(c))
			return wrong_at(c, start, "a set without its }");
		if (!put_value(c, attribute))
			return false;
		clause->count++;
	}
	c->text++;
	return clause->count > 0 || wrong_at(c, start, "a set without values");
}

static bool take_operator(struct compiler *c, struct clause *clause)
{
	const char *start = c->text;
	char word[32];
	u32 i;

	clause->operator = UR_POLICY_EQUALS;
	if (!islower((u8)*start) || memchr(start, ':', strcspn(start, " \t\n{}#")))
		return true;
	take_word(c, word, sizeof(word));
	for (i = 1; i < UR_POLICY_OPERATORS; i++)
		if (strcmp(word, operators[i]) == 0) {
			clause->operator = (u8)i;
			skip_blanks(c);
			return *c->text == '{' ||
			       wrong_at(c, c->text,
					"want { and values after an operator");
		}
	return wrong_at(c, start, "no operator \"%s\"", word);
}

static bool take_clause(struct compiler *c, struct parsed *p, u32 attribute,
			const char *start)
{
	struct clause *clause = &p->clause[attribute];

	if (clause->count > 0)
		return wrong_at(c, start, "%s a second time",
				attributes[attribute]);
	clause->first = (u16)c->value_count;
	if (!take_operator(c, clause))
		return false;
	if (*c->text == '{')
		return take_set(c, attribute, clause);
	clause->count = 1;
	return put_value(c, attribute);
}

/* ---- the label ------------------------------------------------------------ */

static const struct {
	const char *name;
	u8 change;
} changes[] = {
	{ "set-configuration", UR_CHANGE_CONFIGURATION },
	{ "set-interface", UR_CHANGE_INTERFACE },
	{ "feature", UR_CHANGE_FEATURE },
	{ "dfu", UR_CHANGE_DFU },
	{ "vendor", UR_CHANGE_VENDOR },
};

static bool take_changes(struct compiler *c, struct parsed *p, const char *start,
			 char *list)
{
	char *save = NULL, *word;
	size_t i;

	for (word = strtok_r(list, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
			if (strcmp(word, changes[i].name) == 0)
				break;
		if (i == sizeof(changes) / sizeof(changes[0]))
			return wrong_at(c, start, "deny=: no change \"%.32s\"",
					word);
		p->denied |= changes[i].change;
	}
	return true;
}

static bool take_label(struct compiler *c, struct parsed *p, const char *start)
{
	char text[UR_COMPILE_TEXT_BYTES], *save = NULL, *word;
	u16 first, bytes;

	if (p->has_label)
		return wrong_at(c, start, "label a second time");
	p->has_label = true;
	if (!take_string(c, &first, &bytes))
		return false;
	if (bytes >= sizeof(text))
		return wrong_at(c, start, "label: %u bytes, want at most %zu",
				bytes, sizeof(text) - 1);
	memcpy(text, c->strings.base + first, bytes);
	text[bytes] = '\0';
	for (word = strtok_r(text, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (strncmp(word, "to=", 3) == 0 && word[3] != '\0') {
			if (p->client_bytes > 0)
				return wrong_at(c, start,
						"label: to= a second time");
			p->client_at = (u16)(first + (word + 3 - text));
			p->client_bytes = (u16)strlen(word + 3);
		} else if (strncmp(word, "deny=", 5) != 0) {
			return wrong_at(c, start, "label: no word \"%.32s\", want "
					"to=CLIENT or deny=CHANGE,...", word);
		} else if (!take_changes(c, p, start, word + 5)) {
			return false;
		}
	}
	return true;
}

/* ---- rules ---------------------------------------------------------------- */

static bool take_attribute(struct compiler *c, struct parsed *p)
{
	const char *start = c->text;
	char word[32];
	u32 i;

	/* USBGuard lets an id stand without its keyword. */
	if (isxdigit((u8)*start) && strcspn(start, ":") < strcspn(start, " \t\n{\""))
		return take_clause(c, p, UR_POLICY_ID, start);
	if (*start == '*')
		return take_clause(c, p, UR_POLICY_ID, start);
	take_word(c, word, sizeof(word));
	skip_blanks(c);
	if (strcmp(word, "label") == 0)
		return take_label(c, p, start);
	for (i = 0; i < UR_POLICY_ATTRIBUTES; i++)
		if (strcmp(word, attributes[i]) == 0)
			return take_clause(c, p, i, start);
	return wrong_at(c, start, "no attribute \"%s\"", word);
}

static bool take_attributes(struct compiler *c, struct parsed *p)
{
	const char *blank = c->text;

	for (skip_blanks(c); !is_end(c); skip_blanks(c)) {
		if (blank == c->text)
			return wrong_at(c, blank, "want a blank here");
		if (!take_attribute(c, p))
			return false;
		blank = c->text;
	}
	return *c->text == '#' || blank == c->text ||
	       wrong_at(c, blank, "blanks at the end of a line");
}

static bool take_target(struct compiler *c, struct parsed *p)
{
	static const char *const targets[] = { "allow", "block", "reject" };
	const char *start = c->text;
	char word[32];
	u32 i;

	take_word(c, word, sizeof(word));
	for (i = 0; i < 3; i++)
		if (strcmp(word, targets[i]) == 0)
			p->target = (u8)(UR_POLICY_ALLOW + i);
	return p->target != 0 ||
	       wrong_at(c, start, "no target \"%s\", want allow, block or reject",
			word);
}

static bool put_rule(struct compiler *c, const struct parsed *p)
{
	u32 i;

	ur_writer_u8(&c->rules, p->target);
	ur_writer_u8(&c->rules, p->denied);
	ur_writer_u16(&c->rules, (u16)(p->line < 0xffff ? p->line : 0xffff));
	for (i = 0; i < UR_POLICY_ATTRIBUTES; i++) {
		bool asks = p->clause[i].count > 0;

		ur_writer_u8(&c->rules, asks ? p->clause[i].operator : 0);
		ur_writer_u8(&c->rules, 0);
		ur_writer_u16(&c->rules, asks ? p->clause[i].first : 0);
		ur_writer_u16(&c->rules, p->clause[i].count);
	}
	ur_writer_u16(&c->rules, p->client_at);
	ur_writer_u16(&c->rules, p->client_bytes);
	ur_writer_u16(&c->rules, 0);
	if (!ur_writer_is_ok(&c->rules))
		return wrong_at(c, c->line_start, "rules: want at most %u",
				UR_POLICY_RULES_MAX);
	c->rule_count++;
	return true;
}

static bool take_line(struct compiler *c)
{
	struct parsed p = { .line = c->line };

	c->line_start = c->text;
	if (!is_end(c) && !(take_target(c, &p) && take_attributes(c, &p) &&
			    put_rule(c, &p)))
		return false;
	c->text += strcspn(c->text, "\n");
	c->text += *c->text == '\n';
	c->line++;
	return true;
}

static bool start(struct compiler *c, const char *text,
		  struct ur_compile_error *error, u8 *parts)
{
	u32 rules = UR_POLICY_RULES_MAX * UR_POLICY_RULE_BYTES;
	u32 values = UR_POLICY_VALUES_MAX * UR_POLICY_VALUE_BYTES;

	*c = (struct compiler){ .text = text, .line_start = text, .line = 1,
				.error = error };
	if (!parts)
		return wrong_at(c, text, "no memory");
	ur_writer_init(&c->rules, parts, rules);
	ur_writer_init(&c->values, parts + rules, values);
	ur_writer_init(&c->strings, parts + rules + values, UR_POLICY_TEXT_MAX);
	return true;
}

static int put_together(const struct compiler *c, u8 *table)
{
	u32 total = (u32)(UR_POLICY_HEADER_BYTES + ur_writer_used(&c->rules) +
			  ur_writer_used(&c->values) +
			  ur_writer_used(&c->strings));
	struct ur_writer w;

	ur_writer_init(&w, table, UR_COMPILE_BYTES);
	ur_writer_u32(&w, UR_POLICY_MAGIC);
	ur_writer_u16(&w, UR_POLICY_VERSION);
	ur_writer_u16(&w, (u16)c->rule_count);
	ur_writer_u16(&w, (u16)c->value_count);
	ur_writer_u16(&w, 0);
	ur_writer_u32(&w, (u32)ur_writer_used(&c->strings));
	ur_writer_u32(&w, total);
	ur_writer_u32(&w, 0);
	ur_writer_bytes(&w, c->rules.base, ur_writer_used(&c->rules));
	ur_writer_bytes(&w, c->values.base, ur_writer_used(&c->values));
	ur_writer_bytes(&w, c->strings.base, ur_writer_used(&c->strings));
	return ur_writer_is_ok(&w) ? (int)total : UR_BUG_INVALID;
}

int ur_compile(const char *text, u8 *table, struct ur_compile_error *error)
{
	u8 *parts = malloc(UR_COMPILE_BYTES);
	int bytes = UR_BUG_INVALID;
	struct compiler c;

	if (start(&c, text, error, parts)) {
		while (*c.text != '\0' && take_line(&c))
			;
		if (!c.failed)
			bytes = put_together(&c, table);
	}
	free(parts);
	return bytes;
}

/* ---- a device in the same words ------------------------------------------- */

static void copy_text(const struct compiler *c, u16 at, u16 bytes, char *to)
{
	u32 kept = bytes < UR_COMPILE_TEXT_BYTES - 1 ?
			   bytes : UR_COMPILE_TEXT_BYTES - 1;

	memcpy(to, c->strings.base + at, kept);
	to[kept] = '\0';
}

static void copy_value(const struct compiler *c, const struct parsed *p,
		       u32 attribute, char *to)
{
	struct ur_reader r;
	u16 at;

	if (p->clause[attribute].count == 0)
		return;
	ur_reader_init(&r, c->values.base + p->clause[attribute].first *
						    UR_POLICY_VALUE_BYTES,
		       UR_POLICY_VALUE_BYTES);
	at = ur_reader_u16(&r);
	copy_text(c, at, ur_reader_u16(&r), to);
}

static void copy_interfaces(const struct compiler *c, const struct parsed *p,
			    struct ur_compile_device *d)
{
	const struct clause *clause = &p->clause[UR_POLICY_INTERFACE];
	const u8 *at = c->values.base + clause->first * UR_POLICY_VALUE_BYTES;
	u32 i;

	for (i = 0; i < clause->count && i < UR_COMPILE_INTERFACES_MAX; i++)
		memcpy(&d->interface[i], at + i * UR_POLICY_VALUE_BYTES, 3);
	d->device.interface_count = i;
}

static void copy_device(const struct compiler *c, const struct parsed *p,
			struct ur_compile_device *d)
{
	const u8 *id = c->values.base +
		       p->clause[UR_POLICY_ID].first * UR_POLICY_VALUE_BYTES;

	memset(d, 0, sizeof(*d));
	d->device = (struct ur_policy_device){
		.known = (1u << UR_POLICY_ATTRIBUTES) - 1,
		.name = d->name, .serial = d->serial, .port = d->port,
		.client = d->client, .interfaces = d->interface,
	};
	if (p->clause[UR_POLICY_ID].count > 0) {
		d->device.vendor = (u16)(id[0] << 8 | id[1]);
		d->device.product = (u16)(id[2] << 8 | id[3]);
	}
	copy_value(c, p, UR_POLICY_NAME, d->name);
	copy_value(c, p, UR_POLICY_SERIAL, d->serial);
	copy_value(c, p, UR_POLICY_PORT, d->port);
	copy_text(c, p->client_at, p->client_bytes, d->client);
	copy_interfaces(c, p, d);
}

int ur_compile_device(const char *text, struct ur_compile_device *device,
		      struct ur_compile_error *error)
{
	u8 *parts = malloc(UR_COMPILE_BYTES);
	struct parsed p = { 0 };
	struct compiler c;
	bool ok = start(&c, text, error, parts);

	while (ok && !is_end(&c)) {
		ok = take_attribute(&c, &p);
		skip_blanks(&c);
	}
	if (ok && *c.text != '\0')
		ok = wrong_at(&c, c.text, "one device only");
	if (ok)
		copy_device(&c, &p, device);
	free(parts);
	return ok ? 0 : UR_BUG_INVALID;
}
