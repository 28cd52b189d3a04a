// SPDX-License-Identifier: BSD-2-Clause
/*
 * A whole conversation, cut between any two words that one end publishes.
 *
 *      victim      start . call . request .. half-close . close . stop
 *                        |     k: it dies before its k-th store, or piece of
 *                        |        a message, counted from its start
 *      survivor    goes on as if the victim were slow; then
 *
 *      declared    is told, sees every call end, meets the next life later
 *      again       meets the victim's next life at once
 *
 * One end's turns run inside the other's, at a load or store of it, so the death
 * and all that led to it fall between two accesses of the survivor as well. An
 * end that armed and sleeps has no turn until a doorbell rings for it. A dead
 * end rings for nobody.
 * Everything is counted out, nothing is random: a case that fails can be run
 * again alone. Compiled with hooked/env.h.
 */
#include "kinds.h"

void (*hook_load)(const ur_shm32 *word);
void (*hook_store)(ur_shm32 *word, u32 value);

#define CHANNELS 2
#define TURNS 1000		/* more than any of these conversations takes */
#define ACCESSES 100		/* the same for the accesses of a turn */

static struct talk_case {
	enum ur_end victim, asks;
	u32 first_index, first_generation;
	u32 cut;	/* k; counted from 1 */
	u32 second;	/* the survivor dies as well, before its second-th */
	bool declared;
	u32 slow_turns;	/* of the survivor before it is told */
	enum ur_end host;	/* whose turns have the other's inside */
	u32 host_access;	/* before which access of the host */
} CASE;

/* ---- death and nesting --------------------------------------------------- */

static jmp_buf DEATH[2];
static bool DEAD[2];
static bool AWAKE[2];
static u32 LAST_EPOCH[2];	/* that was announced */
static enum ur_end RUNNING;
static bool DIED;	/* anybody, since talk() began */
static u32 ACCESSED, MOST_ACCESSED, MOST_TURNS;

static struct {
	bool armed;
	enum ur_end end;	/* who dies, who is the host */
	u32 left;
} KILL, NEST;

static void (*NESTED)(enum ur_end end);	/* what the other end does inside */

static void nest(void)
{
	void (*nested)(enum ur_end end) = NESTED;
	enum ur_end host = RUNNING;
	u32 accessed = ACCESSED;

	if (!NEST.armed || NEST.end != host || --NEST.left)
		return;
	NEST.armed = false;
	NESTED = NULL;
	nested(!host);
	RUNNING = host;
	ACCESSED = accessed;
}

static void access_point(void)
{
	if (++ACCESSED == ACCESSES)
		wrong("a turn without end");
	if (ACCESSED > MOST_ACCESSED)
		MOST_ACCESSED = ACCESSED;
	nest();
}

static void death_point(enum cut_kind kind)
{
	if (!KILL.armed || KILL.end != RUNNING || --KILL.left)
		return;
	KILL.armed = false;
	count_kind(RUNNING, kind);
	longjmp(DEATH[RUNNING], 1);
}

static void at_load(const ur_shm32 *word)
{
	(void)word;
	access_point();
}

static void at_store(ur_shm32 *word, u32 value)
{
	access_point();
	death_point(kind_of(RUNNING, word, value));
}

static void copy_point(enum ur_end end, u32 at)
{
	(void)end;
	(void)at;
	access_point();
	death_point(CUT_BYTES);
}

static void die(enum ur_end end)
{
	DIED = DEAD[end] = true;
	AWAKE[end] = false;
	NEST.armed = false;
	bury(end);
}

static void take_bell(enum ur_end end)
{
	if (ur_link_take_bell(&P.l[end]) && !DEAD[!end])
		AWAKE[!end] = true;
}

static void run_turn(enum ur_end end)
{
	RUNNING = end;
	ACCESSED = 0;
	AWAKE[end] = false;
	if (setjmp(DEATH[end])) {
		die(end);
		return;
	}
	if (take_turn(end))
		AWAKE[end] = true;
	take_bell(end);
}

