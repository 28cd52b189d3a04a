// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "pin.h"

enum { RECIPIENT_DEVICE = 0 };

void ur_pins_init(struct ur_pins *pins)
{
	pins->count = 0;
	pins->used = 0;
}

static bool is_same(const struct ur_pin_key *a, const struct ur_pin_key *b)
{
	return a->recipient == b->recipient && a->type == b->type &&
	       a->number == b->number && a->index == b->index;
}

static struct ur_pin *find(struct ur_pins *pins, const struct ur_pin_key *key)
{
	u32 i;

	for (i = 0; i < pins->count; i++)
		if (is_same(&pins->pin[i].key, key))
			return &pins->pin[i];
	return NULL;
}

static const u8 *whole(const struct ur_pins *pins, const struct ur_pin *pin,
		       u32 *bytes)
{
	*bytes = pin->total;
	return pin->have == pin->total ? pins->bytes + pin->at : NULL;
}

const u8 *ur_pins_standard(const struct ur_pins *pins, u8 type, u8 number,
			   u32 *bytes)
{
	u32 i;

	for (i = 0; i < pins->count; i++) {
		const struct ur_pin_key *key = &pins->pin[i].key;

		if (key->recipient == RECIPIENT_DEVICE && key->type == type &&
		    key->number == number)
			return whole(pins, &pins->pin[i], bytes);
	}
	return NULL;
}

const u8 *ur_pins_string(const struct ur_pins *pins, u8 number, u16 language,
			 u32 *bytes)
{
	const struct ur_pin_key key = { RECIPIENT_DEVICE, UR_DESCRIPTOR_STRING,
					number, language };
	u32 i;

	for (i = 0; i < pins->count; i++)
		if (is_same(&pins->pin[i].key, &key))
			return whole(pins, &pins->pin[i], bytes);
	return NULL;
}

/* Descriptors of a class have no rules we know: any bytes, always the same. */
static bool is_standard(const struct ur_pin_key *key)
{
	return key->recipient == RECIPIENT_DEVICE &&
	       (key->type <= UR_DESCRIPTOR_OTHER_SPEED ||
		key->type == UR_DESCRIPTOR_BOS);
}

static int check_whole(const struct ur_pin_key *key, const u8 *at, u32 bytes,
		       struct ur_configuration *scratch, struct ur_refusal *why)
{
	struct ur_device_descriptor device;
	struct ur_reader r;

	ur_reader_init(&r, at, bytes);
	switch (key->type) {
	case UR_DESCRIPTOR_DEVICE:
		return ur_device_descriptor_read(&r, &device, why);
	case UR_DESCRIPTOR_CONFIGURATION:
	case UR_DESCRIPTOR_OTHER_SPEED:
		return ur_configuration_read(&r, key->type, scratch, why);
	case UR_DESCRIPTOR_STRING:
		return ur_string_check(&r, key->number, why);
	case UR_DESCRIPTOR_BOS:
		return ur_bos_check(&r, why);
	default:
		return 0;
	}
}

static int reserve(struct ur_pins *pins, const struct ur_pin_key *key, u32 total,
		   struct ur_pin **pin, struct ur_verdict *v)
{
	u32 room = UR_PIN_BYTES - pins->used;

	if (pins->count == UR_PINS_MAX)
		return ur_deny(v, UR_REASON_DESCRIPTOR_ROOM, "descriptors",
			       "at most", pins->count + 1, UR_PINS_MAX);
	if (total > room)
		return ur_deny(v, UR_REASON_DESCRIPTOR_ROOM, "descriptor bytes",
			       "at most", total, room);
	*pin = &pins->pin[pins->count++];
	(*pin)->key = *key;
	(*pin)->at = pins->used;
	(*pin)->total = total;
	(*pin)->have = 0;
	pins->used += total;
	return 0;
}

/* More of a class's descriptor than came before: to a larger place. */
static int move(struct ur_pins *pins, struct ur_pin *pin, u32 total,
		struct ur_verdict *v)
{
	u32 room = UR_PIN_BYTES - pins->used;

	if (total > room)
		return ur_deny(v, UR_REASON_DESCRIPTOR_ROOM, "descriptor bytes",
			       "at most", total, room);
	pin->at = pins->used;
	pin->total = total;
	pins->used += total;
	return 0;
}

static int compare(const struct ur_pins *pins, const struct ur_pin *pin,
		   const u8 *at, u32 bytes, struct ur_verdict *v)
{
	u32 common = bytes < pin->have ? bytes : pin->have;
	const u8 *known = pins->bytes + pin->at;
	u32 i;

	for (i = 0; i < common; i++)
		if (at[i] != known[i])
			return ur_deny(v, UR_REASON_PINNED, "descriptor byte",
				       "as before:", at[i], known[i]);
	return 0;
}

/* How long it is: as it says, or for a class's as long as came. */
static int total_of(const struct ur_pin_key *key, const u8 *at, u32 bytes,
		    u32 asked, u32 *total, struct ur_verdict *v)
{
	u32 want;

	*total = bytes;
	if (!is_standard(key))
		return 0;
	if (ur_descriptor_total(at, bytes, key->type, total, &v->why))
		return ur_deny_as(v, UR_REASON_DESCRIPTOR);
	want = *total < asked ? *total : asked;
	if (bytes != want)
		return ur_deny(v, UR_REASON_DESCRIPTOR, "descriptor bytes",
			       "exactly", bytes, want);
	return 0;
}

static int extend(struct ur_pins *pins, struct ur_pin *pin, const u8 *at,
		  u32 bytes, struct ur_configuration *scratch,
		  struct ur_verdict *v)
{
	if (bytes > pin->total && !is_standard(&pin->key) &&
	    move(pins, pin, bytes, v))
		return UR_PEER_BROKEN;
	if (bytes > pin->total)
		return ur_deny(v, UR_REASON_PINNED, "descriptor bytes",
			       "at most", bytes, pin->total);
	if (bytes <= pin->have)
		return 0;
	if (bytes == pin->total && is_standard(&pin->key) &&
	    check_whole(&pin->key, at, bytes, scratch, &v->why))
		return ur_deny_as(v, UR_REASON_DESCRIPTOR);
	ur_copy(pins->bytes + pin->at, at, bytes);
	pin->have = bytes;
	return 0;
}

int ur_pin(struct ur_pins *pins, const struct ur_pin_key *key, const u8 *at,
	   u32 bytes, u32 asked, struct ur_configuration *scratch,
	   struct ur_verdict *v)
{
	struct ur_pin *pin = find(pins, key);
	u32 total = 0;
	int error = 0;

	/* Nothing said, nothing to keep: what was refused is not a descriptor. */
	if (bytes == 0)
		return 0;
	error = pin ? compare(pins, pin, at, bytes, v) : 0;
	if (!error)
		error = total_of(key, at, bytes, asked, &total, v);
	if (!error && !pin)
		error = reserve(pins, key, total, &pin, v);
	return error ? error : extend(pins, pin, at, bytes, scratch, v);
}
