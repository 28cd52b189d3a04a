// SPDX-License-Identifier: BSD-2-Clause
/*
 * connect, bind, listen, accept: where a descriptor becomes ours.
 *
 * A socket is the kernel's TCP socket until the program names one of our
 * addresses (connect) or listens on all of its own (bind, listen). Then either the
 * kernel's stream socket of /dev/usbrouteN takes over its number, and nothing of
 * this library is in its way any more; or the TCP socket only keeps the number,
 * and a ring is beside it.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <usbroute.h>

#define CONNECT_DEFAULT_MS 20000
#define CONNECT_MAX_MS 3600000
#define BACKLOG_MAX 64

/* ---- small things -------------------------------------------------------- */

static int connect_timeout_ms(void)
{
	const char *text = getenv("USBROUTE_CONNECT_MS");
	char *end;
	long ms = text ? strtol(text, &end, 10) : CONNECT_DEFAULT_MS;

	if (!text || (*text && !*end && ms >= 0 && ms <= CONNECT_MAX_MS))
		return (int)ms;
	ur_say("USBROUTE_CONNECT_MS: got '%s', expected 0 to %d", text,
	       CONNECT_MAX_MS);
	return CONNECT_DEFAULT_MS;
}

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	if (ur_libc()->getsockopt(fd, SOL_SOCKET, name, &value, &bytes) < 0)
		return -1;
	return value;
}

/* AF_INET or AF_INET6 of a TCP socket, else -1. */
static int family_of(int fd)
{
	int family = option_of(fd, SO_DOMAIN);

	if ((family != AF_INET && family != AF_INET6) ||
	    option_of(fd, SO_TYPE) != SOCK_STREAM ||
	    option_of(fd, SO_PROTOCOL) != IPPROTO_TCP)
		return -1;
	return family;
}

/* What a program set before holds for the socket that takes its place. */
static void copy_options(int from, int to)
{
	static const int names[] = {
		SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER, SO_KEEPALIVE, SO_OOBINLINE,
	};
	char value[32];
	socklen_t bytes;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bytes = sizeof(value);
		if (ur_libc()->getsockopt(from, SOL_SOCKET, names[i], value,
					  &bytes) == 0)
			ur_libc()->setsockopt(to, SOL_SOCKET, names[i], value,
					      bytes);
	}
}

