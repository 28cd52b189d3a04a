// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stream socket whose bytes go through a channel's two rings.
 *
 *      sendmsg                                       recvmsg
 *        slot->tx                                      slot->rx
 *        lock: room?  spans                            lock: data?  spans
 *        copy_from_iter into our outbox                copy_to_iter out of the peer's
 *        lock: publish, doorbell if asked for          lock: release, doorbell if asked for
 *        full: spin, arm, sleep                        empty: spin, arm, sleep
 *
 * Doorbell and watchdog come in through ur_socket_wake(), which arms again for
 * whoever still has to wait: the event word is one, its users (a sleeper and
 * poll) may be two.
 */
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <asm/ioctls.h>
#include <net/sock.h>

#include "doorbell.h"
#include "node.h"

#define SPIN_US_MAX 10000u

/* One direction's sleeper. */
struct ur_sleeper {
	wait_queue_head_t wait;
	struct ur_spin spin;	/* of local_clock() */
	u32 low;		/* bytes it waits for; node->lock */
};

struct ur_socket {
	struct sock sk;		/* first: sk_alloc() makes the whole */
	struct ur_node *node;
	struct ur_ticket ticket;
	struct ur_sleeper rx;
	struct ur_sleeper tx;
	bool polled;
};

static struct ur_socket *of_sock(struct socket *sock)
{
	return container_of(sock->sk, struct ur_socket, sk);
}

static struct ur_slot *slot_of(struct ur_socket *us)
{
	return &us->node->slots[us->ticket.channel];
}

/* ---- waking and sleeping ------------------------------------------------- */

typedef int arm_fn(struct ur_link *l, struct ur_ticket t, u32 low);

/* Wakes a sleeper that has what it waits for; else arms for it again. */
static void wake_one(struct ur_socket *us, struct ur_sleeper *s, arm_fn *arm,
		     bool force)
{
	if (!waitqueue_active(&s->wait))
		return;
	if (force || arm(&us->node->link, us->ticket, s->low) != UR_TRY_AGAIN)
		wake_up_interruptible(&s->wait);
}

static __poll_t readiness(struct ur_socket *us)
{
	struct ur_link *l = &us->node->link;
	int room = ur_channel_arm_room(l, us->ticket, 1);
	int shut = us->sk.sk_shutdown;
	__poll_t mask = 0;

	if (ur_channel_arm_data(l, us->ticket, 1) != UR_TRY_AGAIN)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (room != UR_TRY_AGAIN)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (ur_channel_peer_shut(l, us->ticket))
		mask |= EPOLLRDHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	/* As TCP: our own half-close is no hang-up, the answer is yet to come. */
	if (room == UR_PEER_RESET || shut == SHUTDOWN_MASK ||
	    (room == UR_PEER_CLOSED && !(shut & SEND_SHUTDOWN)))
		mask |= EPOLLHUP;
	return mask;
}

/* node->lock held, any context. force: something other than data changed. */
void ur_socket_wake(struct ur_socket *us, bool force)
{
	struct socket_wq *wq;

	wake_one(us, &us->rx, ur_channel_arm_data, force);
	wake_one(us, &us->tx, ur_channel_arm_room, force);
	if (!us->polled)
		return;
	rcu_read_lock();
	wq = rcu_dereference(us->sk.sk_wq);
	if (skwq_has_sleeper(wq)) {
		__poll_t mask = readiness(us);

		if (force || mask)
			wake_up_interruptible_poll(&wq->wait, mask);
	} else {
		us->polled = false;
	}
	rcu_read_unlock();
}

/*
 * Looks until something moved, and in between lets whoever else can run do so:
 * on one processor those are the threads that a URB needs next.
 */
static bool spin(struct ur_sleeper *s, u64 begin,
		 bool (*moved)(struct ur_socket *), struct ur_socket *us)
{
	u64 last, now = begin;

	while (ur_spin_goes_on(&s->spin, begin, now)) {
		if (moved(us))
			return true;
		if (signal_pending(current))
			return false;
		if (need_resched())
			cond_resched();
		else if (!single_task_running())
			yield();
		else
			cpu_relax();
		last = now;
		now = local_clock();
		ur_spin_looked(&s->spin, last, now);
	}
	return false;
}

static bool data_moved(struct ur_socket *us)
{
	return ur_channel_data_moved(&us->node->link, us->ticket);
}

