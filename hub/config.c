// SPDX-License-Identifier: BSD-2-Clause
/*
 * inih splits the file into sections, keys and values. It does not say on which
 * line it is, nor that a section begins, and cuts what is too long without a
 * word; so it gets its lines one by one from read_line(), which knows.
 */
#include <ini.h>
#include <stdlib.h>

#include "key.h"

#define DEFAULT_BYTES (16u << 20)
#define DEFAULT_MODE 0660
#define DEFAULT_TRANSFER_BYTES (1u << 20)
#define DEFAULT_CALLS 16u
#define DEFAULT_PRIORITY 1u /* below whatever else is real-time */
/* Of the guard: relay/router.h, which checks them again. */
#define SITES_MAX 32u
#define CALLS_MAX 256u
#define CLIENT_NAME_MAX 31
#define DEVICE_NAME_MAX 15
#define RESERVED "serial"
#define GUARD "guard"
#define SECTIONS "[link.NAME], [client.NAME], [device.NAME] or [" GUARD "]"

static const char *const prefixes[UR_CONFIG_KINDS] = {
	[UR_CONFIG_LINK] = "link.",
	[UR_CONFIG_CLIENT] = "client.",
	[UR_CONFIG_DEVICE] = "device.",
};

static const size_t name_max[UR_CONFIG_KINDS] = {
	[UR_CONFIG_LINK] = UR_CONFIG_NAME_MAX,
	[UR_CONFIG_CLIENT] = CLIENT_NAME_MAX,
	[UR_CONFIG_DEVICE] = DEVICE_NAME_MAX,
};

static const unsigned int count_max[UR_CONFIG_KINDS] = {
	[UR_CONFIG_LINK] = UR_CONFIG_LINKS_MAX,
	[UR_CONFIG_CLIENT] = SITES_MAX,
	[UR_CONFIG_DEVICE] = SITES_MAX,
};

const char *ur_config_kind_name(enum ur_config_kind kind)
{
	static const char *const names[UR_CONFIG_KINDS] = {
		[UR_CONFIG_LINK] = "link",
		[UR_CONFIG_CLIENT] = "client",
		[UR_CONFIG_DEVICE] = "device",
	};

	return names[kind];
}

/* Sections */

static bool is_name(const char *name, size_t most)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t bytes = strspn(name, good);

	return bytes > 0 && bytes <= most && name[bytes] == '\0';
}

static const struct ur_config_link *find_link(const struct ur_config *config,
					      enum ur_config_kind kind,
					      const char *name)
{
	for (unsigned int i = 0; i < config->count; i++)
		if (config->links[i].kind == kind &&
		    strcmp(config->links[i].name, name) == 0)
			return &config->links[i];
	return NULL;
}

static void add_link(struct ur_parse *parse, enum ur_config_kind kind,
		     const char *name)
{
	struct ur_config *config = parse->config;
	struct ur_config_link *link = &config->links[config->count];
	bool is_full = config->count == UR_CONFIG_LINKS_MAX;

	if (is_full || config->kinds[kind] == count_max[kind]) {
		ur_parse_complain(parse, parse->section_line,
				  "at most %u %ss, \"%s\" is one more",
				  is_full ? UR_CONFIG_LINKS_MAX : count_max[kind],
				  is_full ? "link" : ur_config_kind_name(kind),
				  name);
		return;
	}
	*link = (struct ur_config_link){
		.kind = kind,
		.line = parse->section_line,
		.bytes = DEFAULT_BYTES,
		.channels = UR_CHANNELS_DEFAULT,
		.mode = DEFAULT_MODE,
		.owner = -1,
		.group = -1,
	};
	strcpy(link->name, name);
	config->count++;
	config->kinds[kind]++;
	parse->link = link;
}

