// SPDX-License-Identifier: BSD-2-Clause
/*
 * One end is stopped between any two of its stores, the other one looks at what
 * it finds there, at any of its loads.
 *
 *      peer        o o o o|o o o o      a step of it, as a list of stores
 *      survivor       l l|l l           a step of it, as a row of loads
 *
 * The peer's step runs once on a copy of the memory, and its stores are kept.
 * Then, for every pair of cuts: the survivor's step runs, the first part of the
 * list is stored before the load at the cut, and the rest
 *
 *      late        after the survivor's step: the peer was only slow
 *      down        never: the peer died there, was declared down and came back
 *      again       never: it died there and came back before anybody looked
 *
 * Whatever the cut, the survivor sees no byte that was not sent, no end of
 * stream before the end, and no fault; and the link works afterwards.
 * Compiled with hooked/env.h.
 */
#include "steps.h"

void (*hook_load)(const ur_shm32 *word);
void (*hook_store)(ur_shm32 *word, u32 value);

#define CHANNELS 2
#define RING 64
#define USED (4096 + CHANNELS * RING)	/* bytes of an outbox */

struct world {
	u8 memory[2][USED];
	struct ur_link l[2];
	struct ur_ticket t[2];
	struct steps steps;
};

static struct world BEFORE, AFTER;

static void save(struct world *w)
{
	int i;

	for (i = 0; i < 2; i++)
		memcpy(w->memory[i], P.box[i], USED);
	memcpy(w->l, P.l, sizeof(P.l));
	memcpy(w->t, T, sizeof(T));
	w->steps = S;
}

static void load(const struct world *w)
{
	int i;

	for (i = 0; i < 2; i++)
		memcpy(P.box[i], w->memory[i], USED);
	memcpy(P.l, w->l, sizeof(P.l));
	memcpy(T, w->t, sizeof(T));
	S = w->steps;
}

/* ---- the peer's step as a list of stores --------------------------------- */

static struct {
	ur_shm32 *word;
	u32 value;
} STORES[512];

static u32 stores;

static void keep_store(ur_shm32 *word, u32 value)
{
	assert_true(stores < ROWS(STORES));
	STORES[stores].word = word;
	STORES[stores].value = value;
	stores++;
}

static void record(enum ur_end peer, char what)
{
	int n;

	save(&BEFORE);
	stores = 0;
	hook_store = keep_store;
	n = run_step(peer, what);
	(void)n;
	hook_store = NULL;
	save(&AFTER);
}

static u32 stored;		/* of STORES, so far */

/* Bytes in a ring come before all stores: publishing is what makes them real. */
static void store_until(enum ur_end peer, u32 end)
{
	if (stored == 0 && end > 0)
		memcpy((u8 *)P.box[peer] + 4096, AFTER.memory[peer] + 4096,
		       CHANNELS * RING);
	for (; stored < end; stored++)
		ur_plain_store_release(STORES[stored].word, STORES[stored].value);
}

/* ---- the survivor's step, with a cut at one of its loads ----------------- */

static struct {
	enum ur_end peer;
	u32 load, store;	/* the cut */
	u32 loads;		/* so far */
} CUT;

static void cut_here(const ur_shm32 *word)
{
	(void)word;
	if (CUT.loads++ == CUT.load)
		store_until(CUT.peer, CUT.store);
}

/* What the peer sent and shut in its step counts as sent and shut. */
static void merge_peer_before(enum ur_end peer)
{
	memcpy(S.flow[peer], AFTER.steps.flow[peer], sizeof(S.flow[peer]));
	S.ids = AFTER.steps.ids;
}

/* Returns the number of loads of the survivor's step. */
static u32 run_cut(enum ur_end peer, char survivor_step, u32 at_load, u32 at_store)
{
	int n;

	load(&BEFORE);
	merge_peer_before(peer);
	stored = 0;
	CUT.peer = peer;
	CUT.load = at_load;
	CUT.store = at_store;
	CUT.loads = 0;
	hook_load = cut_here;
	n = run_step(!peer, survivor_step);
	(void)n;
	hook_load = NULL;
	store_until(peer, at_store);
	return CUT.loads;
}

/* ---- afterwards ---------------------------------------------------------- */

