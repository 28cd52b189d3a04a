#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command on a real kernel: one QEMU guest that is both sides at once.

    guest.py INITRAMFS

    disk on xhci -- usbip-host <- serve --- loopback --- attach -> vhci-hcd -- sd
                       stock usbip, usbipd ---/   \\--- stock usbip

What needs the module and two guests is tested in tests/qemu.
"""
import hashlib
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "qemu")]

import tap  # noqa: E402
from tap import contains, equal, test  # noqa: E402
from vm import Vm  # noqa: E402

BYTES = 4 << 20
MODULES = ["xhci-pci", "usb-storage", "sd_mod", "usbhid", "hid-generic", "usbip-core",
           "usbip-host", "vhci-hcd"]
LINK = "--device tcp:3240"
# Block devices that hang on vhci-hcd.
ROUTED = "cd /sys/devices/platform/vhci_hcd.0 && ls -d usb*/*/*/host*/target*/*/block/*"
guest = None
serve = None


class Guest(Vm):
    def __init__(self, directory, initrd):
        self.image = os.path.join(directory, "disk.img")
        with open(self.image, "wb") as file:
            file.write(os.urandom(BYTES))
        super().__init__("cli", memory=256, modules=MODULES, initrd=initrd, args=[
            "-device", "qemu-xhci,id=x",
            "-drive", f"if=none,id=d,file={self.image},format=raw,cache=writethrough",
            "-device", "usb-storage,drive=d,serial=UR123,bus=x.0,id=disk,port=1",
            "-device", "usb-kbd,bus=x.0,id=kbd,port=2"])

    def both(self, command, timeout=60):
        """(exit status, standard output, standard error)"""
        job = self.spawn(command)
        status, _ = job.wait(timeout)
        text = {kind: "".join(t + "\n" for k, t in job.lines if k == kind)
                for kind in ("out", "err")}
        return status, text["out"], text["err"]

    def driver(self, busid):
        return self.check(f"basename $(readlink /sys/bus/usb/devices/{busid}/driver)").strip()

    def routed_disk(self):
        """/dev/sdX of the attached disk; the driver looks for it in the background."""
        text = self.check(f"for i in $(seq 100); do ({ROUTED}) 2>/dev/null && break; "
                          "usleep 100000; done")
        return "/dev/" + text.strip().rsplit("/", 1)[1]

    def image_sum(self):
        with open(self.image, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()


def start_serve(arguments=LINK):
    global serve
    serve = guest.spawn(f"exec usbroute serve {arguments}")
    serve.wait_line("serving USB/IP")


def end_serve(signal="TERM"):
    serve.kill(signal)
    return serve.wait(30)[0]


def attach(selector="46f4:0001", link=LINK):
    status, out, err = guest.both(f"usbroute attach {link} {selector}")
    equal((status, err), (0, ""), f"attach {selector}")
    return out


def detach(selector="46f4:0001"):
    status, out, err = guest.both(f"usbroute detach {selector}")
    equal((status, err), (0, ""), f"detach {selector}")
    return out


@test("list --local reads a real sysfs")
def _():
    status, out, _ = guest.both("usbroute list --local --json")
    equal(status, 0, "exit status")
    got = {d["vendor"]: d for d in json.loads(out)["devices"]}
    equal(sorted(got), ["0627", "46f4"], "devices")
    disk = got["46f4"]
    equal((disk["busid"], disk["speed"], disk["serial"], disk["driver"], disk["configuration"]),
          ("2-1", "super", "UR123", "usb", 1), "disk")
    equal(disk["interfaces"], [{"class": 8, "subclass": 6, "protocol": 80, "name": "2-1:1.0",
                                "driver": "usb-storage"}], "its interface")


@test("list and stock usbip list see what serve offers")
def _():
    start_serve()
    out = guest.check(f"usbroute list {LINK}")
    for part in ("2-1   46f4:0001 super 08/06/50 storage", "1-2   0627:0001 high  03/01/01 hid"):
        contains(out, part, "list")
    out = guest.check("usbip list -r 127.0.0.1")
    for part in ("2-1: QEMU", "(46f4:0001)", "1-2: ", "(0627:0001)"):
        contains(out, part, "stock list")
    equal(guest.driver("2-1"), "usb", "driver: nobody asked for it yet")


@test("attach returns when the driver has the disk, and tells which")
def _():
    equal(attach(), "port 15: 2-1 46f4:0001 is 4-1 here\n"
          "    4-1:1.0  08/06/50 storage  usb-storage\n", "attach")
    equal(guest.driver("2-1"), "usbip-host", "driver of the exported disk")


@test("port and stock usbip port agree on where it comes from")
def _():
    contains(guest.check("usbroute port"),
             "15   used  super 46f4:0001 4-1   127.0.0.1/2-1 usb-storage QEMU USB HARDDRIVE",
             "port")
    contains(guest.check("usbip port"), "4-1 -> usbip://127.0.0.1:3240/2-1", "stock port")


@test("the disk reads right, and what is written is in the image after detach")
def _():
    disk = guest.routed_disk()
    equal(guest.check(f"sha256sum {disk}").split()[0], guest.image_sum(), "sha256 as read")
    guest.check(f"dd if=/dev/urandom of={disk} bs=64k count=8 seek=3 conv=fsync")
    equal(guest.check(f"sha256sum {disk}").split()[0], guest.image_sum(), "sha256 as written")
    equal(detach(), "port 15: free\n", "detach")
    equal(guest.both("usbroute port")[2], "usbroute: nothing is attached\n", "port")
    equal(guest.run(ROUTED)[0], 1, "no disk is left")


@test("a device in use is refused: 4; one that is not there: 3")
def _():
    attach("2-1")
    status, _, err = guest.both(f"usbroute attach {LINK} serial=UR123")
    equal((status, err), (4, "usbroute: serial:UR123: device busy: another client has it\n"),
          "attach again")
    equal(guest.both(f"usbroute attach {LINK} 7-7")[0], 3, "attach of nothing")
    detach("2-1")


@test("attach works right behind detach, ten times")
def _():
    for _ in range(10):
        attach("serial=UR123")
        detach("serial=UR123")


@test("two devices at once; each is detached by its own name")
def _():
    contains(attach("1-2"), "port 0: 1-2 0627:0001 is 3-1 here", "keyboard")
    contains(attach("2-1"), "port 15: 2-1 46f4:0001 is 4-1 here", "disk")
    equal(detach("1-2"), "port 0: free\n", "keyboard")
    equal(detach("4-1"), "port 15: free\n", "disk")


@test("stock usbip attach takes a device from serve; usbroute detach lets it go")
def _():
    guest.check("usbip attach -r 127.0.0.1 -b 2-1")
    guest.routed_disk()
    contains(guest.check("usbroute port"), "127.0.0.1/2-1", "port")
    equal(detach(), "port 15: free\n", "detach")


@test("SIGTERM gives back a device in use; the client's port becomes free")
def _():
    attach()
    guest.routed_disk()
    equal(end_serve(), 0, "exit status of serve")
    equal(guest.driver("2-1"), "usb", "driver")
    guest.check("for i in $(seq 100); do usbroute port 2>&1 | grep -q nothing && exit 0; "
                "usleep 100000; done; exit 1")
    equal(guest.check("cat /sys/bus/usb/drivers/usbip-host/match_busid").strip(), "",
          "usbip-host's table")


@test("after SIGKILL the next serve gives the device back")
def _():
    start_serve()
    attach()
    detach()
    end_serve("KILL")
    equal(guest.driver("2-1"), "usbip-host", "driver after SIGKILL")
    start_serve()
    serve.wait_line("2-1: still bound to usbip-host by an earlier serve")
    equal(end_serve(), 0, "exit status of serve")
    equal(guest.driver("2-1"), "usb", "driver")


@test("a device pulled out while attached: the port becomes free; back in, it attaches again")
def _():
    start_serve()
    attach()
    guest.routed_disk()
    guest.qmp("device_del", id="disk")
    guest.wait_event("DEVICE_DELETED", device="disk")
    guest.check("for i in $(seq 100); do usbroute port 2>&1 | grep -q nothing && exit 0; "
                "usleep 100000; done; exit 1")
    equal(guest.both(f"usbroute attach {LINK} 46f4:0001")[0], 3, "attach of what is gone")
    guest.qmp("blockdev-add", {"driver": "raw", "node-name": "again", "file": {
        "driver": "file", "filename": guest.image}})
    guest.qmp("device_add", {"driver": "usb-storage", "drive": "again", "bus": "x.0",
                             "serial": "UR456", "id": "disk2", "port": "1"})
    guest.check("for i in $(seq 100); do usbroute list --local | grep -q UR456 && exit 0; "
                "usleep 100000; done; exit 1")
    attach("serial=UR456")
    equal(guest.check(f"sha256sum {guest.routed_disk()}").split()[0], guest.image_sum(), "sha256")
    detach()
    equal(end_serve(), 0, "exit status of serve")
    equal(guest.driver("2-1"), "usb", "driver")


@test("attach takes a device from stock usbipd")
def _():
    guest.check("usbip bind -b 2-1")
    daemon = guest.spawn("exec usbipd -4")
    guest.check(f"for i in $(seq 100); do usbroute list {LINK} 2>&1 | grep -q 2-1 && exit 0; "
                "usleep 100000; done; exit 1")
    contains(attach(), "port 15: 2-1 46f4:0001", "attach")
    equal(guest.check(f"sha256sum {guest.routed_disk()}").split()[0], guest.image_sum(), "sha256")
    detach()
    daemon.kill()
    daemon.wait(30)
    guest.check("usbip unbind -b 2-1")


@test("the kernel takes other stream sockets, too: the same over AF_UNIX")
def _():
    start_serve("--device unix:/tmp/s 46f4:0001")
    attach(link="--device unix:/tmp/s")
    equal(guest.check(f"sha256sum {guest.routed_disk()}").split()[0], guest.image_sum(), "sha256")
    detach()
    equal(guest.both("usbroute attach --device unix:/tmp/s 1-2")[0], 3,
          "a device that serve's selectors leave out")
    equal(end_serve(), 0, "exit status of serve")


@test("the kernel had nothing to complain about")
def _():
    equal(guest.complaints(), [], "complaints")


def main():
    global guest
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("qemu-system-x86_64"):
        print("1..0 # SKIP no qemu-system-x86_64")
        return 0
    with tempfile.TemporaryDirectory(prefix="ur") as directory:
        with Guest(directory, os.path.abspath(sys.argv[1])) as guest:
            guest.wait_ready()
            return tap.run()


if __name__ == "__main__":
    sys.exit(main())
