// SPDX-License-Identifier: BSD-2-Clause
/*
 * The device's side. Whatever the file does not speak of is answered as an honest
 * device would. The client's kernel enumerates; then, request by request, the
 * file's lines come true:
 *
 *      "> submit" or "> unlink"   wait for such a request of the client's kernel
 *      "< ..."                    send it, with the kernel's sequence numbers
 *
 * A file that begins with "import" changes the enumeration itself: its answers
 * are what the kernel gets when it asks for those descriptors, in whatever pieces.
 * After "live reset" they are what it gets when it asks again.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "live.h"

#define SEQNUMS 256
#define DATA_ROOM (1u << 20)

struct header {
	u32 command;
	u32 seqnum;
	u32 direction;
	u32 ep;
	u32 length;		/* of an unlink: its victim */
	u32 packets;
	u8 setup[8];
};

static struct player {
	struct live *live;
	int fd;
	u32 at;			/* next line */
	bool is_configured;	/* the kernel has, once */
	bool is_other;		/* descriptors come from the file now */
	bool has_played;
	u32 file_seqnum[SEQNUMS], kernel_seqnum[SEQNUMS];
	u32 seqnums;
	u32 pending[SEQNUMS];	/* honest reads that have no answer */
	u32 pending_count;
	u32 report;
} P;

static u8 data[DATA_ROOM];

/* ---- answers -------------------------------------------------------------- */

static bool answer(const struct header *h, int status, const void *at, u32 bytes)
{
	bool is_in = h->direction == 1;
	u32 i;

	put_ret(&M, h->seqnum, (u32)status, status ? 0 : bytes,
		h->packets == 0xffffffff ? 0 : h->packets, 0);
	for (i = 0; !status && is_in && i < bytes; i++)
		put8(&M, ((const u8 *)at)[i]);
	return live_send(P.fd, M.at, M.bytes);
}

static bool give(const struct header *h, const u8 *at, u32 bytes)
{
	return answer(h, 0, at, bytes < h->length ? bytes : h->length);
}

/* ---- descriptors ---------------------------------------------------------- */

/* The file's answer to a GET_DESCRIPTOR of this wValue, or 0 bytes. */
static u32 from_file(const u8 setup[8], u8 *to)
{
	u32 i;

	for (i = 0; i + 1 < P.live->count; i++) {
		const char *line = P.live->line[i];
		const char *at = value_of(line, "setup");

		if (line[0] != '>' || !at || P.live->line[i + 1][0] != '<')
			continue;
		M.bytes = 0;
		put_hex_word(at);
		if (memcmp(M.at, setup, 4) != 0)
			continue;
		M.bytes = 0;
		put_hex_word(value_of(P.live->line[i + 1], "hex"));
		memcpy(to, M.at, M.bytes);
		return M.bytes;
	}
	return 0;
}

static bool has_bos(void)
{
	u8 setup[8] = { 0x80, 6, 0, 15 }, to[LINE_ROOM];

	return strcmp(P.live->prelude, "import") == 0 && from_file(setup, to) > 0;
}

static bool give_string(const struct header *h, u8 number)
{
	static const char text[] = "usbroute";
	u8 bytes[2 + 2 * sizeof(text)] = { 4, 3, 0x09, 0x04 };
	u32 i;

	if (number == 0)
		return give(h, bytes, 4);
	for (i = 0; text[i]; i++) {
		bytes[2 + 2 * i] = (u8)text[i];
		bytes[3 + 2 * i] = 0;
	}
	bytes[0] = (u8)(2 + 2 * i);
	return give(h, bytes, bytes[0]);
}

/* HID 1.11 appendix B.1: modifiers, a byte, six keys. */
static const u8 keyboard_report[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,
	0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01,
	0x75, 0x08, 0x81, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65,
	0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0xc0,
};

