// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* /sys/class/usbroute/usbrouteN/: one file per number of struct usbroute_info. */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "node.h"

struct ur_attribute {
	struct device_attribute attr;
	size_t offset;
	size_t bytes;
};

static ssize_t number_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct ur_attribute *a = container_of(attr, struct ur_attribute, attr);
	struct usbroute_info info;
	const void *at = (const void *)&info + a->offset;

	ur_node_info(container_of(dev, struct ur_node, dev), &info);
	if (a->bytes == sizeof(u32))
		return sysfs_emit(buf, "%u\n", *(const u32 *)at);
	return sysfs_emit(buf, "%llu\n", *(const u64 *)at);
}

#define NUMBER(field)							\
	static struct ur_attribute attr_##field = {			\
		.attr = __ATTR(field, 0444, number_show, NULL),		\
		.offset = offsetof(struct usbroute_info, field),	\
		.bytes = sizeof_field(struct usbroute_info, field),	\
	}

NUMBER(channels);
NUMBER(ring_bytes);
NUMBER(outbox_bytes);
NUMBER(epoch);
NUMBER(peer_epoch);
NUMBER(channels_open);
NUMBER(high_water);
NUMBER(bytes_sent);
NUMBER(bytes_received);
NUMBER(doorbells_sent);
NUMBER(doorbells_suppressed);
NUMBER(doorbells_received);
NUMBER(stalls_room);
NUMBER(stalls_data);
NUMBER(calls);
NUMBER(accepts);
NUMBER(refusals);
NUMBER(peer_epochs);
NUMBER(faults);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	static const char *const names[] = { "down", "up", "broken" };
	struct usbroute_info info;

	ur_node_info(container_of(dev, struct ur_node, dev), &info);
	return sysfs_emit(buf, "%s\n", names[info.state]);
}
static DEVICE_ATTR_RO(state);

static ssize_t fault_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct usbroute_info info;

	ur_node_info(container_of(dev, struct ur_node, dev), &info);
	if (!info.fault)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%s channel %u got %#x expected %#x\n",
			  info.fault_name, info.fault_channel, info.fault_got,
			  info.fault_want);
}
static DEVICE_ATTR_RO(fault);

static ssize_t end_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	struct ur_node *node = container_of(dev, struct ur_node, dev);

	return sysfs_emit(buf, "%c\n", node->binding.end == UR_END_A ? 'A' : 'B');
}
static DEVICE_ATTR_RO(end);

static ssize_t binding_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct ur_node *node = container_of(dev, struct ur_node, dev);

	return sysfs_emit(buf, "%s\n", node->binding.name);
}
static DEVICE_ATTR_RO(binding);

static ssize_t storms_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct ur_node *node = container_of(dev, struct ur_node, dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(node->damper.storms));
}
static DEVICE_ATTR_RO(storms);

static ssize_t doorbells_lost_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	struct ur_node *node = container_of(dev, struct ur_node, dev);

	return sysfs_emit(buf, "%llu\n",
			  (u64)atomic64_read(&node->doorbells_lost));
}
static DEVICE_ATTR_RO(doorbells_lost);

static struct attribute *attributes[] = {
	&dev_attr_state.attr,
	&dev_attr_fault.attr,
	&dev_attr_end.attr,
	&dev_attr_binding.attr,
	&attr_channels.attr.attr,
	&attr_ring_bytes.attr.attr,
	&attr_outbox_bytes.attr.attr,
	&attr_epoch.attr.attr,
	&attr_peer_epoch.attr.attr,
	&attr_channels_open.attr.attr,
	&attr_high_water.attr.attr,
	&attr_bytes_sent.attr.attr,
	&attr_bytes_received.attr.attr,
	&attr_doorbells_sent.attr.attr,
	&attr_doorbells_suppressed.attr.attr,
	&attr_doorbells_received.attr.attr,
	&dev_attr_doorbells_lost.attr,
	&dev_attr_storms.attr,
	&attr_stalls_room.attr.attr,
	&attr_stalls_data.attr.attr,
	&attr_calls.attr.attr,
	&attr_accepts.attr.attr,
	&attr_refusals.attr.attr,
	&attr_peer_epochs.attr.attr,
	&attr_faults.attr.attr,
	NULL,
};

static const struct attribute_group group = { .attrs = attributes };

const struct attribute_group *ur_sysfs_groups[] = { &group, NULL };
