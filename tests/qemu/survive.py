#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing is lost when a machine pauses, resets or is short of doorbells.

      device VM: qemu-xhci, disk === link === client VM: vhci-hcd

Short by default; LONG=1 does everything as often as the figures in brackets.
"""

import hashlib
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                                  # noqa: E402
from tap import equal, test, within         # noqa: E402
from pair import Pair                       # noqa: E402
from vm import READY                        # noqa: E402

LONG = os.environ.get("LONG") == "1"
BYTES = 32 << 20
DISK = "46f4:0001"


class Rig:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="usbroute-survive-")
        self.image = os.path.join(self.directory, "disk.img")
        with open(self.image, "wb") as image:
            image.write(os.urandom(BYTES))
        with open(self.image, "rb") as image:
            self.sum = hashlib.sha256(image.read()).hexdigest()
        self.pair = Pair(devices=[
            "-blockdev", f"raw,node-name=d,file.driver=file,file.filename={self.image}",
            "-device", "usb-storage,bus=xhci.0,drive=d,id=disk"],
            client_modules=("usb-storage", "sd_mod"), device_modules=("usb-storage", "sd_mod"))
        self.disk = None

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

    def reading(self):
        """The whole disk's sum, as a job that goes on."""
        self.client.check("echo 3 >/proc/sys/vm/drop_caches")
        return self.client.spawn(f"sha256sum /dev/{self.disk}")

    def expect_sum(self, job, timeout=120):
        status, output = job.wait(timeout)
        equal((status, output.split()[:1]), (0, [self.sum]), job.errors or "sha256 of the disk")


@test("Both VMs are up, the disk is attached")
def start(rig):
    rig.pair.__enter__()
    rig.pair.serve()
    rig.attach()
    rig.expect_sum(rig.reading())


def paused(rig, vm, seconds):
    job = rig.reading()
    time.sleep(0.3)         # in the middle of it
    vm.qmp("stop")
    time.sleep(seconds)     # the pause itself
    vm.qmp("cont")
    rig.expect_sum(job)


@test("The device VM paused in the middle of a read (30 s): nothing lost")
def device_paused(rig):
    paused(rig, rig.device, 30 if LONG else 4)


@test("The client VM paused in the middle of a read (30 s): nothing lost")
def client_paused(rig):
    paused(rig, rig.client, 30 if LONG else 4)


@test("Doorbells dropped at 1, 50 and 100 %: slower, never stuck")
def doorbells_dropped(rig):
    for percent, count in ((1, 64), (50, 16), (100, 4)):
        for vm in (rig.client, rig.device):
            vm.check(f"echo {percent} >/sys/module/usbroute/parameters/drop_doorbells")
        begin = time.monotonic()
        rig.client.check(f"dd if=/dev/{rig.disk} of=/dev/null bs=64k count={count} iflag=direct 2>&1", 60)
        print(f"# {percent} %: {(time.monotonic() - begin) / count * 1000:.1f} ms for 64 KiB")
    for vm in (rig.client, rig.device):
        vm.check("echo 0 >/sys/module/usbroute/parameters/drop_doorbells")
    rig.expect_sum(rig.reading())


def reset(vm):
    """QMP system_reset, and the new kernel's READY line."""
    seen = len(vm.console)
    vm.qmp("set-action", {"reboot": "reset"})
    vm.qmp("system_reset")
    vm.wait_console(READY, 60, seen)


@test("The device VM reset while the client reads: an error there, then all as before (20 times)")
def device_reset(rig):
    for _ in range(20 if LONG else 2):
        job = rig.client.spawn(f"while dd if=/dev/{rig.disk} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
        time.sleep(0.2)
        begin = time.monotonic()
        rig.device.qmp("set-action", {"reboot": "reset"})
        rig.device.qmp("system_reset")
        job.wait(30)
        print(f"# the reader ended after {time.monotonic() - begin:.1f} s")
        rig.device.wait_console(READY, 60, 0)
        rig.device.check("true", 60)
        rig.pair.serve()
        rig.attach()
        rig.expect_sum(rig.reading())
        equal(rig.client.check("cat /sys/class/usbroute/usbroute0/faults").strip(), "0", "faults")


@test("The client VM reset while it reads: the device can be had again, no stale byte (20 times)")
def client_reset(rig):
    for _ in range(20 if LONG else 2):
        rig.reading()
        time.sleep(0.2)
        reset(rig.client)
        begin = time.monotonic()
        while rig.device.check("cat /sys/bus/usb/drivers/usbip-host/*/usbip_status").strip() != "1":
            within(time.monotonic() - begin, 5, "the device is held")
        rig.attach()
        rig.expect_sum(rig.reading())
        equal(rig.device.check("cat /sys/class/usbroute/usbroute0/faults").strip(), "0", "faults")


@test("detach under load: every write that was acknowledged is on the image")
def acknowledged_writes(rig):
    writer = rig.client.spawn(
        f"n=0; while printf %08d $n | dd of=/dev/{rig.disk} bs=512 seek=$((n * 8)) conv=fsync,sync 2>/dev/null "
        # Without the device dd would make a file of its name, and write into that.
        f"&& [ -b /dev/{rig.disk} ]; do echo $n; n=$((n + 1)); [ $n -lt 4000 ] || break; done")
    time.sleep(1)
    port = rig.client.check("usbroute port --json | grep '\"port\"' | tr -dc 0-9").strip()
    rig.client.check(f"usbroute detach {port}", 40)
    _, output = writer.wait(60)
    numbers = [int(n) for n in output.split()]
    assert len(numbers) > 5, f"expected some writes, got {numbers}"
    with open(rig.image, "rb") as image:
        for n in numbers:
            image.seek(n * 8 * 512)
            equal(image.read(8), b"%08d" % n, f"block of the acknowledged write {n}")
    print(f"# {len(numbers)} acknowledged writes")


@test("No guest's kernel complained in any of this")
def kernel_quiet(rig):
    equal(rig.pair.complaints(), [], "complaints")


if __name__ == "__main__":
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        RIG.pair.__exit__()
