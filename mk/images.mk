# SPDX-License-Identifier: BSD-2-Clause
# Guest kernels and initramfs, from Debian's packages, for ARCH.
#
# A snippet adds to the guest's image with
#     IMAGE_KMODS += FILE.ko            into /lib/modules/<version>/extra
#     IMAGE_PROGRAMS += FILE:PATH       with the shared libraries it needs
#     IMAGE_FILES += FILE:PATH
#     $(INITRAMFS): FILE                how make knows to build it first
# What is listed but not built is left out.

GUEST = $(BUILD_DIR)/guest/$(ARCH)
INITRAMFS = $(GUEST)/initramfs.cpio.gz
INITRAMFS_TCP = $(GUEST)/initramfs-tcp.cpio.gz
KMOD = $(BUILD_DIR)/kmod/$(ARCH)/usbroute.ko

# mk/kmod.mk builds against these, unless KDIR names others.
ifeq ($(origin KDIR),undefined)
KMOD_HEADERS = $(GUEST)/headers
$(KMOD): $(GUEST)/version
endif

IMAGE_KMODS += $(KMOD)
ifeq ($(ARCH),$(shell dpkg --print-architecture 2>/dev/null))
IMAGE_PROGRAMS += $(BUILD_DIR)/bin/usbroute:/usr/bin/usbroute
$(INITRAMFS): $(BUILD_DIR)/bin/usbroute
endif

image_source = $(firstword $(subst :, ,$(1)))
image_built = $(foreach f,$(1),$(if $(shell test -e $(call image_source,$(f)) && echo 1),$(f)))
image_options = -M images/modules.txt \
	$(addprefix -k ,$(call image_built,$(IMAGE_KMODS))) \
	$(addprefix -p ,$(call image_built,$(IMAGE_PROGRAMS))) \
	$(addprefix -f ,$(call image_built,$(IMAGE_FILES)))
image_tcp_options = -M images/modules.txt -s /usr/sbin/usbip -s /usr/sbin/usbipd \
	-f $(GUEST)/sysroot/usr/share/misc/usb.ids:/usr/share/misc/usb.ids
image_sources = images/mkinitramfs images/init images/agent images/modules.txt

## make images       guest kernel and initramfs for ARCH (amd64 or arm64)
images: $(GUEST)/vmlinuz $(INITRAMFS) $(INITRAMFS_TCP)

# KERNEL_VERSION=6.1.0-NN takes that kernel instead of the newest.
other_kernel = $(filter-out $(shell cat $(GUEST)/version 2>/dev/null),$(KERNEL_VERSION:%-$(ARCH)=%)-$(ARCH))
$(GUEST)/version: images/fetch images/packages.txt $(if $(KERNEL_VERSION),$(if $(other_kernel),FORCE))
	KERNEL_VERSION=$(KERNEL_VERSION) images/fetch $(ARCH) $(GUEST)

# Links into the unpacked packages: their times say nothing.
$(GUEST)/vmlinuz $(GUEST)/headers: | $(GUEST)/version

# Remade whenever what goes in, or the list of what goes in, has changed.
$(INITRAMFS): $(GUEST)/version $(image_sources) $(KMOD) $(GUEST)/image.options
	images/mkinitramfs $(GUEST) $@ $(image_options)

$(INITRAMFS_TCP): $(GUEST)/version $(image_sources)
	images/mkinitramfs $(GUEST) $@ $(image_tcp_options)

$(GUEST)/image.options: FORCE | $(KMOD)
	@mkdir -p $(@D)
	@echo '$(strip $(image_options))' | cmp -s - $@ || echo '$(strip $(image_options))' >$@

FORCE:
.PHONY: images FORCE

## make check-images  the image builder and its checks; make check-guests: in guests
SUITES += images
BESIDE_SUITES += guests
suite-images = BUILD_DIR=$(BUILD_DIR) python3 tests/images/images.py
suite-images.deps = $(BUILD_DIR)/guest/amd64/vmlinuz $(BUILD_DIR)/guest/amd64/initramfs.cpio.gz
suite-guests = BUILD_DIR=$(BUILD_DIR) python3 tests/images/guests.py
suite-guests.deps = $(suite-images.deps) arm64-images

# Where the cross compiler is missing, the arm64 guest's test is skipped by name.
arm64-images:
	command -v aarch64-linux-gnu-gcc >/dev/null || exit 0; $(MAKE) images ARCH=arm64

.PHONY: arm64-images