static void begin_link(struct ur_parse *parse, enum ur_config_kind kind,
		       const char *section)
{
	const char *word = ur_config_kind_name(kind);
	const char *name = section + strlen(prefixes[kind]);
	const struct ur_config_link *same;

	same = find_link(parse->config, kind, name);
	if (!is_name(name, name_max[kind]))
		ur_parse_complain(parse, parse->section_line,
				  "expected [%sNAME] with NAME of 1 to %zu "
				  "letters, digits, - and _, got [%s]",
				  prefixes[kind], name_max[kind], section);
	else if (kind != UR_CONFIG_LINK && strcmp(name, RESERVED) == 0)
		ur_parse_complain(parse, parse->section_line,
				  "%s: expected another name than \"" RESERVED
				  "\", which means a serial number", word);
	else if (same)
		ur_parse_complain(parse, parse->section_line,
				  "%s %s: given twice, in line %u and here",
				  word, name, same->line);
	else
		add_link(parse, kind, name);
}

static void begin_guard(struct ur_parse *parse)
{
	struct ur_config_guard *guard = &parse->config->guard;

	if (guard->line) {
		ur_parse_complain(parse, parse->section_line,
				  GUARD ": given twice, in line %u and here",
				  guard->line);
		return;
	}
	guard->line = parse->section_line;
	guard->transfer_bytes = DEFAULT_TRANSFER_BYTES;
	guard->priority = DEFAULT_PRIORITY;
	parse->guard = guard;
}

static void begin_section(struct ur_parse *parse, const char *section)
{
	parse->section_new = false;
	if (strcmp(section, GUARD) == 0) {
		begin_guard(parse);
		return;
	}
	for (int kind = 0; kind < UR_CONFIG_KINDS; kind++)
		if (strncmp(section, prefixes[kind], strlen(prefixes[kind])) == 0) {
			begin_link(parse, kind, section);
			return;
		}
	ur_parse_complain(parse, parse->section_line,
			  "expected " SECTIONS ", got [%s]", section);
}

static void end_section(struct ur_parse *parse)
{
	if (parse->section_new)
		ur_parse_complain(parse, parse->section_line,
				  "a section without keys");
	ur_key_settle(parse);
	parse->link = NULL;
	parse->guard = NULL;
	memset(parse->given, 0, sizeof(parse->given));
}

/* The file */

static int handle(void *user, const char *section, const char *name,
		  const char *value)
{
	struct ur_parse *parse = user;

	if (parse->section_line == 0) {
		ur_parse_complain(parse, parse->line,
			 "expected a section before \"%s\"", name);
		return 1;
	}
	if (parse->section_new)
		begin_section(parse, section);
	if (parse->link || parse->guard)
		ur_key_take(parse, name, value);
	return 1; /* the errors are counted here, not there */
}

/* Lines that inih would cut or split. room includes '\n' and '\0'. */
static bool line_is_good(struct ur_parse *parse, const char *text, size_t bytes,
			 size_t room)
{
	size_t length = strcspn(text, "\n");

	if (strlen(text) != bytes) {
		ur_parse_complain(parse, parse->line, "a byte of value 0 after \"%s\"",
			 text);
		return false;
	}
	if (length > room - 2) {
		ur_parse_complain(parse, parse->line,
			 "expected at most %zu bytes in a line, got %zu",
			 room - 2, length);
		return false;
	}
	return true;
}

static bool is_closed(const char *text)
{
	const char *end = strchr(text, ']');

	if (end)
		end += 1 + strspn(end + 1, " \t\r\n");
	return end && strchr(";#", *end); /* or its end: '\0' is found too */
}

/* Whether inih will see a section too. */
static bool note_section(struct ur_parse *parse, const char *text)
{
	end_section(parse);
	parse->section_line = parse->line;
	parse->section_new = is_closed(text);
	if (!parse->section_new)
		ur_parse_complain(parse, parse->line,
			 "expected " SECTIONS ", got \"%.*s\"",
			 (int)strcspn(text, "\r\n"), text);
	return parse->section_new;
}

