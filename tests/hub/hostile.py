# SPDX-License-Identifier: BSD-2-Clause
"""
What a VM can cost the hub and the others, and how soon the guard runs.

guarded.py has these in its run.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time

import vms
from rig import EPOCH, LIMIT_S, Client, Hub, until
from stage import RULES, compile_rules, stage
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


@contextlib.contextmanager
def working(count, name, *arguments):
    """So many threads in a function of the library that goes on until it is told to stop."""
    stop = ctypes.c_int(0)
    threads_ = [threading.Thread(target=vms.library()[name], args=(*arguments, ctypes.byref(stop)))
                for _ in range(count)]
    for thread in threads_:
        thread.start()
    try:
        yield
    finally:
        stop.value = 1
        for thread in threads_:
            thread.join(LIMIT_S)


@test("hostile: a VM that rings without pause costs the hub little and the others nothing")
def _():
    rings_without_pause(has_epochs=False)


@test("hostile: nor does one that is another with every ring")
def _():
    rings_without_pause(has_epochs=True)


def rings_without_pause(has_epochs):
    with stage(build="release") as (hub, vm):
        noisy = vm["client1"]
        bell = noisy.bells[1 - noisy.id]
        epoch = ctypes.c_uint32.from_buffer(noisy.memory, noisy.word_at(noisy.id, EPOCH)) if has_epochs else None
        with working(1, "vm_storm", bell, epoch and ctypes.byref(epoch)):
            share, wakes, took = under_storm(hub, vm["client2"])
        print(f"# the hub woke {wakes:.0f} times a second and used {share:.2f} of a processor; "
              f"20 reads took {took:.2f} s")
        # Undamped it is one or the other, by how busy the machine is.
        within(share, 0.15, "the hub's share of a processor")
        within(wakes, 2500, "how often a second the hub woke")
        within(took, 4, "20 reads of the other client")
        if has_epochs:
            del epoch   # of the memory
            noisy.restart()
            noisy.wait_up()
        equal(len(noisy.list()), 2, "what it lists afterwards")


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


def slow_fcntl(us):
    """Hold the hub for so long after each fcntl: between setting O_NONBLOCK and writing."""
    if not shutil.which("strace"):
        raise Skip("no strace to slow the hub down with")
    return ("strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", "trace=fcntl",
            "-e", f"inject=fcntl:delay_exit={us}")


@test("hostile: a VM whose doorbell blocks the hub is declared dead, the others go on")
def _():
    with stage(build="release", wrap=slow_fcntl(300000), names=("client1",)) as (hub, vm):
        bell = vm["client1"].bells[vm["client1"].id]
        fcntl.fcntl(bell, fcntl.F_SETFL, 0)
        fill(bell)
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


@test("hostile: one whose doorbell always blocks stops the others for a moment, not for each ring")
def _():
    rounds = 100
    with stage(build="release", wrap=slow_fcntl(1000), names=("client2", "usb1")) as (hub, vm):
        session = vm["client2"].attach("usb1:1-1").configure()
        evil = Client(hub.path("client1")).greet()
        guards = evil.bells[1 - evil.id]    # rung at each death of this end, and never read
        fill(guards)
        with working(1, "vm_block", guards):
            began = time.monotonic()
            for _ in range(rounds):
                evil.hang_up()
                evil.socket = Client(hub.path("client1")).socket
                equal(evil.message(), (0, None), "its successor's version")
            took = time.monotonic() - began
        equal(session.bulk_in(1, 512)[0], 0, "the other client")
        evil.close()
    print(f"# {rounds} deaths in {took:.2f} s")
    within(took, rounds * 0.005, f"{rounds} deaths")


def fill(bell):
    """As far as it goes without a wait."""
    with contextlib.suppress(BlockingIOError):
        os.set_blocking(bell, False)
        os.write(bell, struct.pack("=Q", 2**64 - 2 - counter(bell)))


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


@test("audit: nobody reads it: the guard goes on, and says later how many records were lost")
def _():
    asked = 600     # of some 200 bytes each, and a pipe has 64 KiB
    with tempfile.TemporaryDirectory() as folder:
        compile_rules(RULES, os.path.join(folder, "policy"))
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        config = ("[guard]\npolicy = {dir}/policy\n[client.client1]\nsocket = {dir}/client1.sock\n"
                  "[device.usb1]\nsocket = {dir}/usb1.sock\n")
        hub = Hub(config=config, folder=folder, wrap=("sh", "-c", f'exec "$0" "$@" >{pipe}'))
        reader = os.open(pipe, os.O_RDONLY)
        with hub, ClientVm(hub, "client1") as client:
            client.wait_up()
            for _ in range(asked):
                client.ask("usb1:1-1")[0].close()   # nobody is there
            records = os.read(reader, 1 << 16)
            client.ask("usb1:1-1")[0].close()
            until(lambda: select.select([reader], [], [], 0)[0], "there is more to read")
            hub.stop()
            while more := os.read(reader, 1 << 16):
                records += more
        records = [json.loads(line) for line in records.decode().splitlines()]
        lost = sum(r["count"] for r in records if r["event"] == "lost")
        denied = sum(r["event"] == "denied" for r in records)
        equal((lost > 0, denied + lost), (True, asked + 1), f"lost {lost}, and those written beside them")
        contains(hub.log(), "audit: cannot write to standard output: Resource temporarily unavailable", "log")
        os.close(reader)
