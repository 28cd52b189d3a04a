// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 *     HEADER --> BUSID -----------------------------------------> END
 *       |  \---> COUNT --> DEVICE --> INTERFACE (as many as said)  ^
 *       |            \        ^  \------------|--------------------|
 *       |             \       +---------------+  next device       |
 *       \-------------> DEVICE -----------------------------------/
 *
 * A piece is assembled, then read by op.c; what it says picks the next one.
 */
#include "op_framer.h"

void ur_op_framer_init(struct ur_op_framer *f, enum ur_travel travel)
{
	ur_zero(f, sizeof(*f));
	f->travel = travel;
	f->next = UR_OP_HEADER;
}

u32 ur_op_framer_wants(const struct ur_op_framer *f)
{
	static const u32 bytes[] = {
		[UR_OP_HEADER] = UR_OP_HEADER_BYTES,
		[UR_OP_BUSID] = UR_OP_BUSID_BYTES,
		[UR_OP_COUNT] = UR_OP_COUNT_BYTES,
		[UR_OP_DEVICE] = UR_OP_DEVICE_BYTES,
		[UR_OP_INTERFACE] = UR_OP_INTERFACE_BYTES,
		[UR_OP_END] = 0,
	};

	return f->error ? 0 : bytes[f->next] - f->piece_bytes;
}

static enum ur_op_piece after_header(const struct ur_op_framer *f)
{
	static const enum ur_op_piece first[] = {
		[UR_OP_BODY_NONE] = UR_OP_END,
		[UR_OP_BODY_BUSID] = UR_OP_BUSID,
		[UR_OP_BODY_DEVICE] = UR_OP_DEVICE,
		[UR_OP_BODY_LIST] = UR_OP_COUNT,
	};

	return first[ur_op_body(&f->header)];
}

static enum ur_op_piece next_in_list(struct ur_op_framer *f)
{
	if (f->interfaces_left > 0) {
		f->interfaces_left--;
		return UR_OP_INTERFACE;
	}
	if (f->devices_left > 0) {
		f->devices_left--;
		return UR_OP_DEVICE;
	}
	return UR_OP_END;
}

/* The reader of the piece that is whole now: never MORE, and not END. */
static int read_piece(struct ur_op_framer *f)
{
	struct ur_reader r;

	ur_reader_init(&r, f->piece, f->piece_bytes);
	if (f->next == UR_OP_HEADER)
		return ur_op_header_read(&r, f->travel, &f->header, &f->why);
	if (f->next == UR_OP_BUSID)
		return ur_op_busid_read(&r, &f->busid, &f->why);
	if (f->next == UR_OP_COUNT)
		return ur_op_count_read(&r, &f->count, &f->why);
	if (f->next == UR_OP_DEVICE)
		return ur_op_device_read(&r, &f->device, &f->why);
	return ur_op_interface_read(&r, &f->interface, &f->why);
}

/* What comes behind the piece that was just read. */
static enum ur_op_piece step(struct ur_op_framer *f)
{
	if (f->next == UR_OP_HEADER)
		return after_header(f);
	if (f->next == UR_OP_COUNT)
		f->devices_left = f->count;
	if (f->next == UR_OP_DEVICE &&
	    ur_op_body(&f->header) == UR_OP_BODY_LIST)
		f->interfaces_left = f->device.interfaces;
	return next_in_list(f);
}

static u32 assemble(struct ur_op_framer *f, const u8 *bytes, size_t count)
{
	u32 wants = ur_op_framer_wants(f);
	u32 part = count < wants ? (u32)count : wants;

	if (part > 0)
		ur_copy(f->piece + f->piece_bytes, bytes, part);
	f->piece_bytes += part;
	return part;
}

int ur_op_framer_take(struct ur_op_framer *f, const u8 *bytes, size_t count,
		      size_t *taken)
{
	int event = f->next;

	*taken = 0;
	if (f->error)
		return f->error;
	if (f->next == UR_OP_END)
		return UR_OP_END;
	*taken = assemble(f, bytes, count);
	if (ur_op_framer_wants(f) > 0)
		return UR_OP_MORE;
	f->error = read_piece(f);
	f->piece_bytes = 0;
	if (f->error) {
		*taken = 0;
		return f->error;
	}
	f->next = step(f);
	return event;
}