static char *read_line(char *to, int room, void *user)
{
	struct ur_parse *parse = user;
	ssize_t bytes = getline(&parse->text, &parse->text_room, parse->stream);
	const char *text;

	if (bytes < 0) {
		/* A line that is lost must not pass for the end of the file. */
		if (!feof(parse->stream))
			ur_parse_complain(parse, parse->line + 1, "cannot read: %m");
		return NULL;
	}
	parse->line++;
	/* To inih an indented line goes on with the value before it. */
	text = parse->text + strspn(parse->text, " \t");
	if (!line_is_good(parse, text, parse->text + bytes - text,
			  room < UR_KEY_VALUE_BYTES ? room : UR_KEY_VALUE_BYTES))
		text = "\n";
	if (text[0] == '[' && !note_section(parse, text))
		text = "\n";
	return strcpy(to, text);
}

/* The first link of a kind that only a guard has, or NULL. */
static const struct ur_config_link *find_vm(const struct ur_config *config)
{
	for (unsigned int i = 0; i < config->count; i++)
		if (config->links[i].kind != UR_CONFIG_LINK)
			return &config->links[i];
	return NULL;
}

static void settle_calls(struct ur_parse *parse)
{
	struct ur_config_guard *guard = &parse->config->guard;
	unsigned int clients = parse->config->kinds[UR_CONFIG_CLIENT];

	if (guard->calls * clients > CALLS_MAX)
		ur_parse_complain(parse, guard->line,
				  "calls: at most %u of all clients together, "
				  "got %u of each of %u", CALLS_MAX,
				  guard->calls, clients);
	if (guard->calls == 0 && clients > 0)
		guard->calls = DEFAULT_CALLS * clients > CALLS_MAX ?
				       CALLS_MAX / clients :
				       DEFAULT_CALLS;
}

/* Sections that need each other, once all are there. */
static void settle_guard(struct ur_parse *parse)
{
	const struct ur_config *config = parse->config;
	const struct ur_config_link *vm = find_vm(config);

	if (parse->errors > 0)
		return;
	if (vm && !config->guard.line)
		ur_parse_complain(parse, vm->line, "%s %s: expected a [" GUARD
				  "] section as well", ur_config_kind_name(vm->kind),
				  vm->name);
	else if (config->guard.line && (!config->kinds[UR_CONFIG_CLIENT] ||
					!config->kinds[UR_CONFIG_DEVICE]))
		ur_parse_complain(parse, config->guard.line,
				  GUARD ": expected at least one [client.NAME] and "
				  "one [device.NAME], got %u and %u",
				  config->kinds[UR_CONFIG_CLIENT],
				  config->kinds[UR_CONFIG_DEVICE]);
	else
		settle_calls(parse);
}

static void parse_stream(struct ur_parse *parse)
{
	int bad_line = ini_parse_stream(read_line, parse, handle, parse);

	if (bad_line > 0)
		ur_parse_complain(parse, bad_line,
			 "expected " SECTIONS ", KEY = VALUE or a comment");
	else if (bad_line < 0)
		ur_parse_complain(parse, parse->line, "out of memory");
	end_section(parse);
	settle_guard(parse);
	if (parse->config->count == 0 && parse->errors == 0)
		ur_parse_complain(parse, parse->line,
				  "expected at least one [link.NAME], or [" GUARD
				  "] with a [client.NAME] and a [device.NAME]");
}

int ur_config_load(struct ur_config *config, const char *file)
{
	struct ur_parse parse = { .config = config, .file = file };

	memset(config, 0, sizeof(*config));
	parse.stream = fopen(file, "re");
	if (!parse.stream) {
		fprintf(stderr, "%s: cannot open: %m\n", file);
		return -1;
	}
	parse_stream(&parse);
	free(parse.text);
	fclose(parse.stream);
	return parse.errors ? -1 : 0;
}
