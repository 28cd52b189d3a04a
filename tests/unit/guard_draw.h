/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for guard_model.c: what a client and a device would say next, going by the
 * state of the reference, and the same with one field changed.
 */
#ifndef UR_TEST_DRAW_H
#define UR_TEST_DRAW_H

#include "guard_judge.h"

static struct ref ref;
static u32 random_state;
static u32 next_seqnum, last_settled;

static u32 draw(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (u32)((u64)random_state * below >> 32);
}

#define PICK(array) ((array)[draw(sizeof(array) / sizeof((array)[0]))])

/* ---- requests ----------------------------------------------------------------- */

static const struct ref_endpoint *draw_endpoint(void)
{
	const struct ref_configuration *c = ref_selected(&ref);
	const struct ref_alternate *a;

	if (!c)
		return NULL;
	a = &c->alternate[draw(c->alternates)];
	/* Mostly one that is selected; the others are for the guard to refuse. */
	if (a->endpoints == 0 ||
	    (ref_current(&ref, a->interface) != a && draw(64) != 0))
		return NULL;
	return &a->endpoint[draw(a->endpoints)];
}

static void draw_packets(struct ref_say *s, u32 packets)
{
	u32 i, at = 0, one = 8 * draw(8);

	s->packets = s->said_packets = packets;
	for (i = 0; i < packets; i++) {
		s->packet[i] = (struct ref_packet){ at, draw(one + 1), 0, 0 };
		at += draw(4) ? one : 0;	/* they may overlap */
	}
	s->length = at + one;
}

static bool draw_data(struct ref_say *s)
{
	static const u32 lengths[] = { 0, 1, 13, 64, 512, 512, 1500 };
	static const u32 flags[] = { 1, 0x40, 0x80, 0x100, 0x200, 0x201 };
	const struct ref_endpoint *e = draw_endpoint();

	if (!e)
		return false;
	s->kind = REF_SUBMIT;
	s->direction = e->address >> 7;
	s->ep = e->address & 15;
	s->length = PICK(lengths);
	s->packets = draw(4) ? 0 : UR_PACKETS_NONE;
	s->flags = draw(4) ? 0 : PICK(flags);
	if (draw(4) == 0 && s->length > 0 && e->type != 1)
		s->flags = 0x40000;
	if (e->type == 1)
		draw_packets(s, 1 + draw(8));
	return true;
}

/* Mostly as Linux asks: 255 bytes or two, in the language of the list. */
static void draw_string(u8 setup[8])
{
	static const u8 languages[] = { 'a', 'a', 'a', 0, 9 };

	setup[2] = (u8)draw(4);
	setup[4] = setup[2] == 0 ? 0 : PICK(languages);
	if (draw(3) == 0)
		setup[6] = 2;
}

/* wValue and wIndex that mean something for this device, most of the time. */
static void draw_value(u8 setup[8])
{
	static const u8 interfaces[] = { 0, 0, 1, 5 }, values[] = { 1, 1, 3, 0, 2 };
	static const u8 addresses[] = { 0, 0x80, 0x81, 0x02, 0x82, 0x03, 0x8f };

	if (ref_is(setup, 0x80, 6)) {
		setup[3] = (u8)(1 + draw(3));
		setup[2] = (u8)(setup[3] == 2 ? draw(2) : 0);
		if (setup[3] == 3)
			draw_string(setup);
	} else if (ref_is(setup, 0, 9)) {
		setup[2] = PICK(values);
	} else if ((setup[0] & 31) == 1) {
		setup[4] = PICK(interfaces);
		setup[2] = (u8)draw(3);
	} else if ((setup[0] & 31) == 2) {
		setup[4] = PICK(addresses);
	}
	if (draw(256) == 0)
		setup[2 + draw(4)] = (u8)draw(256);
}

