#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The guard on seL4: a protection domain between two links.

      client VM === link, doorbells === guard === link, doorbells === device VM: xhci
                                          |        served: disk UR0001, keyboard, card reader, serial adapter
                                        audit ring     its own: disk UR0002

The rules are guarded.rules. LONG=1 adds what takes long.
"""

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
from machine import CONFIGS, IMAGES, skip_all    # noqa: E402
from rig import (BELL, DISK, KEYBOARD, LONG, OUTBOX_A, OUTBOX_B, RESERVED, SEEN,    # noqa: E402
                 Rig, attach, bind, boot, boot_id, disk_and_keyboard, end_of_client, local_reads,
                 ports, probe, reboot, routed_sum, serve, unbound)
from wreck import wreck                 # noqa: E402

WORDS = 0x1100          # of an outbox: its header and 16 channels' words (SPEC sections 2 and 3)
GUARD = os.path.join(IMAGES, CONFIGS[0] if CONFIGS else "", "guard_pd.elf")
READER, SERIAL = "08e6:4433", "0403:6001"    # QEMU's usb-ccid and usb-serial
MARK = 0x7e57ab1e


def long(text):
    return test(text) if LONG else lambda function: function


def events(rig, name):
    return [line for line in rig.machine.audit() if line["event"] == name]


@test("Both guests boot; each has its own link, and they come up")
def boots(rig):
    boot(rig)


@test("The client sees the disk and the keyboard under the guard's names, and nothing else")
def listing(rig):
    rig.machine.serve("serial=UR0001", KEYBOARD, READER, SERIAL)
    seen = json.loads(rig.client.check("usbroute list --json"))["devices"]
    equal(sorted(f"{d['vendor']}:{d['product']}" for d in seen), [KEYBOARD, DISK], "what the client lists")
    equal({d["busid"].split(":")[0] for d in seen}, {"usb1"}, "whose they are")
    equal(sorted(line["id"] for line in events(rig, "hidden")), [SERIAL, READER], "hidden from it")


def hidden_busid(rig, device):
    """Its name at the guard, which no list tells the client."""
    return [line["device"] for line in events(rig, "hidden") if line["id"] == device][-1]


@test("The card reader cannot be had by its name either; the audit tells the rule")
def denied(rig):
    busid = hidden_busid(rig, READER)
    job = rig.client.spawn(f"usbroute attach {busid}")
    assert job.wait(60)[0] != 0, f"attach {busid} worked"
    equal(ports(rig), [], "ports")
    equal([(line["id"], line["target"], line["line"]) for line in events(rig, "denied")],
          [(READER, "block", 4)], "denied: device, target, line of guarded.rules")


@test("A serial adapter, called by its name, is severed when its descriptors show that no rule allows it")
def severed(rig):
    rig.client.spawn(f"usbroute attach {hidden_busid(rig, SERIAL)}").wait(60)
    rig.client.check("for i in $(seq 100); do usbroute port --json | grep -q busid || exit 0; sleep 0.1; done; exit 1")
    equal([(line["id"], line["target"], line["rule"], line["reason"]) for line in events(rig, "refused")],
          [(SERIAL, "block", "none", "policy-device")], "refused")
    equal(rig.client.check("ls /sys/class/tty | grep USB || true"), "", "serial ports of the client VM")


@test("The disk's bytes are right in the client VM; the audit has its route from import to end")
def disk(rig):
    routed_sum(rig)
    lines = [line for line in rig.machine.audit() if line.get("id") == DISK]
    equal([(line["event"], line["target"], line["line"]) for line in lines],
          [(event, "allow", 5) for event in ("imported", "approved", "ended")], "the disk's lines")


@test("A disk and a keyboard at once; a key pressed arrives as an input event")
def keyboard(rig):
    disk_and_keyboard(rig)


@test("A device VM whose server stands still holds up a list for two seconds and no longer")
def silent(rig):
    rig.device.check("kill -STOP $(pidof usbroute)")
    try:
        before, count, after = map(float, rig.client.check(
            "cut -d' ' -f1 /proc/uptime; usbroute list --json | grep -c '\"busid\"'; cut -d' ' -f1 /proc/uptime").split())
    finally:
        rig.device.check("kill -CONT $(pidof usbroute)")
    equal(count, 0, "devices listed")
    within(after - before, 2, "the list")


@test("Neither VM can write what the guard writes, and a word of one link is not seen in the other")
def apart(rig):
    for guest, own, peer in ((rig.client, OUTBOX_A, OUTBOX_B), (rig.device, OUTBOX_B, OUTBOX_A)):
        for offset in (SEEN, RESERVED, 0x400000):
            was = probe(guest, "load", peer + offset)
            equal(probe(guest, "store", peer + offset, 0x5a5a5a5a), was, f"word {offset:#x} after a store")
        equal(probe(guest, "store", own + RESERVED, MARK), f"{MARK:#x}", "a word of the own outbox")
    for guest, peer in ((rig.client, OUTBOX_B), (rig.device, OUTBOX_A)):
        equal(probe(guest, "load", peer + RESERVED), "0", f"what the other VM wrote, in the {guest.name} VM")
    for guest, own in ((rig.client, OUTBOX_A), (rig.device, OUTBOX_B)):
        probe(guest, "store", own + RESERVED, 0)


@test("The client VM reads its disk and touches what only the guard has: it ends, its route too, and both come back")
def client_ends(rig):
    before = len(events(rig, "cut"))
    end_of_client(rig, f"probe load {OUTBOX_B + 0x1000000:#x}")
    equal(len(events(rig, "cut")), before + 1, "routes cut")


@long("The client VM panics while it reads: the same")
def client_panics(rig):
    before = len(events(rig, "cut"))
    end_of_client(rig, "echo c >/proc/sysrq-trigger")
    equal(len(events(rig, "cut")), before + 1, "routes cut")


@long("The device VM panics while the client reads: an I/O error; it comes back and everything works")
def device_panics(rig):
    before = boot_id(rig.client)
    name = attach(rig)
    reader = rig.client.spawn(f"while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    time.sleep(0.3)
    reboot(rig, rig.device, "echo c >/proc/sysrq-trigger")
    reader.wait(60)
    equal(ports(rig), [], "ports")
    equal(boot_id(rig.client), before, "the client VM's boot")
    serve(rig)
    routed_sum(rig)


@long("The client VM rings in a loop: the device VM uses its disk, with the guard in between")
def storm(rig):
    idle = local_reads(rig)
    job = unbound(rig.client, f"probe storm {BELL:#x} 5")
    try:
        busy = local_reads(rig)
        assert job.status is None, "the storm ended before the reads did"
        print(f"# a local read of 512 bytes: {idle} us, with the storm {busy} us")
        within(busy / idle, 4, "local reads, with the storm, in times of an idle client VM's")
        job.wait(100)
    finally:
        bind(rig.client)
    routed_sum(rig)


@long("The client VM scribbles over its own outbox: the device VM and the guard work on")
def scribbles(rig):
    before = boot_id(rig.device)
    job = unbound(rig.client, f"probe scribble {OUTBOX_A:#x} 0x800000 3")
    try:
        rig.device.check("probe work 20")
        local_reads(rig, 50)
        job.wait(60)
    finally:
        bind(rig.client)
    equal(boot_id(rig.device), before, "the device VM's boot")
    routed_sum(rig)


@test("The audit's lines are numbered without a gap")
def audit(rig):
    numbers = [line["number"] for line in rig.machine.audit()]
    equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "numbers")


def written(rig):
    """What the guard last wrote, to the client and to the device VM."""
    return probe(rig.client, "sum", OUTBOX_B, WORDS), probe(rig.device, "sum", OUTBOX_A, WORDS)


@test("The guard is made to fault while the client reads: nothing passes any more, and both VMs live on")
def killed(rig):
    name = attach(rig)
    before = boot_id(rig.client), boot_id(rig.device)
    rig.client.spawn(f"while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct; do :; done 2>/dev/null")
    wreck(rig.machine, GUARD, "notified")
    last = written(rig)
    job = rig.client.spawn("usbroute list")
    assert job.wait(90)[0] != 0, f"list worked without a guard: {job.output!r}"
    equal(written(rig), last, "the guard's words to the client and to the device VM")
    equal((boot_id(rig.client), boot_id(rig.device)), before, "both VMs' boots")
    local_reads(rig, 20)


@test("No guest's kernel complained in any of this, but for the panics")
def kernel_quiet(rig):
    wanted = re.compile(r"sysrq|Kernel panic|Call trace", re.I)
    equal([line for line in rig.machine.complaints() if not wanted.search(line)], [], "complaints")


if __name__ == "__main__":
    skip_all()
    RIG = Rig(topology="guarded", devices=["-device", "usb-ccid,bus=xhci.0,id=reader", "-chardev", "null,id=line",
                                           "-device", "usb-serial,bus=xhci.0,chardev=line,always-plugged=on"])
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.end()
