#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
All tests of usbroute-hub, as TAP.

    hub.py HUB_WITH_SANITIZERS HUB

protocol.py  what a client gets           sockets.py  socket files, options, signals
files.py     the configuration file       qemu.py     two real QEMUs
pages.py     the man pages            costs.py    what a client can cost others
"""

import faulthandler
import os
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import rig  # noqa: E402
import tap  # noqa: E402

# No test takes longer than its own bounds; this is for a bug in the tests.
WHOLE_RUN_S = 240


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} HUB_WITH_SANITIZERS HUB")
    rig.HUB["asan"], rig.HUB["release"] = sys.argv[1:]
    faulthandler.dump_traceback_later(WHOLE_RUN_S, exit=True)
    import protocol, costs, sockets, files, qemu, pages  # noqa: they register their tests
    sys.exit(tap.run())


if __name__ == "__main__":
    main()
