# SPDX-License-Identifier: BSD-2-Clause
# `make check`: every suite is a program that prints TAP; tests/run prints a row
# for each and one summary line at the end. A snippet adds a suite with
#     SUITES += name
#     suite-name = command        (and prerequisites: suite-name.deps = targets)

## make check        build everything and run every test suite
check: $(foreach s,$(SUITES),$(suite-$(s).deps))
	@tests/run $(foreach s,$(SUITES),'$(s)=$(suite-$(s))')

# `make check-unit` runs one suite.
$(foreach s,$(SUITES),check-$(s)): check-%: $$(suite-$$*.deps)
	@tests/run '$*=$(suite-$*)'

.PHONY: check