/* Its host may have died before it got its turn. */
static void run_turn_unless_dead(enum ur_end end)
{
	if (!DEAD[!end])
		run_turn(end);
}

/* A new life of an end that died, or that only restarts: nothing is left. */
static void start_life(enum ur_end end)
{
	RUNNING = end;
	ACCESSED = 0;
	if (!DEAD[end])
		bury(end);
	memset(&P.l[end], 0, sizeof(P.l[end]));
	DEAD[end] = false;
	AWAKE[end] = true;
	if (setjmp(DEATH[end])) {
		die(end);
		return;
	}
	pair_start(&P, end);
	if (P.l[end].epoch == LAST_EPOCH[end])
		wrong("two lives with one epoch");
	LAST_EPOCH[end] = P.l[end].epoch;
	take_bell(end);
}

static void stop_life(enum ur_end end)
{
	RUNNING = end;
	ACCESSED = 0;
	if (setjmp(DEATH[end])) {
		die(end);
		return;
	}
	ur_link_stop(&P.l[end]);
}

/* A turn of the host, and what the other end does inside it or, at last, after. */
static void run_inside(enum ur_end host, void (*what)(enum ur_end end))
{
	NESTED = what;
	NEST.armed = true;
	NEST.end = host;
	NEST.left = CASE.host_access;
	run_turn(host);
	NEST.armed = false;
	if (NESTED)
		what(!host);
	NESTED = NULL;
}

static void run_both(void)
{
	enum ur_end host = CASE.host;

	if (AWAKE[host] && AWAKE[!host])
		run_inside(host, run_turn_unless_dead);
	else
		run_turn(AWAKE[host] ? host : !host);
}

/* Until both sleep or one dies. Returns whether nobody died. */
static bool talk(void)
{
	u32 turns;

	DIED = false;
	for (turns = 0; AWAKE[0] || AWAKE[1]; turns++) {
		if (turns == TURNS) {
			wrong("a conversation without end");
			break;
		}
		run_both();
		if (DIED)
			return false;
	}
	if (turns > MOST_TURNS)
		MOST_TURNS = turns;
	return true;
}

/* ---- the conversation ---------------------------------------------------- */

static void arm_death(enum ur_end end, u32 left)
{
	KILL.armed = left != 0;
	KILL.end = end;
	KILL.left = left;
}

static void check_books(void)
{
	if (ledger_unsettled(&LEDGER))
		wrong(ledger_unsettled(&LEDGER));
	if (ERRAND.visits)
		wrong("both sleep, and the errand is not done");
	if (A->counters.faults || B->counters.faults)
		wrong("a fault, and nobody lied");
	if (A->state != UR_LINK_UP || B->state != UR_LINK_UP)
		wrong("the link is not up");
}

/* Both up, stopped in the middle: rings with old bytes, words of a call. */
static void talk_before(void)
{
	u32 turns;

	ERRAND = (struct errand){ .asks = CASE.asks, .visits = 1, .requests = 4 };
	start_life(UR_END_A);
	start_life(UR_END_B);
	for (turns = 0; LEDGER.rows < 3; turns++) {
		assert_true(turns < TURNS);
		run_both();
	}
}

/* Returns false when the victim died in it. */
static bool talk_whole(bool longer)
{
	ERRAND.visits = longer ? 3 : 1;
	ERRAND.requests = longer ? 3 : 2;
	ERRAND.abort_at = longer;
	arm_death(CASE.victim, CASE.cut);
	run_inside(!CASE.victim, start_life);
	if (DEAD[CASE.victim] || !talk())
		return false;
	check_books();
	if (longer) { /* the other end restarts; the victim acknowledges */
		ERRAND.visits++;
		run_inside(CASE.victim, start_life);
		if (DEAD[CASE.victim] || !talk())
			return false;
		check_books();
	}
	stop_life(CASE.victim);
	return !DEAD[CASE.victim];
}

