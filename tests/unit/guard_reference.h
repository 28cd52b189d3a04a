/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guard must do, said a second time and plainly: lists, linear searches, no
 * code of guard/ or wire/. Written from the protocol (usbip_protocol.rst), USB 2.0
 * chapter 9 and the promises in guard/'s headers. Here: some devices, the state of a
 * route with one of them, and what a message that passes changes: ref_pass(). What
 * may pass is in guard_judge.h.
 *
 * Each request gets a number of its own for the exactly-once ledger: how it ended is
 * entered once in `end`, or it is known to be without an answer.
 */
#ifndef UR_TEST_REFERENCE_H
#define UR_TEST_REFERENCE_H

#include "route.h"

enum {
	REF_REQUESTS = 512,	/* under way at once: session.h */
	REF_PACKETS = 8192,
	REF_PINS = 64,		/* different descriptors: pin.h */
	REF_SAY_PACKETS = 32,
	REF_ISSUED_MAX = 4096,	/* in one sequence */
};

/* ---- devices --------------------------------------------------------------- */

struct ref_endpoint {
	u8 address, type;	/* type: 1 iso, 2 bulk, 3 interrupt */
};

struct ref_alternate {
	u8 interface, number, class, subclass, protocol, endpoints;
	struct ref_endpoint endpoint[2];
};

struct ref_configuration {
	u8 value, interfaces, alternates;
	struct ref_alternate alternate[4];
};

struct ref_device {
	u16 vendor, product;
	u8 configurations;
	struct ref_configuration configuration[2];
};

static const struct ref_device REF_DEVICES[] = {
	{ 0x46f4, 1, 1, { { 1, 1, 1, {
		{ 0, 0, 8, 6, 0x50, 2, { { 0x81, 2 }, { 0x02, 2 } } } } } } },
	{ 0x1234, 2, 1, { { 1, 2, 3, {
		{ 0, 0, 0xff, 1, 0, 0, { { 0, 0 } } },
		{ 1, 0, 0xff, 2, 0, 0, { { 0, 0 } } },
		{ 1, 1, 0xff, 2, 0, 2, { { 0x81, 1 }, { 0x02, 1 } } } } } } },
	{ 0x1235, 3, 2, {
		{ 1, 1, 1, { { 0, 0, 3, 1, 1, 1, { { 0x81, 3 } } } } },
		{ 3, 2, 4, {
			{ 0, 0, 0xff, 0, 0, 2, { { 0x81, 2 }, { 0x01, 2 } } },
			{ 0, 1, 0xff, 0, 0, 2, { { 0x82, 1 }, { 0x03, 2 } } },
			{ 5, 0, 0xfe, 1, 1, 0, { { 0, 0 } } },
			{ 5, 2, 0xff, 9, 9, 1, { { 0x8f, 3 } } } } } } },
};
enum { REF_DEVICE_COUNT = sizeof(REF_DEVICES) / sizeof(REF_DEVICES[0]) };

static inline u32 ref_device_bytes(const struct ref_device *d, u8 *to)
{
	const u8 bytes[18] = {
		18, 1, 0, 2, 0, 0, 0, 64, (u8)d->vendor, (u8)(d->vendor >> 8),
		(u8)d->product, (u8)(d->product >> 8), 0, 1, 1, 2, 3,
		d->configurations,
	};

	memcpy(to, bytes, 18);
	return 18;
}

static inline u32 ref_alternate_bytes(const struct ref_alternate *a, u8 *to)
{
	const u8 head[9] = { 9, 4, a->interface, a->number, a->endpoints,
			     a->class, a->subclass, a->protocol, 0 };
	u32 bytes = 9, e;

	memcpy(to, head, 9);
	for (e = 0; e < a->endpoints; e++) {
		const u8 endpoint[7] = { 7, 5, a->endpoint[e].address,
					 a->endpoint[e].type, 64, 0, 1 };

		memcpy(to + bytes, endpoint, 7);
		bytes += 7;
	}
	return bytes;
}

static inline u32 ref_configuration_bytes(const struct ref_configuration *c,
					  u8 *to)
{
	const u8 head[9] = { 9, 2, 0, 0, c->interfaces, c->value, 0, 0x80, 50 };
	u32 bytes = 9, i;

	memcpy(to, head, 9);
	for (i = 0; i < c->alternates; i++)
		bytes += ref_alternate_bytes(&c->alternate[i], to + bytes);
	to[2] = (u8)bytes;
	return bytes;
}

/* What this device has to say for a type and number; 0: nothing. */
static inline u32 ref_descriptor(const struct ref_device *d, u8 type, u8 number,
				 u8 to[128])
{
	const u8 string[6] = { 6, 3, 'a', 0, number, 1 };

	if (type == 1 && number == 0)
		return ref_device_bytes(d, to);
	if (type == 2 && number < d->configurations)
		return ref_configuration_bytes(&d->configuration[number], to);
	if (type != 3)
		return 0;
	memcpy(to, string, 6);
	return 6;
}

/* ---- a message, as meant ---------------------------------------------------- */

enum ref_kind { REF_SUBMIT = 1, REF_UNLINK, REF_RET, REF_UNLINKED };

