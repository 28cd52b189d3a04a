// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "node.h"

/* One open of /dev/usbrouteN. */
struct ur_open {
	struct ur_node *node;
	struct ur_listener listener;	/* of node->listeners if serving */
	bool serving;
	u32 changes;			/* as of the last INFO */
};

/* ---- calls that wait ----------------------------------------------------- */

static struct ur_listener *listener_of(struct ur_node *node, u32 service)
{
	struct ur_listener *li;

	list_for_each_entry(li, &node->listeners, list)
		if (li->service == service)
			return li;
	return NULL;
}

/* The first waiting call for a service, or a negative number. Lock held. */
static int call_for(struct ur_node *node, u32 service)
{
	u32 wants;
	int c;

	for (c = ur_channel_called(&node->link, 0, &wants); c >= 0;
	     c = ur_channel_called(&node->link, c + 1, &wants))
		if (wants == service)
			return c;
	return -EAGAIN;
}

static u32 calls_before(struct ur_node *node, u32 channel, u32 service)
{
	u32 n = 0, wants;
	int c;

	for (c = ur_channel_called(&node->link, 0, &wants);
	     c >= 0 && (u32)c < channel;
	     c = ur_channel_called(&node->link, c + 1, &wants))
		n += wants == service;
	return n;
}

/* Refuses calls that nobody is going to accept. Lock held. */
void ur_chardev_calls(struct ur_node *node)
{
	u32 service;
	int c;

	for (c = ur_channel_called(&node->link, 0, &service); c >= 0;
	     c = ur_channel_called(&node->link, c + 1, &service)) {
		struct ur_listener *li = listener_of(node, service);

		if (!li || calls_before(node, c, service) >= li->backlog)
			ur_channel_refuse(&node->link, c);
	}
}

/* ---- a descriptor for a new socket --------------------------------------- */

struct newborn {
	struct socket *sock;
	int fd;
};

static int newborn_prepare(struct newborn *nb, struct ur_node *node, u32 flags)
{
	if (flags & ~(USBROUTE_CLOEXEC | USBROUTE_NONBLOCK))
		return -EINVAL;
	nb->fd = get_unused_fd_flags(flags & USBROUTE_CLOEXEC ? O_CLOEXEC : 0);
	if (nb->fd < 0)
		return nb->fd;
	nb->sock = ur_socket_create(node);
	if (IS_ERR(nb->sock)) {
		put_unused_fd(nb->fd);
		return PTR_ERR(nb->sock);
	}
	return 0;
}

static void newborn_drop(struct newborn *nb)
{
	sock_release(nb->sock);
	put_unused_fd(nb->fd);
}

/* Consumes nb, whatever happens. */
static int newborn_install(struct newborn *nb, u32 flags)
{
	struct file *file = ur_socket_file(nb->sock, flags);

	if (IS_ERR(file)) {
		put_unused_fd(nb->fd);
		return PTR_ERR(file);
	}
	fd_install(nb->fd, file);
	return nb->fd;
}

/* The end of CONNECT and ACCEPT: the descriptor, or everything undone. */
static int newborn_finish(struct newborn *nb, int err, u32 flags,
			  void __user *user, const void *arg, size_t bytes)
{
	if (!err && copy_to_user(user, arg, bytes))
		err = -EFAULT;
	if (!err)
		return newborn_install(nb, flags);
	newborn_drop(nb);
	return err;
}

/* ---- CONNECT ------------------------------------------------------------- */

static long jiffies_of(u32 timeout_ms)
{
	if (timeout_ms == USBROUTE_WAIT_FOREVER)
		return MAX_SCHEDULE_TIMEOUT;
	return msecs_to_jiffies(min_t(u32, timeout_ms, INT_MAX));
}

static int try_call(struct ur_node *node, u32 service, struct socket *sock,
		    u32 *channel)
{
	unsigned long flags = ur_node_lock(node);
	struct ur_ticket t;
	int err = -ENODEV;

	if (!node->gone) {
		ur_node_look(node);
		err = ur_channel_call(&node->link, service, &t);
	}
	if (!err) {
		ur_socket_bind(sock, t);
		*channel = t.channel;
	}
	ur_node_unlock(node, flags);
	return err;
}

static int answered(struct ur_node *node, struct socket *sock)
{
	unsigned long flags = ur_node_lock(node);
	int err = -ENODEV;

	if (!node->gone)
		err = ur_channel_answered(&node->link, ur_socket_ticket(sock));
	ur_node_unlock(node, flags);
	return err;
}

/* A peer that flaps wakes us without end; the time we were given has one. */
static bool is_late(unsigned long begin, long allowed)
{
	return allowed != MAX_SCHEDULE_TIMEOUT &&
	       time_after(jiffies, begin + allowed);
}

static int call(struct ur_node *node, struct usbroute_connect *arg,
		struct socket *sock)
{
	long allowed = jiffies_of(arg->timeout_ms), left;
	unsigned long begin = jiffies;
	int err;

