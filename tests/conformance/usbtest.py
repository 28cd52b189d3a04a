# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's usbtest driver and its testusb: 30 tests.

    usbtest.ko, testusb === the way === a gadget of the kernel (SourceSink on dummy_hcd): 24 tests
                                    === an emulated gadget zero, at each speed: the 6 isochronous
                                        and interrupt tests, which dummy_hcd has no endpoints for

With pattern 1 every byte says where it stands, and both ends check; the two tests of
throughput (27, 28) refuse it, and run with pattern 0.
testusb says nothing of a test that the driver does not support: that is "not run".
"""

import re
import time

from results import FAIL, NOT_RUN, PASS, STOCK, reason
from vm import VmError
from ways import WayError, find

PART = "usbtest"
IDS = "0525:a4a0"
KERNEL = list(range(11)) + [13, 14, 17, 18, 19, 20, 21, 29]
UNLINK = [11, 12, 24]
THROUGHPUT = [27, 28]
EMULATED = [15, 16, 22, 23, 25, 26]
SPEEDS = {"full": "1-4", "high": "1-3", "super": "1-5"}
NAMES = ("nop", "bulk out", "bulk in", "bulk out, lengths vary", "bulk in, lengths vary",
         "bulk out, queued", "bulk in, queued", "bulk out, queued, lengths vary",
         "bulk in, queued, lengths vary", "chapter 9", "control, queued", "unlink bulk in",
         "unlink bulk out", "halt", "control out", "iso out", "iso in", "bulk out, odd address",
         "bulk in, odd address", "bulk out, odd address, mapped", "bulk in, odd address, mapped",
         "control out, odd address", "iso out, odd address", "iso in, odd address",
         "unlink queued bulk out", "interrupt out", "interrupt in", "bulk out, throughput",
         "bulk in, throughput", "clear toggle")

GADGET = """
modprobe dummy_hcd && modprobe libcomposite && modprobe usb_f_ss_lb || exit 1
mkdir -p /sys/kernel/config
grep -q ' configfs ' /proc/mounts || mount -t configfs none /sys/kernel/config || exit 1
mkdir -p /sys/kernel/config/usb_gadget/zero && cd /sys/kernel/config/usb_gadget/zero || exit 1
echo 0x0525 >idVendor && echo 0xa4a0 >idProduct || exit 1
mkdir -p strings/0x409 functions/SourceSink.0 configs/c.1 || exit 1
echo CONFORMANCE >strings/0x409/serialnumber
echo {pattern} >functions/SourceSink.0/pattern || exit 1
ln -s /sys/kernel/config/usb_gadget/zero/functions/SourceSink.0 configs/c.1/ || exit 1
ls /sys/class/udc >UDC
"""
NO_GADGET = """
cd /sys/kernel/config/usb_gadget/zero && echo >UDC && rm configs/c.1/SourceSink.0
"""


def name(number):
    return f"{number} {NAMES[number]}"


def options(number, iterations):
    """Lengths that each test takes at every speed: whole packets, but where it varies them."""
    length, vary = 1024, 512
    if number in (14, 21):
        length, vary = 256, 1
    elif number in (15, 16, 22, 23):
        length = 8192
    return f"-t {number} -c {iterations} -s {length} -v {vary} -g 32"


def node(vm, busid):
    bus, device = (int(vm.check(f"cat /sys/bus/usb/devices/{busid}/{n}")) for n in ("busnum", "devnum"))
    return f"/dev/bus/usb/{bus:03d}/{device:03d}"


def judge(number, output, errors, status):
    """(outcome, why) of what testusb said; status 124 is that of busybox' timeout."""
    if re.search(rf"test {number}, +\d+\.\d+ secs", output):
        return PASS, ""
    failed = re.search(rf"test {number} --> (\d+) \((.*)\)", output)
    if failed:
        return FAIL, f"error {failed.group(1)}, {failed.group(2)}"
    if status == 143 or status == 124:
        return FAIL, "did not end in time"
    if status == 0:
        return NOT_RUN, "the driver: not supported here"
    return FAIL, f"testusb ended with {status}: {errors.strip()}"


def wait_end(way, job, seconds):
    """As job.wait(), but not longer than the guests' USB/IP drivers live."""
    end = time.monotonic() + seconds
    while True:
        try:
            return job.wait(2)
        except VmError:
            if way.stock_crash() or time.monotonic() > end or way.user.exit_status is not None:
                raise


def run_one(way, path, number, iterations, limit):
    job = way.user.spawn(f"timeout {limit} testusb -D {path} {options(number, iterations)}")
    status, output = wait_end(way, job, limit + 30)
    return judge(number, output, job.errors, status)


def run_some(results, way, path, numbers, iterations, limit, suffix=""):
    """A test that hangs in the kernel takes the guest with it: then no other is run."""
    hung = None
    for number in numbers:
        if hung:
            results.add(PART, way.name, name(number) + suffix, NOT_RUN, f"test {hung} hangs in the kernel")
            continue
        try:
            outcome = run_one(way, path, number, iterations, limit)
        except VmError as error:
            outcome, hung = (FAIL, reason(error)), number
            if way.stock_crash():
                outcome = STOCK, way.stock_crash()
        results.add(PART, way.name, name(number) + suffix, *outcome)
    return not hung


def with_gadget(results, way, pattern, numbers, settings):
    way.device.check(GADGET.format(pattern=pattern), 60)
    way.user.check("modprobe usbtest && "
                   f"echo {pattern} >/sys/module/usbtest/parameters/pattern")
    path = node(way.user, way.attach(IDS))
    alive = run_some(results, way, path, numbers, settings.iterations, settings.limit)
    if alive:
        way.detach()
        way.device.check(NO_GADGET)
    return alive


def with_emulated(results, way, speed, settings):
    way.user.check("echo 1 >/sys/module/usbtest/parameters/pattern")
    with way.emulated(SPEEDS[speed], "-p"):
        path = node(way.user, find(way.user, IDS))
        return run_some(results, way, path, EMULATED, settings.iterations, settings.limit,
                        f", {speed} speed")


def missing(results, way, numbers):
    """Is there no testusb? Then says so of each test."""
    if way.user.run("[ -x /opt/bin/testusb ]")[0] == 0:
        return False
    for number in numbers:
        results.add(PART, way.name, name(number), NOT_RUN, "no testusb: linux-source-6.1 is missing")
    return True


def run(results, way, settings):
    if missing(results, way, KERNEL + THROUGHPUT + EMULATED):
        return
    steps = [lambda: with_gadget(results, way, 1, KERNEL, settings),
             lambda: with_gadget(results, way, 0, THROUGHPUT, settings)]
    steps += [lambda s=s: with_emulated(results, way, s, settings) for s in settings.speeds]
    for step in steps:
        if not step():
            raise WayError("usbtest: a test hangs in the kernel")


class Unlink:
    """A test that unlinks URBs. Stock code is not safe under it: usbip-host uses a URB after it
    was freed (stub_rx.c, stub_recv_cmd_unlink: its lock is given back before usb_unlink_urb), and on
    one processor usbtest's loop keeps vhci-hcd's thread from ever running. So: two processors for the
    client, other guests after a hang, and what the kernel's own code did is told apart."""

    PART = PART
    SMP = 2

    def __init__(self, number):
        self.number = number

    def run(self, results, way, settings):
        if missing(results, way, [self.number]):
            return
        if not with_gadget(results, way, 1, [self.number], settings):
            raise WayError("usbtest: a test hangs in the kernel")
