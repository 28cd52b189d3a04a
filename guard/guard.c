// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Requests are judged by what is selected, before they are opened; answers change
 * what is selected, after they were settled. In between stands the session.
 */
#include "approve.h"
#include "guard.h"

/* Numerically -EPIPE and -ECONNRESET, as Linux answers. */
#define STATUS_STALL ((u32)UR_PEER_CLOSED)
#define STATUS_UNLINKED ((u32)UR_PEER_RESET)
#define STRING_BYTES_MIN 2u

/* transfer_flags, USBIP_URB_* of linux/usbip.h. */
enum {
	FLAG_FREE_BUFFER = 0x100,
	FLAG_DMA_MAP_SG = 0x40000,
	/* SHORT_NOT_OK, ISO_ASAP, NO_FSBR, ZERO_PACKET, NO_INTERRUPT, DIR_IN as well */
	FLAGS_OF_CLIENTS = 0x3e3,
};

static bool copy_name(char *to, u32 room, const char *from)
{
	u32 i;

	for (i = 0; i < room; i++) {
		to[i] = from[i];
		if (from[i] == '\0')
			return true;
	}
	return false;
}

int ur_guard_init(struct ur_guard *g, const struct ur_policy *policy,
		  const char *client)
{
	ur_zero(g, sizeof(*g));
	g->policy = policy;
	g->state = UR_GUARD_STARTED;
	ur_session_init(&g->session);
	ur_pins_init(&g->pins);
	if (client[0] == '\0' ||
	    !copy_name(g->client, sizeof(g->client), client))
		return UR_BUG_INVALID;
	return 0;
}

int ur_guard_address(struct ur_guard *g, const char *vm,
		     const struct ur_op_busid *asked_as)
{
	g->asked_as = *asked_as;
	return copy_name(g->vm, sizeof(g->vm), vm) ? 0 : UR_BUG_INVALID;
}

bool ur_guard_port(const char *vm, const struct ur_op_busid *busid,
		   struct ur_op_busid *port)
{
	u32 i, at = 0;

	ur_zero(port, sizeof(*port));
	if (vm[0] == '\0')
		return copy_name(port->text, UR_OP_BUSID_BYTES, busid->text);
	for (i = 0; vm[i] != '\0' && at + 1 < UR_OP_BUSID_BYTES; i++)
		port->text[at++] = vm[i];
	port->text[at++] = ':';
	return copy_name(port->text + at, UR_OP_BUSID_BYTES - at, busid->text);
}

/* The first reason stays; later calls only count it again. */
static int sever(struct ur_guard *g, const struct ur_verdict *v)
{
	if (g->state != UR_GUARD_SEVERED)
		g->verdict = *v;
	g->state = UR_GUARD_SEVERED;
	g->refused[g->verdict.reason]++;
	return UR_PEER_BROKEN;
}

int ur_guard_sever(struct ur_guard *g, enum ur_reason reason,
		   const struct ur_refusal *why)
{
	struct ur_verdict v = { reason, *why };

	return sever(g, &v);
}

/* One exit: count what passes, sever on what does not. */
static int conclude(struct ur_guard *g, enum ur_travel travel, int result,
		    const struct ur_verdict *v)
{
	if (result < 0)
		return sever(g, v);
	if (result == 0)
		g->passed[travel]++;
	return result;
}

static int in_state(const struct ur_guard *g, enum ur_guard_state want,
		    struct ur_verdict *v)
{
	if (g->state == want)
		return 0;
	return ur_deny(v, UR_REASON_ORDER, "state of the route", "exactly",
		       g->state, want);
}

/* ---- the import ----------------------------------------------------------- */

int ur_guard_ask(struct ur_guard *g, const struct ur_op_header *header,
		 const struct ur_op_busid *busid)
{
	struct ur_verdict v = { 0 };
	int error = in_state(g, UR_GUARD_STARTED, &v);

	if (!error && header->code != UR_OP_REQ_IMPORT)
		error = ur_deny(&v, UR_REASON_ORDER, "op code", "exactly",
				header->code, UR_OP_REQ_IMPORT);
	if (!error) {
		g->busid = *busid;
		if (g->asked_as.text[0] == '\0')
			g->asked_as = *busid;
		g->state = UR_GUARD_ASKED;
	}
	return conclude(g, UR_TO_DEVICE, error, &v);
}

