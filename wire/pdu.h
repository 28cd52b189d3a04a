/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The four USB/IP messages that carry URBs, and the packet descriptors behind
 * them: bytes to values and back. Numbers and layout: Linux's
 * Documentation/usb/usbip_protocol.rst ("the protocol" below).
 *
 *     0        4        8        12       16       20 (0x14)
 *     | command| seqnum | devid  | direct.| ep     |            every message
 *     20       24       28       32       36       40       48
 *     | flags  | length | start_ | number_| interv.| setup    |  CMD_SUBMIT
 *     |        |        | frame  | of_pack|        |          |
 *     | unlink_seqnum   | zero                                |  CMD_UNLINK
 *     | status | actual_| start_ | number_| error_ | zero     |  RET_SUBMIT
 *     |        | length | frame  | of_pack| count  |          |
 *     | status | zero                                         |  RET_UNLINK
 *     then the data, if any; then 16 bytes for each isochronous packet
 *
 * Promise. A struct ur_pdu that ur_pdu_read() accepted satisfies ur_pdu_check();
 *   ur_pdu_write() takes no other; writing what was read gives the same bytes.
 * Roles. Stateless. What one message tells is judged here, and whether an answer
 *   fits a request; which request it belongs to, what a device may be asked and
 *   whether the endpoint is isochronous at all knows only the caller.
 * Threads. None kept, none excluded: all state is the caller's.
 * Memory. Nothing is kept; every pointer is used during the call only.
 * Trust. The bytes are the peer's. A hostile peer can get a message refused
 *   (UR_PEER_*), and can choose every value that ur_pdu_check() does not bound:
 *   devid, transfer_flags, start_frame, interval, setup, status, error_count.
 */
#ifndef UR_PDU_H
#define UR_PDU_H

#include "cursor.h"
#include "refusal.h"
#include "travel.h"

/* Lengths on the wire, bytes. The protocol, usbip_header_basic and after. */
#define UR_PDU_HEADER_BYTES 48u
#define UR_PDU_SETUP_BYTES 8u /* USB 2.0 section 9.3 */
#define UR_ISO_BYTES 16u

/* The protocol: "command shall be". */
enum ur_pdu_command {
	UR_CMD_SUBMIT = 1,
	UR_CMD_UNLINK = 2,
	UR_RET_SUBMIT = 3,
	UR_RET_UNLINK = 4,
};

/* Where the data of a transfer goes, seen from the client. */
enum ur_direction {
	UR_DIR_OUT = 0,
	UR_DIR_IN = 1,
};

/* USB 2.0 section 8.3.2.2: an endpoint number has four bits. */
#define UR_EP_MAX 15u

/*
 * number_of_packets of a transfer that is not isochronous. The protocol wants
 * this value; Linux sends 0 as well (so does the protocol's own example).
 */
#define UR_PACKETS_NONE 0xffffffffu

/*
 * What we accept, our own choice within what the other side can hold.
 * transfer_bytes: bounds transfer_buffer_length and actual_length.
 * iso_packets: packets in one transfer. Linux's usbip drivers accept 1024
 *   (USBIP_MAX_ISO_PACKETS).
 */
struct ur_limits {
	u32 transfer_bytes;
	u32 iso_packets;
};

#define UR_TRANSFER_BYTES_DEFAULT (16u << 20)
#define UR_ISO_PACKETS_DEFAULT 1024u

/* Linux keeps both in a signed 32-bit int: a larger limit would admit less. */
#define UR_LIMIT_MAX 0x7fffffffu

static inline struct ur_limits ur_limits_default(void)
{
	struct ur_limits limits = {
		UR_TRANSFER_BYTES_DEFAULT,
		UR_ISO_PACKETS_DEFAULT,
	};

	return limits;
}

/* Whether both limits are at most UR_LIMIT_MAX. For our own configuration. */
bool ur_limits_is_valid(const struct ur_limits *limits) ur_must_check;

/*
 * One header in host integers. A field that its command does not have is 0.
 * status and error numbers are Linux's -errno in two's complement, unjudged.
 */
struct ur_pdu {
	u32 command;		/* enum ur_pdu_command */
	u32 seqnum;		/* any; Linux's vhci counts from 1 and comes
				 * round to 0 after 2^32 requests */
	u32 devid;		/* CMD: busnum << 16 | devnum */
	u32 direction;		/* CMD_SUBMIT: enum ur_direction */
	u32 ep;			/* CMD_SUBMIT: 0..15 */
	u32 transfer_flags;	/* CMD_SUBMIT: USBIP_URB_* of linux/usbip.h */
	u32 unlink_seqnum;	/* CMD_UNLINK: not its own seqnum */
	u32 status;		/* RET_* */
	u32 length;		/* transfer_buffer_length or actual_length */
	u32 start_frame;	/* *_SUBMIT, raw */
	u32 packets;		/* number_of_packets as sent, see below */
	u32 interval;		/* CMD_SUBMIT, raw */
	u32 error_count;	/* RET_SUBMIT, raw */
	u8 setup[UR_PDU_SETUP_BYTES];	/* CMD_SUBMIT, as sent */
};

