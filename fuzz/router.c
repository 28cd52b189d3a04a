// SPDX-License-Identifier: BSD-2-Clause
/*
 * The router between two clients and two device VMs that say what the input says: the
 * drawing is in tests/loop/router_bed.h.
 *
 *     operations, each a byte (enum op), one that says whose: bit 0 which VM of its
 *     kind, bit 1 which of its channels; and what it needs
 *
 * The ends keep to the rules of channels (fuzzing those is tests/evil's), and to
 * nothing else: lists, imports and their answers, whole or not, late, twice, unasked.
 *
 * What a client hears is read here, plainly: one whole answer to what it asked, and of
 * devices that its rules allow. No two routes have one device. Each refusal has a
 * reason and is counted. When all have hung up no call is left.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "fuzz.h"
#include "router_bed.h"

enum op { LIST, IMPORT, TAKE, REFUSE, RAW, DEVICES, GIVE, DECLINE, END, TICK,
	  REBORN, OPS };
enum { SLOTS = 2, TRIES = 32 };

/* What each client asked on a channel: a list, or that device. */
static struct {
	bool is_list;
	char busid[33];
} asked[2][SLOTS];

static const char *const NAMES[] = {
	"usb1:1-1", "usb2:2-1", "1-1", "2-1", "serial:7", "nosuch:1-1", "usb1:",
	"usb2:1-1", "usb1:usb2:1-1", "serial:", "usb1:\"\n",
};
static const char *const BUSIDS[] = { "1-1", "2-1", "1-2", "usb2:2-1" };

#define PICK(array, from) ((array)[(from) % (sizeof(array) / sizeof((array)[0]))])

/* ---- what must hold ------------------------------------------------------------ */

/* The first client's rule is about what it is, the second one's about where. */
static void check_allowed(int client, const u8 *device, const char *port)
{
	if (client == CLIENT1)
		fuzz_holds(memcmp(device + 300, "\x46\xf4\0\1", 4) == 0,
			   "client1 sees the devices of its rule");
	else
		fuzz_holds(strcmp(port, "usb2:2-1") == 0,
			   "client2 sees the device of its rule");
}

static bool is_port(const char *name)
{
	return strncmp(name, "usb1:", 5) == 0 || strncmp(name, "usb2:", 5) == 0;
}

static void check_list(int client, const struct talk *t)
{
	u32 at = 12, i, count;

	if (t->bytes < 12)
		return;
	fuzz_holds(fuzz_big32(t->heard) == 0x01110005 &&
			   fuzz_big32(t->heard + 4) == 0,
		   "a list is a list");
	count = fuzz_big32(t->heard + 8);
	for (i = 0; i < count && t->bytes >= at + 312; i++) {
		const char *name = (const char *)t->heard + at + 256;

		fuzz_holds(memchr(name, 0, 32) && is_port(name),
			   "a device has the guard's name");
		check_allowed(client, t->heard + at, name);
		at += 312 + 4u * t->heard[at + 311];
	}
	if (t->over == 0)
		fuzz_holds(i == count && t->bytes == at, "a list ends as it says");
}

static void check_import(int client, int k, const struct talk *t)
{
	const char *name = (const char *)t->heard + 8 + 256;
	const char *want = asked[client][k].busid;

	if (t->bytes < 8)
		return;
	fuzz_holds(fuzz_big32(t->heard) == 0x01110003, "an import's answer");
	if (fuzz_big32(t->heard + 4) != 0)
		fuzz_holds(t->bytes == 8, "nothing behind a refusal");
	if (t->bytes < 320)
		return;
	fuzz_holds(memchr(name, 0, 32) != NULL, "a name that ends");
	fuzz_holds(strncmp(want, "serial:", 7) == 0 ? is_port(name) :
						      strcmp(name, want) == 0,
		   "the device that was asked for");
	if (is_port(name) || client == CLIENT1)
		check_allowed(client, t->heard + 8, name);
}

