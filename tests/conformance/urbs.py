# SPDX-License-Identifier: BSD-2-Clause
"""usbmon in both guests, joined: every URB of the client's once at the device, with the same
bytes and the same status.

    client VM   class driver -> [usbmon] vhci-hcd === the way === usbip-host -> [usbmon] xhci   device VM

Joined by endpoint, direction and order: usbmon's ids are addresses of each kernel. While fio uses
a disk, and while testusb plays with a gadget.
"""

import plug
import usbtest
from models import Since
from results import FAIL, NOT_RUN, PASS
from ways import WayError, find

PART = "usbmon"
IDS = "46f4:0001"
# Of usbtest: what unlinks no URB, and is no mere repetition.
USBTEST = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 17, 18, 21, 29]
# CLEAR_FEATURE(ENDPOINT_HALT), SET_INTERFACE, SET_CONFIGURATION: usbip-host asks its own USB core
# for them and passes the URB on as well, so that the device has them twice.
TWICE = ("0201", "010b", "0009")
TESTS = ("every URB once at the device", "the same bytes", "the same status and length", "nothing missed")


class Event:
    """A line of urbmon."""

    def __init__(self, line):
        kind, ident, dev, ep, _, status, length, captured, digest, setup = line.split()
        self.kind, self.ident, self.device, self.ep = kind, ident, int(dev), int(ep, 16)
        self.status, self.length, self.captured = int(status), int(length), int(captured)
        self.digest, self.setup = digest, setup


class Urb:
    """A submission and its completion."""

    def __init__(self, submitted):
        self.submitted, self.completed = submitted, None

    def is_joined(self):
        return self.submitted.ep & 0x7f or self.submitted.setup[:4] not in TWICE

    def request(self):
        s = self.submitted
        return s.ep, s.setup, s.length

    def data(self):
        """What went out, or what came in."""
        event = self.completed if self.submitted.ep & 0x80 or self.into() else self.submitted
        return event.captured, event.digest

    def into(self):
        return self.submitted.setup != "-" and int(self.submitted.setup[:2], 16) & 0x80

    def result(self):
        return self.completed.status, self.completed.length


def parse(text, device):
    """(URBs in the order of their submission, events dropped)"""
    urbs, waiting, dropped = [], {}, None
    for line in text.splitlines():
        if line.startswith("dropped "):
            dropped = int(line.split()[1])
            continue
        event = Event(line)
        if event.device != device:
            continue
        if event.kind == "S":
            waiting[event.ident] = urb = Urb(event)
            urbs += [urb] if urb.is_joined() else []
        elif event.ident in waiting:
            waiting.pop(event.ident).completed = event
    return urbs, dropped


def by_endpoint(urbs):
    found = {}
    for urb in urbs:
        found.setdefault(urb.submitted.ep, []).append(urb)
    return found


def first_difference(client, device, what):
    """The first place where two lists of URBs differ, or None."""
    for ep, ours in by_endpoint(client).items():
        theirs = by_endpoint(device).get(ep, [])
        if what is Urb.request and len(ours) != len(theirs):
            return f"endpoint {ep:02x}: expected {len(ours)} URBs at the device, got {len(theirs)}"
        for n, (a, b) in enumerate(zip(ours, theirs)):
            if what(a) != what(b):
                return f"endpoint {ep:02x}, URB {n}: expected {what(a)}, got {what(b)}"
    return None


def compare(results, way, suffix, seen):
    """seen: (URBs, dropped) of the client and of the device VM."""
    (client, _), (device, _) = seen
    drops, count = [dropped for _, dropped in seen], len(client)
    unfinished = [u for u in client + device if u.completed is None]
    if not client or unfinished:
        why = f"{len(unfinished)} of {count} URBs did not end" if client else "no URB was seen"
        for test in TESTS:
            results.add(PART, way, test + suffix, FAIL, why)
        return
    for test, what in zip(TESTS, (Urb.request, Urb.data, Urb.result)):
        why = first_difference(client, device, what)
        results.add(PART, way, test + suffix, FAIL if why else PASS, why or f"{count} URBs")
    results.add(PART, way, TESTS[3] + suffix, PASS if drops == [0, 0] else FAIL,
                f"usbmon dropped {drops}, expected none")


