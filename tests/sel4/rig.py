# SPDX-License-Identifier: BSD-2-Clause
"""The machine that the seL4 suites share, and what they do with it.

      device VM: disk UR0001 and a keyboard to be served; a disk UR0002 of its own

QEMU counts instructions for time (-icount), so that a busy host makes nothing late.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

from tap import equal, within   # noqa: E402
from machine import Machine     # noqa: E402
from vm import READY, VmError   # noqa: E402

LONG = os.environ.get("LONG") == "1"
BYTES, LOCAL_BYTES = 4 << 20, 2 << 20
DISK, KEYBOARD = "46f4:0001", "0627:0001"
# sel4/board.h and SPEC section 2: what a guest sees of the link
OUTBOX_A, OUTBOX_B, BELL = 0x80000000, 0x81000000, 0x8f000000
NOTHING = 0xa0000000
GIC = 0x08000000        # the interrupt controller's distributor, which the VMM plays
SEEN, RESERVED = 0x44, 0xc0
NODE = "80000000.link"
DRIVER = "/sys/bus/platform/drivers/usbroute-link"


class Rig:
    """topology, devices: as Machine has them; the devices besides ours."""

    def __init__(self, topology="direct", devices=()):
        self.directory = tempfile.mkdtemp(prefix="usbroute-sel4-")
        self.image = os.path.join(self.directory, "disk.img")
        data = os.urandom(BYTES)
        self.sum = hashlib.sha256(data).hexdigest()
        with open(self.image, "wb") as image:
            image.write(data)
        local = os.path.join(self.directory, "local.img")
        with open(local, "wb") as image:
            image.truncate(LOCAL_BYTES)
        self.machine = Machine(topology=topology, devices=[
            "-icount", "shift=3",
            "-blockdev", f"raw,node-name=d,file.driver=file,file.filename={self.image}",
            "-blockdev", f"raw,node-name=l,file.driver=file,file.filename={local}",
            "-device", "usb-storage,bus=xhci.0,drive=d,id=disk,serial=UR0001",
            "-device", "usb-storage,bus=xhci.0,drive=l,id=local,serial=UR0002",
            "-device", "usb-kbd,bus=xhci.0,id=kbd", *devices])
        self.booted = False

    def end(self):
        self.machine.__exit__()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _guest(self, name):
        if not self.booted:
            raise AssertionError("the guests did not boot")
        return getattr(self.machine, name)

    client = property(lambda self: self._guest("client"))
    device = property(lambda self: self._guest("device"))


def ports(rig):
    return json.loads(rig.client.check("usbroute port --json"))["ports"]


def serve(rig):
    rig.machine.serve("serial=UR0001", KEYBOARD)


def attach(rig, selector=DISK):
    job = rig.client.spawn(f"usbroute attach {selector}")
    equal(job.wait(90)[0], 0, f"attach: {job.output + job.errors!r}; status")
    return rig.machine.wait_disk(rig.client, BYTES) if selector == DISK else None


def detach_all(rig):
    for port in ports(rig):
        rig.client.check(f"usbroute detach {port['port']}", 90)
    equal(ports(rig), [], "ports")


def routed_sum(rig):
    """Attach the disk, read it whole, let it go."""
    disk = attach(rig)
    got = rig.client.check(f"sha256sum /dev/{disk}", 120).split()[0]
    detach_all(rig)
    equal(got, rig.sum, "sha256 of the routed disk")


def local_reads(rig, count=200, size=512):
    """Microseconds for a direct read of the device VM's own disk."""
    return int(rig.device.check(f"probe reads /dev/{rig.machine.wait_disk(rig.device, LOCAL_BYTES)} {size} {count}", 120))


def probe(guest, *arguments, timeout=60):
    return guest.check("probe " + " ".join(map(str, arguments)), timeout).strip()


def boot_id(guest):
    return guest.check("cat /proc/sys/kernel/random/boot_id").strip()


def unbound(guest, command):
    """Run a command while the driver has let go of the link."""
    guest.check(f"echo {NODE} >{DRIVER}/unbind")
    return guest.spawn(command)


def bind(guest):
    guest.check(f"echo {NODE} >{DRIVER}/bind")


def reboot(rig, guest, command):
    """Make it end; wait until its VMM has started it again."""
    seen = len(guest.console)
    guest.may_die = True
    guest.spawn(command)
    guest.wait_console(READY.pattern, 240, seen)
    guest.may_die = False
    if guest is rig.client:
        guest.follow()


def boot(rig):
    rig.machine.__enter__()
    rig.booted = True
    for guest, end in ((rig.client, "A"), (rig.device, "B")):
        equal(guest.check("cat /sys/class/usbroute/usbroute0/end").strip(), end, f"{guest.name}'s end")
    rig.client.check("for i in $(seq 50); do grep -q up /sys/class/usbroute/usbroute0/state && exit; "
                     "sleep 0.1; done; exit 1")
    equal(rig.client.check("ls /sys/class/net").split(), ["lo"], "the client VM's networks")
    equal(rig.client.check("ls /sys/bus/pci/devices 2>/dev/null || true").split(), [], "its PCI devices")


def disk_and_keyboard(rig):
    """A key pressed arrives as an input event, beside a disk."""
    attach(rig)
    attach(rig, KEYBOARD)
    equal(len(ports(rig)), 2, "ports")
    event = rig.client.check("for i in $(seq 100); do for e in /sys/class/input/event*; do "
                             "[ -e $e ] && basename $e && exit; done; sleep 0.1; done; exit 1").strip()
    reader = rig.client.spawn(f"head -c 24 /dev/input/{event} | od -A n -t x1 -v")
    deadline = time.monotonic() + 60
    while reader.status is None:
        within(time.monotonic() - deadline, 0, "a key's way")
        rig.device.qmp("send-key", {"keys": [{"type": "qcode", "data": "a"}]})
        try:
            reader.wait(1)
        except VmError:
            continue
    detach_all(rig)


def end_of_client(rig, command):
    """While it reads: it is started again, the device VM is not disturbed, the device can be had again."""
    before = boot_id(rig.device)
    name = attach(rig)
    rig.client.spawn(f"while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct; do :; done 2>/dev/null")
    time.sleep(0.3)     # in the middle of it
    reboot(rig, rig.client, command)
    equal(boot_id(rig.device), before, "the device VM's boot")
    equal(ports(rig), [], "ports")
    routed_sum(rig)
