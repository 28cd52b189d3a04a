# SPDX-License-Identifier: BSD-2-Clause
# The demo between two QEMU guests, and the tests that need them.

GUEST_TOOLS := $(BUILD_DIR)/guest-tools
ifeq ($(ARCH),amd64)
IMAGE_FILES += $(GUEST_TOOLS)/play-pcm:/usr/bin/play-pcm $(GUEST_TOOLS)/node:/usr/bin/node \
	$(GUEST_TOOLS)/scribble:/usr/bin/scribble
$(INITRAMFS): $(GUEST_TOOLS)/play-pcm $(GUEST_TOOLS)/node $(GUEST_TOOLS)/scribble
endif

# The command is listed in IMAGE_PROGRAMS; here make learns to build it first.
$(INITRAMFS): $(if $(filter arm64,$(ARCH)),$(CLI_ARM64),$(CLI))

# Static, so that they run in any guest of their architecture.
GUEST_CFLAGS = $(UR_CFLAGS) -static -Iguest/uapi

$(GUEST_TOOLS)/play-pcm: demo/play-pcm.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $< -o $@

$(GUEST_TOOLS)/node: tests/qemu/node.c guest/uapi/usbroute.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $< -o $@ -pthread

$(GUEST_TOOLS)/scribble: tests/qemu/scribble.c ring/layout.c ring/layout.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -Ienv -Ienv/user -Iring $(filter %.c,$^) -o $@

QEMU_READY = $(HUB) $(BUILD_DIR)/bin/usbroute $(KMOD) $(GUEST_TOOLS)/play-pcm \
	$(GUEST_TOOLS)/node $(GUEST_TOOLS)/scribble $(GUEST)/vmlinuz $(INITRAMFS)

DEVICE ?= storage

## make demo [DEVICE=...] [DISK=file.img [WRITE=1]]   the main job, with two QEMU guests
##                   DEVICE: storage uas keyboard mouse tablet serial audio
demo:
	@$(MAKE) deps
	@echo "building (log: $(BUILD_LOG))"
	@$(MAKE) demo-ready >$(BUILD_LOG) 2>&1 || \
		{ tail -n 30 $(BUILD_LOG); echo "demo: FAILED in the build: see $(BUILD_LOG)"; exit 1; }
	@demo/demo.py --device $(DEVICE) $(if $(DISK),--disk '$(DISK)') $(if $(filter 1,$(WRITE)),--write)

BUILD_LOG = $(shell mkdir -p $(BUILD_DIR))$(BUILD_DIR)/build.log

demo-ready: $$(QEMU_READY)

.PHONY: demo demo-ready

SLOW_SUITES += qemu-node qemu-evil qemu-usb qemu-survive qemu-demo
suite-qemu-survive = tests/qemu/survive.py
suite-qemu-survive.deps = $(QEMU_READY)
suite-qemu-evil = tests/qemu/evil.py
suite-qemu-evil.deps = $(QEMU_READY)
suite-qemu-node = tests/qemu/node.py
suite-qemu-node.deps = $(QEMU_READY)
suite-qemu-usb = tests/qemu/usb.py
suite-qemu-usb.deps = $(QEMU_READY) arm64-images
suite-qemu-demo = tests/qemu/demos.py
suite-qemu-demo.deps = $(QEMU_READY)
