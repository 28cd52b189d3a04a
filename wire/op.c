// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Each piece: its check, then its reader and its writer, which both call it.
 * A reader reads every field and then asks once whether they were all there; a
 * writer asks once whether there is room and then writes every field.
 */
#include "op.h"

const char *ur_op_status_text(u32 status)
{
	static const char *const texts[] = {
		[UR_OP_OK] = "ok",
		[UR_OP_NA] = "failed, no reason given",
		[UR_OP_DEV_BUSY] = "device busy: another client has it",
		[UR_OP_DEV_ERR] = "device in error state",
		[UR_OP_NODEV] = "no such device is exported",
		[UR_OP_ERROR] = "request not understood",
	};

	if (status > UR_OP_ERROR)
		return "unknown status";
	return texts[status];
}

u32 ur_op_devid(const struct ur_op_device *device)
{
	return device->busnum << 16 | device->devnum;
}

/* header */

static const struct message {
	u16 code;
	enum ur_travel travel;
	enum ur_op_body body;
} messages[] = {
	{ UR_OP_REQ_DEVLIST, UR_TO_DEVICE, UR_OP_BODY_NONE },
	{ UR_OP_REQ_IMPORT, UR_TO_DEVICE, UR_OP_BODY_BUSID },
	{ UR_OP_REP_DEVLIST, UR_TO_CLIENT, UR_OP_BODY_LIST },
	{ UR_OP_REP_IMPORT, UR_TO_CLIENT, UR_OP_BODY_DEVICE },
};

enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static const struct message *message_of(u16 code)
{
	u32 i;

	for (i = 0; i < MESSAGES; i++)
		if (messages[i].code == code)
			return &messages[i];
	return NULL;
}

static int check_header(const struct ur_op_header *header,
			enum ur_travel travel, struct ur_refusal *why)
{
	const struct message *message = message_of(header->code);

	if (!message || message->travel != travel)
		return travel == UR_TO_DEVICE ?
			       ur_refuse(why, UR_PEER_MALFORMED, "OP code",
					 "a request like", header->code,
					 UR_OP_REQ_IMPORT) :
			       ur_refuse(why, UR_PEER_MALFORMED, "OP code",
					 "a reply like", header->code,
					 UR_OP_REP_IMPORT);
	if (travel == UR_TO_DEVICE && header->status != 0)
		return ur_refuse_other(why, "status of a request",
				       header->status, 0);
	if (header->status > UR_OP_ERROR)
		return ur_refuse_above(why, "status", header->status,
				       UR_OP_ERROR);
	return 0;
}

int ur_op_header_read(struct ur_reader *r, enum ur_travel travel,
		      struct ur_op_header *header, struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);
	u16 version = ur_reader_u16(r);

	header->code = ur_reader_u16(r);
	header->status = ur_reader_u32(r);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "OP header bytes", got,
					UR_OP_HEADER_BYTES);
	if (version != UR_OP_VERSION)
		return ur_refuse_other(why, "USB/IP version", version,
				       UR_OP_VERSION);
	return check_header(header, travel, why);
}

int ur_op_header_write(struct ur_writer *w, enum ur_travel travel,
		       const struct ur_op_header *header,
		       struct ur_refusal *why)
{
	if (check_header(header, travel, why) ||
	    ur_require_room(w, UR_OP_HEADER_BYTES, "room for an OP header",
			    why))
		return UR_BUG_INVALID;
	ur_writer_u16(w, UR_OP_VERSION);
	ur_writer_u16(w, header->code);
	ur_writer_u32(w, header->status);
	return 0;
}

enum ur_op_body ur_op_body(const struct ur_op_header *header)
{
	const struct message *message = message_of(header->code);

	if (!message || header->status != UR_OP_OK)
		return UR_OP_BODY_NONE;
	return message->body;
}

/* strings */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool is_busid(char c)
{
	return is_alnum(c) || c == '.' || c == ':' || c == '_' || c == '-';
}

