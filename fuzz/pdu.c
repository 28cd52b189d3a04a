// SPDX-License-Identifier: BSD-2-Clause
/*
 * One message of wire/pdu.h or wire/op.h, or one packet descriptor.
 *
 *     byte 0   which: URB header, iso packet, OP header, busid, count, device, interface
 *     byte 1   bit 0: it travels to the client
 *     8 bytes  limits: transfer bytes, packets
 *     rest     the message
 *
 * What was read, written again, is the same bytes; what was accepted is within
 * the protocol's bounds and our limits.
 */
#include "fuzz.h"
#include "op.h"
#include "pdu.h"

enum { MESSAGE_MAX = 400 };

struct trial {
	enum ur_travel travel;
	struct ur_limits limits;
	const u8 *at;
	size_t bytes;
	struct ur_reader r;
	struct ur_writer w;
	struct ur_refusal why;
};

static void said_again(struct trial *t, int error, size_t bytes)
{
	fuzz_holds(error == 0, "what was read can be written");
	fuzz_holds(ur_writer_used(&t->w) == bytes, "as long as it was");
	fuzz_holds(memcmp(t->w.base, t->at, bytes) == 0, "the same bytes");
}

static void refused(const struct trial *t, int error)
{
	fuzz_holds(error == UR_PEER_MALFORMED || error == UR_PEER_TOO_BIG,
		   "an error of the peer");
	fuzz_holds(t->why.field && t->why.rule, "a refusal says why");
}

/* The header as the protocol lays it out, word by word. */
static void judge_header(const struct trial *t, const struct ur_pdu *pdu)
{
	u32 command = fuzz_big32(t->at), length = fuzz_big32(t->at + 24);
	u32 packets = fuzz_big32(t->at + 32);
	struct ur_request request = ur_pdu_request(pdu);
	struct ur_refusal why;

	fuzz_holds(t->travel == UR_TO_DEVICE ? command == 1 || command == 2 :
					       command == 3 || command == 4,
		   "a command of its direction");
	fuzz_holds(fuzz_big32(t->at + 12) <= 1, "direction is 0 or 1");
	fuzz_holds(fuzz_big32(t->at + 16) <= 15, "ep is at most 15");
	fuzz_holds(command % 2 == 1 || length + packets == 0,
		   "an unlink has no data");
	fuzz_holds(length <= t->limits.transfer_bytes, "length is limited");
	fuzz_holds(packets == 0xffffffff || packets <= t->limits.iso_packets,
		   "packets are limited");
	fuzz_holds(ur_pdu_fits(pdu, &request, &why) == 0, "it fits itself");
	fuzz_holds(ur_pdu_payload_bytes(pdu, &request) <= length,
		   "no more data than length");
}

static int try_pdu(struct trial *t)
{
	struct ur_pdu pdu;
	int error = ur_pdu_read(&t->r, t->travel, &t->limits, &pdu, &t->why);

	if (error)
		return error;
	judge_header(t, &pdu);
	said_again(t, ur_pdu_write(&t->w, t->travel, &t->limits, &pdu, &t->why),
		   UR_PDU_HEADER_BYTES);
	return 0;
}

/* Packets of one transfer, until one is refused: no sum may pass its bound. */
static int try_iso(struct trial *t)
{
	struct ur_request request = { UR_DIR_IN, t->limits.transfer_bytes, 1 };
	u32 left = t->limits.iso_packets, before;
	struct ur_iso iso;
	u64 sum = 0;
	int error = ur_iso_read(&t->r, &iso, &t->why);

	if (!error)
		said_again(t, ur_iso_write(&t->w, &iso, &t->why), UR_ISO_BYTES);
	for (; !error; error = ur_iso_read(&t->r, &iso, &t->why)) {
		before = left;
		error = ur_iso_check(&iso, &request, &left, &t->why);
		if (error) {
			fuzz_holds(left == before, "a refusal changes nothing");
			return error;
		}
		sum += iso.actual_length;
		fuzz_holds((u64)iso.offset + iso.length <= request.length,
			   "inside the buffer");
		fuzz_holds(iso.actual_length <= iso.length, "no more than asked");
		fuzz_holds(sum + left == t->limits.iso_packets, "the sum is kept");
	}
	return error;
}