static bool give_descriptor(const struct header *h)
{
	const struct test_device *d = P.live->device;
	u8 other[LINE_ROOM], device[18];
	u32 bytes = P.is_other ? from_file(h->setup, other) : 0;

	if (bytes > 0) {
		P.has_played = P.has_played || h->length > 9;
		return give(h, other, bytes);
	}
	switch (h->setup[3]) {
	case 1:
		memcpy(device, d->device, sizeof(device));
		device[2] = has_bos() ? 0x10 : device[2];
		return give(h, device, sizeof(device));
	case 2:
		return give(h, d->configuration, d->configuration_bytes);
	case 3:
		return give_string(h, h->setup[2]);
	case 0x22:
		return give(h, keyboard_report, sizeof(keyboard_report));
	}
	return answer(h, -EPIPE, NULL, 0);
}

/* ---- an honest device ----------------------------------------------------- */

static bool control(const struct header *h)
{
	static const u8 status[2] = { 1, 0 };
	bool is_class = (h->setup[0] & 0x60) != 0;

	if (is_class)
		return answer(h, h->direction ? -EPIPE : 0, NULL, h->length);
	switch (h->setup[1]) {
	case 0:
		return give(h, status, sizeof(status));
	case 6:
		return give_descriptor(h);
	case 9:
		P.is_configured = true;
		P.has_played = P.has_played ||
			       strcmp(P.live->prelude, "read") == 0;
		/* fall through */
	default:
		return answer(h, h->direction ? -EPIPE : 0, NULL, h->length);
	}
}

/* What a keyboard types: "owned", when somebody has had time to listen. */
static bool press(const struct header *h)
{
	static const u8 keys[] = { 0x12, 0x1a, 0x11, 0x08, 0x07 };
	u8 report[8] = { 0 };

	if (P.report == 0)
		poll(NULL, 0, 1000);
	if (P.report / 2 < sizeof(keys)) {
		report[2] = P.report % 2 ? 0 : keys[P.report / 2];
		P.report++;
		return give(h, report, sizeof(report));
	}
	P.pending[P.pending_count++ % SEQNUMS] = h->seqnum;
	return true;
}

static bool unlinked(const struct header *h)
{
	u32 i, status = 0;

	for (i = 0; i < P.pending_count && i < SEQNUMS; i++)
		if (P.pending[i] == h->length)
			status = (u32)-ECONNRESET;
	put_unlinked(&M, h->seqnum, status);
	return live_send(P.fd, M.at, M.bytes);
}

static bool honest(const struct header *h)
{
	if (h->command == 2)
		return unlinked(h);
	if (h->ep == 0)
		return control(h);
	if (h->direction == 0)
		return answer(h, 0, NULL, h->length);
	if (P.is_other && P.live->has_reset)
		return press(h);
	P.pending[P.pending_count++ % SEQNUMS] = h->seqnum;
	return true;
}

/* ---- the file's lines ----------------------------------------------------- */

static u32 kernel_number(u32 file)
{
	u32 i;

	for (i = 0; i < P.seqnums; i++)
		if (P.file_seqnum[i] == file)
			return P.kernel_seqnum[i];
	return file;
}

static bool is_meant(const char *line, const struct header *h)
{
	const char *setup = value_of(line, "setup");

	if (starts(line, "> unlink"))
		return h->command == 2 &&
		       h->length == kernel_number(number_of(line, "victim", 0));
	if (!starts(line, "> submit") || h->command != 1 ||
	    h->ep != number_of(line, "ep", 0) ||
	    h->direction != number_of(line, "dir", 0))
		return false;
	if (!setup)
		return true;
	M.bytes = 0;
	put_hex_word(setup);
	return memcmp(M.at, h->setup, 8) == 0;
}

static bool say_lines(void)
{
	const struct live *l = P.live;
	bool good = true;
	u32 seqnum;

	while (good && P.at < l->count && l->line[P.at][0] == '<') {
		const char *line = l->line[P.at++];

		if (make(line))
			errx(1, "a message nobody understands: %s", line);
		seqnum = kernel_number(number_of(line, "seq", 1));
		if (!starts(line, "< hex"))
			live_put_be32(M.at + 4, seqnum);
		good = live_send(P.fd, M.at, M.bytes);
		P.has_played = P.at == l->count;
	}
	return good;
}

