# SPDX-License-Identifier: BSD-2-Clause
# The same on seL4: one Microkit image with two Linux VMs. The SDK and libvmm
# are the user's; nothing of theirs is built here.
#     MICROKIT_SDK=...     default: the newest /opt/microkit-sdk-*
#     LIBVMM=...           default: the newest /opt/libvmm*; holds include/ (libvmm's and
#                          sDDF's headers) and libvmm.a, or one for each configuration in
#                          $(MICROKIT_CONFIG)/; a libsddf_util_debug.a beside it is linked too
#     MICROKIT_BOARD=...   one of mk/boards/          MICROKIT_CONFIG=debug|release|benchmark
#     TOPOLOGY=direct|guarded   one link, or the guard between two      POLICY=...   its rules

MICROKIT_BOARD ?= qemu_virt_aarch64
MICROKIT_CONFIG ?= release
TOPOLOGY ?= direct
POLICY ?= demo/guarded.rules
ifeq ($(origin MICROKIT_SDK),undefined)
MICROKIT_SDK := $(lastword $(shell ls -d /opt/microkit-sdk-* 2>/dev/null | sort -V))
endif
ifeq ($(origin LIBVMM),undefined)
LIBVMM := $(lastword $(shell ls -d /opt/libvmm* 2>/dev/null | sort -V))
endif

SEL4_DIR := $(BUILD_DIR)/sel4/$(MICROKIT_BOARD)/$(MICROKIT_CONFIG)$(if $(SEL4_PERSON),-person)
SEL4_IMAGE := $(SEL4_DIR)/$(TOPOLOGY).img
SEL4_BOARD_MK := mk/boards/$(MICROKIT_BOARD).mk
-include $(SEL4_BOARD_MK)

# Empty, or the one line that says what is missing.
SEL4_MISSING = $(shell sel4/find "$(MICROKIT_SDK)" "$(LIBVMM)" $(MICROKIT_BOARD) $(MICROKIT_CONFIG) 2>&1)

SEL4_BOARD_DIR = $(MICROKIT_SDK)/board/$(MICROKIT_BOARD)/$(MICROKIT_CONFIG)
SEL4_LIBVMM_DIR = $(firstword $(dir $(wildcard $(LIBVMM)/$(MICROKIT_CONFIG)/libvmm.a $(LIBVMM)/libvmm.a)))
SEL4_LIBS = $(wildcard $(SEL4_LIBVMM_DIR)libvmm.a $(SEL4_LIBVMM_DIR)libsddf_util_debug.a)

SEL4_TARGET := -target aarch64-none-elf -mcpu=cortex-a53 -mstrict-align
SEL4_INC = -Isel4 -Ienv -Ienv/sel4 -Iring -isystem $(SEL4_BOARD_DIR)/include \
	-isystem $(LIBVMM)/include -isystem $(LIBVMM)/include/sddf/util/custom_libc
SEL4_CFLAGS = -std=gnu11 $(SEL4_TARGET) -ffreestanding -fno-common $(filter-out -Wundef,$(WARN)) \
	-O2 -g -DBOARD_$(MICROKIT_BOARD) $(SEL4_INC)
SEL4_CC ?= clang
SEL4_LD ?= aarch64-linux-gnu-ld

SEL4_CORE_OBJ := $(patsubst %.c,$(SEL4_DIR)/%.o,$(RING_SRC))
SEL4_VMM_OBJ := $(SEL4_DIR)/sel4/guest.o $(SEL4_DIR)/sel4/drain.o $(SEL4_DIR)/sel4/link_vdev.o $(SEL4_DIR)/sel4/vmm.o \
	$(SEL4_CORE_OBJ)
SEL4_ELVES := $(SEL4_DIR)/client_vmm.elf $(SEL4_DIR)/device_vmm.elf $(SEL4_DIR)/timer_pd.elf

