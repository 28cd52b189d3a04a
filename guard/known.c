// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "known.h"

/* How many endpoints, at least. "Any": of whatever type and direction. */
enum { ANY, BULK_IN, BULK_OUT, INTERRUPT_IN, INTERRUPT_OUT, KINDS };

struct needs {
	u8 of[KINDS];
};

static const char *const kind_names[KINDS] = {
	[ANY] = "endpoints of an interface",
	[BULK_IN] = "bulk IN endpoints",
	[BULK_OUT] = "bulk OUT endpoints",
	[INTERRUPT_IN] = "interrupt IN endpoints",
	[INTERRUPT_OUT] = "interrupt OUT endpoints",
};

/*
 * Of each interface of the class, alternate setting 0; or, if `data_class` says
 * so, of some alternate setting of another interface of that class.
 */
static const struct class_rule {
	u8 interface_class;
	u8 interface_subclass;
	bool any_subclass;
	u8 protocol;
	bool any_protocol;
	u8 data_class;		/* 0: the interface itself */
	struct needs needs;
} class_rules[] = {
	/* HID 1.11 section 4.4: an interrupt IN pipe is required. */
	{ 0x03, 0, true, 0, true, 0, { { [INTERRUPT_IN] = 1 } } },
	/* Mass storage, bulk-only transport 1.0 section 4.4. */
	{ 0x08, 0, true, 0x50, false, 0,
	  { { [BULK_IN] = 1, [BULK_OUT] = 1 } } },
	/*
	 * NCM 1.0 section 5, MBIM 1.0 section 6: a data interface with a bulk
	 * pipe each way. CVE-2016-3951: there was none, and cdc_ncm freed twice.
	 */
	{ 0x02, 0x0d, false, 0, true, 0x0a,
	  { { [BULK_IN] = 1, [BULK_OUT] = 1 } } },
	{ 0x02, 0x0e, false, 0, true, 0x0a,
	  { { [BULK_IN] = 1, [BULK_OUT] = 1 } } },
};

/*
 * Of every interface, alternate setting 0: the drivers of these devices bind to
 * any of them. Each row is the condition that the fix of the CVE introduced.
 */
static const struct known_device {
	u16 vendor;
	u16 first_product;
	u16 last_product;
	u8 interfaces;		/* at least */
	struct needs needs;
} known_devices[] = {
	/* CVE-2015-5257, whiteheat: four ports and a command port. */
	{ 0x0710, 0x8001, 0x8001, 1, { { [BULK_IN] = 5, [BULK_OUT] = 5 } } },
	/* CVE-2015-7566, visor (clie_5_attach): writes to the second. */
	{ 0x054c, 0x0144, 0x0144, 1, { { [BULK_OUT] = 2 } } },
	/* CVE-2016-2184, snd-usb-audio: a fixed stream of each interface. */
	{ 0x045e, 0x0283, 0x0283, 2, { { [ANY] = 1 } } },
	/* CVE-2016-2185, ati_remote2: mouse and keypad. */
	{ 0x0471, 0x0602, 0x0602, 2, { { [ANY] = 1 } } },
	/* CVE-2016-2186, powermate. */
	{ 0x077d, 0x0410, 0x0410, 1, { { [INTERRUPT_IN] = 1 } } },
	{ 0x077d, 0x04aa, 0x04aa, 1, { { [INTERRUPT_IN] = 1 } } },
	{ 0x05f3, 0x0240, 0x0240, 1, { { [INTERRUPT_IN] = 1 } } },
	/* CVE-2016-2187, gtco. */
	{ 0x078c, 0x0400, 0x0401, 1, { { [INTERRUPT_IN] = 1 } } },
	{ 0x078c, 0x1000, 0x1002, 1, { { [INTERRUPT_IN] = 1 } } },
	/* CVE-2016-2188, iowarrior. */
	{ 0x07c0, 0x1500, 0x1506, 1, { { [INTERRUPT_IN] = 1 } } },
	{ 0x07c0, 0x1511, 0x1512, 1, { { [INTERRUPT_IN] = 1 } } },
	{ 0x07c0, 0x158a, 0x158b, 1, { { [INTERRUPT_IN] = 1 } } },
	/* CVE-2016-2384, snd-usbmidi: freed twice when a port was missing. */
	{ 0x0763, 0x1002, 0x1002, 1,
	  { { [ANY] = 5, [INTERRUPT_IN] = 1, [BULK_OUT] = 2 } } },
	/* CVE-2016-2782, visor (treo_attach): swaps the first two of each. */
	{ 0x082d, 0x0200, 0x0200, 1, { { [BULK_IN] = 2, [INTERRUPT_IN] = 2 } } },
	{ 0x082d, 0x0300, 0x0300, 1, { { [BULK_IN] = 2, [INTERRUPT_IN] = 2 } } },
	{ 0x0c88, 0x0021, 0x0021, 1, { { [BULK_IN] = 2, [INTERRUPT_IN] = 2 } } },
	/* CVE-2016-3136, mct_u232: reads on the second interrupt endpoint. */
	{ 0x0711, 0x0200, 0x0200, 1, { { [INTERRUPT_IN] = 2 } } },
	{ 0x0711, 0x0210, 0x0210, 1, { { [INTERRUPT_IN] = 2 } } },
	{ 0x0711, 0x0230, 0x0230, 1, { { [INTERRUPT_IN] = 2 } } },
	{ 0x050d, 0x0109, 0x0109, 1, { { [INTERRUPT_IN] = 2 } } },
	/* CVE-2016-3137, cypress_m8: talks by interrupt endpoints only. */
	{ 0x04b4, 0x5500, 0x5500, 1,
	  { { [INTERRUPT_IN] = 1, [INTERRUPT_OUT] = 1 } } },
	{ 0x0d9f, 0x0002, 0x0002, 1,
	  { { [INTERRUPT_IN] = 1, [INTERRUPT_OUT] = 1 } } },
	{ 0x1163, 0x0100, 0x0100, 1,
	  { { [INTERRUPT_IN] = 1, [INTERRUPT_OUT] = 1 } } },
	{ 0x1163, 0x0200, 0x0200, 1,
	  { { [INTERRUPT_IN] = 1, [INTERRUPT_OUT] = 1 } } },
	{ 0x6737, 0x0001, 0x0001, 1,
	  { { [INTERRUPT_IN] = 1, [INTERRUPT_OUT] = 1 } } },
	/* CVE-2016-3138, cdc_acm: a modem without a union descriptor. */
	{ 0x0482, 0x0203, 0x0203, 2, { { [ANY] = 1 } } },
	/* CVE-2016-3139, wacom: every tablet of this vendor reports. */
	{ 0x056a, 0x0000, 0xffff, 1, { { [INTERRUPT_IN] = 1 } } },
	/* CVE-2016-3140, digi_acceleport: its ports and one out of band. */
	{ 0x05c5, 0x0002, 0x0002, 1, { { [BULK_IN] = 4, [BULK_OUT] = 4 } } },
	{ 0x05c5, 0x0004, 0x0004, 1, { { [BULK_IN] = 5, [BULK_OUT] = 5 } } },
};

