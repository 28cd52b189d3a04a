#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own usbip and usbipd in two guests without a network, over the link.

    guests.py INITRAMFS

      device VM                                      client VM
      disk on xhci, usbip-host                       vhci-hcd
      stock usbipd + library  === /dev/usbroute0 === stock usbip + library
      or usbroute serve, or an emulated device       or usbroute attach
      vhci-hcd: the same tools over 127.0.0.1

What the tools say over TCP, in the device VM and without the library, is what they have to say
over the link.
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
DROP_IN = os.path.join(HERE, "..", "..", "guest", "shim", "usbipd.service.d", "usbroute.conf")


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


# ---- what the tools say, over TCP and over the link


VHCI = "/sys/devices/platform/vhci_hcd.0/status"


def normal(text, host):
    """Without what is of one machine: names of hosts, numbers of ports and of devices."""
    text = re.sub(r"\b([Pp])ort +\d+", r"\1ort N", text.replace(host, "HOST"))
    return re.sub(r"\b\d+-\d+\b", "BUSID", re.sub(r"\d{3}/\d{3}", "BUS/DEV", text))


def said(vm, command, host):
    status, out, errors = both(vm, command)
    return command, status, normal(out, host), normal(errors, host)


def port_of(vm):
    """The port in use, once the driver has it."""
    return int(wait_for(vm, f"grep ' 006 ' {VHCI}", "no port in use after 10 s").split()[1])


def wait_free(pair, vm):
    wait_for(vm, f"! grep -q ' 006 ' {VHCI}", "a port is in use after 10 s")
    wait_for(pair.device, f"grep -q 1 /sys/bus/usb/devices/{DISK}/usbip_status",
             "usbip-host has not got it back after 10 s")


def stock_says(pair, vm, prefix, host):
    """Each command of usbip that has to do with one device."""
    say = lambda words: said(vm, f"{prefix} usbip {words}", host)
    lines = [say(f"list -r {host}"), say(f"attach -r {host} -b 9-9"),
             say(f"attach -r {host} -b {DISK}")]
    port = port_of(vm)
    lines += [say("port"), say(f"attach -r {host} -b {DISK}"), say(f"detach -p {port}")]
    wait_free(pair, vm)
    return lines + [say(f"detach -p {port}"), say("port"), say("detach -p 77")]


def ours_says(pair, vm, link):
    """The same of usbroute."""
    host = "127.0.0.1" if link else "usbroute0"
    say = lambda words: said(vm, f"usbroute {words}", host)
    lines = [say(f"list {link}"), say(f"attach {link} 9-9"), say(f"attach {link} {DISK}")]
    port_of(vm)
    lines += [say("port"), say(f"attach {link} {DISK}"), say("detach 46f4:0001")]
    wait_free(pair, vm)
    return lines + [say("detach 46f4:0001"), say("port")]


WANT = {}


def same_lines(got, want):
    for (command, *ours), (_, *tcp) in zip(got, want, strict=True):
        equal(ours, tcp, f"{command}: status, output and errors beside those of TCP")


@test("the tools over TCP, in one VM, without the library")
def _(pair, image):
    wait_for(pair.device, f"[ -e /sys/bus/usb/drivers/usb-storage/{DISK}:1.0 ]", "no disk")
    pair.device.check(f"ip link set lo up && usbip bind -b {DISK}")
    with running(pair, "usbipd -4", "listening on"):
        stock_says(pair, pair.device, "", "127.0.0.1")  # until then it has no configuration
        WANT["stock"] = stock_says(pair, pair.device, "", "127.0.0.1")
        WANT["ours"] = ours_says(pair, pair.device, "--device tcp:3240")
    equal([line[1] for line in WANT["stock"]][2:4], [0, 0], "statuses of attach and port")
    contains(WANT["stock"][0][2], "46f4:0001", "the list")
    contains(WANT["stock"][3][2], "-> usbip://HOST:3240/BUSID", "port")


@test("stock usbip with stock usbipd says over the link what it says over TCP")
def _(pair, image):
    with usbipd(pair) as daemon:
        contains(daemon.errors, "listening on 0.0.0.0:3240", "what usbipd says")
        same_lines(stock_says(pair, pair.client, CLIENT, "device-vm"), WANT["stock"])
        equal(usbip(pair.client, "list -r nobody")[0], 1, "exit status for an unknown name")


@test("`usbroute` with stock usbipd says over the link what it says over TCP")
def _(pair, image):
    with usbipd(pair):
        same_lines(ours_says(pair, pair.client, ""), WANT["ours"])


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


@test("usbipd -D, as its unit starts it with the drop-in")
def _(pair, image):
    with open(DROP_IN, encoding="utf-8") as file:
        environment = re.findall(r"^Environment=(\S+)$", file.read(), re.M)
    equal(len(environment), 2, "variables of the drop-in")
    pair.device.check(f"env {' '.join(environment)} usbipd -D -P/run/usbipd.pid")
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


@test("stock usbip with `usbroute serve`: the same words")
def _(pair, image):
    with running(pair, "usbroute serve", "serv"):
        same_lines(stock_says(pair, pair.client, CLIENT, "device-vm"), WANT["stock"])
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
                  device_modules=("usb-storage", "vhci-hcd"),
                  devices=["-drive", f"if=none,id=d,file={disk.name},format=raw",
                           "-device", "usb-storage,drive=d,bus=xhci.0,port=1"]) as pair:
            return tap.run(pair, hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    sys.exit(main())
