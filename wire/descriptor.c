// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * A configuration is a flat list that means a tree:
 *
 *     configuration, interface 0.0, (class things), endpoint, companion, endpoint,
 *                    interface 0.1, endpoint, ..., interface 1.0, ...
 *
 * Each step takes one length byte and one type byte, cuts the cursor to that
 * length, and reads the fixed part from the cut. So nothing in a descriptor can
 * reach beyond it, and each step consumes at least two bytes.
 */
#include "descriptor.h"

enum { HEAD_BYTES = 2, ENDPOINT_RESERVED = 0x70, PACKET_RESERVED = 0xe000 };

static u16 little(struct ur_reader *r)
{
	u8 low = ur_reader_u8(r);
	u8 high = ur_reader_u8(r);

	return (u16)(high * 0x100u + low);
}

static bool has_total(u8 type)
{
	return type == UR_DESCRIPTOR_CONFIGURATION ||
	       type == UR_DESCRIPTOR_OTHER_SPEED || type == UR_DESCRIPTOR_BOS;
}

static u32 head_of(u8 type)
{
	switch (type) {
	case UR_DESCRIPTOR_DEVICE:
		return UR_DEVICE_BYTES;
	case UR_DESCRIPTOR_CONFIGURATION:
	case UR_DESCRIPTOR_OTHER_SPEED:
		return UR_CONFIGURATION_BYTES;
	case UR_DESCRIPTOR_BOS:
		return UR_BOS_BYTES;
	default:
		return HEAD_BYTES;
	}
}

int ur_descriptor_total(const u8 *at, size_t bytes, u8 type, u32 *total,
			struct ur_refusal *why)
{
	u32 need = has_total(type) ? 4u : HEAD_BYTES;
	struct ur_reader r;
	u8 got;

	if (bytes < need)
		return ur_refuse(why, UR_PEER_MALFORMED, "descriptor bytes",
				 "at least", (u32)bytes, need);
	ur_reader_init(&r, at, bytes);
	*total = ur_reader_u8(&r);
	got = ur_reader_u8(&r);
	if (got != type)
		return ur_refuse_other(why, "bDescriptorType", got, type);
	if (has_total(type) && *total != head_of(type))
		return ur_refuse_other(why, "bLength", *total, head_of(type));
	if (has_total(type))
		*total = little(&r);
	if (*total < head_of(type))
		return ur_refuse(why, UR_PEER_MALFORMED,
				 has_total(type) ? "wTotalLength" : "bLength",
				 "at least", *total, head_of(type));
	return 0;
}

/* The head of the one descriptor that fills the whole cursor. */
static int take_whole(struct ur_reader *r, u8 type, struct ur_refusal *why)
{
	size_t bytes = ur_reader_remaining(r);
	u8 head[4] = { 0 };
	struct ur_reader ahead;
	u32 total;
	int error;

	ahead = *r;
	ur_reader_bytes(&ahead, head, bytes < 4 ? bytes : 4);
	error = ur_descriptor_total(head, bytes < 4 ? bytes : 4, type, &total,
				    why);
	if (error)
		return error;
	if (bytes != total)
		return ur_refuse_length(why, "descriptor bytes", bytes, total);
	ur_reader_skip(r, has_total(type) ? 4 : HEAD_BYTES);
	return 0;
}

static bool is_max_packet_0(u8 bytes)
{
	return bytes == 8 || bytes == 16 || bytes == 32 || bytes == 64 ||
	       bytes == 9;
}

static int check_device(const struct ur_device_descriptor *d,
			struct ur_refusal *why)
{
	if (!is_max_packet_0(d->max_packet_0))
		return ur_refuse(why, UR_PEER_MALFORMED, "bMaxPacketSize0",
				 "8, 9, 16, 32 or", d->max_packet_0, 64);
	if (d->configurations == 0)
		return ur_refuse(why, UR_PEER_MALFORMED, "bNumConfigurations",
				 "at least", 0, 1);
	if (d->configurations > UR_CONFIGURATIONS_MAX)
		return ur_refuse_too_big(why, "bNumConfigurations",
					 d->configurations,
					 UR_CONFIGURATIONS_MAX);
	return 0;
}

