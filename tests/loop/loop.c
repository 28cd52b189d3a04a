// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests and answers over several channels at once, and a ledger of them.
 *
 *      client stub (a thread) --- end A ==== link ==== end B --- device stub
 *
 * Messages carry connection, sequence number and bytes that follow from both,
 * of random size up to several rings. Channels are closed and reset and either
 * end takes new epochs at random. Whatever happens, each request gets exactly
 * one answer or one error, the device sees each at most once and in order, and
 * no byte of another connection, channel or epoch ever arrives.
 */
#include "../user/duo.h"

#define SLOTS 4
#define RING 4096u
#define PAYLOAD_MAX (5 * RING)
#define PER_CONNECTION 40u	/* requests, then it is closed in order */
#define CONNECTIONS_MAX 100000u
#define REQUEST 0x71657255u
#define ANSWER 0x736e6155u

struct message {
	u32 kind;
	u32 connection;
	u32 sequence;
	u32 bytes;	/* of payload */
	u8 payload[PAYLOAD_MAX];
};

#define HEAD offsetof(struct message, payload)

static struct duo D;
static u64 end_ms;
static const char *wrong; /* atomic */

static void fail_all(const char *what)
{
	const char *none = NULL;

	__atomic_compare_exchange_n(&wrong, &none, what, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

static bool is_over(void)
{
	return now_ms() >= end_ms || __atomic_load_n(&wrong, __ATOMIC_RELAXED);
}

struct random {
	u32 x;
};

static u32 draw(struct random *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 17;
	r->x ^= r->x << 5;
	return r->x;
}

/* ---- messages ------------------------------------------------------------ */

static u8 byte_of(const struct message *m, u32 at)
{
	return (u8)(m->kind + m->connection * 31 + m->sequence * 7 + at * 13 +
		    (at >> 8));
}

static void make(struct message *m, u32 kind, u32 connection, u32 sequence,
		 u32 bytes)
{
	u32 i;

	m->kind = kind;
	m->connection = connection;
	m->sequence = sequence;
	m->bytes = bytes;
	for (i = 0; i < bytes; i++)
		m->payload[i] = byte_of(m, i);
}

static bool is_sound(const struct message *m, u32 kind)
{
	u32 i;

	if (m->kind != kind || m->bytes > PAYLOAD_MAX)
		return false;
	for (i = 0; i < m->bytes; i++)
		if (m->payload[i] != byte_of(m, i))
			return false;
	return true;
}

/* A message on its way out, or in. */
struct line {
	struct ur_stream *stream;
	u32 connection;		/* of the client; of the first request */
	struct message out, in;
	size_t out_at, out_end, in_at;
	bool shut;
};

static u32 random_bytes(struct random *r)
{
	return draw(r) % 4 ? draw(r) % 600 : draw(r) % (PAYLOAD_MAX + 1);
}

static void queue(struct line *l, u32 kind, u32 sequence, struct random *r)
{
	make(&l->out, kind, l->connection, sequence, random_bytes(r));
	l->out_at = 0;
	l->out_end = HEAD + l->out.bytes;
}

/* < 0: the stream is over. */
static int push(struct line *l)
{
	ssize_t n;

	if (l->out_at == l->out_end)
		return 0;
	n = ur_stream_send(l->stream, (u8 *)&l->out + l->out_at,
			   l->out_end - l->out_at, 0);
	if (n > 0)
		l->out_at += (size_t)n;
	return n < 0 && n != -EAGAIN ? (int)n : 0;
}

/* 1: a message is there; 0: not yet; < 0: over, -EPIPE in order. */
static int pull(struct line *l)
{
	size_t want = l->in_at < HEAD ? HEAD : HEAD + l->in.bytes;
	ssize_t n;

	if (want > sizeof(l->in)) {
		fail_all("a message of impossible size");
		return -EPROTO;
	}
	n = ur_stream_recv(l->stream, (u8 *)&l->in + l->in_at, want - l->in_at, 0);
	if (want == l->in_at)
		n = 1; /* an empty payload */
	else if (n == -EAGAIN)
		return 0;
	else if (n <= 0)
		return n < 0 ? (int)n : -EPIPE;
	else
		l->in_at += (size_t)n;
	if (l->in_at < HEAD || l->in_at < HEAD + l->in.bytes)
		return 0;
	l->in_at = 0;
	return 1;
}

/* ---- the ledger ---------------------------------------------------------- */

enum fate { NOT_ISSUED, ISSUED, ANSWERED, FAILED };

static u8 fates[CONNECTIONS_MAX][PER_CONNECTION];	/* the client's */
static u8 executed[CONNECTIONS_MAX][PER_CONNECTION];	/* the device's */
static u32 connections;

static void move_fate(u32 connection, u32 sequence, enum fate from, enum fate to)
{
	u8 *fate = &fates[connection][sequence];

	if (*fate != from)
		fail_all(*fate == NOT_ISSUED ? "an answer to no request" :
						"a second answer or error");
	*fate = (u8)to;
}

static void fail_the_rest(u32 connection)
{
	u32 i;

	for (i = 0; i < PER_CONNECTION; i++)
		if (fates[connection][i] == ISSUED)
			move_fate(connection, i, ISSUED, FAILED);
}

static bool has_open_requests(u32 connection)
{
	u32 i;

	for (i = 0; i < PER_CONNECTION; i++)
		if (fates[connection][i] == ISSUED)
			return true;
	return false;
}

/* ---- the client ---------------------------------------------------------- */

struct slot {
	struct line line;
	u32 issued;
	u32 answered;
};

static void drop(struct slot *s, bool abort)
{
	fail_the_rest(s->line.connection);
	ur_stream_close(s->line.stream, abort);
	s->line.stream = NULL;
}

static void dial(struct slot *s)
{
	struct ur_stream *stream;

	if (connections == CONNECTIONS_MAX ||
	    ur_file_link_connect(D.l[0], SERVICE, 300, &stream) < 0)
		return;
	s->line.shut = false;
	s->line.out_at = s->line.out_end = s->line.in_at = 0;
	s->issued = s->answered = 0;
	s->line.stream = stream;
	s->line.connection = connections++;
}

static void issue(struct slot *s, struct random *r)
{
	struct line *l = &s->line;

	if (l->out_at < l->out_end || l->shut)
		return;
	if (s->issued == PER_CONNECTION) {
		l->shut = ur_stream_shut(l->stream, UR_SHUT_SEND) == 0;
		return;
	}
	move_fate(l->connection, s->issued, NOT_ISSUED, ISSUED);
	queue(l, REQUEST, s->issued++, r);
}

static void take_answer(struct slot *s)
{
	const struct message *m = &s->line.in;

	if (!is_sound(m, ANSWER) || m->connection != s->line.connection)
		fail_all("an answer that nobody gave");
	else if (m->sequence != s->answered)
		fail_all("an answer out of order");
	else
		move_fate(m->connection, s->answered++, ISSUED, ANSWERED);
}

static void client_turn(struct slot *s, struct random *r)
{
	int n;

	issue(s, r);
	n = push(&s->line);
	if (n == 0)
		n = pull(&s->line);
	if (n == 1)
		take_answer(s);
	if (n == -EPIPE && s->line.shut && has_open_requests(s->line.connection))
		fail_all("an end in order before all answers");
	if (n < 0)
		drop(s, false);
	else if (draw(r) % 2000 == 0)
		drop(s, true);
}

static void client_poll(struct slot *slots)
{
	struct ur_poll_item items[SLOTS];
	u32 i, count = 0;
	int n;

	for (i = 0; i < SLOTS; i++) {
		struct line *l = &slots[i].line;

		if (l->stream)
			items[count++] = (struct ur_poll_item){
				.stream = l->stream,
				.events = UR_POLL_IN |
					  (l->shut ? 0 : UR_POLL_OUT),
			};
	}
	n = count ? ur_file_link_poll(D.l[0], items, count, 200) : 0;
	if (n < 0)
		fail_all("the client cannot poll");
}

static void *client_thread(void *unused)
{
	static struct slot slots[SLOTS];
	struct random r = { 88172645u };
	u32 i;

	(void)unused;
	while (!is_over()) {
		for (i = 0; i < SLOTS; i++) {
			if (!slots[i].line.stream)
				dial(&slots[i]);
			else
				client_turn(&slots[i], &r);
		}
		client_poll(slots);
		if (draw(&r) % 5000 == 0 && ur_file_link_restart(D.l[0]) < 0)
			fail_all("end A cannot restart");
	}
	for (i = 0; i < SLOTS; i++)
		if (slots[i].line.stream)
			drop(&slots[i], false);
	return NULL;
}

/* ---- the device ---------------------------------------------------------- */

struct service {
	struct line line;
	u32 next;		/* sequence number */
};

static void execute(struct service *s, struct random *r)
{
	struct line *l = &s->line;
	const struct message *m = &l->in;

	if (!is_sound(m, REQUEST) || m->connection >= CONNECTIONS_MAX ||
	    m->sequence != s->next || m->sequence >= PER_CONNECTION ||
	    (s->next > 0 && m->connection != l->connection)) {
		fail_all("a request that nobody made");
		return;
	}
	if (executed[m->connection][m->sequence]++)
		fail_all("a request executed twice");
	l->connection = m->connection;
	queue(l, ANSWER, s->next++, r);
}

static void hang_up(struct service *s, bool abort)
{
	ur_stream_close(s->line.stream, abort);
	s->line.stream = NULL;
}

static void device_turn(struct service *s, struct random *r)
{
	struct line *l = &s->line;
	int n = push(l);

	if (n == 0 && l->out_at == l->out_end)
		n = pull(l);
	if (n == 1)
		execute(s, r);
	if (n < 0)
		hang_up(s, false);
	else if (draw(r) % 3000 == 0)
		hang_up(s, true);
}

static struct service services[SLOTS];

static void take_calls(void)
{
	u32 i;

	for (i = 0; i < SLOTS; i++) {
		struct service *s = &services[i];

		if (s->line.stream)
			continue;
		s->line.out_at = s->line.out_end = s->line.in_at = 0;
		s->next = 0;
		if (ur_file_link_accept(D.l[1], SERVICE, 0, &s->line.stream) < 0)
			s->line.stream = NULL;
	}
}

static void device_poll(void)
{
	struct ur_poll_item items[SLOTS + 1];
	u32 i, count = 1;
	int n;

	items[0] = (struct ur_poll_item){ NULL, SERVICE, UR_POLL_IN, 0 };
	for (i = 0; i < SLOTS; i++) {
		struct line *l = &services[i].line;

		if (!l->stream)
			continue;
		items[count++] = (struct ur_poll_item){
			.stream = l->stream,
			.events = l->out_at < l->out_end ? UR_POLL_OUT : UR_POLL_IN,
		};
	}
	n = ur_file_link_poll(D.l[1], items, count, 200);
	if (n < 0)
		fail_all("the device cannot poll");
}

static void *device_thread(void *unused)
{
	struct random r = { 2463534242u };
	u32 i;

	(void)unused;
	while (!is_over()) {
		take_calls();
		for (i = 0; i < SLOTS; i++)
			if (services[i].line.stream)
				device_turn(&services[i], &r);
		device_poll();
		if (draw(&r) % 5000 == 0 && ur_file_link_restart(D.l[1]) < 0)
			fail_all("end B cannot restart");
	}
	for (i = 0; i < SLOTS; i++)
		if (services[i].line.stream)
			hang_up(&services[i], false);
	return NULL;
}

/* ---- both ---------------------------------------------------------------- */

static void check_ledger(void)
{
	u32 c, s, answered = 0, failed = 0;

	for (c = 0; c < connections; c++)
		for (s = 0; s < PER_CONNECTION; s++) {
			answered += fates[c][s] == ANSWERED;
			failed += fates[c][s] == FAILED;
			if (fates[c][s] == ISSUED)
				fail_all("a request without answer or error");
			if (fates[c][s] == ANSWERED && executed[c][s] != 1)
				fail_all("an answer to what was not executed");
			if (fates[c][s] == NOT_ISSUED && executed[c][s])
				fail_all("executed what was not asked");
		}
	printf("# %u connections, %u answers, %u errors\n", connections, answered,
	       failed);
	assert_true(answered > 200);
	assert_true(failed > 0);
}

static void open_link(u32 first_index)
{
	u32 end;

	duo_memory(&D);
	for (end = 0; end < 2; end++) {
		struct ur_file_link_config c = duo_config(&D, end);

		c.ring_bytes = RING;
		c.channels = 2 * SLOTS;
		c.first_index = first_index;
		c.first_generation = 0xfffffe;
		D.l[end] = must_open(&c);
	}
	assert_int_equal(ur_file_link_listen(D.l[1], SERVICE, SLOTS), 0);
}

static void run(u32 first_index)
{
	pthread_t client, device;
	struct ur_file_link_info info;
	u32 end;

	memset(fates, 0, sizeof(fates));
	memset(executed, 0, sizeof(executed));
	connections = 0;
	wrong = NULL;
	open_link(first_index);
	end_ms = now_ms() + 2000;
	pthread_create(&client, NULL, client_thread, NULL);
	pthread_create(&device, NULL, device_thread, NULL);
	pthread_join(client, NULL);
	pthread_join(device, NULL);
	for (end = 0; end < 2; end++) {
		ur_file_link_info(D.l[end], &info);
		if (info.counters.faults)
			fail_all("a fault between honest ends");
		assert_true(info.counters.epochs > 1);
	}
	check_ledger();
	duo_close(&D);
	if (wrong)
		row_fails("%s", wrong);
}

static void every_request_has_one_fate(void **state)
{
	(void)state;
	run(0);
}

static void over_the_wrap_of_the_indices(void **state)
{
	(void)state;
	run(0xffffe000);
}

static void by_eventfd(void **state)
{
	(void)state;
	doorbell = EVENTFD;
	run(0x7ffff000);
	doorbell = FUTEX;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_has_one_fate),
		cmocka_unit_test(over_the_wrap_of_the_indices),
		cmocka_unit_test(by_eventfd),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
