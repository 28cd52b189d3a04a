#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing is lost when a machine pauses, resets, dies or is short of doorbells.

      device VM: qemu-xhci, disk === link === client VM: vhci-hcd

Short by default; LONG=1 does everything as often as the figures in brackets.
"""

import hashlib
import os
import random
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                                  # noqa: E402
from tap import equal, test, within         # noqa: E402
from bells import Bells                     # noqa: E402
from leaks import expect_as_before, expect_no_task_hangs, resources     # noqa: E402
from pair import Pair                       # noqa: E402
from waits import counters, flowing, reset, until   # noqa: E402

LONG = os.environ.get("LONG") == "1"
RESETS = 20 if LONG else 2      # of each VM
KILLS = 10 if LONG else 2       # of each VM; its peer lives through all of them
BYTES = 32 << 20
WRITES = 4000       # small ones, before the ledger's half
DISK = "46f4:0001"


class Rig:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="usbroute-survive-")
        self.image = os.path.join(self.directory, "disk.img")
        with open(self.image, "wb") as image:
            image.write(os.urandom(BYTES))
        self.pair = Pair(devices=[
            "-blockdev", f"raw,node-name=d,file.driver=file,file.filename={self.image}",
            "-device", "usb-storage,bus=xhci.0,drive=d,id=disk"],
            client_modules=("usb-storage", "sd_mod"), device_modules=("usb-storage", "sd_mod"))
        self.disk = None
        self.acknowledged = {}      # block of the ledger: the number in all its words
        self.lives = 0
        self.complaints = []        # of guests that were killed

    @property
    def client(self):
        return self.pair.client

    @property
    def device(self):
        return self.pair.device

    def attach(self):
        seen = len(self.client.console)
        self.client.check(f"usbroute attach {DISK}", 60)
        self.disk = self.client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 30, seen).group(1)

    def detach(self):
        port = self.client.check("usbroute port --json | grep '\"port\"' | tr -dc 0-9").strip()
        self.client.check(f"usbroute detach {port}", 40)

    def reading(self):
        """The whole disk's sum, as a job that goes on."""
        self.client.check("echo 3 >/proc/sys/vm/drop_caches")
        return self.client.spawn(f"sha256sum /dev/{self.disk}")

    def expect_sum(self, job, timeout=120):
        status, output = job.wait(timeout)
        with open(self.image, "rb") as image:
            there = hashlib.sha256(image.read()).hexdigest()
        equal((status, output.split()[:1]), (0, [there]), job.errors or "sha256 of the disk")


@test("Both VMs are up, the disk is attached")
def start(rig):
    rig.pair.__enter__()
    rig.pair.serve()
    rig.attach()
    rig.expect_sum(rig.reading())


def paused(rig, vm, seconds):
    job = rig.reading()
    flowing(rig.client)
    vm.qmp("stop")
    equal(job.status, None, "the read's status when the pause begins")
    time.sleep(seconds)     # the pause itself
    vm.qmp("cont")
    rig.expect_sum(job)


@test("The device VM paused in the middle of a read (30 s): nothing lost")
def device_paused(rig):
    paused(rig, rig.device, 30 if LONG else 4)


@test("The client VM paused in the middle of a read (30 s): nothing lost")
def client_paused(rig):
    paused(rig, rig.client, 30 if LONG else 4)


def set_spin(rig, limit_us):
    """Of the sockets made from then on."""
    rig.detach()
    for vm in (rig.client, rig.device):
        vm.check(f"echo {limit_us} >/sys/module/usbroute/parameters/spin_us")
    rig.attach()


@test("Doorbells dropped at 1, 50 and 100 %: slower, never stuck")
def doorbells_dropped(rig):
    set_spin(rig, 0)    # who spins needs no doorbell
    bells = Bells(rig.client, rig.device)
    for percent, count in ((1, 64), (50, 16), (100, 4)):
        bells.drop(percent)
        begin, passes = time.monotonic(), 0
        while passes < 10 and not bells.counted()[1]:   # 1 % of few may be none
            rig.client.check(f"dd if=/dev/{rig.disk} of=/dev/null bs=64k count={count} iflag=direct 2>&1", 60)
            passes += 1
        took = (time.monotonic() - begin) / count / passes
        print(f"# {percent} %: {took * 1000:.1f} ms for 64 KiB; {bells.expect_lost(percent)}")
    bells.drop(0)
    rig.expect_sum(rig.reading())
    equal(bells.counted()[1], 0, "doorbells lost at 0 %")
    set_spin(rig, 500)