/*
 * Whether `pdu` can be true and is within `limits`, for a message that travels
 * `travel`. The one validity predicate: reader, writer and proof use it.
 * UR_PEER_MALFORMED or UR_PEER_TOO_BIG, with `why` filled.
 */
int ur_pdu_check(const struct ur_pdu *pdu, enum ur_travel travel,
		 const struct ur_limits *limits,
		 struct ur_refusal *why) ur_must_check;

/*
 * Read one header of 48 bytes. 0, or as ur_pdu_check(); UR_PEER_MALFORMED also
 * if there are fewer bytes. On an error `pdu` must not be used.
 */
int ur_pdu_read(struct ur_reader *r, enum ur_travel travel,
		const struct ur_limits *limits, struct ur_pdu *pdu,
		struct ur_refusal *why) ur_must_check;

/*
 * Write one header of 48 bytes. UR_BUG_INVALID, nothing written and `why`
 * filled: `pdu` does not pass ur_pdu_check(), or the writer has no room.
 */
int ur_pdu_write(struct ur_writer *w, enum ur_travel travel,
		 const struct ur_limits *limits, const struct ur_pdu *pdu,
		 struct ur_refusal *why) ur_must_check;

/*
 * What must be remembered of a request to judge its answer: the header of an
 * answer has neither direction nor buffer length.
 */
struct ur_request {
	enum ur_direction direction;
	u32 length;		/* bytes of buffer the client has */
	u32 iso_packets;	/* 0: not isochronous */
};

/*
 * The request in a checked CMD_*. An unlink request is one without data.
 * Linux decides by the endpoint's type, not by the message, whether a transfer
 * is isochronous. Whoever knows the endpoints must compare the two: a packet
 * count for another type would shift every later message.
 */
struct ur_request ur_pdu_request(const struct ur_pdu *pdu) ur_must_check;

/*
 * Whether a checked header fits `request`: no more bytes than its buffer has,
 * and its number of packets. A request fits itself. UR_PEER_MALFORMED.
 */
int ur_pdu_fits(const struct ur_pdu *pdu, const struct ur_request *request,
		struct ur_refusal *why) ur_must_check;

/*
 * Bytes of data behind a checked header that fits `request`: CMD_SUBMIT carries
 * the buffer of an OUT transfer, RET_SUBMIT what an IN transfer brought.
 */
u32 ur_pdu_payload_bytes(const struct ur_pdu *pdu,
			 const struct ur_request *request) ur_must_check;

/* Packet descriptors behind the data: 0 unless the transfer is isochronous. */
u32 ur_pdu_iso_packets(const struct ur_pdu *pdu) ur_must_check;

/* One isochronous packet, iso_packet_descriptor of the protocol. */
struct ur_iso {
	u32 offset;		/* bytes, into the request's buffer */
	u32 length;		/* bytes asked for */
	u32 actual_length;	/* bytes that came or went; 0 in a request */
	u32 status;		/* as in struct ur_pdu */
};

/*
 * What the actual_length of all packets of a message must add up to: that of
 * the header for an answer, 0 for a request (Linux's usbip_recv_iso()).
 */
u32 ur_pdu_iso_actual(const struct ur_pdu *pdu) ur_must_check;

/*
 * Whether `iso` can belong to `request`, in the request itself or in the answer:
 * it lies inside the buffer, brought no more than it asked, and fits in what is
 * left of the sum. `actual_left` starts as ur_pdu_iso_actual() and is counted
 * down, so no sum can wrap; after the last packet it must be 0. Whether an
 * answer has the offsets of its request is for the caller to compare.
 * UR_PEER_MALFORMED, with `why` filled and `actual_left` as it was.
 */
int ur_iso_check(const struct ur_iso *iso, const struct ur_request *request,
		 u32 *actual_left, struct ur_refusal *why) ur_must_check;

/* Read 16 bytes, unjudged. UR_PEER_MALFORMED: there are fewer. */
int ur_iso_read(struct ur_reader *r, struct ur_iso *iso,
		struct ur_refusal *why) ur_must_check;

/* Write 16 bytes. UR_BUG_INVALID: no room, nothing written. */
int ur_iso_write(struct ur_writer *w, const struct ur_iso *iso,
		 struct ur_refusal *why) ur_must_check;

#endif
