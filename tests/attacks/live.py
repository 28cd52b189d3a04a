#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Play every attack against stock kernels: over TCP, over the link, and behind the guard.

    live.py [--ways tcp,direct,guarded] [--table FILE] [NAME...]

Prints a line for each, and with --table writes the table between the markers of
FILE. Ends with 1 where an attack did harm behind the guard, where the guard did not
refuse it, or where it could not be played.
"""

import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from stage import Stage, attacks, kernel_of    # noqa: E402
import marked                                   # noqa: E402
from vm import VmError                          # noqa: E402

BEGIN, END = "<!-- table: make attacks-live -->", "<!-- end of table -->"
HEADS = {"tcp": "stock kernel over TCP", "direct": "direct", "guarded": "guarded"}


def parse():
    parser = argparse.ArgumentParser(description="Play attacks against stock kernels.")
    parser.add_argument("--ways", default="tcp,direct,guarded")
    parser.add_argument("--table")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.ways = options.ways.split(",")
    return options


def play_one(stage, attack, way):
    """(text for the table, whether it did harm, whether the guard failed)"""
    if attack.never:
        return f"not played: {attack.never}", False, False
    try:
        outcome = stage.play(attack, way)
        if not outcome.is_played():     # on a busy host a device may come too late
            outcome = stage.play(attack, way)
    except VmError as error:
        print("\n".join("# " + x for x in str(error).splitlines()))
        stage.again("client")
        return "could not be played", False, True
    harm = outcome.harm() is not None
    return outcome.text(), harm, way == "guarded" and (harm or not outcome.is_refused())


def play(options, chosen, disk):
    """Texts by (attack, way), those that did harm, the names that failed, and the kernel."""
    texts, harmed, failed, kernel = {}, [], [], None
    for topology in ("direct", "guarded"):
        ways = [w for w in options.ways if (w == "guarded") == (topology == "guarded")]
        if not ways:
            continue
        with Stage(topology, disk=disk) as stage:
            kernel = kernel_of(stage)
            for attack in chosen:
                for way in ways:
                    text, harm, bad = play_one(stage, attack, way)
                    texts[attack.name, way] = text
                    harmed += [(attack.name, way)] if harm else []
                    failed += [f"{attack.name} ({way})"] if bad else []
                    print(f"{attack.name:44} {way:8} {text}", flush=True)
    return texts, harmed, failed, kernel


# ---- the table

def cell(text):
    return re.sub(r"\s+", " ", text.replace("|", "/")).strip()


def table(options, chosen, texts, kernel):
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True,
                             check=False).stdout.split("\n")[0].split("version ")[-1]
    lines = [f"{today}; guests Linux {kernel} (amd64), QEMU {version.split(' ')[0]} with TCG; "
             f"{len(chosen)} attacks.", "",
             "| attack | source | " + " | ".join(HEADS[w] for w in options.ways) + " |",
             "|---|---|" + "---|" * len(options.ways)]
    for attack in chosen:
        cells = [attack.name, attack.source] + [texts[attack.name, w] for w in options.ways]
        lines.append("| " + " | ".join(map(cell, cells)) + " |")
    return "\n".join(lines)


def write(path, text):
    try:
        marked.write(path, BEGIN, END, f"\n{text}\n")
    except ValueError as error:
        sys.exit(f"live.py: {error}")


def main():
    options = parse()
    chosen = attacks(*options.names)
    with tempfile.NamedTemporaryFile(prefix="usbroute-attacks-") as disk:
        disk.truncate(1 << 20)
        texts, harmed, failed, kernel = play(options, chosen, disk.name)
    if options.table:
        write(options.table, table(options, chosen, texts, kernel))
    for way in options.ways:
        print(f"attacks-live: {way}: {sum(w == way for _, w in harmed)} of {len(chosen)} did harm")
    for name in failed:
        print(f"attacks-live: FAILED: {name}")
    print(f"attacks-live: {'FAILED' if failed else 'OK'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