struct ref_packet {
	u32 offset, length, actual, status;
};

struct ref_say {
	enum ref_kind kind;
	bool is_other_command;	/* it says `command`, which is none of its way */
	u32 command;
	u32 seqnum, devid, direction, ep, length, packets, victim, status, errors;
	u32 flags;		/* of a request */
	u8 setup[8];
	u32 said_packets;	/* behind the message */
	struct ref_packet packet[REF_SAY_PACKETS];
	u32 data_bytes;		/* behind the message */
	u8 data[512];		/* of an answer; more are zeros */
};

/* ---- the state of a route --------------------------------------------------- */

/* Every device here has its name in string 2, its serial number in string 3. */
enum ref_asks { REF_NAME = 1, REF_SERIAL = 2, REF_ASKS = 4 };
enum { REF_STRING_BYTES = 6 };

enum ref_end { REF_OPEN, REF_ANSWERED, REF_GIVEN_BACK };

struct ref_request {
	enum ref_kind kind;
	u32 seqnum, direction, ep, length, packets, issue;
	bool is_being_unlinked, has_victim;
	u32 victim;		/* issue number of the victim */
	u8 setup[8];
	struct ref_packet packet[REF_SAY_PACKETS];
};

struct ref_pin {
	u8 recipient, type, number;
	u16 index;
	u32 known;
	u8 byte[128];
};

struct ref {
	const struct ref_device *device;
	u32 denied;		/* enum ur_policy_change */
	u32 asks;		/* the policy, for strings: bits of ref_asks */
	bool is_absent[256];	/* by number: the device has no such string */
	bool is_approved;
	u32 configuration, first_configuration;	/* values; 0: none */
	int alternate[32];	/* -1: not known */
	u32 requests, pins;
	struct ref_request request[REF_REQUESTS];
	struct ref_pin pin[REF_PINS];
	u32 issued;
	u8 end[REF_ISSUED_MAX];	/* by issue number */
	u32 ended_twice;
};

static inline struct ref_request *ref_find(struct ref *r, u32 seqnum)
{
	u32 i;

	for (i = 0; i < r->requests; i++)
		if (r->request[i].seqnum == seqnum)
			return &r->request[i];
	return NULL;
}

static inline const struct ref_configuration *ref_selected(const struct ref *r)
{
	u32 i;

	for (i = 0; i < r->device->configurations; i++)
		if (r->device->configuration[i].value == r->configuration)
			return &r->device->configuration[i];
	return NULL;
}

static inline const struct ref_alternate *ref_alternate(const struct ref *r,
							u32 interface,
							int number)
{
	const struct ref_configuration *c = ref_selected(r);
	u32 i;

	for (i = 0; c && i < c->alternates; i++)
		if (c->alternate[i].interface == interface &&
		    c->alternate[i].number == number)
			return &c->alternate[i];
	return NULL;
}

static inline const struct ref_alternate *ref_current(const struct ref *r,
						      u32 interface)
{
	return interface < 32 ?
		       ref_alternate(r, interface, r->alternate[interface]) :
		       NULL;
}

/* The type of the endpoint in the settings now selected, or -1. */
static inline int ref_endpoint(const struct ref *r, u32 address)
{
	u32 i, e;

	for (i = 0; i < 32; i++) {
		const struct ref_alternate *a = ref_current(r, i);

		for (e = 0; a && e < a->endpoints; e++)
			if (a->endpoint[e].address == address)
				return a->endpoint[e].type;
	}
	return -1;
}

static inline struct ref_pin *ref_pinned(struct ref *r, u8 recipient, u8 type,
					 u8 number, u16 index)
{
	u32 i;

	for (i = 0; i < r->pins; i++)
		if (r->pin[i].recipient == recipient && r->pin[i].type == type &&
		    r->pin[i].number == number && r->pin[i].index == index)
			return &r->pin[i];
	return NULL;
}

/* The device's own descriptor, in the first language there is. */
static inline struct ref_pin *ref_first_pinned(struct ref *r, u8 type, u8 number)
{
	u32 i;

	for (i = 0; i < r->pins; i++)
		if (r->pin[i].recipient == 0 && r->pin[i].type == type &&
		    r->pin[i].number == number)
			return &r->pin[i];
	return NULL;
}

/* ---- setup packets ----------------------------------------------------------- */

static inline bool ref_is(const u8 setup[8], u8 type, u8 request)
{
	return setup[0] == type && setup[1] == request;
}

static inline u32 ref_value(const u8 setup[8])
{
	return setup[2] + setup[3] * 256u;
}

static inline u32 ref_index(const u8 setup[8])
{
	return setup[4] + setup[5] * 256u;
}

static inline bool ref_is_get_descriptor(const u8 setup[8])
{
	return (setup[0] & 0xe0) == 0x80 && setup[1] == 6;
}

/* ---- what passes ------------------------------------------------------------- */

static inline void ref_end_request(struct ref *r, u32 index, enum ref_end how)
{
	u32 issue = r->request[index].issue;

	r->ended_twice += r->end[issue] != REF_OPEN;
	r->end[issue] = (u8)how;
	r->request[index] = r->request[--r->requests];
}

