#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs suites that nobody here wrote through the route, and beside it without the route.

    conformance.py [--short | --tap] [--ways "local tcp direct guarded"] [--parts "usbtest ..."]
                   [--document FILE.md]

Prints a row for each suite and way, and at the end `conformance: N passed, N failed, N not run`
of our ways: failed is what passes without us and not with us. Exit status 1 if there is any.
--tap: the part that `make check` runs, as TAP.
"""

import argparse
import concurrent.futures
import datetime
import os
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "qemu"), os.path.join(TOP, "demo"), os.path.join(TOP, "tests")]
sys.dont_write_bytecode = True

import alive        # noqa: E402
import many         # noqa: E402
import marked       # noqa: E402
import models       # noqa: E402
import plug         # noqa: E402
import scale        # noqa: E402
import selftest     # noqa: E402
import storage      # noqa: E402
import urbs         # noqa: E402
import usbtest      # noqa: E402
import wire         # noqa: E402
from results import FAIL, MARKS, NOT_RUN, ORDER, PASS, Results, reason  # noqa: E402
from vm import BUILD, VmError  # noqa: E402
from ways import WAYS, WayError     # noqa: E402

# In this order in one pair of guests.
PARTS = {part.PART: part for part in (usbtest, urbs, wire, storage, models)}
# In guests of their own: one that compares the ways, alone; then all those that mostly wait, at once.
ALONE = {"scale": scale.run}
WAITING = {"scale": scale.run_again, "many": many.run, selftest.PART: selftest.run}
NAMES = [*PARTS, *WAITING]


class Settings:
    """How much of each suite."""

    def __init__(self, options):
        self.short, self.tap = options.short, options.tap
        size = "tap" if options.tap else "short" if options.short else "long"
        self.iterations = {"tap": 3, "short": 20, "long": 1000}[size]
        self.limit = {"tap": 30, "short": 60, "long": 900}[size]    # seconds for one test of usbtest
        self.speeds = {"tap": ("high",), "short": ("full", "high", "super"),
                       "long": ("full", "high", "super")}[size]
        self.fio_mib = {"tap": 1, "short": 4, "long": 32}[size]
        self.wipe_mib = {"tap": 1, "short": 1, "long": 8}[size]
        self.wire_mib = {"tap": 1, "short": 1, "long": 4}[size]
        self.scale_requests = {"tap": 16, "short": 64, "long": 512}[size]
        self.cycles = {"tap": 10, "short": 100, "long": 1000}[size]
        self.rounds = {"tap": 1, "short": 1, "long": 8}[size]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="under 15 minutes")
    parser.add_argument("--tap", action="store_true", help="the part of `make check`, as TAP")
    parser.add_argument("--ways", help=" ".join(ORDER))
    parser.add_argument("--parts", help=" ".join(NAMES))
    parser.add_argument("--document", help="write the table into this file, between its marks")
    options = parser.parse_args()
    options.ways = (options.ways or ("direct guarded" if options.tap else " ".join(ORDER))).split()
    default = "usbtest usbmon tshark many" if options.tap else " ".join(NAMES)
    options.parts = (options.parts or default).split()
    for given, known in ((options.ways, ORDER), (options.parts, NAMES)):
        for word in given:
            if word not in known:
                parser.error(f"{word}: expected one of {', '.join(known)}")
    return options


# ---- running


def run_part(results, way, part, settings):
    """False: the guests are of no more use."""
    start = time.monotonic()
    try:
        part.run(results, way, settings)
    except (VmError, WayError, OSError, ValueError, KeyError) as error:
        print(f"# {part.PART} on {way.name}: {traceback.format_exc()}", file=sys.stderr)
        if not way.stock_crash():
            results.add(part.PART, way.name, "the suite to its end", FAIL, reason(error))
        return False
    print(f"# {way.name}: {part.PART}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return True


def run_guests(results, name, left, settings):
    """Suites in one pair of guests, until one has broken them or the next wants others."""
    smp = getattr(left[0], "SMP", 1)
    with WAYS[name](plug.arguments, smp=smp) as way:
        while left and getattr(left[0], "SMP", 1) == smp and run_part(results, way, left.pop(0), settings):
            continue
        if not way.stock_crash():
            for complaint in way.complaints()[:3]:
                results.add("kernels", name, complaint, FAIL, "a kernel complained")


def run_way(results, name, parts, settings):
    left = list(parts)
    while left:
        try:
            run_guests(results, name, left, settings)
        except (VmError, WayError) as error:
            print(f"# {name}: {error}", file=sys.stderr)
            results.add("guests", name, "boot and connect", FAIL, reason(error))
            return


def chosen(options):
    """The parts in the guests of a way. usbtest's tests that unlink come last, in guests of their own."""
    parts = [PARTS[p] for p in options.parts if p in PARTS]
    if usbtest in parts and not options.tap:
        parts += [usbtest.Unlink(number) for number in usbtest.UNLINK]
    return parts