static bool is_same_busid(const struct ur_op_busid *a,
			  const struct ur_op_busid *b)
{
	u32 i;

	for (i = 0; i < UR_OP_BUSID_BYTES; i++)
		if (a->text[i] != b->text[i])
			return false;
	return true;
}

/* "serial:X" is answered with the busid of the device that has it. */
static bool is_by_serial(const struct ur_op_busid *busid)
{
	static const char prefix[] = UR_GUARD_SERIAL;
	u32 i;

	for (i = 0; prefix[i] != '\0'; i++)
		if (busid->text[i] != prefix[i])
			return false;
	return true;
}

const struct ur_op_busid *ur_guard_answer_busid(const struct ur_guard *g)
{
	return is_by_serial(&g->busid) ? &g->port : &g->asked_as;
}

static int take_device(struct ur_guard *g, const struct ur_op_device *device,
		       struct ur_verdict *v)
{
	if (!is_by_serial(&g->busid) &&
	    !is_same_busid(&device->busid, &g->busid))
		return ur_deny(v, UR_REASON_IMPORT, "busid",
			       "as asked, not of device", device->busnum,
			       device->devnum);
	if (!ur_guard_port(g->vm, &device->busid, &g->port))
		return ur_deny(v, UR_REASON_IMPORT, "busid bytes", "at most",
			       UR_OP_BUSID_BYTES, UR_OP_BUSID_BYTES - 1);
	g->device = *device;
	if (ur_approve_import(g, v))
		return UR_PEER_BROKEN;
	g->state = UR_GUARD_IMPORTED;
	return 0;
}

int ur_guard_import(struct ur_guard *g, const struct ur_op_header *header,
		    const struct ur_op_device *device)
{
	struct ur_verdict v = { 0 };
	int error = in_state(g, UR_GUARD_ASKED, &v);

	if (!error && header->code != UR_OP_REP_IMPORT)
		error = ur_deny(&v, UR_REASON_ORDER, "op code", "exactly",
				header->code, UR_OP_REP_IMPORT);
	if (!error && header->status != UR_OP_OK)
		g->state = UR_GUARD_DECLINED;
	else if (!error)
		error = take_device(g, device, &v);
	return conclude(g, UR_TO_CLIENT, error, &v);
}

/* ---- requests ------------------------------------------------------------- */

static bool selects_configuration(const struct ur_control *c)
{
	return ur_control_is(c, UR_SET_CONFIGURATION, UR_CONTROL_DEVICE);
}

static bool selects_setting(const struct ur_control *c)
{
	return ur_control_is(c, UR_SET_INTERFACE, UR_CONTROL_INTERFACE);
}

static const struct ur_alternate *current(const struct ur_guard *g, u8 interface)
{
	if (!g->is_configured || interface >= UR_INTERFACES_MAX ||
	    g->alternate[interface] == UR_ALTERNATE_UNKNOWN)
		return NULL;
	return ur_alternate_find(&g->selected, interface,
				 g->alternate[interface]);
}

static const struct ur_endpoint *endpoint_in(const struct ur_configuration *c,
					     const struct ur_alternate *a,
					     u8 address)
{
	u32 e;

	for (e = 0; e < a->endpoints; e++)
		if (c->endpoint[a->first_endpoint + e].address == address)
			return &c->endpoint[a->first_endpoint + e];
	return NULL;
}

static const struct ur_endpoint *endpoint_of(const struct ur_guard *g,
					     u8 address)
{
	const struct ur_configuration *c = &g->selected;
	const struct ur_endpoint *e = NULL;
	u32 i;

	for (i = 0; g->is_configured && !e && i < c->alternates; i++)
		if (&c->alternate[i] == current(g, c->alternate[i].interface))
			e = endpoint_in(c, &c->alternate[i], address);
	return e;
}

/* Whether a request under way may change what that endpoint is. */
static bool is_changing(const struct ur_guard *g, u8 address)
{
	const struct ur_configuration *c = &g->selected;
	u32 i;

	if (g->configuring > 0)
		return true;
	for (i = 0; g->setting > 0 && i < c->alternates; i++)
		if (g->setting_of[c->alternate[i].interface] > 0 &&
		    endpoint_in(c, &c->alternate[i], address))
			return true;
	return false;
}

