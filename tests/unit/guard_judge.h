/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ref_judge(): the set of reasons for which a message has to be refused, as bits
 * 1 << enum ur_reason; none: it passes. Where a message is wrong in several ways the
 * guard may name any of them. See guard_reference.h.
 */
#ifndef UR_TEST_JUDGE_H
#define UR_TEST_JUDGE_H

#include "guard_reference.h"
#include "reason.h"

#define BIT(reason) (1ull << (reason))

/* ---- requests ---------------------------------------------------------------- */

/* USB 2.0 table 9-3 and USB 3.2's three, without SET_ADDRESS, SET_DESCRIPTOR. */
static inline bool ref_is_usb(const u8 setup[8], bool *is_early)
{
	static const struct {
		u8 type, request;
		bool is_early;	/* a host needs it to read descriptors */
	} all[] = {
		{ 0x80, 0, true },   { 0x81, 0, false },  { 0x82, 0, false },
		{ 0x00, 1, false },  { 0x01, 1, false },  { 0x02, 1, false },
		{ 0x00, 3, false },  { 0x01, 3, false },  { 0x02, 3, false },
		{ 0x80, 6, true },   { 0x81, 6, false },  { 0x80, 8, true },
		{ 0x00, 9, true },   { 0x81, 10, false }, { 0x01, 11, false },
		{ 0x82, 12, false }, { 0x00, 48, true },  { 0x00, 49, true },
	};
	u32 i;

	*is_early = false;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (ref_is(setup, all[i].type, all[i].request)) {
			*is_early = all[i].is_early;
			return true;
		}
	return false;
}

/* USB 2.0 section 9.3.1: without data the direction bit says nothing. */
static inline u8 ref_true_type(const u8 setup[8])
{
	return setup[6] == 0 && setup[7] == 0 ? setup[0] & 0x7f : setup[0];
}

static inline bool ref_may_pass(const u8 setup[8], bool *is_early)
{
	u32 kind = setup[0] >> 5 & 3, recipient = setup[0] & 31;
	bool is_usb = ref_is_usb(setup, is_early);
	u8 type = ref_true_type(setup);

	if (kind == 3 || recipient > 3)
		return false;
	/* A test mode. */
	if (setup[0] == 0 && setup[1] == 3 && ref_value(setup) == 2)
		return false;
	if (kind == 0)
		return is_usb;
	/* A hub's port reset. */
	return !(type == 0x23 && setup[1] == 3 && ref_value(setup) == 4);
}

static inline u64 ref_judge_where(const struct ref *r, const u8 setup[8])
{
	u32 recipient = setup[0] & 31, index = ref_index(setup);
	bool is_vendor = (setup[0] >> 5 & 3) == 2;

	if (ref_is(setup, 1, 11))
		return index > 255 || ref_value(setup) > 255 ||
				       !ref_alternate(r, index,
						      (int)ref_value(setup)) ?
			       BIT(UR_REASON_INTERFACE) :
			       0;
	if (recipient == 1 && !is_vendor && !ref_current(r, index & 255))
		return BIT(UR_REASON_INTERFACE);
	if (recipient == 2 && !is_vendor && (index & 15) != 0 &&
	    ref_endpoint(r, index & 255) < 0)
		return BIT(UR_REASON_ENDPOINT);
	return 0;
}

/* A class's write: may the interface `number`, in some setting, get it? */
static inline bool ref_may_get(const struct ref_configuration *c, u8 number,
			       const u8 setup[8])
{
	u32 i, e;

	if ((setup[0] & 31) == 1)
		return number == setup[4];
	if ((setup[0] & 31) != 2 || (setup[4] & 15) == 0)
		return true;
	for (i = 0; i < c->alternates; i++)
		for (e = 0; e < c->alternate[i].endpoints; e++)
			if (c->alternate[i].interface == number &&
			    c->alternate[i].endpoint[e].address == setup[4])
				return true;
	return false;
}

