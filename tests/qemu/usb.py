#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Devices of one guest used in the other, and what happens when a side goes away.

      device VM: qemu-xhci, disk, keyboard === link === client VM: vhci-hcd
"""

import hashlib
import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap              # noqa: E402
from tap import Skip, equal, test, within  # noqa: E402
from vm import BUILD, Vm  # noqa: E402
from pair import CLIENT_MODULES, Pair, link_arguments   # noqa: E402
from waits import flowing   # noqa: E402

BYTES = 32 << 20
DISK, KEYBOARD = "46f4:0001", "0627:0001"


class Rig:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="usbroute-usb-")
        self.image = os.path.join(self.directory, "disk.img")
        with open(self.image, "wb") as image:
            image.write(os.urandom(BYTES))
        self.complaints = []
        self.pair = self.new_pair()

    def stop(self):
        self.complaints += self.pair.complaints()
        self.pair.__exit__()

    def new_pair(self):
        return Pair(devices=[
            "-blockdev", f"raw,node-name=d,file.driver=file,file.filename={self.image}",
            "-device", "usb-storage,bus=xhci.0,drive=d,id=disk,serial=UR0001",
            "-device", "usb-kbd,bus=xhci.0,id=kbd"],
            client_modules=("usb-storage", "sd_mod", "usbhid", "hid-generic", "evdev"),
            device_modules=("usb-storage", "sd_mod", "usbhid", "hid-generic"))

    @property
    def client(self):
        return self.pair.client

    @property
    def device(self):
        return self.pair.device

    def sum(self):
        with open(self.image, "rb") as image:
            return hashlib.sha256(image.read()).hexdigest()

    def driver(self, vendor_product):
        """The driver of the device's first interface in the device VM, or "" """
        return self.device.check(
            "for d in /sys/bus/usb/devices/*; do [ -f $d/idVendor ] && "
            f"[ $(cat $d/idVendor):$(cat $d/idProduct) = {vendor_product} ] && "
            "for f in $d $d/*:1.0; do [ -e $f/driver ] && basename $(readlink $f/driver); done; "
            "done; true").split()


def status(vm, command, timeout=60):
    job = vm.spawn(command)
    return job.wait(timeout)[0], job.output + job.errors


def attach(rig, selector=DISK):
    """Attach; the disk's name in the client VM, once its driver has it."""
    seen = len(rig.client.console)
    got, text = status(rig.client, f"usbroute attach {selector}")
    equal(got, 0, f"attach: {text.strip()!r}; status")
    if selector == KEYBOARD:
        return None
    return rig.client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 30, seen).group(1)


def ports(rig):
    return json.loads(rig.client.check("usbroute port --json"))["ports"]


def wait_no_ports(rig, seconds):
    end = time.monotonic() + seconds
    while ports(rig):
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s: expected no port, got {ports(rig)}")


def detach_all(rig):
    for port in ports(rig):
        equal(status(rig.client, f"usbroute detach {port['port']}")[0], 0, "detach's status")
    equal(ports(rig), [], "ports")


@test("Before anybody asks, the device VM's own drivers have the devices")
def own_drivers(rig):
    rig.pair.__enter__()
    rig.pair.serve()
    equal(rig.driver(DISK), ["usb", "usb-storage"])
    equal(rig.driver(KEYBOARD), ["usb", "usbhid"])


@test("attach of what is not there: status 3, and nothing attached")
def nothing_matches(rig):
    got, text = status(rig.client, "usbroute attach 9-9")
    equal(got, 3, text)
    equal(ports(rig), [])


@test("Two devices at once on one link; the disk's bytes are right")
def two_devices(rig):
    disk = attach(rig)
    attach(rig, KEYBOARD)
    equal(len(ports(rig)), 2, "ports")
    got = rig.client.check(f"sha256sum /dev/{disk}", 120).split()[0]
    equal(got, rig.sum(), "sha256 of the disk")


@test("attach of what is attached already: status 4")
def busy(rig):
    got, text = status(rig.client, f"usbroute attach {DISK}")
    equal(got, 4, text)


@test("detach frees the port; the device can be attached again, ten times")
def detach(rig):
    detach_all(rig)
    for _ in range(10):
        attach(rig)
        detach_all(rig)


@test("attach by port= and by serial=")
def serial(rig):
    listing = json.loads(rig.client.check("usbroute list --json"))["devices"]
    busid = next(d["busid"] for d in listing if f"{d['vendor']}:{d['product']}" == DISK)
    for selector in (f"port={busid}", "serial=UR0001"):
        attach(rig, selector)
        detach_all(rig)


