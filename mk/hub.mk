# SPDX-License-Identifier: BSD-2-Clause
# usbroute-hub: the host process that hands links to QEMU VMs.

HUB_VERSION := $(VERSION)
HUB_SRC := $(sort $(wildcard hub/*.c))
HUB_PKGS := inih libsystemd
HUB_CFLAGS = $(UR_CFLAGS) -D_GNU_SOURCE -DUR_HUB_VERSION='"$(HUB_VERSION)"' \
	-Ihub -Iring -Ienv -Ienv/user $(shell pkg-config --cflags $(HUB_PKGS))
HUB_LIBS = $(shell pkg-config --libs $(HUB_PKGS))

HUB := $(BUILD_DIR)/bin/usbroute-hub
HUB_ASAN := $(BUILD_DIR)/tests/usbroute-hub-asan
HUB_OBJ := $(HUB_SRC:hub/%.c=$(BUILD_DIR)/hub/%.o)
HUB_ASAN_OBJ := $(HUB_SRC:hub/%.c=$(BUILD_DIR)/hub/asan/%.o)

ALL += $(HUB)
SUITES += hub
suite-hub = python3 tests/hub/hub.py $(HUB_ASAN) $(HUB)
suite-hub.deps = $(HUB) $(HUB_ASAN)

$(BUILD_DIR)/hub/%.o: hub/%.c
	@mkdir -p $(@D)
	$(CC) $(HUB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD_DIR)/hub/asan/%.o: hub/%.c
	@mkdir -p $(@D)
	$(CC) $(HUB_CFLAGS) $(SAN) $(DEPFLAGS) -c -o $@ $<

$(HUB): $(HUB_OBJ) $$(RING_OBJ)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

$(HUB_ASAN): $(HUB_ASAN_OBJ) $$(RING_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

## make hub          usbroute-hub alone: $(BUILD_DIR)/bin/usbroute-hub
hub: $(HUB)

.PHONY: hub
-include $(HUB_OBJ:.o=.d) $(HUB_ASAN_OBJ:.o=.d)