/* Is there an interface for firmware, in any configuration, that may get it? */
static inline bool ref_is_firmware(const struct ref_device *d, const u8 setup[8])
{
	u32 i, k;

	for (i = 0; i < d->configurations; i++)
		for (k = 0; k < d->configuration[i].alternates; k++) {
			const struct ref_configuration *c = &d->configuration[i];

			if (c->alternate[k].class == 0xfe &&
			    c->alternate[k].subclass == 1 &&
			    ref_may_get(c, c->alternate[k].interface, setup))
				return true;
		}
	return false;
}

/* What the request would change: at most one bit of enum ur_policy_change. */
static inline u32 ref_changes(const struct ref *r, const u8 setup[8])
{
	switch (ref_true_type(setup) & 0xe0) {
	case 0x40:
		return 16;
	case 0x20:
		return ref_is_firmware(r->device, setup) ? 8 : 0;
	case 0:
		if (setup[1] == 9)
			return r->first_configuration == 0 ||
			       ref_value(setup) == r->first_configuration ? 0 : 1;
		return setup[1] == 11 ? 2 : setup[1] == 1 || setup[1] == 3 ? 4 : 0;
	default:
		return 0;
	}
}

/* All of it was read: the device and each of its configurations. */
static inline bool ref_was_read(struct ref *r)
{
	u8 bytes[128];
	u32 i;

	for (i = 0; i <= r->device->configurations; i++) {
		u8 type = i == 0 ? 1 : 2, number = (u8)(i == 0 ? 0 : i - 1);
		struct ref_pin *pin = ref_first_pinned(r, type, number);
		u32 all = ref_descriptor(r->device, type, number, bytes);

		if (!pin || pin->known < all)
			return false;
	}
	return true;
}

/* What the policy asks for has to be known. */
static inline bool ref_knows_strings(struct ref *r)
{
	return ((r->asks & REF_NAME) == 0 || ref_has_string(r, 2)) &&
	       ((r->asks & REF_SERIAL) == 0 || ref_has_string(r, 3));
}

static inline u64 ref_judge_configuration(struct ref *r, u32 value)
{
	u64 why = 0;
	u32 i;

	if (value == 0)
		return 0;
	if (!r->is_approved && !ref_was_read(r))
		return BIT(UR_REASON_CONFIGURATION);
	if (!r->is_approved && !ref_knows_strings(r))
		why = BIT(UR_REASON_UNREAD);
	for (i = 0; i < r->device->configurations; i++)
		if (r->device->configuration[i].value == value)
			return why;
	return why | BIT(UR_REASON_CONFIGURATION);
}

/* A change that policy forbids: not refused, but answered with a stall. */
static inline bool ref_is_forbidden(const struct ref *r, const struct ref_say *s)
{
	return s->kind == REF_SUBMIT && s->ep == 0 && r->is_approved &&
	       (ref_changes(r, s->setup) & r->denied) != 0;
}

static inline u64 ref_judge_control(struct ref *r, const struct ref_say *s)
{
	bool is_early, is_in = s->setup[0] >= 0x80;
	u32 asked = s->setup[6] + s->setup[7] * 256u;
	u64 why = 0;

	if (asked != s->length)
		why |= BIT(UR_REASON_CONTROL_LENGTH);
	if (asked > 0 && is_in != (s->direction == 1))
		why |= BIT(UR_REASON_CONTROL_DIRECTION);
	if (!ref_may_pass(s->setup, &is_early))
		why |= BIT(UR_REASON_CONTROL_REQUEST);
	if (!is_early && r->configuration == 0)
		why |= BIT(UR_REASON_CONTROL_REQUEST);
	if (r->configuration != 0)
		why |= ref_judge_where(r, s->setup);
	if (ref_is(s->setup, 0, 9) && !ref_is_forbidden(r, s))
		why |= ref_judge_configuration(r, ref_value(s->setup));
	return why;
}

/* Is it one of an interface, or a device, that is being told what to be? */
static inline bool ref_is_in_between(const struct ref *r, u32 address)
{
	const struct ref_configuration *c = ref_selected(r);
	u32 i, k, e;

	for (i = 0; i < r->requests; i++) {
		const struct ref_request *asked = &r->request[i];

		if (asked->kind != REF_SUBMIT || asked->ep != 0)
			continue;
		if (ref_is(asked->setup, 0, 9))
			return true;
		for (k = 0; c && ref_is(asked->setup, 1, 11) && k < c->alternates; k++)
			for (e = 0; e < c->alternate[k].endpoints; e++)
				if (c->alternate[k].interface == asked->setup[4] &&
				    c->alternate[k].endpoint[e].address == address)
					return true;
	}
	return false;
}

