#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: the link beside its rivals, between processes and between guests.

    bench.py [--runs N] [--only cable|shim|vms|instructions] [--document FILE.md]

Runs bench/cable, bench/shim.py, bench/vms.py and bench/instructions.py, prints their medians and the ratios, and
writes into build/: bench.json (every run, and the ratios) and bench.svg.
No number makes it fail; a whole run without one of the ratios that matter does.
"""

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time

import document

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, os.environ.get("BUILD_DIR", "build"))

# name: case, metric, ours, the rival, what is asked for ("" if nothing is).
# Each is ours over the rival's in the same run; then the median.
RATIOS = {
    "ring_64k_vs_af_unix": ("64k", "throughput", "ring", "af_unix", ">= 2"),
    "ring_64k_vs_af_unix_4m": ("64k", "throughput", "ring", "af_unix_4m", ""),
    "ring_64k_vs_tcp": ("64k", "throughput", "ring", "tcp", ">= 4"),
    "ring_64k_vs_pipe": ("64k", "throughput", "ring", "pipe", ""),
    "ring_64k_vs_memcpy": ("64k", "throughput", "ring", "memcpy", ""),
    "ring_64k_sleep_vs_af_unix": ("64k", "throughput", "ring_sleep", "af_unix", ""),
    "ring_64k_256k_vs_af_unix": ("64k", "throughput", "ring_256k", "af_unix", ""),
    "ring_rtt_spin_vs_af_unix": ("rtt48", "latency", "ring_spin", "af_unix", "<= 0.05"),
    "ring_rtt_spin_vs_af_unix_spin": ("rtt48", "latency", "ring_spin", "af_unix_spin", ""),
    "ring_rtt_block_vs_af_unix": ("rtt48", "latency", "ring", "af_unix", "<= 1"),
    "ring_rtt_sleep_vs_af_unix": ("rtt48", "latency", "ring_sleep", "af_unix", "<= 1"),
    "shim_64k_vs_ring": ("64k", "throughput", "shim", "ring", ""),
    "shim_rtt_vs_ring": ("rtt48", "latency", "shim", "ring", ""),
    "shim_foreign_call_vs_libc": ("foreign_call", "latency", "shim", "libc", ""),
    "vm_read64k_vs_usbip_tcp": ("vm_read64k", "throughput", "routed", "usbip_tcp", ">= 3"),
    "vm_read64k_vs_local": ("vm_read64k", "throughput", "routed", "local", ""),
    "vm_read512_latency_vs_usbip_tcp":
        ("vm_read512", "latency", "routed", "usbip_tcp", "<= 0.45"),
    "vm_read512_latency_vs_local": ("vm_read512", "latency", "routed", "local", ""),
    "vm_read64k_guarded_vs_direct": ("vm_read64k", "throughput", "guarded", "routed", ">= 0.8"),
    "vm_write64k_guarded_vs_direct": ("vm_write64k", "throughput", "guarded", "routed", ""),
    "vm_read512_latency_guarded_vs_direct": ("vm_read512", "latency", "guarded", "routed", ""),
    "vm_read64k_guarded_vs_usbip_tcp": ("vm_read64k", "throughput", "guarded", "usbip_tcp", ""),
    "vm_read64k_client_processor_vs_usbip_tcp":
        ("vm_read64k", "client processor", "routed", "usbip_tcp", ""),
    "vm_read64k_device_processor_vs_usbip_tcp":
        ("vm_read64k", "device processor", "routed", "usbip_tcp", ""),
    "vm_read64k_vs_usbredir": ("vm_read64k", "throughput", "routed", "usbredir", ""),
    "vm_read512_latency_vs_usbredir": ("vm_read512", "latency", "routed", "usbredir", ""),
    "vm_write64k_vs_usbredir": ("vm_write64k", "throughput", "routed", "usbredir", ""),
    "vm_read64k_guarded_vs_usbredir": ("vm_read64k", "throughput", "guarded", "usbredir", ""),
    "vm_write64k_vs_usbip_tcp": ("vm_write64k", "throughput", "routed", "usbip_tcp", ""),
    "vm_write64k_vs_local": ("vm_write64k", "throughput", "routed", "local", ""),
    "guest_read64k_instructions_vs_usbip_tcp":
        ("guest_read64k", "instructions", "routed", "usbip_tcp", ""),
    "guest_read512_instructions_vs_usbip_tcp":
        ("guest_read512", "instructions", "routed", "usbip_tcp", ""),
}

# A whole run has at least these.
REQUIRED = ("ring_64k_vs_af_unix", "ring_64k_vs_tcp", "ring_rtt_spin_vs_af_unix", "ring_rtt_block_vs_af_unix",
            "vm_read64k_vs_usbip_tcp", "vm_read64k_vs_local", "vm_read512_latency_vs_usbip_tcp",
            "vm_write64k_vs_usbip_tcp")
OTHERS_MOST = 0.1       # processors that other programs may keep busy in a run to be trusted

PLOT = """
set terminal svg size 900,420 font "sans,12" background "white"
set output "{svg}"
set multiplot layout 1,{panels}
set style fill solid 0.8
set boxwidth 0.7
set grid ytics
set xtics rotate by -35 font "sans,10"
set key off
set yrange [0:*]
set offsets 0, 0.4, graph 0.1, 0
{plots}
unset multiplot
"""
# title, case, metric, subjects
PANELS = (
    ("processes, 64 KiB, MB/s", "64k", "throughput", ("ring", "ring_256k", "af_unix", "tcp", "pipe")),
    ("round trip, 48 B, us", "rtt48", "latency", ("ring", "ring_sleep", "af_unix", "tcp", "pipe")),
    ("VMs, 64 KiB reads, MB/s", "vm_read64k", "throughput", ("local", "routed", "guarded", "usbip_tcp", "usbredir")),
    ("VMs, 512 B reads, ms", "vm_read512", "latency", ("local", "routed", "guarded", "usbip_tcp", "usbredir")),
)


def busy_s():
    """Processor seconds of the whole machine, and of the programs we ran to their end."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = sum(map(int, stat.readline().split()[1:4]))
    ours = os.times()
    return ticks / os.sysconf("SC_CLK_TCK"), ours.children_user + ours.children_system


