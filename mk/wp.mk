# SPDX-License-Identifier: BSD-2-Clause
# No run-time error in the core, for anything a peer may say: Frama-C/WP.

## make check-wp     prove ring/ and wire/ free of run-time errors (proofs/wp), refute twins
IDLE_SUITES += wp
suite-wp = env BUILD_DIR=$(BUILD_DIR) proofs/wp/run
suite-wp.deps =