static void peer_goes_on(enum ur_end peer)
{
	u32 c;

	store_until(peer, stores);
	P.l[peer] = AFTER.l[peer];
	T[peer] = AFTER.t[peer];
	for (c = 0; c < CHANNELS; c++)
		if (S.flow[!peer][c].id == AFTER.steps.flow[!peer][c].id)
			S.flow[!peer][c].got = AFTER.steps.flow[!peer][c].got;
}

static bool is_up(void)
{
	return A->state == UR_LINK_UP && B->state == UR_LINK_UP;
}

static const char *finish_late(enum ur_end peer, char step)
{
	u32 end;

	peer_goes_on(peer);
	pair_settle(&P);
	for (end = 0; end < 2; end++)
		while (step_recv(end) > 0)
			;
	if (step == '0' || step == 'D' || step == 'V')
		pair_reborn(&P, peer);
	return NULL;
}

static const char *finish_dead(enum ur_end peer, bool declared)
{
	struct ur_link *survivor = &P.l[!peer];

	if (declared) {
		ur_link_declare_down(P.box[peer]);
		ur_link_look(survivor);
		if (survivor->state != UR_LINK_DOWN)
			return "the survivor of a dead peer is not down";
		if (step_recv(!peer) != UR_PEER_RESET)
			return "a channel outlived its peer";
	}
	pair_reborn(&P, peer);
	while (step_recv(!peer) > 0)
		;
	return NULL;
}

static const char *talk(enum ur_end caller)
{
	u32 service;

	run_script(caller == UR_END_A ? "Ax Bx Al Bl" : "Bx Ax Bl Al");
	if (step_call(caller) < 0)
		return "no call afterwards";
	ur_link_look(&P.l[!caller]);
	if (ur_channel_called(&P.l[!caller], 0, &service) < 0)
		return "the call was not heard afterwards";
	if (step_accept(!caller) < 0)
		return "no accept afterwards";
	run_script(caller == UR_END_A ? "Aw Bw Ae Be Ah Bh" : "Bw Aw Be Ae Bh Ah");
	if (flow_of(0, 1)->got != 5 || flow_of(1, 0)->got != 5)
		return "five bytes did not arrive afterwards";
	if (step_recv(caller) != 0 || step_recv(!caller) != 0)
		return "no end of stream afterwards";
	return S.wrong;
}

static const char *judge(enum ur_end peer, char step)
{
	const char *wrong;

	if (S.wrong)
		return S.wrong;
	if (step != 'V' && P.l[!peer].counters.faults)
		return "the survivor saw a fault";
	pair_settle(&P);
	if (!is_up())
		return "the link did not come up";
	wrong = talk(UR_END_A);
	return wrong ? wrong : talk(UR_END_B);
}

/* ---- all of them --------------------------------------------------------- */

static const char *const SETUPS[] = {
	/* 1 */ "AS BS",
	/* 2 */ "AS BS Al",
	/* 3 */ "AS BS Bl",
	/* 4 */ "AS BS Al Bl Al",
	/* 5 */ "AS BS Al Bl Al Ac",
	/* 6 */ "AS BS Al Bl Al Ac Bl",
	/* 7 */ "AS BS Al Bl Al Ac Bl Br",
	/* 8 */ "AS BS Al Bl Al Ac Ax",
	/* 9 */ "AS BS Al Bl Al Ac Bl Bp",
	/* 10 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw",
	/* 11 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Ae Be Aw Bw",
	/* 12 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Ah Bl",
	/* 13 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Bh Al Ae",
	/* 14 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Ah Bh Ae Be",
	/* 15 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Ae Ax",
	/* 16 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw Ae Be Ax Bx",
	/* 17 */ "AS BS Al Bl Al Ac Bl Bp An Aw Be Bx",
	/* 18 */ "AS BS Al Bl Al Ac Bl Bp An Aw Be Ax Bx Ac Bl",
	/* 19 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw AS",
	/* 20 */ "AS BS Al Bl Al Ac Bl Bp An Aw Bw BS",
};

static const char PEER_STEPS[] = "SRlcprwehxX0DV";
static const char SURVIVOR_STEPS[] = "lcnwedmhxp*";

static const char *end_case(u32 end, enum ur_end peer, char step)
{
	const char *wrong;

	if (end == 0)
		wrong = finish_late(peer, step);
	else
		wrong = finish_dead(peer, end == 1);
	return wrong ? wrong : judge(peer, step);
}

static u64 cases;