/* Who asks in scatter and gather has data, and its memory is not ours to free. */
static int judge_flags(const struct ur_pdu *pdu, u8 type, struct ur_verdict *v)
{
	u32 allowed = FLAGS_OF_CLIENTS;

	if (pdu->length > 0 && (pdu->transfer_flags & FLAG_FREE_BUFFER) == 0 &&
	    (type == UR_TRANSFER_BULK || type == UR_TRANSFER_INTERRUPT))
		allowed |= FLAG_DMA_MAP_SG;
	if ((pdu->transfer_flags & ~allowed) != 0)
		return ur_deny(v, UR_REASON_FLAGS, "transfer_flags",
			       "none but", pdu->transfer_flags, allowed);
	return 0;
}

static int judge_data(const struct ur_guard *g, const struct ur_pdu *pdu,
		      struct ur_verdict *v)
{
	u8 address = (u8)(pdu->ep | (pdu->direction == UR_DIR_IN ? 0x80u : 0));
	const struct ur_endpoint *e = endpoint_of(g, address);
	bool has_packets = ur_pdu_iso_packets(pdu) > 0;

	if (is_changing(g, address))
		return ur_deny(v, UR_REASON_ENDPOINT, "endpoint address",
			       "none whose setting is being selected, of requests",
			       address, g->configuring + g->setting);
	if (!e)
		return ur_deny(v, UR_REASON_ENDPOINT, "endpoint address",
			       "one of the configuration", address,
			       g->is_configured ? g->selected.value : 0);
	if (e->type == UR_TRANSFER_CONTROL)
		return ur_deny(v, UR_REASON_TYPE, "endpoint type", "not",
			       e->type, UR_TRANSFER_CONTROL);
	if (has_packets != (e->type == UR_TRANSFER_ISO))
		return ur_deny(v, UR_REASON_TYPE, "number_of_packets",
			       "as the endpoint's type", pdu->packets, e->type);
	return judge_flags(pdu, e->type, v);
}

static int judge_setup(const struct ur_control *c, const struct ur_pdu *pdu,
		       struct ur_verdict *v)
{
	if (pdu->length != c->length)
		return ur_deny(v, UR_REASON_CONTROL_LENGTH, "wLength", "exactly",
			       c->length, pdu->length);
	/* Without data Linux takes the direction from either. */
	if (c->length > 0 && c->is_in != (pdu->direction == UR_DIR_IN))
		return ur_deny(v, UR_REASON_CONTROL_DIRECTION, "direction",
			       "exactly", pdu->direction, c->is_in);
	if (!ur_control_is_known(c))
		return ur_deny(v, UR_REASON_CONTROL_REQUEST, "bRequest",
			       "one that may pass, of kind", c->request,
			       c->kind);
	return 0;
}

static int judge_interface(const struct ur_guard *g, const struct ur_control *c,
			   struct ur_verdict *v)
{
	u8 interface = (u8)c->index;

	/* The high byte of wIndex is zero or a class's own (audio). */
	if (c->kind != UR_CONTROL_VENDOR && !current(g, interface) &&
	    !selects_setting(c))
		return ur_deny(v, UR_REASON_INTERFACE, "interface",
			       "one of the configuration", interface,
			       g->is_configured ? g->selected.value : 0);
	if (selects_setting(c) &&
	    (c->index > 0xff || c->value > 0xff ||
	     !ur_alternate_find(&g->selected, interface, (u8)c->value)))
		return ur_deny(v, UR_REASON_INTERFACE, "alternate setting",
			       "one of interface", c->value, c->index);
	return 0;
}

static int judge_recipient(const struct ur_guard *g, const struct ur_control *c,
			   struct ur_verdict *v)
{
	u8 address = (u8)c->index;

	if (c->recipient == UR_CONTROL_INTERFACE)
		return judge_interface(g, c, v);
	if (c->recipient != UR_CONTROL_ENDPOINT ||
	    c->kind == UR_CONTROL_VENDOR || (address & 0x0f) == 0)
		return 0;
	if (!endpoint_of(g, address))
		return ur_deny(v, UR_REASON_ENDPOINT, "endpoint address",
			       "one of the configuration", address,
			       g->selected.value);
	return 0;
}

/* Whether a request that was judged asks for a change that policy forbids. */
static bool is_forbidden(struct ur_guard *g, const struct ur_pdu *pdu)
{
	struct ur_control c = ur_control_read(pdu->setup);
	u32 changes;

	if (pdu->command != UR_CMD_SUBMIT || pdu->ep != 0 ||
	    g->state != UR_GUARD_APPROVED)
		return false;
	changes = ur_control_changes(&c, ur_approve_is_firmware(g, &c));
	if (changes == UR_CHANGE_CONFIGURATION &&
	    c.value == g->first_configuration)
		changes = 0;
	if ((changes & g->decision.denied_changes) == 0)
		return false;
	g->stalled++;
	(void)ur_deny(&g->forbidden, UR_REASON_POLICY_CHANGE, "change",
		      "none of those denied,", changes,
		      g->decision.denied_changes);
	return true;
}