# The guard: the core, its own three files, libmicrokit; nothing of libvmm.
SEL4_GUARD_SRC := sel4/guard_pd.c sel4/audit_ring.c sel4/mem.c $(RING_SRC) \
	$(sort $(wildcard wire/*.c)) $(GUARD_SRC) $(RELAY_SRC)
SEL4_GUARD_OBJ := $(SEL4_GUARD_SRC:%.c=$(SEL4_DIR)/guard_pd/%.o) $(SEL4_DIR)/guard_pd/policy.o
SEL4_GUARD_INC = -Isel4 -Ienv -Ienv/sel4 -Iring -Iwire -Iguard -Irelay
SEL4_GUARD_CFLAGS = -std=gnu11 $(SEL4_TARGET) -ffreestanding -fno-common $(filter-out -Wundef,$(WARN)) \
	-Wframe-larger-than=2048 -O2 -g -DBOARD_$(MICROKIT_BOARD) $(SEL4_GUARD_INC) -isystem $(SEL4_BOARD_DIR)/include

.SECONDARY: $(SEL4_VMM_OBJ) $(SEL4_DIR)/sel4/client_vmm.o $(SEL4_DIR)/sel4/device_vmm.o \
	$(SEL4_DIR)/sel4/timer_pd.o

$(SEL4_DIR)/%.o: %.c $(SEL4_BOARD_MK)
	@mkdir -p $(@D)
	$(SEL4_CC) $(SEL4_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(SEL4_DIR)/%.o: %.S
	@mkdir -p $(@D)
	$(SEL4_CC) $(SEL4_TARGET) -c -o $@ $<

$(SEL4_DIR)/%_vmm.elf: $(SEL4_DIR)/sel4/%_vmm.o $(SEL4_DIR)/%/images.o $(SEL4_VMM_OBJ)
	$(SEL4_LD) -L$(SEL4_BOARD_DIR)/lib $^ --start-group -lmicrokit $(SEL4_LIBS) --end-group \
		-Tmicrokit.ld -z noexecstack -o $@

$(SEL4_DIR)/timer_pd.elf: $(SEL4_DIR)/sel4/timer_pd.o
	$(SEL4_LD) -L$(SEL4_BOARD_DIR)/lib $^ -lmicrokit -Tmicrokit.ld -z noexecstack -o $@

$(SEL4_DIR)/guard_pd/%.o: %.c $(SEL4_BOARD_MK)
	@mkdir -p $(@D)
	$(SEL4_CC) $(SEL4_GUARD_CFLAGS) $(if $(filter sel4/mem.c,$<),-munaligned-access) $(DEPFLAGS) -c -o $@ $<

$(SEL4_DIR)/policy.source: FORCE
	@mkdir -p $(@D)
	@echo '$(POLICY)' | cmp -s - $@ || echo '$(POLICY)' >$@

$(SEL4_DIR)/policy.table: $(POLICY) $(SEL4_DIR)/policy.source $(CLI)
	$(CLI) policy compile $(POLICY) $@

$(SEL4_DIR)/guard_pd/policy.o: sel4/policy.S $(SEL4_DIR)/policy.table
	@mkdir -p $(@D)
	$(SEL4_CC) $(SEL4_TARGET) -DUR_POLICY='"$(SEL4_DIR)/policy.table"' -c -o $@ $<

$(SEL4_DIR)/guard_pd.elf: $(SEL4_GUARD_OBJ)
	$(SEL4_LD) -L$(SEL4_BOARD_DIR)/lib $^ -lmicrokit -Tmicrokit.ld -z noexecstack -o $@

## make lines        the size of the guard on seL4: all that is compiled into it
SEL4_LINES = sel4/lines $(CC) $(SEL4_GUARD_INC) -DBOARD_$(MICROKIT_BOARD) -- $(SEL4_GUARD_SRC)
lines:
	@$(SEL4_LINES)

# ---- the guests: the arm64 images that mk/images.mk makes, and their device trees

SEL4_GUEST := $(BUILD_DIR)/guest/arm64
SEL4_KERNEL := $(SEL4_GUEST)/vmlinuz
SEL4_INITRD := $(SEL4_GUEST)/initramfs.cpio.gz
SEL4_client_MODULES := vhci-hcd,usbroute,usb-storage,uas,sd_mod,ext4,vfat,nls_cp437,nls_ascii,usbhid,hid-generic,evdev,cdc-acm,ftdi_sio,snd-usb-audio,snd-pcm-oss
SEL4_device_MODULES := xhci-pci,usb-storage,sd_mod,usbhid,hid-generic,usbip-host,usbroute
# For a program (the demo, the tests) an agent takes commands; for a person there is a shell.
sel4_args = console=$(SEL4_$(1)_TTY) panic=-1 mitigations=off rootfstype=ramfs ur.role=$(1) \
	ur.modules=$(SEL4_$(1)_MODULES) $(if $(SEL4_PERSON),ur.shell=$(SEL4_$(1)_TTY) \
	$(if $(filter device,$(1)),ur.serve=1),ur.agent=$(SEL4_$(1)_AGENT))

# What the tests do inside a guest.
SEL4_PROBE := $(BUILD_DIR)/sel4/probe
$(SEL4_PROBE): tests/sel4/probe.c
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc $(UR_CFLAGS) -static -s -o $@ $<
# What the demo plays sound with there.
SEL4_PLAY := $(BUILD_DIR)/sel4/play-pcm
$(SEL4_PLAY): demo/play-pcm.c
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc $(UR_CFLAGS) -static -s -o $@ $<
ifeq ($(ARCH),arm64)
IMAGE_FILES += $(SEL4_PROBE):/usr/bin/probe $(SEL4_PLAY):/usr/bin/play-pcm
$(INITRAMFS): $(SEL4_PROBE) $(SEL4_PLAY)
endif

# $(1) client or device
define sel4_guest
$(SEL4_DIR)/$(1)/placement.inc: $(SEL4_INITRD) $(SEL4_KERNEL) sel4/place images/fits $(SEL4_DIR)/$(1)/args
	sel4/place $(SEL4_KERNEL) $(SEL4_INITRD) $(SEL4_RAM_START) $(SEL4_RAM_MIB) \
		"$$$$(cat $(SEL4_DIR)/$(1)/args)" $(SEL4_DIR)/$(1)

$(SEL4_DIR)/$(1)/args: FORCE
	@mkdir -p $$(@D)
	@echo '$$(strip $$(call sel4_args,$(1)))' | cmp -s - $$@ || \
		echo '$$(strip $$(call sel4_args,$(1)))' >$$@

$(SEL4_DIR)/$(1)/guest.dtb: sel4/dts/guest.dtsi sel4/dts/$(1).dtsi $(SEL4_DIR)/$(1)/placement.inc
	cat sel4/dts/guest.dtsi sel4/dts/$(1).dtsi $(SEL4_DIR)/$(1)/placement.dtsi | \
		dtc -q -I dts -O dtb -o $$@ -

$(SEL4_DIR)/$(1)/images.o: sel4/images.S $(SEL4_DIR)/$(1)/guest.dtb $(SEL4_KERNEL) $(SEL4_INITRD)
	$(SEL4_CC) $(SEL4_TARGET) -I$(SEL4_DIR)/$(1) -DUR_KERNEL='"$(SEL4_KERNEL)"' \
		-DUR_INITRD='"$(SEL4_INITRD)"' -DUR_DTB='"$(SEL4_DIR)/$(1)/guest.dtb"' -c -o $$@ $$<
endef
$(foreach g,client device,$(eval $(call sel4_guest,$(g))))

$(SEL4_DIR)/direct.img $(SEL4_DIR)/guarded.img: $(SEL4_DIR)/%.img: $$(SEL4_$$*_SYSTEM) $(SEL4_ELVES)
	$(MICROKIT_SDK)/bin/microkit $(SEL4_$*_SYSTEM) --search-path $(SEL4_DIR) --board $(MICROKIT_BOARD) \
		--config $(MICROKIT_CONFIG) -o $@ -r $(SEL4_DIR)/$*.report.txt >$(SEL4_DIR)/$*.log || \
		{ cat $(SEL4_DIR)/$*.log; exit 1; }
$(SEL4_DIR)/guarded.img: $(SEL4_DIR)/guard_pd.elf

## make sel4         the seL4 image with both VMs, if the Microkit SDK and libvmm are there
##                   TOPOLOGY=guarded: with the guard between; POLICY=file: its rules (demo/guarded.rules)
sel4:
	@why='$(SEL4_MISSING)'; if [ -n "$$why" ]; then echo "$$why"; exit 1; fi
	@$(MAKE) images ARCH=arm64
	@$(MAKE) $(SEL4_IMAGE)

## make qemu         start it: the client VM's shell on the terminal, the device VM's on a pty
qemu:
	@$(MAKE) SEL4_PERSON=1 sel4
	@$(MAKE) SEL4_PERSON=1 sel4-run

sel4-run:
	$(SEL4_QEMU) -device loader,file=$(SEL4_IMAGE),addr=$(SEL4_LOAD_ADDRESS),cpu-num=0 \
		-serial mon:stdio -chardev pty,id=device,logfile=$(SEL4_DIR)/device.log \
		-device pci-serial,chardev=device -device qemu-xhci,id=xhci -device usb-kbd,bus=xhci.0 \
		$(if $(DISK),-drive if=none$(comma)id=disk$(comma)format=raw$(comma)file=$(DISK) \
		-device usb-storage$(comma)bus=xhci.0$(comma)drive=disk)
comma := ,

# ---- tests: every configuration the SDK has, or the reason that there is none

SEL4_CONFIGS = $(notdir $(wildcard $(addprefix $(MICROKIT_SDK)/board/$(MICROKIT_BOARD)/,release debug benchmark)))
sel4-ready sel4-configs-ready:
	@why='$(SEL4_MISSING)'; if [ -n "$$why" ]; then echo "$$why: its tests are skipped"; exit 0; fi; \
		for c in $(if $(filter sel4-ready,$@),$(firstword $(SEL4_CONFIGS)),$(SEL4_CONFIGS)); do \
			$(MAKE) sel4 TOPOLOGY=direct MICROKIT_CONFIG=$$c || exit 1; done
sel4-guarded-ready: sel4-ready
	@why='$(SEL4_MISSING)'; if [ -n "$$why" ]; then echo "$$why: its tests are skipped"; exit 0; fi; \
		$(MAKE) sel4 TOPOLOGY=guarded POLICY=tests/sel4/guarded.rules MICROKIT_CONFIG=$(firstword $(SEL4_CONFIGS))

SEL4_TEST = env UR_SEL4_MISSING="$(SEL4_MISSING)" UR_SEL4_QEMU="$(SEL4_QEMU)" UR_SEL4_ADDRESS=$(SEL4_LOAD_ADDRESS) \
	UR_SEL4_IMAGES=$(BUILD_DIR)/sel4/$(MICROKIT_BOARD) UR_SEL4_CONFIGS="$(SEL4_CONFIGS)" \
	UR_SEL4_AUDIT="$(SEL4_AUDIT) $(SEL4_AUDIT_BYTES)"

## make demo PLATFORM=sel4 [DEVICE=...] [DISK=...]   the same with both VMs on seL4
ifeq ($(PLATFORM),sel4)
DEMO_READY = sel4
DEMO_COMMAND = $(SEL4_TEST) UR_SEL4_CONFIGS=$(MICROKIT_CONFIG) demo/demo.py --platform sel4
endif

## make check-sel4   both VMs on seL4; check-sel4-guarded: the guard between them;
##                   check-sel4-configs: debug and benchmark too; check-sel4-place: what the build must refuse
SUITES += sel4-place
suite-sel4-place = python3 tests/sel4/place.py
SUITES += sel4-systems
suite-sel4-systems = python3 tests/sel4/systems.py $(SEL4_LINES)
SEL4_AUDIT_TEST := $(BUILD_DIR)/tests/sel4-audit-ring
$(SEL4_AUDIT_TEST): tests/sel4/audit_ring.c sel4/audit_ring.c sel4/audit_ring.h
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) $(SAN) -Isel4 $(RELAY_INC) -o $@ $(filter %.c,$^)
SUITES += sel4-audit
suite-sel4-audit = python3 tests/sel4/audit.py $(SEL4_AUDIT_TEST)
suite-sel4-audit.deps = $(SEL4_AUDIT_TEST)
SLOW_SUITES += sel4 sel4-guarded $(if $(filter 1,$(LONG)),sel4-configs)
suite-sel4 = $(SEL4_TEST) python3 tests/sel4/sel4.py
suite-sel4.deps = sel4-ready
suite-sel4-guarded = $(SEL4_TEST) python3 tests/sel4/guarded.py
suite-sel4-guarded.deps = sel4-guarded-ready
suite-sel4-configs = $(SEL4_TEST) python3 tests/sel4/configs.py
suite-sel4-configs.deps = sel4-configs-ready

## make bench-sel4   the route on seL4, direct and guarded, beside the same disk used locally: $(BUILD_DIR)/bench-sel4.json
bench-sel4: sel4 sel4-guarded-ready
	$(SEL4_TEST) python3 tests/sel4/bench.py

.PHONY: sel4 qemu sel4-run sel4-ready sel4-guarded-ready sel4-configs-ready bench-sel4 lines
-include $(SEL4_VMM_OBJ:.o=.d) $(SEL4_DIR)/sel4/client_vmm.d $(SEL4_DIR)/sel4/device_vmm.d $(SEL4_DIR)/sel4/timer_pd.d
-include $(wildcard $(SEL4_DIR)/guard_pd/*/*.d)
