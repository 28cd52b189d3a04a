/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of one channel (SPEC.md section 7), within one pair of epochs.
 *
 *   caller's outbox                         acceptor's outbox
 *   word[CALLER]     generation | state     word[ACCEPTOR]
 *   produced, consumed [CALLER]             produced, consumed [ACCEPTOR]
 *   ring[CALLER]     ----- bytes ----->
 *                    <---- bytes ------     ring[ACCEPTOR]
 *
 *   caller:    IDLE -> CALL(g) -> HALF(g) -> CLOSED(g) | RESET(g) -> CALL(g+1)
 *                         |                     ^               when the acceptor
 *                         +---------------------+               ended g, too
 *   acceptor:  IDLE -> OPEN(g) -> HALF(g) -> CLOSED(g) | RESET(g) -> OPEN(g+1)
 *                \---> REFUSED(g), or CLOSED(g) for a call already withdrawn
 *
 *   here             SPEC
 *   word[e]          offset 0x00 of the channel block in e's outbox
 *   GENS             2^24: generations count modulo this, and wrap
 *   produced[e] ...  offsets 0x40 and 0x80; one load or store is one step
 *   gen, put, got    private: the generation, own `produced`, own `consumed`
 *   w                private: the peer's word as last observed
 *   service          offset 0x04; here it names the generation that calls
 *   bell[e]          doorbell to e. Here every change rings; when a doorbell
 *                    may be left out is ring.pml's business
 *
 * The programs above the two ends do anything: call, withdraw, accept, refuse,
 * send up to MOST bytes a generation, read, half-close, close, reset. Only, they
 * may not wait for each other for ever: the acceptor sleeps only after its own
 * half-close or while its ring is full, and an end that has both sent and seen
 * the end of stream closes.
 *
 * What section 7 leaves open, and the twin that shows why it matters:
 *   HALF is written only after OPEN was seen          BROKEN_HALF_BEFORE_OPEN
 *   HALF, CLOSED and RESET of g tell that OPEN(g)
 *   was there: an observer may have missed it         BROKEN_OPEN_ONLY
 *   IDLE has no generation, not generation 0          BROKEN_IDLE_HAS_GENERATION
 *
 * A byte is (generation, index), so a byte that is old, lost or doubled shows.
 *
 * Checked: bytes of this generation only, once and in order, all of them before
 * the end of stream; no end touches a ring of a generation after it closed, nor
 * clears its words while the other still uses them; the strictest move check
 * never fires between honest ends; no end sleeps for ever; and the caller can
 * call again, infinitely often (formula `reuse`).
 */

#define IDLE	0
#define CALL	1
#define OPEN	2
#define HALF	3
#define CLOSED	4
#define RESET	5
#define REFUSED	6

#ifndef GENS
#define GENS	3
#endif
#ifndef MOST
#define MOST	2
#endif
#define SIZE	1		/* of a ring, so that a cell is used again */

#define CALLER		0
#define ACCEPTOR	1
#define PEER		(1 - me)

#define WORD(g, s)	((g) * 8 + (s))
#define GEN(w)		((w) / 8)
#define STATE(w)	((w) % 8)
#define NEXT(g)		(((g) + 1) % GENS)
#define ENDED(s)	((s) == CLOSED || (s) == RESET || (s) == REFUSED)
#define BYTE(g, i)	((g) * MOST + (i) + 1)

#ifdef BROKEN_NO_GENERATION_COMPARE
#define SAME(w, g)	(STATE(w) != IDLE)
#define OTHER(w, g)	(true)
#else
#define SAME(w, g)	(STATE(w) != IDLE && GEN(w) == (g))
#define OTHER(w, g)	(GEN(w) != (g))
#endif

/* The acceptor's OPEN may be missed between two looks: later states imply it. */
#ifdef BROKEN_OPEN_ONLY
#define ACCEPTED(s)	((s) == OPEN)
#else
#define ACCEPTED(s)	((s) >= OPEN && (s) != REFUSED)
#endif

byte word[2], produced[2], consumed[2], ring[2];
bool bell[2];
bool in_use[2];			/* ghost: this end may touch the rings now */
bool ready;			/* ghost: the caller may call (again) */
byte service;			/* offset 0x04, of the caller's block */
hidden byte legal_state, legal_move, claim_possible, byte_in_order;
hidden byte all_was_read, peer_let_go, service_of_call;