int ur_device_descriptor_read(struct ur_reader *r,
			      struct ur_device_descriptor *device,
			      struct ur_refusal *why)
{
	size_t bytes = ur_reader_remaining(r);
	int error = take_whole(r, UR_DESCRIPTOR_DEVICE, why);

	if (error)
		return error;
	device->usb = little(r);
	device->device_class = ur_reader_u8(r);
	device->device_subclass = ur_reader_u8(r);
	device->device_protocol = ur_reader_u8(r);
	device->max_packet_0 = ur_reader_u8(r);
	device->vendor = little(r);
	device->product = little(r);
	device->bcd_device = little(r);
	device->manufacturer_string = ur_reader_u8(r);
	device->product_string = ur_reader_u8(r);
	device->serial_string = ur_reader_u8(r);
	device->configurations = ur_reader_u8(r);
	if (!ur_reader_is_done(r))
		return ur_refuse_length(why, "device descriptor", bytes,
					UR_DEVICE_BYTES);
	return check_device(device, why);
}

/* ---- a configuration ------------------------------------------------------ */

/* The walk: where it is in the tree. */
struct walk {
	struct ur_configuration *c;
	struct ur_alternate *alternate;	/* endpoints belong to it */
	struct ur_endpoint *endpoint;	/* a companion may follow */
	u8 endpoints_due;		/* bNumEndpoints not yet seen */
	u8 interfaces_said;		/* bNumInterfaces */
	struct ur_refusal *why;
};

static int close_alternate(struct walk *w)
{
	u32 got;

	if (!w->alternate || w->endpoints_due == 0)
		return 0;
	got = w->alternate->endpoints;
	return ur_refuse_other(w->why, "endpoints of an interface", got,
			       got + w->endpoints_due);
}

const struct ur_alternate *
ur_alternate_find(const struct ur_configuration *configuration, u8 interface,
		  u8 alternate)
{
	u32 i;

	/*@ loop invariant i <= configuration->alternates; loop assigns i;
	  @ loop variant configuration->alternates - i; */
	for (i = 0; i < configuration->alternates; i++) {
		const struct ur_alternate *a = &configuration->alternate[i];

		if (a->interface == interface && a->alternate == alternate)
			return a;
	}
	return NULL;
}

static void add_alternate(struct walk *w, const struct ur_alternate *a,
			  u8 endpoints)
{
	w->alternate = &w->c->alternate[w->c->alternates++];
	*w->alternate = *a;
	w->endpoints_due = endpoints;
	w->endpoint = NULL;
}

static int place_alternate(struct walk *w, const struct ur_alternate *a,
			   u8 endpoints)
{
	struct ur_configuration *c = w->c;

	if (a->interface >= UR_INTERFACES_MAX)
		return ur_refuse_too_big(w->why, "bInterfaceNumber",
					 a->interface, UR_INTERFACES_MAX - 1);
	if (ur_alternate_find(c, a->interface, a->alternate))
		return ur_refuse(w->why, UR_PEER_MALFORMED, "bAlternateSetting",
				 "not again", a->alternate, a->alternate);
	if (endpoints > UR_ALTERNATE_ENDPOINTS_MAX)
		return ur_refuse_above(w->why, "bNumEndpoints", endpoints,
				       UR_ALTERNATE_ENDPOINTS_MAX);
	if (c->alternates == UR_ALTERNATES_MAX)
		return ur_refuse_too_big(w->why, "alternate settings",
					 c->alternates + 1u, UR_ALTERNATES_MAX);
	add_alternate(w, a, endpoints);
	return 0;
}

static int take_interface(struct walk *w, struct ur_reader *r)
{
	struct ur_alternate a = { 0 };
	int error = close_alternate(w);
	u8 endpoints;

	if (error)
		return error;
	a.interface = ur_reader_u8(r);
	a.alternate = ur_reader_u8(r);
	endpoints = ur_reader_u8(r);
	a.interface_class = ur_reader_u8(r);
	a.interface_subclass = ur_reader_u8(r);
	a.interface_protocol = ur_reader_u8(r);
	a.first_endpoint = w->c->endpoints;
	return place_alternate(w, &a, endpoints);
}

