# SPDX-License-Identifier: BSD-2-Clause
# `make check`: every suite is a command that prints TAP; tests/run prints a row
# for each and one summary line at the end. A snippet adds a suite with
#     SUITES += name
#     suite-name = command        suite-name.deps = make targets it needs
# and `make check-name` runs it alone. ALONE_SUITES run first, with nothing beside them.
# SLOW_SUITES run last. Beside these and SUITES run BESIDE_SUITES, which have guests
# but measure no time, and IDLE_SUITES, which need nothing but processor time, on what
# the others leave.

ORDERED = $(SUITES) $(SLOW_SUITES)
ALL_SUITES = $(ALONE_SUITES) $(ORDERED) $(BESIDE_SUITES) $(IDLE_SUITES)
as_argument = '$(1)=$(suite-$(1))'

# The long forms of one suite may take longer than tests/run allows by default.
ifeq ($(LONG),1)
export UR_SUITE_SECONDS ?= 3600
endif

## make check        install what is missing, build everything, run every test suite
## make check-NAME   run one suite; `make suites` lists them
check:
	@$(MAKE) deps
	@mk/deps.sh mk/oracles.txt || true
	@echo "building (V=1 shows how)"
	@$(MAKE) check-build
	@tests/run $(foreach s,$(ORDERED),$(call as_argument,$(s))) \
		--alone $(foreach s,$(ALONE_SUITES),$(call as_argument,$(s))) \
		--beside $(foreach s,$(BESIDE_SUITES),$(call as_argument,$(s))) \
		--idle $(foreach s,$(IDLE_SUITES),$(call as_argument,$(s)))

check-build: all $$(foreach s,$$(ALL_SUITES),$$(suite-$$(s).deps))

check-%: $$(suite-$$*.deps)
	@tests/run '$*=$(suite-$*)'

suites:
	@printf '%s\n' $(ALL_SUITES)

.PHONY: check check-build suites