static bool room_moved(struct ur_socket *us)
{
	return ur_channel_room_moved(&us->node->link, us->ticket, us->tx.low);
}

static int arm_locked(struct ur_socket *us, struct ur_sleeper *s, arm_fn *arm,
		      u32 low)
{
	unsigned long flags = ur_node_lock(us->node);
	struct ur_counters *counters = &us->node->link.counters;
	int shut = s == &us->rx ? RCV_SHUTDOWN : SEND_SHUTDOWN;
	int n = arm(&us->node->link, us->ticket, low);

	if (us->sk.sk_shutdown & shut)
		n = 0; /* since we looked; nobody will wake us for it again */
	if (n == UR_TRY_AGAIN && s == &us->rx)
		counters->stalls_data++;
	else if (n == UR_TRY_AGAIN)
		counters->stalls_room++;
	ur_node_unlock(us->node, flags);
	return n;
}

/*
 * Waits until `low` bytes are there or the channel changed. The slot's mutex is
 * held, so the mapping stays. 0, or -EAGAIN (time is up) or a signal's error.
 */
static int wait_for(struct ur_socket *us, struct ur_sleeper *s, arm_fn *arm,
		    u32 low, long *timeo)
{
	u64 begin = local_clock();
	DEFINE_WAIT(entry);
	int err = 0;

	if (*timeo == 0)
		return -EAGAIN;
	s->low = low;
	if (spin(s, begin, s == &us->rx ? data_moved : room_moved, us))
		goto learn;
	prepare_to_wait(&s->wait, &entry, TASK_INTERRUPTIBLE);
	if (arm_locked(us, s, arm, low) == UR_TRY_AGAIN) {
		if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		else
			*timeo = schedule_timeout(*timeo);
	}
	finish_wait(&s->wait, &entry);
learn:
	ur_spin_learn(&s->spin, local_clock() - begin);
	return err;
}

static u32 low_mark(struct ur_socket *us, size_t left)
{
	return min_t(size_t, left, us->node->link.geometry.ring_bytes / 2);
}

/*
 * An edge-triggered poller is not asked again after we took what was there, so
 * its next event is armed here.
 */
static void arm_poller(struct ur_socket *us)
{
	unsigned long flags;

	if (!READ_ONCE(us->polled))
		return;
	flags = ur_node_lock(us->node);
	ur_socket_wake(us, false);
	ur_node_unlock(us->node, flags);
}

/* One sender, one receiver at a time; who must not wait does not wait here. */
static int enter_slot(struct mutex *mutex, int flags)
{
	if (flags & MSG_DONTWAIT)
		return mutex_trylock(mutex) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(mutex) ? -ERESTARTSYS : 0;
}

/* ---- recvmsg ------------------------------------------------------------- */

static int look_data(struct ur_socket *us, size_t want,
		     struct ur_peer_span spans[2])
{
	unsigned long flags = ur_node_lock(us->node);
	int n = ur_channel_data(&us->node->link, us->ticket,
				min_t(size_t, want, INT_MAX), spans);

	ur_node_unlock(us->node, flags);
	return n;
}

static int release_data(struct ur_socket *us, u32 bytes)
{
	unsigned long flags = ur_node_lock(us->node);
	int err = ur_channel_release(&us->node->link, us->ticket, bytes);

	ur_node_unlock(us->node, flags);
	return err;
}

/* One copy out of the ring: bytes, 0 at the end of the stream, or an error. */
static int take(struct ur_socket *us, struct msghdr *msg, int flags)
{
	struct ur_peer_span spans[2];
	size_t copied;
	int n, err;

	n = look_data(us, msg_data_left(msg), spans);
	if (n <= 0)
		return n;
	copied = copy_to_iter(spans[0].at, spans[0].bytes, &msg->msg_iter);
	if (copied == spans[0].bytes && spans[1].bytes)
		copied += copy_to_iter(spans[1].at, spans[1].bytes,
				       &msg->msg_iter);
	if (!copied)
		return -EFAULT;
	/* Of a peek nothing is given back, but the copy is judged all the same. */
	err = release_data(us, flags & MSG_PEEK ? 0 : copied);
	return err ? err : copied;
}