def together(threads, calls):
    """Calls in threads. Whatever ends this program ends their guests, and so the threads."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(*call) for call in calls]
        try:
            for done in waiting:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            alive.kill_all()
            raise


def run_all(options, results):
    settings = Settings(options)
    # Two at a time: guests wait more than they work.
    together(1 if options.tap else 2, [(run_way, results, name, chosen(options), settings) for name in options.ways])
    for parts, threads in ((ALONE, 1), (WAITING, None)):
        together(threads, [(run, results, options.ways, settings) for name, run in parts.items()
                           if name in options.parts])
    return results


# ---- saying it


def version(*command):
    """The first number-like word of what a program says of itself."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError:
        return "none"
    found = re.search(r"\d+(\.\d[\w.+~-]*)?", re.sub(r"[a-z]+\d+", "", done.stdout))
    return found.group(0) if found else "?"


def versions():
    with open(os.path.join(BUILD, "guest", "amd64", "version"), encoding="ascii") as file:
        guests = file.read().strip()
    tools = {"QEMU": ("qemu-system-x86_64", "--version"), "tshark": ("tshark", "--version"),
             "fio": ("fio", "--version"), "e2fsprogs": ("mke2fs", "-V"), "usbip": ("usbip", "version"),
             "usbutils": ("lsusb", "--version")}
    return f"guests' kernel {guests}, " + ", ".join(f"{n} {version(*c)}" for n, c in tools.items())


def document(options, results, seconds):
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    form = "short form" if options.short else "long form"
    return (f"Run of {today} ({form}, {seconds / 60:.0f} minutes): {versions()}.\n\n"
            f"{results.markdown()}\n\n`{results.verdict()}`")


class Tap:
    """A line for each test as it ends; what fails without us too is skipped by name."""

    def __init__(self):
        self.count = 0

    def __call__(self, part, way, test, outcome, why):
        self.count += 1
        text = f"{self.count} - {way}: {part}: {test}".replace("#", "")
        if outcome == NOT_RUN:
            print(f"ok {text} # SKIP {why}", flush=True)
        elif outcome == PASS:
            print(f"ok {text}", flush=True)
        else:
            print(f"# {why}\nnot ok {text}", flush=True)


def tell(part, way, test, outcome, why):
    if outcome != PASS:
        print(f"# {way}: {part}: {test}: {outcome}: {why}", file=sys.stderr, flush=True)


def main():
    options = arguments()
    start = time.monotonic()
    alive.catch_signals()   # here, for guests are started by threads
    say = Tap() if options.tap else tell
    results = run_all(options, Results(say))
    if options.tap:
        print(f"1..{say.count}")
        return 1 if results.broken() else 0
    print(results.text())
    for part, test, way, why in results.broken():
        print(f"FAILED {way}: {part}: {test}: {why}")
    if options.document:
        marked.write(options.document, *MARKS, document(options, results, time.monotonic() - start))
    print(results.verdict())
    return 1 if results.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
