// SPDX-License-Identifier: BSD-2-Clause
/*
 * Play attacks: files of messages, of which the last must be refused.
 *
 *     source TEXT              where the attack comes from (required)
 *     device VENDOR:PRODUCT HEX  describes a device by its configuration
 *     use WHICH                a device, enumerated, its configuration selected
 *     read WHICH               the same without the last step
 *     import WHICH             a device, imported and nothing else
 *     > submit key=value...    client to device; also: > unlink
 *     < ret key=value...       device to client; also: < unlinked
 *     > hex BYTES, < hex BYTES any bytes
 *     policy RULE              a rule of the policy, one a line; none: allow all
 *     refused REASON           the last message was refused, by that reason
 *     stalled REASON           or answered here with a stall, and the route goes on
 *     live ...                 for the player against a kernel: live.c
 *
 * WHICH: disk, sound, described (the one of the line "device").
 * keys: seq dir ep len packets setup victim status errors devid; data=N bytes;
 * hex=BYTES of data; iso=offset:length:actual,... Every number may be hexadecimal.
 *
 * Each message before the last must pass with all its bytes; of the last none
 * may, whatever it was cut into, and nothing in either direction afterwards.
 */
#include "compile.h"
#include "dialogue.h"

#define SLICES 4

static struct route R;
static struct described D;
static char why_not[256];
static u64 leaked;

static int is_wrong(const char *what, long got, long want)
{
	snprintf(why_not, sizeof(why_not), "%s: got %ld, want %ld", what, got,
		 want);
	return -1;
}

/* What a kernel reads before it selects a configuration. */
static int read_descriptors(const struct test_device *d)
{
	const u8 get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const u8 get_all[8] = { 0x80, 6, 0, 2, 0, 0, 0xff, 1 };
	int error = route_import(&R, d);

	if (!error)
		error = route_control(&R, 0xff01, get_device, d->device, 18);
	return error ? error : route_control(&R, 0xff02, get_all,
					     d->configuration,
					     d->configuration_bytes);
}

static int start(const char *line)
{
	const struct test_device *d;
	int error;

	if (starts(line, "device "))
		return describe(&D, line) ?
			       is_wrong("a device that cannot be read", 0, 1) :
			       0;
	d = device_of(line, &D);
	if (!d)
		return is_wrong("devices of that name", 0, 1);
	if (starts(line, "use "))
		error = route_enumerate(&R, d);
	else if (starts(line, "read "))
		error = read_descriptors(d);
	else if (starts(line, "import "))
		error = route_import(&R, d);
	else
		return is_wrong("a line nobody understands, byte", line[0], 0);
	return error ? is_wrong("prelude", error, 0) : 0;
}

/* What an honest pair says: nothing of it may pass any more. */
static int is_dead(void)
{
	u64 before = R.passed_in_all;

	put_submit(&M, 0x7001, 0, 2, 0, 0, NULL);
	(void)route_send(&R, UR_TO_DEVICE, M.at, M.bytes, MESSAGE_ROOM);
	put_ret(&M, 0x7001, 0, 0, 0, 0);
	(void)route_send(&R, UR_TO_CLIENT, M.at, M.bytes, MESSAGE_ROOM);
	leaked += R.passed_in_all - before;
	return R.passed_in_all == before ?
		       0 :
		       is_wrong("bytes after the refusal",
				(long)(R.passed_in_all - before), 0);
}

static int check_refused(const char *line, int result, u32 passed)
{
	char want[64] = "";
	const char *got = ur_reason_name(R.guard.verdict.reason);

	sscanf(line, "refused %63s", want);
	leaked += passed;
	if (!result)
		return is_wrong("the last message passed, bytes", passed, 0);
	if (passed > 0)
		return is_wrong("bytes of the refused message", passed, 0);
	if (strcmp(got, want) != 0) {
		snprintf(why_not, sizeof(why_not),
			 "reason: got %s (%s: got %u, want %s %u), want %s", got,
			 R.guard.verdict.why.field, R.guard.verdict.why.got,
			 R.guard.verdict.why.rule, R.guard.verdict.why.want, want);
		return -1;
	}
	return is_dead();
}

/* The route goes on: what an honest client says next passes. */
static int is_alive(void)
{
	const u8 status[8] = { 0x80, 0, 0, 0, 0, 0, 2, 0 };

	put_submit(&M, 0x7001, UR_DIR_IN, 0, 2, 0, status);
	if (route_passes(&R, UR_TO_DEVICE))
		return is_wrong("bytes passed after the stall", R.passed_bytes,
				M.bytes);
	return 0;
}

