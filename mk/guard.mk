# SPDX-License-Identifier: BSD-2-Clause
# guard/ and relay/: who may pass, and the way through. GUARD_SRC and RELAY_SRC are for
# whoever links them, with wire/ and ring/.

GUARD_SRC := $(sort $(wildcard guard/*.c))
RELAY_SRC := $(sort $(wildcard relay/*.c))
GUARD_INC := -Ienv -Ienv/user -Iwire -Iguard
RELAY_INC := $(GUARD_INC) -Iring -Irelay

GUARD_DIR := $(BUILD_DIR)/tests/guard
GUARD_OBJ := $(patsubst %.c,$(GUARD_DIR)/%.o,$(GUARD_SRC) $(sort $(wildcard wire/*.c)))
RELAY_OBJ := $(patsubst %.c,$(GUARD_DIR)/%.o,$(RELAY_SRC) $(sort $(wildcard ring/*.c)))
GUARD_TEST_INC := $(RELAY_INC) -Icli -Itests/unit -Itests/attacks

$(GUARD_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(SAN) $(DEPFLAGS) $(RELAY_INC) -c -o $@ $<

$(GUARD_DIR)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) $(SAN) $(DEPFLAGS) $(GUARD_TEST_INC) -c -o $@ $<

GUARD_TESTS := $(patsubst %,$(BUILD_DIR)/tests/unit-guard-%,\
	approve control descriptor gate pin policy session state)
# Rules as text, where a test needs some.
GUARD_RULES := $(patsubst %,$(BUILD_DIR)/tests/%,unit-guard-approve unit-guard-policy unit-guard-capture \
	guard-model attacks)
$(GUARD_RULES): $(GUARD_DIR)/cli/compile.o
$(GUARD_DIR)/cli/compile.o: cli/compile.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -D_GNU_SOURCE $(SAN) $(DEPFLAGS) $(GUARD_INC) -c -o $@ $<

$(GUARD_TESTS): $(BUILD_DIR)/tests/unit-guard-%: $(GUARD_DIR)/tests/unit/guard_%.o $(GUARD_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^ -lcmocka

SUITES += unit-guard
suite-unit-guard = $(call EACH_TEST,$(GUARD_TESTS))
suite-unit-guard.deps = $(GUARD_TESTS)

RELAY_TESTS := $(BUILD_DIR)/tests/loop-relay $(BUILD_DIR)/tests/loop-router
$(BUILD_DIR)/tests/loop-router: $(GUARD_DIR)/cli/compile.o
$(BUILD_DIR)/tests/loop-relay: RELAY_LDFLAGS = -Wl,--wrap=ur_channel_data

$(RELAY_TESTS): $(BUILD_DIR)/tests/loop-%: $(GUARD_DIR)/tests/loop/%.o $(GUARD_OBJ) $(RELAY_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) $(RELAY_LDFLAGS) -o $@ $^ -lcmocka

SUITES += loop-relay
suite-loop-relay = $(call EACH_TEST,$(RELAY_TESTS))
suite-loop-relay.deps = $(RELAY_TESTS)

# Each attack is a file: tests/attacks/play.c.
ATTACKS := $(BUILD_DIR)/tests/attacks
$(ATTACKS): $(GUARD_DIR)/tests/attacks/play.o $(GUARD_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^

SUITES += attacks
suite-attacks = $(ATTACKS) tests/attacks/files/*.txt
suite-attacks.deps = $(ATTACKS)

# What the stock tools said must pass. (The same, changed at random: mk/fuzz.mk.)
STOCK := tests/vectors/stock-usbip.pcap

$(BUILD_DIR)/tests/unit-guard-capture: $(GUARD_DIR)/tests/unit/guard_capture.o $(GUARD_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^ -lpcap

SUITES += unit-guard-capture
suite-unit-guard-capture = $(BUILD_DIR)/tests/unit-guard-capture $(STOCK)
suite-unit-guard-capture.deps = $(BUILD_DIR)/tests/unit-guard-capture

# The guard beside a plain reference of it, message by message; the seed is fixed.
$(BUILD_DIR)/tests/guard-model: $(GUARD_DIR)/tests/unit/guard_model.o $(GUARD_OBJ)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^

GUARD_SEQUENCES ?= 100000
IDLE_SUITES += guard-model
suite-guard-model = $(BUILD_DIR)/tests/guard-model $(GUARD_SEQUENCES)
suite-guard-model.deps = $(BUILD_DIR)/tests/guard-model

# USBGuard's own parser judges our rules. Not installed: its daemon would decide about this
# machine's devices. Where it cannot be had the test is skipped by name.
USBGUARD_DIR := $(BUILD_DIR)/usbguard
$(USBGUARD_DIR)/unpacked:
	@mkdir -p $(@D)/debs
	cd $(@D)/debs && apt-get -qq -o APT::Sandbox::User= download usbguard libusbguard1 && \
		for deb in *.deb; do dpkg-deb -x $$deb ..; done || true
	@touch $@

# The rule language, by the tests' build of the command: mk/cli.mk.
SUITES += policy
suite-policy = env UR_USBGUARD=$(USBGUARD_DIR) python3 tests/cli/policy.py $(BUILD_DIR)/tests/usbroute-asan
suite-policy.deps = $(BUILD_DIR)/tests/usbroute-asan $(USBGUARD_DIR)/unpacked

## make attacks      play every attack of tests/attacks/files through the guard
attacks: $(ATTACKS)
	@$(ATTACKS) tests/attacks/files/*.txt

.PHONY: attacks

-include $(wildcard $(GUARD_DIR)/*/*.d $(GUARD_DIR)/tests/*/*.d)
