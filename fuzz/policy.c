// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rules through the compiler, and tables through the loader and the decision.
 *
 *     byte 0   bit 7: the rest is a table; else it is text, compiled to one, and
 *              bits 3..0 say how many bytes of the table are changed
 *     byte 1   what the device is (below)
 *     3 bytes for each change: offset, value
 *     rest     text or table
 *
 * Text that compiles loads; text that does not is blamed on a place it has. A table
 * that loads decides, twice the same.
 */
#include "compile.h"
#include "fuzz.h"

enum { CHANGES_MAX = 15 };

static u8 table[UR_COMPILE_BYTES];

static const struct ur_interface_type TYPES[] = {
	{ 8, 6, 0x50 }, { 3, 1, 1 }, { 1, 1, 0 }, { 0xff, 0, 0 },
};

static void decide(const struct ur_policy *p, u32 what)
{
	static const char *const texts[] = { "", "a", "1-1", "\xc3\xbc\"\\" };
	const struct ur_policy_device d = {
		.known = what & 63,
		.vendor = what & 32 ? 0x46f4 : 0x1234,
		.product = 1,
		.name = texts[what >> 6 & 3],
		.serial = texts[what & 3],
		.port = "1-1",
		.client = what & 32 ? "client1" : "b",
		.interfaces = TYPES,
		.interface_count = what % 5,
	};
	struct ur_policy_decision one = ur_policy_decide(p, &d);
	struct ur_policy_decision two = ur_policy_decide(p, &d);

	fuzz_holds(one.target >= 1 && one.target <= 3, "a target");
	fuzz_holds(one.rule < p->rules || (one.rule == UR_POLICY_NO_RULE &&
					   one.target == UR_POLICY_BLOCK),
		   "a rule of the table, or blocked");
	fuzz_holds(one.denied_changes <= UR_CHANGES_ALL, "changes there are");
	fuzz_holds(one.rule == two.rule && one.target == two.target,
		   "the same decision again");
}

static void load(const u8 *bytes, size_t count, bool must, u32 what)
{
	u8 *copy = malloc(count ? count : 1);
	struct ur_refusal why = { 0 };
	struct ur_policy p;
	int error;

	if (!copy)
		abort();
	memcpy(copy, bytes, count);
	error = ur_policy_load(&p, copy, count, &why);
	fuzz_holds(!must || !error, "what the compiler made loads");
	fuzz_holds(!error || (why.field && why.rule), "a refusal says why");
	if (!error)
		decide(&p, what);
	free(copy);
}

/* The place an error names is one the text has: a line, and a column of it. */
static void blamed(const char *text, const struct ur_compile_error *error)
{
	u32 line = 1;
	const char *at;

	for (at = text; *at && line < error->line; at++)
		line += *at == '\n';
	fuzz_holds(error->line == line, "a line of the text");
	fuzz_holds(error->column >= 1 &&
			   error->column <= strcspn(at, "\n") + 1,
		   "a column of the line");
	fuzz_holds(error->text[0] && memchr(error->text, 0, sizeof(error->text)),
		   "an error says what");
}

static void compile(struct fuzz_input *in, u32 changes, u32 what)
{
	u8 change[CHANGES_MAX][3] = { { 0 } };
	struct ur_compile_device device;
	struct ur_compile_error error = { 0 };
	size_t bytes, i;
	char *text;
	int n;

	for (i = 0; i < changes * 3; i++)
		change[i / 3][i % 3] = (u8)fuzz_u8(in);
	text = calloc(1, in->left + 1);
	if (!text)
		abort();
	memcpy(text, in->at, in->left);
	if (ur_compile_device(text, &device, &error))
		blamed(text, &error);
	n = ur_compile(text, table, &error);
	if (n < 0)
		blamed(text, &error);
	free(text);
	if (n < 0)
		return;
	bytes = (size_t)n;
	load(table, bytes, true, what);
	for (i = 0; i < changes; i++)
		table[(change[i][0] << 8 | change[i][1]) % bytes] = change[i][2];
	load(table, bytes, false, what);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u32 mode = fuzz_u8(&in), what = fuzz_u8(&in);

	if (mode & 0x80)
		load(in.at, in.left, false, what);
	else
		compile(&in, mode & 15, what);
	return 0;
}
