# SPDX-License-Identifier: BSD-2-Clause
# Ring indices and generations near their wrap (SPEC sections 4 and 7):
# tests/fault/first.c reads these, and tests/qemu/vm.py hands them to the guests'
# module.

## make check FIRST_INDEX=0xffffff00 FIRST_GENERATION=0xfffffe   all of it near the wrap

ifneq ($(FIRST_INDEX),)
export UR_FIRST_INDEX := $(FIRST_INDEX)
endif
ifneq ($(FIRST_GENERATION),)
export UR_FIRST_GENERATION := $(FIRST_GENERATION)
endif

# The short form: what goes over these links wraps within the first kilobyte, and
# the second call of a channel.
NEAR_WRAP_TESTS := channel channel_bytes link streams waits processes

SUITES += near-wrap
suite-near-wrap = UR_FIRST_INDEX=0xfffffc00 UR_FIRST_GENERATION=0xffffff; \
	export UR_FIRST_INDEX UR_FIRST_GENERATION; \
	$(call EACH_TEST,$(suite-near-wrap.deps))
suite-near-wrap.deps = $(NEAR_WRAP_TESTS:%=$(BUILD_DIR)/tests/san-%)
