# SPDX-License-Identifier: BSD-2-Clause
"""What QEMU plugs into a way's device VM, while it runs: back ends are there from the start,
devices come by QMP."""

import contextlib
import os
import socket

from ways import find, wait_for

# Uports 1 to 4 are of every speed, 5 to 8 have no SuperSpeed.
CONTROLLER = ["-device", "qemu-xhci,id=xhci,p2=8,p3=4"]
DISK_BYTES = 48 << 20
SMALL_BYTES = 4 << 20
DISKS = {"disk": DISK_BYTES, "small": SMALL_BYTES, "bot": SMALL_BYTES, "uas": SMALL_BYTES}
LINES = ("serial", "braille")
FILE_BYTES = 50000


def path(way, name):
    return os.path.join(way.directory, name)


def make_file(name, count):
    with open(name, "wb") as file:
        file.write(os.urandom(count))


def arguments(directory):
    """QEMU arguments: the controller, and what devices are made of."""
    args = list(CONTROLLER)
    for name, count in DISKS.items():
        image = os.path.join(directory, f"{name}.img")
        make_file(image, count)
        args += ["-blockdev", f"raw,node-name={name},file.driver=file,file.filename={image}"]
    for name in LINES:
        line = os.path.join(directory, name)
        args += ["-chardev", f"socket,id={name},path={line},server=on,wait=off"]
    share = os.path.join(directory, "share")
    os.mkdir(share)
    make_file(os.path.join(share, "file"), FILE_BYTES)
    args += ["-netdev", f"user,id=usbnet,restrict=on,tftp={share}"]
    return args + ["-audiodev", f"wav,id=snd,path={directory}/audio.wav,out.frequency=48000"]


def plug(way, driver, ident, bus="xhci.0", **properties):
    way.device.qmp("device_add", {"driver": driver, "id": ident, "bus": bus, **properties})


def short(ids):
    """As the kernel's uevents have them: without leading zeros."""
    return "/".join(f"{int(word, 16):x}" for word in ids.split(":"))


def unplug(way, ident, ids):
    """Until no guest has it: the next device's ids may be the same."""
    way.device.qmp("device_del", {"id": ident})
    way.device.wait_event("DEVICE_DELETED", device=ident)
    for vm in way.guests():
        wait_for(vm, f"! grep -qi PRODUCT={short(ids)}/ /sys/bus/usb/devices/*/uevent", f"{ids} is still there")


@contextlib.contextmanager
def plugged(way, driver, ids, ident="it", **properties):
    """The device is there, and after that it is gone."""
    plug(way, driver, ident, **properties)
    try:
        yield find(way.device, ids)
    finally:
        unplug(way, ident, ids)


@contextlib.contextmanager
def attached(way, ids):
    """The bus id in the user's VM."""
    try:
        yield way.attach(ids)
    finally:
        way.detach()


class Line:
    """The host's end of a serial line, as a listener that has its caller already."""

    def __init__(self, way, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path(way, name))

    def settimeout(self, seconds):
        self.socket.settimeout(seconds)

    def accept(self):
        return self.socket, None
