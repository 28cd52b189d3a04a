// SPDX-License-Identifier: BSD-2-Clause
/*
 * The places of USBROUTE_PEERS and USBROUTE_LISTEN, and the addresses that
 * stand for them while a program hands them around: 192.0.2.N and
 * 2001:db8:7572::N, of the blocks that are for documentation and lead nowhere
 * (RFC 5737, RFC 3849). N is 1 for whom we listen to, then 2, 3, ... in the order of
 * USBROUTE_PEERS; our own address is 192.0.2.254.
 */
#define _GNU_SOURCE
#include "sock.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define V4_BASE 0xc0000200u	/* 192.0.2.0 */
#define OURS 254u

static const u8 v6_base[12] = { 0x20, 0x01, 0x0d, 0xb8, 0x75, 0x72 };
static const u8 v6_mapped[12] = { [10] = 0xff, [11] = 0xff };

/* 0 is USBROUTE_LISTEN's. */
static struct ur_place places[UR_PLACES_MAX];
static unsigned int places_count = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- reading the variables ----------------------------------------------- */

/* `path`, which may end in @a or @b. */
static bool set_path(struct ur_place *p, const char *path, size_t bytes,
		     enum ur_end end)
{
	p->end = end;
	if (bytes > 2 && path[bytes - 2] == '@' &&
	    (path[bytes - 1] == 'a' || path[bytes - 1] == 'b')) {
		p->end = path[bytes - 1] == 'a' ? UR_END_A : UR_END_B;
		bytes -= 2;
	}
	if (bytes == 0 || bytes >= sizeof(p->path)) {
		ur_say("path of %zu characters, expected 1 to %zu: %.60s",
		       bytes, sizeof(p->path) - 1, path);
		return false;
	}
	memcpy(p->path, path, bytes);
	return true;
}

static void add_peer(const char *word, size_t bytes)
{
	const char *equals = memchr(word, '=', bytes);
	struct ur_place *p = &places[places_count];
	size_t name = equals ? (size_t)(equals - word) : 0;

	if (name == 0 || name >= sizeof(p->name)) {
		ur_say("USBROUTE_PEERS: got '%.*s', expected name=path, the name of 1 to %zu characters",
		       (int)(bytes < 80 ? bytes : 80), word, sizeof(p->name) - 1);
		return;
	}
	if (places_count == UR_PLACES_MAX) {
		ur_say("USBROUTE_PEERS: expected at most %d peers, '%.*s' is one more",
		       UR_PLACES_MAX - 1, (int)name, word);
		return;
	}
	memcpy(p->name, word, name);
	p->number = places_count + 1;
	if (set_path(p, equals + 1, bytes - name - 1, UR_END_A))
		places_count++;
}

/* A peer that is called by name as well keeps that name. */
static void name_caller(struct ur_place *p)
{
	unsigned int i;

	strcpy(p->name, "usbroute-peer");
	for (i = 1; i < places_count; i++)
		if (strcmp(places[i].path, p->path) == 0)
			strcpy(p->name, places[i].name);
}

static void read_variables(void)
{
	const char *peers = getenv("USBROUTE_PEERS");
	const char *ours = getenv("USBROUTE_LISTEN");
	size_t bytes;

	while (peers && *peers) {
		bytes = strcspn(peers, ",");
		if (bytes)
			add_peer(peers, bytes);
		peers += bytes + (peers[bytes] == ',');
	}
	if (!ours || !*ours || !set_path(&places[0], ours, strlen(ours), UR_END_B))
		return;
	places[0].number = 1;
	name_caller(&places[0]);
}

/* ---- looking up ---------------------------------------------------------- */

const struct ur_place *ur_place_to_listen(void)
{
	pthread_once(&once, read_variables);
	return places[0].number ? &places[0] : NULL;
}

const struct ur_place *ur_place_by_name(const char *name)
{
	unsigned int i;

	pthread_once(&once, read_variables);
	for (i = 1; i < places_count; i++)
		if (strcmp(places[i].name, name) == 0)
			return &places[i];
	return places[0].number && strcmp(places[0].name, name) == 0 ?
		       &places[0] : NULL;
}

static unsigned int number_of_v4(u32 address)
{
	return (address & 0xffffff00u) == V4_BASE ? address & 0xff : 0;
}

static u32 last_word(const struct in6_addr *a)
{
	return (u32)a->s6_addr[12] << 24 | (u32)a->s6_addr[13] << 16 |
	       (u32)a->s6_addr[14] << 8 | a->s6_addr[15];
}

static unsigned int number_of_v6(const struct in6_addr *a)
{
	if (memcmp(a->s6_addr, v6_mapped, sizeof(v6_mapped)) == 0)
		return number_of_v4(last_word(a));
	if (memcmp(a->s6_addr, v6_base, sizeof(v6_base)) == 0)
		return last_word(a);
	return 0;
}

const struct ur_place *ur_place_by_address(const struct sockaddr *address,
					   socklen_t bytes)
{
	const union ur_address *a = (const union ur_address *)address;
	unsigned int number = 0;

	pthread_once(&once, read_variables);
	if (!address || bytes < sizeof(address->sa_family))
		return NULL;
	if (address->sa_family == AF_INET && bytes >= sizeof(a->v4))
		number = number_of_v4(ntohl(a->v4.sin_addr.s_addr));
	else if (address->sa_family == AF_INET6 && bytes >= sizeof(a->v6))
		number = number_of_v6(&a->v6.sin6_addr);
	if (number < 1 || number > places_count || !places[number - 1].number)
		return NULL;
	return &places[number - 1];
}

bool ur_place_is_node(const struct ur_place *place)
{
	struct stat st;

	if (strncmp(place->path, "/dev/usbroute", 13) == 0)
		return true;
	return stat(place->path, &st) == 0 && S_ISCHR(st.st_mode);
}

/* ---- addresses ----------------------------------------------------------- */

union ur_address ur_place_address(unsigned int number, int family, u32 port)
{
	union ur_address a;

	memset(&a, 0, sizeof(a));
	number = number ? number : OURS;
	a.any.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		memcpy(a.v6.sin6_addr.s6_addr, v6_base, sizeof(v6_base));
		a.v6.sin6_addr.s6_addr[15] = (u8)number;
		a.v6.sin6_port = htons((u16)port);
	} else {
		a.v4.sin_addr.s_addr = htonl(V4_BASE + number);
		a.v4.sin_port = htons((u16)port);
	}
	return a;
}

socklen_t ur_address_bytes(const union ur_address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

u32 ur_address_port(const struct sockaddr *address)
{
	const union ur_address *a = (const union ur_address *)address;

	return ntohs(address->sa_family == AF_INET6 ? a->v6.sin6_port :
						      a->v4.sin_port);
}

bool ur_address_is_wildcard(const struct sockaddr *address, socklen_t bytes)
{
	const union ur_address *a = (const union ur_address *)address;

	if (!address || bytes < sizeof(address->sa_family))
		return false;
	if (address->sa_family == AF_INET && bytes >= sizeof(a->v4))
		return a->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return address->sa_family == AF_INET6 && bytes >= sizeof(a->v6) &&
	       IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}
