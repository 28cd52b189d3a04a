# SPDX-License-Identifier: BSD-2-Clause
"""The tables of docs/performance.md, made of what build/bench.json holds."""

import os
import statistics
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
import marked   # noqa: E402

MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")
PROCESSES = ("ring", "ring_sleep", "ring_spin", "ring_256k", "shim", "af_unix", "af_unix_spin", "af_unix_4m",
             "tcp", "pipe", "memcpy")
RIVALS = ("routed", "guarded", "usbip_tcp", "usbredir", "local")
GUEST_ROWS = (
    ("64 KiB reads, MB/s", "vm_read64k", "throughput"), ("64 KiB reads, ms", "vm_read64k", "latency"),
    ("512-byte reads, ms", "vm_read512", "latency"), ("64 KiB writes, MB/s", "vm_write64k", "throughput"),
    ("64 KiB reads: client QEMU's processor time, us", "vm_read64k", "client processor"),
    ("64 KiB reads: device QEMU's processor time, us", "vm_read64k", "device processor"),
    ("64 KiB reads: the guard's processor time, us", "vm_read64k", "guard processor"),
    ("512-byte reads: client QEMU's processor time, us", "vm_read512", "client processor"),
    ("512-byte reads: device QEMU's processor time, us", "vm_read512", "device processor"))
COUNTED = (("routed", "vm_read64k"), ("routed", "vm_read512"), ("routed", "vm_write64k"), ("guarded", "vm_read64k"),
           ("usbip_tcp", "vm_read64k"), ("usbip_tcp", "vm_read512"))
CASE_TEXT = {"vm_read64k": "64 KiB read", "vm_read512": "512 B read", "vm_write64k": "64 KiB write"}


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Run:
    def __init__(self, report):
        self.report, self.found = report, {}
        for r in report["results"]:
            self.found.setdefault((r["case"], r["subject"], r["metric"]), []).append(r["value"])

    def cell(self, case, subject, metric, digits=2):
        """Median (min-max), or nothing."""
        values = self.found.get((case, subject, metric))
        if not values:
            return ""
        if len(values) == 1:
            return f"{values[0]:.4g}"
        return "{:.{n}f} ({:.{n}f}-{:.{n}f})".format(statistics.median(values), min(values), max(values), n=digits)

    def about(self):
        r = self.report
        others = ", ".join(f"{k.removeprefix('others_')} {v}" for k, v in r.items() if k.startswith("others_"))
        return (f"{r['date']}; {r['host_cpu']}, no KVM for the guests, Linux "
                f"{r['host_kernel']}, QEMU {r['qemu']} with TCG, guests Linux {r.get('kernel', '?')}, disk by {r.get('disk_aio', '?')}; {r['runs']} runs, "
                f"{r['seconds']} s. Processors that other programs kept busy, by part: {others}. Median (min-max).")

    def processes(self):
        rows = []
        for s in PROCESSES:
            sleeps, bells = (self.median("64k", s, m) for m in ("sleeps", "doorbells"))
            rows.append([s, self.cell("64k", s, "throughput", 0), self.cell("rtt48", s, "latency"), sleeps, bells])
        return table(["between processes", "64 KiB, MB/s", "48-byte round trip, us", "sleeps / message",
                      "doorbells / message"], rows)

    def median(self, case, subject, metric):
        values = next((v for (c, s, m), v in self.found.items() if (c, s) == (case, subject) and m.startswith(metric)),
                      None)
        return f"{statistics.median(values):.2f}" if values else ""

    def guests(self):
        rows = []
        for text, case, metric in GUEST_ROWS:
            digits = 0 if "processor" in metric else 1 if metric == "throughput" else 2
            rows.append([text] + [self.cell(case, s, metric, digits) for s in RIVALS])
        return table(["between guests", *RIVALS], rows)

    def instructions(self):
        rows = [[text] + [self.cell(case, s, "instructions", 0) for s in ("routed", "usbip_tcp", "local")]
                for text, case in (("64 KiB read", "guest_read64k"), ("512-byte read", "guest_read512"),
                                   ("64 KiB write", "guest_write64k"))]
        return table(["instructions for each request, both halves in one guest", "routed", "usbip_tcp (loopback)",
                      "local"], rows)

    def ratios(self, goals):
        rows = [[name, goals[name][4], f"{value:.3f} {goals[name][5]}".strip()]
                for name, value in self.report["ratios"].items()]
        return table(["ratio", "goal", "median of the runs' ratios"], rows)

    def counts(self):
        metrics = dict.fromkeys(m for (c, s, m), v in self.found.items()
                                if (s, c) in COUNTED and len(v) == 1)
        rows = [[m] + [self.cell(c, s, m) for s, c in COUNTED] for m in sorted(metrics)]
        return table(["for each request"] + [f"{s} {CASE_TEXT[c]}" for s, c in COUNTED], rows)


def write(path, report, goals):
    """Between the two marks of a file. goals: {ratio: (..., goal, "reached" or "missed")}."""
    run = Run(report)
    text = "\n\n".join((run.about(), run.processes(), run.guests(), run.instructions(), run.ratios(goals), run.counts()))
    marked.write(path, *MARKS, text)
