/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who asks and who answers over a file link, in as many threads as you like,
 * with the books of one process: a page for each channel and pair of epochs, a
 * row for each sequence number.
 *
 *      asks        0 -> issued -> answered | failed
 *      answers     0 -> taken  -> sent     | failed
 */
#ifndef UR_TEST_DIALOGUE_H
#define UR_TEST_DIALOGUE_H

#define PAYLOAD_MAX 8192u	/* twice a ring */
#include "duo.h"
#include "message.h"

#define PAGES 64
#define ROWS_MAX 16384
#define CONNECT_MS 100	/* patience with a peer that is not there */

enum row_state { ROW_NONE, ROW_OPEN, ROW_DONE, ROW_FAILED };

struct page {
	u32 channel;
	u32 epoch[2];
	u32 rows;
	u8 row[ROWS_MAX];	/* enum row_state, by sequence */
};

static struct books {
	pthread_mutex_t lock;	/* of all below */
	pthread_cond_t news;
	u32 pages;
	struct page page[PAGES];
	u64 done, failed;
	u64 last_failed_ms;	/* when, by now_ms() */
	const char *wrong;	/* the first thing that must not be */
} BOOKS = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static struct {
	struct ur_file_link *link;
	enum ur_end end;
	bool over;	/* begin nothing new; atomic */
	bool killed;	/* the peer may be gone; atomic */
} SELF;

/* ---- the books ----------------------------------------------------------- */

static inline bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void set_to(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

static void wrong_locked(const char *what)
{
	if (!BOOKS.wrong)
		BOOKS.wrong = what;
	pthread_cond_broadcast(&BOOKS.news);
}

static void wrong(const char *what)
{
	pthread_mutex_lock(&BOOKS.lock);
	wrong_locked(what);
	pthread_mutex_unlock(&BOOKS.lock);
}

static struct page *page_locked(const struct key *key)
{
	struct page *p = BOOKS.page;

	for (; p < BOOKS.page + BOOKS.pages; p++)
		if (p->channel == key->channel && p->epoch[0] == key->epoch[0] &&
		    p->epoch[1] == key->epoch[1])
			return p;
	if (BOOKS.pages == PAGES) {
		wrong_locked("more channels and epochs than pages");
		return BOOKS.page;
	}
	BOOKS.pages++;
	p->channel = key->channel;
	memcpy(p->epoch, key->epoch, sizeof(p->epoch));
	p->rows = 0;
	return p;
}

/* The next sequence number of the key's page; false: the page is full. */
static bool book_issue(struct key *key)
{
	struct page *p;
	bool room;

	pthread_mutex_lock(&BOOKS.lock);
	p = page_locked(key);
	room = p->rows < ROWS_MAX;
	key->sequence = p->rows;
	if (room)
		p->row[p->rows++] = ROW_OPEN;
	pthread_mutex_unlock(&BOOKS.lock);
	return room;
}

/* A request came: it has to be the next one of its page. */
static bool book_take(const struct key *key)
{
	struct key next = *key;
	bool good = book_issue(&next) && next.sequence == key->sequence;

	if (!good)
		wrong("a request was lost, or came twice");
	return good;
}

static void book_end(const struct key *key, bool done)
{
	struct page *p;

	pthread_mutex_lock(&BOOKS.lock);
	p = page_locked(key);
	if (key->sequence >= p->rows || p->row[key->sequence] != ROW_OPEN)
		wrong_locked("a request that ended twice");
	else
		p->row[key->sequence] = done ? ROW_DONE : ROW_FAILED;
	BOOKS.done += done;
	BOOKS.failed += !done;
	if (!done)
		BOOKS.last_failed_ms = now_ms();
	pthread_cond_broadcast(&BOOKS.news);
	pthread_mutex_unlock(&BOOKS.lock);
}

/* ---- what both do -------------------------------------------------------- */

static u32 random_below(u32 *state, u32 bound)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % bound;
}

/* This end's and the peer's epoch, as they are now. */
static void epochs_now(u32 epoch[2])
{
	struct ur_file_link_info info;

	ur_file_link_info(SELF.link, &info);
	epoch[SELF.end] = info.epoch;
	epoch[!SELF.end] = info.peer_epoch;
}

/* The one error there may be, and only once the peer was killed. */
static void must_be_reset(ssize_t n)
{
	if (n != UR_PEER_RESET)
		wrong(n == -ETIMEDOUT ? "a wait that does not end" :
		      n == 0	      ? "end of stream before its end" :
					"an error other than reset");
	else if (!is_set(&SELF.killed))
		wrong("a reset, and nobody died");
}

static bool send_message(struct ur_stream *s, const struct message *m)
{
	size_t bytes = message_length(m);
	ssize_t n = ur_stream_send(s, m->bytes, bytes, SOON_MS);

	if (n >= 0 && (size_t)n < bytes)
		n = ur_stream_send(s, m->bytes + n, bytes - (size_t)n, SOON_MS);
	else if (n > 0)
		return true;
	must_be_reset(n);
	return false;
}

static bool recv_part(struct ur_stream *s, struct message *m, u32 bytes)
{
	ssize_t n = bytes ? ur_stream_recv_all(s, m->bytes + m->done, bytes,
					       SOON_MS) : 0;

	if (n >= 0 && n < (ssize_t)bytes)
		n = ur_stream_recv(s, m->bytes + m->done, bytes, SOON_MS);
	else if (n >= 0) {
		m->done += bytes;
		return true;
	}
	must_be_reset(n);
	return false;
}

/* The rest of a message of which `done` bytes are here. */
static bool recv_message(struct ur_stream *s, struct message *m,
			 enum message_kind kind, const u32 epoch[2])
{
	const char *bad;