/* A device VM is asked for its list, or for one device of its own. */
static void check_asked(const struct talk *t)
{
	u32 code = fuzz_big32(t->heard);

	if (t->bytes < 8)
		return;
	fuzz_holds(code == 0x01118005 || code == 0x01118003, "a request");
	fuzz_holds(code == 0x01118003 || t->bytes == 8, "a list is asked for once");
}

static void check_talks(void)
{
	int vm, k;

	for (vm = 0; vm < VMS; vm++)
		for (k = 0; k < SLOTS; k++) {
			const struct talk *t = &talks[vm][k];

			if (vm > CLIENT2)
				check_asked(t);
			else if (asked[vm][k].is_list)
				check_list(vm, t);
			else
				check_import(vm, k, t);
		}
}

static void check_routes(void)
{
	u32 i, j;

	for (i = 0; i < CALLS; i++)
		for (j = 0; j < i; j++)
			fuzz_holds(calls[i].state != UR_CALL_ROUTED ||
				   calls[j].state != UR_CALL_ROUTED ||
				   strcmp(calls[i].route.guard.port.text,
					  calls[j].route.guard.port.text) != 0,
				   "a device has one route");
}

static void check_record(const struct ur_audit_record *r)
{
	enum ur_reason reason = r->verdict.reason;
	char line[UR_AUDIT_LINE_BYTES];
	u32 i, quotes = 0, bytes = ur_audit_line(r, line);

	fuzz_holds(r->event < UR_AUDIT_EVENTS && reason < UR_REASONS, "a record");
	fuzz_holds(r->event != UR_AUDIT_REFUSED || reason != UR_REASON_NONE,
		   "a refusal has a reason");
	if (reason != UR_REASON_NONE)
		fuzz_holds(r->total > 0 &&
				   r->total <= router.audit.refused[reason],
			   "a refusal is counted");
	fuzz_holds(bytes == strlen(line), "a line ends where it says");
	for (i = 0; i < bytes; i++) {
		fuzz_holds(line[i] >= 32 && line[i] < 127, "a line can be printed");
		quotes += line[i] == '"';
	}
	fuzz_holds(quotes % 2 == 0 && !strchr(line, '\\'), "no text needs an escape");
}

static void check_all(void)
{
	struct ur_audit_record record;

	check_talks();
	check_routes();
	while (ur_audit_take(&router.audit, &record))
		check_record(&record);
}

/* ---- what the ends do ----------------------------------------------------------- */

static void end(int vm, int k)
{
	if (talks[vm][k].over != 1)
		return;
	check_talks();
	hang_up(vm, k);
}

/* As much of it as is taken while everybody listens. */
static void offer(int vm, int k, const u8 *bytes, u32 count)
{
	struct talk *t = &talks[vm][k];
	int tries, n;

	for (tries = 0; tries < TRIES && count > 0 && t->over == 1; tries++) {
		n = pair_send(end_of(vm), t->ticket, bytes, count);
		if (n < 0 && n != UR_TRY_AGAIN)
			return;
		bytes += n > 0 ? n : 0;
		count -= n > 0 ? (u32)n : 0;
		hear_all(2);
	}
	hear_all(3);
}

static void ask(int client, int k, const char *busid)
{
	struct talk *t = &talks[client][k];

	end(client, k);
	if (ur_channel_call(end_of(client), UR_SERVICE_USBIP, &t->ticket))
		return;
	t->over = 1;
	t->bytes = 0;
	spin(3);
	asked[client][k].is_list = busid == NULL;
	snprintf(asked[client][k].busid, 33, "%s", busid ? busid : "");
	M.bytes = 0;
	put32(&M, busid ? 0x01118003 : 0x01118005);
	put32(&M, 0);
	if (busid)
		put_text(&M, busid, 32);
	offer(client, k, M.at, M.bytes);
}

static void accept_call(int vm, int k)
{
	struct talk *t = &talks[vm][k];
	u32 service;
	int c;

	spin(3);
	ur_link_look(end_of(vm));
	c = ur_channel_called(end_of(vm), 0, &service);
	if (c < 0 || t->over == 1)
		return;
	fuzz_holds(service == UR_SERVICE_USBIP, "the router calls for USB/IP");
	if (ur_channel_accept(end_of(vm), (u32)c, &t->ticket))
		return;
	t->over = 1;
	t->bytes = 0;
	hear_all(3);
}