def watch(vm, busid):
    """Start urbmon on the bus of a device: (job, device number)."""
    bus, number = (vm.check(f"cat /sys/bus/usb/devices/{busid}/{n}").strip() for n in ("busnum", "devnum"))
    job = vm.spawn(f"exec urbmon {bus} /tmp/urbs")
    job.wait_line("watching", 20)
    return job, int(number)


def load(vm, block, mib):
    """Reads and writes of many lengths; by dd where there is no fio. What fio thinks of the bytes
    is another suite's: here it would only keep the join from saying which URB it was."""
    if vm.run("[ -x /opt/bin/fio ]")[0] == 0:
        vm.run(f"fio --name=urbs --filename=/dev/{block} --rw=randrw --bsrange=512-128k --size={mib}m "
                 f"--io_size={mib}m --direct=1 --ioengine=psync --verify=crc32c --verify_fatal=1 "
                 "--randseed=7 --output=/tmp/fio.out", 300)
        return
    vm.check(f"dd if=/dev/urandom of=/dev/{block} bs=24k count={mib * 40} oflag=direct 2>&1 && "
             f"dd if=/dev/{block} of=/dev/null bs=64k count={mib * 16} iflag=direct 2>&1", 300)


def of_disk(way, settings):
    with plug.plugged(way, "usb-storage", IDS, drive="disk") as at_device:
        client = Since(way.user)
        with plug.attached(way, IDS) as at_user:
            block = client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 40).group(1)
            way.user.check("sync; sleep 1")     # what the kernel still reads of a new disk
            jobs = both(way, at_user, at_device)
            load(way.user, block, settings.fio_mib)
            way.user.check("sync")
            return [finish(way, vm, *job) for vm, job in jobs.items()]


def of_usbtest(way, _):
    way.device.check(usbtest.GADGET.format(pattern=1), 60)
    way.user.check("modprobe usbtest && echo 1 >/sys/module/usbtest/parameters/pattern")
    with plug.attached(way, usbtest.IDS) as at_user:
        jobs = both(way, at_user, find(way.device, usbtest.IDS))
        for number in USBTEST:
            outcome, why = usbtest.run_one(way, usbtest.node(way.user, at_user), number, 2, 60)
            if outcome != PASS:
                raise WayError(f"usbtest {usbtest.name(number)}: {outcome}: {why}")
        found = [finish(way, vm, *job) for vm, job in jobs.items()]
    way.device.check(usbtest.NO_GADGET)
    return found


def both(way, at_user, at_device):
    return {vm: watch(vm, busid) for vm, busid in ((way.user, at_user), (way.device, at_device))}


def finish(way, vm, job, number):
    job.kill("TERM")
    job.wait(60)
    return parse(way.fetch(vm, "/tmp/urbs").decode(), number)


LOADS = {"": (of_disk, "/bin/true"), ", usbtest": (of_usbtest, "/opt/bin/testusb")}


def run(results, way, settings):
    if way.name == "local":
        for suffix in LOADS:
            for test in TESTS:
                results.add(PART, way.name, test + suffix, NOT_RUN, "one VM has one usbmon: nothing to join")
        return
    for vm in way.guests():
        vm.check("modprobe usbmon")
    way.user.check("modprobe usb-storage && modprobe sd_mod")
    for suffix, (collect, needs) in LOADS.items():
        if way.user.run(f"[ -x {needs} ]")[0] == 0:
            compare(results, way.name, suffix, collect(way, settings))
            continue
        for test in TESTS:
            results.add(PART, way.name, test + suffix, NOT_RUN, "no testusb: linux-source-6.1 is missing")