static int recv_locked(struct ur_socket *us, struct msghdr *msg, int flags)
{
	long timeo = sock_rcvtimeo(&us->sk, flags & MSG_DONTWAIT);
	bool whole = (flags & MSG_WAITALL) && !(flags & MSG_PEEK);
	int done = 0, n = 0;

	while (msg_data_left(msg)) {
		if (us->sk.sk_shutdown & RCV_SHUTDOWN)
			break;
		n = take(us, msg, flags);
		if (n > 0) {
			done += n;
			if (whole)
				continue;
			break;
		}
		if (n != UR_TRY_AGAIN || (done && !whole))
			break;
		n = wait_for(us, &us->rx, ur_channel_arm_data,
			     whole ? low_mark(us, msg_data_left(msg)) : 1,
			     &timeo);
		if (n)
			break;
	}
	return done ? done : n;
}

static int socket_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			  int flags)
{
	struct ur_socket *us = of_sock(sock);
	struct ur_slot *slot = slot_of(us);
	int n;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	n = enter_slot(&slot->rx, flags);
	if (n)
		return n;
	n = recv_locked(us, msg, flags);
	arm_poller(us);
	mutex_unlock(&slot->rx);
	return n;
}

/* ---- sendmsg ------------------------------------------------------------- */

static int look_room(struct ur_socket *us, size_t want, struct ur_span spans[2])
{
	unsigned long flags = ur_node_lock(us->node);
	int n = ur_channel_room(&us->node->link, us->ticket,
				min_t(size_t, want, INT_MAX), spans);

	ur_node_unlock(us->node, flags);
	return n;
}

static int publish_data(struct ur_socket *us, u32 bytes)
{
	unsigned long flags = ur_node_lock(us->node);
	int err = ur_channel_publish(&us->node->link, us->ticket, bytes);

	ur_node_unlock(us->node, flags);
	return err;
}

/* One copy into the ring: bytes, or an error. */
static int put(struct ur_socket *us, struct msghdr *msg)
{
	struct ur_span spans[2];
	size_t copied;
	int n, err;

	n = look_room(us, msg_data_left(msg), spans);
	if (n <= 0)
		return n;
	copied = copy_from_iter(spans[0].at, spans[0].bytes, &msg->msg_iter);
	if (copied == spans[0].bytes && spans[1].bytes)
		copied += copy_from_iter(spans[1].at, spans[1].bytes,
					 &msg->msg_iter);
	if (!copied)
		return -EFAULT;
	err = publish_data(us, copied);
	return err ? err : copied;
}

static int send_locked(struct ur_socket *us, struct msghdr *msg)
{
	long timeo = sock_sndtimeo(&us->sk, msg->msg_flags & MSG_DONTWAIT);
	int done = 0, n = 0;

	while (msg_data_left(msg)) {
		if (us->sk.sk_shutdown & SEND_SHUTDOWN) {
			n = -EPIPE;
			break;
		}
		n = put(us, msg);
		if (n > 0) {
			done += n;
			continue;
		}
		if (n != UR_TRY_AGAIN)
			break;
		n = wait_for(us, &us->tx, ur_channel_arm_room,
			     low_mark(us, msg_data_left(msg)), &timeo);
		if (n)
			break;
	}
	if (done)
		return done;
	if (n == -EPIPE && !(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return n;
}

static int socket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct ur_socket *us = of_sock(sock);
	struct ur_slot *slot = slot_of(us);
	int n;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	n = enter_slot(&slot->tx, msg->msg_flags);
	if (n)
		return n;
	n = send_locked(us, msg);
	arm_poller(us);
	mutex_unlock(&slot->tx);
	return n;
}

/* ---- the rest of a socket ------------------------------------------------ */

static __poll_t socket_poll(struct file *file, struct socket *sock,
			    poll_table *wait)
{
	struct ur_socket *us = of_sock(sock);
	unsigned long flags;
	__poll_t mask;

	sock_poll_wait(file, sock, wait);
	flags = ur_node_lock(us->node);
	us->polled = true;
	mask = readiness(us);
	ur_node_unlock(us->node, flags);
	return mask;
}

static int socket_shutdown(struct socket *sock, int how)
{
	struct ur_socket *us = of_sock(sock);
	unsigned long flags;
	int err = 0;

	how++; /* SHUT_RD, WR, RDWR to RCV_SHUTDOWN, SEND_SHUTDOWN, both */
	if (how < 1 || how > SHUTDOWN_MASK)
		return -EINVAL;
	flags = ur_node_lock(us->node);
	us->sk.sk_shutdown |= how;
	if (how & SEND_SHUTDOWN)
		err = ur_channel_shut(&us->node->link, us->ticket);
	ur_socket_wake(us, true);
	ur_node_unlock(us->node, flags);
	return err == UR_PEER_RESET ? -ENOTCONN : err;
}

static int socket_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct ur_socket *us = of_sock(sock);
	struct ur_peer_span spans[2];
	int n;

	if (cmd != SIOCINQ)
		return -ENOIOCTLCMD;
	n = look_data(us, INT_MAX, spans);
	return put_user(max(n, 0), (int __user *)arg);
}

