#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Captures a session of Debian's own usbip and usbipd over TCP.

    client VM                         device VM
    usbip, vhci-hcd                   usbipd, usbip-host
        virtio-net <--- cable ---> virtio-net      qemu-xhci: usb-storage, usb-kbd
                          |
                    filter-dump -> tests/vectors/stock-usbip.pcap

usage: stock.py [OUT.pcap]      needs `make images`, tshark
"""

import hashlib
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "qemu"))
from vm import BUILD, Cable, Vm  # noqa: E402

OUT = os.path.join(TOP, "tests", "vectors", "stock-usbip.pcap")
INITRD = os.path.join(BUILD, "guest", "amd64", "initramfs-tcp.cpio.gz")
DEVICE_MODULES = ["virtio_pci", "virtio_net", "xhci-pci", "usb-storage", "usbhid",
                  "hid-generic", "usbip-host"]
CLIENT_MODULES = ["virtio_pci", "virtio_net", "vhci-hcd", "usb-storage", "sd_mod", "usbhid",
                  "hid-generic", "evdev"]
DISK_BYTES = 1 << 20
READ_BYTES = 128 << 10
DISK, KEYBOARD = "2-1", "1-2"  # QEMU's ports: SuperSpeed on bus 2, the rest on bus 1


def say(text):
    print(f"capture: {text}", flush=True)


def sector(n):
    """A sector says its own number: 32 lines of 15 digits."""
    return b"%015d\n" % n * 32


def make_disk(path):
    with open(path, "wb") as disk:
        for n in range(DISK_BYTES // 512):
            disk.write(sector(n))


def device_args(disk):
    return ["-device", "qemu-xhci,id=xhci",
            "-drive", f"if=none,id=disk,format=raw,file={disk}",
            "-device", "usb-storage,bus=xhci.0,port=1,drive=disk,serial=STOCK-1",
            "-device", "usb-kbd,bus=xhci.0,port=2"]


def network(vm, address):
    vm.wait_ready()
    vm.check(f"ip addr add {address}/24 dev eth0 && ip link set eth0 up")


def attach(client, busid, done):
    """Attach, and wait for the class driver's last line on the console."""
    start = len(client.console)
    client.check(f"usbip attach -r 10.0.0.1 -b {busid}")
    client.wait_console(done, start=start)


def refused(client, busid, why):
    job = client.spawn(f"usbip attach -r 10.0.0.1 -b {busid}")
    status, _ = job.wait()
    if status != 1 or why not in job.errors:
        sys.exit(f"capture: attach of {busid}: expected '{why}', got {status}: {job.errors}")


def read_disk(client):
    got = client.check(f"dd if=/dev/sda bs=64k count={READ_BYTES >> 16} iflag=direct 2>/dev/null"
                       " | sha256sum").split()[0]
    want = hashlib.sha256(b"".join(map(sector, range(READ_BYTES // 512)))).hexdigest()
    if got != want:
        sys.exit(f"capture: the client read sha256 {got}, the disk holds {want}")


def write_disk(client, disk):
    """4 KiB of zeros at 800 KiB; they must be in the file afterwards."""
    client.check("dd if=/dev/zero of=/dev/sda bs=4k seek=200 count=1 oflag=direct 2>/dev/null"
                 " && sync")
    with open(disk, "rb") as image:
        image.seek(200 * 4096)
        if image.read(4096) != bytes(4096):
            sys.exit("capture: what the client wrote is not in the image")


def press_key(device, client):
    """The first event of a key press is 24 bytes; `start` tells that the reader is there."""
    reader = client.spawn(
        "f=$(grep -l 'USB Keyboard' /sys/class/input/event*/device/name | cut -d/ -f5)\n"
        "exec </dev/input/$f && echo start && dd bs=24 count=1 2>/dev/null | xxd -p -c 24")
    reader.wait_line("start")
    device.qmp("send-key", keys=[{"type": "qcode", "data": "a"}])
    status, output = reader.wait(30)
    if status or len(output.split()) != 2:
        sys.exit(f"capture: no key arrived: {status} {output!r}")


def session(device, client, disk):
    network(device, "10.0.0.1")
    network(client, "10.0.0.2")
    device.wait_console("Attached SCSI|scsi .*Direct-Access")
    device.wait_console("hid-generic .*Keyboard")
    device.check("usbipd -D")
    say("list while nothing is exported")
    client.run("usbip list -r 10.0.0.1")
    say("bind, list")
    device.check(f"usbip bind -b {DISK} && usbip bind -b {KEYBOARD}")
    client.check("usbip list -r 10.0.0.1")
    say("attach what is not there (9-9), the disk, the disk again, the keyboard")
    refused(client, "9-9", "not found")
    attach(client, DISK, "Attached SCSI disk")
    refused(client, DISK, "busy")
    attach(client, KEYBOARD, "hid-generic .*Keyboard")
    say(f"read {READ_BYTES} bytes, write 4096, press a key")
    read_disk(client)
    write_disk(client, disk)
    press_key(device, client)
    say("unbind the keyboard's driver (unlink), detach both")
    client.check("echo 1-1:1.0 >/sys/bus/usb/drivers/usbhid/unbind")
    client.check("usbip detach -p 0 && usbip detach -p 15")
    say("usbip: " + client.check("usbip version").strip())
    say("kernel: " + client.ready.group(2))


def record(pcap):
    with tempfile.TemporaryDirectory() as work:
        disk = os.path.join(work, "disk.img")
        raw = os.path.join(work, "raw.pcap")
        make_disk(disk)
        with Cable(raw) as cable:
            device = Vm("device", initrd=INITRD, modules=DEVICE_MODULES, cmdline="ipv6.disable=1",
                        args=cable.args[0] + device_args(disk), pass_fds=cable.fds[0])
            client = Vm("client", initrd=INITRD, modules=CLIENT_MODULES, cmdline="ipv6.disable=1",
                        args=cable.args[1], pass_fds=cable.fds[1])
            device.start()
            client.start()
        try:
            session(device, client, disk)
            client.poweroff()
            device.poweroff()
        finally:
            client.kill()
            device.kill()
        subprocess.run(["tshark", "-r", raw, "-Y", "tcp.port == 3240", "-F", "pcap", "-w", pcap],
                       check=True, stderr=subprocess.DEVNULL)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    record(out)
    say(f"{os.path.getsize(out)} bytes in {out}")


if __name__ == "__main__":
    main()
