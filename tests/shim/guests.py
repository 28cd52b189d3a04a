#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own usbip and usbipd in two guests without a network, over the link.

    guests.py INITRAMFS

      device VM                                      client VM
      disk on xhci, usbip-host                       vhci-hcd
      stock usbipd + library  === /dev/usbroute0 === stock usbip + library
      or usbroute serve, or an emulated device       or usbroute attach
"""

import contextlib
import hashlib
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "qemu")]
sys.dont_write_bytecode = True

import tap  # noqa: E402
from pair import Pair  # noqa: E402
from tap import contains, equal, test  # noqa: E402

BYTES = 4 << 20
DISK = "2-1"
LIBRARY = "LD_PRELOAD=libusbroute-preload.so"
CLIENT = f"{LIBRARY} USBROUTE_PEERS=device-vm=/dev/usbroute0"
DAEMON = f"{LIBRARY} USBROUTE_LISTEN=/dev/usbroute0"


def both(vm, command, timeout=40):
    """(exit status, standard output, standard error)"""
    job = vm.spawn(command)
    status, out = job.wait(timeout)
    return status, out, job.errors


def usbip(vm, arguments):
    return both(vm, f"{CLIENT} usbip {arguments}")


def wait_for(vm, command, what):
    """Until the guest's command succeeds; the driver looks for a disk in the background."""
    return vm.check(f"for i in $(seq 100); do {command} && exit; usleep 100000; done; "
                    f"echo {what} 1>&2; exit 1", 40)


def disk_sum(client):
    wait_for(client, "[ -b /dev/sda ]", "no disk after 10 s")
    return client.check(f"dd if=/dev/sda bs=64k count={BYTES >> 16} iflag=direct 2>/dev/null"
                        " | sha256sum", 60).split()[0]


def wait_gone(client):
    wait_for(client, "[ ! -b /dev/sda ]", "the disk is there after 10 s")


@contextlib.contextmanager
def running(pair, command, line):
    """A server in the device VM, which has to end well when it is told to."""
    job = pair.device.spawn(f"exec env {command}")
    try:
        job.wait_line(line, 20)
        yield job
    finally:
        if job.status is None:
            job.kill("TERM")
        status = job.wait(20)[0]
    equal(status, 0, f"exit status of {command}")


def usbipd(pair):
    return running(pair, f"{DAEMON} usbipd", "listening on")


@test("usbip list says over the link what it says over TCP")
def _(pair, image):
    wait_for(pair.device, f"[ -e /sys/bus/usb/drivers/usb-storage/{DISK}:1.0 ]", "no disk")
    pair.device.check(f"ip link set lo up && usbip bind -b {DISK}")
    commands = ("list -r {}", "attach -r {} -b 9-9")
    with running(pair, "usbipd -4", "listening on"):
        want = [both(pair.device, "usbip " + c.format("127.0.0.1")) for c in commands]
    with usbipd(pair) as daemon:
        contains(daemon.errors, "listening on 0.0.0.0:3240", "what usbipd says")
        got = [usbip(pair.client, c.format("device-vm")) for c in commands]
        equal(usbip(pair.client, "list -r nobody")[0], 1, "exit status for an unknown name")
    for ours, tcp in zip(got, want):
        equal(ours, (tcp[0],) + tuple(x.replace("127.0.0.1", "device-vm") for x in tcp[1:]),
              "what usbip says")
    contains(got[0][1], "46f4:0001", "the list")


def attach_read_detach(pair, image):
    equal(usbip(pair.client, f"attach -r device-vm -b {DISK}"), (0, "", ""), "attach")
    equal(disk_sum(pair.client), image, "sha256 of the disk")
    status, out, _ = usbip(pair.client, "port")
    equal(status, 0, "exit status of port")
    port = re.search(r"Port (\d+): <Port in Use> at ", out)
    assert port, f"no port in use in {out!r}"
    contains(out, "-> usbip://device-vm:3240/2-1", "port")
    status, _, errors = usbip(pair.client, f"detach -p {int(port.group(1))}")
    equal((status, errors), (0, f"usbip: info: Port {int(port.group(1))} is now detached!\n\n"),
          "detach")
    wait_gone(pair.client)


