/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the device said it is, kept so that it cannot say something else later.
 *
 * A copy and not a digest: the client reads the same descriptor in pieces (8
 *   bytes, 9, then all), so a later answer has to be compared with any prefix of
 *   what came before; and configurations are walked again whenever one is
 *   selected. 16 KiB a route hold both, and a copy needs no proof of strength.
 * Promise. Two answers for one descriptor that passed have the same bytes as far
 *   as both go. A standard descriptor is checked by wire/descriptor.h when it is
 *   whole, and never becomes longer than it first said.
 * Threads. One owner. Memory. Fixed, the caller's.
 * Trust. The bytes are the device side's and the request is the client's: either
 *   can fill the table, which severs its own route.
 */
#ifndef UR_PIN_H
#define UR_PIN_H

#include "descriptor.h"
#include "reason.h"

#define UR_PIN_BYTES 16384u
#define UR_PINS_MAX 64u

/* Which descriptor: the setup packet of the GET_DESCRIPTOR that asks for it. */
struct ur_pin_key {
	u8 recipient;		/* bmRequestType bits 4..0 */
	u8 type;
	u8 number;
	u16 index;		/* wIndex: language, or interface */
};

struct ur_pin {
	struct ur_pin_key key;
	u32 at;			/* in bytes[] */
	u32 total;		/* reserved: as long as it says it is */
	u32 have;		/* known so far, from its start */
};

struct ur_pins {
	u32 count;
	u32 used;
	struct ur_pin pin[UR_PINS_MAX];
	u8 bytes[UR_PIN_BYTES];
};

void ur_pins_init(struct ur_pins *pins);

/*
 * An answer of `bytes` bytes to a request for at most `asked`. `scratch` is
 * overwritten.
 */
int ur_pin(struct ur_pins *pins, const struct ur_pin_key *key, const u8 *at,
	   u32 bytes, u32 asked, struct ur_configuration *scratch,
	   struct ur_verdict *v) ur_must_check;

/*
 * The device's own descriptor, by type and number, as it was read first, and its
 * length in `bytes`; NULL until it is whole.
 */
const u8 *ur_pins_standard(const struct ur_pins *pins, u8 type, u8 number,
			   u32 *bytes);

/* The same of a string in that language; number 0, language 0: the languages. */
const u8 *ur_pins_string(const struct ur_pins *pins, u8 number, u16 language,
			 u32 *bytes);

#endif