/* `with` takes over the number `fd` and its flags; closed in any case. */
static int replace(int fd, int with, struct ur_sock *s)
{
	int status = ur_libc()->fcntl(fd, F_GETFL);
	int flags = ur_libc()->fcntl(fd, F_GETFD);
	int n = ur_table_set(fd, s);

	if (n == 0) {
		ur_libc()->fcntl(with, F_SETFL, status & O_NONBLOCK);
		copy_options(fd, with);
		n = ur_libc()->dup3(with, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
		n = n < 0 ? -errno : 0;
		if (n < 0)
			ur_table_clear(fd);
	}
	ur_libc()->close(with);
	return n;
}

static int open_node(const struct ur_place *place)
{
	int fd = open(place->path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	ur_say("%s: %s", place->path, strerror(errno));
	return -errno;
}

/* A ring that keeps a number: it must not survive an exec. */
static int keep_number(int fd, struct ur_sock *s)
{
	ur_sock_read_options(s, fd);
	ur_libc()->fcntl(fd, F_SETFD, FD_CLOEXEC);
	return ur_table_set(fd, s);
}

static bool is_async(int fd)
{
	return ur_libc()->fcntl(fd, F_GETFL) & O_ASYNC;
}

/* ---- connect ------------------------------------------------------------- */

static int connect_node(int fd, const struct ur_place *place, struct ur_sock *s)
{
	struct usbroute_connect arg = {
		.service = s->service,
		.timeout_ms = (u32)connect_timeout_ms(),
		.flags = USBROUTE_CLOEXEC,
	};
	int node = open_node(place), with;

	if (node < 0)
		return node;
	with = ur_libc()->ioctl(node, USBROUTE_IOC_CONNECT, &arg);
	if (with < 0)
		with = -errno;
	ur_libc()->close(node);
	return with < 0 ? with : replace(fd, with, s);
}

/* What a program knows from TCP. */
static int connect_error(int n)
{
	return n == -EPROTO || n == -ESHUTDOWN ? -ECONNRESET : n;
}

/* For a socket that does not block: a thread waits in its place. */
static void *call(void *context)
{
	struct ur_sock *s = context;
	struct ur_stream *stream = NULL;
	struct ur_file_link *l = s->link->link;
	int n;

	do {
		n = ur_file_link_connect(l, s->service, connect_timeout_ms(), &stream);
	} while (n == -EINTR);
	ur_wait_lock(l);
	s->stream = stream;
	s->error = n < 0 ? -connect_error(n) : 0;
	s->kind = n < 0 ? UR_KIND_FAILED : UR_KIND_STREAM;
	l->changes++;
	l->kick = true; /* who polls */
	ur_wait_unlock(l);
	ur_sock_put(s);
	return NULL;
}

static int start_call(int fd, struct ur_sock *s)
{
	sigset_t all, old;
	pthread_t thread;
	int n = keep_number(fd, s);

	if (n < 0)
		return n;
	ur_table_get(fd); /* the thread's reference */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	n = pthread_create(&thread, NULL, call, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (n == 0) {
		pthread_detach(thread);
		return -EINPROGRESS;
	}
	ur_sock_put(s);
	ur_table_clear(fd);
	return -n;
}

static int connect_ring(int fd, const struct ur_place *place, struct ur_sock *s)
{
	int n = ur_shim_link_get(place, &s->link);

	if (n == 0)
		n = ur_shim_link_watch(s->link);
	if (n < 0)
		return n;
	if (ur_libc()->fcntl(fd, F_GETFL) & O_NONBLOCK)
		return start_call(fd, s);
	n = ur_file_link_connect(s->link->link, s->service, connect_timeout_ms(),
				 &s->stream);
	if (n < 0)
		return connect_error(n);
	s->kind = UR_KIND_STREAM;
	return keep_number(fd, s);
}

static int connect_place(int fd, const struct ur_place *place,
			 const struct sockaddr *to)
{
	int family = family_of(fd);
	bool node = ur_place_is_node(place);
	struct ur_sock *s;
	int n;

	if (family < 0)
		return -EPROTONOSUPPORT;
	if (is_async(fd))
		return ur_refuse_async(fd);
	s = ur_sock_new(node ? UR_KIND_NODE : UR_KIND_CALLING, family);
	if (!s)
		return -ENOMEM;
	s->service = ur_address_port(to);
	s->peer = ur_place_address(place->number, family, s->service);
	s->local = ur_place_address(0, family, (u32)(49152 + fd % 16384));
	n = node ? connect_node(fd, place, s) : connect_ring(fd, place, s);
	ur_sock_put(s);
	return n;
}

/* What connect says of a socket that is ours already. */
static int connect_again(struct ur_sock *s)
{
	if (ur_sock_is_ring(s) && ur_sock_is_inherited(s))
		return -EOPNOTSUPP;
	switch (s->kind) {
	case UR_KIND_CALLING:
		return -EALREADY;
	case UR_KIND_FAILED:
	case UR_KIND_BOUND:
		return 0;
	default:
		return -EISCONN;
	}
}

/* A socket that was to listen for us connects elsewhere instead. */
static int bind_after_all(int fd, struct ur_sock *s)
{
	int n = 0;

	if (s->kind == UR_KIND_BOUND && s->service)
		n = ur_libc()->bind(fd, &s->local.any, ur_address_bytes(&s->local));
	if (n == 0)
		ur_table_clear(fd);
	return n < 0 ? -errno : 0;
}

UR_EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t bytes)
{
	const struct sockaddr *address = to.__sockaddr__;
	const struct ur_place *place = ur_place_by_address(address, bytes);
	struct ur_sock *s = ur_table_get(fd);
	int n = s ? connect_again(s) : 0;

	if (s && n == 0 && !place)
		n = bind_after_all(fd, s);
	if (s)
		n = (int)ur_sock_done(s, n);
	if (n < 0)
		return -1;
	if (!place)
		return ur_libc()->connect(fd, to, bytes);
	n = connect_place(fd, place, address);
	if (n == 0)
		return 0;
	errno = -n;
	return -1;
}

/* ---- bind, listen -------------------------------------------------------- */

/* With port 0 the kernel finds one, as it would. */
static int find_port(int fd, struct ur_sock *s)
{
	socklen_t bytes = sizeof(s->local);

	s->service = ur_address_port(&s->local.any);
	if (s->service)
		return 0;
	if (ur_libc()->bind(fd, &s->local.any, ur_address_bytes(&s->local)) < 0 ||
	    ur_libc()->getsockname(fd, &s->local.any, &bytes) < 0)
		return -errno;
	s->service = ur_address_port(&s->local.any);
	return 0;
}

static int bind_ours(int fd, const struct sockaddr *address, socklen_t bytes)
{
	struct ur_sock *s = ur_sock_new(UR_KIND_BOUND, address->sa_family);
	int n;

	if (!s)
		return -ENOMEM;
	memcpy(&s->local, address, bytes < sizeof(s->local) ? bytes :
							      sizeof(s->local));
	n = find_port(fd, s);
	if (n == 0)
		n = ur_table_set(fd, s);
	ur_sock_put(s);
	return n;
}

UR_EXPORT int bind(int fd, __CONST_SOCKADDR_ARG to, socklen_t bytes)
{
	const struct sockaddr *address = to.__sockaddr__;
	struct ur_sock *s = ur_table_get(fd);
	int n;

	if (s)
		return (int)ur_sock_done(s, -EINVAL);
	if (!ur_place_to_listen() || !ur_address_is_wildcard(address, bytes) ||
	    family_of(fd) != address->sa_family)
		return ur_libc()->bind(fd, to, bytes);
	n = bind_ours(fd, address, bytes);
	if (n == 0)
		return 0;
	errno = -n;
	return -1;
}

static u32 backlog_of(int backlog)
{
	return backlog < 1 ? 1 : backlog > BACKLOG_MAX ? BACKLOG_MAX : (u32)backlog;
}

static int listen_node(int fd, const struct ur_place *place, struct ur_sock *s,
		       int backlog)
{
	struct usbroute_listen arg = { s->service, backlog_of(backlog) };
	int node = open_node(place), n;

	if (node < 0)
		return node;
	if (ur_libc()->ioctl(node, USBROUTE_IOC_LISTEN, &arg) < 0) {
		n = -errno;
		ur_libc()->close(node);
		return n;
	}
	return replace(fd, node, s);
}

static int listen_ring(int fd, const struct ur_place *place, struct ur_sock *s,
		       int backlog)
{
	int n = ur_shim_link_get(place, &s->link);

	if (n == 0)
		n = ur_file_link_listen(s->link->link, s->service,
					backlog_of(backlog));
	if (n < 0)
		return n;
	s->kind = UR_KIND_LISTENER;
	n = ur_shim_link_watch(s->link);
	return n < 0 ? n : keep_number(fd, s);
}

static int listen_ours(int fd, const struct ur_sock *bound, int backlog)
{
	const struct ur_place *place = ur_place_to_listen();
	struct ur_sock *s;
	int n;

	if (is_async(fd))
		return ur_refuse_async(fd);
	s = ur_sock_new(UR_KIND_NODE_LISTENER, bound->family);
	if (!s)
		return -ENOMEM;
	s->local = bound->local;
	s->service = bound->service;
	n = ur_place_is_node(place) ? listen_node(fd, place, s, backlog) :
				      listen_ring(fd, place, s, backlog);
	ur_sock_put(s);
	return n;
}

UR_EXPORT int listen(int fd, int backlog)
{
	struct ur_sock *s = ur_table_get(fd);
	int n = -EINVAL;

	if (!s)
		return ur_libc()->listen(fd, backlog);
	if (s->kind == UR_KIND_BOUND)
		n = listen_ours(fd, s, backlog);
	else if (s->kind == UR_KIND_LISTENER || s->kind == UR_KIND_NODE_LISTENER)
		n = 0; /* the backlog stays as it was */
	return (int)ur_sock_done(s, n);
}

/* ---- accept -------------------------------------------------------------- */

static int accept_node(int fd, struct ur_sock *s, int flags)
{
	bool waits = !(ur_libc()->fcntl(fd, F_GETFL) & O_NONBLOCK);
	struct usbroute_accept arg = {
		.timeout_ms = waits ? USBROUTE_WAIT_FOREVER : 0,
		.flags = (flags & SOCK_CLOEXEC ? USBROUTE_CLOEXEC : 0) |
			 (flags & SOCK_NONBLOCK ? USBROUTE_NONBLOCK : 0),
	};
	int with = ur_libc()->ioctl(fd, USBROUTE_IOC_ACCEPT, &arg);
	int n;

	if (with < 0)
		return -errno;
	n = ur_table_set(with, s);
	if (n == 0)
		return with;
	ur_libc()->close(with);
	return n;
}

static int accept_stream(struct ur_sock *listener, struct ur_stream **stream)
{
	int timeout_ms = listener->nonblocking ? 0 :
						 (int)listener->receive_timeout_ms;
	int n;

	if (ur_sock_is_inherited(listener))
		return -EOPNOTSUPP;
	do {
		n = ur_file_link_accept(listener->link->link, listener->service,
					timeout_ms, stream);
	} while (n == -EINTR && timeout_ms == UR_FOREVER && ur_signals_restart());
	if (n == -ETIMEDOUT)
		return -EAGAIN;
	return n == -ESHUTDOWN ? -EINVAL : n;
}

/* The TCP socket that keeps the number of what was accepted. */
static int number_for(int listener, struct ur_sock *s, int flags)
{
	int fd = socket(s->family, SOCK_STREAM | (flags & SOCK_NONBLOCK), 0);
	int n;

	if (fd < 0)
		return -errno;
	copy_options(listener, fd);
	n = keep_number(fd, s);
	if (n == 0)
		return fd;
	ur_libc()->close(fd);
	return n;
}

static int accept_ring(int fd, struct ur_sock *listener, struct ur_sock *s,
		       int flags)
{
	int n = accept_stream(listener, &s->stream);

	if (n < 0)
		return n;
	s->link = listener->link;
	s->kind = UR_KIND_STREAM;
	return number_for(fd, s, flags);
}

static int accept_ours(int fd, struct ur_sock *listener, union ur_address *peer,
		       int flags)
{
	const struct ur_place *place = ur_place_to_listen();
	struct ur_sock *s = ur_sock_new(UR_KIND_NODE, listener->family);
	int n;

	if (!s)
		return -ENOMEM;
	s->service = listener->service;
	s->local = ur_place_address(0, s->family, s->service);
	*peer = s->peer = ur_place_address(place->number, s->family, 49152);
	n = listener->kind == UR_KIND_LISTENER ?
		    accept_ring(fd, listener, s, flags) : accept_node(fd, s, flags);
	ur_sock_put(s);
	return n;
}

UR_EXPORT int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict bytes,
		      int flags)
{
	struct ur_sock *s = ur_table_get(fd);
	union ur_address peer;
	int n = -EINVAL;

	if (!s)
		return ur_libc()->accept4(fd, from, bytes, flags);
	if (s->kind == UR_KIND_LISTENER || s->kind == UR_KIND_NODE_LISTENER)
		n = accept_ours(fd, s, &peer, flags);
	if (n >= 0 && from.__sockaddr__ && bytes) {
		memcpy(from.__sockaddr__, &peer,
		       *bytes < sizeof(peer) ? *bytes : sizeof(peer));
		*bytes = ur_address_bytes(&peer);
	}
	return (int)ur_sock_done(s, n);
}

UR_EXPORT int accept(int fd, __SOCKADDR_ARG from, socklen_t *restrict bytes)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s)
		return ur_libc()->accept(fd, from, bytes);
	ur_sock_put(s);
	return accept4(fd, from, bytes, 0);
}
