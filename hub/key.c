// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdlib.h>

#include "key.h"
#include "value.h"

/* The sections that a key may stand in. */
#define IN_LINK (1u << UR_CONFIG_LINK)
#define IN_CLIENT (1u << UR_CONFIG_CLIENT)
#define IN_DEVICE (1u << UR_CONFIG_DEVICE)
#define IN_GUARD (1u << UR_CONFIG_KINDS)
#define IN_VM (IN_CLIENT | IN_DEVICE)
#define IN_ANY_LINK (IN_LINK | IN_VM)

#define TRANSFER_MIN (64u << 10)
#define TRANSFER_MAX (16u << 20)
#define CALLS_MAX 64
#define PRIORITY_MAX 99

struct key {
	const char *name;
	unsigned int sections;
	void (*set)(struct ur_parse *parse, const char *value);
};

void ur_parse_complain(struct ur_parse *parse, unsigned int line,
		       const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", parse->file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	parse->errors++;
}

static void want(struct ur_parse *parse, bool good, const char *key,
		 const char *wanted, const char *value)
{
	if (!good)
		ur_parse_complain(parse, parse->line,
				  "%s: expected %s, got \"%s\"", key, wanted,
				  value);
}

/* Sockets */

static void complain_taken(struct ur_parse *parse, const char *key,
			   const char *path, const struct ur_config_link *other,
			   int end)
{
	if (other->kind == UR_CONFIG_LINK)
		ur_parse_complain(parse, parse->line,
				  "%s: \"%s\" is already end %c of link %s (line %u)",
				  key, path, "ab"[end], other->name,
				  other->end[end].line);
	else
		ur_parse_complain(parse, parse->line,
				  "%s: \"%s\" is already the socket of %s %s (line %u)",
				  key, path, ur_config_kind_name(other->kind),
				  other->name, other->end[end].line);
}

static bool path_is_free(struct ur_parse *parse, const char *key,
			 const char *path)
{
	const struct ur_config_link *links = parse->config->links;

	for (unsigned int i = 0; i < 2 * parse->config->count; i++) {
		if (strcmp(links[i / 2].end[i % 2].path, path) != 0)
			continue;
		complain_taken(parse, key, path, &links[i / 2], i % 2);
		return false;
	}
	return true;
}

/* Whether the path is absolute and has at most `most` bytes. */
static bool is_path(struct ur_parse *parse, const char *key, const char *path,
		    size_t most)
{
	if (strlen(path) > most)
		ur_parse_complain(parse, parse->line,
				  "%s: a socket's path has at most %zu bytes, got %zu",
				  key, most, strlen(path));
	else
		want(parse, path[0] == '/', key, "a path that starts with /",
		     path);
	return path[0] == '/' && strlen(path) <= most;
}

static void set_path(struct ur_parse *parse, enum ur_end end, const char *key,
		     const char *path)
{
	struct ur_config_path *to = &parse->link->end[end];

	if (is_path(parse, key, path, sizeof(to->path) - 1) &&
	    path_is_free(parse, key, path)) {
		strcpy(to->path, path);
		to->line = parse->line;
	}
}

static void set_a(struct ur_parse *parse, const char *value)
{
	set_path(parse, UR_END_A, "a", value);
}

static void set_b(struct ur_parse *parse, const char *value)
{
	set_path(parse, UR_END_B, "b", value);
}

/* A VM has the end that it has on a link without a guard: clients A. */
static void set_socket(struct ur_parse *parse, const char *value)
{
	set_path(parse, parse->link->kind == UR_CONFIG_CLIENT ? UR_END_A : UR_END_B,
		 "socket", value);
}

/* As many as the VM's own end has: usbroute.ko's parameter of that name. */
static void set_channels(struct ur_parse *parse, const char *value)
{
	want(parse,
	     ur_value_count(value, 1, UR_CHANNELS_MAX, &parse->link->channels),
	     "channels", UR_VALUE_CHANNELS_WANTED, value);
}

/* What every link has */

static void set_size(struct ur_parse *parse, const char *value)
{
	want(parse,
	     ur_value_size(value, UR_REGION_BYTES_MIN, UR_REGION_BYTES_MAX,
			   &parse->link->bytes),
	     "size", UR_VALUE_SIZE_WANTED, value);
}

static void set_mode(struct ur_parse *parse, const char *value)
{
	want(parse, ur_value_mode(value, &parse->link->mode), "mode",
	     UR_VALUE_MODE_WANTED, value);
}

static void set_owner(struct ur_parse *parse, const char *value)
{
	want(parse, ur_value_user(value, &parse->link->owner), "owner",
	     UR_VALUE_USER_WANTED, value);
}

static void set_group(struct ur_parse *parse, const char *value)
{
	want(parse, ur_value_group(value, &parse->link->group), "group",
	     UR_VALUE_GROUP_WANTED, value);
}

static void allow(struct ur_parse *parse, const char *user)
{
	struct ur_config_link *link = parse->link;

	if (link->uid_count == UR_CONFIG_UIDS_MAX)
		ur_parse_complain(parse, parse->line,
				  "allow-uid: at most %d users, \"%s\" is one more",
				  UR_CONFIG_UIDS_MAX, user);
	else if (ur_value_user(user, &link->uids[link->uid_count]))
		link->uid_count++;
	else
		want(parse, false, "allow-uid", UR_VALUE_USER_WANTED, user);
}

