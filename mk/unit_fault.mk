# SPDX-License-Identifier: BSD-2-Clause
# What must survive: a stopped reader, a storm of doorbells, an allocation that
# fails. Built as mk/unit.mk builds (and so read after it).

$(eval $(call link_test,san,$(SAN_WAY),fault/ten_channels,$(RING_SRC)))
$(eval $(call link_test,plain,$(PLAIN_WAY),user/fairness,$(LINK_SRC)))
$(eval $(call link_test,plain,$(PLAIN_WAY),user/storm,$(LINK_SRC)))

SUITES += fair
suite-fair = $(call EACH_TEST,$(suite-fair.deps))
suite-fair.deps = $(BUILD_DIR)/tests/san-ten_channels $(BUILD_DIR)/tests/plain-fairness \
	$(BUILD_DIR)/tests/plain-storm

# Each allocation fails once: tests/fault/fail.h. The objects of the sanitized
# builds, joined, and their symbols renamed.
OBJCOPY ?= objcopy
FAIL_DIR := $(BUILD_DIR)/tests/fail
FAIL_INJECTOR := $(BUILD_DIR)/tests/san/tests/fault/fail.o
# What one of them has from another and the tests replace, is replaced here already.
FAIL_JOIN = mkdir -p $(@D) && \
	$(LD) -r --wrap=ur_sysfs_write -o $@ $(filter %.o,$^) && \
	$(OBJCOPY) --redefine-syms=tests/fault/syscalls.txt $@

$(FAIL_DIR)/binding.o: $(LINK_SRC:%.c=$(BUILD_DIR)/tests/san/%.o) tests/fault/syscalls.txt
	$(FAIL_JOIN)

$(FAIL_DIR)/binding: $(BUILD_DIR)/tests/san/tests/fault/binding.o $(FAIL_INJECTOR) \
		$(FAIL_DIR)/binding.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka -lpthread

$(FAIL_DIR)/hub.o: $(HUB_ASAN_OBJ) tests/fault/syscalls.txt
	$(FAIL_JOIN)

$(FAIL_DIR)/usbroute-hub: $(FAIL_INJECTOR) $(FAIL_DIR)/hub.o $(HUB_CORE_ASAN_OBJ)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

$(FAIL_DIR)/cli.o: $(CLI_TEST_OBJ) tests/fault/syscalls.txt
	$(FAIL_JOIN)

$(FAIL_DIR)/usbroute: $(FAIL_INJECTOR) $(FAIL_DIR)/cli.o $(CLI_FAKE_OBJ)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_TEST_LIBS)

SUITES += fail
suite-fail = CMOCKA_MESSAGE_OUTPUT=TAP $(FAIL_DIR)/binding; s=$$?; \
	tests/fault/hub.py $(FAIL_DIR)/usbroute-hub $(HUB_VM) $(CLI) && exit $$s
suite-fail.deps = $(FAIL_DIR)/binding $(FAIL_DIR)/usbroute-hub $(HUB_VM) $(CLI)

# A minute, for some 780 runs.
BESIDE_SUITES += fail-cli
suite-fail-cli = tests/fault/cli.py $(FAIL_DIR)/usbroute
suite-fail-cli.deps = $(FAIL_DIR)/usbroute

-include $(FAIL_INJECTOR:.o=.d) $(BUILD_DIR)/tests/san/tests/fault/binding.d