static bool is_printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* Up to the first NUL, or `size` if there is none. */
static u32 length_of(const char *field, u32 size)
{
	u32 i;

	for (i = 0; i < size; i++)
		if (field[i] == '\0')
			return i;
	return size;
}

/* "String closed with zero byte ... unused bytes shall be filled with zero". */
static int check_filled(const char *field, u32 size, const char *name,
			struct ur_refusal *why)
{
	u32 length = length_of(field, size);
	u32 i;

	if (length == 0)
		return ur_refuse(why, UR_PEER_MALFORMED, name, "at least", 0,
				 1);
	if (length == size)
		return ur_refuse_above(why, name, length, size - 1);
	for (i = length; i < size; i++)
		if (field[i] != '\0')
			return ur_refuse_other(why, name, (u8)field[i], 0);
	return 0;
}

static int refuse_char(struct ur_refusal *why, const char *name,
		       const char *rule, char c)
{
	return ur_refuse(why, UR_PEER_MALFORMED, name, rule, (u8)c, '1');
}

static int check_busid(const struct ur_op_busid *busid, struct ur_refusal *why)
{
	const char *text = busid->text;
	int error = check_filled(text, UR_OP_BUSID_BYTES, "busid", why);
	u32 length = length_of(text, UR_OP_BUSID_BYTES);
	u32 i;

	if (error)
		return error;
	if (!is_alnum(text[0]))
		return refuse_char(why, "busid", "a letter or digit like",
				   text[0]);
	for (i = 1; i < length; i++)
		if (!is_busid(text[i]))
			return refuse_char(why, "busid",
					   "a letter, digit, . : _ - like",
					   text[i]);
	return 0;
}

static int check_path(const char *path, struct ur_refusal *why)
{
	int error = check_filled(path, UR_OP_PATH_BYTES, "path", why);
	u32 length = length_of(path, UR_OP_PATH_BYTES);
	u32 i;

	if (error)
		return error;
	for (i = 0; i < length; i++)
		if (!is_printable(path[i]))
			return refuse_char(why, "path", "printable ASCII like",
					   path[i]);
	return 0;
}

/* busid */

int ur_op_busid_set(struct ur_op_busid *busid, const char *text,
		    struct ur_refusal *why)
{
	u32 i;

	ur_zero(busid, sizeof(*busid));
	for (i = 0; i < UR_OP_BUSID_BYTES && text[i] != '\0'; i++)
		busid->text[i] = text[i];
	return check_busid(busid, why) ? UR_BUG_INVALID : 0;
}

int ur_op_busid_read(struct ur_reader *r, struct ur_op_busid *busid,
		     struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);

	ur_reader_bytes(r, (u8 *)busid->text, UR_OP_BUSID_BYTES);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "busid bytes", got,
					UR_OP_BUSID_BYTES);
	return check_busid(busid, why);
}

int ur_op_busid_write(struct ur_writer *w, const struct ur_op_busid *busid,
		      struct ur_refusal *why)
{
	if (check_busid(busid, why) ||
	    ur_require_room(w, UR_OP_BUSID_BYTES, "room for a busid", why))
		return UR_BUG_INVALID;
	ur_writer_bytes(w, (const u8 *)busid->text, UR_OP_BUSID_BYTES);
	return 0;
}

/* count */

static int check_count(u32 count, struct ur_refusal *why)
{
	if (count > UR_OP_DEVICES_MAX)
		return ur_refuse_too_big(why, "number of devices", count,
					 UR_OP_DEVICES_MAX);
	return 0;
}

int ur_op_count_read(struct ur_reader *r, u32 *count, struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);

	*count = ur_reader_u32(r);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "count bytes", got,
					UR_OP_COUNT_BYTES);
	return check_count(*count, why);
}

int ur_op_count_write(struct ur_writer *w, u32 count, struct ur_refusal *why)
{
	if (check_count(count, why) ||
	    ur_require_room(w, UR_OP_COUNT_BYTES, "room for a count", why))
		return UR_BUG_INVALID;
	ur_writer_u32(w, count);
	return 0;
}

/* device */

static int check_device(const struct ur_op_device *device,
			struct ur_refusal *why)
{
	int error = check_path(device->path, why);

