// SPDX-License-Identifier: BSD-2-Clause
/*
 * inih splits the file into sections, keys and values. It does not say on which
 * line it is, nor that a section begins, and cuts what is too long without a
 * word; so it gets its lines one by one from read_line(), which knows.
 */
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "value.h"

#define VALUE_BYTES 256
#define DEFAULT_BYTES (16u << 20)
#define DEFAULT_MODE 0660
#define PREFIX "link."

enum key_number {
	KEY_A,
	KEY_B,
	KEY_SIZE,
	KEY_MODE,
	KEY_OWNER,
	KEY_GROUP,
	KEY_ALLOW_UID,
	KEY_COUNT
};

struct parse {
	struct ur_config *config;
	const char *file;
	FILE *stream;
	char *text; /* getline's */
	size_t text_room;
	unsigned int line;
	unsigned int section_line; /* 0: none yet */
	bool section_new;	   /* no key of it seen yet */
	struct ur_config_link *link; /* NULL: this section is not a link */
	struct {
		unsigned int line; /* 0: not given */
		char value[VALUE_BYTES];
	} given[KEY_COUNT]; /* in this section */
	unsigned int errors;
};

struct key {
	const char *name;
	void (*set)(struct parse *parse, const char *value);
};

__attribute__((format(printf, 3, 4))) static void
complain(struct parse *parse, unsigned int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", parse->file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	parse->errors++;
}

static void want(struct parse *parse, bool good, const char *key,
		 const char *wanted, const char *value)
{
	if (!good)
		complain(parse, parse->line, "%s: expected %s, got \"%s\"", key,
			 wanted, value);
}

/* Keys */

static bool path_is_free(struct parse *parse, const char *key,
			 const char *path)
{
	const struct ur_config_link *links = parse->config->links;

	for (unsigned int i = 0; i < 2 * parse->config->count; i++) {
		const struct ur_config_path *other = &links[i / 2].end[i % 2];

		if (strcmp(other->path, path) != 0)
			continue;
		complain(parse, parse->line,
			 "%s: \"%s\" is already end %c of link %s (line %u)",
			 key, path, "ab"[i % 2], links[i / 2].name, other->line);
		return false;
	}
	return true;
}

static void set_path(struct parse *parse, enum ur_end end, const char *path)
{
	struct ur_config_path *to = &parse->link->end[end];
	const char *key = end == UR_END_A ? "a" : "b";

	if (strlen(path) >= sizeof(to->path)) {
		complain(parse, parse->line,
			 "%s: a socket's path has at most %zu bytes, got %zu",
			 key, sizeof(to->path) - 1, strlen(path));
	} else if (path[0] != '/') {
		want(parse, false, key, "a path that starts with /", path);
	} else if (path_is_free(parse, key, path)) {
		strcpy(to->path, path);
		to->line = parse->line;
	}
}

static void set_a(struct parse *parse, const char *value)
{
	set_path(parse, UR_END_A, value);
}

static void set_b(struct parse *parse, const char *value)
{
	set_path(parse, UR_END_B, value);
}

static void set_size(struct parse *parse, const char *value)
{
	want(parse, ur_value_size(value, &parse->link->bytes), "size",
	     UR_VALUE_SIZE_WANTED, value);
}

static void set_mode(struct parse *parse, const char *value)
{
	want(parse, ur_value_mode(value, &parse->link->mode), "mode",
	     UR_VALUE_MODE_WANTED, value);
}

static void set_owner(struct parse *parse, const char *value)
{
	want(parse, ur_value_user(value, &parse->link->owner), "owner",
	     UR_VALUE_USER_WANTED, value);
}

static void set_group(struct parse *parse, const char *value)
{
	want(parse, ur_value_group(value, &parse->link->group), "group",
	     UR_VALUE_GROUP_WANTED, value);
}

static void allow(struct parse *parse, const char *user)
{
	struct ur_config_link *link = parse->link;

	if (link->uid_count == UR_CONFIG_UIDS_MAX)
		complain(parse, parse->line,
			 "allow-uid: at most %d users, \"%s\" is one more",
			 UR_CONFIG_UIDS_MAX, user);
	else if (ur_value_user(user, &link->uids[link->uid_count]))
		link->uid_count++;
	else
		want(parse, false, "allow-uid", UR_VALUE_USER_WANTED, user);
}

static void set_allow_uid(struct parse *parse, const char *value)
{
	static const char between[] = ", \t";
	char list[VALUE_BYTES];
	char *rest = list;

	snprintf(list, sizeof(list), "%s", value);
	for (const char *user; (user = strsep(&rest, between));)
		if (*user)
			allow(parse, user);
	/* An empty list must not turn into "everybody". */
	if (strspn(value, between) == strlen(value))
		want(parse, false, "allow-uid", UR_VALUE_USER_WANTED, value);
}

static const struct key keys[KEY_COUNT] = {
	[KEY_A] = { "a", set_a },
	[KEY_B] = { "b", set_b },
	[KEY_SIZE] = { "size", set_size },
	[KEY_MODE] = { "mode", set_mode },
	[KEY_OWNER] = { "owner", set_owner },
	[KEY_GROUP] = { "group", set_group },
	[KEY_ALLOW_UID] = { "allow-uid", set_allow_uid },
};

