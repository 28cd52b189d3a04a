#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the command on a machine of files (fake.h), with TAP on stdout.

    cli.py TEST_BINARY BINARY

    usage.py    options, help, exit status, errors of the link
    serving.py  a client in Python against `serve`
    asking.py   `list` and `attach` against a server in Python; `port`, `detach`
    stock.py    the stock usbip tools on the other side, over loopback TCP
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]

import rig  # noqa: E402

if len(sys.argv) != 3:
    sys.exit(__doc__)
rig.TEST_BINARY, rig.BINARY = (os.path.abspath(p) for p in sys.argv[1:])

import usage  # noqa: E402,F401
import serving  # noqa: E402,F401
import asking  # noqa: E402,F401
import stock  # noqa: E402,F401
import tap  # noqa: E402

sys.exit(tap.run())
