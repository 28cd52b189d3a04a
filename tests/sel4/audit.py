#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sel4/audit_ring.c writes, sel4/audit prints: the same lines, oldest first.

    audit.py PROGRAM        tests/sel4/audit_ring.c, built
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.dont_write_bytecode = True

import tap                              # noqa: E402
from tap import contains, equal, test   # noqa: E402

TOOL = os.path.join(HERE, "..", "..", "sel4", "audit")
SLOTS, SLOT_BYTES = 63, 1024


def region(program, lines):
    return subprocess.run([program, str(lines)], stdout=subprocess.PIPE, check=True).stdout


def printed(data):
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(data)
        copy.flush()
        done = subprocess.run([TOOL, copy.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def expected(first, last):
    return [f'{{"number":{i}}}' for i in range(first, last + 1)]


@test("Nothing written: nothing printed")
def empty(program):
    equal(printed(region(program, 0)), (0, [], ""))


@test("Up to as many lines as there are slots: all of them")
def all_there(program):
    for lines in (1, 2, SLOTS - 1, SLOTS):
        equal(printed(region(program, lines)), (0, expected(1, lines), ""), f"after {lines} lines")


@test("More: the newest, in order, and how many are gone")
def overwritten(program):
    for lines in (SLOTS + 1, 2 * SLOTS, 200):
        status, out, errors = printed(region(program, lines))
        equal((status, out), (0, expected(lines - SLOTS + 1, lines)), f"after {lines} lines")
        contains(errors, f" {lines - SLOTS} older lines", "standard error")


@test("A slot that is being written is left out")
def half_written(program):
    data = bytearray(region(program, 3))
    data[2 * SLOT_BYTES:2 * SLOT_BYTES + 4] = bytes(4)
    equal(printed(bytes(data))[1], ['{"number":1}', '{"number":3}'])


@test("What is no audit region is refused, with what was expected")
def damaged(program):
    data = region(program, 3)
    for what, bad in (("magic", b"\0" + data[1:]), ("version", data[:4] + b"\2" + data[5:]),
                      ("slots", data + bytes(SLOT_BYTES)), ("bytes", data[:100])):
        status, out, errors = printed(bad)
        equal((status, out), (1, []), f"status and lines, {what}")
        contains(errors, what, "standard error")
        contains(errors, "expected", "standard error")


@test("A size beyond its slot prints nothing of the next one")
def too_long(program):
    data = bytearray(region(program, 2))
    data[SLOT_BYTES + 4:SLOT_BYTES + 8] = (SLOT_BYTES - 7).to_bytes(4, "little")
    equal(printed(bytes(data))[1], ['{"number":2}'])


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1]))