# ---- the ledger: what the client wrote, in each life of either VM

LEDGER_BLOCK = 1024
LEDGER_FIRST = BYTES // 2 // LEDGER_BLOCK
LEDGER_COUNT = LEDGER_FIRST // (2 * RESETS + 2 * KILLS + 2)     # blocks that one life may write


def ledger(rig):
    """The client writes and reads; every acknowledged block is noted. Returns the job, at any moment of it."""
    first = LEDGER_FIRST + rig.lives * LEDGER_COUNT
    rig.lives += 1
    job = rig.client.spawn(f"ledger /dev/{rig.disk} {first} {LEDGER_COUNT} {rig.lives}")
    job.wait_line(f"^w {first + 100} ", 20)      # it is under way
    time.sleep(random.uniform(0, 0.03))         # in a write, in a read, or between
    return job


def note(rig, job):
    for line in job.output.splitlines():
        words = line.split()
        if words[0] == "w" and len(words) == 3:
            rig.acknowledged[int(words[1])] = int(words[2])


def ledger_holds(rig):
    """Every block that was ever acknowledged is on the image, whole."""
    with open(rig.image, "rb") as image:
        for block, number in rig.acknowledged.items():
            image.seek(block * LEDGER_BLOCK)
            equal(image.read(LEDGER_BLOCK), struct.pack("<Q", number) * (LEDGER_BLOCK // 8),
                  f"acknowledged block {block}")


# ---- reset

@test("The device VM reset while the client writes and reads: an error there, then all as before (20 times)")
def device_reset(rig):
    for _ in range(RESETS):
        job = ledger(rig)
        reset(rig.device)   # silence is not death: the new epoch is what the client learns from
        begin = time.monotonic()
        status, _ = job.wait(60)    # longer than SCSI's own recovery, if that has begun
        equal((status, job.errors), (0, ""), "the ledger's status and complaints")
        print(f"# {job.output.splitlines()[-1]}, {time.monotonic() - begin:.1f} s after the device VM was back")
        note(rig, job)
        rig.device.check("true", 60)
        rig.pair.serve()
        rig.attach()
        rig.expect_sum(rig.reading())
        ledger_holds(rig)
        equal(counters(rig.client, "faults"), {"faults": 0})


@test("The client VM reset while it writes and reads: the device can be had again, no stale byte (20 times)")
def client_reset(rig):
    for _ in range(RESETS):
        job = ledger(rig)
        reset(rig.client)
        begin = time.monotonic()
        equal((job.status, job.errors), (None, ""), "the ledger's status and complaints until then")
        note(rig, job)
        while rig.device.check("cat /sys/bus/usb/drivers/usbip-host/*/usbip_status").strip() != "1":
            within(time.monotonic() - begin, 5, "the device is held")
        rig.attach()
        rig.expect_sum(rig.reading())
        ledger_holds(rig)
        equal(counters(rig.device, "faults"), {"faults": 0})
    print(f"# {rig.lives} lives, {len(rig.acknowledged)} acknowledged blocks, all there")


@test("detach under load: every write that was acknowledged is on the image")
def acknowledged_writes(rig):
    # Through a descriptor, not by the name: when the device is gone, dd would make a
    # file of its name, write into that, and the next disk would find its name taken.
    writer = rig.client.spawn(
        f"exec 3</dev/{rig.disk}; n=0; "
        f"while printf %08d $n | dd of=/proc/self/fd/3 bs=512 seek=$((n * 8)) conv=fsync,sync 2>/dev/null; "
        f"do echo $n; n=$((n + 1)); [ $n -lt {WRITES} ] || break; done")
    writer.wait_line("^20$", 30)
    rig.detach()
    _, output = writer.wait(60)
    numbers = [int(n) for n in output.split()]
    equal(numbers, list(range(len(numbers))), "the acknowledged writes")
    assert len(numbers) < WRITES, f"expected detach to end the {WRITES} writes, all were done"
    with open(rig.image, "rb") as image:
        for n in numbers:
            image.seek(n * 8 * 512)
            equal(image.read(8), b"%08d" % n, f"block of the acknowledged write {n}")
    print(f"# {len(numbers)} acknowledged writes")


# ---- killed

PORT_USED = r"^(hs|ss)  *[0-9]* 00[56] "


def kill_device(rig):
    job = ledger(rig)
    begin = time.monotonic()
    rig.complaints += rig.device.complaints()
    rig.device.kill()
    ended = job.wait_line("^ok gone: (.*)", 10).group(1)
    within(time.monotonic() - begin, 2, "the client's I/O error")
    took = until(rig.client, f"! grep -qE '{PORT_USED}' /sys/devices/platform/vhci_hcd.0/status && "
                 f"[ ! -e /sys/block/{rig.disk} ]", "the client's device is gone", begin)
    print(f"# {ended}; let go after {took:.2f} s")
    equal(job.wait(10)[0], 0, "the ledger's status")
    note(rig, job)
    rig.pair.device = rig.pair.make_device()
    rig.device.start()
    rig.device.wait_ready()
    rig.pair.serve()
    rig.attach()


def kill_client(rig):
    job = ledger(rig)
    begin = time.monotonic()
    rig.complaints += rig.client.complaints()
    rig.client.kill()
    took = until(rig.device, "[ \"$(cat /sys/bus/usb/drivers/usbip-host/*/usbip_status)\" = 1 ]",
                 "the device is exportable again", begin)
    note(rig, job)
    print(f"# exportable after {took:.2f} s; {len(rig.acknowledged)} blocks acknowledged so far")
    rig.pair.client = rig.pair.make_client()
    rig.client.start()
    rig.client.wait_ready()
    rig.attach()


def descriptors(rig, survivor):
    """Of the processes on the host that live on."""
    return {name: len(os.listdir(f"/proc/{process.pid}/fd"))
            for name, process in (("hub", rig.pair.hub.process), ("QEMU", survivor.process))}


def killed(rig, kill, survivor):
    """One kill to warm up, then others that must leave nothing behind in the survivor and on the host."""
    vm = survivor(rig)
    kill(rig)
    before, on_host = resources(vm), descriptors(rig, vm)
    for _ in range(KILLS - 1):
        kill(rig)
        ledger_holds(rig)
    expect_as_before(vm, before, f"{KILLS - 1} kills")
    equal(descriptors(rig, vm), on_host, "descriptors on the host")
    equal(counters(vm, "faults"), {"faults": 0})
    assert len(rig.acknowledged) >= 60, f"expected 60 acknowledged blocks, got {len(rig.acknowledged)}"


@test("The device VM killed under load (10 times): I/O error and device gone in 2 s, nothing left behind")
def device_killed(rig):
    rig.attach()
    killed(rig, kill_device, lambda r: r.client)


@test("The client VM killed under load (10 times): exportable again in 2 s, nothing left behind")
def client_killed(rig):
    killed(rig, kill_client, lambda r: r.device)


@test("Killed in turn: the device VM, then the client VM, whoever is the older")
def killed_in_turn(rig):
    kill_device(rig)
    kill_client(rig)
    ledger_holds(rig)
    print(f"# {rig.lives} lives, {len(rig.acknowledged)} acknowledged blocks, all there")


@test("No guest's kernel complained in any of this, and no honest doorbell was damped")
def kernel_quiet(rig):
    equal(rig.complaints + rig.pair.complaints(), [], "complaints")
    for vm in (rig.client, rig.device):
        equal(counters(vm, "storms"), {"storms": 0}, f"damped doorbells of {vm.name}")
        expect_no_task_hangs(vm)


if __name__ == "__main__":
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.pair.__exit__()