static inline void ref_pass_request(struct ref *r, const struct ref_say *s)
{
	struct ref_request *victim = ref_find(r, s->victim), *new;

	new = &r->request[r->requests];
	*new = (struct ref_request){
		.kind = s->kind, .seqnum = s->seqnum, .direction = s->direction,
		.ep = s->ep, .length = s->length, .packets = s->said_packets,
		.issue = r->issued++,
	};
	memcpy(new->setup, s->setup, 8);
	memcpy(new->packet, s->packet, sizeof(s->packet[0]) * s->said_packets);
	r->end[new->issue] = REF_OPEN;
	if (s->kind == REF_UNLINK && victim) {
		new->has_victim = victim->is_being_unlinked = true;
		new->victim = victim->issue;
	}
	if (s->kind == REF_SUBMIT && s->ep == 0 && ref_is(s->setup, 0, 9) &&
	    ref_value(s->setup) != 0)
		r->is_approved = true;
	if (s->kind == REF_SUBMIT && s->ep == 0 && ref_is(s->setup, 0, 9) &&
	    r->first_configuration == 0)
		r->first_configuration = ref_value(s->setup);
	r->requests++;
}

/* The language of a string that counts; false: nobody knows. */
static inline bool ref_language(struct ref *r, u8 number, u32 *language)
{
	const struct ref_pin *list = ref_pinned(r, 0, 3, 0, 0);

	*language = 0;
	if (number == 0)
		return true;
	if (!list || list->known < REF_STRING_BYTES)
		return false;
	*language = list->byte[2] + list->byte[3] * 256u;
	return true;
}

/* Known to the end, or known not to be there. */
static inline bool ref_has_string(struct ref *r, u8 number)
{
	const struct ref_pin *pin;
	u32 language;

	if (!ref_language(r, number, &language))
		return r->is_absent[0];
	pin = ref_pinned(r, 0, 3, number, (u16)language);
	return (pin && pin->known >= REF_STRING_BYTES) || r->is_absent[number];
}

/* "None", to a request for the two bytes that every string has. */
static inline void ref_miss(struct ref *r, const struct ref_request *asked,
			    const struct ref_say *s)
{
	u32 language;

	if (ref_is(asked->setup, 0x80, 6) && asked->setup[3] == 3 &&
	    asked->length == 2 && (s->status == 0 || s->status == (u32)-32) &&
	    ref_language(r, asked->setup[2], &language) &&
	    ref_index(asked->setup) == language)
		r->is_absent[asked->setup[2]] = true;
}

static inline void ref_keep(struct ref *r, const struct ref_request *asked,
			    const struct ref_say *s)
{
	u8 recipient = asked->setup[0] & 31, type = asked->setup[3];
	u16 index = (u16)ref_index(asked->setup);
	struct ref_pin *pin = ref_pinned(r, recipient, type, asked->setup[2],
					 index);

	if (s->length == 0) {
		ref_miss(r, asked, s);
		return;
	}
	if (!pin) {
		pin = &r->pin[r->pins++];
		*pin = (struct ref_pin){ recipient, type, asked->setup[2], index,
					 0, { 0 } };
	}
	if (s->length <= pin->known)
		return;
	pin->known = s->length;
	memcpy(pin->byte, s->data, s->length);
}

/* A control request ended: answered, or given back with its unlink (no `s`). */
static inline void ref_finish(struct ref *r, const struct ref_request *asked,
			      const struct ref_say *s)
{
	bool is_ok = s && s->status == 0;
	u32 value = ref_value(asked->setup);

	if (asked->kind != REF_SUBMIT || asked->ep != 0)
		return;
	if (ref_is(asked->setup, 0, 9)) {
		r->configuration = is_ok ? value : 0;
		memset(r->alternate, 0, sizeof(r->alternate));
	} else if (ref_is(asked->setup, 1, 11) && (is_ok || !s)) {
		r->alternate[asked->setup[4] & 31] = s ? (int)value : -1;
	} else if (ref_is_get_descriptor(asked->setup) && s) {
		ref_keep(r, asked, s);
	}
}

static inline void ref_pass_answer(struct ref *r, const struct ref_say *s)
{
	struct ref_request asked = *ref_find(r, s->seqnum), victim;
	u32 i;

	ref_end_request(r, (u32)(ref_find(r, s->seqnum) - r->request),
			REF_ANSWERED);
	ref_finish(r, &asked, s);
	for (i = 0; i < r->requests; i++)
		if (r->request[i].has_victim &&
		    r->request[i].victim == asked.issue)
			r->request[i].has_victim = false;
	for (i = 0; asked.has_victim && i < r->requests; i++) {
		if (r->request[i].issue != asked.victim)
			continue;
		victim = r->request[i];
		ref_end_request(r, i, REF_GIVEN_BACK);
		ref_finish(r, &victim, NULL);
		break;
	}
}

static inline void ref_pass(struct ref *r, const struct ref_say *s)
{
	if (s->kind <= REF_UNLINK)
		ref_pass_request(r, s);
	else
		ref_pass_answer(r, s);
}

#endif
