// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "node.h"

#define NODES_MAX 64
#define WATCHDOG (HZ / 10)

static dev_t first_devt;
static DEFINE_IDA(minors);

static char *devnode(struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return NULL;
}

static struct class node_class = {
	.name = "usbroute",
	.dev_groups = ur_sysfs_groups,
	.devnode = devnode,
};

/* ---- looking at the link ------------------------------------------------- */

static void ring(struct ur_node *node)
{
	if (ur_param_drop_doorbells &&
	    get_random_u32() % 100 < ur_param_drop_doorbells) {
		atomic64_inc(&node->doorbells_lost);
		return;
	}
	atomic64_inc(&node->doorbells_sent);
	node->binding.ring(node);
}

static const char *state_name(enum ur_link_state state)
{
	static const char *const names[] = { "down", "up", "broken" };

	return names[state];
}

/* Says what a person may want to know. Called with the lock held. */
static void report(struct ur_node *node)
{
	const struct ur_link *l = &node->link;

	if (!__ratelimit(&node->reports))
		return;
	if (l->state == UR_LINK_BROKEN)
		dev_err(&node->dev,
			"link severed: peer's %s is %#x, expected %#x (channel %u)\n",
			ur_fault_name(l->fault.number), l->fault.got,
			l->fault.want, l->fault.channel);
	else
		dev_info(&node->dev, "link %s (epoch %u, peer %u)\n",
			 state_name(l->state), l->epoch, l->peer_epoch);
}

/* Wakes whoever waits for something that is there. Lock held. */
static void wake(struct ur_node *node, bool changed)
{
	u32 c;

	for (c = 0; c < node->link.geometry.channels; c++)
		if (node->slots[c].socket)
			ur_socket_wake(node->slots[c].socket, changed);
	if (!changed)
		return;
	node->changes++;
	ur_chardev_calls(node);
	wake_up_interruptible_all(&node->wait);
}

/*
 * Ends what ur_node_lock() began: tells of a state that changed meanwhile, and
 * rings if the core wants it. After the lock, since a doorbell costs an exit to
 * the hypervisor, but so that the synchronize_rcu() in ur_node_remove() waits
 * for it.
 */
void ur_node_unlock(struct ur_node *node, unsigned long flags)
	__releases(&node->lock)
{
	bool bell;

	if (node->link.state != node->reported) {
		report(node);
		node->reported = node->link.state;
		wake(node, true);
	}
	bell = ur_link_take_bell(&node->link) && !node->gone;
	rcu_read_lock();
	spin_unlock_irqrestore(&node->lock, flags);
	if (bell)
		ring(node);
	rcu_read_unlock();
}

/* node->lock held. */
void ur_node_look(struct ur_node *node)
{
	wake(node, ur_link_look(&node->link));
}

static void look(struct ur_node *node)
{
	unsigned long flags = ur_node_lock(node);

	if (!node->gone)
		ur_node_look(node);
	ur_node_unlock(node, flags);
}

static void watchdog(struct timer_list *timer)
{
	struct ur_node *node = from_timer(node, timer, watchdog);

	look(node);
	if (!READ_ONCE(node->gone))
		mod_timer(&node->watchdog, jiffies + WATCHDOG);
}

/* ---- life ---------------------------------------------------------------- */

static void node_release(struct device *dev)
{
	struct ur_node *node = container_of(dev, struct ur_node, dev);

	kvfree(node);
}

static struct ur_node *node_alloc(struct device *parent,
				  const struct ur_binding *binding)
{
	struct ur_node *node = kvzalloc(sizeof(*node), GFP_KERNEL);
	int c;

	if (!node)
		return NULL;
	node->binding = *binding;
	spin_lock_init(&node->lock);
	INIT_LIST_HEAD(&node->listeners);
	init_waitqueue_head(&node->wait);
	ratelimit_state_init(&node->reports, 10 * HZ, 20);
	timer_setup(&node->watchdog, watchdog, 0);
	for (c = 0; c < UR_CHANNELS_MAX; c++) {
		mutex_init(&node->slots[c].tx);
		mutex_init(&node->slots[c].rx);
	}
	device_initialize(&node->dev);
	node->dev.class = &node_class;
	node->dev.parent = parent;
	node->dev.release = node_release;
	return node;
}

/* A region we cannot use makes a node all the same: it can tell why. */
static void start_link(struct ur_node *node)
{
	const struct ur_binding *b = &node->binding;
	struct ur_link *l = &node->link;
	struct ur_geometry g;

	if (ur_geometry_init(&g, b->outbox_bytes, ur_param_channels,
			     ur_param_ring_bytes, &l->fault) < 0) {
		l->state = UR_LINK_BROKEN;
		node->reported = l->state;
		dev_err(&node->dev,
			"cannot use this region: %u outbox bytes, channels or ring bytes, expected %u (region of %llu bytes, channels=%u ring_bytes=%u)\n",
			l->fault.got, l->fault.want, b->outbox_bytes * 2,
			ur_param_channels, ur_param_ring_bytes);
		return;
	}
	g.first_index = ur_param_first_index;
	g.first_generation = ur_param_first_generation;
	ur_link_start(l, &g, b->end, b->outbox_own, b->outbox_peer);
	dev_info(&node->dev, "end %c of %s: %u channels, rings of %u bytes\n",
		 b->end == UR_END_A ? 'A' : 'B', b->name, g.channels,
		 g.ring_bytes);
}

