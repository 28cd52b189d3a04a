// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The peer's doorbell as an interrupt, and what a peer that rings without end
 * may cost.
 *
 * An honest peer rings because of what our programs did: they armed an event
 * word that it passed, or they called, accepted, closed. So doorbells are paid
 * for with tokens, and tokens are made by our side only:
 *
 *      a doorbell                                     -1
 *      a publish, release, call or accept of ours     +4
 *      a millisecond                                  +1
 *      at most                                        256
 *
 * What the peer writes makes none: neither epochs nor calls that we refuse buy
 * interrupts. The 256 are for what comes at once without work of ours, a peer
 * that closes all its sockets. With no token left the interrupt is masked for
 * MASK_MS; the device keeps a doorbell that came meanwhile, and the timer looks
 * as well, so the peer waits, and only then. A storm therefore costs about one
 * interrupt a millisecond however fast it rings.
 */
#include <linux/interrupt.h>
#include <linux/jiffies.h>

#include "node.h"

#define TOKENS_MAX 256
#define TOKENS_PER_WORK 4
#define TOKENS_PER_JIFFY (1000 / HZ ? 1000 / HZ : 1)
#define MASK_MS 10

static u64 work_of(const struct ur_counters *k)
{
	return k->publishes + k->releases + k->calls + k->accepts;
}

/* node->lock held. */
static void refill(struct ur_node *node)
{
	struct ur_damper *d = &node->damper;
	u64 work = work_of(&node->link.counters);
	unsigned long now = jiffies;

	d->tokens = min_t(u64, TOKENS_MAX,
			  d->tokens + (work - d->work) * TOKENS_PER_WORK +
				  (u64)(now - d->refilled) * TOKENS_PER_JIFFY);
	d->work = work;
	d->refilled = now;
}

/* node->lock held, in the interrupt that is going to be masked. */
static void mask(struct ur_node *node)
{
	struct ur_damper *d = &node->damper;

	if (d->storms++ == 0)
		dev_warn(&node->dev,
			 "the peer's doorbells outnumber what happens here: heard every %u ms while they do\n",
			 MASK_MS);
	d->masked = true;
	disable_irq_nosync(node->binding.irq);
	mod_timer(&d->unmask, jiffies + msecs_to_jiffies(MASK_MS));
}

static irqreturn_t doorbell(int irq, void *data)
{
	struct ur_node *node = data;
	unsigned long flags = ur_node_lock(node);

	node->doorbells_received++;
	if (!node->gone) {
		ur_node_look(node);
		refill(node);
		if (node->damper.tokens)
			node->damper.tokens--;
		else if (!node->damper.masked)
			mask(node);
	}
	ur_node_unlock(node, flags);
	return IRQ_HANDLED;
}

/* After gone, masked stays: free_irq() takes it as it is. */
static void unmask(struct timer_list *timer)
{
	struct ur_node *node = from_timer(node, timer, damper.unmask);
	unsigned long flags = ur_node_lock(node);

	if (!node->gone && node->damper.masked) {
		node->damper.masked = false;
		enable_irq(node->binding.irq);
		ur_node_look(node); /* not every device keeps a doorbell */
	}
	ur_node_unlock(node, flags);
}

int ur_bell_start(struct ur_node *node)
{
	node->damper.tokens = TOKENS_MAX;
	node->damper.refilled = jiffies;
	timer_setup(&node->damper.unmask, unmask, 0);
	/* The name is kept, not copied. */
	return request_irq(node->binding.irq, doorbell, 0, node->binding.name,
			   node);
}

void ur_bell_stop(struct ur_node *node)
{
	del_timer_sync(&node->damper.unmask);
	free_irq(node->binding.irq, node);
}