/* Programs written for TCP ask for these; there is nothing to delay here. */
static int socket_setsockopt(struct socket *sock, int level, int name,
			     sockptr_t value, unsigned int len)
{
	if (level == SOL_TCP && name == TCP_NODELAY)
		return 0;
	return -ENOPROTOOPT;
}

static int socket_getname(struct socket *sock, struct sockaddr *address, int peer)
{
	address->sa_family = AF_UNSPEC;
	return sizeof(address->sa_family);
}

static int socket_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct ur_socket *us;
	unsigned long flags;

	if (!sk)
		return 0;
	us = of_sock(sock);
	flags = ur_node_lock(us->node);
	if (slot_of(us)->socket == us) {
		ur_channel_close(&us->node->link, us->ticket, false);
		slot_of(us)->socket = NULL;
	}
	ur_node_unlock(us->node, flags);
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

static const struct proto_ops socket_ops = {
	.family = PF_UNSPEC,
	.owner = THIS_MODULE,
	.release = socket_release,
	.bind = sock_no_bind,
	.connect = sock_no_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = socket_getname,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.listen = sock_no_listen,
	.shutdown = socket_shutdown,
	.setsockopt = socket_setsockopt,
	.sendmsg = socket_sendmsg,
	.recvmsg = socket_recvmsg,
	.mmap = sock_no_mmap,
	.sendpage = sock_no_sendpage,
};

static struct proto socket_proto = {
	.name = "usbroute",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct ur_socket),
};

/* ---- making one ---------------------------------------------------------- */

static void socket_destruct(struct sock *sk)
{
	put_device(&container_of(sk, struct ur_socket, sk)->node->dev);
}

static void sleeper_init(struct ur_sleeper *s)
{
	u32 limit = min(ur_param_spin_us, SPIN_US_MAX) * NSEC_PER_USEC;

	init_waitqueue_head(&s->wait);
	ur_spin_init(&s->spin, limit);
	s->low = 1;
}

/* A socket on no channel yet; sock_release() ends it. */
struct socket *ur_socket_create(struct ur_node *node)
{
	struct ur_socket *us;
	struct socket *sock;
	struct sock *sk;
	int err;

	err = sock_create_lite(PF_UNSPEC, SOCK_STREAM, 0, &sock);
	if (err)
		return ERR_PTR(err);
	sk = sk_alloc(&init_net, PF_UNSPEC, GFP_KERNEL, &socket_proto, 0);
	if (!sk) {
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	__module_get(THIS_MODULE); /* sock_release() puts ops->owner */
	sock->ops = &socket_ops;
	sock_init_data(sock, sk);
	us = container_of(sk, struct ur_socket, sk);
	us->node = node;
	us->ticket = (struct ur_ticket){ 0 };
	us->polled = false;
	sleeper_init(&us->rx);
	sleeper_init(&us->tx);
	get_device(&node->dev);
	sk->sk_destruct = socket_destruct;
	sock->state = SS_CONNECTED;
	return sock;
}

/* node->lock held: the socket now owns the ticket. */
void ur_socket_bind(struct socket *sock, struct ur_ticket ticket)
{
	struct ur_socket *us = of_sock(sock);

	us->ticket = ticket;
	slot_of(us)->socket = us;
}

struct ur_ticket ur_socket_ticket(struct socket *sock)
{
	return of_sock(sock)->ticket;
}

/* Consumes the socket, whatever happens. */
struct file *ur_socket_file(struct socket *sock, u32 flags)
{
	return sock_alloc_file(sock, flags & USBROUTE_NONBLOCK ? O_NONBLOCK : 0,
			       "usbroute");
}

int ur_socket_init(void)
{
	return proto_register(&socket_proto, 0);
}

void ur_socket_exit(void)
{
	proto_unregister(&socket_proto);
}