def run(command):
    """The JSON lines that a program prints, shown as dots, and one for how busy others were."""
    lines, start, before = [], time.monotonic(), busy_s()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            lines.append(json.loads(line))
            print(".", end="", flush=True, file=sys.stderr)
        print(file=sys.stderr)
    if process.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with status {process.returncode}, expected 0")
    machine, ours = (b - a for a, b in zip(before, busy_s()))
    others = max(0, machine - ours) / (time.monotonic() - start)
    lines.append({f"others_{os.path.basename(command[-3]).removesuffix('.py')}": round(others, 2)})
    return lines


def series(results, case, subject, metric):
    """run: value"""
    return {r["run"]: r["value"] for r in results
            if (r["case"], r["subject"], r["metric"]) == (case, subject, metric)}


def ratio(results, case, metric, ours, rival):
    a, b = (series(results, case, s, metric) for s in (ours, rival))
    both = [a[i] / b[i] for i in a if i in b and b[i]]
    return statistics.median(both) if both else None


def ratios(results):
    found = {name: ratio(results, *what[:4]) for name, what in RATIOS.items()}
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def reached(value, goal):
    if not goal:
        return ""
    sign, limit = goal.split()
    good = value >= float(limit) if sign == ">=" else value <= float(limit)
    return f"goal {goal}: {'reached' if good else 'MISSED'}"


def print_tables(results, found):
    keys = dict.fromkeys((r["case"], r["subject"], r["metric"], r["unit"]) for r in results)
    print(f"\n{'case':12} {'subject':13} {'metric':36} {'median':>10} {'min':>10} {'max':>10}  unit")
    for case, subject, metric, unit in keys:
        values = series(results, case, subject, metric).values()
        numbers = " ".join(f"{f(values):10.6g}" for f in (statistics.median, min, max))
        print(f"{case:12} {subject:13} {metric:36} {numbers}  {unit}")
    print()
    for name, value in found.items():
        print(f"{name:42} {value:9.3f}  {reached(value, RATIOS[name][4])}".rstrip())


def first_line(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=True).stdout.splitlines()[0]


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        match = re.search(r"^model name\s*: (.*)", info.read(), re.M)
    return f"{match.group(1) if match else os.uname().machine}, " \
           f"{len(os.sched_getaffinity(0))} processors"


