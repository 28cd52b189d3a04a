// SPDX-License-Identifier: BSD-2-Clause
/*
 * The client's side, against a device VM: imports the device, reads what a kernel
 * would read ("use"), and sends the file's requests as they are. The device's own
 * number replaces the file's; a number that the file says ("devid=") becomes one
 * that is not the device's.
 */
#include <err.h>
#include <unistd.h>

#include "live.h"

#define ASKED 64
#define PRELUDE_SEQNUM 0xff01u

static struct {
	int fd;
	u32 devid;
	struct {
		u32 seqnum;
		bool is_in;
	} asked[ASKED];
	u32 count;
} C;

static bool import(const char *busid)
{
	u8 reply[320];

	put_import(&M, busid);
	if (!live_send(C.fd, M.at, M.bytes) ||
	    !live_receive(C.fd, reply, 8, 10000))
		return false;
	if (live_be32(reply + 4) != 0) {
		live_say("import refused, status %u", live_be32(reply + 4));
		return false;
	}
	if (!live_receive(C.fd, reply + 8, 312, LIVE_WAIT_MS))
		return false;
	C.devid = live_be32(reply + 8 + 288) << 16 | live_be32(reply + 8 + 292);
	return true;
}

static void ask(u32 seqnum, bool is_in)
{
	C.asked[C.count % ASKED].seqnum = seqnum;
	C.asked[C.count++ % ASKED].is_in = is_in;
}

static bool was_in(u32 seqnum)
{
	u32 i;

	for (i = 0; i < C.count && i < ASKED; i++)
		if (C.asked[i].seqnum == seqnum)
			return C.asked[i].is_in;
	return false;
}

/* One answer, said if `loud`. False: the stream ended, or nothing came. */
static bool take(bool loud)
{
	static u8 bytes[1 << 20];
	u32 command, seqnum, length, more;

	if (live_wait(C.fd, LIVE_WAIT_MS) != 1 ||
	    !live_receive(C.fd, bytes, 48, LIVE_WAIT_MS))
		return false;
	command = live_be32(bytes);
	seqnum = live_be32(bytes + 4);
	length = live_be32(bytes + 24);
	if (loud)
		live_say("answer %s seq=%u status=%d len=%u",
			 command == 3 ? "ret" : "unlinked", seqnum,
			 (int)live_be32(bytes + 20), command == 3 ? length : 0);
	more = command == 3 && was_in(seqnum) ? length : 0;
	return more <= sizeof(bytes) &&
	       live_receive(C.fd, bytes, more, LIVE_WAIT_MS);
}

static bool control(u32 number, const u8 setup[8])
{
	put_submit(&M, PRELUDE_SEQNUM + number, setup[0] >> 7, 0,
		   setup[6] + setup[7] * 256u, 0, setup);
	live_put_be32(M.at + 8, C.devid);
	ask(PRELUDE_SEQNUM + number, setup[0] >> 7);
	return live_send(C.fd, M.at, M.bytes) && take(false);
}

static bool enumerate(void)
{
	const u8 get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	const u8 get_all[8] = { 0x80, 6, 0, 2, 0, 0, 0xff, 0 };
	const u8 set[8] = { 0, 9, 1, 0, 0, 0, 0, 0 };

	return control(0, get_device) && control(1, get_all) && control(2, set);
}

static bool say_line(const struct live *live, const char *line)
{
	bool is_data = starts(line, "> submit") && number_of(line, "ep", 0) != 0;

	if (line[0] == '<')
		return take(true);
	if (make(line))
		errx(1, "a message nobody understands: %s", line);
	if (!starts(line, "> hex"))
		live_put_be32(M.at + 8, C.devid + (value_of(line, "devid") != 0));
	if (is_data && live->real_ep != 0) {
		live_put_be32(M.at + 12, live->real_dir);
		live_put_be32(M.at + 16, live->real_ep);
	}
	ask(number_of(line, "seq", 1), live_be32(M.at + 12));
	return live_send(C.fd, M.at, M.bytes);
}

static bool begin(const struct live *live, const char *busid)
{
	if (live->prelude[0] == '\0')
		return true;
	if (!import(busid))
		return false;
	live_say("imported");
	return strcmp(live->prelude, "use") != 0 || enumerate();
}

int live_client(struct live *live, const char *where, const char *busid)
{
	u32 i;
	int at_end;

	C.fd = live_call(where);
	if (C.fd < 0)
		err(1, "%s", where);
	if (!begin(live, busid)) {
		live_say("closed before the attack");
		return 0;
	}
	for (i = 0; i < live->count && say_line(live, live->line[i]); i++)
		continue;
	live_say("played");
	while (take(true))
		continue;
	at_end = live_wait(C.fd, 0);
	live_say(at_end < 0 ? "closed" : "open");
	close(C.fd);
	return 0;
}
