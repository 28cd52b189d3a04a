// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "clock.h"
#include "say.h"

/*
 * After a client let go, usbip-host resets the device before it is free again:
 * some 100 ms on real hardware. sysfs has no event for it, so we look.
 */
#define PATIENCE_MS 2000
#define RETRY_MS 50

void ur_talk_start(struct ur_talk *talk, int fd, u32 channel, u64 deadline_ms)
{
	memset(talk, 0, sizeof(*talk));
	talk->state = UR_TALK_READING;
	talk->fd = fd;
	talk->channel = channel;
	talk->deadline_ms = deadline_ms;
	ur_op_framer_init(&talk->request, UR_TO_DEVICE);
}

short ur_talk_events(const struct ur_talk *talk)
{
	switch (talk->state) {
	case UR_TALK_READING:
		return POLLIN;
	case UR_TALK_ANSWERING:
		return POLLOUT;
	default:
		return 0;
	}
}

u64 ur_talk_due_ms(const struct ur_talk *talk)
{
	return talk->state == UR_TALK_WAITING ? talk->retry_ms :
						talk->deadline_ms;
}

void ur_talk_stop(struct ur_talk *talk)
{
	/* Closing alone would leave the kernel waiting on its own reference. */
	if (talk->is_handed_over)
		shutdown(talk->fd, SHUT_RDWR);
	close(talk->fd);
	free(talk->answer);
	memset(talk, 0, sizeof(*talk));
}

static void drop(struct ur_talk *talk, const char *why)
{
	ur_say("channel %u: %s", talk->channel, why);
	ur_talk_stop(talk);
}

static void drop_refused(struct ur_talk *talk, const struct ur_refusal *why)
{
	ur_say("channel %u: refused: %s: got %u, want %s %u", talk->channel,
	       why->field, why->got, why->rule, why->want);
	ur_talk_stop(talk);
}

/* Answering */

static void send_answer(struct ur_talk *talk)
{
	ssize_t put = send(talk->fd, talk->answer + talk->answered,
			   talk->answer_bytes - talk->answered,
			   MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		drop(talk, "the client left before it had the answer");
		return;
	}
	talk->answered += put > 0 ? (u32)put : 0;
	if (talk->answered < talk->answer_bytes)
		return;
	talk->is_handed_over = false;	/* the client knows: it is the kernel's */
	ur_talk_stop(talk);
}

/* Room for an answer of at most that many bytes. */
static bool begin_answer(struct ur_talk *talk, struct ur_writer *writer,
			 size_t most)
{
	talk->answer = malloc(most);
	if (!talk->answer) {
		drop(talk, "out of memory for an answer");
		return false;
	}
	ur_writer_init(writer, talk->answer, most);
	return true;
}

static void end_answer(struct ur_talk *talk, const struct ur_writer *writer)
{
	talk->answer_bytes = (u32)ur_writer_used(writer);
	talk->state = UR_TALK_ANSWERING;
	send_answer(talk);
}

/* The device list */

static int write_item(struct ur_writer *writer, const struct ur_device *item,
		      struct ur_refusal *why)
{
	int error = ur_op_device_write(writer, &item->op, why);
	u32 i;

	for (i = 0; !error && i < item->interface_count; i++)
		error = ur_op_interface_write(writer, &item->interfaces[i].op,
					      why);
	return error;
}

static int write_list(struct ur_writer *writer,
		      const struct ur_device_list *list, struct ur_refusal *why)
{
	struct ur_op_header header = { .code = UR_OP_REP_DEVLIST };
	int error = ur_op_header_write(writer, UR_TO_CLIENT, &header, why);
	u32 i;

	if (!error)
		error = ur_op_count_write(writer, list->count, why);
	for (i = 0; !error && i < list->count; i++)
		error = write_item(writer, &list->items[i], why);
	return error;
}

static size_t list_bytes(const struct ur_device_list *list)
{
	return UR_OP_HEADER_BYTES + UR_OP_COUNT_BYTES +
	       (size_t)list->count *
	       (UR_OP_DEVICE_BYTES +
		UR_OP_INTERFACES_MAX * UR_OP_INTERFACE_BYTES);
}

