# SPDX-License-Identifier: BSD-2-Clause
# usbroute. The two commands of the README are `make demo` and `make check`;
# `make help` lists the rest. Everything built lands in $(BUILD_DIR).

BUILD_DIR ?= build
ARCH ?= amd64
export BUILD_DIR

all:
.SECONDEXPANSION:

# V=1 shows the commands.
ifneq ($(V),1)
.SILENT:
MAKEFLAGS += --no-print-directory
endif

include mk/flags.mk
include $(filter-out mk/flags.mk,$(sort $(wildcard mk/*.mk)))

all: $(ALL)

help:
	@sed -n 's/^## //p' Makefile mk/*.mk

clean:
	rm -rf $(BUILD_DIR)

.PHONY: all help clean
.DELETE_ON_ERROR:

## make              build the programs and the user-space core
## make clean        remove everything built
