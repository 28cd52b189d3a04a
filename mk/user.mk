# SPDX-License-Identifier: BSD-2-Clause
# user/: a link between plain processes. Whoever uses it links USER_LIB (the
# core is in it) with -pthread and compiles with USER_INC.

USER_SRC := $(sort $(wildcard user/*.c))
USER_OBJ := $(USER_SRC:%.c=$(BUILD_DIR)/%.o)
USER_INC := -Ienv -Ienv/user -Iring -Iuser
USER_LIB := $(BUILD_DIR)/user/libusbroute-user.a

$(USER_OBJ): $(BUILD_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) $(USER_INC) $(DEPFLAGS) -c $< -o $@

$(USER_LIB): $(USER_OBJ) $(RING_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

ALL += $(USER_LIB)

-include $(USER_OBJ:.o=.d)
