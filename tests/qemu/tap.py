# SPDX-License-Identifier: BSD-2-Clause
"""TAP for the QEMU suites: each test is a function of one argument (the rig)."""

import sys
import traceback


class Skip(Exception):
    """This test cannot run here; the text says why."""


def run(tests, rig=None):
    """Run (name, function) pairs in order; returns the exit status."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        try:
            function(rig)
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:   # a test may fail in any way; the next ones still run
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
            print(f"not ok {number} - {name}", flush=True)
    return 1 if failed else 0


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: expected {want!r}, got {got!r}")


def within(seconds, limit, what):
    if seconds > limit:
        raise AssertionError(f"{what}: took {seconds:.2f} s, expected at most {limit}")


def main(module, rig=None):
    """All functions of a module whose name begins with test_, in the order they stand."""
    tests = [(f.__doc__.splitlines()[0].rstrip("."), f) for n, f in vars(module).items()
             if n.startswith("test_")]
    sys.exit(run(tests, rig))
