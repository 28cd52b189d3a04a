#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A hostile peer against usbroute.ko: the kernel module of guest a must take it.

      guest a: usbroute.ko, programs that call and serve === link === guest b: scribble

      process storm.py === link 0 === guest a === link 1 === guest c: node echo
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
from tap import equal, test  # noqa: E402
from pair import Hub, link_arguments    # noqa: E402
from vm import Vm                       # noqa: E402

SECONDS = int(os.environ.get("UR_EVIL_SECONDS", "5"))
# Programs of a that keep every path of the module busy: calls, serves, bytes, ends.
BUSY = ("(node echo 5000 & e=$!; n=0; while [ $n -lt 100000 ]; do n=$((n+1)); "
        "timeout 2 node pump 5000 200000; timeout 1 node hold 5000; timeout 1 node poll 5000; "
        "node info; done) >/dev/null 2>&1")


class Rig:
    def __init__(self):
        self.hub = Hub("1M")
        self.a = Vm("a", modules=["usbroute"], smp=2, args=link_arguments(self.hub.a))
        self.b = Vm("b", args=link_arguments(self.hub.b))

    def stop(self):
        self.a.kill()
        self.b.kill()
        self.hub.stop()


def attack(rig, mode):
    """b attacks while a works; then a still answers, and its kernel has nothing to say."""
    for seed in (1, 2):
        rig.a.check("node restart")     # writes anew what noise has spoilt in a's own outbox
        busy = rig.a.spawn(BUSY)
        status, output = rig.b.run(f"scribble {mode} {SECONDS} {seed} 2>&1", SECONDS + 60)
        equal(status, 0, f"scribble: {output}; status")
        print("# " + output.strip())
        busy.kill("KILL")
        busy.wait(30)
        rig.a.run("killall -9 node")
    print("# " + rig.a.check("node info; cd /sys/class/usbroute/usbroute0; "
                             "echo faults $(cat faults) epochs $(cat peer_epochs)").strip().replace("\n", "; "))
    equal(rig.a.complaints(), [], "complaints of a's kernel")


@test("Both guests are there")
def start(rig):
    rig.a.start()
    rig.b.start()
    rig.a.wait_ready()
    rig.b.wait_ready()


@test("Random bytes over both outboxes")
def noise(rig):
    attack(rig, "noise")


@test("An acknowledged epoch, then words and indices that almost fit")
def lies(rig):
    before = int(rig.a.check("cat /sys/class/usbroute/usbroute0/faults"))
    attack(rig, "lies")
    faults = int(rig.a.check("cat /sys/class/usbroute/usbroute0/faults")) - before
    assert faults > 10, f"expected more than 10 faults, got {faults}: the lies were not met"


@test("A new epoch as fast as it goes")
def flap(rig):
    attack(rig, "flap")


@test("A new epoch with each doorbell, none acknowledged: connect gives up when it was told")
def deaf(rig):
    rig.a.check("node restart")
    epochs = number(rig.a, 0, "peer_epochs")
    job = rig.b.spawn("scribble deaf 6 1 2>&1")
    for _ in range(3):
        equal(rig.a.run("node down 500 2>&1"), (0, "ok connect: Host is down\n"), "connect for 500 ms")
    epochs = number(rig.a, 0, "peer_epochs") - epochs
    assert epochs > 300, f"expected more than 300 epochs meanwhile, got {epochs}"
    equal(job.wait(60)[0], 0, f"scribble: {job.output}; status")


@test("Doorbells as fast as they go: the guest still computes")
def storm(rig):
    attack(rig, "storm")
    assert number(rig.a, 0, "storms"), "expected storms, got 0"


@test("The peer becomes honest: a new epoch, the link works, and each doorbell is heard at once")
def honest_again(rig):
    rig.b.check("modprobe usbroute")
    for vm in (rig.a, rig.b):
        vm.check("echo 0 >/sys/module/usbroute/parameters/spin_us")
    job = rig.b.spawn("node echo 5000")
    job.wait_line("ok serving")
    equal(rig.a.run("node restart && node many 5000 50 && node pump 5000 1000000")[0], 0, "status")
    output = rig.a.check("node rtt 5000 100")
    took_us = float(output.split()[-3])
    print("# " + output.strip())
    # What only the watchdog finds takes 100 ms, what a masked doorbell delays 10.
    assert took_us < 9000, f"expected a round trip below 9000 us, got {took_us}"


