# SPDX-License-Identifier: BSD-2-Clause
# The one version of everything built here.
VERSION := 0.1.0

# Compilers and their flags, for every part of the tree.

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef -Wpointer-arith -Wwrite-strings -Werror
UR_CFLAGS := -std=gnu11 -fno-common $(WARN) $(CFLAGS)
# The core may include nothing but env.h: no libc beyond it, no heap.
CORE_CFLAGS := -std=c11 -fno-common $(WARN) -Wconversion -Wno-sign-conversion $(CFLAGS)

DEPFLAGS = -MMD -MP
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TSAN := -fsanitize=thread -fno-omit-frame-pointer
