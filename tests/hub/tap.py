# SPDX-License-Identifier: BSD-2-Clause
"""TAP for the tests of the hub: @test("text") registers, run() prints."""

import traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that lacks what it needs; says what."""


def test(text):
    def register(function):
        TESTS.append((text, function))
        return function

    return register


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what}: expected {part!r} in {text!r}")


def run_one(number, text, function):
    try:
        function()
    except Skip as skip:
        print(f"ok {number} - {text} # SKIP {skip}", flush=True)
    except Exception:
        print(f"not ok {number} - {text}")
        for line in traceback.format_exc().splitlines():
            print(f"# {line}", flush=True)
        return False
    else:
        print(f"ok {number} - {text}", flush=True)
    return True


def run():
    print(f"1..{len(TESTS)}", flush=True)
    results = [run_one(i, *t) for i, t in enumerate(TESTS, 1)]
    return 0 if all(results) else 1