static void be_slow(enum ur_end survivor)
{
	u32 i;

	for (i = 0; i < CASE.slow_turns; i++)
		run_turn(survivor);
}

static void declare(enum ur_end victim)
{
	enum ur_end survivor = !victim;

	ur_link_declare_down(P.box[victim]);
	AWAKE[survivor] = true;
	talk();
	if (P.l[survivor].state != UR_LINK_DOWN)
		wrong("the survivor of a dead peer is not down");
	if (TALKER[survivor].connected)
		wrong("a call outlived its peer");
}

static void bury_both(void)
{
	enum ur_end end;

	for (end = UR_END_A; end <= UR_END_B; end++)
		if (DEAD[end])
			start_life(end);
	talk();
}

static void survive(void)
{
	enum ur_end victim = CASE.victim;

	be_slow(!victim);
	if (CASE.declared)
		declare(victim);
	arm_death(!victim, CASE.second);
	run_inside(!victim, start_life);
	if (DEAD[!victim] || !talk())
		bury_both();
	arm_death(victim, 0);
}

/* ---- afterwards ---------------------------------------------------------- */

static u32 count_answered(void)
{
	u32 i, n = 0;

	for (i = 0; i < LEDGER.rows; i++) {
		const struct row *row = &LEDGER.row[i];

		n += row->answered;
		if (row->answered && !(row->taken && row->sent))
			wrong("an answer that was never sent");
	}
	return n;
}

/* The link works: each end calls the other, bytes go both ways. */
static void check_link(enum ur_end asks)
{
	u32 before = count_answered();

	ERRAND = (struct errand){ .asks = asks, .visits = 1, .requests = 2 };
	AWAKE[0] = AWAKE[1] = true;
	talk();
	check_books();
	if (count_answered() != before + 2)
		wrong("two requests, and not two answers");
}

/* ---- all cuts ------------------------------------------------------------ */

static u64 CUTS;

static void begin(bool longer)
{
	memset(TALKER, 0, sizeof(TALKER));
	memset(P.l, 0, sizeof(P.l));
	memset(P.box[0], 0, PAIR_OUTBOX);
	memset(P.box[1], 0, PAIR_OUTBOX);
	P.g.first_index = CASE.first_index;
	P.g.first_generation = CASE.first_generation;
	LEDGER.rows = 0;
	LEDGER.wrong = NULL;
	ABORTED = false;
	DEAD[0] = DEAD[1] = false;
	LAST_EPOCH[0] = LAST_EPOCH[1] = 0;
	arm_death(CASE.victim, 0);
	if (longer) { /* and their epochs wrap */
		ur_plain_store_once(&P.box[0]->epoch_last, 0xfffffffdu);
		ur_plain_store_once(&P.box[1]->epoch_last, 0xfffffffeu);
	}
}

static void complain(void)
{
	row_fails("victim %c, %c asks, first index 0x%x, generation 0x%x, cut %u, second %u, %s after %u turns, %c hosts at access %u: %s (A %d fault %u, B %d fault %u)",
		  "AB"[CASE.victim], "AB"[CASE.asks], CASE.first_index,
		  CASE.first_generation, CASE.cut, CASE.second,
		  CASE.declared ? "declared" : "again", CASE.slow_turns,
		  "AB"[CASE.host], CASE.host_access, LEDGER.wrong, A->state,
		  A->fault.number, B->state, B->fault.number);
}

/* Returns false when the conversation was over before the cut. */
static bool run_case(bool longer)
{
	bool died;

	begin(longer);
	talk_before();
	died = !talk_whole(longer);
	if (died) {
		CUTS++;
		survive();
		check_books();
		check_link(UR_END_A);
		check_link(UR_END_B);
	}
	if (LEDGER.wrong)
		complain();
	return died;
}