static bool follow(const struct header *h)
{
	P.file_seqnum[P.seqnums] = number_of(P.live->line[P.at], "seq", 1);
	P.kernel_seqnum[P.seqnums++ % SEQNUMS] = h->seqnum;
	P.at++;
	return say_lines();
}

/* Do the file's lines count from now on? */
static bool is_on(void)
{
	return strcmp(P.live->prelude, "use") == 0 && P.is_configured &&
	       !P.live->has_reset && P.at < P.live->count;
}

static bool handle(const struct header *h)
{
	bool was_on = is_on();

	if (was_on && P.live->line[P.at][0] == '>' &&
	    is_meant(P.live->line[P.at], h))
		return follow(h);
	if (!honest(h))
		return false;
	if (P.is_configured && P.live->has_reset)
		P.is_other = true;
	return was_on || !is_on() || say_lines();
}

/* ---- messages ------------------------------------------------------------- */

static bool receive(struct header *h)
{
	u8 bytes[48];
	u32 more = 0;

	if (!live_receive(P.fd, bytes, sizeof(bytes), LIVE_START_MS))
		return false;
	h->command = live_be32(bytes);
	h->seqnum = live_be32(bytes + 4);
	h->direction = live_be32(bytes + 12);
	h->ep = live_be32(bytes + 16);
	h->length = live_be32(bytes + (h->command == 1 ? 24 : 20));
	h->packets = live_be32(bytes + 32);
	memcpy(h->setup, bytes + 40, 8);
	if (h->command != 1)
		return true;
	if (h->direction == 0)
		more = h->length;
	if (h->packets != 0xffffffff)
		more += 16 * h->packets;
	return more <= DATA_ROOM && live_receive(P.fd, data, more, LIVE_WAIT_MS);
}

/* Until the client is gone; says how it took the attack. */
static void serve(void)
{
	struct header h;
	bool has_said = false, has_waited = false;
	int got;

	for (;;) {
		if (P.has_played && !has_said)
			live_say("played");
		has_said = P.has_played;
		got = live_wait(P.fd, P.has_played ? LIVE_WAIT_MS : LIVE_START_MS);
		if (got < 0 || (got == 0 && has_waited))
			break;
		if (got == 0)
			live_say("open");
		has_waited = has_waited || got == 0;
		if (got == 1 && (!receive(&h) || !handle(&h)))
			break;
	}
	if (P.has_played && !has_said)
		live_say("played");
	live_say(got == 0 ? "idle" : "closed");
}

/* ---- before the import ---------------------------------------------------- */

static void put_list(const struct test_device *d)
{
	u8 record[320];

	put_imported(&M, d, "1-1");
	memcpy(record, M.at + 8, 312);
	M.bytes = 0;
	put32(&M, 0x01110005);
	put32(&M, 0);
	put32(&M, 1);
	memcpy(M.at + M.bytes, record, 312);
	M.bytes += 312;
	put32(&M, 0);
}

/* One connection. True: it imported the device. */
static bool begin(int fd)
{
	u8 bytes[40];

	if (P.live->prelude[0] == '\0') {
		P.fd = fd;
		say_lines();
	}
	if (!live_receive(fd, bytes, 8, LIVE_WAIT_MS))
		return false;
	if ((live_be32(bytes) & 0xffff) == 0x8005) {
		put_list(P.live->device);
		live_send(fd, M.at, M.bytes);
		return false;
	}
	if (!live_receive(fd, bytes + 8, 32, LIVE_WAIT_MS))
		return false;
	put_imported(&M, P.live->device, "1-1");
	return live_send(fd, M.at, M.bytes);
}

int live_device(struct live *live, const char *where)
{
	int fd, listener = live_listen(where);

	P.live = live;
	P.is_other = strcmp(live->prelude, "import") == 0;
	live_say("serving");
	for (;;) {
		fd = live_accept(where, listener);
		if (fd < 0)
			errx(1, "nobody called in %d ms", LIVE_START_MS);
		if (begin(fd))
			break;
		close(fd);
		if (P.has_played) {
			live_say("played");
			live_say("closed");
			return 0;
		}
	}
	P.fd = fd;
	live_say("imported");
	serve();
	return 0;
}
