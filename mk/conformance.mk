# SPDX-License-Identifier: BSD-2-Clause
# `make conformance`: test suites that nobody here wrote, through the route, beside
# the same suites without it.

CONF_DIR := $(BUILD_DIR)/conformance
CONF_IMAGE := $(CONF_DIR)/guest.cpio.gz
CONF_TOOLS := $(CONF_DIR)/tools.img
CONF_GUEST := $(BUILD_DIR)/guest/amd64
CONF_OWN := $(CONF_DIR)/urbmon $(CONF_DIR)/usbdo $(CONF_DIR)/tap
CONF_PROGRAMS := fio mke2fs e2fsck badblocks bash lsusb modprobe depmod
# The tarball of Debian's package; nothing of it is kept in this tree.
CONF_TARBALL ?= $(firstword $(wildcard /usr/src/linux-source-6.1.tar.xz))
CONF_KERNEL := $(CONF_DIR)/kernel

$(CONF_OWN): $(CONF_DIR)/%: tests/conformance/guest/%.c guest/uapi/usbroute.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -o $@ $<

# testusb and the selftest's script, or empty files' absence where the package is not installed.
CONF_SOURCES := tools/usb/testusb.c tools/testing/selftests/drivers/usb/usbip/usbip_test.sh
$(CONF_KERNEL)/unpacked: $(CONF_TARBALL) tests/conformance/packages.txt
	@mkdir -p $(@D)
	$(if $(CONF_TARBALL),tar -xf $(CONF_TARBALL) -C $(@D) --strip-components=1 --wildcards \
		$(CONF_SOURCES:%='*/%'))
	$(if $(CONF_TARBALL),$(CC) -O2 -static -pthread -o $(CONF_KERNEL)/testusb $(@D)/tools/usb/testusb.c)
	@touch $@

$(CONF_TOOLS): tests/conformance/mktools $(CONF_OWN) $(CONF_KERNEL)/unpacked
	tests/conformance/mktools $@ $(CONF_PROGRAMS) $(foreach f,$(CONF_OWN),$(f):bin/$(notdir $(f))) \
		$(CONF_KERNEL)/testusb:bin/testusb \
		$(CONF_KERNEL)/tools/testing/selftests/drivers/usb/usbip/usbip_test.sh:bin/usbip_test.sh

# Beside the shim's guest: drivers of more of QEMU's devices, and of the disks.
CONF_MODULES := virtio_blk virtio_pci virtio_net rndis_host cdc_ether
ifeq ($(ARCH),amd64)
$(CONF_IMAGE): $(SHIM_IMAGE)
	images/mkinitramfs $(CONF_GUEST) $@ $(image_options) $(CONF_MODULES:%=-m %) \
		-s /usr/sbin/usbip -s /usr/sbin/usbipd \
		-f $(CONF_GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids \
		-f $(SHIM):/usr/lib/libusbroute-preload.so -p $(SHIM_DEVICE):/usr/bin/usbip-device
endif

CONF_READY = $(QEMU_READY) $(CONF_IMAGE) $(CONF_TOOLS)

## make conformance [SHORT=1] [WAYS="direct guarded"] [PARTS="usbtest urbs"]
##                   foreign suites through the route, and docs/conformance.md from what they say
conformance:
	@$(MAKE) deps
	@mk/deps.sh tests/conformance/packages.txt || true
	@echo "building (V=1 shows how)"
	@$(MAKE) conformance-ready
	@tests/conformance/conformance.py $(if $(filter 1,$(SHORT)),--short) \
		$(if $(WAYS),--ways '$(WAYS)') $(if $(PARTS),--parts '$(PARTS)') \
		$(if $(WAYS)$(PARTS),,--document docs/conformance.md)

conformance-ready: $$(CONF_READY)

.PHONY: conformance conformance-ready

SLOW_SUITES += $(if $(filter 1,$(LONG)),conformance)
suite-conformance = tests/conformance/conformance.py --tap
suite-conformance.deps = $(CONF_READY)
