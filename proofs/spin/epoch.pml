/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The epoch handshake of two ends that may die at any step (SPEC.md section 6).
 *
 *   end 0                                              end 1
 *   epoch[0] = 0, clean, epoch[0] = a ---- bell --->   sees a: clean blocks,
 *   sees b: clean blocks, seen[0] = b <--- bell ----   seen[1] = a
 *   seen[1] == a: UP                  ---- bell --->   seen[0] == b: UP
 *
 *   here              SPEC
 *   epoch[e] ...      the words of e's header; e writes them, its peer reads
 *   header[e]         words 0x00-0x1b: as the peer expects them, or not (yet)
 *   block[e]          all of e's channel blocks: 0, or PAIR(writer, for whom)
 *   own, handled ...  private to an end; gone when it dies
 *   bell[e]           doorbell to e: one latched bit
 *   start             "own start"; handle_epoch and judge: "on every look"
 *   fate              kills either end before any of its steps, CRASHES times;
 *                     and is the supervisor that writes a dead end's epoch = 0
 *                     and rings the survivor, or comes too late for it
 *
 * Ghosts: lives[e] counts e's starts and announced[e] is the life that wrote
 * epoch[e]. A block carries lives, not epochs, so that an epoch taken twice
 * would show.
 *
 * Checked: an end that is UP sees a block that is clean, or written by the life
 * it acknowledged for its own life; an honest end is never declared faulty; and
 * when the crashes stop both ends come UP and stay UP: as an assertion at every
 * end of activity (no watchdog look is needed) and as the formula `recovers`.
 *
 * With SEVERS an end may also sever the link for a reason of its own (section
 * 8). Its peer may then say so; and once either takes a new epoch, both must
 * come UP again.
 *
 * An end uses its channels after a look and, without one, after a doorbell: its
 * peer may be another by then. A dead end is declared so only while it cannot
 * start again; BROKEN_LATE_DOWN is the supervisor that finds it dead first and
 * writes later, for instance after it found a file lock free but did not take it.
 */

#ifndef CRASHES
#define CRASHES	3
#endif
#ifndef SEVERS
#define SEVERS	0
#endif
#ifdef WRAPS
#define EPOCHS	3		/* 2^32: an end has two epochs to take turns with */
#else
#define EPOCHS	8		/* 2^32: more than an end can use up */
#endif

#define PEER		(1 - me)
#define PAIR(a, b)	((a) * 8 + (b))

byte epoch[2], seen[2], epoch_last[2], block[2];
bool header[2], bell[2];

bool dead[2], up[2];
byte crashes = CRASHES, severs = SEVERS;
bool heal;			/* somebody severed: an end must start again */

byte lives[2], announced[2];	/* ghosts */
byte severed[2];		/* ghost: the life that severed the link */
hidden byte honest_peer_not_accused, block_of_this_pair, both_up;

/* Section 6, "own start". */
inline announce_epoch()
{
	atomic { epoch[me] = own; announced[me] = lives[me]; bell[PEER] = true }
}

inline clean()
{
	block[me] = 0;
	seen[me] = 0
}

inline write_header()
{
	header[me] = false;	/* being rewritten, one word after the other */
	header[me] = true
}

/* With WRAPS a look is one step: the counter does not wrap in the midst of it. */
#ifdef WRAPS
#define UNDIVIDED	atomic
#else
#define UNDIVIDED
#endif

#ifdef BROKEN_NO_SEEN_AVOIDANCE
#define TAKEN(e)	(false)
#else
#define TAKEN(e)	((e) == seen[PEER])
#endif

inline choose_epoch()
{
	atomic {
#ifdef BROKEN_EPOCH_REPEATS
		own = 1;
#else
		own = (epoch_last[me] + 1) % EPOCHS;
		do
		:: own == 0 || TAKEN(own) -> own = (own + 1) % EPOCHS
		:: else -> break
		od
#endif
	};
#ifndef BROKEN_NO_EPOCH_LAST
	epoch_last[me] = own
#endif
}

inline start()
{
	lives[me]++;
#ifndef BROKEN_CLEAN_BEFORE_ZERO
	atomic { epoch[me] = 0; announced[me] = 0 };
#endif
#ifndef BROKEN_CLEAN_AFTER_ANNOUNCING
	clean();
#endif
#ifndef BROKEN_HEADER_AFTER_ANNOUNCING
	write_header();
#endif
	choose_epoch();
	announce_epoch();
#ifdef BROKEN_CLEAN_AFTER_ANNOUNCING
	clean();
#endif
#ifdef BROKEN_HEADER_AFTER_ANNOUNCING
	write_header();
#endif
}