static inline u64 ref_judge_data(const struct ref *r, const struct ref_say *s)
{
	u32 address = s->ep | s->direction << 7;
	int type = ref_endpoint(r, address);

	if (ref_is_in_between(r, address))
		return BIT(UR_REASON_ENDPOINT);
	if (type < 0)
		return BIT(UR_REASON_ENDPOINT);
	return (type == 1) == (s->packets != 0 && s->packets != UR_PACKETS_NONE) ?
		       0 :
		       BIT(UR_REASON_TYPE);
}

static inline u64 ref_judge_numbers(struct ref *r, const struct ref_say *s,
				    u32 packets)
{
	const struct ref_request *victim = ref_find(r, s->victim);
	u32 i, under_way = 0;
	u64 why = 0;

	for (i = 0; i < r->requests; i++)
		under_way += r->request[i].packets;
	if (ref_find(r, s->seqnum))
		why |= BIT(UR_REASON_SEQNUM_IN_USE);
	if (r->requests == REF_REQUESTS)
		why |= BIT(UR_REASON_OUTSTANDING);
	if (under_way + packets > REF_PACKETS)
		why |= BIT(UR_REASON_ISO_ROOM);
	if (s->kind == REF_UNLINK && victim && victim->kind == REF_UNLINK)
		why |= BIT(UR_REASON_UNLINK_KIND);
	if (s->kind == REF_UNLINK && victim && victim->is_being_unlinked)
		why |= BIT(UR_REASON_UNLINK_TWICE);
	return why;
}

/* Whether the message can be true at all, by its header. */
static inline bool ref_is_framed(const struct ref_say *s, u32 packets)
{
	if (s->kind == REF_UNLINK)
		return s->victim != s->seqnum;
	return s->direction <= 1 && s->ep <= 15 && s->length <= ROUTE_TRANSFER &&
	       packets <= ROUTE_PACKETS &&
	       (s->kind != REF_SUBMIT || packets == 0 || s->ep != 0);
}

static inline u64 ref_judge_packets(const struct ref_say *s, u32 length,
				    u32 sum)
{
	u64 total = 0;
	u32 i;

	for (i = 0; i < s->said_packets; i++) {
		const struct ref_packet *p = &s->packet[i];

		if ((u64)p->offset + p->length > length || p->actual > p->length)
			return BIT(UR_REASON_FRAMING);
		total += p->actual;
	}
	return s->said_packets > 0 && total != sum ? BIT(UR_REASON_FRAMING) : 0;
}