static u32 kind_of(const struct ur_endpoint *e)
{
	bool is_in = (e->address & 0x80) != 0;

	if (e->type == UR_TRANSFER_BULK)
		return is_in ? BULK_IN : BULK_OUT;
	if (e->type == UR_TRANSFER_INTERRUPT)
		return is_in ? INTERRUPT_IN : INTERRUPT_OUT;
	return ANY;
}

/* The first kind of which there are too few, or KINDS. `got`: how many. */
static u32 missing(const struct ur_configuration *c,
		   const struct ur_alternate *a, const struct needs *needs,
		   u8 *got)
{
	u8 count[KINDS] = { 0 };
	u32 i, kind;

	for (i = 0; i < a->endpoints; i++) {
		kind = kind_of(&c->endpoint[a->first_endpoint + i]);
		count[kind]++;
		if (kind != ANY)
			count[ANY]++;
	}
	for (kind = 0; kind < KINDS && count[kind] >= needs->of[kind]; kind++)
		continue;
	*got = kind < KINDS ? count[kind] : 0;
	return kind;
}

static int check_alternate(const struct ur_configuration *c,
			   const struct ur_alternate *a,
			   const struct needs *needs, enum ur_reason reason,
			   struct ur_verdict *v)
{
	u8 got;
	u32 kind = missing(c, a, needs, &got);

	if (kind == KINDS)
		return 0;
	return ur_deny(v, reason, kind_names[kind], "at least", got,
		       needs->of[kind]);
}

/* ---- by class ------------------------------------------------------------- */

static bool is_of(const struct ur_alternate *a, const struct class_rule *rule)
{
	return a->alternate == 0 &&
	       a->interface_class == rule->interface_class &&
	       (rule->any_subclass ||
		a->interface_subclass == rule->interface_subclass) &&
	       (rule->any_protocol || a->interface_protocol == rule->protocol);
}

static int check_data(const struct ur_configuration *c,
		      const struct class_rule *rule, struct ur_verdict *v)
{
	u32 i;
	u8 got;

	for (i = 0; i < c->alternates; i++)
		if (c->alternate[i].interface_class == rule->data_class &&
		    missing(c, &c->alternate[i], &rule->needs, &got) == KINDS)
			return 0;
	return ur_deny(v, UR_REASON_DESCRIPTOR,
		       "data interfaces with bulk IN and OUT", "at least", 0, 1);
}

static int check_class(const struct ur_configuration *c,
		       const struct ur_alternate *a, struct ur_verdict *v)
{
	const struct class_rule *rule = class_rules;
	const struct class_rule *end =
		class_rules + sizeof(class_rules) / sizeof(class_rules[0]);

	while (rule < end && !is_of(a, rule))
		rule++;
	if (rule == end)
		return 0;
	if (rule->data_class != 0)
		return check_data(c, rule, v);
	return check_alternate(c, a, &rule->needs, UR_REASON_DESCRIPTOR, v);
}

/* ---- by device ------------------------------------------------------------ */

static const struct known_device *find(u16 vendor, u16 product)
{
	u32 i;

	for (i = 0; i < sizeof(known_devices) / sizeof(known_devices[0]); i++) {
		const struct known_device *k = &known_devices[i];

		if (k->vendor == vendor && k->first_product <= product &&
		    product <= k->last_product)
			return k;
	}
	return NULL;
}

static int check_device(const struct ur_configuration *c,
			const struct known_device *k, struct ur_verdict *v)
{
	u32 i;

	if (c->interfaces < k->interfaces)
		return ur_deny(v, UR_REASON_KNOWN_DEVICE, "interfaces",
			       "at least", c->interfaces, k->interfaces);
	for (i = 0; i < c->alternates; i++)
		if (c->alternate[i].alternate == 0 &&
		    check_alternate(c, &c->alternate[i], &k->needs,
				    UR_REASON_KNOWN_DEVICE, v))
			return UR_PEER_BROKEN;
	return 0;
}

int ur_known_check(u16 vendor, u16 product,
		   const struct ur_configuration *configuration,
		   struct ur_verdict *v)
{
	const struct known_device *k = find(vendor, product);
	u32 i;

	for (i = 0; i < configuration->alternates; i++)
		if (check_class(configuration, &configuration->alternate[i], v))
			return UR_PEER_BROKEN;
	return k ? check_device(configuration, k, v) : 0;
}
