// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the stock tools and drivers really said passes the guard, every byte, and
 * what stays under way at the end is only what was under way.
 *
 *      capture: client's segments ---> gate -+- guard -+- gate <--- device's
 */
#include "capture.h"
#include "compile.h"

/*
 * What Linux reads before it selects a configuration is enough for a policy that
 * asks for names and serial numbers: a string that was not read would end the route.
 */
static const char *const POLICIES[] = {
	"allow",
	"block name \"no\"\nblock serial \"no\"\nallow",
};

static struct route routes[FLOWS_MAX];
static u64 sent[FLOWS_MAX], messages;
static char why_not[256];

static void replay(const struct segment *s, u32 slice)
{
	struct route *r = &routes[s->flow];
	const struct ur_verdict *v = &r->guard.verdict;

	sent[s->flow] += s->bytes;
	if (!route_send(r, s->travel, s->at, s->bytes, slice) || why_not[0])
		return;
	snprintf(why_not, sizeof(why_not),
		 "connection %u: %s: %s: got %u, want %s %u", s->flow,
		 ur_reason_name(v->reason), v->why.field, v->why.got,
		 v->why.rule, v->why.want);
}

static void check_end(u32 flow)
{
	const struct route *r = &routes[flow];
	u64 held = r->gate[0].bytes + r->gate[1].bytes;

	messages += r->guard.passed[0] + r->guard.passed[1];
	if (why_not[0])
		return;
	if (r->passed_in_all + held != sent[flow])
		snprintf(why_not, sizeof(why_not),
			 "connection %u: passed %llu bytes and holds %llu, want %llu",
			 flow, (unsigned long long)r->passed_in_all,
			 (unsigned long long)held,
			 (unsigned long long)sent[flow]);
	else if (r->guard.session.outstanding > 1)
		snprintf(why_not, sizeof(why_not),
			 "connection %u: %u requests without an answer, want 1",
			 flow, r->guard.session.outstanding);
}

static void open_routes(const char *policy)
{
	static u8 table[UR_COMPILE_BYTES];
	struct ur_compile_error error;
	int bytes = ur_compile(policy, table, &error);
	u32 i;

	for (i = 0; i < flow_count; i++)
		if (bytes < 0 ||
		    route_open(&routes[i], table, (size_t)bytes, "c"))
			snprintf(why_not, sizeof(why_not), "cannot start");
}

static void play(const char *policy, u32 slice, u32 number)
{
	u32 i, declined = 0, approved = 0;

	why_not[0] = '\0';
	messages = 0;
	memset(sent, 0, sizeof(sent));
	open_routes(policy);
	for (i = 0; i < segment_count; i++)
		replay(&segments[i], slice);
	for (i = 0; i < flow_count; i++) {
		if (!flows[i].is_import)
			continue;
		check_end(i);
		declined += routes[i].guard.state == UR_GUARD_DECLINED;
		approved += routes[i].guard.state == UR_GUARD_APPROVED;
	}
	if (!why_not[0] && (declined != 2 || approved != 2))
		snprintf(why_not, sizeof(why_not),
			 "%u imports declined and %u approved, want 2 and 2",
			 declined, approved);
	if (why_not[0])
		printf("# %s\n", why_not);
	printf("%sok %u - the stock session passes in slices of %u bytes%s\n",
	       why_not[0] ? "not " : "", number, slice,
	       policy == POLICIES[0] ? "" : ", names and serial numbers asked for");
	printf("# %llu messages\n", (unsigned long long)messages);
}

int main(int argc, char **argv)
{
	static const u32 slices[] = { MESSAGE_ROOM, 1, 13 };
	int failed = 0;
	u32 i;

	printf("1..4\n");
	if (argc != 2 || !capture_load(argv[1])) {
		printf("Bail out! no capture\n");
		return 1;
	}
	for (i = 0; i < 3; i++) {
		play(POLICIES[0], slices[i], i + 1);
		failed |= why_not[0];
	}
	play(POLICIES[1], MESSAGE_ROOM, 4);
	failed |= why_not[0];
	return failed != 0;
}