static bool draw_control(struct ref_say *s)
{
	static const u8 kinds[][3] = {	/* bmRequestType, bRequest, wLength */
		{ 0x80, 6, 18 },  { 0x80, 6, 9 },   { 0x80, 6, 255 }, { 0x80, 6, 8 },
		{ 0x80, 6, 255 }, { 0, 9, 0 },	    { 0, 9, 0 },      { 1, 11, 0 },
		{ 1, 11, 0 },	  { 0x80, 0, 2 },   { 0x81, 10, 1 },  { 2, 1, 0 },
		{ 0x21, 10, 0 },  { 0xa1, 1, 16 },  { 0x81, 6, 64 },  { 0x80, 8, 1 },
		{ 0x40, 1, 4 },	  { 0xc0, 1, 4 },   { 0x21, 1, 32 },  { 0, 48, 6 },
		{ 0x20, 1, 32 },  { 0x22, 1, 0 },   { 0x22, 1, 0 },   { 0x23, 1, 0 },
	};
	const u8 *kind = draw(3) ? kinds[draw(6)] : PICK(kinds);

	s->kind = REF_SUBMIT;
	s->setup[0] = kind[0];
	s->setup[1] = kind[1];
	s->setup[6] = kind[2];
	draw_value(s->setup);
	s->direction = kind[0] >> 7;
	s->length = s->setup[6];
	return true;
}

static bool draw_unlink(struct ref_say *s)
{
	s->kind = REF_UNLINK;
	s->victim = last_settled;
	if (ref.requests > 0 && draw(8))
		s->victim = ref.request[draw(ref.requests)].seqnum;
	return true;
}

static struct ref_say draw_any_request(void)
{
	struct ref_say s = { .devid = TEST_DEVID, .seqnum = next_seqnum++ };
	u32 which = draw(10);
	bool done = which == 0 && draw_unlink(&s);

	if (!done && which < 8)
		done = draw_data(&s);
	if (!done)
		(void)draw_control(&s);
	if (draw(64) == 0 && last_settled != next_seqnum)
		s.seqnum = last_settled;	/* free again */
	return s;
}

/* Mostly one that may pass: so that a sequence gets somewhere. */
static struct ref_say draw_request(void)
{
	struct ref_say s = draw_any_request();
	u32 tries;

	for (tries = 0; tries < 8 && ref_judge(&ref, &s) && draw(16); tries++)
		s = draw_any_request();
	return s;
}

/* ---- answers ------------------------------------------------------------------ */

static void answer_descriptor(struct ref_say *s, const struct ref_request *asked)
{
	static const u32 misses[] = { 0, (u32)-32, (u32)-32, (u32)-71 };
	u32 bytes = ref_descriptor(ref.device, asked->setup[3], asked->setup[2],
				   s->data);

	/* A class's descriptor: any bytes, but always the same. */
	if ((asked->setup[0] & 31) != 0) {
		bytes = 20;
		memset(s->data, asked->setup[3], bytes);
	}
	s->length = bytes < asked->length ? bytes : asked->length;
	s->status = bytes ? 0 : (u32)-32;
	/* Any string may be missing: said in one way or another. */
	if (ref_is(asked->setup, 0x80, 6) && asked->setup[3] == 3 &&
	    draw(4) == 0) {
		s->length = 0;
		s->status = PICK(misses);
	}
}

static void answer_packets(struct ref_say *s, const struct ref_request *asked)
{
	u32 i;

	s->said_packets = asked->packets;
	s->length = 0;
	for (i = 0; i < asked->packets; i++) {
		s->packet[i] = asked->packet[i];
		s->packet[i].actual = draw(asked->packet[i].length + 1);
		if (s->length + s->packet[i].actual > asked->length)
			s->packet[i].actual = 0;
		s->length += s->packet[i].actual;
	}
}

static struct ref_say draw_answer(void)
{
	static const u32 statuses[] = { 0, 0, 0, 0, 0, (u32)-32, (u32)-104,
					(u32)-4095 };
	const struct ref_request *asked;
	struct ref_say s = { .kind = REF_RET };

	if (ref.requests == 0) {
		s.seqnum = last_settled;
		return s;
	}
	asked = &ref.request[draw(ref.requests)];
	s.kind = asked->kind == REF_SUBMIT ? REF_RET : REF_UNLINKED;
	s.seqnum = asked->seqnum;
	s.status = PICK(statuses);
	if (asked->kind == REF_UNLINK)
		return s;
	s.packets = asked->packets;
	s.length = draw(4) ? asked->length : draw(asked->length + 1);
	if (asked->packets > 0)
		answer_packets(&s, asked);
	else if (asked->ep == 0 && ref_is_get_descriptor(asked->setup))
		answer_descriptor(&s, asked);
	return s;
}

/* ---- one field of it becomes something else ------------------------------------ */

