# SPDX-License-Identifier: BSD-2-Clause
# No run-time error in the core, for anything a peer may say: Frama-C/WP.

## make check-wp     prove ring/ and wire/ free of run-time errors (proofs/wp), refute twins
# Minutes of provers: with LONG=1, like fuzzing and the coverage.
IDLE_SUITES += $(if $(filter 1,$(LONG)),wp)
suite-wp = env BUILD_DIR=$(BUILD_DIR) proofs/wp/run
suite-wp.deps =
