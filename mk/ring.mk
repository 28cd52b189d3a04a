# SPDX-License-Identifier: BSD-2-Clause
# The cable, for user space. The kernel and seL4 compile the same files.

RING_SRC := ring/ring.c ring/layout.c ring/channel.c ring/link.c
RING_OBJ := $(RING_SRC:%.c=$(BUILD_DIR)/core/%.o)
CORE_INC := -Ienv -Ienv/user -Iring -Iwire

$(BUILD_DIR)/core/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(CORE_INC) $(DEPFLAGS) -c $< -o $@

-include $(RING_OBJ:.o=.d)
