// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guard as a protection domain: a link to the client VM, a link to the device
 * VM, relay/ between, and nothing else. Channels and memory: guarded.system.
 *
 *      a VMM: its guest rang -+-> look, turn ... until nothing moves, ring, arm
 *      timer: 100 ms          |   the lines of the audit into their ring
 *      timer: rested         -+
 *
 * On one processor no guest runs while the guard does, so what moves in one wake-up
 * is at most what the rings hold. Where a guest has a processor of its own it could
 * feed the guard for ever: after TURNS turns the guard rests as long as it worked,
 * and takes at most half of its processor from whoever is below it.
 *
 * Fails closed. A guard that cannot start announces itself on no link, and one that
 * faults is not started again: in both cases nothing is between the links.
 */
#include <microkit.h>

#include "audit_ring.h"
#include "board.h"
#include "router.h"

enum { CH_CLIENT, CH_DEVICE, CH_TIMER };

/* As many as a client can call: A's half of a link's channels. */
#define CALLS (UR_CHANNELS_DEFAULT / 2)
#define TRANSFER_BYTES (1u << 20)	/* of one request; Linux's disks ask for no more */
#define TURNS 32
#define TICKS_A_SECOND 10

/* Set by the Microkit tool. */
uintptr_t client_own, client_outbox;
uintptr_t device_own, device_outbox;
uintptr_t buffers, audit_ring;
u64 buffer_bytes, audit_bytes;

/* policy.S */
extern const u8 ur_policy_table[], ur_policy_table_end[];

static struct ur_link client_link, device_link;
static struct ur_policy policy;
static struct ur_call calls[CALLS];
static struct ur_router router;
static struct ur_audit_ring audit;
static bool has_started;

static u64 last_tick;		/* all in the counter's ticks */
static u64 rests_until;
static bool is_timed;		/* the timer will call */

/* ---- time ---------------------------------------------------------------- */

static u64 now(void)
{
	u64 ticks;

	__asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks) :: "memory");
	return ticks;
}

static u64 ticks_per_tick(void)
{
	u64 hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz / TICKS_A_SECOND;
}

static void call_me(u64 ticks)
{
	microkit_mr_set(0, ticks);
	microkit_ppcall(CH_TIMER, microkit_msginfo_new(0, 1));
	is_timed = true;
}

/* By the counter and not by the timer's word: a doorbell does as well. */
static void tick(void)
{
	u64 at = now();

	if (at - last_tick < ticks_per_tick())
		return;
	last_tick = at;
	ur_router_tick(&router);
}

/* While nobody is connected only doorbells matter. */
static void ask_for_tick(void)
{
	if (!is_timed && ur_router_calls(&router, UR_CALL_FREE) < CALLS)
		call_me(now() + ticks_per_tick());
}

/* ---- words --------------------------------------------------------------- */

static void say(const char *what)
{
	microkit_dbg_puts(microkit_name);
	microkit_dbg_puts("|usbroute: ");
	microkit_dbg_puts(what);
	microkit_dbg_puts("\n");
}

/* All of them into the ring; what was refused on the debug console too. */
static void write_audit(void)
{
	struct ur_audit_record record;
	char line[UR_AUDIT_LINE_BYTES];

	while (ur_audit_take(&router.audit, &record)) {
		ur_audit_ring_put(&audit, line, ur_audit_line(&record, line));
		if (record.event == UR_AUDIT_REFUSED)
			say(line);
	}
}

/* ---- work ---------------------------------------------------------------- */

static void ring(void)
{
	if (ur_link_take_bell(&client_link))
		microkit_notify(CH_CLIENT);
	if (ur_link_take_bell(&device_link))
		microkit_notify(CH_DEVICE);
}

/* Until nothing moves and every end will ring. False: there is more. */
static bool work(void)
{
	bool may_sleep = false;
	u32 i;

	for (i = 0; i < TURNS && !may_sleep; i++) {
		ur_router_look(&router);
		may_sleep = !ur_router_turn(&router) && ur_router_arm(&router);
		ring();
		write_audit();
	}
	return may_sleep;
}

void notified(microkit_channel channel)
{
	u64 begun = now();

	if (channel == CH_TIMER)
		is_timed = false;
	if (!has_started || begun < rests_until)
		return;
	tick();
	if (work()) {
		ask_for_tick();
		return;
	}
	rests_until = 2 * now() - begun;
	call_me(rests_until);
}

/* ---- start --------------------------------------------------------------- */

static bool load_policy(void)
{
	struct ur_refusal why;

	return ur_policy_load(&policy, ur_policy_table,
			      (size_t)(ur_policy_table_end - ur_policy_table),
			      &why) == 0;
}

static bool init_router(void)
{
	static const struct ur_site client = { "client1", &client_link };
	static const struct ur_site device = { "usb1", &device_link };
	const struct ur_router_config config = {
		.policy = &policy,
		.limits = { TRANSFER_BYTES, UR_ISO_PACKETS_DEFAULT },
		.clients = &client,
		.client_count = 1,
		.devices = &device,
		.device_count = 1,
		.calls = calls,
		.call_count = CALLS,
		.buffers = (u8 *)buffers,
		.buffer_bytes = buffer_bytes,
	};

	return ur_router_init(&router, &config) == 0;
}

/* In each link the guard is the end that the other VM would be. */
static bool start_links(void)
{
	struct ur_geometry g;
	struct ur_fault fault;

	if (ur_geometry_init(&g, UR_OUTBOX_BYTES, 0, 0, &fault))
		return false;
	ur_link_start(&client_link, &g, UR_END_B, (void *)client_own,
		      (const void *)client_outbox);
	ur_link_start(&device_link, &g, UR_END_A, (void *)device_own,
		      (const void *)device_outbox);
	return true;
}

void init(void)
{
	ur_audit_ring_init(&audit, (void *)audit_ring, audit_bytes);
	if (!load_policy())
		say("the policy's table is damaged: no route");
	else if (!init_router())
		say("the buffers are too small: no route");
	else
		has_started = start_links();
	if (has_started)
		notified(CH_TIMER);
}
