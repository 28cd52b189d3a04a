// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "ask.h"
#include "op_framer.h"
#include "say.h"
#include "selector.h"
#include "stream.h"

/* One exchange: a request, then its reply piece by piece. */
struct talk {
	int fd;
	u64 deadline_ms;
	struct ur_op_framer reply;
};

static enum ur_exit say_stream(const char *what, int error)
{
	switch (error) {
	case UR_PEER_CLOSED:
		ur_say("the other side ended the connection before %s", what);
		return UR_EXIT_PEER_GONE;
	case -ETIMEDOUT:
		ur_say("the other side is silent: waited too long for %s",
		       what);
		return UR_EXIT_PEER_GONE;
	default:
		errno = -error;
		ur_say("lost the other side before %s: %m", what);
		return UR_EXIT_PEER_GONE;
	}
}

static enum ur_exit say_refusal(const char *what, const struct ur_refusal *why)
{
	ur_say("%s is not USB/IP: %s: got %u, want %s %u", what, why->field,
	       why->got, why->rule, why->want);
	return UR_EXIT_FAILED;
}

static enum ur_exit request(struct talk *talk, u16 code,
			    const struct ur_op_busid *busid)
{
	struct ur_op_header header = { .code = code };
	u8 bytes[UR_OP_HEADER_BYTES + UR_OP_BUSID_BYTES];
	struct ur_refusal why;
	struct ur_writer writer;
	int error;

	ur_op_framer_init(&talk->reply, UR_TO_CLIENT);
	ur_writer_init(&writer, bytes, sizeof(bytes));
	if (ur_op_header_write(&writer, UR_TO_DEVICE, &header, &why) ||
	    (busid && ur_op_busid_write(&writer, busid, &why)))
		return say_refusal("our request", &why);
	error = ur_stream_write(talk->fd, bytes, ur_writer_used(&writer),
				talk->deadline_ms);
	return error ? say_stream("it took our request", error) : UR_EXIT_OK;
}

/* The next piece of the reply; UR_OP_END when it is whole. */
static enum ur_exit next_piece(struct talk *talk, int *piece)
{
	u32 wants = ur_op_framer_wants(&talk->reply);
	u8 bytes[UR_OP_DEVICE_BYTES];
	size_t taken;
	int error;

	error = ur_stream_read(talk->fd, bytes, wants, talk->deadline_ms);
	if (error)
		return say_stream("the end of its answer", error);
	*piece = ur_op_framer_take(&talk->reply, bytes, wants, &taken);
	return *piece < 0 ? say_refusal("the answer", &talk->reply.why) :
			    UR_EXIT_OK;
}

/* The reply's first piece; it must answer what was asked. */
static enum ur_exit reply(struct talk *talk, u16 want, u32 *status)
{
	const struct ur_op_header *header = &talk->reply.header;
	struct ur_refusal why;
	enum ur_exit exit;
	int piece;

	exit = next_piece(talk, &piece);
	if (exit)
		return exit;
	if (header->code != want) {
		ur_refuse_other(&why, "OP code", header->code, want);
		return say_refusal("the answer", &why);
	}
	*status = header->status;
	return UR_EXIT_OK;
}

static enum ur_exit take_piece(const struct talk *talk, int piece,
			       struct ur_device_list *list)
{
	struct ur_device *item;

	if (piece == UR_OP_DEVICE) {
		item = ur_device_list_add(list);
		if (!item)
			return UR_EXIT_FAILED;
		item->op = talk->reply.device;
	} else if (piece == UR_OP_INTERFACE) {
		/* the reader bounds how many follow a device */
		item = &list->items[list->count - 1];
		item->interfaces[item->interface_count++].op =
			talk->reply.interface;
	}
	return UR_EXIT_OK;
}

enum ur_exit ur_ask_devices(int fd, u64 deadline_ms,
			    struct ur_device_list *list)
{
	struct talk talk = { .fd = fd, .deadline_ms = deadline_ms };
	enum ur_exit exit = request(&talk, UR_OP_REQ_DEVLIST, NULL);
	int piece = UR_OP_HEADER;
	u32 status = 0;

	if (!exit)
		exit = reply(&talk, UR_OP_REP_DEVLIST, &status);
	if (!exit && status != UR_OP_OK) {
		ur_say("the other side lists no devices: %s",
		       ur_op_status_text(status));
		return UR_EXIT_REFUSED;
	}
	while (!exit && piece != UR_OP_END) {
		exit = next_piece(&talk, &piece);
		if (!exit)
			exit = take_piece(&talk, piece, list);
	}
	return exit;
}

static enum ur_exit say_status(const struct ur_op_busid *busid, u32 status)
{
	ur_say("%s: %s", busid->text, ur_op_status_text(status));
	switch (status) {
	case UR_OP_NODEV:
		return UR_EXIT_NO_MATCH;
	case UR_OP_ERROR:
		return UR_EXIT_FAILED;
	default:
		return UR_EXIT_REFUSED;
	}
}

static bool is_serial(const struct ur_op_busid *busid)
{
	return strncmp(busid->text, UR_SERIAL_PREFIX,
		       strlen(UR_SERIAL_PREFIX)) == 0;
}

enum ur_exit ur_ask_import(int fd, u64 deadline_ms,
			   const struct ur_op_busid *busid,
			   struct ur_op_device *device)
{
	struct talk talk = { .fd = fd, .deadline_ms = deadline_ms };
	enum ur_exit exit = request(&talk, UR_OP_REQ_IMPORT, busid);
	u32 status = 0;
	int piece;

	if (!exit)
		exit = reply(&talk, UR_OP_REP_IMPORT, &status);
	if (!exit && status != UR_OP_OK)
		return say_status(busid, status);
	if (!exit)
		exit = next_piece(&talk, &piece);
	if (exit)
		return exit;
	*device = talk.reply.device;
	if (!is_serial(busid) &&
	    strcmp(device->busid.text, busid->text) != 0) {
		ur_say("asked for %s, was given %s", busid->text,
		       device->busid.text);
		return UR_EXIT_FAILED;
	}
	return UR_EXIT_OK;
}
