# SPDX-License-Identifier: BSD-2-Clause
"""
What a VM can cost the hub and the others, and how soon the guard runs.

guarded.py has these in its run.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import threading
import time

import vms
from rig import LIMIT_S, until
from stage import stage
from tap import Skip, contains, equal, test, within
from vms import ClientVm


@test("damper: who is given something to do is always heard, a storm a thousand times a second")
def _():
    for rings, per_ms, per_work, least, most in (
            (1000000, 10, 1, 1000000, 1000000),     # each ring is for something
            (100000, 1, 0, 100000, 100000),         # for nothing, but not often
            (256, 1000, 0, 256, 256),               # a burst
            (1000000, 1000, 0, 1000, 1500),         # a storm of a second
            (1000000, 1000, 100, 2000, 3000)):      # and one with some work in it
        heard = vms.library().vm_damper(rings, per_ms, per_work)
        equal(least <= heard <= most, True, f"{rings} rings, {per_ms} a ms: heard {heard}, of {least}..{most}")


@test("hostile: a VM that rings without pause costs the hub little and the others nothing")
def _():
    stop = ctypes.c_int(0)
    with stage(build="release") as (hub, vm):
        bell = vm["client1"].bells[1 - vm["client1"].id]
        ringer = threading.Thread(target=vms.library().vm_storm, args=(bell, ctypes.byref(stop)))
        ringer.start()
        try:
            share, wakes, took = under_storm(hub, vm["client2"])
        finally:
            stop.value = 1
            ringer.join(LIMIT_S)
        print(f"# the hub woke {wakes:.0f} times a second and used {share:.2f} of a processor; "
              f"20 reads took {took:.2f} s")
        # Undamped it is one or the other, by how busy the machine is.
        within(share, 0.15, "the hub's share of a processor")
        within(wakes, 2500, "how often a second the hub woke")
        within(took, 4, "20 reads of the other client")
        equal(len(vm["client1"].list()), 2, "what it lists afterwards")


def under_storm(hub, client):
    """(processors that the hub uses, times it wakes a second, seconds of 20 reads of another client)"""
    time.sleep(0.3)     # what was saved is used up
    before, began = scheduled(hub), time.monotonic()
    time.sleep(1.5)
    took = time.monotonic() - began
    share, wakes = ((b - a) / took for a, b in zip(before, scheduled(hub)))
    session = client.attach("usb1:1-1").configure()
    began = time.monotonic()
    for _ in range(20):
        equal(session.bulk_in(1, 512)[0], 0, "the other client")
    return share, wakes, time.monotonic() - began


def scheduled(hub):
    """(seconds on a processor, times it was put on one), of all its threads"""
    run_ns, times = 0, 0
    for thread in threads(hub):
        with open(f"/proc/{thread}/schedstat", encoding="ascii") as stat:
            ran, _, put = map(int, stat.read().split())
        run_ns, times = run_ns + ran, times + put
    return run_ns / 1e9, times


def threads(hub):
    return [int(name) for name in os.listdir(f"/proc/{hub.process.pid}/task")]


def classes(hub):
    """Of each thread: (scheduling class, its real-time priority)"""
    return [(os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority) for thread in threads(hub)]


WITHOUT_NICE = ("setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice")


@test("urgency: each link has a thread; they are real-time as priority says, or go on without, which is said")
def _():
    may = may_be_urgent()
    with stage(build="release") as (hub, _):
        equal(classes(hub), 5 * [(os.SCHED_RR, 1) if may else (os.SCHED_OTHER, 0)], "the loop's and four links'")
    with stage("priority = 0\n", build="release") as (hub, _):
        equal(classes(hub), 5 * [(os.SCHED_OTHER, 0)], "priority = 0")
    if not may:
        raise Skip("no right to be real-time here")
    with stage("priority = 7\n", build="release") as (hub, _):
        equal(classes(hub), 5 * [(os.SCHED_RR, 7)], "priority = 7")
    with stage(build="release", wrap=("chrt", "--fifo", "3")) as (hub, _):
        equal(classes(hub), 5 * [(os.SCHED_FIFO, 3)], "what the administrator gave it already")
    with stage(build="release", wrap=WITHOUT_NICE) as (hub, vm):
        equal(classes(hub), 5 * [(os.SCHED_OTHER, 0)], "without the right")
        contains(hub.wait_log("goes on without"), "real-time priority 1: Operation not permitted", "log")
        equal(len(vm["client1"].list()), 2, "what it lists")


def may_be_urgent():
    done = subprocess.run(["chrt", "--rr", "1", "true"], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def slow_fcntl():
    """Hold the hub for 0.3 s after each fcntl: between setting O_NONBLOCK and writing."""
    if not shutil.which("strace"):
        raise Skip("no strace to slow the hub down with")
    return ("strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", "trace=fcntl",
            "-e", "inject=fcntl:delay_exit=300000")


@test("hostile: a VM whose doorbell blocks the hub is declared dead, the others go on")
def _():
    with stage(build="release", wrap=slow_fcntl(), names=("client1",)) as (hub, vm):
        bell = vm["client1"].bells[vm["client1"].id]
        fcntl.fcntl(bell, fcntl.F_SETFL, 0)
        with contextlib.suppress(BlockingIOError):
            os.set_blocking(bell, False)
            os.write(bell, struct.pack("=Q", 2**64 - 2 - counter(bell)))
        os.set_blocking(bell, True)
        vm["client1"].restart()     # our epoch changed: the guard has to ring
        until(lambda: not os.get_blocking(bell) or "made its doorbell block" in hub.log(),
              "the hub sets O_NONBLOCK")
        os.set_blocking(bell, True)
        contains(hub.wait_log("made its doorbell block"), "client client1: gone", "log")


def counter(bell):
    """What is in an eventfd."""
    with open(f"/proc/self/fdinfo/{bell}", encoding="ascii") as info:
        return next(int(line.split()[1], 16) for line in info if line.startswith("eventfd-count"))


@test("hostile: it rings and dies and comes back, 50 times, and another client never notices")
def _():
    with stage(names=("client2", "usb1")) as (hub, vm):
        session = vm["client2"].attach("usb1:1-1").configure()
        for _ in range(50):
            with ClientVm(hub, "client1") as client:
                client.ring_peer()
                client.die(hub)
            equal(session.bulk_in(1, 512)[0], 0, "the other client")
        with ClientVm(hub, "client1") as client:
            equal(client.wait_up().list(), [("usb1:1-1", "46f4:0001")], "list")
