# SPDX-License-Identifier: BSD-2-Clause
# libusbroute-preload.so: the socket functions on shared memory, for programs that
# are not changed; and its tests.

SHIM_SRC := $(sort $(wildcard guest/shim/*.c))
SHIM_ALL := $(SHIM_SRC) $(sort $(wildcard user/*.c)) $(RING_SRC)
SHIM_INC := -Iguest/shim -Iguest/uapi -Iuser -Iring -Ienv -Ienv/user
SHIM := $(BUILD_DIR)/lib/libusbroute-preload.so
SHIM_DIR := $(BUILD_DIR)/shim
SHIM_OBJ := $(SHIM_ALL:%.c=$(SHIM_DIR)/%.o)
# Our own functions keep the names of libc's; what they call is libc's.
SHIM_CFLAGS = $(UR_CFLAGS) -U_FORTIFY_SOURCE -fPIC -fvisibility=hidden \
	-fno-builtin $(SHIM_INC)
# glibc says of ppoll that it only writes what it is given.
$(SHIM_DIR)/guest/shim/poll.o $(BUILD_DIR)/shim-tsan/guest/shim/poll.o: \
	SHIM_CFLAGS += -Wno-maybe-uninitialized

ALL += $(SHIM)

$(SHIM_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(SHIM): $(SHIM_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-z,defs $(LDFLAGS) -o $@ $^ -pthread -ldl

## make shim         libusbroute-preload.so alone
shim: $(SHIM)

.PHONY: shim
-include $(SHIM_OBJ:.o=.d)

# ---- tests: talk runs over TCP, over the library, and with it under ThreadSanitizer

SHIM_TALK := $(BUILD_DIR)/tests/shim-talk
SHIM_TALK_TSAN := $(BUILD_DIR)/tests/shim-talk-tsan
SHIM_TALK_SRC := $(sort $(wildcard tests/shim/talk*.c))
SHIM_TSAN_DIR := $(BUILD_DIR)/shim-tsan
SHIM_TSAN_OBJ := $(patsubst %.c,$(SHIM_TSAN_DIR)/%.o,$(SHIM_TALK_SRC) $(SHIM_ALL))

$(SHIM_TALK): $(SHIM_TALK_SRC) tests/shim/talk.h
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -fno-builtin -o $@ $(SHIM_TALK_SRC) -pthread

$(SHIM_TSAN_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) $(TSAN) -Wno-tsan $(DEPFLAGS) -c -o $@ $<

# One program, the library in it: its functions stand before the sanitizer's.
$(SHIM_TALK_TSAN): $(SHIM_TSAN_OBJ)
	@mkdir -p $(@D)
	$(CC) $(TSAN) -rdynamic -o $@ $^ -pthread -ldl

-include $(SHIM_TSAN_OBJ:.o=.d)

# A USB/IP server with devices of its own.
SHIM_DEVICE := $(BUILD_DIR)/tests/usbip-device
SHIM_DEVICE_SRC := $(sort $(wildcard tests/shim/device*.c))
$(SHIM_DEVICE): $(SHIM_DEVICE_SRC) tests/shim/device.h $$(WIRE_SRC)
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -Ienv -Ienv/user -Iwire -Itests/shim -o $@ $(filter %.c,$^)

# The guests of tests/shim/guests.py and of the demo: the usual image, and with it the
# stock tools, the library and the emulated devices.
SHIM_IMAGE := $(BUILD_DIR)/shim/guest.cpio.gz
SHIM_GUEST := $(BUILD_DIR)/guest/amd64

ifeq ($(ARCH),amd64)
$(SHIM_IMAGE): $(INITRAMFS) $(SHIM) $(SHIM_DEVICE)
	images/mkinitramfs $(SHIM_GUEST) $@ $(image_options) -s /usr/sbin/usbip -s /usr/sbin/usbipd \
		-f $(SHIM_GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids \
		-f $(SHIM):/usr/lib/libusbroute-preload.so -p $(SHIM_DEVICE):/usr/bin/usbip-device
endif

## make demo TOOLS=stock   the same with stock usbip and usbipd, under the library
ifeq ($(TOOLS),stock)
DEMO_COMMAND = demo/demo.py --tools stock
demo-ready: $(SHIM_IMAGE)
endif

# Beside bench/cable: bench/shim.py.
SHIM_STREAM := $(BUILD_DIR)/bench/stream
$(SHIM_STREAM): bench/stream.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -o $@ $<
BENCH_READY += $(SHIM_STREAM) $(SHIM)

SUITES += shim
suite-shim = tests/shim/shim.py $(SHIM) $(SHIM_TALK) $(SHIM_TALK_TSAN) $(SHIM_DEVICE)
suite-shim.deps = $(SHIM) $(SHIM_TALK) $(SHIM_TALK_TSAN) $(SHIM_DEVICE)

## make check-shim-long   nc and socat move 1 GiB each way; with LONG=1 in make check
suite-shim-long = UR_SHIM_MIB=1024 $(suite-shim)
suite-shim-long.deps = $(suite-shim.deps)
SLOW_SUITES += $(if $(filter 1,$(LONG)),shim-long)

BESIDE_SUITES += shim-guests
suite-shim-guests = tests/shim/guests.py $(SHIM_IMAGE)
suite-shim-guests.deps = $(SHIM_IMAGE) $(QEMU_READY)
