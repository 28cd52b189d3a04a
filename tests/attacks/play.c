// SPDX-License-Identifier: BSD-2-Clause
/*
 * Play attacks: files of messages, of which the last must be refused.
 *
 *     source TEXT              where the attack comes from (required)
 *     use disk|sound           a device, enumerated, its configuration selected
 *     import disk|sound        a device, imported and nothing else
 *     > submit key=value...    client to device; also: > unlink
 *     < ret key=value...       device to client; also: < unlinked
 *     > hex BYTES, < hex BYTES any bytes
 *     refused REASON           the last message was refused, by that reason
 *
 * keys: seq dir ep len packets setup victim status errors devid; data=N bytes;
 * hex=BYTES of data; iso=offset:length:actual,... Every number may be hexadecimal.
 *
 * Each message before the last must pass with all its bytes; of the last none
 * may, whatever it was cut into, and nothing in either direction afterwards.
 */
#include "route.h"

#define LINE_ROOM 4096
#define SLICES 4

static struct route R;
static char why_not[256];
static u64 leaked;

static int is_wrong(const char *what, long got, long want)
{
	snprintf(why_not, sizeof(why_not), "%s: got %ld, want %ld", what, got,
		 want);
	return -1;
}

static const char *value_of(const char *line, const char *key)
{
	char padded[32];
	const char *at;

	snprintf(padded, sizeof(padded), " %s=", key);
	at = strstr(line, padded);
	return at ? at + strlen(padded) : NULL;
}

static u32 number_of(const char *line, const char *key, u32 otherwise)
{
	const char *at = value_of(line, key);

	return at ? (u32)strtoll(at, NULL, 0) : otherwise;
}

static void put_hex(const char *at)
{
	char pair[3] = "";

	for (; at && at[0] && at[0] != '\n'; at++) {
		if (at[0] == ' ')
			continue;
		memcpy(pair, at, 2);
		put8(&M, (u32)strtoul(pair, NULL, 16));
		at++;
	}
}

static void put_hex_word(const char *at)
{
	char word[LINE_ROOM];

	if (at && sscanf(at, "%4095s", word) == 1)
		put_hex(word);
}

static void put_data(const char *line)
{
	u32 i, bytes = number_of(line, "data", 0);

	for (i = 0; i < bytes; i++)
		put8(&M, i * 7);
	put_hex_word(value_of(line, "hex"));
}

static void put_iso(const char *line)
{
	const char *at = value_of(line, "iso");
	unsigned offset, length, actual;
	int used;

	while (at && sscanf(at, "%i:%i:%i%n", (int *)&offset, (int *)&length,
			    (int *)&actual, &used) == 3) {
		put32(&M, offset);
		put32(&M, length);
		put32(&M, actual);
		put32(&M, 0);
		at = at[used] == ',' ? at + used + 1 : NULL;
	}
}

static void set_word(u32 at, u32 value)
{
	u32 bytes = M.bytes;

	M.bytes = at;
	put32(&M, value);
	M.bytes = bytes;
}

static void put_request(const char *line, u32 seq)
{
	const char *setup = value_of(line, "setup");
	u8 eight[8] = { 0 };

	if (setup) {
		M.bytes = 0;
		put_hex_word(setup);
		memcpy(eight, M.at, 8);
	}
	put_submit(&M, seq, number_of(line, "dir", 0), number_of(line, "ep", 0),
		   number_of(line, "len", 0), number_of(line, "packets", 0),
		   eight);
}

static int make(const char *line)
{
	u32 seq = number_of(line, "seq", 1);
	u32 status = number_of(line, "status", 0);

	M.bytes = 0;
	if (strncmp(line + 1, " submit", 7) == 0)
		put_request(line, seq);
	else if (strncmp(line + 1, " unlinked", 9) == 0)
		put_unlinked(&M, seq, status);
	else if (strncmp(line + 1, " unlink", 7) == 0)
		put_unlink(&M, seq, number_of(line, "victim", 0));
	else if (strncmp(line + 1, " ret", 4) == 0)
		put_ret(&M, seq, status, number_of(line, "len", 0),
			number_of(line, "packets", 0),
			number_of(line, "errors", 0));
	else if (strncmp(line + 1, " hex ", 5) == 0)
		put_hex(line + 6);
	else
		return is_wrong("a line nobody understands, byte", line[2], 0);
	if (value_of(line, "devid"))
		set_word(8, number_of(line, "devid", 0));
	if (strncmp(line + 1, " hex ", 5) != 0)
		put_data(line);
	put_iso(line);
	return 0;
}

static int start(const char *line)
{
	size_t i;

	for (i = 0; i < sizeof(TEST_DEVICES) / sizeof(TEST_DEVICES[0]); i++) {
		const struct test_device *d = &TEST_DEVICES[i];
		int error;

		if (!strstr(line, d->name))
			continue;
		error = line[0] == 'u' ? route_enumerate(&R, d) :
					 route_import(&R, d);
		return error ? is_wrong("prelude", error, 0) : 0;
	}
	return is_wrong("devices of that name", 0, 1);
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

struct player {
	int result;		/* of the last message */
	u32 passed;
	bool has_source;
	bool is_over;
	u32 slice;
};

static int play_line(struct player *p, const char *line)
{
	enum ur_travel travel = line[0] == '>' ? UR_TO_DEVICE : UR_TO_CLIENT;

	if (line[0] == '#' || line[0] == '\n')
		return 0;
	if (strncmp(line, "source ", 7) == 0) {
		p->has_source = true;
		return 0;
	}
	if (p->result)
		p->is_over = strncmp(line, "refused ", 8) == 0;
	if (strncmp(line, "refused ", 8) == 0)
		return check_refused(line, p->result, p->passed);
	if (p->result)
		return is_wrong("refused before the last message, by reason",
				R.guard.verdict.reason, 0);
	if (line[0] != '>' && line[0] != '<')
		return start(line);
	if (make(line))
		return -1;
	p->result = route_send(&R, travel, M.at, M.bytes, p->slice);
	p->passed = R.passed_bytes;
	if (!p->result && p->passed != M.bytes && p->passed != 0)
		return is_wrong("bytes passed", p->passed, M.bytes);
	return 0;
}

static int play(const char *path, u32 slice)
{
	struct player p = { .slice = slice };
	char line[LINE_ROOM];
	FILE *file = fopen(path, "r");
	int error;

	if (!file)
		return is_wrong("cannot open the file, errno", 1, 0);
	error = route_open(&R, ALLOW_ALL, sizeof(ALLOW_ALL), "client1");
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
	printf("# attacks: %d of %d refused, %llu bytes passed\n",
	       argc - 1 - failed, argc - 1, (unsigned long long)leaked);
	return failed != 0;
}