/* Section 6, "on every look": the peer's epoch is not the one handled last. */
inline handle_epoch()
{
	up[me] = false;
	met = false;
	acked = false;
#if !defined(BROKEN_NO_CLEAN_BEFORE_ACK) && !defined(BROKEN_CLEAN_AFTER_ACK)
	block[me] = 0;
#endif
	if
	:: handled == 0 -> seen[me] = 0
	:: handled != 0 && header[PEER] ->
		acked = true;
		atomic {
			seen[me] = handled;
#if defined(WRAPS) || defined(BROKEN_NO_EPOCH_LAST)
			their_life = lives[PEER];
#endif
#ifndef BROKEN_NO_RING_AFTER_ACK
			bell[PEER] = true
#endif
		};
#ifdef BROKEN_CLEAN_AFTER_ACK
		block[me] = 0;
#endif
	:: handled != 0 && !header[PEER] -> goto suspect
	fi
}

/* What stands for every use of a channel while this end takes the link as UP. */
inline use_channels()
{
	atomic {
		block_of_this_pair = (block[PEER] == 0 ||
			block[PEER] == PAIR(their_life, lives[me]));
		assert(block_of_this_pair);
		if
		:: block[PEER] == 0 && met -> goto suspect
		:: else -> met = (block[PEER] != 0)
		fi
	};
	if
	:: atomic {
		block[me] == 0 ->
		block[me] = PAIR(lives[me], their_life);
		bell[PEER] = true
	   }
	:: true
	:: atomic { severs > 0 -> severs--; heal = true }; goto sever
	fi
}

proctype one_end(bit me)
{
	byte own;		/* our epoch */
	byte handled;		/* the peer's epoch that was handled last */
	byte their_life;	/* ghost: of `handled` */
	bool acked;		/* we wrote `seen` for it, and did not sever */
	bool met;		/* the peer's block was seen in use */

born:	{
		start();
look:		UNDIVIDED {
			atomic {
				if
				:: epoch[PEER] == handled -> goto judge
				:: else ->
					handled = epoch[PEER];
					their_life = announced[PEER]
				fi
			};
			handle_epoch();
judge:			atomic {
				if
#ifdef BROKEN_NO_ACK
				:: true -> up[me] = (handled != 0)
#else
				:: up[me] && seen[PEER] != own -> goto suspect
				:: else -> up[me] = (acked && seen[PEER] == own)
#endif
				fi;
				if
				:: up[me]
				:: !up[me] -> goto end_asleep
				fi
			};
			use_channels()
		};
end_asleep:	atomic { bell[me] -> bell[me] = false };
		if
		:: up[me] -> use_channels()
		:: true
		fi;
		goto look;
suspect:	/* a peer that cannot be: a fault, unless it started again */
		atomic {
#ifndef BROKEN_NO_RELOAD
			if
			:: epoch[PEER] != handled -> goto look
			:: else
			fi;
#endif
			honest_peer_not_accused =
				(severed[PEER] == their_life && SEVERS);
			assert(honest_peer_not_accused)
		};
sever:		atomic { up[me] = false; acked = false };
		atomic {
			seen[me] = 0;
			severed[me] = lives[me];
			bell[PEER] = true
		};
		goto end_asleep
	} unless {
		atomic {
			dead[me];
			own = 0;
			handled = 0;
			their_life = 0;
			acked = false;
			met = false
		}
	};
	if
	:: bell[me] = false	/* a doorbell to the dead may be lost */
	:: true
	fi;
	dead[me] = false;
	goto born
}

inline kill(x)
{
	dead[x] = true;
	up[x] = false
}

inline down(x)
{
	atomic { epoch[x] = 0; announced[x] = 0; bell[1 - x] = true }
}

proctype fate()
{
end:	do
	:: atomic { crashes > 0 && !dead[0] -> crashes--; kill(0) }
	:: atomic { crashes > 0 && !dead[1] -> crashes--; kill(1) }
	:: crashes > 0 -> crashes = 0
	:: atomic { heal -> heal = false; if :: kill(0) :: kill(1) fi }
#ifdef BROKEN_LATE_DOWN
	:: dead[0] && epoch[0] != 0 -> down(0)
	:: dead[1] && epoch[1] != 0 -> down(1)
#else
	:: atomic { dead[0] && epoch[0] != 0 -> down(0) }
	:: atomic { dead[1] && epoch[1] != 0 -> down(1) }
#endif
	od
}

/* Nothing moves any more: then the link must be UP. */
proctype monitor()
{
end:	do
	:: timeout ->
		both_up = (up[0] && up[1]);
#ifndef LIVENESS
		assert(both_up)
#endif
	od
}

init {
	atomic { run one_end(0); run one_end(1); run fate(); run monitor() }
}

#ifdef LIVENESS
ltl recovers { <> [] (up[0] && up[1]) }
#endif
