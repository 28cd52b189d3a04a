# SPDX-License-Identifier: BSD-2-Clause
# usbroute.ko, out of the tree: Kbuild writes beside its sources, so it gets a
# folder of links to them.
#     KDIR=...   another kernel's headers (default: those of the guest image)

KMOD_DIR = $(abspath $(BUILD_DIR))/kmod/$(ARCH)
KMOD = $(BUILD_DIR)/kmod/$(ARCH)/usbroute.ko
KMOD_SRC := $(wildcard guest/kmod/*.[ch]) guest/kmod/Kbuild
KMOD_CORE := $(wildcard ring/*.[ch] env/*.h env/kernel/*.h guest/uapi/*.h)
KDIR ?= $(abspath $(BUILD_DIR))/guest/$(ARCH)/headers

KBUILD_ARCH_amd64 := ARCH=x86_64
KBUILD_ARCH_arm64 := ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-

$(KMOD): $(KMOD_SRC) $(KMOD_CORE) mk/kmod.mk | $(KMOD_HEADERS)
	@mkdir -p $(KMOD_DIR)
	@ln -sf $(abspath $(KMOD_SRC)) $(KMOD_DIR)/
	$(MAKE) -C $(KDIR) M=$(KMOD_DIR) $(KBUILD_ARCH_$(ARCH)) \
		UR_ROOT=$(CURDIR) UR_VERSION=$(VERSION) $(KMOD_FLAGS) modules

## make kmod [ARCH=arm64] [KDIR=...]   usbroute.ko for a guest's kernel
kmod: $(KMOD)

.PHONY: kmod

SUITES += kmod
suite-kmod = tests/kmod/build
suite-kmod.deps = $(BUILD_DIR)/guest/amd64/version
