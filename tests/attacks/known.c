// SPDX-License-Identifier: BSD-2-Clause
/*
 * guard/known.c: for each device whose driver takes endpoints for granted, the
 * least description that is enough, and each that lacks one thing of it.
 *
 * A description is written as endpoints by letters, interfaces apart by "/":
 *
 *      I O   bulk IN, OUT      i o   interrupt IN, OUT      s   isochronous IN
 *      +     the next endpoints are those of alternate setting 1
 */
#include <stdio.h>
#include <string.h>

#include "known.h"

struct row {
	const char *name;
	u16 vendor;
	u16 product;
	u8 class[3][3];		/* of each interface: class, subclass, protocol */
	const char *endpoints;
	const char *field;	/* that is refused; NULL: it passes */
	enum ur_reason reason;
};

#define DEVICE UR_REASON_KNOWN_DEVICE
#define CLASS UR_REASON_DESCRIPTOR
#define HID { { 3, 1, 1 }, { 3, 0, 0 } }
#define DISK { { 8, 6, 0x50 } }
#define NCM { { 2, 0x0d, 0 }, { 0x0a, 0, 1 } }
#define MBIM { { 2, 0x0e, 0 }, { 0x0a, 0, 2 } }
#define DATA "data interfaces with bulk IN and OUT"
#define BULK_IN "bulk IN endpoints"
#define BULK_OUT "bulk OUT endpoints"
#define INT_IN "interrupt IN endpoints"
#define INT_OUT "interrupt OUT endpoints"
#define SOME "endpoints of an interface"

static const struct row rows[] = {
	{ "a device that nobody knows", 0x1234, 1, { { 255 } }, "", NULL, 0 },
	{ "whiteheat", 0x0710, 0x8001, { { 255 } }, "IIIIIOOOOO", NULL, 0 },
	{ "whiteheat, IN", 0x0710, 0x8001, { { 255 } }, "IIIIOOOOO", BULK_IN, DEVICE },
	{ "whiteheat, OUT", 0x0710, 0x8001, { { 255 } }, "IIIIIOOOO", BULK_OUT, DEVICE },
	{ "clie 5", 0x054c, 0x0144, { { 255 } }, "OO", NULL, 0 },
	{ "clie 5, one", 0x054c, 0x0144, { { 255 } }, "IIO", BULK_OUT, DEVICE },
	{ "its neighbour", 0x054c, 0x0143, { { 255 } }, "", NULL, 0 },
	{ "xbox communicator", 0x045e, 0x0283, { { 0 } }, "s/s", NULL, 0 },
	{ "xbox communicator, one", 0x045e, 0x0283, { { 0 } }, "s", "interfaces", DEVICE },
	{ "xbox communicator, none", 0x045e, 0x0283, { { 0 } }, "s/", SOME, DEVICE },
	{ "ati remote", 0x0471, 0x0602, { { 255 } }, "i/i", NULL, 0 },
	{ "ati remote, second", 0x0471, 0x0602, { { 255 } }, "i/", SOME, DEVICE },
	{ "ati remote, first", 0x0471, 0x0602, { { 255 } }, "/i", SOME, DEVICE },
	{ "ati remote, one", 0x0471, 0x0602, { { 255 } }, "i", "interfaces", DEVICE },
	{ "powermate", 0x077d, 0x0410, { { 255 } }, "i", NULL, 0 },
	{ "powermate, none", 0x077d, 0x0410, { { 255 } }, "", INT_IN, DEVICE },
	{ "powermate, bulk", 0x077d, 0x04aa, { { 255 } }, "I", INT_IN, DEVICE },
	{ "powermate, later", 0x05f3, 0x0240, { { 255 } }, "+i", INT_IN, DEVICE },
	{ "gtco", 0x078c, 0x0401, { { 255 } }, "i", NULL, 0 },
	{ "gtco, none", 0x078c, 0x1001, { { 255 } }, "o", INT_IN, DEVICE },
	{ "iowarrior", 0x07c0, 0x1503, { { 255 } }, "io/io", NULL, 0 },
	{ "iowarrior, none", 0x07c0, 0x1512, { { 255 } }, "i/o", INT_IN, DEVICE },
	{ "iowarrior, none", 0x07c0, 0x158a, { { 255 } }, "", INT_IN, DEVICE },
	{ "its neighbour", 0x07c0, 0x1507, { { 255 } }, "", NULL, 0 },
	{ "its neighbour", 0x07c0, 0x14ff, { { 255 } }, "", NULL, 0 },
	{ "midisport", 0x0763, 0x1002, { { 255 } }, "iIOIO", NULL, 0 },
	{ "midisport, four", 0x0763, 0x1002, { { 255 } }, "iIOO", SOME, DEVICE },
	{ "midisport, OUT", 0x0763, 0x1002, { { 255 } }, "iIOII", BULK_OUT, DEVICE },
	{ "midisport, interrupt", 0x0763, 0x1002, { { 255 } }, "IIOIO", INT_IN, DEVICE },
	{ "treo", 0x082d, 0x0300, { { 255 } }, "IIOOii", NULL, 0 },
	{ "treo, bulk", 0x082d, 0x0200, { { 255 } }, "IOOii", BULK_IN, DEVICE },
	{ "treo, interrupt", 0x0c88, 0x0021, { { 255 } }, "IIOOi", INT_IN, DEVICE },
	{ "mct_u232", 0x050d, 0x0109, { { 255 } }, "iiO", NULL, 0 },
	{ "mct_u232, one", 0x0711, 0x0230, { { 255 } }, "iO", INT_IN, DEVICE },
	{ "cypress_m8", 0x04b4, 0x5500, { { 255 } }, "io", NULL, 0 },
	{ "cypress_m8, IN", 0x1163, 0x0100, { { 255 } }, "o", INT_IN, DEVICE },
	{ "cypress_m8, OUT", 0x04b4, 0x5500, { { 255 } }, "i", INT_OUT, DEVICE },
	{ "kyocera", 0x0482, 0x0203, { { 2, 2, 1 } }, "i/IO", NULL, 0 },
	{ "kyocera, one", 0x0482, 0x0203, { { 2, 2, 1 } }, "i", "interfaces", DEVICE },
	{ "wacom", 0x056a, 0x0003, { { 255 } }, "i", NULL, 0 },
	{ "wacom, none", 0x056a, 0x0003, { { 255 } }, "", INT_IN, DEVICE },
	{ "wacom, later too", 0x056a, 0x0003, { { 255 } }, "i+", NULL, 0 },
	{ "digi 2", 0x05c5, 0x0002, { { 255 } }, "IIIIOOOO", NULL, 0 },
	{ "digi 2, OUT", 0x05c5, 0x0002, { { 255 } }, "IIIIOOO", BULK_OUT, DEVICE },
	{ "digi 4", 0x05c5, 0x0004, { { 255 } }, "IIIIIOOOOO", NULL, 0 },
	{ "digi 4, as 2", 0x05c5, 0x0004, { { 255 } }, "IIIIOOOO", BULK_IN, DEVICE },

	{ "HID", 1, 1, HID, "i/i", NULL, 0 },
	{ "HID, later too", 1, 1, HID, "i+", NULL, 0 },
	{ "HID, second", 1, 1, HID, "i/o", INT_IN, CLASS },
	{ "HID, only later", 1, 1, HID, "+i", INT_IN, CLASS },
	{ "disk", 1, 1, DISK, "IO", NULL, 0 },
	{ "disk, IN", 1, 1, DISK, "O", BULK_IN, CLASS },
	{ "disk, OUT", 1, 1, DISK, "Ii", BULK_OUT, CLASS },
	{ "a disk of another protocol", 1, 1, { { 8, 6, 0x62 } }, "", NULL, 0 },
	{ "NCM", 1, 1, NCM, "i/+IO", NULL, 0 },
	{ "NCM, half", 1, 1, NCM, "i/+I", DATA, CLASS },
	{ "NCM alone", 0x413c, 0x81bb, NCM, "i", DATA, CLASS },
	{ "MBIM", 1, 1, MBIM, "i/IO", NULL, 0 },
	{ "MBIM, none", 1, 1, MBIM, "i/", DATA, CLASS },
	{ "another communications class", 1, 1, { { 2, 2, 1 } }, "", NULL, 0 },
	{ "a class before a device", 0x056a, 0x0010, HID, "", INT_IN, CLASS },
};

