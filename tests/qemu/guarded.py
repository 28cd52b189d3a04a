#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The guard between real guests.

      client VM: vhci-hcd === link === usbroute-hub: guard === link === device VM: xhci
                                          |                    disk, keyboard, adapter, card reader
                                        audit

Two clients for one device, and what a hostile end does: tests/hub/guarded.py.
"""

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "demo")]
sys.dont_write_bytecode = True

import tap                              # noqa: E402
from tap import contains, equal, test, within   # noqa: E402
from checks import CHECKS               # noqa: E402
from pair import CONFIGURED, Pair       # noqa: E402
from show import Show                   # noqa: E402
from waits import reset, until          # noqa: E402

BYTES, WRITTEN = 8 << 20, 1 << 20
DISK, KEYBOARD, ADAPTER, READER = "46f4:0001", "0627:0001", "0403:6001", "08e6:4433"
NO_MATCH, PEER_GONE = 3, 5      # exit statuses of usbroute
PORT_USED = r"^(hs|ss)  *[0-9]* 00[56] "
RULES = """\
allow id 46f4:0001 with-interface 08:06:50 label "to=client1 deny=dfu,vendor"
reject id 08e6:4433
allow with-interface match-all { 03:*:* } label "to=client1 deny=dfu,vendor"
# The adapter of this number has to be a disk. It is not.
allow id 0403:6001 with-interface 08:06:50 label "to=client1"
"""


class Rig:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="usbroute-guarded-")
        self.image = os.path.join(self.directory.name, "disk.img")
        with open(self.image, "wb") as image:
            image.write(os.urandom(BYTES))
        self.pair = Pair(
            topology="guarded", policy=RULES, client_modules=("usb-storage", "sd_mod", "usbhid",
                                                              "hid-generic", "evdev", "ftdi_sio"),
            devices=["-blockdev", f"raw,node-name=d,file.driver=file,file.filename={self.image}",
                     "-device", "usb-storage,bus=xhci.0,drive=d", "-device", "usb-kbd,bus=xhci.0",
                     "-device", "usb-serial,bus=xhci.0,always-plugged=on,chardev=line",
                     "-chardev", "null,id=line", "-device", "usb-ccid,bus=xhci.0"])
        self.disk = None
        self.offered = self.hidden = {}     # vendor:product -> the guard's name

    @property
    def client(self):
        return self.pair.client

    @property
    def device(self):
        return self.pair.device

    def audit(self, event):
        return [r for r in self.pair.audit() if r["event"] == event]

    def wait_audit(self, event, count=1):
        """The newest record of that event, once there are so many."""
        end = time.monotonic() + 5
        while len(self.audit(event)) < count:
            assert time.monotonic() < end, f"expected {count} {event} records, got {self.pair.audit()}"
            time.sleep(0.05)
        return self.audit(event)[-1]

    def attach_disk(self):
        seen = len(self.client.console)
        self.client.check(f"usbroute attach {self.offered[DISK]}", 60)
        self.disk = self.client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 30, seen).group(1)

    def expect_sum(self):
        with open(self.image, "rb") as image:
            wanted = hashlib.sha256(image.read()).hexdigest()
        self.client.check("echo 3 >/proc/sys/vm/drop_caches")
        equal(self.client.check(f"sha256sum /dev/{self.disk}", 120).split()[0], wanted, "sha256 of the disk")

    def detach_all(self):
        for port in json.loads(self.client.check("usbroute port --json"))["ports"]:
            self.client.check(f"usbroute detach {port['port']}", 40)

    def refused(self, what):
        """(exit status, all that it said) of an attach that must not work."""
        job = self.client.spawn(f"usbroute attach {what} 2>&1")
        return job.wait(60)


@test("Both VMs are up, each on a link of its own")
def start(rig):
    rig.pair.__enter__()
    rig.pair.serve()


@test("The client lists what policy lets it attach, by the guard's names; the rest is hidden")
def listing(rig):
    # The device VM's kernel looks for devices in the background; only a configured one is in a list.
    rig.device.check(f"n=0; until [ {CONFIGURED} = 4 ]; "
                     "do usleep 100000; n=$((n + 1)); [ $n -lt 200 ] || exit 1; done", 30)
    seen = json.loads(rig.client.check("usbroute list --json"))["devices"]
    rig.offered = {f"{d['vendor']}:{d['product']}": d["busid"] for d in seen}
    equal(sorted(rig.offered), sorted((DISK, KEYBOARD)), "what the client lists")
    equal({name.split(":")[0] for name in rig.offered.values()}, {"usb1"}, "whose they are")
    rig.wait_audit("hidden", 2)
    equal({(r["id"], r["target"], r.get("line")) for r in rig.audit("hidden")},
          {(ADAPTER, "block", None), (READER, "reject", 2)}, "hidden")
    rig.hidden = {r["id"]: r["device"] for r in rig.audit("hidden")}


@test("A disk reads right as a whole, and what is written to it is on the image")
def storage(rig):
    rig.attach_disk()
    rig.expect_sum()
    output = rig.client.check(f"head -c {WRITTEN} /dev/urandom >/tmp/proof && sha256sum </tmp/proof && "
                              f"dd if=/tmp/proof of=/dev/{rig.disk} bs=64k conv=fsync 2>/dev/null", 60)
    with open(rig.image, "rb") as image:
        equal(hashlib.sha256(image.read(WRITTEN)).hexdigest(), output.split()[0], "sha256 of what was written")
    rig.expect_sum()
    equal([(r["id"], r["target"], r["line"]) for r in rig.audit("approved")], [(DISK, "allow", 1)], "approved")


@test("A keyboard's keys arrive")
def keyboard(rig):
    rig.client.check(f"usbroute attach {rig.offered[KEYBOARD]}", 40)
    options = argparse.Namespace(device="keyboard")
    CHECKS["keyboard"](Show(io.StringIO()), rig.directory.name, options).run(rig.client, rig.device)
    equal(rig.wait_audit("approved", 2)["line"], 3, "line of its rule")


@test("What is hidden cannot be had by its name: the command says so, the audit names the rule")
def hidden(rig):
    name = rig.hidden[READER]
    equal(rig.refused(name), (NO_MATCH, f"usbroute: {name}: no such device is exported\n"), "attach")
    record = rig.wait_audit("denied")
    equal((record["device"], record["id"], record["target"], record["line"]), (name, READER, "reject", 2),
          "denied")


@test("A device that is not what its rule asks for, had by its name, gets no configuration; others go on")
def not_what_it_should_be(rig):
    status, output = rig.refused(rig.hidden[ADAPTER])
    equal(status, PEER_GONE, f"exit status with {output!r}")
    contains(output, f"let go of {rig.hidden[ADAPTER]} before it was usable", "what it said")
    record = rig.wait_audit("refused")
    equal((record["id"], record["target"], record["reason"]), (ADAPTER, "block", "policy-device"), "refused")
    equal(rig.client.check("ls /dev | grep -c ttyUSB || true").strip(), "0", "serial ports")
    rig.expect_sum()


@test("Let go and had again")
def again(rig):
    rig.detach_all()
    rig.wait_audit("ended", 2)
    rig.attach_disk()
    rig.expect_sum()


@test("The client VM reset while it reads: the device is free at once, and had again")
def client_reset(rig):
    rig.client.spawn(f"dd if=/dev/{rig.disk} of=/dev/null bs=64k iflag=direct")
    reset(rig.client)
    held = time.monotonic()
    rig.wait_audit("cut")
    until(rig.device, "! grep -q 2 /sys/bus/usb/drivers/usbip-host/*/usbip_status", "all are free", held)
    rig.attach_disk()
    rig.expect_sum()


@test("The device VM killed while the client reads: an error and the device gone in 2 s, the guard lives")
def device_killed(rig):
    job = rig.client.spawn(f"while dd if=/dev/{rig.disk} of=/dev/null bs=64k iflag=direct; do :; done")
    cuts, begin = len(rig.audit("cut")), time.monotonic()
    rig.device.kill()
    took = until(rig.client, f"! grep -qE '{PORT_USED}' /sys/devices/platform/vhci_hcd.0/status && "
                 f"[ ! -e /sys/block/{rig.disk} ]", "the client's device is gone", begin)
    print(f"# gone after {took:.2f} s")
    job.wait(20)
    equal(rig.wait_audit("cut", cuts + 1)["id"], DISK, "cut")
    equal(json.loads(rig.client.check("usbroute list --json"))["devices"], [], "what the client lists")


@test("The client VM killed and another started: it has the device VM's devices when that is back")
def both_new(rig):
    rig.client.kill()
    rig.pair.client, rig.pair.device = rig.pair.make_client(), rig.pair.make_device()
    rig.pair.device.start()
    rig.pair.client.start()
    rig.device.wait_ready()
    rig.client.wait_ready()
    rig.pair.serve()
    busid = rig.offered[DISK].split(":")[1]     # its kernel looks for devices in the background
    rig.device.check(f"n=0; until [ -e /sys/bus/usb/devices/{busid}:1.0 ]; do usleep 20000; n=$((n+1)); "
                     "[ $n -lt 500 ] || exit 1; done", 20)
    rig.attach_disk()
    rig.expect_sum()


@test("No kernel complained; a second is enough for the hub to end")
def quiet(rig):
    equal(rig.pair.complaints(), [], "complaints")
    begin = time.monotonic()
    equal(rig.pair.hub.stop(), 0, "the hub's exit status")
    within(time.monotonic() - begin, 1, "its end")


if __name__ == "__main__":
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.pair.__exit__()
        RIG.directory.cleanup()
