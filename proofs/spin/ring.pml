/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ring, one doorbell in each direction (SPEC.md sections 4 and 5).
 *
 *   producer's outbox                         consumer's outbox
 *   +-----------------------+                 +-----------------------+
 *   | ring[ ]               | ---- bytes ---> |                       |
 *   | produced              | ---- claim ---> |                       |
 *   |                       | <--- claim ---- | consumed              |
 *   | space_event           | -- "ring me" -> |                       |
 *   |                       | <- "ring me" -- | data_event            |
 *   +-----------------------+                 +-----------------------+
 *           producer_bell <===== doorbells =====> consumer_bell
 *
 *   here            SPEC
 *   SIZE, MOD       ring_bytes, 2^32
 *   put, got        the private indices behind `produced` and `consumed`
 *   *_low           `low`: how much a sleeper wants before it is woken
 *   w.mem           what the other processor sees of word w
 *   w.buf, w.dirty  a store that is still on its way (store buffer)
 *   FENCE           the full fence of section 5
 *
 * The race. Each side stores one word and then loads the other's:
 *
 *     sleeper                       publisher
 *       store data_event              store produced
 *       full fence                    full fence
 *       load produced                 load data_event
 *       nothing: sleep                not passed: no doorbell
 *
 * Without both fences both loads may run before both stores arrive, and the
 * sleeper is never woken. So a store goes to a buffer first and the process
 * `hardware` lets it out whenever it likes; buffers of different words overtake
 * each other. A release only orders the ring's bytes before the index; nobody
 * looks at a byte before its index, so bytes go to memory directly. An end
 * never reads its own words back, so nothing is forwarded from a buffer.
 *
 * No watchdog here: whoever sleeps is woken by a doorbell or stays asleep.
 * Either end may stop for good at any time, so that no later doorbell covers
 * up for a lost one. The byte with index i has the value i.
 *
 * Checked: every byte once and in order; no index claim is refused; nobody
 * sleeps for ever with work to do (as end states, and as the formula `woken`).
 */

#ifndef SIZE
#define SIZE	3
#endif
#ifndef MOD
#define MOD	6
#endif
#ifndef SPURIOUS
#define SPURIOUS 0
#endif

/*
 * Both low marks together may be at most SIZE + 1: with one more, a consumer that
 * wants more than there is can meet a producer that wants more than there is room.
 */
#ifdef BROKEN_LOW
#define LOW	((SIZE + 1) / 2 + 1)
#else
#define LOW	((SIZE + 1) / 2)
#endif

#define ADD(a, b)	(((a) + (b)) % MOD)
#define SUB(a, b)	(((a) + MOD - (b)) % MOD)

typedef word {
	byte mem;
	byte buf;
	bool dirty
};

word produced, space_event;	/* written by the producer */
word consumed, data_event;	/* written by the consumer */
byte ring[SIZE] = 255;
bool producer_bell, consumer_bell;
byte spurious = SPURIOUS;	/* doorbells still to come that nobody rings */

byte put, got;			/* private, global only for the formula */
byte producer_low, consumer_low;
bool producer_stopped, consumer_stopped;
hidden byte claim_possible, byte_in_order;	/* what pan names when it fails */

#define DATA(p)		SUB(p, got)
#define ROOM(c)		(SIZE - SUB(put, c))
#define STORE(w, v)	atomic { w.buf = v; w.dirty = true }
#define ARRIVE(w)	w.mem = w.buf; w.dirty = false
#define FENCE(v, w)	atomic { ARRIVE(v); ARRIVE(w) }
#define PASSED(e, old, new)	(SUB(SUB(new, e), 1) < SUB(new, old))

/* Section 4: what one end accepts as the other's index p. */
#define POSSIBLE(p, last, most)	(SUB(p, last) <= most)

inline publisher_fence(v, w)
{
#ifndef BROKEN_NO_FENCE_PUBLISHER
	FENCE(v, w)
#else
	skip
#endif
}

inline sleeper_fence(v, w)
{
#ifndef BROKEN_NO_FENCE_SLEEPER
	FENCE(v, w)
#else
	skip
#endif
}

/* The publisher's last step: ring if the index just passed the event word. */
inline ring_if_passed(event, new, bell)
{
#ifdef BROKEN_EVENT_OFF_BY_ONE
	bell = bell || (PASSED(ADD(event.mem, 1), SUB(new, n), new));
#else
	bell = bell || (PASSED(event.mem, SUB(new, n), new));
#endif
	n = 0
}

inline select_upto(x, most)
{
	atomic {
		x = 1;
		do
		:: x < most -> x++
		:: break
		od
	}
}

