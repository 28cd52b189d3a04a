/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recorded session of the stock tools (tests/vectors) as segments in the order
 * they crossed the wire. Connections that import a device only: a list does not
 * go through a guard.
 */
#ifndef UR_TEST_CAPTURE_H
#define UR_TEST_CAPTURE_H

#include <pcap/pcap.h>

#include "route.h"

enum { CAPTURE_PORT = 3240, SEGMENTS_MAX = 4096, FLOWS_MAX = 16 };

struct segment {
	u32 flow;
	enum ur_travel travel;
	u32 bytes;
	u8 *at;
};

static struct segment segments[SEGMENTS_MAX];
static u32 segment_count;
static struct {
	u16 port;		/* the client's */
	u32 next[2];		/* TCP sequence number, by enum ur_travel */
	bool is_import, is_known;
} flows[FLOWS_MAX];
static u32 flow_count;

static u32 flow_of(u16 port)
{
	u32 i;

	for (i = flow_count; i > 0; i--)
		if (flows[i - 1].port == port)
			return i - 1;
	return FLOWS_MAX;
}

static void keep(u32 flow, enum ur_travel travel, const u8 *at, u32 bytes)
{
	struct segment *s = &segments[segment_count];

	if (!flows[flow].is_known)
		flows[flow].is_import = bytes >= 4 && at[2] == 0x80 &&
					at[3] == 0x03;
	flows[flow].is_known = true;
	if (!flows[flow].is_import || segment_count == SEGMENTS_MAX)
		return;
	*s = (struct segment){ flow, travel, bytes, malloc(bytes) };
	memcpy(s->at, at, bytes);
	segment_count++;
}

static void take_packet(const u8 *ip, u32 count)
{
	u32 head = (ip[0] & 15u) * 4u, total = ip[2] * 256u + ip[3];
	const u8 *tcp = ip + head;
	u32 data = (tcp[12] >> 4) * 4u;
	u16 from = (u16)(tcp[0] * 256 + tcp[1]);
	u16 to = (u16)(tcp[2] * 256 + tcp[3]);
	u32 sequence = (u32)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
	enum ur_travel travel = to == CAPTURE_PORT ? UR_TO_DEVICE : UR_TO_CLIENT;
	u32 flow, bytes;

	if (total > count || head + data > total)
		return;
	if ((tcp[13] & 0x12) == 2 && flow_count < FLOWS_MAX) {
		memset(&flows[flow_count], 0, sizeof(flows[0]));
		flows[flow_count++].port = from;
	}
	flow = flow_of(travel == UR_TO_DEVICE ? from : to);
	if (flow == FLOWS_MAX)
		return;
	bytes = total - head - data;
	if (tcp[13] & 2)
		flows[flow].next[travel] = sequence + 1;
	if (bytes == 0 || sequence != flows[flow].next[travel])
		return;
	flows[flow].next[travel] += bytes;
	keep(flow, travel, tcp + data, bytes);
}

/* Whether the file could be read. */
static bool capture_load(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(path, error);
	struct pcap_pkthdr *head;
	const u8 *at;

	if (!file) {
		printf("# %s\n", error);
		return false;
	}
	while (pcap_next_ex(file, &head, &at) == 1)
		if (head->caplen >= 14 + 40)
			take_packet(at + 14, head->caplen - 14);
	pcap_close(file);
	return segment_count > 0;
}

#endif