static void refuse_call_of_router(int vm)
{
	u32 service;
	int c = ur_channel_called(end_of(vm), 0, &service);

	if (c >= 0)
		ur_channel_refuse(end_of(vm), (u32)c);
	spin(3);
}

/* So many devices as it says, or fewer or more. */
static void list_devices(struct fuzz_input *in, int vm, int k)
{
	u32 said = fuzz_u8(in), there = fuzz_u8(in) % 8, i;

	M.bytes = 0;
	put32(&M, 0x01110005);
	put32(&M, 0);
	put32(&M, said);
	for (i = 0; i < there; i++) {
		const struct test_device *d = &PICK(TEST_DEVICES, fuzz_u8(in));

		put_device(d, PICK(BUSIDS, fuzz_u8(in)));
	}
	offer(vm, k, M.at, M.bytes);
}

static void give_device(struct fuzz_input *in, int vm, int k)
{
	const struct test_device *d = &PICK(TEST_DEVICES, fuzz_u8(in));

	put_imported(&M, d, PICK(BUSIDS, fuzz_u8(in)));
	offer(vm, k, M.at, M.bytes);
}

static void decline_device(struct fuzz_input *in, int vm, int k)
{
	M.bytes = 0;
	put32(&M, 0x01110003);
	put32(&M, fuzz_u8(in));
	offer(vm, k, M.at, M.bytes);
}

static void say_raw(struct fuzz_input *in, int vm, int k)
{
	size_t got;
	u8 *bytes = fuzz_bytes(in, fuzz_u16(in) % 1024, &got);

	offer(vm, k, bytes, (u32)got);
	free(bytes);
}

static void reborn(int vm)
{
	int k;

	check_talks();
	for (k = 0; k < SLOTS; k++)
		talks[vm][k].over = talks[vm][k].bytes = 0;
	pair_reborn(&P4[vm], vm <= CLIENT2 ? UR_END_B : UR_END_A);
	is_rung = true;
	spin(4);
}

static void operate(struct fuzz_input *in)
{
	enum op op = fuzz_u8(in) % OPS;
	u32 whose = fuzz_u8(in);
	int client = CLIENT1 + (whose & 1), device = USB1 + (whose & 1);
	int k = whose >> 1 & 1, any = whose & 4 ? client : device;

	switch (op) {
	case LIST:
		return ask(client, k, NULL);
	case IMPORT:
		return ask(client, k, PICK(NAMES, fuzz_u8(in)));
	case TAKE:
		return accept_call(device, k);
	case REFUSE:
		return refuse_call_of_router(device);
	case RAW:
		return say_raw(in, any, k);
	case DEVICES:
		return list_devices(in, device, k);
	case GIVE:
		return give_device(in, device, k);
	case DECLINE:
		return decline_device(in, device, k);
	case END:
		return end(any, k);
	case TICK:
		return tick(fuzz_u8(in) % 40);
	default:
		return reborn(any);
	}
}

static bool is_idle(void)
{
	return ur_router_calls(&router, UR_CALL_FREE) == CALLS;
}

/* Everybody hangs up, and time passes: the router has nothing left. */
static void all_end(void)
{
	int vm, k, i;

	for (vm = 0; vm < VMS; vm++)
		for (k = 0; k < SLOTS; k++)
			end(vm, k);
	for (i = 0; i < 4 * (int)UR_ROUTER_PATIENCE && !is_idle(); i++) {
		for (vm = USB1; vm <= USB2; vm++)
			refuse_call_of_router(vm);
		tick(1);
	}
	check_all();
	fuzz_holds(is_idle(), "no call is left");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	void *state = NULL;

	setup(&state);
	memset(asked, 0, sizeof(asked));
	while (in.left > 0) {
		operate(&in);
		hear_all(1);
		check_all();
	}
	all_end();
	teardown(&state);
	return 0;
}