inline copy_in()
{
	i = 0;
	do
	:: i < n -> ring[ADD(put, i) % SIZE] = ADD(put, i); i++
	:: i == n -> break
	od;
	i = 0
}

inline copy_out()
{
	i = 0;
	do
	:: i < n ->
		byte_in_order = (ring[ADD(got, i) % SIZE] == ADD(got, i));
		assert(byte_in_order);
		i++
	:: i == n -> break
	od;
	i = 0
}

inline load_consumed()
{
	claim_possible = POSSIBLE(consumed.mem, last, SUB(put, last));
	assert(claim_possible);
	last = consumed.mem
}

inline load_produced()
{
	claim_possible = POSSIBLE(produced.mem, last, SIZE - DATA(last));
	assert(claim_possible);
	last = produced.mem
}

active proctype producer()
{
	byte last;		/* last accepted `consumed` */
	byte n, i;

next:	if
	:: select_upto(producer_low, LOW)
	:: goto stopped
	fi;
look:	atomic {
		load_consumed();
		if
		:: ROOM(last) >= producer_low -> goto send
		:: else
		fi;
		STORE(space_event, SUB(ADD(put, producer_low + MOD), SIZE + 1))
	};
	sleeper_fence(produced, space_event);
#ifndef BROKEN_NO_RECHECK
	atomic {
		load_consumed();
		if
		:: ROOM(last) >= producer_low -> goto send
		:: else
		fi
	};
#endif
#ifdef BROKEN_CLEAR_AFTER_CHECK
	producer_bell = false;
#endif
asleep:	if
	:: atomic { producer_bell -> producer_bell = false }; goto look
	:: consumer_stopped && ROOM(consumed.buf) < producer_low ->
		goto stopped
	fi;
send:	atomic {
		producer_low = 0;
		select_upto(n, ROOM(last));
#ifdef BROKEN_PUBLISH_BEFORE_COPY
		STORE(produced, ADD(put, n))
	};
	atomic {
		copy_in();
#else
		copy_in();
		STORE(produced, ADD(put, n));
#endif
		put = ADD(put, n)
	};
	publisher_fence(produced, space_event);
	atomic { ring_if_passed(data_event, put, consumer_bell) };
	goto next;
stopped:
	producer_stopped = true
}

active proctype consumer()
{
	byte last;		/* last accepted `produced` */
	byte n, i;

next:	if
	:: select_upto(consumer_low, LOW)
	:: goto stopped
	fi;
look:	atomic {
		load_produced();
		if
		:: DATA(last) >= consumer_low -> goto receive
		:: else
		fi;
		STORE(data_event, SUB(ADD(got, consumer_low), 1))
	};
	sleeper_fence(consumed, data_event);
#ifndef BROKEN_NO_RECHECK
	atomic {
		load_produced();
		if
		:: DATA(last) >= consumer_low -> goto receive
		:: else
		fi
	};
#endif
#ifdef BROKEN_CLEAR_AFTER_CHECK
	consumer_bell = false;
#endif
asleep:	if
	:: atomic { consumer_bell -> consumer_bell = false }; goto look
	:: producer_stopped && DATA(produced.buf) < consumer_low ->
		goto stopped
	fi;
receive:
	atomic {
		consumer_low = 0;
		select_upto(n, DATA(last));
#ifdef BROKEN_CONSUME_BEFORE_COPY
		STORE(consumed, ADD(got, n))
	};
	atomic {
		copy_out();
#else
		copy_out();
		STORE(consumed, ADD(got, n));
#endif
		got = ADD(got, n)
	};
	publisher_fence(consumed, data_event);
	atomic { ring_if_passed(space_event, got, producer_bell) };
	goto next;
stopped:
	consumer_stopped = true
}

/* Lets stores out of the buffers in any order, and rings for no reason. */
active proctype hardware()
{
end:	do
	:: atomic { produced.dirty -> ARRIVE(produced) }
	:: atomic { space_event.dirty -> ARRIVE(space_event) }
	:: atomic { consumed.dirty -> ARRIVE(consumed) }
	:: atomic { data_event.dirty -> ARRIVE(data_event) }
	:: atomic { spurious > 0 -> spurious--; producer_bell = true }
	:: atomic { spurious > 0 -> spurious--; consumer_bell = true }
#ifdef LIVENESS
	:: timeout	/* standstill lasts for ever: a cycle for the formula */
#endif
	od
}

#ifdef LIVENESS
#define consumer_due	(DATA(produced.buf) >= consumer_low)
#define producer_due	(ROOM(consumed.buf) >= producer_low)

ltl woken {
	[] ((consumer@asleep && consumer_due) -> <> !(consumer@asleep)) &&
	[] ((producer@asleep && producer_due) -> <> !(producer@asleep))
}
#endif