@test("The module can be unloaded after all that: nothing held, nothing leaked")
def unload(rig):
    rig.a.check("rmmod usbroute")
    equal(rig.a.complaints(), [], "complaints of a's kernel")
    rig.stop()


# ---- a storm on one link, work on another

PUMP = 48000000         # bytes: about half a second
ENOUGH = 0.8            # of the throughput without a storm
DOORBELLS_PER_MS = 1.5  # 1 by design, and what a timer's lateness adds
DOORBELLS_AT_ONCE = 256 + 64


def number(vm, link, name):
    return int(vm.check(f"cat /sys/class/usbroute/usbroute{link}/{name}"))


class Storm:
    """storm.py, running between begin() and end()."""

    def __init__(self, path):
        # The least of the host's time: its own use of a processor is not what is tested.
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "storm.py"), path, "19"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        equal(self.process.stdout.readline(), b"up\n", "the hostile peer's first line")

    def toggle(self):
        self.process.stdin.write(b"x")

    def stop(self):
        self.process.kill()
        self.process.communicate()


class Storms:
    """Guest a on two links, a hostile process on the first, guest c on the second."""

    def __init__(self):
        self.hubs = Hub(), Hub()
        second = [w.replace("id=link", "id=link1").replace("chardev=link", "chardev=link1")
                  for w in link_arguments(self.hubs[1].a)]
        self.a = Vm("a", modules=["usbroute"], args=link_arguments(self.hubs[0].a) + second)
        self.c = Vm("c", modules=["usbroute"], args=link_arguments(self.hubs[1].b))
        self.hostile = None

    def start(self):
        self.a.start()
        self.c.start()
        self.a.wait_ready()
        self.c.wait_ready()
        self.hostile = Storm(self.hubs[0].b)
        self.c.spawn("node echo 5000").wait_line("ok serving")
        self.pump()     # the first is slower

    def stop(self):
        self.a.kill()
        self.c.kill()
        if self.hostile:
            self.hostile.stop()
        for hub in self.hubs:
            hub.stop()

    def pump(self):
        """MB/s of link 1."""
        output = self.a.check(f"UR_NODE=/dev/usbroute1 node pump 5000 {PUMP} 2>&1", 120)
        return float(output.split()[-2])

    def pump_in_storm(self):
        """MB/s of link 1, and how many doorbells of link 0 a met, at most how many it should."""
        before, begin = number(self.a, 0, "doorbells_received"), time.monotonic()
        self.hostile.toggle()
        speed = self.pump()
        self.hostile.toggle()
        rang = self.hostile.process.stdout.readline().decode().strip()
        met = number(self.a, 0, "doorbells_received") - before
        ms = (time.monotonic() - begin) * 1000
        print(f"# {speed} MB/s; {rang}, {met} met in {ms:.0f} ms")
        return speed, met, ms


def compare(rig):
    """Pairs of runs, in turn, until the ratios' median says enough; at most 15 pairs."""
    quiet, stormy = [], []
    while len(quiet) < 15:
        quiet.append(rig.pump())
        speed, met, ms = rig.pump_in_storm()
        stormy.append(speed)
        most = DOORBELLS_AT_ONCE + DOORBELLS_PER_MS * ms
        assert met <= most, f"expected at most {most:.0f} doorbells met in {ms:.0f} ms, got {met}"
        ratio = statistics.median(s / q for s, q in zip(stormy, quiet))
        if len(quiet) >= 5 and ratio >= ENOUGH:
            break
    print(f"# median of {len(quiet)} pairs: {ratio:.2f}; "
          f"{statistics.median(quiet)} MB/s without, {statistics.median(stormy)} with")
    return ratio


@test("A storm on one link leaves another 80 % of its throughput, and meets few interrupts")
def storm_beside(_):
    rig = Storms()
    try:
        rig.start()
        ratio = compare(rig)
        assert ratio >= ENOUGH, f"expected {ENOUGH} of the throughput, got {ratio:.2f}"
        assert number(rig.a, 0, "storms"), "expected storms on link 0, got 0"
        equal(number(rig.a, 1, "storms"), 0, "storms of link 1, which is honest")
        equal(rig.a.complaints() + rig.c.complaints(), [], "complaints")
    finally:
        rig.stop()


if __name__ == "__main__":
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.stop()
