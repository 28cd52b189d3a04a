# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what the link costs, beside its rivals. Fails on no number.

BENCH_DIR := $(BUILD_DIR)/bench
BENCH_CABLE := $(BENCH_DIR)/cable
BENCH_DISK := $(BENCH_DIR)/disk
# One image for all rivals: the module and our command, and the stock tools.
BENCH_IMAGE := $(BENCH_DIR)/guest.cpio.gz
BENCH_GUEST := $(BUILD_DIR)/guest/amd64
BENCH_KMOD := $(BUILD_DIR)/kmod/amd64/usbroute.ko

# $$: the names come from files read later.
$(BENCH_CABLE): bench/cable.c $$(USER_LIB)
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -D_GNU_SOURCE $(USER_INC) -o $@ $< $(USER_LIB) -pthread

$(BENCH_DISK): bench/disk.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -D_GNU_SOURCE -static -s -o $@ $<

$(BENCH_IMAGE): $(BENCH_GUEST)/version $$(image_sources) $(BENCH_KMOD) $$(CLI) $(BENCH_DISK)
	images/mkinitramfs $(BENCH_GUEST) $@ -M images/modules.txt -k $(BENCH_KMOD) \
		-p $(CLI):/usr/bin/usbroute -s /usr/sbin/usbip -s /usr/sbin/usbipd -s /usr/bin/usbredirect \
		-f $(BENCH_GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids \
		-f $(BENCH_DISK):/usr/bin/disk

# Instructions are counted in an arm64 guest; without its compiler they are left out.
BENCH_ARM64 := $(BENCH_DIR)/guest-arm64.cpio.gz
BENCH_ARM64_CC ?= aarch64-linux-gnu-gcc
ifneq ($(shell command -v $(BENCH_ARM64_CC)),)
BENCH_READY += $(BENCH_ARM64)
endif

$(BENCH_DIR)/arm64-%: bench/%.c
	@mkdir -p $(@D)
	$(BENCH_ARM64_CC) $(UR_CFLAGS) -D_GNU_SOURCE -static -s -o $@ $<

$(BENCH_ARM64): arm64-images $(BENCH_DIR)/arm64-disk $(BENCH_DIR)/arm64-count
	images/mkinitramfs $(BUILD_DIR)/guest/arm64 $@ -M images/modules.txt \
		-k $(BUILD_DIR)/kmod/arm64/usbroute.ko -p $(CLI_ARM64):/usr/bin/usbroute \
		-f $(BENCH_DIR)/arm64-disk:/usr/bin/disk -f $(BENCH_DIR)/arm64-count:/usr/bin/count

BENCH_READY += $(BENCH_CABLE) $(BENCH_IMAGE) $(HUB) $(BENCH_GUEST)/vmlinuz

## make bench        time and count the link beside its rivals: $(BUILD_DIR)/bench.{json,svg}
bench:
	@$(MAKE) deps
	@echo "building (V=1 shows how)"
	@$(MAKE) bench-ready
	@python3 bench/bench.py $(BENCH_OPTIONS)

bench-ready: $$(BENCH_READY)

.PHONY: bench bench-ready