/* Two alternates of one interface may share an address, two interfaces not. */
static bool is_taken(const struct walk *w, u8 address)
{
	const struct ur_alternate *own = w->alternate;
	u32 i, e;

	/*@ loop invariant i <= w->c->alternates; loop assigns i, e;
	  @ loop variant w->c->alternates - i; */
	for (i = 0; i < w->c->alternates; i++) {
		const struct ur_alternate *a = &w->c->alternate[i];

		if (a != own && a->interface == own->interface)
			continue;
		/*@ loop invariant e <= a->endpoints; loop assigns e;
		  @ loop variant a->endpoints - e; */
		for (e = 0; e < a->endpoints; e++)
			if (w->c->endpoint[a->first_endpoint + e].address ==
			    address)
				return true;
	}
	return false;
}

static int check_endpoint(const struct walk *w, const struct ur_endpoint *e)
{
	const struct ur_alternate *a = w->alternate;

	if (!a || w->endpoints_due == 0)
		return ur_refuse_above(w->why, "endpoints of an interface",
				       a ? a->endpoints + 1u : 1,
				       a ? a->endpoints : 0);
	if ((e->address & 0x0f) == 0 || (e->address & ENDPOINT_RESERVED) != 0)
		return ur_refuse(w->why, UR_PEER_MALFORMED, "bEndpointAddress",
				 "a number from 1 to", e->address, 15);
	if ((e->max_packet & PACKET_RESERVED) != 0)
		return ur_refuse_above(w->why, "wMaxPacketSize", e->max_packet,
				       0x1fff);
	if (is_taken(w, e->address))
		return ur_refuse(w->why, UR_PEER_MALFORMED, "bEndpointAddress",
				 "not again", e->address, e->address);
	if (w->c->endpoints == UR_ENDPOINTS_MAX)
		return ur_refuse_too_big(w->why, "endpoints",
					 w->c->endpoints + 1u,
					 UR_ENDPOINTS_MAX);
	return 0;
}

static void add_endpoint(struct walk *w, const struct ur_endpoint *e)
{
	struct ur_endpoint *at = &w->c->endpoint[w->c->endpoints];

	at->address = e->address;
	at->type = e->type;
	at->max_packet = e->max_packet;
	at->interval = e->interval;
	at->has_companion = false;
	w->c->endpoints++;
	w->alternate->endpoints++;
	w->endpoints_due--;
	w->endpoint = at;
}

static int place_endpoint(struct walk *w, const struct ur_endpoint *e)
{
	int error = check_endpoint(w, e);

	if (!error)
		add_endpoint(w, e);
	return error;
}

static int take_endpoint(struct walk *w, struct ur_reader *r)
{
	struct ur_endpoint e = { 0 };

	e.address = ur_reader_u8(r);
	e.type = ur_reader_u8(r) & 3;
	e.max_packet = little(r);
	e.interval = ur_reader_u8(r);
	return place_endpoint(w, &e);
}

static void add_companion(struct walk *w, u8 burst, u8 attributes, u16 bytes)
{
	w->endpoint->has_companion = true;
	w->endpoint->max_burst = burst;
	w->endpoint->companion_attributes = attributes;
	w->endpoint->bytes_per_interval = bytes;
}

static int take_companion(struct walk *w, struct ur_reader *r)
{
	u8 burst = ur_reader_u8(r);
	u8 attributes = ur_reader_u8(r);
	u16 bytes = little(r);

	if (!w->endpoint || w->endpoint->has_companion)
		return ur_refuse(w->why, UR_PEER_MALFORMED,
				 "endpoint companion", "one after each endpoint,",
				 w->endpoint ? 2 : 1, w->endpoint ? 1 : 0);
	add_companion(w, burst, attributes, bytes);
	return 0;
}

/* What may not stand inside a configuration: it would be another device's. */
static int take_other(struct walk *w, struct ur_reader *r, u8 type)
{
	(void)r;
	if (type == UR_DESCRIPTOR_DEVICE ||
	    type == UR_DESCRIPTOR_CONFIGURATION ||
	    type == UR_DESCRIPTOR_OTHER_SPEED || type == UR_DESCRIPTOR_BOS)
		return ur_refuse(w->why, UR_PEER_MALFORMED, "bDescriptorType",
				 "inside a configuration not", type, type);
	return 0;
}