/* The peer learns at once that nobody is here; every channel ends. */
void ur_node_stop(struct ur_node *node)
{
	unsigned long flags = ur_node_lock(node);

	if (node->link.epoch)
		ur_link_stop(&node->link);
	wake(node, true);
	ur_node_unlock(node, flags);
}

/* From here on nothing looks, rings or arms a timer for this node. */
static void retire(struct ur_node *node)
{
	unsigned long flags;

	ur_node_stop(node);
	flags = ur_node_lock(node);
	WRITE_ONCE(node->gone, true);
	wake(node, true);
	ur_node_unlock(node, flags);
}

struct ur_node *ur_node_create(struct device *parent,
			       const struct ur_binding *binding)
{
	struct ur_node *node = node_alloc(parent, binding);
	unsigned long flags;
	int minor, err;

	if (!node)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&minors, NODES_MAX - 1, GFP_KERNEL);
	if (minor < 0) {
		err = minor;
		goto no_minor;
	}
	node->dev.devt = first_devt + minor;
	err = dev_set_name(&node->dev, "usbroute%d", minor);
	if (err)
		goto no_link;
	start_link(node);
	err = ur_bell_start(node);
	if (err)
		goto no_link;
	cdev_init(&node->cdev, &ur_chardev_fops);
	node->cdev.owner = THIS_MODULE;
	err = cdev_device_add(&node->cdev, &node->dev);
	if (err)
		goto no_device;
	mod_timer(&node->watchdog, jiffies + WATCHDOG);
	flags = ur_node_lock(node);
	ur_node_unlock(node, flags); /* rings for the start */
	return node;

no_device:
	retire(node);
	ur_bell_stop(node);
no_link:
	ur_node_stop(node);
	ida_free(&minors, minor);
no_minor:
	put_device(&node->dev);
	return ERR_PTR(err);
}

static void wait_for_copies(struct ur_node *node)
{
	int c;

	for (c = 0; c < UR_CHANNELS_MAX; c++) {
		mutex_lock(&node->slots[c].tx);
		mutex_unlock(&node->slots[c].tx);
		mutex_lock(&node->slots[c].rx);
		mutex_unlock(&node->slots[c].rx);
	}
}

/* The binding has to keep the mapping and the doorbell until this returns. */
void ur_node_remove(struct ur_node *node)
{
	retire(node);
	del_timer_sync(&node->watchdog);
	ur_bell_stop(node);
	cdev_device_del(&node->cdev, &node->dev);
	wait_for_copies(node);
	synchronize_rcu(); /* for ur_node_unlock() */
	ida_free(&minors, MINOR(node->dev.devt) - MINOR(first_devt));
	put_device(&node->dev);
}

void ur_node_restart(struct ur_node *node)
{
	unsigned long flags = ur_node_lock(node);
	struct ur_link *l = &node->link;
	struct ur_geometry g = l->geometry;

	if (l->epoch && !node->gone) {
		ur_link_start(l, &g, l->end, l->own, l->peer);
		wake(node, true);
	}
	ur_node_unlock(node, flags);
}

void ur_node_info(struct ur_node *node, struct usbroute_info *info)
{
	unsigned long flags = ur_node_lock(node);
	const struct ur_link *l = &node->link;
	const struct ur_counters *k = &l->counters;
	u32 c;

	*info = (struct usbroute_info){
		.version = 1,
		.state = l->state,
		.end = node->binding.end,
		.channels = l->geometry.channels,
		.ring_bytes = l->geometry.ring_bytes,
		.outbox_bytes = node->binding.outbox_bytes,
		.epoch = l->epoch,
		.peer_epoch = l->peer_epoch,
		.fault = l->fault.number,
		.fault_channel = l->fault.channel,
		.fault_got = l->fault.got,
		.fault_want = l->fault.want,
		.high_water = k->high_water,
		.bytes_sent = k->bytes_sent,
		.bytes_received = k->bytes_received,
		.doorbells_sent = atomic64_read(&node->doorbells_sent),
		.doorbells_suppressed = k->suppressed,
		.doorbells_received = node->doorbells_received,
		.stalls_room = k->stalls_room,
		.stalls_data = k->stalls_data,
		.calls = k->calls,
		.accepts = k->accepts,
		.refusals = k->refusals,
		.peer_epochs = k->epochs,
		.faults = k->faults,
	};
	for (c = 0; c < l->geometry.channels; c++)
		info->channels_open += l->channels[c].life != 0;
	ur_node_unlock(node, flags);
	strscpy(info->fault_name, ur_fault_name(info->fault),
		sizeof(info->fault_name));
	strscpy(info->binding, node->binding.name, sizeof(info->binding));
}

int ur_node_init(void)
{
	int err = alloc_chrdev_region(&first_devt, 0, NODES_MAX, "usbroute");

	if (err)
		return err;
	node_class.owner = THIS_MODULE;
	err = class_register(&node_class);
	if (err)
		unregister_chrdev_region(first_devt, NODES_MAX);
	return err;
}

void ur_node_exit(void)
{
	class_unregister(&node_class);
	unregister_chrdev_region(first_devt, NODES_MAX);
	ida_destroy(&minors);
}
