// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "approve.h"
#include "known.h"

struct ur_policy_decision
ur_guard_decide(const struct ur_policy *policy, const char *client,
		const struct ur_op_device *device,
		const struct ur_op_busid *port,
		const struct ur_interface_type *interfaces, u32 count)
{
	const struct ur_policy_device known = {
		.known = 1u << UR_POLICY_ID | 1u << UR_POLICY_PORT |
			 (interfaces ? UR_POLICY_SOME_INTERFACES : 0),
		.vendor = device->vendor,
		.product = device->product,
		.port = port->text,
		.client = client,
		.interfaces = interfaces,
		.interface_count = count,
	};

	return ur_policy_decide(policy, &known);
}

static int judge(struct ur_guard *g, struct ur_policy_decision decision,
		 struct ur_verdict *v)
{
	g->decision = decision;
	if (decision.target == UR_POLICY_ALLOW)
		return 0;
	return ur_deny(v, UR_REASON_POLICY_DEVICE, "target of the rule",
		       "exactly", decision.target, UR_POLICY_ALLOW);
}

int ur_approve_import(struct ur_guard *g, struct ur_verdict *v)
{
	return judge(g, ur_guard_decide(g->policy, g->client, &g->device,
					&g->port, NULL, 0), v);
}

static int read_device(struct ur_guard *g, struct ur_device_descriptor *device,
		       struct ur_verdict *v)
{
	struct ur_reader r;
	u32 bytes;
	const u8 *at = ur_pins_standard(&g->pins, UR_DESCRIPTOR_DEVICE, 0,
					&bytes);

	if (!at)
		return ur_deny(v, UR_REASON_CONFIGURATION, "device descriptor",
			       "read before, times", 0, 1);
	ur_reader_init(&r, at, bytes);
	if (ur_device_descriptor_read(&r, device, &v->why))
		return ur_deny_as(v, UR_REASON_DESCRIPTOR);
	return 0;
}

int ur_approve_device(struct ur_guard *g, struct ur_verdict *v)
{
	struct ur_device_descriptor d;
	u32 bytes, i;

	if (!ur_pins_standard(&g->pins, UR_DESCRIPTOR_DEVICE, 0, &bytes))
		return 0;
	if (read_device(g, &d, v))
		return UR_PEER_BROKEN;
	{
		const struct {
			const char *field;
			u32 got;
			u32 want;
		} rows[] = {
			{ "idVendor", d.vendor, g->device.vendor },
			{ "idProduct", d.product, g->device.product },
			{ "bcdDevice", d.bcd_device, g->device.bcd_device },
			{ "bDeviceClass", d.device_class,
			  g->device.device_class },
			{ "bDeviceSubClass", d.device_subclass,
			  g->device.device_subclass },
			{ "bDeviceProtocol", d.device_protocol,
			  g->device.device_protocol },
			{ "bNumConfigurations", d.configurations,
			  g->device.configurations },
		};

		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (rows[i].got != rows[i].want)
				return ur_deny(v, UR_REASON_IMPORT,
					       rows[i].field, "as imported:",
					       rows[i].got, rows[i].want);
	}
	return 0;
}

static bool walk_configuration(struct ur_guard *g, u32 number)
{
	struct ur_refusal why;
	struct ur_reader r;
	u32 bytes;
	const u8 *at = ur_pins_standard(&g->pins, UR_DESCRIPTOR_CONFIGURATION,
					(u8)number, &bytes);

	if (!at)
		return false;
	ur_reader_init(&r, at, bytes);
	return ur_configuration_read(&r, UR_DESCRIPTOR_CONFIGURATION,
				     &g->scratch, &why) == 0;
}

bool ur_approve_find(struct ur_guard *g, u32 value)
{
	u32 i;

	for (i = 0; i < g->device.configurations; i++)
		if (walk_configuration(g, i) && g->scratch.value == value)
			return true;
	return false;
}

/* ---- firmware ---------------------------------------------------------------- */

static u32 endpoint_bit(u32 address)
{
	return 1u << ((address & 0x0f) + (address & 0x80) / 8);
}

/* The endpoints of an interface, in all its settings. */
static u32 endpoints_of(const struct ur_configuration *c, u8 interface)
{
	u32 i, e, bits = 0;

	for (i = 0; i < c->alternates; i++) {
		const struct ur_alternate *a = &c->alternate[i];

		for (e = 0; a->interface == interface && e < a->endpoints; e++)
			bits |= endpoint_bit(
				c->endpoint[a->first_endpoint + e].address);
	}
	return bits;
}

static void note_firmware(struct ur_guard *g, const struct ur_configuration *c)
{
	u32 i;

	for (i = 0; i < c->alternates; i++) {
		const struct ur_alternate *a = &c->alternate[i];

		if (!ur_control_is_firmware(a->interface_class,
					    a->interface_subclass))
			continue;
		g->firmware_interfaces |= 1u << a->interface;
		g->firmware_endpoints |= endpoints_of(c, a->interface);
	}
}