static const struct key *find_key(const char *name)
{
	for (unsigned int i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static void take_key(struct parse *parse, const char *name, const char *value)
{
	const struct key *key = find_key(name);
	unsigned int number = key ? key - keys : 0;

	if (!key) {
		want(parse, false, "key",
		     "a, b, size, mode, owner, group or allow-uid", name);
	} else if (parse->given[number].line) {
		complain(parse, parse->line,
			 "%s: given twice: \"%s\" in line %u and \"%s\" here",
			 name, parse->given[number].value,
			 parse->given[number].line, value);
	} else {
		parse->given[number].line = parse->line;
		snprintf(parse->given[number].value, VALUE_BYTES, "%s", value);
		key->set(parse, value);
	}
}

/* Sections */

static bool is_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t bytes = strspn(name, good);

	return bytes > 0 && bytes <= UR_CONFIG_NAME_MAX && name[bytes] == '\0';
}

static const struct ur_config_link *find_link(const struct ur_config *config,
					      const char *name)
{
	for (unsigned int i = 0; i < config->count; i++)
		if (strcmp(config->links[i].name, name) == 0)
			return &config->links[i];
	return NULL;
}

static void add_link(struct parse *parse, const char *name)
{
	struct ur_config *config = parse->config;
	struct ur_config_link *link = &config->links[config->count];

	if (config->count == UR_CONFIG_LINKS_MAX) {
		complain(parse, parse->section_line,
			 "at most %d links, \"%s\" is one more",
			 UR_CONFIG_LINKS_MAX, name);
		return;
	}
	*link = (struct ur_config_link){
		.line = parse->section_line,
		.bytes = DEFAULT_BYTES,
		.mode = DEFAULT_MODE,
		.owner = -1,
		.group = -1,
	};
	strcpy(link->name, name);
	config->count++;
	parse->link = link;
}

static void begin_section(struct parse *parse, const char *section)
{
	const char *name = section + strlen(PREFIX);

	parse->section_new = false;
	if (strncmp(section, PREFIX, strlen(PREFIX)) != 0 || !is_name(name))
		complain(parse, parse->section_line,
			 "expected [" PREFIX "NAME] with NAME of 1 to %d "
			 "letters, digits, - and _, got [%s]",
			 UR_CONFIG_NAME_MAX, section);
	else if (find_link(parse->config, name))
		complain(parse, parse->section_line,
			 "link %s: given twice, in line %u and here", name,
			 find_link(parse->config, name)->line);
	else
		add_link(parse, name);
}

static void end_section(struct parse *parse)
{
	if (parse->section_new)
		complain(parse, parse->section_line, "a section without keys");
	for (int end = 0; parse->link && end < 2; end++)
		if (!parse->given[end].line)
			complain(parse, parse->section_line,
				 "link %s: expected two ends, a and b; "
				 "%s is not given",
				 parse->link->name, keys[end].name);
	parse->link = NULL;
	memset(parse->given, 0, sizeof(parse->given));
}

/* The file */

static int handle(void *user, const char *section, const char *name,
		  const char *value)
{
	struct parse *parse = user;

	if (parse->section_line == 0) {
		complain(parse, parse->line,
			 "expected a section before \"%s\"", name);
		return 1;
	}
	if (parse->section_new)
		begin_section(parse, section);
	if (parse->link)
		take_key(parse, name, value);
	return 1; /* the errors are counted here, not there */
}

/* Lines that inih would cut or split. room includes '\n' and '\0'. */
static bool line_is_good(struct parse *parse, const char *text, size_t bytes,
			 size_t room)
{
	size_t length = strcspn(text, "\n");

	if (strlen(text) != bytes) {
		complain(parse, parse->line, "a byte of value 0 after \"%s\"",
			 text);
		return false;
	}
	if (length > room - 2) {
		complain(parse, parse->line,
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
static bool note_section(struct parse *parse, const char *text)
{
	end_section(parse);
	parse->section_line = parse->line;
	parse->section_new = is_closed(text);
	if (!parse->section_new)
		complain(parse, parse->line,
			 "expected [" PREFIX "NAME], got \"%.*s\"",
			 (int)strcspn(text, "\r\n"), text);
	return parse->section_new;
}

static char *read_line(char *to, int room, void *user)
{
	struct parse *parse = user;
	ssize_t bytes = getline(&parse->text, &parse->text_room, parse->stream);
	const char *text;

	if (bytes < 0) {
		/* A line that is lost must not pass for the end of the file. */
		if (!feof(parse->stream))
			complain(parse, parse->line + 1, "cannot read: %m");
		return NULL;
	}
	parse->line++;
	/* To inih an indented line goes on with the value before it. */
	text = parse->text + strspn(parse->text, " \t");
	if (!line_is_good(parse, text, parse->text + bytes - text,
			  room < VALUE_BYTES ? room : VALUE_BYTES))
		text = "\n";
	if (text[0] == '[' && !note_section(parse, text))
		text = "\n";
	return strcpy(to, text);
}

static void parse_stream(struct parse *parse)
{
	int bad_line = ini_parse_stream(read_line, parse, handle, parse);

	if (bad_line > 0)
		complain(parse, bad_line,
			 "expected [" PREFIX "NAME], KEY = VALUE or a comment");
	else if (bad_line < 0)
		complain(parse, parse->line, "out of memory");
	end_section(parse);
	if (parse->config->count == 0 && parse->errors == 0)
		complain(parse, parse->line,
			 "expected at least one [" PREFIX "NAME]");
}

int ur_config_load(struct ur_config *config, const char *file)
{
	struct parse parse = { .config = config, .file = file };

	config->count = 0;
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