@test("stock usbip with stock usbipd: attach, read, port, detach; twice")
def _(pair, image):
    with usbipd(pair):
        for _ in range(2):
            attach_read_detach(pair, image)


@test("usbipd -D, as its unit starts it")
def _(pair, image):
    pair.device.check(f"{DAEMON} usbipd -D -P/run/usbipd.pid")
    wait_for(pair.device, "[ -s /run/usbipd.pid ]", "no pid file after 10 s")
    wait_for(pair.client, f"{CLIENT} usbip list -r device-vm >/dev/null 2>&1", "no answer")
    attach_read_detach(pair, image)
    pair.device.check("kill $(cat /run/usbipd.pid)")
    wait_for(pair.device, "[ ! -e /run/usbipd.pid ]", "usbipd still there after 10 s")


@test("stock usbipd with `usbroute attach`")
def _(pair, image):
    with usbipd(pair):
        contains(pair.client.check("usbroute list"), "46f4:0001", "usbroute list")
        pair.client.check(f"usbroute attach {DISK}", 40)
        equal(disk_sum(pair.client), image, "sha256 of the disk")
        pair.client.check("usbroute detach 46f4:0001", 40)
        wait_gone(pair.client)
    pair.device.check(f"usbip unbind -b {DISK}")


@test("stock usbip with `usbroute serve`")
def _(pair, image):
    with running(pair, "usbroute serve", "serv"):
        contains(usbip(pair.client, "list -r device-vm")[1], "46f4:0001", "usbip list")
        attach_read_detach(pair, image)


def emulated_disk():
    return hashlib.sha256(b"".join(b"%015d\n" % n * 32 for n in range(BYTES // 512))).hexdigest()


@test("an emulated keyboard, disk and gadget zero, attached by stock usbip")
def _(pair, image):
    device = pair.device.spawn(f"{DAEMON} exec usbip-device")
    device.wait_line("serving", 20)
    out = usbip(pair.client, "list -r device-vm")[1]
    for part in ("1-1: ", "1d6b:0104", "46f4:0001", "0525:a4a0"):
        contains(out, part, "list")
    equal(usbip(pair.client, "attach -r device-vm -b 1-2")[:2], (0, ""), "attach the disk")
    equal(disk_sum(pair.client), emulated_disk(), "sha256 of the emulated disk")
    pair.client.check("dd if=/dev/zero of=/dev/sda bs=4k seek=3 count=1 oflag=direct 2>/dev/null")
    equal(pair.client.check("dd if=/dev/sda bs=4k skip=3 count=1 iflag=direct 2>/dev/null"
                            " | sha256sum").split()[0],
          hashlib.sha256(bytes(4096)).hexdigest(), "what was written")
    usbip(pair.client, "detach -p 0")
    wait_gone(pair.client)
    start = len(pair.client.console)
    equal(usbip(pair.client, "attach -r device-vm -b 1-1")[:2], (0, ""), "attach the keyboard")
    pair.client.wait_console("input: usbroute emulated keyboard", 20, start)
    usbip(pair.client, "detach -p 0")
    equal(usbip(pair.client, "attach -r device-vm -b 1-3")[:2], (0, ""), "attach gadget zero")
    wait_for(pair.client, "grep -l 'emulated zero' /sys/bus/usb/devices/*/product", "no zero")
    equal(pair.client.check("cat /sys/bus/usb/devices/*/ep_*/type 2>/dev/null | sort -u").split(),
          ["Bulk", "Control", "Interrupt", "Isoc"], "types of its endpoints")
    usbip(pair.client, "detach -p 0")
    device.kill("TERM")


@test("no kernel complained")
def _(pair, image):
    equal(pair.complaints(), [], "complaints")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.NamedTemporaryFile() as disk:
        data = os.urandom(BYTES)
        disk.write(data)
        disk.flush()
        with Pair(initrd=sys.argv[1], client_modules=("usb-storage", "sd_mod", "usbhid",
                                                      "hid-generic", "evdev"),
                  devices=["-drive", f"if=none,id=d,file={disk.name},format=raw",
                           "-device", "usb-storage,drive=d,bus=xhci.0,port=1"]) as pair:
            return tap.run(pair, hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    sys.exit(main())
