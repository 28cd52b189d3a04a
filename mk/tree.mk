# SPDX-License-Identifier: BSD-2-Clause
# The tree's own rules: layers, licences, lengths.

SUITES += tree
suite-tree = tests/tree/layers
suite-tree.deps =