static u32 strange(u32 was)
{
	static const u32 values[] = { 0, 1, 2, 3, 15, 16, 0x10002, 0x7fffffff,
				      0x80000000, 0xfffff000, 0xfffff001,
				      0xfffffffc, 0xffffffff };

	switch (draw(4)) {
	case 0:
		return was + 1;
	case 1:
		return was - 1;
	default:
		return PICK(values);
	}
}

static void change_packet(struct ref_say *s)
{
	struct ref_packet *p = &s->packet[draw(s->said_packets)];
	u32 *const fields[] = { &p->offset, &p->length, &p->actual, &p->status };
	u32 *field = PICK(fields);

	*field = strange(*field);
}

/* How many packets it says; as many are behind it if that can be. */
static void change_count(struct ref_say *s)
{
	static const u32 counts[] = { 0, 1, 2, 8, ROUTE_PACKETS + 1, 1024, 1025,
				      0x7fffffff, 0x80000000, UR_PACKETS_NONE };

	s->packets = PICK(counts);
	s->said_packets = s->packets <= 8 ? s->packets : 0;
}

static void change_command(struct ref_say *s)
{
	static const u32 to_device[] = { 0, 3, 4, 5, 0x01118003, 0xffffffff };
	static const u32 to_client[] = { 0, 1, 2, 5, 0x01110003, 0xffffffff };

	s->is_other_command = true;
	s->command = s->kind <= REF_UNLINK ? PICK(to_device) : PICK(to_client);
}

static void change_request(struct ref_say *s)
{
	u32 *const fields[] = { &s->seqnum, &s->devid, &s->direction, &s->ep,
				&s->length };
	u32 *field = PICK(fields);

	if (s->kind == REF_UNLINK) {
		field = draw(2) ? &s->seqnum : &s->victim;
		*field = draw(2) || ref.requests == 0 ? strange(*field) :
			 ref.request[draw(ref.requests)].seqnum;
	} else if (draw(6) == 0) {
		s->flags |= 1u << draw(32);
	} else if (draw(3) == 0 && s->ep == 0) {
		s->setup[draw(8)] = (u8)draw(256);
	} else if (field == &s->seqnum && ref.requests > 0) {
		s->seqnum = ref.request[draw(ref.requests)].seqnum;
	} else {
		*field = strange(*field);
	}
}

/*
 * A byte of the data. What a descriptor was not known to say yet, it may say: only
 * such bytes are changed whose meaning the reference knows.
 */
static void change_data(struct ref_say *s)
{
	u32 at = draw(s->length < 128 ? s->length : 128);
	const struct ref_request *asked = ref_find(&ref, s->seqnum);
	const struct ref_pin *pin;

	if (asked && asked->ep == 0 && ref_is_get_descriptor(asked->setup)) {
		pin = ref_pinned(&ref, asked->setup[0] & 31, asked->setup[3],
				 asked->setup[2], (u16)ref_index(asked->setup));
		if (asked->setup[3] == 1 && s->length == 18)
			at = 8 + draw(6);
		/* Of half a string its length may still be anything. */
		else if (asked->setup[3] == 3 && s->length < REF_STRING_BYTES)
			return;
		else if (asked->setup[3] < 3 && at >= (pin ? pin->known : 0))
			return;
	}
	s->data[at] ^= (u8)(1 + draw(255));
}

static void change_answer(struct ref_say *s)
{
	u32 *const fields[] = { &s->seqnum, &s->status, &s->length, &s->errors };
	u32 *field = PICK(fields);

	if (s->kind == REF_UNLINKED)
		field = draw(2) ? &s->seqnum : &s->status;
	if (draw(4) == 0)
		s->kind = s->kind == REF_RET ? REF_UNLINKED : REF_RET;
	else if (s->length > 0 && draw(3) == 0)
		change_data(s);
	else if (field == &s->seqnum)
		s->seqnum = draw(2) ? last_settled : strange(s->seqnum);
	else
		*field = strange(*field);
	if (s->kind == REF_UNLINKED)
		s->length = s->packets = s->errors = s->said_packets = 0;
}

static void change(struct ref_say *s)
{
	if (draw(16) == 0)
		change_command(s);
	else if (s->said_packets > 0 && draw(3) == 0)
		change_packet(s);
	else if (s->said_packets > 0 && draw(3) == 0)
		change_count(s);
	else if (s->kind == REF_SUBMIT && draw(6) == 0)
		change_count(s);
	else if (s->kind <= REF_UNLINK)
		change_request(s);
	else
		change_answer(s);
}

#endif
