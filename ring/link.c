// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * How two ends agree on a pair of epochs. Each cleans its own blocks before it
 * stores the word that the other one waits for:
 *
 *      A                                     B (was up with an older A)
 *      epoch = 0; clean; epoch = 8
 *                                            epoch 8? not 7: end all channels
 *                                            clean; seen = 8
 *      B.seen == 8, and A.seen == B.epoch:
 *      UP, and B's blocks are clean          A.seen == B.epoch: UP, and A's are
 *
 * An A that dies between any two of these steps comes back with 9 and starts
 * again. proofs/spin/epoch.pml crashes either end at every step.
 */
#include "channel.h"
#include "link.h"

static void clean_blocks(struct ur_link *l)
{
	u32 c;

	for (c = 0; c < l->geometry.channels; c++) {
		struct ur_block_shm *b = ur_block(l->own, c);

		ur_store_once(&b->word, 0);
		ur_store_once(&b->service, 0);
		ur_store_once(&b->produced, 0);
		ur_store_once(&b->space_event, 0);
		ur_store_once(&b->consumed, 0);
		ur_store_once(&b->data_event, 0);
	}
}

static u32 next_epoch(struct ur_link *l)
{
	u32 seen = ur_load_once(&l->peer->seen);
	u32 e = ur_load_once(&l->own->epoch_last) + 1;

	while (e == 0 || e == seen)
		e++;
	return e;
}

void ur_link_start(struct ur_link *l, const struct ur_geometry *g,
		   enum ur_end end, void *own, const void *peer)
{
	u32 lives = l->lives;

	l->geometry = *g;
	l->end = end;
	l->own = own;
	l->peer = peer;
	l->state = UR_LINK_DOWN;
	l->peer_epoch = 0;
	l->fault = (struct ur_fault){ 0 };
	ur_channels_init(l);
	l->lives = lives;

	ur_store_release(&l->own->epoch, 0);
	ur_fence(); /* whoever sees a clean block also sees epoch 0 */
	ur_store_once(&l->own->seen, 0);
	ur_store_once(&l->own->fault, 0);
	clean_blocks(l);
	ur_header_write(l->own, g, end);
	l->epoch = next_epoch(l);
	ur_store_once(&l->own->epoch_last, l->epoch);
	ur_store_release(&l->own->epoch, l->epoch);
	l->bell = true;
}

void ur_link_stop(struct ur_link *l)
{
	ur_channels_end(l);
	ur_store_release(&l->own->epoch, 0);
	l->epoch = 0;
	l->state = UR_LINK_DOWN;
	l->bell = true;
}

void ur_link_declare_down(void *outbox)
{
	struct ur_header_shm *h = outbox;

	ur_store_release(&h->epoch, 0);
	ur_fence(); /* before the survivor is rung */
}

bool ur_link_is_announced(const void *outbox)
{
	const struct ur_header_shm *header = outbox;

	return ur_load_once(&header->epoch) != 0;
}

bool ur_link_peer_restarted(const struct ur_link *l)
{
	return ur_load_acquire(&l->peer->epoch) != l->peer_epoch;
}

void ur_link_sever(struct ur_link *l, u32 number, u32 channel, u32 got, u32 want)
{
	/*
	 * A restarting peer clears its words after its epoch, so a word that
	 * cannot be true may only mean that we have not looked yet.
	 */
	ur_fence(); /* header words were loaded without order */
	if (l->state == UR_LINK_BROKEN || ur_link_peer_restarted(l))
		return;
	ur_channels_end(l);
	l->state = UR_LINK_BROKEN;
	l->fault = (struct ur_fault){ number, channel, got, want };
	l->counters.faults++;
	ur_store_once(&l->own->fault, number);
	ur_store_release(&l->own->seen, 0);
	l->bell = true;
}

static void meet_epoch(struct ur_link *l, u32 epoch)
{
	struct ur_fault fault;

	ur_channels_end(l);
	clean_blocks(l);
	l->peer_epoch = epoch;
	l->state = UR_LINK_DOWN;
	l->fault = (struct ur_fault){ 0 };
	l->counters.epochs += epoch != 0;
	ur_store_once(&l->own->fault, 0);
	ur_store_release(&l->own->seen, 0);
	l->bell = true;
	if (epoch == 0)
		return;
	if (ur_header_check(l->peer, &l->geometry, !l->end, &fault) == 0) {
		ur_store_release(&l->own->seen, epoch);
		return;
	}
	ur_link_sever(l, fault.number, 0, fault.got, fault.want);
	if (l->state != UR_LINK_BROKEN) /* it restarted: the next look's matter */
		l->peer_epoch = 0;
}

static void meet_seen(struct ur_link *l, u32 seen)
{
	if (l->state == UR_LINK_DOWN && seen == l->epoch)
		l->state = UR_LINK_UP;
	else if (l->state == UR_LINK_UP && seen != l->epoch)
		ur_link_sever(l, UR_FAULT_SEVERED, 0,
			      ur_load_once(&l->peer->fault), 0);
}

bool ur_link_look(struct ur_link *l)
{
	enum ur_link_state was = l->state;
	bool changed = false;
	u32 epoch;

	if (l->epoch == 0)
		return false;
	l->counters.looks++;
	epoch = ur_load_acquire(&l->peer->epoch);
	if (epoch != l->peer_epoch) {
		meet_epoch(l, epoch);
		changed = true;
	}
	if (l->peer_epoch != 0)
		meet_seen(l, ur_load_acquire(&l->peer->seen));
	if (l->state == UR_LINK_UP)
		changed |= ur_channels_look(l);
	return changed || l->state != was;
}

bool ur_link_take_bell(struct ur_link *l)
{
	bool bell = l->bell;

	l->bell = false;
	l->counters.doorbells += bell;
	return bell;
}
