// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "reason.h"

static const struct {
	const char *name;
	const char *text;
} reasons[UR_REASONS] = {
	[UR_REASON_NONE] = { "none", "nothing was refused" },
	[UR_REASON_FRAMING] = { "framing",
		"the message cannot be true, or is over a limit" },
	[UR_REASON_BUFFER] = { "buffer",
		"the message is larger than the guard's buffer" },
	[UR_REASON_ORDER] = { "order",
		"the message does not belong here in the stream" },
	[UR_REASON_IMPORT] = { "import",
		"the import's answer is of another device" },
	[UR_REASON_DEVID] = { "devid", "the request names another device" },
	[UR_REASON_SEQNUM_IN_USE] = { "seqnum-in-use",
		"a request with this sequence number is still under way" },
	[UR_REASON_SEQNUM_UNKNOWN] = { "seqnum-unknown",
		"an answer without a request: never asked, or answered before" },
	[UR_REASON_ANSWER_KIND] = { "answer-kind",
		"a transfer answered as an unlink, or an unlink as a transfer" },
	[UR_REASON_OUTSTANDING] = { "outstanding",
		"too many requests under way" },
	[UR_REASON_ISO_ROOM] = { "iso-room",
		"too many isochronous packets under way" },
	[UR_REASON_UNLINK_TWICE] = { "unlink-twice",
		"a transfer is unlinked a second time" },
	[UR_REASON_UNLINK_KIND] = { "unlink-kind",
		"an unlink is to be unlinked" },
	[UR_REASON_LENGTH] = { "length",
		"an answer is longer than what was asked" },
	[UR_REASON_PACKETS] = { "packets",
		"an answer has another number of packets than its request" },
	[UR_REASON_STATUS] = { "status", "a status that is no error number" },
	[UR_REASON_ERROR_COUNT] = { "error-count",
		"more packets failed than there are" },
	[UR_REASON_ISO_LAYOUT] = { "iso-layout",
		"a packet lies elsewhere than its request put it" },
	[UR_REASON_ENDPOINT] = { "endpoint",
		"no such endpoint in the settings now selected" },
	[UR_REASON_TYPE] = { "type",
		"the request does not fit the endpoint's type" },
	[UR_REASON_FLAGS] = { "flags",
		"transfer flags that no client sends, or not for such a transfer" },
	[UR_REASON_CONTROL_DIRECTION] = { "control-direction",
		"the setup packet and the message differ in direction" },
	[UR_REASON_CONTROL_LENGTH] = { "control-length",
		"wLength and the buffer differ" },
	[UR_REASON_CONTROL_REQUEST] = { "control-request",
		"a control request that does not pass, or not yet" },
	[UR_REASON_CONFIGURATION] = { "configuration",
		"a configuration that the descriptors do not have" },
	[UR_REASON_INTERFACE] = { "interface",
		"an alternate setting that the descriptors do not have" },
	[UR_REASON_DESCRIPTOR] = { "descriptor", "a malformed descriptor" },
	[UR_REASON_DESCRIPTOR_ROOM] = { "descriptor-room",
		"more descriptors than can be pinned" },
	[UR_REASON_PINNED] = { "pinned",
		"a descriptor differs from what the device said before" },
	[UR_REASON_KNOWN_DEVICE] = { "known-device",
		"a device lacks endpoints that its driver takes for granted" },
	[UR_REASON_UNREAD] = { "unread",
		"the policy asks for a string that the client did not read" },
	[UR_REASON_POLICY_DEVICE] = { "policy-device",
		"the policy does not allow this device here" },
	[UR_REASON_POLICY_CHANGE] = { "policy-change",
		"the policy does not allow this change of the device" },
	[UR_REASON_HELD] = { "held", "another client has this device" },
	[UR_REASON_SHARE] = { "share",
		"a call beyond those that one client may have" },
	[UR_REASON_SERVICE] = { "service",
		"a call for what the guard does not serve" },
};

const char *ur_reason_name(enum ur_reason reason)
{
	return (u32)reason < UR_REASONS ? reasons[reason].name : "unknown";
}

const char *ur_reason_text(enum ur_reason reason)
{
	return (u32)reason < UR_REASONS ? reasons[reason].text : "unknown";
}