static int try_op_header(struct trial *t)
{
	struct ur_op_header header;
	int error = ur_op_header_read(&t->r, t->travel, &header, &t->why);

	if (error)
		return error;
	fuzz_holds(t->at[0] == 1 && t->at[1] == 0x11, "version 1.1.1");
	fuzz_holds(t->at[2] == (t->travel == UR_TO_DEVICE ? 0x80 : 0) &&
			   (t->at[3] == 3 || t->at[3] == 5),
		   "a code of its direction");
	(void)ur_op_body(&header);
	(void)ur_op_status_text(header.status);
	said_again(t, ur_op_header_write(&t->w, t->travel, &header, &t->why), 8);
	return 0;
}

static void judge_busid(const u8 *at)
{
	u32 i, end = 0;

	while (end < 32 && at[end] != 0)
		end++;
	fuzz_holds(end > 0 && end < 32, "a busid is there and ends");
	fuzz_holds(at[0] != '.' && at[0] != '-', "no \"..\", no option");
	for (i = 0; i < 32; i++)
		fuzz_holds(i < end ? at[i] > ' ' && at[i] < 127 && at[i] != '/' :
				     at[i] == 0,
			   "printable and without a slash, then zeros");
}

static int try_busid(struct trial *t)
{
	struct ur_op_busid busid, again;
	int error = ur_op_busid_read(&t->r, &busid, &t->why);

	if (error)
		return error;
	judge_busid(t->at);
	fuzz_holds(ur_op_busid_set(&again, busid.text, &t->why) == 0 &&
			   memcmp(&again, &busid, sizeof(busid)) == 0,
		   "as its text says");
	said_again(t, ur_op_busid_write(&t->w, &busid, &t->why), 32);
	return 0;
}

static int try_count(struct trial *t)
{
	u32 count;
	int error = ur_op_count_read(&t->r, &count, &t->why);

	if (error)
		return error;
	fuzz_holds(count <= UR_OP_DEVICES_MAX, "so many devices at most");
	said_again(t, ur_op_count_write(&t->w, count, &t->why), 4);
	return 0;
}

static int try_device(struct trial *t)
{
	struct ur_op_device device;
	int error = ur_op_device_read(&t->r, &device, &t->why);

	if (error)
		return error;
	judge_busid(t->at + 256);
	fuzz_holds(device.path[UR_OP_PATH_BYTES - 1] == 0, "the path ends");
	fuzz_holds(ur_op_devid(&device) ==
			   (fuzz_big32(t->at + 288) << 16 |
			    fuzz_big32(t->at + 292)),
		   "devid is both numbers");
	said_again(t, ur_op_device_write(&t->w, &device, &t->why), 312);
	return 0;
}

static int try_interface(struct trial *t)
{
	struct ur_op_interface interface;
	int error = ur_op_interface_read(&t->r, &interface, &t->why);
	u8 said[4];

	if (error)
		return error;
	error = ur_op_interface_write(&t->w, &interface, &t->why);
	memcpy(said, t->w.base, sizeof(said));
	fuzz_holds(error == 0 && memcmp(said, t->at, 3) == 0 && said[3] == 0,
		   "the same bytes, padding zero");
	return 0;
}

static int (*const tries[])(struct trial *) = {
	try_pdu, try_iso, try_op_header, try_busid, try_count, try_device,
	try_interface,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u32 which = fuzz_u8(&in) % (sizeof(tries) / sizeof(tries[0]));
	struct trial t = { .travel = fuzz_u8(&in) & 1 ? UR_TO_CLIENT :
							UR_TO_DEVICE };
	u8 said[MESSAGE_MAX];
	u8 *copy;
	int error;

	t.limits.transfer_bytes = fuzz_u32(&in);
	t.limits.iso_packets = fuzz_u32(&in);
	if (!ur_limits_is_valid(&t.limits))
		return 0;
	copy = fuzz_bytes(&in, in.left, &t.bytes);
	t.at = copy;
	ur_reader_init(&t.r, t.at, t.bytes);
	ur_writer_init(&t.w, said, sizeof(said));
	error = tries[which](&t);
	if (error)
		refused(&t, error);
	free(copy);
	return 0;
}