/* Of the message, which is in M, the device hears nothing and the client a stall. */
static int check_stalled(const char *line, int result, u32 passed)
{
	u8 want[UR_PDU_HEADER_BYTES] = { 0, 0, 0, 3 };
	char reason[64] = "";

	sscanf(line, "stalled %63s", reason);
	leaked += passed;
	memcpy(want + 4, M.at + 4, 4);
	memcpy(want + 20, "\xff\xff\xff\xe0", 4);
	if (result || R.guard.stalled != 1)
		return is_wrong("stalls", R.guard.stalled, 1);
	if (passed > 0)
		return is_wrong("bytes of the stalled message", passed, 0);
	if (strcmp(ur_reason_name(R.guard.forbidden.reason), reason) != 0)
		return is_wrong("reason of the stall",
				R.guard.forbidden.reason, 0);
	if (memcmp(R.stall, want, sizeof(want)) != 0)
		return is_wrong("a stall of that request", 0, 1);
	return is_alive();
}

struct player {
	char rules[LINE_ROOM];
	bool is_open;		/* the route, by those rules */
	int result;		/* of the last message */
	u32 passed, bytes;
	bool has_source;
	bool is_over;
	u32 slice;
};

static int open_route(struct player *p)
{
	static u8 table[UR_COMPILE_BYTES];
	struct ur_compile_error error;
	int bytes = ur_compile(p->rules[0] ? p->rules : "allow", table, &error);

	p->is_open = true;
	if (bytes < 0)
		return is_wrong("a rule that is none, line", error.line, 0);
	return route_open(&R, table, (size_t)bytes, "client1");
}

static int take_rule(struct player *p, const char *rule)
{
	size_t used = strlen(p->rules);

	if (p->is_open || used + strlen(rule) >= sizeof(p->rules))
		return is_wrong("a rule too late or too many, bytes",
				(long)used, sizeof(p->rules));
	strcpy(p->rules + used, rule);
	return 0;
}

static int say(struct player *p, const char *line)
{
	enum ur_travel travel = line[0] == '>' ? UR_TO_DEVICE : UR_TO_CLIENT;

	if (make(line))
		return is_wrong("a message nobody understands, byte", line[2],
				0);
	p->result = route_send(&R, travel, M.at, M.bytes, p->slice);
	p->passed = R.passed_bytes;
	p->bytes = M.bytes;
	return 0;
}

/* What only the last message may: be refused, or not pass with all its bytes. */
static int is_passed(const struct player *p)
{
	if (p->result)
		return is_wrong("refused before the last message, by reason",
				R.guard.verdict.reason, 0);
	if (p->passed != p->bytes)
		return is_wrong("bytes passed of an earlier message", p->passed,
				p->bytes);
	return 0;
}

static int play_line(struct player *p, const char *line)
{
	int error;

	if (line[0] == '#' || line[0] == '\n' || starts(line, "live "))
		return 0;
	if (starts(line, "source ")) {
		p->has_source = true;
		return 0;
	}
	if (starts(line, "policy "))
		return take_rule(p, line + strlen("policy "));
	error = p->is_open ? 0 : open_route(p);
	p->is_over = starts(line, "refused ") || starts(line, "stalled ");
	if (error)
		return error;
	if (starts(line, "refused "))
		return check_refused(line, p->result, p->passed);
	if (starts(line, "stalled "))
		return check_stalled(line, p->result, p->passed);
	error = is_passed(p);
	if (error)
		return error;
	return line[0] == '>' || line[0] == '<' ? say(p, line) : start(line);
}

static int play(const char *path, u32 slice)
{
	struct player p = { .slice = slice };
	char line[LINE_ROOM];
	FILE *file = fopen(path, "r");
	int error = 0;

	if (!file)
		return is_wrong("cannot open the file, errno", 1, 0);
	while (!error && fgets(line, sizeof(line), file))
		error = play_line(&p, line);
	fclose(file);
	if (!error && !p.is_over)
		return is_wrong("line \"refused\" at the end", 0, 1);
	if (!error && !p.has_source)
		return is_wrong("line \"source\"", 0, 1);
	return error;
}

int main(int argc, char **argv)
{
	static const u32 slices[SLICES] = { MESSAGE_ROOM, 1, 7, 48 };
	int i, s, failed = 0;

	printf("1..%d\n", argc - 1);
	for (i = 1; i < argc; i++) {
		const char *name = strrchr(argv[i], '/');
		int error = 0;

		for (s = 0; s < SLICES && !error; s++)
			error = play(argv[i], slices[s]);
		if (error)
			printf("# %s\n", why_not);
		printf("%sok %d - %s\n", error ? "not " : "", i,
		       name ? name + 1 : argv[i]);
		failed += error != 0;
	}
	printf("attacks: %d of %d refused, %llu bytes passed\n",
	       argc - 1 - failed, argc - 1, (unsigned long long)leaked);
	return failed != 0;
}