bool ur_approve_is_firmware(const struct ur_guard *g, const struct ur_control *c)
{
	u32 to = c->index & 0xff;

	if (c->recipient == UR_CONTROL_INTERFACE)
		return (g->firmware_interfaces & 1u << to % 32) != 0;
	if (c->recipient == UR_CONTROL_ENDPOINT && (to & 0x0f) != 0)
		return (g->firmware_endpoints & endpoint_bit(to)) != 0;
	return g->firmware_interfaces != 0;
}

/* ---- all of it ----------------------------------------------------------------- */

static int add_interfaces(struct ur_guard *g, u32 *count, struct ur_verdict *v)
{
	u32 i;

	if (g->scratch.alternates > UR_GUARD_INTERFACES_MAX - *count)
		return ur_deny(v, UR_REASON_DESCRIPTOR_ROOM, "interfaces",
			       "at most", *count + g->scratch.alternates,
			       UR_GUARD_INTERFACES_MAX);
	for (i = 0; i < g->scratch.alternates; i++) {
		const struct ur_alternate *a = &g->scratch.alternate[i];
		struct ur_interface_type *t = &g->interface[(*count)++];

		t->interface_class = a->interface_class;
		t->interface_subclass = a->interface_subclass;
		t->interface_protocol = a->interface_protocol;
	}
	return 0;
}

static int walk_all(struct ur_guard *g, u32 configurations, u32 *count,
		    struct ur_verdict *v)
{
	u8 values[UR_CONFIGURATIONS_MAX];
	u32 i, k;

	for (i = 0; i < configurations; i++) {
		if (!walk_configuration(g, i))
			return ur_deny(v, UR_REASON_CONFIGURATION,
				       "configurations read", "exactly", i,
				       configurations);
		values[i] = g->scratch.value;
		for (k = 0; k < i; k++)
			if (values[k] == values[i])
				return ur_deny(v, UR_REASON_DESCRIPTOR,
					       "bConfigurationValue",
					       "not again", values[i],
					       values[k]);
		if (ur_known_check(g->device.vendor, g->device.product,
				   &g->scratch, v) ||
		    add_interfaces(g, count, v))
			return UR_PEER_BROKEN;
		note_firmware(g, &g->scratch);
	}
	return 0;
}

/* ---- strings ---------------------------------------------------------------- */

static bool is_lacking(const struct ur_guard *g, u8 number)
{
	return (g->lacks[number / 8] & 1u << number % 8) != 0;
}

/* The one in which Linux reads: the first that the device has. False: not known. */
static bool read_language(const struct ur_guard *g, u16 *language)
{
	u32 bytes;
	const u8 *at = ur_pins_string(&g->pins, 0, 0, &bytes);

	if (at)
		*language = (u16)(at[2] + at[3] * 0x100u);
	return at != NULL;
}

/* That it has none in a language of the client's choice says nothing. */
void ur_approve_lacks(struct ur_guard *g, u8 number, u16 language)
{
	u16 want = 0;

	if ((number == 0 || read_language(g, &want)) && language == want)
		g->lacks[number / 8] |= (u8)(1u << number % 8);
}

/* False: the client did not ask, or not for all of it. */
static bool read_string(const struct ur_guard *g, u8 number,
			char text[UR_STRING_TEXT_BYTES])
{
	const u8 *at;
	u16 language;
	u32 bytes;

	text[0] = '\0';
	if (number == 0)
		return true;
	if (!read_language(g, &language))
		return is_lacking(g, 0);
	at = ur_pins_string(&g->pins, number, language, &bytes);
	if (at)
		ur_string_text(at, bytes, text);
	return at || is_lacking(g, number);
}

/* The first string that the policy asks for and the client did not read; or 0. */
static u8 read_strings(struct ur_guard *g,
		       const struct ur_device_descriptor *device)
{
	u32 asks = g->policy->asks;
	bool has_name = read_string(g, device->product_string, g->name);
	bool has_serial = read_string(g, device->serial_string, g->serial);

	if (!has_name && (asks & 1u << UR_POLICY_NAME) != 0)
		return device->product_string;
	if (!has_serial && (asks & 1u << UR_POLICY_SERIAL) != 0)
		return device->serial_string;
	return 0;
}

int ur_approve_descriptors(struct ur_guard *g, struct ur_verdict *v)
{
	struct ur_policy_device known = {
		.known = (1u << UR_POLICY_ATTRIBUTES) - 1,
		.vendor = g->device.vendor,
		.product = g->device.product,
		.name = g->name,
		.serial = g->serial,
		.port = g->port.text,
		.client = g->client,
		.interfaces = g->interface,
	};
	struct ur_device_descriptor device;
	u8 unread;

	if (read_device(g, &device, v) ||
	    walk_all(g, device.configurations, &known.interface_count, v))
		return UR_PEER_BROKEN;
	unread = read_strings(g, &device);
	if (judge(g, ur_policy_decide(g->policy, &known), v))
		return UR_PEER_BROKEN;
	if (unread != 0)
		return ur_deny(v, UR_REASON_UNREAD, "strings read",
			       "that of the policy, number", 0, unread);
	return 0;
}
