/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A script of steps for the two ends: "AS BS Al Bl Ac" is A starts, B starts, A
 * looks, B looks, A calls. A step does not insist on its success; who cares
 * looks at what it returns. Bytes that arrive are compared with those sent.
 *
 *      S start as reborn       R restart               0 stop
 *      D be declared down      V sever                 l look
 *      c call  p accept  r refuse  n was it answered
 *      w send 5 bytes  e receive  d arm for data  m arm for room
 *      h shut  x close  X abort
 *      * look, accept, was it answered, send, receive
 */
#ifndef UR_TEST_STEPS_H
#define UR_TEST_STEPS_H

#include "pair.h"

/* What one end sent on a channel's present life, and what the other one got. */
struct flow {
	u32 id;
	u32 sent;
	u32 got;
	bool ended;	/* shut or closed by the sender */
};

struct steps {
	struct flow flow[2][UR_CHANNELS_MAX];	/* by sender */
	u32 ids;
	const char *wrong;	/* what must not happen did */
};

static struct steps S;

static inline u8 flow_byte(const struct flow *f, u32 at)
{
	return (u8)((f->id * 0x9e3779b9u + at * 0x85ebca6bu) >> 24);
}

/* What `sender` sends on the channel that `end` has. */
static inline struct flow *flow_of(enum ur_end sender, enum ur_end end)
{
	return &S.flow[sender][T[end].channel];
}

static inline void new_flow(enum ur_end end)
{
	*flow_of(end, end) = (struct flow){ .id = ++S.ids };
}

static inline int step_send(enum ur_end end)
{
	struct flow *f = flow_of(end, end);
	u8 bytes[5];
	int n;
	u32 i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = flow_byte(f, f->sent + i);
	n = pair_send(&P.l[end], T[end], bytes, sizeof(bytes));
	f->sent += n > 0 ? (u32)n : 0;
	return n;
}

static inline int step_recv(enum ur_end end)
{
	struct flow *f = flow_of(!end, end);
	u8 bytes[9];
	int n = pair_recv(&P.l[end], T[end], bytes, sizeof(bytes)), i;

	for (i = 0; i < n; i++, f->got++)
		if (f->got >= f->sent || bytes[i] != flow_byte(f, f->got))
			S.wrong = "received a byte that was never sent";
	if (n == 0 && (f->got != f->sent || !f->ended))
		S.wrong = "end of stream before its end";
	return n;
}

/* One ticket per end, so that none is forgotten. */
static inline bool has_ticket(enum ur_end end)
{
	return T[end].life &&
	       P.l[end].channels[T[end].channel].life == T[end].life;
}

static inline int step_call(enum ur_end end)
{
	int n;

	if (has_ticket(end))
		return UR_TRY_BUSY;
	n = ur_channel_call(&P.l[end], 7, &T[end]);
	if (n == 0)
		new_flow(end);
	return n;
}

static inline int step_accept(enum ur_end end)
{
	u32 service;
	int n = ur_channel_called(&P.l[end], 0, &service);

	if (n < 0 || has_ticket(end))
		return UR_TRY_AGAIN;
	n = ur_channel_accept(&P.l[end], (u32)n, &T[end]);
	if (n == 0)
		new_flow(end);
	return n;
}

static inline int step_end(enum ur_end end, char how)
{
	struct ur_link *l = &P.l[end];
	int n = 0;

	flow_of(end, end)->ended = true;
	if (how == 'h')
		n = ur_channel_shut(l, T[end]);
	else
		ur_channel_close(l, T[end], how == 'X');
	return n;
}

static inline int step_epoch(enum ur_end end, char how)
{
	switch (how) {
	case 'S':
		pair_reborn(&P, end);
		return 0;
	case 'R':
		pair_start(&P, end);
		return 0;
	case 'D':
		ur_link_declare_down(P.box[end]);
		return 0;
	case '0':
		ur_link_stop(&P.l[end]);
		return 0;
	default:
		ur_link_sever(&P.l[end], UR_FAULT_STATE, 0, 1, 2);
		return 0;
	}
}

static inline int step_burst(enum ur_end end)
{
	int n;

	ur_link_look(&P.l[end]);
	n = step_accept(end);
	n = ur_channel_answered(&P.l[end], T[end]);
	n = step_send(end);
	n = step_recv(end);
	return n;
}

static inline int run_step(enum ur_end end, char what)
{
	struct ur_link *l = &P.l[end];

	switch (what) {
	case 'l':
		return ur_link_look(l);
	case 'c':
		return step_call(end);
	case 'p':
		return step_accept(end);
	case 'r':
		ur_channel_refuse(l, !end); /* the peer's first channel */
		return 0;
	case 'n':
		return ur_channel_answered(l, T[end]);
	case 'w':
		return step_send(end);
	case 'e':
		return step_recv(end);
	case 'd':
		return ur_channel_arm_data(l, T[end], 1);
	case 'm':
		return ur_channel_arm_room(l, T[end], 1);
	case 'h':
	case 'x':
	case 'X':
		return step_end(end, what);
	case '*':
		return step_burst(end);
	default:
		return step_epoch(end, what);
	}
}

static inline void run_script(const char *script)
{
	int n;

	for (; *script; script += script[2] ? 3 : 2) {
		n = run_step(script[0] == 'B', script[1]);
		(void)n;
	}
}

#endif