static u32 least_of(u8 type)
{
	switch (type) {
	case UR_DESCRIPTOR_INTERFACE:
		return 9;
	case UR_DESCRIPTOR_ENDPOINT:
		return 7;
	case UR_DESCRIPTOR_COMPANION:
		return 6;
	case UR_DESCRIPTOR_ASSOCIATION:
		return 8;
	default:
		return HEAD_BYTES;
	}
}

/* Cut the next piece off: its type, and a cursor over what follows the head. */
static int cut(struct ur_reader *r, struct ur_reader *piece, u8 *type,
	       struct ur_refusal *why)
{
	size_t left = ur_reader_remaining(r);
	u8 length = ur_reader_u8(r);

	*type = ur_reader_u8(r);
	if (length > left || left < HEAD_BYTES)
		return ur_refuse_above(why, "bLength", length, (u32)left);
	if (length < least_of(*type))
		return ur_refuse(why, UR_PEER_MALFORMED, "bLength", "at least",
				 length, least_of(*type));
	ur_reader_init(piece, r->base + r->at, length - HEAD_BYTES);
	ur_reader_skip(r, length - HEAD_BYTES);
	return 0;
}

static int take_piece(struct walk *w, struct ur_reader *r)
{
	struct ur_reader piece;
	u8 type;
	int error = cut(r, &piece, &type, w->why);

	if (error)
		return error;
	switch (type) {
	case UR_DESCRIPTOR_INTERFACE:
		return take_interface(w, &piece);
	case UR_DESCRIPTOR_ENDPOINT:
		return take_endpoint(w, &piece);
	case UR_DESCRIPTOR_COMPANION:
		return take_companion(w, &piece);
	default:
		break;
	}
	return take_other(w, &piece, type);
}

/* Each interface counts once, by its alternate setting 0, which it must have. */
static int count_interfaces(struct walk *w)
{
	struct ur_configuration *c = w->c;
	u32 i;

	/*@ loop invariant i <= c->alternates; loop assigns i, c->interfaces;
	  @ loop variant c->alternates - i; */
	for (i = 0; i < c->alternates; i++) {
		const struct ur_alternate *a = &c->alternate[i];

		if (!ur_alternate_find(c, a->interface, 0))
			return ur_refuse(w->why, UR_PEER_MALFORMED,
					 "bAlternateSetting", "also",
					 a->alternate, 0);
		c->interfaces = (u8)(c->interfaces + (a->alternate == 0));
	}
	if (c->interfaces != w->interfaces_said)
		return ur_refuse_other(w->why, "interfaces", c->interfaces,
				       w->interfaces_said);
	return 0;
}

int ur_configuration_read(struct ur_reader *r, u8 type,
			  struct ur_configuration *configuration,
			  struct ur_refusal *why)
{
	struct walk w = { .c = configuration, .why = why };
	int error = take_whole(r, type, why);

	if (error)
		return error;
	ur_zero(configuration, sizeof(*configuration));
	w.interfaces_said = ur_reader_u8(r);
	configuration->value = ur_reader_u8(r);
	ur_reader_skip(r, 1);	/* iConfiguration */
	configuration->attributes = ur_reader_u8(r);
	configuration->max_power = ur_reader_u8(r);
	if (configuration->value == 0)
		return ur_refuse(why, UR_PEER_MALFORMED, "bConfigurationValue",
				 "at least", 0, 1);
	/*@ loop invariant WALK_OK(&w) && READER_OK(r);
	  @ loop invariant error == 0 || IS_REFUSED(error);
	  @ loop assigns error, OF_WALK(&w), ALL_OF_WHY(why), r->at, r->failed;
	  @ loop variant error == 0 ? LEFT(r) + 1 : 0; */
	while (!error && ur_reader_remaining(r) > 0)
		error = take_piece(&w, r);
	if (!error)
		error = close_alternate(&w);
	return error ? error : count_interfaces(&w);
}

/* ---- BOS and strings ------------------------------------------------------ */

/* USB 3.2 section 9.6.2: the fixed parts that Linux reads without asking. */
static u32 capability_least(u8 type, const struct ur_reader *piece)
{
	struct ur_reader ahead;

	ahead = *piece;
	switch (type) {
	case 2:		/* USB 2.0 extension */
		return 7;
	case 3:		/* SuperSpeed */
		return 10;
	case 4:		/* container ID */
		return 20;
	case 10:	/* SuperSpeedPlus: 12 and a word for each lane speed */
		ur_reader_skip(&ahead, 1);
		return 12 + 4 * ((ur_reader_u8(&ahead) & 0x1fu) + 1);
	default:
		return 3;
	}
}