/* Everything but the selection of the first configuration comes here. */
static int judge_approved(const struct ur_guard *g, const struct ur_control *c,
			  struct ur_verdict *v)
{
	if (g->is_configured)
		return judge_recipient(g, c, v);
	if (!ur_control_is_early(c))
		return ur_deny(v, UR_REASON_CONTROL_REQUEST, "bRequest",
			       "not before a configuration is selected",
			       c->request, 0);
	return 0;
}

static int judge_control(const struct ur_guard *g, const struct ur_pdu *pdu,
			 struct ur_verdict *v)
{
	struct ur_control c = ur_control_read(pdu->setup);

	if (judge_setup(&c, pdu, v) || judge_flags(pdu, UR_TRANSFER_CONTROL, v))
		return UR_PEER_BROKEN;
	if (!ur_control_is_early(&c) && g->state != UR_GUARD_APPROVED)
		return ur_deny(v, UR_REASON_CONTROL_REQUEST, "bRequest",
			       "not before the device is approved", c.request,
			       0);
	if (g->state == UR_GUARD_APPROVED)
		return judge_approved(g, &c, v);
	return 0;
}

static int judge_request(const struct ur_guard *g, const struct ur_pdu *pdu,
			 struct ur_verdict *v)
{
	u32 devid = ur_op_devid(&g->device);

	if (g->state != UR_GUARD_IMPORTED && g->state != UR_GUARD_APPROVED)
		return in_state(g, UR_GUARD_IMPORTED, v);
	if (pdu->devid != devid)
		return ur_deny(v, UR_REASON_DEVID, "devid", "exactly",
			       pdu->devid, devid);
	if (ur_session_may_open(&g->session, pdu, v))
		return UR_PEER_BROKEN;
	if (pdu->command == UR_CMD_UNLINK)
		return 0;
	return pdu->ep == 0 ? judge_control(g, pdu, v) : judge_data(g, pdu, v);
}

/* The descriptors must be approved, and have the configuration. */
static int admit_configuration(struct ur_guard *g, const struct ur_pdu *pdu,
			       struct ur_verdict *v)
{
	struct ur_control c = ur_control_read(pdu->setup);

	if (pdu->command != UR_CMD_SUBMIT || pdu->ep != 0 ||
	    !selects_configuration(&c))
		return 0;
	if (g->state == UR_GUARD_IMPORTED && c.value != 0) {
		if (ur_approve_descriptors(g, v))
			return UR_PEER_BROKEN;
		g->state = UR_GUARD_APPROVED;
		g->is_approved = true;
	}
	if (c.value != 0 && !ur_approve_find(g, c.value))
		return ur_deny(v, UR_REASON_CONFIGURATION,
			       "bConfigurationValue", "one of the device's",
			       c.value, g->selected.value);
	return 0;
}

/* A request passed: what it selects is under way. */
static void begin(struct ur_guard *g, const struct ur_pdu *pdu)
{
	struct ur_control c = ur_control_read(pdu->setup);

	if (pdu->command != UR_CMD_SUBMIT || pdu->ep != 0)
		return;
	if (selects_configuration(&c)) {
		g->configuring++;
		if (g->first_configuration == 0)
			g->first_configuration = (u8)c.value;
	} else if (selects_setting(&c)) {
		g->setting++;
		g->setting_of[c.index % UR_INTERFACES_MAX]++;
	}
}

static int pass_request(struct ur_guard *g, const struct ur_pdu *pdu,
			struct ur_reader *iso, struct ur_verdict *v)
{
	int error = judge_request(g, pdu, v);

	if (!error && is_forbidden(g, pdu))
		return UR_GUARD_STALLS;
	if (!error)
		error = admit_configuration(g, pdu, v);
	if (!error)
		error = ur_session_open(&g->session, pdu, iso, v);
	if (!error)
		begin(g, pdu);
	return error;
}

/* ---- answers -------------------------------------------------------------- */

static void forget_configuration(struct ur_guard *g)
{
	g->is_configured = false;
	g->selected.value = 0;
}

