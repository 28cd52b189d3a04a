# SPDX-License-Identifier: BSD-2-Clause
# The demo between two QEMU guests, and the tests that need them.

GUEST_TOOLS := $(BUILD_DIR)/guest-tools
ifeq ($(ARCH),amd64)
IMAGE_FILES += $(GUEST_TOOLS)/play-pcm:/usr/bin/play-pcm $(GUEST_TOOLS)/node:/usr/bin/node \
	$(GUEST_TOOLS)/scribble:/usr/bin/scribble $(GUEST_TOOLS)/ledger:/usr/bin/ledger
$(INITRAMFS): $(GUEST_TOOLS)/play-pcm $(GUEST_TOOLS)/node $(GUEST_TOOLS)/scribble \
	$(GUEST_TOOLS)/ledger
endif

# The command is listed in IMAGE_PROGRAMS; here make learns to build it first.
$(INITRAMFS): $(if $(filter arm64,$(ARCH)),$(CLI_ARM64),$(CLI))

# Static, so that they run in any guest of their architecture.
GUEST_CFLAGS = $(UR_CFLAGS) -static -Iguest/uapi

$(GUEST_TOOLS)/play-pcm: demo/play-pcm.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $< -o $@

$(GUEST_TOOLS)/ledger: tests/qemu/ledger.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $< -o $@

$(GUEST_TOOLS)/node: tests/qemu/node.c guest/uapi/usbroute.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $< -o $@ -pthread

$(GUEST_TOOLS)/scribble: tests/qemu/scribble.c ring/layout.c ring/layout.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -Ienv -Ienv/user -Iring $(filter %.c,$^) -o $@

# The module with tests/kmod/fail.h before each of its sources but the core's: the n-th of
# its calls that may fail does. The sources are the same.
KMOD_FAIL := $(BUILD_DIR)/tests/kmod-fail/usbroute.ko
KMOD_FAIL_SRC := tests/kmod/fail.c tests/kmod/fail.h
KMOD_FAIL_FLAGS = $(foreach c,$(filter-out core_%,$(notdir $(filter %.c,$(KMOD_SRC)))) fail.c,\
	CFLAGS_$(c:.c=.o)="-include $(CURDIR)/tests/kmod/fail.h")

$(KMOD_FAIL): $(KMOD_SRC) $(KMOD_CORE) $(KMOD_FAIL_SRC) $(BUILD_DIR)/guest/amd64/version
	@mkdir -p $(@D)
	@ln -sf $(abspath $(KMOD_SRC) $(KMOD_FAIL_SRC)) $(@D)/
	$(MAKE) -C $(abspath $(BUILD_DIR))/guest/amd64/headers M=$(abspath $(@D)) ARCH=x86_64 \
		UR_ROOT=$(CURDIR) UR_VERSION=$(VERSION) UR_TEST_OBJECTS=fail.o \
		$(KMOD_FAIL_FLAGS) modules
	strip --strip-debug $@

QEMU_READY = $(HUB) $(if $(FIRST_INDEX)$(FIRST_GENERATION),$(HUB_NEAR)) $(BUILD_DIR)/bin/usbroute $(KMOD) $(GUEST_TOOLS)/play-pcm \
	$(GUEST_TOOLS)/node $(GUEST_TOOLS)/scribble $(GUEST_TOOLS)/ledger $(GUEST)/vmlinuz $(INITRAMFS)

DEVICE ?= storage
TOPOLOGY ?= direct

## make demo [DEVICE=...] [DISK=file.img [WRITE=1]]   the main job, with two QEMU guests
##                   DEVICE: storage uas keyboard mouse tablet serial audio
## make demo TOPOLOGY=guarded   the same with the guard between them, by demo/guarded.rules
demo:
	@$(MAKE) deps
	@echo "building (log: $(BUILD_LOG))"
	@$(MAKE) demo-ready >$(BUILD_LOG) 2>&1 || \
		{ tail -n 30 $(BUILD_LOG); echo "demo: FAILED in the build: see $(BUILD_LOG)"; exit 1; }
	@$(DEMO_COMMAND) --device $(DEVICE) --topology $(TOPOLOGY) $(if $(DISK),--disk '$(DISK)') $(if $(filter 1,$(WRITE)),--write)

BUILD_LOG = $(shell mkdir -p $(BUILD_DIR))$(BUILD_DIR)/build.log

# mk/sel4.mk has others for PLATFORM=sel4.
DEMO_COMMAND = demo/demo.py
DEMO_READY = $(QEMU_READY)

demo-ready: $$(DEMO_READY)

.PHONY: demo demo-ready

SLOW_SUITES += qemu-node qemu-guarded qemu-alloc qemu-evil qemu-usb qemu-survive
BESIDE_SUITES += qemu-demo
ALONE_SUITES += qemu-storm
suite-qemu-survive = tests/qemu/survive.py
suite-qemu-survive.deps = $(QEMU_READY)
suite-qemu-guarded = tests/qemu/guarded.py
suite-qemu-guarded.deps = $(QEMU_READY)
suite-qemu-alloc = tests/qemu/alloc.py $(KMOD_FAIL)
suite-qemu-alloc.deps = $(QEMU_READY) $(KMOD_FAIL)
suite-qemu-evil = tests/qemu/evil.py
suite-qemu-evil.deps = $(QEMU_READY)
suite-qemu-storm = tests/qemu/beside_storm.py
suite-qemu-storm.deps = $(QEMU_READY)
suite-qemu-node = tests/qemu/node.py
suite-qemu-node.deps = $(QEMU_READY)
suite-qemu-usb = tests/qemu/usb.py
suite-qemu-usb.deps = $(QEMU_READY) arm64-images
suite-qemu-demo = tests/qemu/demos.py
suite-qemu-demo.deps = $(QEMU_READY) $(SHIM_IMAGE) $(ATTACK_IMAGE)
