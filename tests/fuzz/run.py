#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fuzz/run beside targets that only look like fuzzers; TAP.

    busy      uses its processor time                   -> ok
    idle      sleeps: the time is over before it is had -> skip, not ok
    barren    uses it, and runs no more than the seeds  -> not ok
    crashed   finds something at once                   -> not ok
    idler     sleeps, and then finds something          -> not ok, not skip
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.dont_write_bytecode = True

import tap                          # noqa: E402
from tap import contains, equal, test, within  # noqa: E402

RUN = os.path.join(HERE, "..", "..", "fuzz", "run")
SECONDS = 1
# Of the suite: 90 of them are for the last round and the report.
LIMIT_S = 110
TARGET = """#!{python}
import sys, time
begun, seconds = time.process_time(), {busy}
while time.process_time() - begun < seconds:
    pass
time.sleep({sleep})
{crash}
print("stat::number_of_executed_units: {runs}")
"""
CRASH = "open({path!r}, 'w').close(); print('ERROR: found'); sys.exit(77)"


def write_target(folder, name, busy=0.0, sleep=0.0, runs=1000, crash=False):
    seeds = os.path.join(folder, "seeds", name)
    os.makedirs(seeds)
    for seed in range(3):
        with open(os.path.join(seeds, str(seed)), "w", encoding="ascii"):
            pass
    path = os.path.join(folder, f"{name}-fuzz")
    found = CRASH.format(path=os.path.join(folder, f"{name}-crash-1")) if crash else ""
    with open(path, "w", encoding="ascii") as program:
        program.write(TARGET.format(python=sys.executable, busy=busy, sleep=sleep, runs=runs, crash=found))
    os.chmod(path, 0o755)


def played():
    """The exit status, and each target's line and the lines above it."""
    with tempfile.TemporaryDirectory() as folder:
        write_target(folder, "busy", busy=0.4)
        write_target(folder, "idle", sleep=5.0)
        write_target(folder, "barren", busy=0.4, runs=0)
        write_target(folder, "crashed", crash=True)
        write_target(folder, "idler", sleep=5.0, crash=True)
        done = subprocess.run([RUN, folder, str(SECONDS), "busy", "idle", "barren", "crashed", "idler"],
                              env=dict(os.environ, UR_SUITE_LIMIT=str(LIMIT_S)), stdout=subprocess.PIPE, text=True,
                              check=False)
    lines, above = {}, []
    for line in done.stdout.splitlines():
        found = re.match(r"(?:not )?ok \d - (\w+)", line)
        above.append(line)
        if found:
            lines[found.group(1)], above = above, []
    return done.returncode, lines


@test("A target that had its time and found nothing is ok")
def busy(status, lines):
    equal(lines["busy"][-1].startswith("ok 1 - busy: "), True, lines["busy"][-1])
    equal("SKIP" in lines["busy"][-1], False, lines["busy"][-1])
    equal(status, 1, "exit status, for the others' sake")


@test("One that did not get it is a skip that says how much it had, and no failure")
def idle(_, lines):
    found = re.fullmatch(r"ok 2 - idle: \d s of processor time # SKIP (\S+) s of processor time within 20 s, want 1",
                         lines["idle"][-1])
    equal(bool(found), True, lines["idle"][-1])
    within(float(found.group(1)), 1, "what it had")


@test("One that ran nothing but its seeds in its time has failed")
def barren(_, lines):
    equal(lines["barren"][-1].startswith("not ok 3 - barren: "), True, lines["barren"][-1])
    contains("\n".join(lines["barren"]), "want more than the 3 seeds", "why")


@test("What is found is a failure, in time or not, with the input")
def crashed(_, lines):
    for name in ("crashed", "idler"):
        equal(lines[name][-1].startswith("not ok "), True, lines[name][-1])
        equal("SKIP" in lines[name][-1], False, lines[name][-1])
        contains("\n".join(lines[name]), f"{name}-crash-1", "the input")


if __name__ == "__main__":
    sys.exit(tap.run(*played()))
