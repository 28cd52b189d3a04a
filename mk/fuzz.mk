# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets: fuzz/NAME.c, with libFuzzer where clang has it. What they share and
# what an input means stands in the sources; seeds are made from the tests' files.

FUZZ_CC ?= clang
# Of processor time, of each target; they run side by side.
FUZZ_SECONDS ?= 60
FUZZ_ALL := framer pdu descriptor policy guard router

FUZZ_DIR := $(BUILD_DIR)/fuzz
FUZZ_INC := -Ienv -Ienv/user -Iwire -Iguard -Iring -Irelay -Icli -Ifuzz -Itests/attacks -Itests/loop
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := -std=gnu11 -fno-common -Wall -Wextra -Werror -O1 -g -D_GNU_SOURCE $(FUZZ_SAN)
# What the targets call: all of it for each, so that there is one rule.
FUZZ_CORE := $(sort $(wildcard wire/*.c guard/*.c ring/*.c relay/*.c)) cli/compile.c
FUZZ_OBJ := $(FUZZ_CORE:%.c=$(FUZZ_DIR)/core/%.o)
FUZZ_BIN := $(FUZZ_ALL:%=$(FUZZ_DIR)/%-fuzz)
FUZZ_SEEDS := $(FUZZ_DIR)/seeds/made

# Looked for only where something needs it: it runs the compiler.
FUZZ_RUNTIME = $(shell $(FUZZ_CC) -print-resource-dir 2>/dev/null)/lib
FUZZ_HERE = $(wildcard $(FUZZ_RUNTIME)/*/libclang_rt.fuzzer*)
FUZZ_READY = $(if $(FUZZ_HERE),$(FUZZ_BIN) $(FUZZ_SEEDS))

$(FUZZ_DIR)/core/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_INC) $(DEPFLAGS) -c -o $@ $<

$(FUZZ_BIN): $(FUZZ_DIR)/%-fuzz: fuzz/%.c $(FUZZ_OBJ)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(FUZZ_INC) $(DEPFLAGS) -o $@ $< $(FUZZ_OBJ) $(FUZZ_LIBS)

# Its bed is one of tests/loop.
$(FUZZ_DIR)/router-fuzz $(FUZZ_DIR)/router-replay: FUZZ_LIBS := -lcmocka

$(FUZZ_SEEDS): fuzz/seeds.py $(sort $(wildcard tests/attacks/files/*.txt)) \
		tests/vectors/stock-usbip.pcap tests/cli/policy.py
	@mkdir -p $(@D)
	rm -rf $(@D)/*
	$< $(@D)
	touch $@

IDLE_SUITES += fuzz
suite-fuzz = fuzz/run $(FUZZ_DIR) $(FUZZ_SECONDS) $(FUZZ_ALL)
suite-fuzz.deps = $(FUZZ_READY)

IDLE_SUITES += fuzz-run
suite-fuzz-run = tests/fuzz/run.py

## make fuzz SECONDS=n [TARGET=name]   fuzz for n processor seconds (600) a target
fuzz: SECONDS ?= 600
fuzz: $$(FUZZ_READY)
	$(if $(FUZZ_HERE),,$(error no libFuzzer: it needs $(FUZZ_CC) and libclang-rt-dev))
	fuzz/run $(FUZZ_DIR) $(SECONDS) $(or $(TARGET),$(FUZZ_ALL))

# One input without the fuzzer, by any compiler: $(BUILD_DIR)/fuzz/NAME-replay FILE
$(FUZZ_ALL:%=$(FUZZ_DIR)/%-replay): $(FUZZ_DIR)/%-replay: fuzz/%.c fuzz/replay.c $(FUZZ_CORE)
	@mkdir -p $(@D)
	$(CC) $(UR_CFLAGS) -D_GNU_SOURCE $(SAN) $(FUZZ_INC) -o $@ $^ $(FUZZ_LIBS)

.PHONY: fuzz
-include $(FUZZ_OBJ:.o=.d) $(FUZZ_BIN:=.d)