/*
 * What an observer accepts: moves inside a generation, and going on to the next
 * one. With BROKEN_NO_CLOSURE only a generation's first state may begin it.
 */
#define STAYED(s, t) \
	(STATE(s) != IDLE && GEN(s) == GEN(t) && \
	 ((STATE(s) < HALF && STATE(t) == HALF) || \
	  (STATE(s) <= HALF && (STATE(t) == CLOSED || STATE(t) == RESET))))

#ifdef BROKEN_NO_CLOSURE
#define CALLER_BEGAN(s)		((s) == CALL)
#define ACCEPTOR_BEGAN(s)	((s) == OPEN || (s) == REFUSED || (s) == CLOSED)
#else
#define CALLER_BEGAN(s)		((s) != IDLE)
#define ACCEPTOR_BEGAN(s)	((s) != IDLE)
#endif

/* The caller goes on by one generation, and only when the acceptor has ended. */
#define CALLER_WENT_ON(s, t, own) \
	(CALLER_BEGAN(STATE(t)) && (STATE(s) == IDLE || \
	 (GEN(t) == NEXT(GEN(s)) && ENDED(STATE(own)) && GEN(own) == GEN(s))))

/* The acceptor goes on only to the generation that it was called with. */
#define ACCEPTOR_WENT_ON(s, t, own) \
	(ACCEPTOR_BEGAN(STATE(t)) && STATE(own) != IDLE && \
	 GEN(t) == GEN(own) && (STATE(s) == IDLE || GEN(t) == NEXT(GEN(s))))

/* Load the peer's word w (acquire) and check it: faults 10 and 11. */
inline observe()
{
	if
	:: me == CALLER ->
		legal_state = (STATE(word[PEER]) != CALL);
		legal_move = (w == word[PEER] || STAYED(w, word[PEER]) ||
			      ACCEPTOR_WENT_ON(w, word[PEER], word[me]))
	:: me == ACCEPTOR ->
		legal_state = (STATE(word[PEER]) != OPEN &&
			       STATE(word[PEER]) != REFUSED);
		legal_move = (w == word[PEER] || STAYED(w, word[PEER]) ||
			      CALLER_WENT_ON(w, word[PEER], word[me]))
	fi;
	assert(legal_state);
#ifndef NO_MOVE_CHECK
	assert(legal_move);
#endif
	w = word[PEER]
}

/* Store the own word (release), then ring. Ended: no touch from here on. */
inline announce(state)
{
	atomic {
		word[me] = WORD(gen, state);
		in_use[me] = in_use[me] && !ENDED(state);
		bell[PEER] = true
	}
}

inline assert_let_go()
{
	atomic { peer_let_go = !in_use[PEER]; assert(peer_let_go) }
}

/* A generation's indices start at 0; the peer must have let go of the old ones. */
inline clear()
{
	assert_let_go();
#ifndef BROKEN_NO_CLEAR
	produced[me] = 0;
	consumed[me] = 0
#endif
}

inline wait_for_bell()
{
	atomic { bell[me] -> bell[me] = false }
}

/* Load the peer's claims and check them: faults 8 and 9. */
inline load_produced()
{
	p = produced[PEER];
	claim_possible = (p >= got && p - got <= SIZE);
	assert(claim_possible)
}

inline load_consumed()
{
	c = consumed[PEER];
	claim_possible = (c <= put && put - c <= SIZE);
	assert(claim_possible)
}

inline receive()
{
	byte_in_order = (in_use[me] && ring[PEER] == BYTE(gen, got));
	assert(byte_in_order);
	got++;
	consumed[me] = got;
	bell[PEER] = true
}

inline send()
{
	assert(in_use[me]);
	ring[me] = BYTE(gen, put);
	put++;
	produced[me] = put;
	bell[PEER] = true
}

#define SENDING		(STATE(word[me]) != HALF && STATE(w) <= HALF)
#define FULL		(put - c == SIZE)
#define END_OF_STREAM	(p == got && (STATE(w) == HALF || STATE(w) == CLOSED))
#define WANTS_DATA	(STATE(w) < HALF && \
			 (me == CALLER || STATE(word[me]) == HALF))
