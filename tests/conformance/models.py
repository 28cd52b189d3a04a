# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's device models, each with a check that data flowed.

    device VM: qemu-xhci + the model === the way === client VM: the class driver + the check
"""

import contextlib
import hashlib
import os
import struct

import checks
import plug
from results import FAIL, NOT_RUN, PASS, reason
from vm import VmError
from ways import WayError, wait_for
from usbtest import node

PART = "models"
HID = "usbhid hid-generic evdev"
DISK = "usb-storage sd_mod"
WRITTEN = 256 << 10


class Quiet:
    """What demo/checks.py shows goes nowhere."""

    def __getattr__(self, _):
        return lambda *_, **__: None


class Since:
    """A guest whose console begins now: earlier devices had the same lines."""

    def __init__(self, vm):
        self.vm, self.start = vm, len(vm.console)

    def __getattr__(self, name):
        return getattr(self.vm, name)

    def wait_console(self, pattern, timeout=60):
        return self.vm.wait_console(pattern, timeout, self.start)


def expect(got, want, what):
    if got != want:
        raise checks.CheckError(f"{what}: expected {want!r}, got {got!r}")


# ---- disks


def read_all(way, block, image):
    with open(image, "rb") as file:
        want = hashlib.sha256(file.read()).hexdigest()
    got = way.user.check(f"dd if=/dev/{block} bs=64k iflag=direct 2>/dev/null | sha256sum", 120).split()[0]
    expect(got, want, "sha256 of the disk")


def write_some(way, block, image):
    want = way.user.check(f"head -c {WRITTEN} /dev/urandom >/tmp/proof && sha256sum </tmp/proof").split()[0]
    way.user.check(f"dd if=/tmp/proof of=/dev/{block} bs=64k seek=8 conv=fsync 2>/dev/null", 120)
    with open(image, "rb") as file:
        file.seek(8 << 16)
        expect(hashlib.sha256(file.read(WRITTEN)).hexdigest(), want, "sha256 of what was written")


def use_disk(way, client, name):
    block = client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 40).group(1)
    read_all(way, block, plug.path(way, f"{name}.img"))
    write_some(way, block, plug.path(way, f"{name}.img"))


def disk(way, ids, driver, name, **properties):
    client = Since(way.user)
    with plug.plugged(way, driver, ids, drive=name, **properties):
        with plug.attached(way, ids):
            use_disk(way, client, name)


def storage(way):
    disk(way, "46f4:0001", "usb-storage", "small")


def scsi_disk(way, ids, name, driver, **properties):
    """usb-bot and usb-uas are only the transport; the disk is a device behind it."""
    client = Since(way.user)
    plug.plug(way, driver, name, **properties)
    plug.plug(way, "scsi-hd", f"{name}-hd", bus=f"{name}.0", drive=name, **{"scsi-id": 0, "lun": 0})
    way.device.qmp("qom-set", {"path": f"/machine/peripheral/{name}", "property": "attached", "value": True})
    try:
        with plug.attached(way, ids):
            use_disk(way, client, name)
    finally:
        plug.unplug(way, name, ids)


def bot(way):
    scsi_disk(way, "46f4:0001", "bot", "usb-bot")


def uas_high(way):
    scsi_disk(way, "46f4:0003", "uas", "usb-uas", port="8")


def uas_super(way):
    scsi_disk(way, "46f4:0003", "uas", "usb-uas", port="1")


# ---- what demo/checks.py has


def with_check(way, check, ids, driver, **properties):
    client = Since(way.user)
    with plug.plugged(way, driver, ids, **properties):
        with plug.attached(way, ids):
            check.run(client, way.device)
    return check


def of_demo(kind, way):
    return kind(Quiet(), way.directory, None)


def keyboard(way):
    with_check(way, of_demo(checks.Keyboard, way), "0627:0001", "usb-kbd")


def mouse(way):
    with_check(way, of_demo(checks.Mouse, way), "0627:0001", "usb-mouse")


def tablet(way):
    with_check(way, of_demo(checks.Tablet, way), "0627:0001", "usb-tablet")


def hub(way):
    """USB/IP exports no hub; what is behind one it does."""
    plug.plug(way, "usb-hub", "hub", port="7")
    wait_for(way.device, "cat /sys/bus/usb/devices/*/product | grep -q 'QEMU USB Hub'", "no hub")
    try:
        with_check(way, of_demo(checks.Keyboard, way), "0627:0001", "usb-kbd", port="7.1")
    finally:
        plug.unplug(way, "hub", "0409:55aa")


def one_report(way, path):
    """What the interrupt endpoint gives while the mouse is moved; before it is first asked, QEMU
    moves another, so more than once."""
    reader = way.user.spawn(f"usbdo {path} 0 0 1")
    for _ in range(8):
        way.device.qmp("input-send-event", {"events": checks.Mouse.events[0]})
        with contextlib.suppress(VmError):
            reader.wait(0.5)
            break
    return bytes.fromhex(reader.wait(10)[1].strip())


def wacom(way):
    """Linux's driver does not speak QEMU's mode of it: reports are read as they are, button, x, y."""
    with plug.plugged(way, "usb-wacom-tablet", "056a:0000"):
        with plug.attached(way, "056a:0000") as busid:
            path = node(way.user, busid)
            reports = [one_report(way, path) for _ in range(4)]
    moved = [(r[1], 256 - r[2]) for r in reports if len(r) >= 3 and r[1]]
    if not moved or any(x % 7 or x // 7 * 3 != y for x, y in moved):
        raise checks.CheckError(f"x and y: expected multiples of 7 and -3, got {[r.hex() for r in reports]}")


def line(way, name, ids, driver, **properties):
    check = of_demo(checks.Serial, way)
    check.listener = plug.Line(way, name)
    with_check(way, check, ids, driver, chardev=name, **properties)


def serial(way):
    line(way, "serial", "0403:6001", "usb-serial", **{"always-plugged": True})


def braille(way):
    way.user.check("modprobe ftdi_sio && echo 0403 fe72 >/sys/bus/usb-serial/drivers/ftdi_sio/new_id")
    line(way, "braille", "0403:fe72", "usb-braille")


def audio(way):
    check = of_demo(checks.Audio, way)
    check.wav = plug.path(way, "audio.wav")
    with_check(way, check, "46f4:0002", "usb-audio", audiodev="snd")
    check.after()


# ---- the rest


def net(way):
    """QEMU's own TFTP server is at the other end of the cable."""
    with open(os.path.join(way.directory, "share", "file"), "rb") as file:
        want = hashlib.sha256(file.read()).hexdigest()
    with plug.plugged(way, "usb-net", "0525:a4a2", netdev="usbnet"):
        with plug.attached(way, "0525:a4a2") as busid:
            wait_for(way.user, f"ls /sys/bus/usb/devices/{busid}:*/net/", "no network device")
            name = way.user.check(f"ls /sys/bus/usb/devices/{busid}:*/net/ | tail -n 1").strip()
            way.user.check(f"ip addr add 10.0.2.15/24 dev {name} && ip link set {name} up")
            way.user.check("ping -c 3 -W 10 10.0.2.2 && tftp -g -r file -l /tmp/file 10.0.2.2 2>&1", 60)
            expect(way.user.check("sha256sum </tmp/file").split()[0], want, "sha256 of the file")