	if (!recv_part(s, m, MESSAGE_HEADER - m->done))
		return false;
	bad = message_head_wrong(m, kind);
	if (!bad && memcmp(m->head.key.epoch, epoch, 2 * sizeof(u32)) != 0)
		bad = "a message of an old epoch in a new one";
	if (!bad && m->head.key.channel != ur_stream_channel(s))
		bad = "a message of another channel";
	if (bad)
		wrong(bad);
	if (bad || !recv_part(s, m, m->head.bytes))
		return false;
	bad = message_payload_wrong(m);
	if (bad)
		wrong(bad);
	return !bad;
}

/* ---- who asks ------------------------------------------------------------ */

#define UNDER_WAY_MAX 4

struct asker {
	u32 random;
	u32 epoch[2];
	u32 left;		/* requests of this call */
	u32 under_way;		/* at most so many */
	u32 payload;		/* at most so long */
	u32 waiting;
	struct key keys[UNDER_WAY_MAX];
	struct message m;
};

static bool ask_one(struct asker *a, struct ur_stream *s)
{
	struct key key = { .channel = ur_stream_channel(s) };

	memcpy(key.epoch, a->epoch, sizeof(key.epoch));
	if (!book_issue(&key)) {
		a->left = 0;
		return true;
	}
	a->left--;
	a->keys[a->waiting++] = key;
	message_build(&a->m, REQUEST, &key,
		      random_below(&a->random, a->payload + 1),
		      random_below(&a->random, a->payload + 1));
	return send_message(s, &a->m);
}

static bool take_answer(struct asker *a, struct ur_stream *s)
{
	a->m.done = 0;
	if (!recv_message(s, &a->m, ANSWER, a->epoch))
		return false;
	if (!key_equals(&a->m.head.key, &a->keys[0])) {
		wrong("an answer to another request");
		return false;
	}
	book_end(&a->keys[0], true);
	a->waiting--;
	memmove(a->keys, a->keys + 1, a->waiting * sizeof(a->keys[0]));
	return true;
}

static bool ask_all(struct asker *a, struct ur_stream *s)
{
	while (a->left || a->waiting) {
		if (is_set(&SELF.over))
			a->left = 0;
		while (a->left && a->waiting < a->under_way)
			if (!ask_one(a, s))
				return false;
		if (a->waiting && !take_answer(a, s))
			return false;
	}
	return true;
}

static void part(struct ur_stream *s)
{
	u8 byte;
	ssize_t n = ur_stream_shut(s, UR_SHUT_SEND);

	if (n == 0)
		n = ur_stream_recv(s, &byte, 1, SOON_MS);
	if (n > 0)
		wrong("bytes after the last answer");
	else if (n < 0)
		must_be_reset(n);
}

/*
 * Whoever sends before it receives must find room for what is under way, or it
 * and the peer wait for each other: many short ones, or a long one at a time.
 */
static void ask_visit(struct asker *a, struct ur_stream *s)
{
	u32 i;

	a->under_way = random_below(&a->random, 2) ? UNDER_WAY_MAX : 1;
	a->payload = a->under_way == 1 ? PAYLOAD_MAX : 900;
	a->left = 1 + random_below(&a->random, 30);
	a->waiting = 0;
	if (ask_all(a, s))
		part(s);
	for (i = 0; i < a->waiting; i++)
		book_end(&a->keys[i], false);
}

static void ask_connect(struct asker *a)
{
	struct ur_stream *s;
	u32 before[2];
	int n;

	epochs_now(before);
	n = ur_file_link_connect(SELF.link, SERVICE, CONNECT_MS, &s);
	if (n == UR_PEER_REFUSED)
		usleep(200); /* nobody listens yet; there is no event for it */
	if (n == UR_PEER_BROKEN)
		wrong("the link is broken, and nobody lied");
	if (n < 0)
		return;
	epochs_now(a->epoch);
	if (memcmp(before, a->epoch, sizeof(before)) == 0)
		ask_visit(a, s);
	ur_stream_close(s, false);
}

/* arg: a seed. Until SELF.over. */
static void *ask(void *arg)
{
	struct asker a = { .random = (u32)(uintptr_t)arg };

	while (!is_set(&SELF.over))
		ask_connect(&a);
	return NULL;
}

/* ---- who answers --------------------------------------------------------- */

static bool answer_one(struct ur_stream *s, struct message *m)
{
	struct key key = m->head.key;
	bool sent;

	if (!book_take(&key))
		return false;
	message_build(m, ANSWER, &key, m->head.wanted, 0);
	sent = send_message(s, m);
	book_end(&key, sent);
	return sent;
}

static void answer_all(struct ur_stream *s)
{
	struct message m;
	u32 epoch[2];
	ssize_t n;

	epochs_now(epoch);
	for (;;) {
		m.done = 0;
		n = ur_stream_recv(s, m.bytes, MESSAGE_HEADER, SOON_MS);
		if (n <= 0)
			break;
		m.done = (u32)n;
		if (!recv_message(s, &m, REQUEST, epoch) || !answer_one(s, &m))
			return;
	}
	if (n < 0)
		must_be_reset(n);
}

/* Until nobody listens. */
static void *answer(void *arg)
{
	struct ur_stream *s;
	int n;

	(void)arg;
	for (;;) {
		n = ur_file_link_accept(SELF.link, SERVICE, SOON_MS, &s);
		if (n < 0)
			break;
		answer_all(s);
		ur_stream_close(s, false);
	}
	if (n != UR_BUG_INVALID)
		wrong("accept ended, and somebody listens");
	return NULL;
}

#endif
