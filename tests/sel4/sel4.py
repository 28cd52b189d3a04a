#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The seL4 image: two Linux VMs over seL4, a USB disk of one used in the other.

      client VM: vhci-hcd === outboxes, doorbells through both VMMs === device VM: xhci
                                                    served: disk UR0001, keyboard; its own: disk UR0002

QEMU counts instructions for time (-icount), so that a busy host makes nothing late.
Short by default; LONG=1 does everything as often as the figures in brackets.
"""

import hashlib
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                              # noqa: E402
from tap import equal, test, within     # noqa: E402
from machine import skip_all            # noqa: E402
from rig import (BELL, DISK, GIC, KEYBOARD, LONG, NOTHING, OUTBOX_A, OUTBOX_B, RESERVED, SEEN,    # noqa: E402
                 Rig, attach, bind, boot, boot_id, detach_all, disk_and_keyboard, end_of_client, local_reads,
                 ports, probe, reboot, routed_sum, serve, unbound)
from vm import READY                    # noqa: E402


@test("Both guests boot; the driver has its link, and it comes up")
def boots(rig):
    boot(rig)


@test("serve, list, attach: the disk's bytes are right in the client VM, twice")
def disk(rig):
    serve(rig)
    listing = json.loads(rig.client.check("usbroute list --json"))["devices"]
    equal(sorted(f"{d['vendor']}:{d['product']}" for d in listing), [KEYBOARD, DISK])
    routed_sum(rig)
    routed_sum(rig)


@test("A disk and a keyboard at once; a key pressed arrives as an input event")
def keyboard(rig):
    disk_and_keyboard(rig)


@test("Written through the route: the bytes are in the image on the host")
def write(rig):
    name = attach(rig)
    rig.client.check(f"head -c 65536 /dev/urandom >/tmp/w && dd if=/tmp/w of=/dev/{name} bs=64k "
                     "seek=3 oflag=direct conv=fsync 2>&1")
    expected = rig.client.check("sha256sum /tmp/w").split()[0]
    detach_all(rig)
    with open(rig.image, "rb") as image:
        data = image.read()
    equal(hashlib.sha256(data[3 << 16:4 << 16]).hexdigest(), expected, "sha256 of what was written")
    rig.sum = hashlib.sha256(data).hexdigest()


@test("A store to the peer's outbox does not reach it, and nothing else happens")
def read_only(rig):
    for guest, own, peer in ((rig.client, OUTBOX_A, OUTBOX_B), (rig.device, OUTBOX_B, OUTBOX_A)):
        before = probe(guest, "load", peer + SEEN)
        for offset in (SEEN, RESERVED, 0x400000):
            was = probe(guest, "load", peer + offset)
            equal(probe(guest, "store", peer + offset, 0x5a5a5a5a), was, f"word {offset:#x} after a store")
        equal(probe(guest, "store", own + RESERVED, 0x5a5a5a5a), "0x5a5a5a5a", "a word of the own outbox")
        probe(guest, "store", own + RESERVED, 0)
        equal(probe(guest, "load", peer + SEEN), before, "the peer's acknowledgement")
    routed_sum(rig)


@test("Both guests sleep a second again and again (100 times): at most 2 % late on average")
def sleeps(rig):
    jobs = [guest.spawn(f"probe late {100 if LONG else 20} 1000") for guest in (rig.client, rig.device)]
    for guest, job in zip((rig.client, rig.device), jobs):
        mean, worst = map(int, job.wait(300)[1].split())
        print(f"# {guest.name} VM: {mean} us late on average, {worst} us at worst")
        within(mean / 1e6, 0.02, f"{guest.name} VM's mean lateness of sleep 1")


@test("A doorbell wakes a sleeping guest at once: 20 exchanges, each well under the watchdog")
def doorbell_wakes(rig):
    start = time.monotonic()
    rig.client.check("for i in $(seq 20); do usbroute list >/dev/null || exit 1; done", 120)
    print(f"# {(time.monotonic() - start) / 20 * 1000:.0f} ms each, with the command's own start")
    name = attach(rig)
    mean = int(rig.client.check(f"probe reads /dev/{name} 512 50", 60))
    print(f"# a routed read of 512 bytes: {mean} us")
    detach_all(rig)
    within(mean / 1e6, 0.05, "a routed read")


def local_against(rig, what, limit, idle):
    busy = local_reads(rig)
    print(f"# a local read of 512 bytes: {idle} us, {what}: {busy} us")
    within(busy / idle, limit, f"local reads, {what}, in times of an idle client VM's")


@test("The client VM rings in a loop: the device VM uses its disk, computes and boots")
def storm(rig):
    idle = local_reads(rig)
    alone = int(probe(rig.device, "work", 20))
    job = unbound(rig.client, f"probe storm {BELL:#x} 40")
    try:
        local_against(rig, "with the storm", 4, idle)
        busy = int(probe(rig.device, "work", 20))
        print(f"# counting to 20 million: {alone} ms, with the storm {busy} ms")
        within(busy / alone, 4, "work with the storm, in times of work alone")
        before = boot_id(rig.device)
        reboot(rig, rig.device, "echo b >/proc/sysrq-trigger")
        assert boot_id(rig.device) != before
        assert job.status is None, "the storm ended before the boot did"
        print(f"# {job.wait(200)[1].strip()} doorbells in 40 s")
    finally:
        bind(rig.client)
    serve(rig)
    routed_sum(rig)


@test("The client VM scribbles over its own outbox: the device VM works on; a new epoch mends the link")
def scribbles(rig):
    before = boot_id(rig.device)
    job = unbound(rig.client, f"probe scribble {OUTBOX_A:#x} 0x800000 5")
    try:
        rig.device.check("probe work 20")
        local_reads(rig, 50)
        job.wait(60)
    finally:
        bind(rig.client)
    equal(boot_id(rig.device), before, "the device VM's boot")
    routed_sum(rig)


@test("A guest that touches what is not there for it ends, and is started again; the other is not disturbed")
def no_memory(rig):
    before = boot_id(rig.device)
    reboot(rig, rig.client, f"probe load {NOTHING:#x}")
    reboot(rig, rig.client, f"probe pair {GIC:#x}")
    equal(boot_id(rig.device), before, "the device VM's boot")
    routed_sum(rig)


@test("The client VM resets while it reads: its VMM starts it again, the device can be had again")
def client_resets(rig):
    end_of_client(rig, "echo b >/proc/sysrq-trigger")


@test("The client VM panics while it reads: the same")
def client_panics(rig):
    end_of_client(rig, "echo c >/proc/sysrq-trigger")


def end_of_device(rig, command):
    before = boot_id(rig.client)
    name = attach(rig)
    reader = rig.client.spawn(f"while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    time.sleep(0.3)
    seen = len(rig.device.console)
    rig.device.may_die = True
    rig.device.spawn(command)
    reader.wait(60)
    assert not any("usbroute0: end B" in line for line in rig.device.console[seen:]), \
        "the reader learned of the end only from the next driver: nobody declared it"
    rig.device.wait_console(READY.pattern, 240, seen)
    rig.device.may_die = False
    equal(ports(rig), [], "ports")
    equal(boot_id(rig.client), before, "the client VM's boot")
    serve(rig)
    routed_sum(rig)


@test("The device VM resets while the client reads: an I/O error, then everything works again")
def device_resets(rig):
    end_of_device(rig, "echo b >/proc/sysrq-trigger")


@test("The device VM panics while the client reads: the same")
def device_panics(rig):
    end_of_device(rig, "echo c >/proc/sysrq-trigger")


@test("No guest's kernel complained in any of this, but for the panics")
def kernel_quiet(rig):
    wanted = re.compile(r"sysrq|Kernel panic|Call trace", re.I)
    equal([line for line in rig.machine.complaints() if not wanted.search(line)], [], "complaints")


@test("An idle client VM costs the device VM's local reads at most a fifth")
def idle_gives_way(rig):
    idle = min(local_reads(rig) for _ in range(5))
    rig.client.may_die = True
    rig.client.spawn("poweroff -f")
    time.sleep(2)       # its VMM leaves it off; nothing tells of it from outside
    alone = min(local_reads(rig) for _ in range(5))
    print(f"# a local read of 512 bytes: {alone} us alone, {idle} us with an idle client VM")
    within(idle / alone, 1.2, "with an idle client VM, in times of alone")


if __name__ == "__main__":
    skip_all()
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.end()