static void answer_list(struct ur_talk *talk, struct ur_exporter *exporter)
{
	struct ur_device_list list = { 0 };
	struct ur_refusal why;
	struct ur_writer writer;

	if (ur_exporter_list(exporter, &list) < 0) {
		drop(talk, "no list to send");
	} else if (begin_answer(talk, &writer, list_bytes(&list))) {
		ur_say("channel %u: list: %u devices", talk->channel,
		       list.count);
		if (write_list(&writer, &list, &why))
			drop_refused(talk, &why);
		else
			end_answer(talk, &writer);
	}
	ur_device_list_free(&list);
}

/* Import */

static void answer_import(struct ur_talk *talk, u32 status,
			  const struct ur_op_device *device)
{
	struct ur_op_header header = { UR_OP_REP_IMPORT, status };
	struct ur_refusal why;
	struct ur_writer writer;

	if (!begin_answer(talk, &writer,
			  UR_OP_HEADER_BYTES + UR_OP_DEVICE_BYTES))
		return;
	if (ur_op_header_write(&writer, UR_TO_CLIENT, &header, &why) ||
	    (status == UR_OP_OK && ur_op_device_write(&writer, device, &why)))
		drop_refused(talk, &why);
	else
		end_answer(talk, &writer);
}

static void try_import(struct ur_talk *talk, struct ur_exporter *exporter)
{
	struct ur_op_device device;
	u32 status = ur_exporter_import(exporter, &talk->request.busid, talk->fd,
					&device);
	u64 now = ur_now_ms();

	if (status == UR_OP_DEV_BUSY && now < talk->patience_ms) {
		talk->state = UR_TALK_WAITING;
		talk->retry_ms = now + RETRY_MS;
		return;
	}
	talk->is_handed_over = status == UR_OP_OK;
	ur_say("channel %u: import %s: %s", talk->channel, talk->request.busid.text,
	       ur_op_status_text(status));
	answer_import(talk, status, &device);
}

/* Reading */

static void begin_import(struct ur_talk *talk, struct ur_exporter *exporter)
{
	talk->patience_ms = ur_now_ms() + PATIENCE_MS;
	/* Time must be left for the answer. */
	if (talk->patience_ms > talk->deadline_ms - RETRY_MS * 2)
		talk->patience_ms = talk->deadline_ms - RETRY_MS * 2;
	try_import(talk, exporter);
}

/* An import of what cannot be a busid is answered; the rest is no USB/IP. */
static void refuse(struct ur_talk *talk)
{
	const struct ur_refusal *why = &talk->request.why;

	if (talk->request.next != UR_OP_BUSID) {
		drop_refused(talk, why);
		return;
	}
	ur_say("channel %u: import of no device: %s: got %u, want %s %u",
	       talk->channel, why->field, why->got, why->rule, why->want);
	answer_import(talk, UR_OP_ERROR, NULL);
}

/* Bytes of the current piece, no more. Whether there were any. */
static bool receive(struct ur_talk *talk)
{
	u8 bytes[UR_OP_DEVICE_BYTES];
	ssize_t got = recv(talk->fd, bytes, ur_op_framer_wants(&talk->request),
			   MSG_DONTWAIT);
	size_t taken;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		drop(talk, got ? "lost while it asked" : "ended without asking");
		return false;
	}
	if (ur_op_framer_take(&talk->request, bytes, (size_t)got, &taken) < 0) {
		refuse(talk);
		return false;
	}
	return true;
}

static void read_request(struct ur_talk *talk, struct ur_exporter *exporter)
{
	bool is_whole = false;

	while (!is_whole && receive(talk))
		is_whole = ur_op_framer_wants(&talk->request) == 0;
	if (!is_whole)
		return;
	if (talk->request.header.code == UR_OP_REQ_DEVLIST)
		answer_list(talk, exporter);
	else
		begin_import(talk, exporter);
}

void ur_talk_step(struct ur_talk *talk, struct ur_exporter *exporter, bool gone)
{
	u64 now = ur_now_ms();

	if (talk->state != UR_TALK_FREE && now >= talk->deadline_ms) {
		drop(talk, "too slow, ended");
		return;
	}
	switch (talk->state) {
	case UR_TALK_FREE:
		break;
	case UR_TALK_READING:
		read_request(talk, exporter);
		break;
	case UR_TALK_WAITING:
		if (gone)
			drop(talk, "the client left while the device was busy");
		else if (now >= talk->retry_ms)
			try_import(talk, exporter);
		break;
	case UR_TALK_ANSWERING:
		send_answer(talk);
		break;
	}
}
