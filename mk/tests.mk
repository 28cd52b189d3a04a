# SPDX-License-Identifier: BSD-2-Clause
# `make check`: every suite is a command that prints TAP; tests/run prints a row
# for each and one summary line at the end. A snippet adds a suite with
#     SUITES += name
#     suite-name = command        suite-name.deps = make targets it needs
# and `make check-name` runs it alone. SLOW_SUITES run last.

ORDERED = $(SUITES) $(SLOW_SUITES)

## make check        install what is missing, build everything, run every test suite
## make check-NAME   run one suite; `make suites` lists them
check:
	@$(MAKE) deps
	@echo "building (V=1 shows how)"
	@$(MAKE) check-build
	@tests/run $(foreach s,$(ORDERED),'$(s)=$(suite-$(s))')

check-build: all $$(foreach s,$$(ORDERED),$$(suite-$$(s).deps))

check-%: $$(suite-$$*.deps)
	@tests/run '$*=$(suite-$*)'

suites:
	@printf '%s\n' $(ORDERED)

.PHONY: check check-build suites