static void add_alternate(struct ur_configuration *c, const struct row *r,
			  u8 interface, u8 number)
{
	struct ur_alternate *a = &c->alternate[c->alternates++];

	a->interface = interface;
	a->alternate = number;
	a->interface_class = r->class[interface][0];
	a->interface_subclass = r->class[interface][1];
	a->interface_protocol = r->class[interface][2];
	a->first_endpoint = c->endpoints;
	c->interfaces = (u8)(c->interfaces + (number == 0));
}

static void add_endpoint(struct ur_configuration *c, char letter)
{
	struct ur_endpoint *e = &c->endpoint[c->endpoints++];
	bool is_in = letter != 'O' && letter != 'o';

	e->address = (u8)(c->endpoints | (is_in ? 0x80 : 0));
	e->type = UR_TRANSFER_INTERRUPT;
	if (letter == 'I' || letter == 'O')
		e->type = UR_TRANSFER_BULK;
	if (letter == 's')
		e->type = UR_TRANSFER_ISO;
	c->alternate[c->alternates - 1].endpoints++;
}

static void build(struct ur_configuration *c, const struct row *r)
{
	const char *at;
	u8 interface = 0;

	memset(c, 0, sizeof(*c));
	c->value = 1;
	add_alternate(c, r, 0, 0);
	for (at = r->endpoints; *at; at++)
		if (*at == '/')
			add_alternate(c, r, ++interface, 0);
		else if (*at == '+')
			add_alternate(c, r, interface, 1);
		else
			add_endpoint(c, *at);
}

static bool is_right(const struct row *r)
{
	static struct ur_configuration c;
	struct ur_verdict v = { 0 };
	int error;

	build(&c, r);
	error = ur_known_check(r->vendor, r->product, &c, &v);
	if (!r->field && !error)
		return true;
	if (r->field && error == UR_PEER_BROKEN && v.reason == r->reason &&
	    strcmp(v.why.field, r->field) == 0 && v.why.got < v.why.want)
		return true;
	printf("# got %d, %s, %s: %u of %u; want %s\n", error,
	       ur_reason_name(v.reason), v.why.field ? v.why.field : "-",
	       v.why.got, v.why.want, r->field ? r->field : "that it passes");
	return false;
}

int main(void)
{
	u32 i, n = sizeof(rows) / sizeof(rows[0]);
	bool good = true;

	printf("1..%u\n", n);
	for (i = 0; i < n; i++) {
		bool right = is_right(&rows[i]);

		good = good && right;
		printf("%sok %u - %s: %s\n", right ? "" : "not ", i + 1,
		       rows[i].name, rows[i].field ? "refused" : "passes");
	}
	return !good;
}