static void configured(struct ur_guard *g, const struct ur_control *c, bool ok)
{
	g->configuring--;
	forget_configuration(g);
	if (!ok || c->value == 0 || !ur_approve_find(g, c->value))
		return;
	g->selected = g->scratch;
	g->is_configured = true;
	ur_zero(g->alternate, sizeof(g->alternate));
}

static void set(struct ur_guard *g, u8 interface, u8 number, bool ok, bool unlinked)
{
	g->setting--;
	g->setting_of[interface]--;
	if (unlinked)
		g->alternate[interface] = UR_ALTERNATE_UNKNOWN;
	else if (ok)
		g->alternate[interface] = number;
}

/*
 * No string there: a stall, or nothing. Only if so few bytes were asked for that a
 * device cannot fail for their number: the least that Linux tries before it gives up.
 * (Until the approval, where it matters, only the device itself is asked.)
 */
static bool is_no_string(const struct ur_control *c,
			 const struct ur_pin_key *key, u32 status, u32 bytes)
{
	return key->type == UR_DESCRIPTOR_STRING && bytes == 0 &&
	       c->length == STRING_BYTES_MIN &&
	       (status == 0 || status == STATUS_STALL);
}

static int described(struct ur_guard *g, const struct ur_control *c, u32 status,
		     const u8 *data, u32 bytes, struct ur_verdict *v)
{
	struct ur_pin_key key = { c->recipient, (u8)(c->value >> 8),
				  (u8)c->value, c->index };

	if (is_no_string(c, &key, status, bytes))
		ur_approve_lacks(g, key.number, key.index);
	if (ur_pin(&g->pins, &key, data, bytes, c->length, &g->scratch, v))
		return UR_PEER_BROKEN;
	return key.type == UR_DESCRIPTOR_DEVICE ? ur_approve_device(g, v) : 0;
}

/* A control request came to its end: with an answer, or unlinked. */
static int finish_control(struct ur_guard *g, const struct ur_record *request,
			  u32 status, bool unlinked, const u8 *data, u32 bytes,
			  struct ur_verdict *v)
{
	bool ok = status == 0;
	struct ur_control c = ur_control_read(request->setup);

	if (selects_configuration(&c))
		configured(g, &c, ok);
	else if (selects_setting(&c))
		set(g, c.index % UR_INTERFACES_MAX, (u8)c.value, ok, unlinked);
	else if (c.is_in && c.kind == UR_CONTROL_STANDARD &&
		 c.request == UR_GET_DESCRIPTOR)
		return described(g, &c, status, data, bytes, v);
	return 0;
}

static bool is_control(const struct ur_record *record)
{
	return record->command == UR_CMD_SUBMIT && record->ep == 0;
}

static int pass_answer(struct ur_guard *g, const struct ur_pdu *pdu,
		       const u8 *data, u32 bytes, struct ur_reader *iso,
		       struct ur_verdict *v)
{
	struct ur_record settled = { 0 }, victim = { 0 };
	int error = ur_session_settle(&g->session, pdu, iso, &settled, &victim,
				      v);

	if (!error && is_control(&settled))
		error = finish_control(g, &settled, pdu->status, false, data,
				       bytes, v);
	if (!error && is_control(&victim))
		error = finish_control(g, &victim, STATUS_UNLINKED, true, NULL,
				       0, v);
	return error;
}

int ur_guard_header(struct ur_guard *g, enum ur_travel travel,
		    const struct ur_pdu *pdu, struct ur_request *request)
{
	const struct ur_record *record;
	struct ur_verdict v = { 0 };

	if (g->state == UR_GUARD_SEVERED)
		return sever(g, &v);
	if (travel == UR_TO_DEVICE) {
		*request = ur_pdu_request(pdu);
		return judge_request(g, pdu, &v) ? sever(g, &v) : 0;
	}
	record = ur_session_answered(&g->session, pdu, &v);
	if (!record)
		return sever(g, &v);
	*request = record->request;
	return 0;
}

int ur_guard_message(struct ur_guard *g, enum ur_travel travel,
		     const struct ur_pdu *pdu, const u8 *data, u32 data_bytes,
		     struct ur_reader *iso)
{
	struct ur_verdict v = { 0 };
	int error;

	if (g->state == UR_GUARD_SEVERED)
		return sever(g, &v);
	if (travel == UR_TO_DEVICE)
		error = pass_request(g, pdu, iso, &v);
	else
		error = pass_answer(g, pdu, data, data_bytes, iso, &v);
	return conclude(g, travel, error, &v);
}
