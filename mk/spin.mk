# SPDX-License-Identifier: BSD-2-Clause
# The protocol models: Spin searches each one whole, and refutes its twins.

## make check-spin   check the protocol models (proofs/spin) with Spin
IDLE_SUITES += spin
suite-spin = env BUILD_DIR=$(BUILD_DIR) proofs/spin/run
suite-spin.deps =