	left = wait_event_interruptible_timeout(
		node->wait,
		(err = try_call(node, arg->service, sock, &arg->channel)) !=
			UR_PEER_DOWN || is_late(begin, allowed), allowed);
	if (left < 0)
		return -EINTR;
	if (err)
		return err;
	left = wait_event_interruptible_timeout(
		node->wait, (err = answered(node, sock)) != UR_TRY_AGAIN, left);
	if (left < 0)
		return -EINTR;
	return err == UR_TRY_AGAIN ? -ETIMEDOUT : err;
}

static int ioctl_connect(struct ur_open *open, void __user *user)
{
	struct usbroute_connect arg;
	struct newborn nb;
	int err;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	err = newborn_prepare(&nb, open->node, arg.flags);
	if (err)
		return err;
	err = call(open->node, &arg, nb.sock);
	return newborn_finish(&nb, err, arg.flags, user, &arg, sizeof(arg));
}

/* ---- LISTEN and ACCEPT --------------------------------------------------- */

static int ioctl_listen(struct ur_open *open, void __user *user)
{
	struct ur_node *node = open->node;
	struct usbroute_listen arg;
	unsigned long flags;
	int err = 0;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.backlog < 1 || arg.backlog > UR_CHANNELS_MAX)
		return -EINVAL;
	flags = ur_node_lock(node);
	if (open->serving || listener_of(node, arg.service)) {
		err = -EADDRINUSE;
	} else {
		open->listener.service = arg.service;
		open->listener.backlog = arg.backlog;
		open->serving = true;
		list_add(&open->listener.list, &node->listeners);
	}
	ur_node_unlock(node, flags);
	return err;
}

static int try_accept(struct ur_open *open, struct socket *sock, u32 *channel)
{
	struct ur_node *node = open->node;
	unsigned long flags = ur_node_lock(node);
	struct ur_ticket t;
	int err = -ENODEV;

	if (!node->gone)
		err = call_for(node, open->listener.service);
	if (err >= 0)
		err = ur_channel_accept(&node->link, err, &t);
	if (!err) {
		ur_socket_bind(sock, t);
		*channel = t.channel;
	}
	ur_node_unlock(node, flags);
	return err;
}

static int ioctl_accept(struct ur_open *open, void __user *user)
{
	struct usbroute_accept arg;
	struct newborn nb;
	long left;
	int err;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (!READ_ONCE(open->serving))
		return -EINVAL;
	err = newborn_prepare(&nb, open->node, arg.flags);
	if (err)
		return err;
	left = wait_event_interruptible_timeout(
		open->node->wait,
		(err = try_accept(open, nb.sock, &arg.channel)) != -EAGAIN,
		jiffies_of(arg.timeout_ms));
	if (left < 0)
		err = -EINTR;
	arg.service = open->listener.service;
	return newborn_finish(&nb, err, arg.flags, user, &arg, sizeof(arg));
}

/* ---- the file ------------------------------------------------------------ */

static int ioctl_info(struct ur_open *open, void __user *user)
{
	struct usbroute_info info;

	WRITE_ONCE(open->changes, READ_ONCE(open->node->changes));
	ur_node_info(open->node, &info);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long chardev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ur_open *open = file->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case USBROUTE_IOC_CONNECT:
		return ioctl_connect(open, user);
	case USBROUTE_IOC_LISTEN:
		return ioctl_listen(open, user);
	case USBROUTE_IOC_ACCEPT:
		return ioctl_accept(open, user);
	case USBROUTE_IOC_INFO:
		return ioctl_info(open, user);
	case USBROUTE_IOC_RESTART:
		ur_node_restart(open->node);
		return 0;
	default:
		return -ENOTTY;
	}
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	struct ur_open *open = file->private_data;
	struct ur_node *node = open->node;
	unsigned long flags;
	__poll_t mask = 0;

	poll_wait(file, &node->wait, wait);
	flags = ur_node_lock(node);
	if (node->gone)
		mask |= EPOLLHUP | EPOLLERR;
	else if (open->serving && call_for(node, open->listener.service) >= 0)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (open->changes != node->changes)
		mask |= EPOLLPRI;
	ur_node_unlock(node, flags);
	return mask;
}

static int chardev_open(struct inode *inode, struct file *file)
{
	struct ur_node *node = container_of(inode->i_cdev, struct ur_node, cdev);
	struct ur_open *open = kzalloc(sizeof(*open), GFP_KERNEL);

	if (!open)
		return -ENOMEM;
	get_device(&node->dev);
	open->node = node;
	open->changes = READ_ONCE(node->changes) - 1;
	file->private_data = open;
	return stream_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	struct ur_open *open = file->private_data;
	struct ur_node *node = open->node;
	unsigned long flags = ur_node_lock(node);

	if (open->serving) {
		list_del(&open->listener.list);
		if (!node->gone)
			ur_chardev_calls(node);
	}
	ur_node_unlock(node, flags);
	put_device(&node->dev);
	kfree(open);
	return 0;
}

const struct file_operations ur_chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = chardev_poll,
	.llseek = no_llseek,
};
