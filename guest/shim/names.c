// SPDX-License-Identifier: BSD-2-Clause
/* getaddrinfo, getnameinfo, getpeername, getsockname. */
#define _GNU_SOURCE
#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>

/*
 * libc makes the list itself, from our numeric address: so it is freed and
 * ordered as any other, and the service and hints are libc's business.
 */
static int look_up(const char *node, const char *service,
		   const struct addrinfo *hints, int flags, int family,
		   struct addrinfo **found)
{
	struct addrinfo ours = { .ai_flags = 0 };

	if (hints) {
		ours.ai_flags = hints->ai_flags & ~AI_ADDRCONFIG;
		ours.ai_family = hints->ai_family;
		ours.ai_socktype = hints->ai_socktype;
		ours.ai_protocol = hints->ai_protocol;
	}
	ours.ai_flags |= flags;
	if (ours.ai_family == AF_UNSPEC)
		ours.ai_family = family;
	return ur_libc()->getaddrinfo(node, service, &ours, found);
}

static int look_up_place(const struct ur_place *place, const char *service,
			 const struct addrinfo *hints, struct addrinfo **found)
{
	int family = hints && hints->ai_family == AF_INET6 ? AF_INET6 : AF_INET;
	union ur_address a = ur_place_address(place->number, family, 0);
	char text[INET6_ADDRSTRLEN];

	if (family == AF_INET6)
		inet_ntop(family, &a.v6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(family, &a.v4.sin_addr, text, sizeof(text));
	return look_up(text, service, hints, AI_NUMERICHOST, family, found);
}

UR_EXPORT int getaddrinfo(const char *restrict node, const char *restrict service,
			  const struct addrinfo *restrict hints,
			  struct addrinfo **restrict found)
{
	const struct ur_place *place = node ? ur_place_by_name(node) : NULL;

	if (place)
		return look_up_place(place, service, hints, found);
	/* One link is one listener, so one address to listen on. */
	if (!node && hints && hints->ai_flags & AI_PASSIVE &&
	    hints->ai_family == AF_UNSPEC && ur_place_to_listen())
		return look_up(NULL, service, hints, 0, AF_INET, found);
	return ur_libc()->getaddrinfo(node, service, hints, found);
}

UR_EXPORT int getnameinfo(const struct sockaddr *restrict address,
			  socklen_t bytes, char *restrict host,
			  socklen_t host_bytes, char *restrict service,
			  socklen_t service_bytes, int flags)
{
	const struct ur_place *place = ur_place_by_address(address, bytes);
	int n;

	if (!place || flags & NI_NUMERICHOST)
		return ur_libc()->getnameinfo(address, bytes, host, host_bytes,
					      service, service_bytes, flags);
	n = ur_libc()->getnameinfo(address, bytes, NULL, 0, service, service_bytes,
				   (flags & ~NI_NAMEREQD) | NI_NUMERICHOST);
	/* Without a service libc finds nothing to do, and says so. */
	if ((n && service_bytes) || !host || !host_bytes)
		return n;
	if (strlen(place->name) >= host_bytes)
		return EAI_OVERFLOW;
	strcpy(host, place->name);
	return 0;
}

static int tell(struct ur_sock *s, const union ur_address *a,
		struct sockaddr *address, socklen_t *bytes)
{
	socklen_t all = ur_address_bytes(a);

	memcpy(address, a, *bytes < all ? *bytes : all);
	*bytes = all;
	return (int)ur_sock_done(s, 0);
}

UR_EXPORT int getpeername(int fd, __SOCKADDR_ARG address,
			  socklen_t *restrict bytes)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s)
		return ur_libc()->getpeername(fd, address, bytes);
	if (s->kind == UR_KIND_NODE || s->kind == UR_KIND_STREAM)
		return tell(s, &s->peer, address.__sockaddr__, bytes);
	return (int)ur_sock_done(s, -ENOTCONN);
}

UR_EXPORT int getsockname(int fd, __SOCKADDR_ARG address,
			  socklen_t *restrict bytes)
{
	struct ur_sock *s = ur_table_get(fd);

	if (!s)
		return ur_libc()->getsockname(fd, address, bytes);
	if (s->kind == UR_KIND_EPOLL)
		return (int)ur_sock_done(s, -ENOTSOCK);
	return tell(s, &s->local, address.__sockaddr__, bytes);
}
