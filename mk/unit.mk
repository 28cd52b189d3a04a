# SPDX-License-Identifier: BSD-2-Clause
# Tests of ring/ and user/. A test program is built from its own file and the
# sources it tests, in one of these ways:
#     san      AddressSanitizer and UBSan
#     hooked   the same, and the core can be stopped between loads and stores
#     tsan     ThreadSanitizer
#     plain    as fast as it goes

LINK_SRC := $(RING_SRC) $(sort $(wildcard user/*.c))

SAN_WAY := $(SAN)
HOOKED_WAY := $(SAN) -Itests/cut/hooked
# The fences only decide about sleep; what orders bytes is acquire and release.
TSAN_WAY := $(TSAN) -Wno-tsan
PLAIN_WAY := -DROUNDS=3000

LINK_TEST_INC := -Ienv -Ienv/user -Iring -Iuser -Itests/unit -Itests/user -Itests/cut

# $(1) way, $(2) its flags
define link_test_way
$(BUILD_DIR)/tests/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(UR_CFLAGS) $(2) $$(LINK_TEST_INC) $$(DEPFLAGS) -c $$< -o $$@
endef
$(eval $(call link_test_way,san,$(SAN_WAY)))
$(eval $(call link_test_way,hooked,$(HOOKED_WAY)))
$(eval $(call link_test_way,tsan,$(TSAN_WAY)))
$(eval $(call link_test_way,plain,$(PLAIN_WAY)))

# Where indices and generations start is the environment's choice: tests/fault/first.c.
# The test of the geometry alone is about where they start otherwise.
FIRST_WRAP = $(if $(filter unit/layout,$(1)),,\
	-Wl,--wrap=ur_geometry_init -Wl,--wrap=ur_file_link_config)
FIRST_SRC = $(if $(filter unit/layout,$(1)),,tests/fault/first.c)

# $(1) way, $(2) its flags, $(3) folder/test, $(4) sources it tests
define link_test
LINK_TEST_OBJ += $(patsubst %.c,$(BUILD_DIR)/tests/$(1)/%.o,tests/$(3).c $(call FIRST_SRC,$(3)) $(4))
$(BUILD_DIR)/tests/$(1)-$(notdir $(3)): \
		$(patsubst %.c,$(BUILD_DIR)/tests/$(1)/%.o,tests/$(3).c $(call FIRST_SRC,$(3)) $(4))
	$$(CC) $$(UR_CFLAGS) $(2) $(call FIRST_WRAP,$(3)) -o $$@ $$^ -lcmocka -lpthread
endef
$(foreach t,doorbell layout ring channel channel_bytes link,\
	$(eval $(call link_test,san,$(SAN_WAY),unit/$(t),$(RING_SRC))))
$(foreach t,open streams waits threads processes,\
	$(eval $(call link_test,san,$(SAN_WAY),user/$(t),$(LINK_SRC))))
$(eval $(call link_test,san,$(SAN_WAY),evil/hostile,$(RING_SRC)))
$(eval $(call link_test,san,$(SAN_WAY),evil/binding,$(LINK_SRC)))
$(foreach t,steps talk,\
	$(eval $(call link_test,hooked,$(HOOKED_WAY),cut/$(t),$(RING_SRC))))
$(eval $(call link_test,plain,$(PLAIN_WAY),cut/kill,$(LINK_SRC)))
$(eval $(call link_test,san,$(SAN_WAY),cut/kill,$(LINK_SRC)))
$(eval $(call link_test,tsan,$(TSAN_WAY),cut/kill,$(LINK_SRC)))
$(eval $(call link_test,san,$(SAN_WAY),loop/loop,$(LINK_SRC)))
$(eval $(call link_test,plain,$(PLAIN_WAY),loop/two_threads,$(RING_SRC)))
$(eval $(call link_test,tsan,$(TSAN_WAY),loop/two_threads,$(RING_SRC)))
$(eval $(call link_test,tsan,$(TSAN_WAY),user/threads,$(LINK_SRC)))
$(eval $(call link_test,tsan,$(TSAN_WAY),user/waits,$(LINK_SRC)))

-include $(sort $(LINK_TEST_OBJ:.o=.d))

# Run them all, fail if one did.
EACH_TEST = s=0; for t in $(1); do CMOCKA_MESSAGE_OUTPUT=TAP $$t || s=1; done; exit $$s

suite-unit-ring.deps = $(patsubst %,$(BUILD_DIR)/tests/san-%,\
	doorbell layout ring channel channel_bytes link)
suite-evil.deps = $(patsubst %,$(BUILD_DIR)/tests/san-%,hostile binding)
suite-cut.deps = $(patsubst %,$(BUILD_DIR)/tests/hooked-%,steps talk) \
	$(patsubst %,$(BUILD_DIR)/tests/%-kill,plain san tsan)
suite-tsan.deps = $(patsubst %,$(BUILD_DIR)/tests/tsan-%,two_threads threads waits)
suite-loop.deps = $(BUILD_DIR)/tests/san-loop $(BUILD_DIR)/tests/plain-two_threads
suite-user.deps = $(patsubst %,$(BUILD_DIR)/tests/san-%,\
	open streams waits threads processes)

SUITES += unit-ring evil cut tsan loop user
suite-unit-ring = $(call EACH_TEST,$(suite-unit-ring.deps))
suite-evil = $(call EACH_TEST,$(suite-evil.deps))
suite-cut = $(call EACH_TEST,$(suite-cut.deps))
suite-tsan = $(call EACH_TEST,$(suite-tsan.deps))
suite-loop = $(call EACH_TEST,$(suite-loop.deps))
suite-user = $(call EACH_TEST,$(suite-user.deps))
