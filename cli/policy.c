// SPDX-License-Identifier: BSD-2-Clause
/* usbroute policy: rules for the guard, in USBGuard's language. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "compile.h"
#include "generate.h"
#include "say.h"
#include "text.h"

#define POLICY_FILE_MAX (1u << 20)

static char *read_file(const char *path)
{
	char *text = calloc(1, POLICY_FILE_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t bytes = 0;
	bool ok = text && file;

	if (ok) {
		bytes = fread(text, 1, POLICY_FILE_MAX + 1, file);
		ok = !ferror(file);
	}
	if (!ok)
		ur_say("%s: %m", path);
	else if (bytes > POLICY_FILE_MAX)
		ur_say("%s: more than %u bytes", path, POLICY_FILE_MAX);
	else if (strlen(text) != bytes)
		ur_say("%s: a zero byte at %zu", path, strlen(text));
	if (file)
		fclose(file);
	if (ok && bytes <= POLICY_FILE_MAX && strlen(text) == bytes)
		return text;
	free(text);
	return NULL;
}

/* What was wrong may quote the file: printable only. */
static void say_error(const char *path, struct ur_compile_error *error)
{
	ur_text_clean(error->text);
	ur_say("%s:%u:%u: %s", path, error->line, error->column, error->text);
}

/* The table of a file, to be freed, and loaded to see that the guard will. */
static u8 *compile_file(const char *path, struct ur_policy *policy, u32 *bytes)
{
	char *text = read_file(path);
	u8 *table = text ? malloc(UR_COMPILE_BYTES) : NULL;
	struct ur_compile_error error;
	struct ur_refusal why;
	int got = UR_BUG_INVALID;

	if (text && !table) {
		ur_say("%s: %m", path);
	} else if (text) {
		got = ur_compile(text, table, &error);
		if (got < 0)
			say_error(path, &error);
	}
	if (got >= 0 && ur_policy_load(policy, table, (size_t)got, &why)) {
		ur_say("%s: the table is refused: %s: got %u, want %s %u", path,
		       why.field, why.got, why.rule, why.want);
		got = UR_BUG_INVALID;
	}
	free(text);
	if (got >= 0) {
		*bytes = (u32)got;
		return table;
	}
	free(table);
	return NULL;
}

static enum ur_exit check(const struct ur_options *options)
{
	struct ur_policy policy;
	u32 bytes;
	u8 *table = compile_file(options->operands[1], &policy, &bytes);

	if (!table)
		return UR_EXIT_FAILED;
	printf("%s: %u rules, %u bytes\n", options->operands[1], policy.rules,
	       bytes);
	free(table);
	return UR_EXIT_OK;
}

static enum ur_exit write_table(const char *path, const u8 *table, u32 bytes)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fwrite(table, 1, bytes, file) == bytes;

	if (file && fclose(file) != 0)
		ok = false;
	if (!ok)
		ur_say("%s: %m", path);
	return ok ? UR_EXIT_OK : UR_EXIT_FAILED;
}

static enum ur_exit compile(const struct ur_options *options)
{
	struct ur_policy policy;
	enum ur_exit exit = UR_EXIT_FAILED;
	u32 bytes;
	u8 *table = compile_file(options->operands[1], &policy, &bytes);

	if (table)
		exit = write_table(options->operands[2], table, bytes);
	free(table);
	return exit;
}

static enum ur_exit print_decision(const struct ur_policy_decision *d)
{
	static const char *const targets[] = { "", "allow", "block", "reject" };

	if (d->rule == UR_POLICY_NO_RULE)
		printf("block: no rule matches\n");
	else
		printf("%s: line %u\n", targets[d->target], d->line);
	return d->target == UR_POLICY_ALLOW ? UR_EXIT_OK : UR_EXIT_REFUSED;
}

static enum ur_exit try_device(const struct ur_options *options)
{
	struct ur_compile_device *device = malloc(sizeof(*device));
	struct ur_compile_error error;
	struct ur_policy_decision decision;
	enum ur_exit exit = UR_EXIT_FAILED;
	struct ur_policy policy;
	u32 bytes;
	u8 *table = compile_file(options->operands[1], &policy, &bytes);

	if (!device) {
		ur_say("policy: %m");
	} else if (table &&
		   ur_compile_device(options->operands[2], device, &error)) {
		say_error("device", &error);
		exit = UR_EXIT_USAGE;
	} else if (table) {
		decision = ur_policy_decide(&policy, &device->device);
		exit = print_decision(&decision);
	}
	free(device);
	free(table);
	return exit;
}

static const struct {
	const char *name;
	enum ur_exit (*run)(const struct ur_options *options);
	u32 least;
	u32 most;
} verbs[] = {
	{ "check", check, 2, 2 },
	{ "test", try_device, 3, 3 },
	{ "compile", compile, 3, 3 },
	{ "generate", ur_policy_generate, 1, 3 },
};

enum ur_exit ur_command_policy(const struct ur_options *options)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(options->operands[0], verbs[i].name) != 0)
			continue;
		if (options->operand_count >= verbs[i].least &&
		    options->operand_count <= verbs[i].most)
			return verbs[i].run(options);
		ur_say("policy %s: %u operands, want %u to %u", verbs[i].name,
		       options->operand_count - 1, verbs[i].least - 1,
		       verbs[i].most - 1);
		return UR_EXIT_USAGE;
	}
	ur_say("policy: want check FILE, test FILE DEVICE, compile FILE TABLE or "
	       "generate [CLIENT [VM]]");
	return UR_EXIT_USAGE;
}