/*
 * One schedule for all cuts of a conversation, so that none is left out; what
 * comes after a cut differs from one to the next and between two variants.
 */
static void vary(u32 cut, u32 variant)
{
	u32 v = variant + CASE.first_index % RING;

	CASE.cut = cut;
	CASE.declared = (cut + variant) % 2;
	CASE.slow_turns = (cut / 2 + variant) % 4;
	CASE.host = v % 2;
	CASE.host_access = 1 + v / 2 % 23;
}

/* Returns the number of cuts. */
static u32 cut_everywhere(struct talk_case c, u32 variant, bool longer)
{
	u32 roles, cut, cuts = 0;

	for (roles = 0; roles < 4; roles++) {
		CASE = c;
		CASE.victim = roles & 1;
		CASE.asks = roles >> 1;
		for (cut = 1; vary(cut, variant), run_case(longer); cut++)
			cuts++;
	}
	return cuts;
}

static int setup(void **state)
{
	(void)state;
	pair_open(&P, CHANNELS, RING);
	hook_load = at_load;
	hook_store = at_store;
	forget_kinds();
	CUTS = MOST_ACCESSED = MOST_TURNS = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hook_load = NULL;
	hook_store = NULL;
	pair_close(&P);
	return 0;
}

/* ---- the tests ----------------------------------------------------------- */

static void print_cuts(void)
{
	print_kinds();
	printf("# at most %u turns, %u accesses in a turn\n", MOST_TURNS,
	       MOST_ACCESSED);
	printf("# %llu cuts\n", (unsigned long long)CUTS);
}

/* Indices from 0 to 63, and from 2^32 - 64 on. */
static void every_word_at_every_index(void **state)
{
	u32 at, variant;

	(void)state;
	for (at = 0; at < 2 * RING; at++)
		for (variant = 0; variant < 2; variant++) {
			struct talk_case c = { .first_index = at - RING,
					       .first_generation = 1 };

			assert_true(cut_everywhere(c, variant, false) > 100);
		}
	print_cuts();
	assert_kinds(false);
	for (at = 0; at < RING; at++)
		assert_true(AT_INDEX[at] > 0);
	assert_true(STRADDLES > 0);
	assert_true(CUTS >= 2000);
}

static const u32 INDICES[] = { 0, 17, 63, 0xffffff80, 0xffffffc5, 0xffffffff };
static const u32 GENERATIONS[] = { 1, 0xfffffd, 0xfffffe, 0xffffff, 0 };

/* Three calls, one of them aborted, and a restart of the end that survives. */
static void every_word_of_a_longer_talk(void **state)
{
	u32 i, g, variant;

	(void)state;
	for (i = 0; i < ROWS(INDICES); i++)
		for (g = 0; g < ROWS(GENERATIONS); g++)
			for (variant = 0; variant < 2; variant++) {
				struct talk_case c = {
					.first_index = INDICES[i],
					.first_generation = GENERATIONS[g],
				};

				cut_everywhere(c, variant + 2 * g, true);
			}
	print_cuts();
	assert_kinds(true);
	assert_true(STRADDLES > 0);
	assert_true(CUTS >= 2000);
}

/* The survivor dies as well while it meets the victim's next life. */
static void both_die(void **state)
{
	u32 second, i;

	(void)state;
	for (i = 0; i < ROWS(INDICES); i++)
		for (second = 1; second <= 40; second += 3) {
			struct talk_case c = {
				.first_index = INDICES[i],
				.first_generation = GENERATIONS[i % ROWS(GENERATIONS)],
				.second = second,
			};

			cut_everywhere(c, second, false);
		}
	print_cuts();
	assert_true(CUTS >= 2000);
}

#define cut_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cut_test(every_word_at_every_index),
		cut_test(every_word_of_a_longer_talk),
		cut_test(both_die),
	};

	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
