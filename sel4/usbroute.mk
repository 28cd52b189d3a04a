# SPDX-License-Identifier: BSD-2-Clause
# For a Microkit system of one's own: include this beside libvmm's vmm.mk, and link
# $(USBROUTE_OBJ) into the VMM of each guest that has an end of a link. CC and CFLAGS (target,
# board, the includes of Microkit, libvmm and sDDF) are the including Makefile's.

USBROUTE := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)
USBROUTE_CFLAGS := -I$(USBROUTE)/sel4 -I$(USBROUTE)/env -I$(USBROUTE)/env/sel4 -I$(USBROUTE)/ring
USBROUTE_OBJ := $(addprefix usbroute/,guest.o drain.o link_vdev.o ring.o layout.o channel.o link.o)

usbroute:
	mkdir -p $@

usbroute/%.o: $(USBROUTE)/sel4/%.c | usbroute
	$(CC) $(CFLAGS) $(USBROUTE_CFLAGS) -c -o $@ $<

usbroute/%.o: $(USBROUTE)/ring/%.c | usbroute
	$(CC) $(CFLAGS) $(USBROUTE_CFLAGS) -c -o $@ $<

usbroute/%.o: $(USBROUTE)/sel4/%.S | usbroute
	$(CC) $(CFLAGS) -c -o $@ $<
