# SPDX-License-Identifier: BSD-2-Clause
# `make coverage`: the branches of wire/ and guard/ that the deterministic tests take:
# unit tests, the stock session, the attacks, the model run, the fuzz targets' seeds.
# By clang, whose branches are the source's: tests/coverage.py.

COV_CC ?= clang
COV_DIR := $(BUILD_DIR)/coverage
COV_INC := -Ienv -Ienv/user -Iwire -Iguard -Icli -Ifuzz -Itests/unit -Itests/attacks
COV_CFLAGS := -std=gnu11 -fno-common -O1 -g -D_GNU_SOURCE \
	-fprofile-instr-generate -fcoverage-mapping

COV_CORE := $(sort $(wildcard wire/*.c guard/*.c)) cli/compile.c
COV_CORE_OBJ := $(COV_CORE:%.c=$(COV_DIR)/%.o)
COV_WIRE_TESTS := $(filter-out %/wire_capture.c,$(sort $(wildcard tests/unit/wire_*.c)))
# Each is a program of its own; unit/wire is put together from several files.
COV_TESTS := $(patsubst tests/%.c,%,$(sort $(wildcard tests/unit/guard_*.c)) \
	tests/unit/wire_capture.c tests/attacks/play.c tests/attacks/known.c)
COV_FUZZ := framer pdu descriptor policy guard
COV_PROGRAMS := $(patsubst %,$(COV_DIR)/test/%,unit/wire $(COV_TESTS)) \
	$(COV_FUZZ:%=$(COV_DIR)/fuzz/%-replay)
COV_ARGS_unit/wire_capture := ,tests/vectors/stock-usbip.pcap
COV_ARGS_unit/guard_capture := ,tests/vectors/stock-usbip.pcap
COV_ARGS_unit/guard_model := ,20000
COV_ARGS_attacks/play := ,tests/attacks/files/*.txt
COV_RUN = $(foreach t,unit/wire $(COV_TESTS),'$(COV_DIR)/test/$(t)$(COV_ARGS_$(t))') \
	$(foreach t,$(COV_FUZZ),'$(COV_DIR)/fuzz/$(t)-replay,$(FUZZ_DIR)/seeds/$(t)/*')

$(COV_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(COV_CC) $(COV_CFLAGS) $(COV_INC) $(DEPFLAGS) -c -o $@ $<

$(COV_DIR)/test/unit/wire: $(COV_WIRE_TESTS:%.c=$(COV_DIR)/%.o) $(COV_CORE_OBJ)
	@mkdir -p $(@D)
	$(COV_CC) $(COV_CFLAGS) -o $@ $^ -lcmocka

$(COV_TESTS:%=$(COV_DIR)/test/%): $(COV_DIR)/test/%: $(COV_DIR)/tests/%.o $(COV_CORE_OBJ)
	@mkdir -p $(@D)
	$(COV_CC) $(COV_CFLAGS) -o $@ $^ -lcmocka -lpcap

$(COV_FUZZ:%=$(COV_DIR)/fuzz/%-replay): $(COV_DIR)/fuzz/%-replay: $(COV_DIR)/fuzz/%.o \
		$(COV_DIR)/fuzz/replay.o $(COV_CORE_OBJ)
	$(COV_CC) $(COV_CFLAGS) -o $@ $^

# Looked for only where something needs it: it runs the compiler.
COV_RUNTIME = $(shell $(COV_CC) -print-resource-dir 2>/dev/null)/lib
COV_HERE = $(and $(wildcard $(COV_RUNTIME)/*/libclang_rt.profile*),$(shell command -v llvm-cov))
COV_READY = $(if $(COV_HERE),$(COV_PROGRAMS) $(FUZZ_DIR)/seeds/made)

IDLE_SUITES += coverage
suite-coverage = tests/coverage.py $(COV_DIR) $(COV_RUN)
suite-coverage.deps = $(COV_READY)

## make coverage     branches of wire/ and guard/ that the tests take; lists the others
coverage: $$(COV_READY)
	tests/coverage.py $(COV_DIR) $(COV_RUN)

.PHONY: coverage
-include $(wildcard $(COV_DIR)/*/*.d $(COV_DIR)/tests/*/*.d)
