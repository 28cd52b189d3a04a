#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A storm of doorbells on one link of a guest, work on another.

      process storm.py === link 0 === guest a === link 1 === guest c: node echo

a's virtual processor has a host's processor of its own, as a hostile machine's victim has; the
other one is for all the rest: a's QEMU, whose main loop each doorbell wakes where there is no KVM,
guest c, and the process that rings. Left to the scheduler they land where they may, and what the
host spends on ringing is taken from the guest as often as not.
"""

import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                              # noqa: E402
from tap import equal, test             # noqa: E402
from pair import Hub, link_arguments    # noqa: E402
from vm import Vm                       # noqa: E402

STORMY, WORK = range(2)     # guest a's links
PUMP = 48000000         # bytes: about half a second
ENOUGH = 0.8            # of the throughput without a storm
LEAST, MOST = 5, 15     # pairs of runs
DOORBELLS_PER_MS = 1.5  # 1 by design, and what a timer's lateness adds
DOORBELLS_AT_ONCE = 256 + 64
SYSFS = "/sys/class/usbroute/usbroute"


class Storm:
    """storm.py, which rings inside `with`; .rung is how often it did."""

    def __init__(self, path):
        # The least of the host's time: its own use of a processor is not what is tested.
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "storm.py"), path, "19"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        equal(self.process.stdout.readline(), b"up\n", "the hostile peer's first line")

    def __enter__(self):
        self.process.stdin.write(b"x")

    def __exit__(self, *_):
        self.process.stdin.write(b"x")
        self.rung = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.communicate()


class Rig:
    def __init__(self):
        self.cores = os.sched_getaffinity(0)
        shared = max(self.cores)
        self.hubs = [Hub() for _ in (STORMY, WORK)]
        links = [word.replace("id=link", f"id=link{n}").replace("chardev=link", f"chardev=link{n}")
                 for n, hub in enumerate(self.hubs) for word in link_arguments(hub.a)]
        self.a = Vm("a", modules=["usbroute"], args=links, core=shared)
        self.c = Vm("c", modules=["usbroute"], args=link_arguments(self.hubs[WORK].b), core=shared)
        self.storm = None

    def start(self):
        self.a.start()
        self.c.start()
        self.a.wait_ready()
        self.c.wait_ready()
        for processor in self.a.qmp("query-cpus-fast"):
            os.sched_setaffinity(processor["thread-id"], {min(self.cores)})
        self.storm = Storm(self.hubs[STORMY].b)
        os.sched_setaffinity(self.storm.process.pid, {max(self.cores)})
        self.c.spawn("node echo 5000").wait_line("ok serving")
        self.pump()     # the first is slower

    def stop(self):
        self.a.kill()
        self.c.kill()
        if self.storm:
            self.storm.stop()
        for hub in self.hubs:
            hub.stop()

    def number(self, link, name):
        return int(self.a.check(f"cat /sys/class/usbroute/usbroute{link}/{name}"))

    def pump(self):
        """MB/s of the link that works."""
        output = self.a.check(f"UR_NODE=/dev/usbroute{WORK} node pump 5000 {PUMP} 2>&1", 120)
        return float(output.split()[-2])

    def pump_in_storm(self):
        """The same; of the doorbells on the other link a must meet few."""
        before, begin = self.number(STORMY, "doorbells_received"), time.monotonic()
        with self.storm:
            speed = self.pump()
        met = self.number(STORMY, "doorbells_received") - before
        ms = (time.monotonic() - begin) * 1000
        print(f"# {speed} MB/s; rang {self.storm.rung} times, {met} met in {ms:.0f} ms")
        most = DOORBELLS_AT_ONCE + DOORBELLS_PER_MS * ms
        assert met <= most, f"expected at most {most:.0f} doorbells met in {ms:.0f} ms, got {met}"
        return speed

    def compare(self):
        """Pairs of runs, in turn, until the ratios' median says enough."""
        pairs = []
        while len(pairs) < MOST:
            pairs.append((self.pump(), self.pump_in_storm()))
            ratio = statistics.median(stormy / quiet for quiet, stormy in pairs)
            if len(pairs) >= LEAST and ratio >= ENOUGH:
                break
        print(f"# median of {len(pairs)} pairs: {ratio:.2f}; MB/s without, with: {pairs}")
        return ratio


@test("Two links of a guest, one of them with a hostile peer")
def start(rig):
    rig.start()


@test("A storm on one link leaves another 80 % of its throughput, and meets few interrupts")
def storm_beside(rig):
    ratio = rig.compare()
    assert ratio >= ENOUGH, f"expected {ENOUGH} of the throughput, got {ratio:.2f}"


@test("The link with the storm tells of it, the honest one of none, the kernels of nothing")
def told(rig):
    storms = rig.number(STORMY, "storms")
    assert storms >= LEAST, f"expected at least {LEAST} storms on link {STORMY}, got {storms}"
    equal(rig.number(WORK, "storms"), 0, f"storms of link {WORK}, which is honest")
    equal(rig.a.complaints() + rig.c.complaints(), [], "complaints")


if __name__ == "__main__":
    tap.run_and_stop(Rig())