def exchange(way, path, out, into, *sent):
    return bytes.fromhex(way.user.check(f"usbdo {path} 0 {out} {into} " + " ".join(s.hex() for s in sent), 20).strip())


def ccid(way):
    """CCID 1.1, 6.1.2 and 6.2.2: ask for the slot's status; the answer has our number."""
    with plug.plugged(way, "usb-ccid", "08e6:4433"):
        with plug.attached(way, "08e6:4433") as busid:
            path = node(way.user, busid)
            for number in (1, 2, 77):
                answer = exchange(way, path, 3, 2, struct.pack("<BIBBBH", 0x65, 0, 0, number, 0, 0))
                expect((len(answer), answer[0], answer[6]), (10, 0x81, number), "length, type, number")


class Mtp:
    """PTP over USB (PIMA 15740), as far as reading one file needs it."""

    def __init__(self, way, path):
        self.way, self.path, self.number = way, path, 0

    def ask(self, code, *parameters, data=True):
        """One operation: what came as data."""
        self.number += 1
        words = struct.pack(f"<{len(parameters)}I", *parameters)
        command = struct.pack("<IHHI", 12 + len(words), 1, code, self.number) + words
        answer = exchange(self.way, self.path, 2, 1, command)
        found = b""
        if data:
            expect(struct.unpack_from("<HHI", answer, 4), (2, code, self.number), f"data of {code:#x}")
            expect(struct.unpack_from("<I", answer)[0], len(answer), f"length of {code:#x}")
            found, answer = answer[12:], exchange(self.way, self.path, 2, 1)
        expect(struct.unpack_from("<HHI", answer, 4), (3, 0x2001, self.number), f"response to {code:#x}")
        return found


def mtp(way):
    share = os.path.join(way.directory, "share")
    with plug.plugged(way, "usb-mtp", "46f4:0004", rootdir=share):
        with plug.attached(way, "46f4:0004") as busid:
            device = Mtp(way, node(way.user, busid))
            device.ask(0x1002, 1, data=False)
            handles = device.ask(0x1007, 0x00010001, 0, 0xffffffff)
            count, handle = struct.unpack_from("<II", handles)
            expect(count, 1, "files of the share")
            with open(os.path.join(share, "file"), "rb") as file:
                expect(device.ask(0x1009, handle), file.read(), "the file's bytes")


# name: the check, the client's drivers
MODELS = {
    "usb-storage": (storage, DISK), "usb-bot": (bot, DISK), "usb-uas, high speed": (uas_high, f"uas {DISK}"),
    "usb-uas, super speed": (uas_super, f"uas {DISK}"), "usb-kbd": (keyboard, HID), "usb-mouse": (mouse, HID),
    "usb-tablet": (tablet, HID), "usb-wacom-tablet": (wacom, ""),
    "usb-hub, a keyboard behind it": (hub, HID), "usb-serial": (serial, "ftdi_sio"),
    "usb-braille": (braille, "ftdi_sio"), "usb-net": (net, "cdc_ether rndis_host"),
    "usb-audio, iso out": (audio, "snd-usb-audio snd-pcm-oss"), "usb-ccid": (ccid, ""), "usb-mtp": (mtp, ""),
}
# What stock usbip does not carry, over TCP or over our link.
NO_ROUTE = {"usb-uas, super speed": "stock usbip carries no bulk streams"}
NO_BACK_END = {"u2f-passthru": "needs a security key of the host", "usb-host": "needs a device of the host",
               "usb-redir": "needs a device of the host"}


def run_one(way, check, drivers):
    try:
        for driver in drivers.split():
            way.user.check(f"modprobe {driver}")
        check(way)
    except (checks.CheckError, VmError, WayError, OSError) as error:
        return FAIL, reason(error)
    return PASS, ""


def run(results, way, settings):
    for name, (check, drivers) in MODELS.items():
        if name in NO_ROUTE and way.name != "local":
            results.add(PART, way.name, name, NOT_RUN, NO_ROUTE[name])
            continue
        results.add(PART, way.name, name, *run_one(way, check, drivers))
    for name, why in NO_BACK_END.items():
        results.add(PART, way.name, name, NOT_RUN, why)
