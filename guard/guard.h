/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One route: one device, one client, and everything that was said between them.
 *
 *     client --- OP_REQ_IMPORT ---> | guard | ---> device side
 *            <-- OP_REP_IMPORT ---- |       |      policy, by what the import says
 *            --- CMD ep 0 --------> |       |      early requests: read descriptors
 *            <-- RET -------------- |       |      pinned as they pass
 *            --- SET_CONFIGURATION> |       |      policy again, by the descriptors
 *            --- CMD any ep ------> |       |      judged by the configuration and
 *            <-- RET -------------- |       |      the alternates now selected
 *
 * Promise. A message passes only if it was whole when it was judged and nothing
 *   here refused it. The first refusal ends the route: every later call refuses,
 *   in both directions.
 * Selected means answered: a configuration or an alternate setting counts from
 *   the device's answer with status 0. Until then no request passes to an endpoint
 *   that it may change: by the settings before or after, nobody here can tell. An unlinked or failed SET_CONFIGURATION
 *   leaves no configuration, an unlinked SET_INTERFACE no alternate: what the
 *   device did is not known then, so the client has to say it again.
 * A change that policy forbids is not passed on and answered as a device does that
 *   cannot: with a stall.
 * "deny=set-configuration" lets the first configuration that is asked for be
 *   selected, and again the same one (a reset needs it), but no other.
 * transfer_flags are those that Linux's clients send. Its usbip-host takes others at
 *   their word: with NO_TRANSFER_DMA_MAP a controller would read or write wherever
 *   a field of zero points.
 * Not judged: interval, start_frame (Linux's usbip-host clamps them), setup beyond
 *   endpoint 0 (Linux sends what is left there), the content of data, and class
 *   requests beyond their interface.
 * Threads. One route, one thread.
 * Memory. Fixed, the caller's; some 150 KiB. The policy outlives it.
 * Trust. Neither side. The policy table is our own, checked when it was loaded.
 */
#ifndef UR_GUARD_H
#define UR_GUARD_H

#include "control.h"
#include "op.h"
#include "pin.h"
#include "policy.h"
#include "session.h"

/* Interface types of all configurations together, alternates one by one. */
#define UR_GUARD_INTERFACES_MAX 256u
#define UR_GUARD_CLIENT_BYTES 32u
#define UR_GUARD_VM_BYTES 16u
/* A request by serial number: the answer names another busid (SPEC section 9). */
#define UR_GUARD_SERIAL "serial:"

enum ur_guard_state {
	UR_GUARD_STARTED,	/* nobody asked yet */
	UR_GUARD_ASKED,		/* OP_REQ_IMPORT passed */
	UR_GUARD_IMPORTED,	/* a device: descriptors may be read */
	UR_GUARD_APPROVED,	/* its descriptors were approved by policy */
	UR_GUARD_DECLINED,	/* the device side gave none; nothing follows */
	UR_GUARD_SEVERED,	/* see verdict */
};

#define UR_ALTERNATE_UNKNOWN 0xffu

struct ur_guard {
	enum ur_guard_state state;
	const struct ur_policy *policy;
	char client[UR_GUARD_CLIENT_BYTES];
	char vm[UR_GUARD_VM_BYTES];	/* the device side's name, or "" */
	struct ur_op_busid busid;	/* asked for, as the device side knows it */
	struct ur_op_busid asked_as;	/* and as the client said it */
	struct ur_op_busid port;	/* what was imported: "vm:1-1", or "1-1" */
	struct ur_op_device device;	/* what the import said */
	struct ur_policy_decision decision;	/* the last one */
	bool is_approved;	/* it was, whatever came after */
	u32 firmware_interfaces;	/* by number, as bits: approve.h */
	u32 firmware_endpoints;
	u8 first_configuration;		/* 0: none was asked for yet */
	u32 configuring;		/* SET_CONFIGURATION under way */
	u32 setting;			/* SET_INTERFACE under way */
	u16 setting_of[UR_INTERFACES_MAX];	/* of that interface */
	bool is_configured;
	struct ur_configuration selected;	/* if is_configured */
	u8 alternate[UR_INTERFACES_MAX];	/* by interface number */
	struct ur_configuration scratch;
	struct ur_interface_type interface[UR_GUARD_INTERFACES_MAX];
	u8 lacks[256 / 8];	/* strings that the device says it has not, as bits */
	char name[UR_STRING_TEXT_BYTES];
	char serial[UR_STRING_TEXT_BYTES];
	struct ur_pins pins;
	struct ur_session session;

	/* The last change that policy forbade, for the owner to read. */
	struct ur_verdict forbidden;
	u32 stalled;			/* times */

	/* For the owner to read. */
	struct ur_verdict verdict;
	u64 passed[2];			/* messages, by enum ur_travel */
	u32 refused[UR_REASONS];	/* refusals, later ones included */
};

/*
 * A new route for the client `client` (a name of at most 31 bytes). `policy` is
 * loaded. UR_BUG_INVALID: the name is empty or too long.
 */
int ur_guard_init(struct ur_guard *g, const struct ur_policy *policy,
		  const char *client) ur_must_check;

/*
 * Before anything is said: the device side is `vm`, and knows by another name what
 * the client asks for as `asked_as`. The client's answer names it as it asked, and
 * policy as "vm:1-1". UR_BUG_INVALID: the name is longer than 15 bytes.
 */
int ur_guard_address(struct ur_guard *g, const char *vm,
		     const struct ur_op_busid *asked_as) ur_must_check;

/* How the clients of a guard name a device: "vm:1-1". False: too long. */
bool ur_guard_port(const char *vm, const struct ur_op_busid *busid,
		   struct ur_op_busid *port) ur_must_check;

/*
 * May that client import that device, by what an import or a list says of it?
 * `interfaces` are those that the list names, NULL of an import.
 */
struct ur_policy_decision
ur_guard_decide(const struct ur_policy *policy, const char *client,
		const struct ur_op_device *device,
		const struct ur_op_busid *port,
		const struct ur_interface_type *interfaces,
		u32 count) ur_must_check;

/* End it for a reason found elsewhere (framing): returns UR_PEER_BROKEN. */
int ur_guard_sever(struct ur_guard *g, enum ur_reason reason,
		   const struct ur_refusal *why);

/* The whole OP_REQ_IMPORT passes? */
int ur_guard_ask(struct ur_guard *g, const struct ur_op_header *header,
		 const struct ur_op_busid *busid) ur_must_check;

/*
 * The whole OP_REP_IMPORT passes? `device` is read only if the status is 0. What
 * is sent on names the device by ur_guard_answer_busid().
 */
int ur_guard_import(struct ur_guard *g, const struct ur_op_header *header,
		    const struct ur_op_device *device) ur_must_check;

const struct ur_op_busid *ur_guard_answer_busid(const struct ur_guard *g);

/*
 * May a message with this header go on? `request` becomes what the framer admits
 * it by. Changes nothing but a refusal: the message is judged again when whole.
 */
int ur_guard_header(struct ur_guard *g, enum ur_travel travel,
		    const struct ur_pdu *pdu,
		    struct ur_request *request) ur_must_check;

/*
 * The whole message passes? UR_GUARD_STALLS: it asks for a change that policy
 * forbids; the route goes on, but not this message, and the client gets a stall of
 * that sequence number (status -EPIPE) in its place. `data` are its `data_bytes` bytes of data, `iso` a
 * cursor over its packet descriptors, which the framer has checked.
 */
#define UR_GUARD_STALLS 1
int ur_guard_message(struct ur_guard *g, enum ur_travel travel,
		     const struct ur_pdu *pdu, const u8 *data, u32 data_bytes,
		     struct ur_reader *iso) ur_must_check;

#endif
