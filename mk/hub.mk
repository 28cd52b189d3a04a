# SPDX-License-Identifier: BSD-2-Clause
# usbroute-hub: the host process that hands links to QEMU VMs, and runs the guard.

HUB_VERSION := $(VERSION)
HUB_SRC := $(sort $(wildcard hub/*.c))
HUB_PKGS := inih libsystemd
HUB_CFLAGS = $(UR_CFLAGS) -D_GNU_SOURCE -DUR_HUB_VERSION='"$(HUB_VERSION)"' \
	-Ihub -Irelay -Iguard -Iwire -Iring -Ienv -Ienv/user $(shell pkg-config --cflags $(HUB_PKGS))
HUB_LIBS = $(shell pkg-config --libs $(HUB_PKGS)) -pthread

HUB := $(BUILD_DIR)/bin/usbroute-hub
HUB_ASAN := $(BUILD_DIR)/tests/usbroute-hub-asan
HUB_OBJ := $(HUB_SRC:hub/%.c=$(BUILD_DIR)/hub/%.o)
HUB_ASAN_OBJ := $(HUB_SRC:hub/%.c=$(BUILD_DIR)/hub/asan/%.o)
HUB_CORE_SRC := $(foreach d,ring wire guard relay,$(sort $(wildcard $(d)/*.c)))
HUB_CORE_OBJ := $(HUB_CORE_SRC:%.c=$(BUILD_DIR)/hub/core/%.o)
HUB_CORE_ASAN_OBJ := $(HUB_CORE_SRC:%.c=$(BUILD_DIR)/hub/core-asan/%.o)
HUB_TSAN_OBJ := $(patsubst %.c,$(BUILD_DIR)/hub/tsan/%.o,$(HUB_SRC) $(HUB_CORE_SRC))
HUB_CORE_INC := -Irelay -Iguard -Iwire -Iring -Ienv -Ienv/user

ALL += $(HUB)
SUITES += hub
suite-hub = python3 tests/hub/hub.py $(HUB_ASAN) $(HUB)
suite-hub.deps = $(HUB) $(HUB_ASAN)

# The guard in it, between VMs that are a library and a script.
HUB_VM := $(BUILD_DIR)/tests/libvm.so
SUITES += hub-guarded
suite-hub-guarded = python3 tests/hub/guarded.py $(HUB_ASAN) $(HUB) $(HUB_VM) $(CLI)
suite-hub-guarded.deps = $(HUB) $(HUB_ASAN) $(HUB_VM) $(CLI)

# The same once more, to see that its threads take turns.
HUB_TSAN := $(BUILD_DIR)/tests/usbroute-hub-tsan
SUITES += hub-threads
suite-hub-threads = python3 tests/hub/guarded.py $(HUB_TSAN) $(HUB) $(HUB_VM) $(CLI)
suite-hub-threads.deps = $(HUB_TSAN) $(HUB) $(HUB_VM) $(CLI)

$(HUB_VM): tests/hub/vm.c hub/damper.h $(sort $(wildcard user/*.c user/*.h ring/*.c ring/*.h))
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) $(USER_INC) -fPIC -shared -o $@ $(filter %.c,$^) -pthread

$(BUILD_DIR)/hub/%.o: hub/%.c
	@mkdir -p $(@D)
	$(CC) $(HUB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(BUILD_DIR)/hub/asan/%.o: hub/%.c
	@mkdir -p $(@D)
	$(CC) $(HUB_CFLAGS) $(SAN) $(DEPFLAGS) -c -o $@ $<

$(BUILD_DIR)/hub/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HUB_CFLAGS) $(TSAN) -Wno-tsan $(DEPFLAGS) -c -o $@ $<

$(BUILD_DIR)/hub/core/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(HUB_CORE_INC) $(DEPFLAGS) -c -o $@ $<

$(BUILD_DIR)/hub/core-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CORE_CFLAGS) $(HUB_CORE_INC) $(SAN) $(DEPFLAGS) -c -o $@ $<

$(HUB): $(HUB_OBJ) $(HUB_CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

$(HUB_ASAN): $(HUB_ASAN_OBJ) $(HUB_CORE_ASAN_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

$(HUB_TSAN): $(HUB_TSAN_OBJ)
	@mkdir -p $(@D)
	$(CC) $(TSAN) $(LDFLAGS) -o $@ $^ $(HUB_LIBS)

# Its guard starts where tests/fault/first.c says: for guests that do (mk/first.mk).
HUB_NEAR := $(BUILD_DIR)/tests/usbroute-hub-near
$(HUB_NEAR): $(HUB_OBJ) $(HUB_CORE_OBJ) $(BUILD_DIR)/tests/plain/tests/fault/first.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,--wrap=ur_geometry_init -o $@ $^ $(HUB_LIBS)

## make hub          usbroute-hub alone: $(BUILD_DIR)/bin/usbroute-hub
hub: $(HUB)

.PHONY: hub
-include $(HUB_OBJ:.o=.d) $(HUB_ASAN_OBJ:.o=.d)
-include $(HUB_CORE_OBJ:.o=.d) $(HUB_CORE_ASAN_OBJ:.o=.d) $(HUB_TSAN_OBJ:.o=.d)