static void set_allow_uid(struct ur_parse *parse, const char *value)
{
	static const char between[] = ", \t";
	char list[UR_KEY_VALUE_BYTES];
	char *rest = list;

	snprintf(list, sizeof(list), "%s", value);
	for (const char *user; (user = strsep(&rest, between));)
		if (*user)
			allow(parse, user);
	/* An empty list must not turn into "everybody". */
	if (strspn(value, between) == strlen(value))
		want(parse, false, "allow-uid", UR_VALUE_USER_WANTED, value);
}

/* The guard */

static void set_file(struct ur_parse *parse, const char *key, const char *value,
		     char to[PATH_MAX])
{
	want(parse, value[0] == '/', key, "a path that starts with /", value);
	snprintf(to, PATH_MAX, "%s", value);
}

static void set_policy(struct ur_parse *parse, const char *value)
{
	set_file(parse, "policy", value, parse->guard->policy);
}

static void set_audit(struct ur_parse *parse, const char *value)
{
	set_file(parse, "audit", value, parse->guard->audit);
}

static void set_transfer(struct ur_parse *parse, const char *value)
{
	want(parse,
	     ur_value_size(value, TRANSFER_MIN, TRANSFER_MAX,
			   &parse->guard->transfer_bytes),
	     "transfer", UR_VALUE_TRANSFER_WANTED, value);
}

static void set_calls(struct ur_parse *parse, const char *value)
{
	want(parse, ur_value_count(value, 1, CALLS_MAX, &parse->guard->calls),
	     "calls", UR_VALUE_CALLS_WANTED, value);
}

static void set_priority(struct ur_parse *parse, const char *value)
{
	want(parse, ur_value_count(value, 0, PRIORITY_MAX, &parse->guard->priority),
	     "priority", UR_VALUE_PRIORITY_WANTED, value);
}

/* All keys */

static const struct key keys[UR_KEY_COUNT] = {
	[UR_KEY_A] = { "a", IN_LINK, set_a },
	[UR_KEY_B] = { "b", IN_LINK, set_b },
	[UR_KEY_SOCKET] = { "socket", IN_VM, set_socket },
	[UR_KEY_SIZE] = { "size", IN_ANY_LINK, set_size },
	[UR_KEY_CHANNELS] = { "channels", IN_VM, set_channels },
	[UR_KEY_MODE] = { "mode", IN_ANY_LINK, set_mode },
	[UR_KEY_OWNER] = { "owner", IN_ANY_LINK, set_owner },
	[UR_KEY_GROUP] = { "group", IN_ANY_LINK, set_group },
	[UR_KEY_ALLOW_UID] = { "allow-uid", IN_ANY_LINK, set_allow_uid },
	[UR_KEY_POLICY] = { "policy", IN_GUARD, set_policy },
	[UR_KEY_AUDIT] = { "audit", IN_GUARD, set_audit },
	[UR_KEY_TRANSFER] = { "transfer", IN_GUARD, set_transfer },
	[UR_KEY_CALLS] = { "calls", IN_GUARD, set_calls },
	[UR_KEY_PRIORITY] = { "priority", IN_GUARD, set_priority },
};

static unsigned int section_of(const struct ur_parse *parse)
{
	return parse->guard ? IN_GUARD : 1u << parse->link->kind;
}

static const struct key *find_key(const struct ur_parse *parse, const char *name)
{
	for (unsigned int i = 0; i < UR_KEY_COUNT; i++)
		if (keys[i].sections & section_of(parse) &&
		    strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static const char *keys_wanted(const struct ur_parse *parse)
{
	if (parse->guard)
		return "policy, audit, transfer, calls or priority";
	if (parse->link->kind == UR_CONFIG_LINK)
		return "a, b, size, mode, owner, group or allow-uid";
	return "socket, size, channels, mode, owner, group or allow-uid";
}

void ur_key_take(struct ur_parse *parse, const char *name, const char *value)
{
	const struct key *key = find_key(parse, name);
	unsigned int number = key ? key - keys : 0;

	if (!key) {
		want(parse, false, "key", keys_wanted(parse), name);
	} else if (parse->given[number].line) {
		ur_parse_complain(parse, parse->line,
				  "%s: given twice: \"%s\" in line %u and \"%s\" here",
				  name, parse->given[number].value,
				  parse->given[number].line, value);
	} else {
		parse->given[number].line = parse->line;
		snprintf(parse->given[number].value, UR_KEY_VALUE_BYTES, "%s",
			 value);
		key->set(parse, value);
	}
}

static void need_ends(struct ur_parse *parse)
{
	for (int end = UR_KEY_A; end <= UR_KEY_B; end++)
		if (!parse->given[end].line)
			ur_parse_complain(parse, parse->section_line,
					  "link %s: expected two ends, a and b; "
					  "%s is not given",
					  parse->link->name, keys[end].name);
}

void ur_key_settle(struct ur_parse *parse)
{
	if (parse->guard && !parse->given[UR_KEY_POLICY].line)
		ur_parse_complain(parse, parse->section_line,
				  "guard: expected a policy; it is not given");
	if (!parse->link)
		return;
	if (parse->link->kind == UR_CONFIG_LINK)
		need_ends(parse);
	else if (!parse->given[UR_KEY_SOCKET].line)
		ur_parse_complain(parse, parse->section_line,
				  "%s %s: expected a socket; it is not given",
				  ur_config_kind_name(parse->link->kind),
				  parse->link->name);
}
