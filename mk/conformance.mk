# SPDX-License-Identifier: BSD-2-Clause
# `make conformance`: test suites that nobody here wrote, through the route, beside
# the same suites without it.

CONF_DIR := $(BUILD_DIR)/conformance
CONF_IMAGE := $(CONF_DIR)/guest.cpio.gz
CONF_TOOLS := $(CONF_DIR)/tools.img
CONF_GUEST := $(BUILD_DIR)/guest/amd64
CONF_OWN := $(CONF_DIR)/urbmon $(CONF_DIR)/usbdo $(CONF_DIR)/tap $(CONF_DIR)/keys
CONF_PROGRAMS := fio mke2fs e2fsck badblocks bash lsusb modprobe depmod
# The tarball of Debian's package; nothing of it is kept in this tree.
CONF_TARBALL ?= $(firstword $(wildcard /usr/src/linux-source-6.1.tar.xz))
CONF_KERNEL := $(CONF_DIR)/kernel

$(CONF_OWN): $(CONF_DIR)/%: tests/conformance/guest/%.c guest/uapi/usbroute.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -o $@ $<

# testusb and the selftest's script; nothing, where the package is not installed.
CONF_SOURCES := tools/usb/testusb.c tools/testing/selftests/drivers/usb/usbip/usbip_test.sh
$(CONF_KERNEL)/unpacked: $(CONF_TARBALL)
	@mkdir -p $(@D)
	tar -xf $< -C $(@D) --strip-components=1 --wildcards $(CONF_SOURCES:%='*/%')
	$(CC) -O2 -static -pthread -o $(@D)/testusb $(@D)/tools/usb/testusb.c
	@touch $@

CONF_FOUND = $(foreach p,$(CONF_PROGRAMS),$(shell PATH="$$PATH:/usr/sbin:/sbin" command -v $(p)))
CONF_FILES = $(CONF_OWN) $(BENCH_DISK) $(if $(CONF_TARBALL),$(CONF_KERNEL)/testusb $(CONF_KERNEL)/$(lastword $(CONF_SOURCES)))

# Remade when what is on this machine has changed.
$(CONF_DIR)/found: FORCE
	@mkdir -p $(@D)
	@echo '$(CONF_FOUND) $(CONF_FILES)' | cmp -s - $@ || echo '$(CONF_FOUND) $(CONF_FILES)' >$@

$(CONF_TOOLS): tests/conformance/mktools $(CONF_OWN) $$(BENCH_DISK) $(if $(CONF_TARBALL),$(CONF_KERNEL)/unpacked) $(CONF_DIR)/found
	tests/conformance/mktools $@ $(CONF_PROGRAMS) $(foreach f,$(CONF_FILES),$(f):bin/$(notdir $(f)))

# Beside the shim's guest: drivers of more of QEMU's devices, and of the disks.
CONF_MODULES := virtio_blk virtio_pci virtio_net rndis_host cdc_ether
ifeq ($(ARCH),amd64)
# $$: the names come from files read later.
$(CONF_IMAGE): $$(INITRAMFS) $$(image_sources) $$(SHIM) $$(SHIM_DEVICE)
	images/mkinitramfs $(CONF_GUEST) $@ $(image_options) $(CONF_MODULES:%=-m %) \
		-s /usr/sbin/usbip -s /usr/sbin/usbipd \
		-f $(CONF_GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids \
		-f $(SHIM):/usr/lib/libusbroute-preload.so -p $(SHIM_DEVICE):/usr/bin/usbip-device
endif

CONF_READY = $(QEMU_READY) $(CONF_IMAGE) $(CONF_TOOLS)

## make conformance [SHORT=1] [WAYS="direct guarded"] [PARTS="usbtest usbmon"]
##                   foreign suites through the route, and docs/conformance.md from what they say
conformance:
	@$(MAKE) deps
	@mk/deps.sh mk/oracles.txt || true
	@echo "building (V=1 shows how)"
	@$(MAKE) conformance-ready
	@tests/conformance/conformance.py $(if $(filter 1,$(SHORT)),--short) \
		$(if $(WAYS),--ways '$(WAYS)') $(if $(PARTS),--parts '$(PARTS)') \
		$(if $(WAYS)$(PARTS),,--document docs/conformance.md)

conformance-ready: $$(CONF_READY)

.PHONY: conformance conformance-ready

BESIDE_SUITES += conformance
suite-conformance = tests/conformance/conformance.py --tap
suite-conformance.deps = $(CONF_READY)
