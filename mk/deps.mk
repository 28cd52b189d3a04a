# SPDX-License-Identifier: BSD-2-Clause
# What a fresh Debian needs before anything else can be built.

## make deps         install the Debian packages of mk/packages.txt that are missing
deps:
	@mk/deps.sh

.PHONY: deps