@test("detach while a program reads: it gets an error, nothing hangs, attach works again")
def detach_under_load(rig):
    disk = attach(rig)
    reader = rig.client.spawn(f"while dd if=/dev/{disk} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    flowing(rig.client)
    detach_all(rig)
    reader.wait(20)
    attach(rig)
    detach_all(rig)


@test("The device pulled out while a program reads: it gets an error, the port is free")
def unplug(rig):
    disk = attach(rig)
    reader = rig.client.spawn(f"while dd if=/dev/{disk} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    flowing(rig.client)
    rig.device.qmp("device_del", {"id": "disk"})
    rig.device.wait_event("DEVICE_DELETED", device="disk")
    reader.wait(20)
    wait_no_ports(rig, 5)
    rig.device.qmp("device_add", {"driver": "usb-storage", "id": "disk", "drive": "d", "bus": "xhci.0",
                                  "serial": "UR0001"})


@test("serve ended by SIGTERM gives the devices back; started again it serves again")
def serve_restarts(rig):
    rig.pair.server.kill("TERM")
    equal(rig.pair.server.wait(20)[0], 0, f"serve: {rig.pair.server.errors}; status")
    equal(rig.driver(KEYBOARD), ["usb", "usbhid"])
    got, text = status(rig.client, "usbroute list")
    equal(got, 4, text)
    rig.pair.serve()
    attach(rig, KEYBOARD)
    rig.pair.server.kill("TERM")
    rig.pair.server.wait(20)
    equal(rig.driver(KEYBOARD), ["usb", "usbhid"])
    wait_no_ports(rig, 5)
    rig.pair.serve()


@test("The client VM killed while it reads: within 2 s the device can be had again")
def client_killed(rig):
    disk = attach(rig)
    rig.client.spawn(f"dd if=/dev/{disk} of=/dev/null bs=64k iflag=direct")
    flowing(rig.client)
    rig.complaints += rig.pair.complaints()
    rig.client.kill()
    start = time.monotonic()
    while True:
        state = rig.device.check("cat /sys/bus/usb/drivers/usbip-host/*/usbip_status").split()
        if state == ["1"]:
            break
        within(time.monotonic() - start, 2, f"usbip_status {state}, expected 1")
    rig.pair.client = rig.pair.make_client()
    rig.client.start()
    rig.client.wait_ready()
    disk = attach(rig)
    got = rig.client.check(f"sha256sum /dev/{disk}", 120).split()[0]
    equal(got, rig.sum(), "sha256 of the disk")
    detach_all(rig)


@test("The device VM killed while the client reads: an I/O error, the device gone within 2 s")
def device_killed(rig):
    disk = attach(rig)
    reader = rig.client.spawn(f"while dd if=/dev/{disk} of=/dev/null bs=64k iflag=direct; do :; done 2>&1")
    flowing(rig.client)
    rig.complaints += rig.pair.complaints()
    rig.device.kill()
    start = time.monotonic()
    reader.wait(20)
    wait_no_ports(rig, 3)
    within(time.monotonic() - start, 2, "the device's end in the client VM")
    rig.pair.device = rig.pair.make_device()
    rig.device.start()
    rig.device.wait_ready()
    rig.pair.serve()
    disk = attach(rig)
    got = rig.client.check(f"sha256sum /dev/{disk}", 120).split()[0]
    equal(got, rig.sum(), "sha256 of the disk")
    detach_all(rig)


@test("With no device VM: status 5 after the time given")
def no_peer(rig):
    rig.device.kill()
    got, text = status(rig.client, "usbroute list --timeout 1")
    equal(got, 5, text)


@test("An arm64 client VM uses the disk of the amd64 device VM")
def two_processors(rig):
    if not os.path.exists(os.path.join(BUILD, "guest", "arm64", "initramfs.cpio.gz")):
        raise Skip("no arm64 image; `make images ARCH=arm64` makes it")
    rig.complaints += rig.pair.complaints()
    rig.pair.__exit__()
    rig.pair = rig.new_pair()
    rig.pair.client = Vm("client", arch="arm64", modules=CLIENT_MODULES + ["usb-storage", "sd_mod"],
                         args=link_arguments(rig.pair.hub.a))
    rig.pair.__enter__()
    rig.pair.serve()
    equal(rig.client.check("uname -m").strip(), "aarch64")
    disk = attach(rig)
    equal(rig.client.check(f"sha256sum /dev/{disk}", 120).split()[0], rig.sum(), "sha256 of the disk")
    detach_all(rig)


@test("No guest's kernel complained in any of this")
def kernel_quiet(rig):
    equal(rig.pair.complaints() + rig.complaints, [], "complaints")


if __name__ == "__main__":
    tap.run_and_stop(Rig())
