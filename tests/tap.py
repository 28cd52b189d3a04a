# SPDX-License-Identifier: BSD-2-Clause
"""TAP for the tests in Python: @test("text") registers, run() prints.

What run() is given, each test gets.
"""

import sys
import traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that lacks what it needs; says what."""


def test(text):
    def register(function):
        TESTS.append((text, function))
        return function

    return register


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what}: expected {part!r} in {text!r}")


def within(seconds, limit, what):
    if seconds > limit:
        raise AssertionError(f"{what}: took {seconds:.2f} s, expected at most {limit}")


def run_one(number, text, function, arguments):
    try:
        function(*arguments)
    except Skip as skip:
        print(f"ok {number} - {text} # SKIP {skip}", flush=True)
    except Exception:
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
        print(f"not ok {number} - {text}", flush=True)
        return False
    else:
        print(f"ok {number} - {text}", flush=True)
    return True


def run(*arguments):
    print(f"1..{len(TESTS)}", flush=True)
    results = [run_one(i, *t, arguments) for i, t in enumerate(TESTS, 1)]
    return 0 if all(results) else 1


def run_and_stop(rig):
    """The whole program: run all tests with the rig, stop it, exit."""
    try:
        sys.exit(run(rig))
    finally:
        rig.stop()
