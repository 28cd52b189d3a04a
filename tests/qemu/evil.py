#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A hostile peer against usbroute.ko: the kernel module of guest a must take it.

      guest a: usbroute.ko, programs that call and serve === link === guest b: scribble
"""

import os
import sys

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


def number(vm, name):
    return int(vm.check(f"cat /sys/class/usbroute/usbroute0/{name}"))


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
    before = number(rig.a, "faults")
    attack(rig, "lies")
    faults = number(rig.a, "faults") - before
    assert faults > 10, f"expected more than 10 faults, got {faults}: the lies were not met"


@test("A new epoch as fast as it goes")
def flap(rig):
    attack(rig, "flap")


@test("A new epoch with each doorbell, none acknowledged: connect gives up when it was told")
def deaf(rig):
    rig.a.check("node restart")
    epochs = number(rig.a, "peer_epochs")
    job = rig.b.spawn("scribble deaf 6 1 2>&1")
    for _ in range(3):
        equal(rig.a.run("node down 500 2>&1"), (0, "ok connect: Host is down\n"), "connect for 500 ms")
    epochs = number(rig.a, "peer_epochs") - epochs
    assert epochs > 300, f"expected more than 300 epochs meanwhile, got {epochs}"
    equal(job.wait(60)[0], 0, f"scribble: {job.output}; status")


@test("Doorbells as fast as they go: the guest still computes")
def storm(rig):
    attack(rig, "storm")
    assert number(rig.a, "storms"), "expected storms, got 0"


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


if __name__ == "__main__":
    tap.run_and_stop(Rig())
