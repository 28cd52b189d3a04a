/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A node is one link in this machine: its memory, its doorbell, its character
 * device and the sockets on its channels.
 *
 * Locking.
 *   node->lock   spinlock, irq-safe: the core's struct ur_link, the listeners
 *                and the slots. Held for a few words, never while copying.
 *   slot->tx, rx mutexes: one sender and one receiver per channel. Held while
 *                bytes are copied, so also what removal waits for.
 *   Order: a slot's mutex, then node->lock.
 *
 * Lifetime. Open files and sockets hold a reference on node->dev. Removal of
 * the hardware marks the node gone, ends every channel, waits for the copies
 * under way and unmaps; what is still open gets errors from then on.
 */
#ifndef UR_NODE_H
#define UR_NODE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "channel.h"
#include "usbroute.h"

struct ur_node;
struct ur_socket;

/* What a binding (pci.c, of.c) has to know about its hardware. */
struct ur_binding {
	void (*ring)(struct ur_node *node);	/* any context */
	void *private;
	void *outbox_own;
	const void *outbox_peer;
	u64 outbox_bytes;
	enum ur_end end;
	int irq;		/* the peer's doorbell */
	char name[32];
};

struct ur_slot {
	struct mutex tx;
	struct mutex rx;
	struct ur_socket *socket;
};

struct ur_listener {
	struct list_head list;
	u32 service;
	u32 backlog;
};

/* What the peer may still ring for nothing (bell.c); node->lock. */
struct ur_damper {
	u32 tokens;		/* doorbells */
	u64 work;		/* of ours, and when: as of the last doorbell */
	unsigned long refilled;	/* jiffies */
	bool masked;
	u64 storms;		/* times it was masked */
	struct timer_list unmask;
};

struct ur_node {
	struct device dev;
	struct cdev cdev;
	struct ur_binding binding;
	bool gone;

	spinlock_t lock;
	struct ur_link link;
	struct list_head listeners;
	struct ur_slot slots[UR_CHANNELS_MAX];
	enum ur_link_state reported;
	struct ratelimit_state reports;	/* a flapping peer's, not all nodes' */
	u32 changes;		/* of the link's state, epochs or channels */

	wait_queue_head_t wait;	/* for answers, calls and changes */
	struct timer_list watchdog;
	atomic64_t doorbells_sent;
	atomic64_t doorbells_lost;	/* by drop_doorbells */
	struct ur_damper damper;
	u64 doorbells_received;	/* node->lock */
};

/* Module parameters (main.c). */
extern unsigned int ur_param_channels;
extern unsigned int ur_param_ring_bytes;
extern unsigned int ur_param_spin_us;
extern unsigned int ur_param_drop_doorbells;
extern unsigned int ur_param_first_index;
extern unsigned int ur_param_first_generation;

/* node.c */
struct ur_node *ur_node_create(struct device *parent,
			       const struct ur_binding *binding);
void ur_node_remove(struct ur_node *node);
void ur_node_stop(struct ur_node *node);
void ur_node_look(struct ur_node *node);
void ur_node_unlock(struct ur_node *node, unsigned long flags)
	__releases(&node->lock);
void ur_node_restart(struct ur_node *node);
void ur_node_info(struct ur_node *node, struct usbroute_info *info);
int ur_node_init(void);
void ur_node_exit(void);

static inline unsigned long ur_node_lock(struct ur_node *node)
	__acquires(&node->lock)
{
	unsigned long flags;

	spin_lock_irqsave(&node->lock, flags);
	return flags;
}

/* bell.c. Stop only after `gone`: then nothing masks or unmasks any more. */
int ur_bell_start(struct ur_node *node);
void ur_bell_stop(struct ur_node *node);

/* chardev.c */
extern const struct file_operations ur_chardev_fops;
void ur_chardev_calls(struct ur_node *node);

/* socket.c */
int ur_socket_init(void);
void ur_socket_exit(void);
struct socket *ur_socket_create(struct ur_node *node);
void ur_socket_bind(struct socket *sock, struct ur_ticket ticket);
struct ur_ticket ur_socket_ticket(struct socket *sock);
struct file *ur_socket_file(struct socket *sock, u32 flags);
void ur_socket_wake(struct ur_socket *us, bool force);

/* sysfs.c */
extern const struct attribute_group *ur_sysfs_groups[];

/* pci.c, of.c */
int ur_pci_register(void);
void ur_pci_unregister(void);
int ur_of_register(void);
void ur_of_unregister(void);

#endif
