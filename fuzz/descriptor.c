// SPDX-License-Identifier: BSD-2-Clause
/*
 * One descriptor through wire/descriptor.h.
 *
 *     byte 0   device, configuration, other speed, BOS, string, or only its length
 *     byte 1   the string's number, or the type asked for
 *     rest     the descriptor
 *
 * An accepted one is walked again by counting bytes, and the summary compared.
 */
#include "descriptor.h"
#include "fuzz.h"

enum { DEVICE, CONFIGURATION, OTHER_SPEED, BOS, STRING, TOTAL, KINDS };

static struct ur_configuration C;

/* Where the interface `number` of the walk begins, and where it ends. */
static size_t next_interface(const u8 *at, size_t bytes, size_t from)
{
	while (from < bytes && at[from + 1] != UR_DESCRIPTOR_INTERFACE)
		from += at[from];
	return from;
}

static u32 count_endpoints(const u8 *at, size_t from, size_t to, u32 first)
{
	u32 count = 0;

	for (; from < to; from += at[from]) {
		const struct ur_endpoint *e = &C.endpoint[first + count];

		if (at[from + 1] != UR_DESCRIPTOR_ENDPOINT)
			continue;
		fuzz_holds(first + count < C.endpoints, "counted endpoints");
		fuzz_holds(e->address == at[from + 2] && (e->address & 15) != 0 &&
				   e->type == (at[from + 3] & 3) &&
				   e->max_packet == fuzz_little16(at + from + 4),
			   "an endpoint as it says");
		count++;
	}
	return count;
}

/* The lengths must end exactly at the end; each at least its head. */
static void walk_lengths(const u8 *at, size_t bytes, size_t from)
{
	while (from < bytes) {
		fuzz_holds(bytes - from >= 2 && at[from] >= 2 &&
				   at[from] <= bytes - from,
			   "every length inside");
		from += at[from];
	}
}

static void judge_configuration(const u8 *at, size_t bytes)
{
	size_t from, to;
	u32 n = 0, endpoints = 0;

	fuzz_holds(bytes == fuzz_little16(at + 2), "as long as it says");
	walk_lengths(at, bytes, 0);
	for (from = next_interface(at, bytes, 9); from < bytes; from = to, n++) {
		const struct ur_alternate *a = &C.alternate[n];

		to = next_interface(at, bytes, from + at[from]);
		fuzz_holds(n < C.alternates, "counted alternates");
		fuzz_holds(a->interface == at[from + 2] &&
				   a->alternate == at[from + 3] &&
				   a->interface_class == at[from + 5],
			   "an alternate as it says");
		fuzz_holds(a->endpoints == at[from + 4] &&
				   a->first_endpoint == endpoints,
			   "as many endpoints as it says");
		fuzz_holds(ur_alternate_find(&C, at[from + 2], at[from + 3]) == a,
			   "found, and once only");
		endpoints += count_endpoints(at, from, to, endpoints);
	}
	fuzz_holds(n == C.alternates && endpoints == C.endpoints, "all of them");
	fuzz_holds(C.value == at[5] && C.interfaces == at[4], "the head's words");
}

static void judge_bos(const u8 *at, size_t bytes)
{
	size_t from;
	u32 count = 0;

	fuzz_holds(bytes == fuzz_little16(at + 2), "as long as it says");
	walk_lengths(at, bytes, 0);
	for (from = 5; from < bytes; from += at[from])
		count++;
	fuzz_holds(count == at[4], "as many capabilities as it says");
}

/* UTF-8 of its own shortest form, without control characters. */
static void judge_text(const char *text)
{
	const u8 *at = (const u8 *)text;
	u32 i, more;

	while (*at) {
		fuzz_holds(*at >= 32 && *at != 127, "no control character");
		more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
		fuzz_holds(more == 0 || (*at >= 0xc2 && *at < 0xf5), "a first byte");
		for (i = 1; i <= more; i++)
			fuzz_holds((at[i] & 0xc0) == 0x80, "a byte that follows");
		at += more + 1;
	}
}

static int try_one(u32 kind, u32 number, const u8 *at, size_t bytes,
		   struct ur_refusal *why)
{
	struct ur_device_descriptor device;
	struct ur_reader r;
	u32 total;
	int error;

	ur_reader_init(&r, at, bytes);
	switch (kind) {
	case DEVICE:
		error = ur_device_descriptor_read(&r, &device, why);
		fuzz_holds(error || (bytes == 18 && device.configurations == at[17]),
			   "a device of 18 bytes");
		return error;
	case CONFIGURATION:
	case OTHER_SPEED:
		error = ur_configuration_read(&r, kind == CONFIGURATION ? 2 : 7,
					      &C, why);
		if (!error)
			judge_configuration(at, bytes);
		return error;
	case BOS:
		error = ur_bos_check(&r, why);
		if (!error)
			judge_bos(at, bytes);
		return error;
	case STRING:
		error = ur_string_check(&r, (u8)number, why);
		fuzz_holds(error || (bytes == at[0] && bytes % 2 == 0),
			   "a string of whole units");
		return error;
	default:
		error = ur_descriptor_total(at, bytes, (u8)number, &total, why);
		fuzz_holds(error || (at[1] == number && total >= 2 &&
				     (total == at[0] ||
				      total == fuzz_little16(at + 2))),
			   "as long as one of its lengths says");
		return error;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u32 kind = fuzz_u8(&in) % KINDS, number = fuzz_u8(&in);
	struct ur_refusal why = { 0 };
	char text[UR_STRING_TEXT_BYTES];
	size_t bytes;
	u8 *at = fuzz_bytes(&in, in.left, &bytes);
	int error = try_one(kind, number, at, bytes, &why);

	if (error) {
		fuzz_holds(error == UR_PEER_MALFORMED || error == UR_PEER_TOO_BIG,
			   "an error of the peer");
		fuzz_holds(why.field && why.rule, "a refusal says why");
	} else if (kind == STRING) {
		ur_string_text(at, bytes, text);
		judge_text(text);
	}
	free(at);
	return 0;
}