	if (!error)
		error = check_busid(&device->busid, why);
	if (error)
		return error;
	if (device->busnum > UR_OP_NUMBER_MAX)
		return ur_refuse_above(why, "busnum", device->busnum,
				       UR_OP_NUMBER_MAX);
	if (device->devnum > UR_OP_NUMBER_MAX)
		return ur_refuse_above(why, "devnum", device->devnum,
				       UR_OP_NUMBER_MAX);
	if (device->speed > UR_SPEED_SUPER_PLUS)
		return ur_refuse_above(why, "speed", device->speed,
				       UR_SPEED_SUPER_PLUS);
	if (device->interfaces > UR_OP_INTERFACES_MAX)
		return ur_refuse_too_big(why, "bNumInterfaces",
					 device->interfaces,
					 UR_OP_INTERFACES_MAX);
	return 0;
}

int ur_op_device_read(struct ur_reader *r, struct ur_op_device *device,
		      struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);

	ur_reader_bytes(r, (u8 *)device->path, UR_OP_PATH_BYTES);
	ur_reader_bytes(r, (u8 *)device->busid.text, UR_OP_BUSID_BYTES);
	device->busnum = ur_reader_u32(r);
	device->devnum = ur_reader_u32(r);
	device->speed = ur_reader_u32(r);
	device->vendor = ur_reader_u16(r);
	device->product = ur_reader_u16(r);
	device->bcd_device = ur_reader_u16(r);
	device->device_class = ur_reader_u8(r);
	device->device_subclass = ur_reader_u8(r);
	device->device_protocol = ur_reader_u8(r);
	device->configuration = ur_reader_u8(r);
	device->configurations = ur_reader_u8(r);
	device->interfaces = ur_reader_u8(r);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "device bytes", got,
					UR_OP_DEVICE_BYTES);
	return check_device(device, why);
}

int ur_op_device_write(struct ur_writer *w, const struct ur_op_device *device,
		       struct ur_refusal *why)
{
	if (check_device(device, why) ||
	    ur_require_room(w, UR_OP_DEVICE_BYTES, "room for a device", why))
		return UR_BUG_INVALID;
	ur_writer_bytes(w, (const u8 *)device->path, UR_OP_PATH_BYTES);
	ur_writer_bytes(w, (const u8 *)device->busid.text, UR_OP_BUSID_BYTES);
	ur_writer_u32(w, device->busnum);
	ur_writer_u32(w, device->devnum);
	ur_writer_u32(w, device->speed);
	ur_writer_u16(w, device->vendor);
	ur_writer_u16(w, device->product);
	ur_writer_u16(w, device->bcd_device);
	ur_writer_u8(w, device->device_class);
	ur_writer_u8(w, device->device_subclass);
	ur_writer_u8(w, device->device_protocol);
	ur_writer_u8(w, device->configuration);
	ur_writer_u8(w, device->configurations);
	ur_writer_u8(w, device->interfaces);
	return 0;
}

/* interface */

int ur_op_interface_read(struct ur_reader *r, struct ur_op_interface *interface,
			 struct ur_refusal *why)
{
	size_t got = ur_reader_remaining(r);

	interface->interface_class = ur_reader_u8(r);
	interface->interface_subclass = ur_reader_u8(r);
	interface->interface_protocol = ur_reader_u8(r);
	ur_reader_skip(r, 1);
	if (!ur_reader_is_ok(r))
		return ur_refuse_length(why, "interface bytes", got,
					UR_OP_INTERFACE_BYTES);
	return 0;
}

int ur_op_interface_write(struct ur_writer *w,
			  const struct ur_op_interface *interface,
			  struct ur_refusal *why)
{
	if (ur_require_room(w, UR_OP_INTERFACE_BYTES, "room for an interface",
			    why))
		return UR_BUG_INVALID;
	ur_writer_u8(w, interface->interface_class);
	ur_writer_u8(w, interface->interface_subclass);
	ur_writer_u8(w, interface->interface_protocol);
	ur_writer_zeros(w, 1);
	return 0;
}
