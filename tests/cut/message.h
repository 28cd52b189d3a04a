/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests and answers whose every byte follows from who sent them, when and
 * for what: a byte of another channel, of another pair of epochs or of another
 * message never passes for the right one.
 *
 *      0       4      8         12       16       20         24      28
 *      magic   kind   channel   epoch A  epoch B  sequence   bytes   wanted
 *      32..47 and the payload behind 48: a pattern of the words above
 *
 * bytes is the length of the payload, wanted that of the answer's.
 */
#ifndef UR_TEST_MESSAGE_H
#define UR_TEST_MESSAGE_H

#include "env.h"

#define MESSAGE_HEADER 48u
#define MESSAGE_MAGIC 0x4d535247u
#ifndef PAYLOAD_MAX
#define PAYLOAD_MAX 80u
#endif

enum message_kind { REQUEST = 1, ANSWER = 2 };

/* What there is only one request of, ever. */
struct key {
	u32 channel;
	u32 epoch[2];	/* of both ends, by enum ur_end */
	u32 sequence;	/* counts up from 0 for a channel and pair of epochs */
};

struct message_head {
	u32 magic;
	u32 kind;
	struct key key;
	u32 bytes;
	u32 wanted;
};

_Static_assert(sizeof(struct message_head) == 32, "the drawing above");

/* A message on its way in or out; `done` bytes of it are through. */
struct message {
	u32 done;
	union {
		struct message_head head;
		u8 bytes[MESSAGE_HEADER + PAYLOAD_MAX];
	};
};

static inline bool key_equals(const struct key *a, const struct key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline u32 head_hash(const struct message_head *h)
{
	const u32 words[] = { h->kind, h->key.channel, h->key.epoch[0],
			      h->key.epoch[1], h->key.sequence, h->bytes,
			      h->wanted };
	u32 i, hash = 2166136261u;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	return hash;
}

static inline u8 pattern(u32 hash, u32 at)
{
	return (u8)((hash + at * 0x85ebca6bu) >> 24);
}

static inline u32 message_length(const struct message *m)
{
	return MESSAGE_HEADER + m->head.bytes;
}

static inline void message_build(struct message *m, enum message_kind kind,
				 const struct key *key, u32 bytes, u32 wanted)
{
	u32 at, hash;

	m->done = 0;
	m->head = (struct message_head){ MESSAGE_MAGIC, kind, *key, bytes,
					 wanted };
	hash = head_hash(&m->head);
	for (at = sizeof(m->head); at < message_length(m); at++)
		m->bytes[at] = pattern(hash, at);
}

/* What is wrong with a whole header, or NULL. */
static inline const char *message_head_wrong(const struct message *m,
					     enum message_kind kind)
{
	u32 at, hash = head_hash(&m->head);

	if (m->head.magic != MESSAGE_MAGIC || m->head.kind != kind)
		return "a message that nobody sent";
	if (m->head.bytes > PAYLOAD_MAX || m->head.wanted > PAYLOAD_MAX)
		return "a message longer than any that was sent";
	for (at = sizeof(m->head); at < MESSAGE_HEADER; at++)
		if (m->bytes[at] != pattern(hash, at))
			return "a header that nobody sent";
	return NULL;
}

static inline const char *message_payload_wrong(const struct message *m)
{
	u32 at, hash = head_hash(&m->head);

	for (at = MESSAGE_HEADER; at < message_length(m); at++)
		if (m->bytes[at] != pattern(hash, at))
			return "a byte of a payload that nobody sent";
	return NULL;
}

/* How many bytes to ask for next, so that none of the next message comes. */
static inline u32 message_lacks(const struct message *m)
{
	if (m->done < MESSAGE_HEADER)
		return MESSAGE_HEADER - m->done;
	return message_length(m) - m->done;
}

#endif
