# SPDX-License-Identifier: BSD-2-Clause
# wire/: the messages that travel. WIRE_SRC is for whoever links them.

WIRE_SRC := $(sort $(wildcard wire/*.c))
WIRE_INC := -Ienv -Ienv/user -Iwire

WIRE_DIR := $(BUILD_DIR)/tests/wire
WIRE_TESTS := wire_main wire_cursor wire_pdu wire_framer wire_op wire_op_framer
WIRE_OBJ := $(WIRE_SRC:wire/%.c=$(WIRE_DIR)/%.o)

$(WIRE_DIR)/%.o: wire/%.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(SAN) $(DEPFLAGS) $(WIRE_INC) -c -o $@ $<

$(WIRE_DIR)/test-%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) $(SAN) $(DEPFLAGS) $(WIRE_INC) -Itests/unit -c -o $@ $<

$(BUILD_DIR)/tests/unit-wire: $(WIRE_OBJ) $(WIRE_TESTS:%=$(WIRE_DIR)/test-%.o)
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^ -lcmocka

$(BUILD_DIR)/tests/unit-wire-capture: $(WIRE_OBJ) $(WIRE_DIR)/test-wire_capture.o
	$(CC) $(UR_CFLAGS) $(SAN) -o $@ $^ -lpcap

-include $(wildcard $(WIRE_DIR)/*.d)

SUITES += unit-wire
suite-unit-wire = $(BUILD_DIR)/tests/unit-wire
suite-unit-wire.deps = $(BUILD_DIR)/tests/unit-wire

# What stock usbip said over TCP, recorded once; read, framed, written again.
SUITES += unit-wire-capture
suite-unit-wire-capture = $(BUILD_DIR)/tests/unit-wire-capture tests/vectors/stock-usbip.pcap
suite-unit-wire-capture.deps = $(BUILD_DIR)/tests/unit-wire-capture
