// SPDX-License-Identifier: BSD-2-Clause
/*
 * URBs in, answers out, one at a time. A transfer that the device does not answer
 * yet waits for its unlink.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PACKETS_MAX 1024u
#define PENDING_MAX 64
#define EP0_STRINGS 4

struct urb {
	struct ur_pdu pdu;
	struct ur_request request;
	u32 packets;
	struct ur_iso iso[PACKETS_MAX];
	u8 data[DEVICE_BUFFER];
};

struct session {
	int fd;
	const struct device *device;
	u32 devid;
	u32 pending[PENDING_MAX];	/* seqnums */
	unsigned int pending_count;
};

static const struct ur_limits limits = { DEVICE_BUFFER, PACKETS_MAX };

static bool refused(const struct ur_refusal *why)
{
	fprintf(stderr, "device: %s: got %u, want %s %u\n", why->field, why->got,
		why->rule, why->want);
	return false;
}

/* ---- requests ------------------------------------------------------------ */

static bool receive_packets(int fd, struct urb *u)
{
	u8 bytes[UR_ISO_BYTES];
	struct ur_refusal why;
	struct ur_reader r;
	u32 i, left = 0;

	for (i = 0; i < u->packets; i++) {
		if (!device_receive(fd, bytes, sizeof(bytes)))
			return false;
		ur_reader_init(&r, bytes, sizeof(bytes));
		if (ur_iso_read(&r, &u->iso[i], &why) < 0 ||
		    ur_iso_check(&u->iso[i], &u->request, &left, &why) < 0)
			return refused(&why);
	}
	return true;
}

static bool receive_urb(struct session *s, struct urb *u)
{
	u8 bytes[UR_PDU_HEADER_BYTES];
	struct ur_refusal why;
	struct ur_reader r;

	if (!device_receive(s->fd, bytes, sizeof(bytes)))
		return false;
	ur_reader_init(&r, bytes, sizeof(bytes));
	if (ur_pdu_read(&r, UR_TO_DEVICE, &limits, &u->pdu, &why) < 0)
		return refused(&why);
	if (u->pdu.devid != s->devid) {
		ur_refuse_other(&why, "devid", u->pdu.devid, s->devid);
		return refused(&why);
	}
	u->request = ur_pdu_request(&u->pdu);
	u->packets = ur_pdu_iso_packets(&u->pdu);
	return device_receive(s->fd, u->data,
			      ur_pdu_payload_bytes(&u->pdu, &u->request)) &&
	       receive_packets(s->fd, u);
}

/* ---- answers ------------------------------------------------------------- */

static bool send_header(struct session *s, const struct ur_pdu *pdu)
{
	u8 bytes[UR_PDU_HEADER_BYTES];
	struct ur_refusal why;
	struct ur_writer w;

	ur_writer_init(&w, bytes, sizeof(bytes));
	if (ur_pdu_write(&w, UR_TO_CLIENT, &limits, pdu, &why) < 0)
		return refused(&why);
	return device_send(s->fd, bytes, sizeof(bytes));
}

static bool send_packets(struct session *s, const struct urb *u)
{
	u8 bytes[UR_ISO_BYTES];
	struct ur_refusal why;
	struct ur_writer w;
	u32 i;

	for (i = 0; i < u->packets; i++) {
		ur_writer_init(&w, bytes, sizeof(bytes));
		if (ur_iso_write(&w, &u->iso[i], &why) < 0)
			return refused(&why);
		if (!device_send(s->fd, bytes, sizeof(bytes)))
			return false;
	}
	return true;
}

/* `result`: bytes or -errno. */
static bool send_answer(struct session *s, struct urb *u, int result)
{
	struct ur_pdu pdu = {
		.command = UR_RET_SUBMIT,
		.seqnum = u->pdu.seqnum,
		.status = result < 0 ? (u32)result : 0,
		.length = result < 0 ? 0 : (u32)result,
		.start_frame = u->pdu.start_frame,
		.packets = u->pdu.packets,
	};
	u32 bytes = ur_pdu_payload_bytes(&pdu, &u->request);

	return send_header(s, &pdu) && device_send(s->fd, u->data, bytes) &&
	       send_packets(s, u);
}

/* ---- endpoint 0, USB 2.0 section 9.4 ------------------------------------- */

static int give(u8 *to, u32 room, const void *from, u32 bytes)
{
	u32 n = bytes < room ? bytes : room;

	memcpy(to, from, n);
	return (int)n;
}

static int give_string(const struct device *d, u8 *to, u32 room, u8 number)
{
	const char *text[EP0_STRINGS] = { "", "usbroute", d->name, "EMULATED-1" };
	u8 bytes[128] = { 4, 3, 0x09, 0x04 };
	u32 i;

	if (number >= EP0_STRINGS)
		return -EPIPE;
	for (i = 0; number && text[number][i]; i++) {
		bytes[2 + 2 * i] = (u8)text[number][i];
		bytes[3 + 2 * i] = 0;
	}
	bytes[0] = (u8)(number ? 2 + 2 * i : 4);
	return give(to, room, bytes, bytes[0]);
}