#define WANTS_TO_SEND	(SENDING && put < MOST)

inline check_end_of_stream()
{
	all_was_read = (!END_OF_STREAM || got == produced[PEER]);
	assert(all_was_read)
}

/* From open to closed: each turn looks at everything, then does one thing. */
inline converse()
{
	assert(in_use[me]);
turn:
#ifdef BROKEN_END_OF_STREAM_ORDER
	load_produced();
	atomic { observe(); load_consumed(); check_end_of_stream() };
#else
	atomic { observe() };
	atomic { load_produced(); load_consumed(); check_end_of_stream() };
#endif
	if
	:: atomic { STATE(w) != RESET && p != got -> receive() }; goto turn
	:: atomic { WANTS_TO_SEND && !FULL -> send() }; goto turn
	:: SENDING -> announce(HALF); goto turn
	:: p == got && (WANTS_DATA || (WANTS_TO_SEND && FULL)) ->
		wait_for_bell();
		goto turn
	:: p == got && STATE(w) != RESET -> announce(CLOSED)
	:: announce(RESET)
	fi;
	atomic { p = 0; c = 0; put = 0; got = 0 }
}

active proctype caller()
{
	byte me = CALLER;
	byte gen, w, p, c, put, got;
	bool patient;

	select(gen : 0 .. GENS - 1);
calling:
	ready = true;
	clear();
	service = gen;
	if
	:: patient = true
	:: patient = false
	fi;
	atomic { announce(CALL); ready = false };
#ifdef BROKEN_HALF_BEFORE_OPEN
	if
	:: announce(HALF)
	:: true
	fi;
#endif
#ifdef BROKEN_EARLY_TOUCH
	goto open;
#endif
answer:	atomic {
		observe();
		if
		:: SAME(w, gen) && ACCEPTED(STATE(w)) -> goto open
		:: SAME(w, gen) && STATE(w) == REFUSED -> goto close
		:: else
		fi
	};
	if
	:: patient -> wait_for_bell(); goto answer
	:: !patient -> goto close
	fi;
open:	in_use[me] = true;
	converse();
	goto closed;
close:	if
	:: announce(CLOSED)
	:: announce(RESET)
	fi;
closed:
#ifndef BROKEN_NO_WAIT
	atomic {
		observe();
		if
		:: SAME(w, gen) && ENDED(STATE(w)) -> goto next
		:: else
		fi
	};
	wait_for_bell();
	goto closed;
#endif
next:	gen = NEXT(gen);
	goto calling
}

/* Is w news for an acceptor whose own word has ended, or is IDLE? */
#ifdef BROKEN_IDLE_HAS_GENERATION
#define NEWS(w)		(OTHER(w, GEN(word[me])))
#else
#define NEWS(w)		(STATE(word[me]) == IDLE || OTHER(w, GEN(word[me])))
#endif

active proctype acceptor()
{
	byte me = ACCEPTOR;
	byte gen, w, p, c, put, got;

idle:	atomic {
		observe();
		if
		:: STATE(w) == CALL && NEWS(w) -> goto called
#ifndef BROKEN_NO_ANSWER_TO_WITHDRAWN
		:: ENDED(STATE(w)) && NEWS(w) -> goto withdrawn
#endif
		:: else
		fi
	};
	wait_for_bell();
	goto idle;
called:
	atomic {
		gen = GEN(w);
		service_of_call = (service == gen);
		assert(service_of_call)
	};
	if
	:: announce(REFUSED); goto idle
	:: goto opening
	fi;
withdrawn:
	gen = GEN(w);
	announce(CLOSED);
	goto idle;
opening:
#ifdef BROKEN_CLEAR_AFTER_OPEN
	announce(OPEN);
	in_use[me] = true;
	clear();
#else
	clear();
	atomic { announce(OPEN); in_use[me] = true };
#endif
	converse();
	goto idle
}

#ifdef LIVENESS
/* Standstill lasts for ever: a cycle for the formula. */
active proctype standstill()
{
end:	do
	:: timeout
	od
}

ltl reuse { [] <> ready }
#endif
