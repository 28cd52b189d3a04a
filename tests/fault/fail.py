# SPDX-License-Identifier: BSD-2-Clause
"""Each allocation of a program fails once (fail.h), one run for each.

    failures(run)   run(n, environment) for n = 1, 2, ... until nothing failed
"""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MOST = 2000  # allocations of a run: surely fewer


class Log:
    """What the program under test left in UR_FAIL_LOG."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            words = [line.split() for line in file]
        self.failed = next((f"number {w[1]}, {w[2]}," for w in words if w[0] == "failed"), None)
        self.count = next((int(w[1]) for w in words if w[0] == "count"), None)


def failures(run, least):
    """How many allocations failed. What a run raises says which one it was."""
    with tempfile.TemporaryDirectory(prefix="ur-fail-") as folder:
        path = os.path.join(folder, "log")
        for number in range(1, MOST):
            environment = {"UR_FAIL_AT": str(number), "UR_FAIL_LOG": path}
            try:
                run(environment, lambda: Log(path).failed)
            except Exception as error:
                raise AssertionError(f"{Log(path).failed or 'nothing'} failed: {error}") from error
            if not Log(path).failed:
                if number <= least:
                    raise AssertionError(f"expected at least {least} allocations, got {number - 1}")
                return number - 1
    raise AssertionError(f"expected fewer than {MOST} allocations")


def use(*folders):
    """Modules of these folders of tests/ can be imported."""
    sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("", *folders)]