static void cut_case(size_t setup, enum ur_end peer, char peer_step,
		     char survivor_step, u32 end)
{
	static const char *const ends[] = { "late", "down", "again" };
	u32 at_load, at_store, loads;

	loads = run_cut(peer, survivor_step, 0, 0);
	for (at_store = 0; at_store <= stores; at_store++) {
		for (at_load = 0; at_load <= loads; at_load++) {
			const char *wrong;

			run_cut(peer, survivor_step, at_load, at_store);
			wrong = end_case(end, peer, peer_step);
			cases++;
			if (wrong)
				row_fails("setup %zu, peer %c%c cut before store %u of %u, survivor %c at load %u, %s: %s (A %d fault %u, B %d fault %u)",
					  setup + 1, "AB"[peer], peer_step,
					  at_store, stores, survivor_step,
					  at_load, ends[end], wrong, A->state,
					  A->fault.number, B->state,
					  B->fault.number);
		}
	}
}

static void cut_setup(size_t setup, enum ur_end peer, u32 end)
{
	const char *p, *s;

	for (p = PEER_STEPS; *p; p++)
		for (s = SURVIVOR_STEPS; *s; s++) {
			memset(&S, 0, sizeof(S));
			memset(T, 0, sizeof(T));
			memset(P.l, 0, sizeof(P.l));
			memset(P.box[0], 0, USED);
			memset(P.box[1], 0, USED);
			run_script(SETUPS[setup]);
			record(peer, *p);
			cut_case(setup, peer, *p, *s, end);
		}
}

static void cut_all(u32 end, u32 first_index, u32 first_generation)
{
	size_t setup;
	u32 peer;

	pair_open(&P, CHANNELS, RING);
	P.g.first_index = first_index;
	P.g.first_generation = first_generation;
	for (setup = 0; setup < ROWS(SETUPS); setup++)
		for (peer = 0; peer < 2; peer++)
			cut_setup(setup, peer, end);
	pair_close(&P);
	printf("# %llu cuts\n", (unsigned long long)cases);
	assert_true(cases >= 2000);
	cases = 0;
}

static void a_slow_peer(void **state)
{
	(void)state;
	cut_all(0, 0, 1);
}

static void a_slow_peer_at_the_wrap(void **state)
{
	(void)state;
	cut_all(0, 0xfffffffc, 0xffffff);
}

static void a_dead_peer_declared_down(void **state)
{
	(void)state;
	cut_all(1, 0, 1);
}

static void a_dead_peer_that_came_back_at_once(void **state)
{
	(void)state;
	cut_all(2, 0, 1);
}

static void a_dead_peer_that_came_back_at_the_wrap(void **state)
{
	(void)state;
	cut_all(2, 0xfffffffc, 0xffffff);
}

/* ---- up only with an epoch that we acknowledged -------------------------- */

static u32 flip_at;

static void flip_epoch(const ur_shm32 *word)
{
	(void)word;
	if (CUT.loads++ == flip_at)
		ur_plain_store_release(&P.box[1]->epoch, 9);
}

/* A peer whose header is bad, and whose epoch changes as we refuse it. */
static void a_bad_header_is_never_up(void **state)
{
	(void)state;
	pair_open(&P, CHANNELS, RING);
	for (flip_at = 0; flip_at < 20; flip_at++) {
		pair_reborn(&P, UR_END_A);
		pair_reborn(&P, UR_END_B);
		ur_plain_store_once(&P.box[1]->channels, 99);
		ur_plain_store_once(&P.box[1]->seen, A->epoch);
		CUT.loads = 0;
		hook_load = flip_epoch;
		ur_link_look(A);
		hook_load = NULL;
		if (A->state == UR_LINK_UP)
			row_fails("up, with the epoch changed at load %u", flip_at);
		ur_link_look(A);
		assert_int_equal(A->state, UR_LINK_BROKEN);
		assert_int_equal(A->fault.number, UR_FAULT_CHANNELS);
	}
	pair_close(&P);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_peer),
		cmocka_unit_test(a_slow_peer_at_the_wrap),
		cmocka_unit_test(a_dead_peer_declared_down),
		cmocka_unit_test(a_dead_peer_that_came_back_at_once),
		cmocka_unit_test(a_dead_peer_that_came_back_at_the_wrap),
		cmocka_unit_test(a_bad_header_is_never_up),
	};

	return cmocka_run_group_tests_name("cut", tests, NULL, NULL);
}
