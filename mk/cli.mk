# SPDX-License-Identifier: BSD-2-Clause
# The command `usbroute`, for this machine and for an arm64 guest, and its tests.

CLI_VERSION := $(VERSION)
CLI_SRC := $(sort $(wildcard cli/*.c)) wire/op.c wire/op_framer.c guard/policy.c
CLI_PKGS := libudev smartcols jansson
CLI_CFLAGS = $(UR_CFLAGS) -D_GNU_SOURCE -DUR_VERSION='"$(CLI_VERSION)"' \
	-Icli -Iwire -Iguard -Ienv -Ienv/user -Iguest/uapi
CLI_PKG_CFLAGS = $(shell pkg-config --cflags $(CLI_PKGS))
CLI_LIBS = $(shell pkg-config --libs $(CLI_PKGS))

CLI := $(BUILD_DIR)/bin/usbroute
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD_DIR)/cli/host/%.o)

ALL += $(CLI)

$(BUILD_DIR)/cli/host/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CLI_CFLAGS) $(CLI_PKG_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(CLI): $(CLI_OBJ)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

# For an arm64 guest. The headers of these libraries are the same for both, the
# libraries are those that images/fetch unpacked. CLI_ARM64_SYSROOT may name another
# place that has usr/lib/aarch64-linux-gnu.
CLI_ARM64 := $(BUILD_DIR)/cli/arm64/usbroute
CLI_ARM64_OBJ := $(CLI_SRC:%.c=$(BUILD_DIR)/cli/arm64/%.o)
CLI_ARM64_CC ?= aarch64-linux-gnu-gcc
CLI_ARM64_SYSROOT ?= $(BUILD_DIR)/guest/arm64/sysroot
CLI_ARM64_LIB = $(CLI_ARM64_SYSROOT)/usr/lib/aarch64-linux-gnu
CLI_ARM64_LIBS = -L$(CLI_ARM64_LIB) -L$(CLI_ARM64_SYSROOT)/lib/aarch64-linux-gnu \
	-Wl,-rpath-link,$(CLI_ARM64_LIB):$(CLI_ARM64_SYSROOT)/lib/aarch64-linux-gnu \
	-l:libudev.so.1 -l:libsmartcols.so.1 -l:libjansson.so.4

$(BUILD_DIR)/cli/arm64/%.o: %.c
	@mkdir -p $(@D)
	$(CLI_ARM64_CC) $(CLI_CFLAGS) $(CLI_PKG_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(CLI_ARM64): $(CLI_ARM64_OBJ) | $(BUILD_DIR)/guest/arm64/version
	$(CLI_ARM64_CC) $(LDFLAGS) -o $@ $(CLI_ARM64_OBJ) $(CLI_ARM64_LIBS)

ifeq ($(ARCH),arm64)
IMAGE_PROGRAMS += $(CLI_ARM64):/usr/bin/usbroute
endif

## make cli          usbroute alone: $(BUILD_DIR)/bin/usbroute; ARCH=arm64 for such a guest
ifeq ($(ARCH),arm64)
cli: $(CLI_ARM64)
else
cli: $(CLI)
endif

# The tests' build runs on a machine of files: tests/cli/fake.h.
CLI_TEST_DIR := $(BUILD_DIR)/cli/test
CLI_TEST := $(BUILD_DIR)/tests/usbroute-asan
CLI_UNIT := $(BUILD_DIR)/tests/unit-cli
CLI_TEST_CFLAGS = $(CLI_CFLAGS) $(CLI_PKG_CFLAGS) $(SAN) -include tests/cli/fake.h
CLI_TEST_OBJ := $(CLI_SRC:%.c=$(CLI_TEST_DIR)/%.o)
CLI_FAKE_OBJ := $(patsubst %.c,$(CLI_TEST_DIR)/%.o,$(sort $(wildcard tests/cli/fake_*.c)))
CLI_UNIT_OBJ := $(CLI_TEST_DIR)/tests/cli/unit.o \
	$(filter-out $(CLI_TEST_DIR)/cli/main.o,$(CLI_TEST_OBJ)) $(CLI_FAKE_OBJ)
CLI_TEST_LIBS = -Wl,--wrap=ioctl -Wl,--wrap=ur_sysfs_write \
	$(shell pkg-config --libs smartcols jansson)

$(CLI_TEST_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CLI_TEST_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(CLI_TEST): $(CLI_TEST_OBJ) $(CLI_FAKE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_TEST_LIBS)

$(CLI_UNIT): $(CLI_UNIT_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_TEST_LIBS) -lcmocka

SUITES += unit-cli
suite-unit-cli = $(CLI_UNIT)
suite-unit-cli.deps = $(CLI_UNIT)

SUITES += cli
suite-cli = python3 tests/cli/cli.py $(CLI_TEST) $(CLI)
suite-cli.deps = $(CLI_TEST) $(CLI)

# One guest that is both sides at once, with the stock tools beside ours.
CLI_GUEST := $(BUILD_DIR)/cli/guest.cpio.gz
CLI_GUEST_FROM = $(BUILD_DIR)/guest/amd64

$(CLI_GUEST): $(CLI) $(CLI_GUEST_FROM)/version images/mkinitramfs images/init images/agent \
		images/modules.txt
	images/mkinitramfs $(CLI_GUEST_FROM) $@ -M images/modules.txt -p $(CLI):/usr/bin/usbroute \
		-s /usr/sbin/usbip -s /usr/sbin/usbipd \
		-f $(CLI_GUEST_FROM)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids

SLOW_SUITES += cli-guest
suite-cli-guest = python3 tests/cli/guest.py $(CLI_GUEST)
suite-cli-guest.deps = $(CLI_GUEST)

.PHONY: cli
-include $(CLI_OBJ:.o=.d) $(CLI_ARM64_OBJ:.o=.d) $(CLI_TEST_OBJ:.o=.d)
-include $(CLI_FAKE_OBJ:.o=.d) $(CLI_TEST_DIR)/tests/cli/unit.d