static int check_capability(struct ur_reader *r, struct ur_refusal *why)
{
	struct ur_reader piece;
	u32 length, least;
	u8 type;
	int error = cut(r, &piece, &type, why);

	if (error)
		return error;
	if (type != UR_DESCRIPTOR_CAPABILITY)
		return ur_refuse_other(why, "bDescriptorType", type,
				       UR_DESCRIPTOR_CAPABILITY);
	length = (u32)ur_reader_remaining(&piece) + HEAD_BYTES;
	type = ur_reader_u8(&piece);
	least = capability_least(type, &piece);
	if (length < least)
		return ur_refuse(why, UR_PEER_MALFORMED, "bLength", "at least",
				 length, least);
	return 0;
}

int ur_bos_check(struct ur_reader *r, struct ur_refusal *why)
{
	int error = take_whole(r, UR_DESCRIPTOR_BOS, why);
	u32 said, got = 0;

	if (error)
		return error;
	said = ur_reader_u8(r);
	/*@ loop invariant READER_OK(r) && (error == 0 || IS_REFUSED(error));
	  @ loop invariant error == 0 ==> got + LEFT(r) <= 0xffff;
	  @ loop assigns error, got, ALL_OF_WHY(why), r->at, r->failed;
	  @ loop variant error == 0 ? LEFT(r) + 1 : 0; */
	for (; !error && ur_reader_remaining(r) > 0; got++)
		error = check_capability(r, why);
	if (error)
		return error;
	if (got != said)
		return ur_refuse_other(why, "bNumDeviceCaps", said, got);
	return 0;
}

int ur_string_check(struct ur_reader *r, u8 number, struct ur_refusal *why)
{
	u32 bytes = (u32)ur_reader_remaining(r);
	int error = take_whole(r, UR_DESCRIPTOR_STRING, why);

	if (error)
		return error;
	if (bytes % 2 != 0)
		return ur_refuse(why, UR_PEER_MALFORMED, "string bLength",
				 "even, as", bytes, bytes - 1);
	if (number == 0 && bytes < 4)
		return ur_refuse(why, UR_PEER_MALFORMED, "languages",
				 "at least", bytes, 4);
	return 0;
}

static u32 put_utf8(char *to, u32 unit)
{
	if (unit < 0x80) {
		to[0] = unit < 32 || unit == 127 ? '?' : (char)unit;
		return 1;
	}
	if (unit < 0x800) {
		to[0] = (char)(0xc0 | unit >> 6);
		to[1] = (char)(0x80 | (unit & 0x3f));
		return 2;
	}
	if (unit < 0x10000) {
		to[0] = (char)(0xe0 | unit >> 12);
		to[1] = (char)(0x80 | (unit >> 6 & 0x3f));
		to[2] = (char)(0x80 | (unit & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | unit >> 18);
	to[1] = (char)(0x80 | (unit >> 12 & 0x3f));
	to[2] = (char)(0x80 | (unit >> 6 & 0x3f));
	to[3] = (char)(0x80 | (unit & 0x3f));
	return 4;
}

/* One character of one or two units; a lonely half of a pair is '?'. */
static u32 take_character(struct ur_reader *r)
{
	u32 unit = little(r);
	struct ur_reader ahead = *r;
	u32 low;

	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	low = little(&ahead);
	if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return '?';
	*r = ahead;
	return 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
}

void ur_string_text(const u8 *at, size_t bytes, char text[UR_STRING_TEXT_BYTES])
{
	struct ur_reader r;
	u32 used = 0;

	ur_reader_init(&r, at, bytes > 254 ? 254 : bytes);
	ur_reader_skip(&r, HEAD_BYTES);
	/*@ loop invariant READER_OK(&r) && used < UR_STRING_TEXT_BYTES;
	  @ loop assigns used, r, text[0 .. UR_STRING_TEXT_BYTES - 1];
	  @ loop variant LEFT(&r); */
	while (ur_reader_remaining(&r) >= 2 && used + 5 <= UR_STRING_TEXT_BYTES)
		used += put_utf8(text + used, take_character(&r));
	text[used] = '\0';
}
