// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
#include "layout.h"

static bool is_power_of_two(u32 x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

static u32 data_offset(u32 channels)
{
	u32 end = (u32)sizeof(struct ur_header_shm) +
		  channels * (u32)sizeof(struct ur_block_shm);

	return (end + 4095u) / 4096u * 4096u;
}

static u32 largest_ring(const struct ur_geometry *g)
{
	u32 ring = UR_RING_BYTES_DEFAULT;

	while (ring > UR_RING_BYTES_MIN &&
	       (u64)ring * g->channels + g->data_offset > g->outbox_bytes)
		ring /= 2;
	return ring;
}

static int bad(struct ur_fault *fault, u32 got, u32 want)
{
	fault->number = UR_FAULT_GEOMETRY;
	fault->channel = 0;
	fault->got = got;
	fault->want = want;
	return UR_BUG_INVALID;
}

int ur_geometry_init(struct ur_geometry *g, u64 outbox_bytes, u32 channels,
		     u32 ring_bytes, struct ur_fault *fault)
{
	if (outbox_bytes < UR_REGION_BYTES_MIN / 2)
		return bad(fault, (u32)outbox_bytes, UR_REGION_BYTES_MIN / 2);
	if (outbox_bytes > UR_REGION_BYTES_MAX / 2)
		return bad(fault, (u32)(outbox_bytes >> 32 ? ~0u : outbox_bytes),
			   UR_REGION_BYTES_MAX / 2);
	if (channels > UR_CHANNELS_MAX)
		return bad(fault, channels, UR_CHANNELS_MAX);

	g->outbox_bytes = (u32)outbox_bytes;
	g->channels = channels ? channels : UR_CHANNELS_DEFAULT;
	g->data_offset = data_offset(g->channels);
	g->ring_bytes = ring_bytes ? ring_bytes : largest_ring(g);
	g->first_index = 0;
	g->first_generation = 1;

	if (g->ring_bytes < UR_RING_BYTES_MIN || !is_power_of_two(g->ring_bytes))
		return bad(fault, g->ring_bytes, UR_RING_BYTES_MIN);
	if ((u64)g->ring_bytes * g->channels + g->data_offset > outbox_bytes)
		return bad(fault, g->ring_bytes, largest_ring(g));
	return 0;
}

void ur_header_write(struct ur_header_shm *own, const struct ur_geometry *g,
		     enum ur_end end)
{
	ur_store_once(&own->magic, UR_MAGIC);
	ur_store_once(&own->version, UR_VERSION);
	ur_store_once(&own->end, end);
	ur_store_once(&own->outbox_bytes, g->outbox_bytes);
	ur_store_once(&own->channels, g->channels);
	ur_store_once(&own->ring_bytes, g->ring_bytes);
	ur_store_once(&own->data_offset, g->data_offset);
}

int ur_header_check(const struct ur_header_shm *peer,
		    const struct ur_geometry *g, enum ur_end peer_end,
		    struct ur_fault *fault)
{
	const struct {
		const ur_shm32 *word;
		u32 want;
		u32 mask;
		u32 number;
	} rows[] = {
		{ &peer->magic, UR_MAGIC, ~0u, UR_FAULT_MAGIC },
		{ &peer->version, UR_VERSION, 0xffff0000u, UR_FAULT_VERSION },
		{ &peer->end, peer_end, ~0u, UR_FAULT_END },
		{ &peer->outbox_bytes, g->outbox_bytes, ~0u, UR_FAULT_OUTBOX_BYTES },
		{ &peer->channels, g->channels, ~0u, UR_FAULT_CHANNELS },
		{ &peer->ring_bytes, g->ring_bytes, ~0u, UR_FAULT_RING_BYTES },
		{ &peer->data_offset, g->data_offset, ~0u, UR_FAULT_DATA_OFFSET },
	};
	u32 i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		u32 got = ur_load_once(rows[i].word);

		if ((got & rows[i].mask) == (rows[i].want & rows[i].mask))
			continue;
		fault->number = rows[i].number;
		fault->channel = 0;
		fault->got = got;
		fault->want = rows[i].want;
		return UR_PEER_BROKEN;
	}
	return 0;
}

const char *ur_fault_name(u32 number)
{
	static const char *const names[] = {
		[UR_FAULT_NONE] = "none",
		[UR_FAULT_MAGIC] = "magic",
		[UR_FAULT_VERSION] = "version",
		[UR_FAULT_END] = "end",
		[UR_FAULT_OUTBOX_BYTES] = "outbox_bytes",
		[UR_FAULT_CHANNELS] = "channels",
		[UR_FAULT_RING_BYTES] = "ring_bytes",
		[UR_FAULT_DATA_OFFSET] = "data_offset",
		[UR_FAULT_PRODUCED] = "produced",
		[UR_FAULT_CONSUMED] = "consumed",
		[UR_FAULT_STATE] = "state",
		[UR_FAULT_MOVE] = "move",
		[UR_FAULT_SEVERED] = "severed",
		[UR_FAULT_GEOMETRY] = "geometry",
	};

	if (number >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[number];
}