/* What Linux's drivers may set, and vhci may send. 0x40000: the data is in pieces. */
static inline u64 ref_judge_flags(const struct ref *r, const struct ref_say *s)
{
	static const u32 each[] = { 1, 2, 0x20, 0x40, 0x80, 0x100, 0x200 };
	int type = s->ep == 0 ? 0 : ref_endpoint(r, s->ep | s->direction << 7);
	u32 left = s->flags, i;

	for (i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		left &= ~each[i];
	if (s->length > 0 && type >= 2 && (s->flags & 0x100) == 0)
		left &= ~0x40000u;
	return left != 0 ? BIT(UR_REASON_FLAGS) : 0;
}

static inline u64 ref_judge_request(struct ref *r, const struct ref_say *s)
{
	u32 packets = s->packets == UR_PACKETS_NONE ? 0 : s->packets;
	u64 why = 0;

	if (!ref_is_framed(s, packets))
		return BIT(UR_REASON_FRAMING);
	if (s->devid != TEST_DEVID)
		why |= BIT(UR_REASON_DEVID);
	why |= ref_judge_numbers(r, s, packets);
	if (s->kind == REF_SUBMIT)
		why |= (s->ep == 0 ? ref_judge_control(r, s) :
				     ref_judge_data(r, s)) |
		       ref_judge_flags(r, s);
	return why ? why : ref_judge_packets(s, s->length, 0);
}

/* ---- answers ------------------------------------------------------------------ */

static inline bool ref_is_status(u32 status)
{
	return status == 0 || status >= 0u - 4095u;
}

static inline u64 ref_judge_layout(const struct ref_request *asked,
				   const struct ref_say *s)
{
	u64 why = ref_judge_packets(s, asked->length, s->length);
	u32 i;

	for (i = 0; !why && i < s->said_packets; i++) {
		if (s->packet[i].offset != asked->packet[i].offset ||
		    s->packet[i].length != asked->packet[i].length)
			return BIT(UR_REASON_ISO_LAYOUT);
		if (!ref_is_status(s->packet[i].status))
			return BIT(UR_REASON_STATUS);
	}
	return why;
}

/* An answer to GET_DESCRIPTOR. What was said once is said again the same. */
static inline u64 ref_judge_descriptor(struct ref *r,
				       const struct ref_request *asked,
				       const struct ref_say *s)
{
	u8 type = asked->setup[3], number = asked->setup[2], recipient;
	u16 index = (u16)ref_index(asked->setup);
	u32 whole, want, i;
	struct ref_pin *pin, *first;
	u8 true_bytes[128];

	recipient = asked->setup[0] & 31;
	pin = ref_pinned(r, recipient, type, number, index);
	for (i = 0; pin && i < pin->known && i < s->length; i++)
		if (s->data[i] != pin->byte[i])
			return BIT(UR_REASON_PINNED);
	if (s->length == 0)
		return 0;
	if (!pin && r->pins == REF_PINS)
		return BIT(UR_REASON_DESCRIPTOR_ROOM);
	/* Of a class, or of a type that USB does not have: any bytes. */
	if (recipient != 0 || (type > 7 && type != 15))
		return 0;
	whole = ref_descriptor(r->device, type, number, true_bytes);
	want = whole < asked->length ? whole : asked->length;
	if (s->length != want)
		return BIT(UR_REASON_DESCRIPTOR) | BIT(UR_REASON_PINNED);
	/* A string may say anything, but not that it is longer, or no string. */
	if (type == 3 && (s->data[0] != whole || s->data[1] != 3))
		return BIT(UR_REASON_DESCRIPTOR);
	/* The answer to another request. */
	if (type < 3 && s->data[1] != type)
		return BIT(UR_REASON_DESCRIPTOR);
	/* The device descriptor, whole, is that of the device imported. */
	first = ref_first_pinned(r, 1, 0);
	if (type == 1 && s->length == 18 && (!first || first == pin) &&
	    memcmp(s->data + 8, true_bytes + 8, 6))
		return BIT(UR_REASON_IMPORT);
	return 0;
}

static inline u64 ref_judge_answer(struct ref *r, const struct ref_say *s)
{
	u32 packets = s->packets == UR_PACKETS_NONE ? 0 : s->packets;
	const struct ref_request *asked = ref_find(r, s->seqnum);
	u64 why = 0;

	if (!ref_is_framed(s, packets))
		return BIT(UR_REASON_FRAMING);
	if (!asked)
		return BIT(UR_REASON_SEQNUM_UNKNOWN);
	if ((asked->kind == REF_SUBMIT) != (s->kind == REF_RET))
		why |= BIT(UR_REASON_ANSWER_KIND);
	if (s->length > asked->length)
		why |= BIT(UR_REASON_LENGTH);
	if (packets != asked->packets)
		why |= BIT(UR_REASON_PACKETS);
	if (s->errors > packets)
		why |= BIT(UR_REASON_ERROR_COUNT);
	if (!ref_is_status(s->status))
		why |= BIT(UR_REASON_STATUS);
	if (!why)
		why = ref_judge_layout(asked, s);
	if (!why && asked->kind == REF_SUBMIT && asked->ep == 0 &&
	    ref_is_get_descriptor(asked->setup))
		why = ref_judge_descriptor(r, asked, s);
	return why;
}

static inline u64 ref_judge(struct ref *r, const struct ref_say *s)
{
	if (s->is_other_command)
		return BIT(UR_REASON_FRAMING);
	return s->kind <= REF_UNLINK ? ref_judge_request(r, s) :
				       ref_judge_answer(r, s);
}

#endif
