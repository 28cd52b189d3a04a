# SPDX-License-Identifier: BSD-2-Clause
# Attacks played against stock kernels, in guests (tests/attacks/live.py). The
# ones against the guard alone: mk/guard.mk.

ATTACK_FILES = $(sort $(wildcard tests/attacks/files/*.txt))
ATTACK_PLAYER := $(BUILD_DIR)/attacks/live
ATTACK_IMAGE := $(BUILD_DIR)/attacks/guest.cpio.gz
ATTACK_GUEST := $(BUILD_DIR)/guest/amd64
# The drivers that the described devices are for.
ATTACK_DRIVERS := ati_remote2 powermate iowarrior digi_acceleport mct_u232 cypress_m8 wacom visor \
	whiteheat cdc_ncm

ATTACK_PLAYER_SRC := $(sort $(wildcard tests/attacks/live*.c))

$(ATTACK_PLAYER): $(ATTACK_PLAYER_SRC) $(wildcard tests/attacks/*.h guard/*.h wire/*.h) guest/uapi/usbroute.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $(GUARD_INC) -Itests/attacks -o $@ $(ATTACK_PLAYER_SRC)

# The usual image, with the stock tools, the player and the files.
ifeq ($(ARCH),amd64)
$(ATTACK_IMAGE): $(INITRAMFS) $(ATTACK_PLAYER) $(ATTACK_FILES)
	images/mkinitramfs $(ATTACK_GUEST) $@ $(image_options) $(addprefix -m ,$(ATTACK_DRIVERS)) \
		-s /usr/sbin/usbip -s /usr/sbin/usbipd \
		-f $(ATTACK_GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids \
		-f $(ATTACK_PLAYER):/usr/bin/live $(foreach f,$(ATTACK_FILES),-f $(f):/attacks/$(notdir $(f)))
endif

ATTACK_READY = $(ATTACK_IMAGE) $(QEMU_READY)

## make attacks-live  play them against stock kernels too, over TCP, direct and guarded,
##                    and write the table of docs/attacks.md
attacks-live: $$(ATTACK_READY)
	tests/attacks/live.py --table docs/attacks.md

.PHONY: attacks-live

BESIDE_SUITES += $(if $(filter 1,$(LONG)),attacks-live-short)
suite-attacks-live-short = tests/attacks/short.py
suite-attacks-live-short.deps = $(ATTACK_READY)

# What class drivers take for granted: guard/known.c, row by row.
KNOWN_TEST := $(BUILD_DIR)/tests/known-devices
$(KNOWN_TEST): $$(GUARD_DIR)/tests/attacks/known.o $$(GUARD_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^

SUITES += known-devices
suite-known-devices = $(KNOWN_TEST)
suite-known-devices.deps = $(KNOWN_TEST)

## make demo ATTACK=name   one attack on a stock kernel, without the guard and with it;
##                   ATTACK=list names them
ifneq ($(ATTACK),)
override DEMO_COMMAND = demo/attack.py $(ATTACK)
ifeq ($(ATTACK),list)
override DEMO_READY =
else
demo-ready: $(ATTACK_IMAGE)
endif
endif