def about(runs):
    """Where and when."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "host_cpu": processor(),
        "host_kernel": os.uname().release,
        "qemu": re.search(r"version (\S+)", first_line(["qemu-system-x86_64", "--version"]))[1],
        "runs": runs,
    }


def panel(title, case, metric, subjects, results):
    rows = []
    for number, subject in enumerate(subjects):
        values = list(series(results, case, subject, metric).values())
        if values:
            rows.append(f'{number} {statistics.median(values)} "{subject}" {min(values)} '
                        f'{max(values)}'.replace("_", " "))
    if not rows:
        return ""
    data = "\n".join(rows)
    return (f'set title "{title}"\n$d << EOD\n{data}\nEOD\n'
            'plot [-0.6:] $d using 1:2:xtic(3) with boxes lc rgb "#4477aa", '
            '$d using 1:2:4:5 with yerrorbars pt 0 lc rgb "black", '
            '$d using 1:5:(sprintf("%.3g", $2)) with labels offset 0,0.7 font "sans,10"\n')


def draw(results, path):
    plots = [p for p in (panel(*what, results) for what in PANELS) if p]
    script = PLOT.format(svg=path, panels=len(plots), plots="".join(plots))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


PARTS = {
    "cable": ("between two processes", [os.path.join(BUILD, "bench", "cable")], "0.4"),
    "shim": ("under the preload library",
             [sys.executable, os.path.join(TOP, "bench", "shim.py")], "0.4"),
    "vms": ("between two guests", [sys.executable, os.path.join(TOP, "bench", "vms.py")], "1"),
    "instructions": ("instructions, in one guest",
                     [sys.executable, os.path.join(TOP, "bench", "instructions.py")], "100"),
}


def parse():
    parser = argparse.ArgumentParser(description="time and count the link beside its rivals")
    parser.add_argument("--runs", type=int, default=7, help="turns of each rival (7)")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--document", help="write the tables into this file, between its marks")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: expected at least 1")
    return options


def chosen(only):
    """The parts to run. Without an arm64 guest there is nothing to count instructions in."""
    parts = [only] if only else list(PARTS)
    if not os.path.exists(os.path.join(BUILD, "bench", "guest-arm64.cpio.gz")):
        if only == "instructions":
            sys.exit("bench: no arm64 guest image (its compiler is missing); expected "
                     "build/bench/guest-arm64.cpio.gz")
        parts = [part for part in parts if part != "instructions"]
    return parts


def disturbed(report):
    """The parts of the run in which other programs kept processors busy."""
    return [name.removeprefix("others_") for name, value in report.items()
            if name.startswith("others_") and value > OTHERS_MOST]


def say_end(report):
    facts = ", ".join(f"{k}: {v}" for k, v in report.items() if k not in ("results", "ratios"))
    print(f"\n{facts}\nbench: took {report['seconds']} s")
    for part in report["disturbed"]:
        print(f"bench: other programs kept {report['others_' + part]} processors busy (others_{part}): the "
              "machine was not quiet, do not trust the blocking cases")
    print("bench: in build/bench.json and build/bench.svg")


def main():
    options = parse()
    start = time.monotonic()
    report = about(options.runs)
    lines = []
    for part in chosen(options.only):
        title, command, much = PARTS[part]
        print(title, file=sys.stderr)
        lines += run(command + [str(options.runs), much])
    results = [line for line in lines if "case" in line]
    for line in lines:
        report.update({} if "case" in line else line)
    report["seconds"] = round(time.monotonic() - start)
    report["disturbed"] = disturbed(report)
    report["results"], report["ratios"] = results, ratios(results)
    print_tables(results, report["ratios"])
    with open(os.path.join(BUILD, "bench.json"), "w", encoding="ascii") as out:
        json.dump(report, out, indent=1)
        out.write("\n")
    draw(results, os.path.join(BUILD, "bench.svg"))
    say_end(report)
    if options.document:
        document.write(options.document, report, {
            name: (*what, reached(report["ratios"][name], what[4]).rpartition(" ")[2].lower())
            for name, what in RATIOS.items() if name in report["ratios"]})
    missing = [name for name in REQUIRED if name not in report["ratios"]]
    if missing and not options.only:
        sys.exit(f"bench: expected the ratios {', '.join(REQUIRED)}; missing: {', '.join(missing)}")


if __name__ == "__main__":
    main()