static int give_descriptor(const struct device *d, u8 *to, u32 room, u8 type,
			   u8 number)
{
	bool super = d->speed == UR_SPEED_SUPER;
	const u8 bytes[18] = {
		18, 1, 0x00, super ? 3 : 2, 0, 0, 0, super ? 9 : 64, (u8)d->vendor,
		(u8)(d->vendor >> 8),
		(u8)d->product, (u8)(d->product >> 8), 0x00, 0x01, 1, 2, 3, 1,
	};
	const u8 qualifier[10] = { 10, 6, 0x00, 0x02, 0, 0, 0, 64, 1, 0 };
	/* No link power management; all speeds from full up, 10 us to wake. */
	const u8 store[22] = { 5, 15, 22, 0, 2, 7, 16, 2, 0, 0, 0, 0,
			       10, 16, 3, 0, 0x0e, 0, 1, 10, 10, 0 };

	switch (type) {
	case 1:
		return give(to, room, bytes, sizeof(bytes));
	case 2:
		return give(to, room, d->configuration, d->configuration_bytes);
	case 3:
		return give_string(d, to, room, number);
	case 6:
		return super ? -EPIPE : give(to, room, qualifier, sizeof(qualifier));
	case 15:
		return super ? give(to, room, store, sizeof(store)) : -EPIPE;
	}
	return -EPIPE;
}

static int standard(const struct device *d, const u8 *setup, u8 *data, u32 length)
{
	const u8 status[2] = { 1, 0 }, one = 1, zero = 0;

	switch (setup[1]) {
	case 0: /* GET_STATUS */
		return give(data, length, status, 2);
	case 1: /* CLEAR_FEATURE */
	case 3: /* SET_FEATURE */
	case 9: /* SET_CONFIGURATION */
	case 48: /* SET_SEL */
	case 49: /* SET_ISOCH_DELAY */
		return 0;
	case 6: /* GET_DESCRIPTOR */
		return give_descriptor(d, data, length, setup[3], setup[2]);
	case 8: /* GET_CONFIGURATION */
		return give(data, length, &one, 1);
	case 10: /* GET_INTERFACE */
		return give(data, length, &zero, 1);
	case 11: /* SET_INTERFACE: there is no alternate */
		return setup[2] ? -EPIPE : 0;
	}
	return -EPIPE;
}

/* A descriptor that the class defines is asked for with a standard request. */
static int control(const struct device *d, struct urb *u)
{
	const u8 *setup = u->pdu.setup;
	bool class_descriptor = setup[0] == 0x81 && setup[1] == 6;

	if ((setup[0] & 0x60) == 0 && !class_descriptor)
		return standard(d, setup, u->data, u->request.length);
	return d->control(setup, u->data, u->request.length);
}

/* ---- the rest ------------------------------------------------------------ */

static bool all_zeros(const u8 *data, u32 bytes)
{
	return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

/*
 * Every packet moves all it asks for, of zeros; behind each other, no gaps. What
 * comes has to be zeros too: usbtest sends no other isochronous bytes.
 */
static int isochronous(struct urb *u)
{
	bool in = u->request.direction == UR_DIR_IN;
	u32 i, sum = 0;

	for (i = 0; i < u->packets; i++) {
		u->iso[i].actual_length = u->iso[i].length;
		u->iso[i].status = 0;
		sum += u->iso[i].length;
	}
	if (sum > u->request.length || (!in && !all_zeros(u->data, sum)))
		return -EPIPE;
	if (in)
		memset(u->data, 0, sum);
	return (int)sum;
}

static int carry_out(const struct device *d, struct urb *u)
{
	struct transfer t = {
		.in = u->request.direction == UR_DIR_IN,
		.ep = u->pdu.ep,
		.data = u->data,
		.length = u->request.length,
	};

	if (u->packets)
		return isochronous(u);
	return t.ep == 0 ? control(d, u) : d->transfer(&t);
}

static bool unlink_urb(struct session *s, const struct urb *u)
{
	struct ur_pdu pdu = { .command = UR_RET_UNLINK, .seqnum = u->pdu.seqnum };
	unsigned int i;

	for (i = 0; i < s->pending_count; i++) {
		if (s->pending[i] != u->pdu.unlink_seqnum)
			continue;
		s->pending[i] = s->pending[--s->pending_count];
		pdu.status = (u32)-ECONNRESET;
		break;
	}
	return send_header(s, &pdu);
}

static bool answer(struct session *s, struct urb *u)
{
	int result;

	if (u->pdu.command == UR_CMD_UNLINK)
		return unlink_urb(s, u);
	result = carry_out(s->device, u);
	if (result != DEVICE_PENDING)
		return send_answer(s, u, result);
	if (s->pending_count == PENDING_MAX)
		return false;
	s->pending[s->pending_count++] = u->pdu.seqnum;
	return true;
}

void device_run(int fd, const struct device *d, u32 devid)
{
	struct session s = { .fd = fd, .device = d, .devid = devid };
	static struct urb u;

	d->reset();
	while (receive_urb(&s, &u) && answer(&s, &u))
		continue;
}
