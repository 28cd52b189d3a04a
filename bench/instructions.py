#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions of a guest for each request of a USB disk: both halves in one guest.

    disk, usb-storage                                       local
    disk, usbip-host -- usbroute.ko == link == usbroute.ko -- vhci-hcd, usb-storage    routed
    disk, usbip-host -------- TCP, loopback ---------------- vhci-hcd, usb-storage     usbip_tcp

Time depends on the host; what a processor executes under -icount hardly does.
One arm64 guest, since only there TCG has a counter of instructions. Nobody
spins: a spin's instructions are no work. TCP's figure lacks the network device,
the link's has its doorbells. Prints one JSON object a line for each number.

usage: instructions.py [RUNS [REQUESTS]]
"""

import contextlib
import os
import shutil
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "qemu"), os.path.join(TOP, "bench")]
sys.dont_write_bytecode = True
from pair import Hub, link_arguments            # noqa: E402
from vm import BUILD, Vm                        # noqa: E402
from vms import CASES, SELECTOR, disk_arguments, tell   # noqa: E402

IMAGE = os.path.join(BUILD, "bench", "guest-arm64.cpio.gz")
MODULES = ["xhci-pci", "usb-storage", "sd_mod", "usbip-host", "vhci-hcd", "usbroute"]
# subject: what the device's half and the client's half name as their link
LINKS = {"routed": ("/dev/usbroute0", "/dev/usbroute1"), "usbip_tcp": ("tcp:3240", "tcp:3240")}


def make_guest(stack):
    directory = tempfile.mkdtemp(prefix="usbroute-bench-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    hub = Hub()
    stack.callback(hub.stop)
    vm = Vm("instructions", arch="arm64", initrd=IMAGE, modules=MODULES,
            cmdline="usbroute.spin_us=0",
            args=["-icount", "shift=2", "-device", "qemu-xhci,id=xhci"] +
            disk_arguments(directory, "instructions") +
            link_arguments(hub.a, "a") + link_arguments(hub.b, "b"))
    stack.callback(vm.kill)
    vm.start()
    vm.wait_ready()
    vm.wait_console("Attached SCSI disk", 60)
    vm.check("ip link set lo up")
    return vm


@contextlib.contextmanager
def attached(vm, device_link, client_link):
    """The disk's name while it is attached."""
    server = vm.spawn(f"exec usbroute serve -d {device_link}")
    server.wait_line("serving USB/IP", 30)
    seen = len(vm.console)
    text = vm.check(f"usbroute attach -d {client_link} {SELECTOR}", 60)
    yield vm.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 60, seen).group(1)
    vm.check(f"usbroute detach {text.split()[1].rstrip(':')}", 60)
    server.kill()
    server.wait(30)


def instructions(vm, disk, case, requests):
    """What many requests take less what one takes: starting falls out."""
    direction, size = CASES[case]

    def count(number):
        output = vm.check(f"count disk /dev/{disk} {direction} {size} {number}", 120)
        return int(output.split()[-1])

    return (count(requests + 1) - count(1)) / requests


def measure(vm, subject, disk, run, requests):
    for case in CASES:
        tell(case.replace("vm_", "guest_"), subject, "instructions", "1/op",
             instructions(vm, disk, case, requests), run)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with contextlib.ExitStack() as stack:
        vm = make_guest(stack)
        for run in range(1, runs + 1):
            measure(vm, "local", "sda", run, requests)
        for run in range(1, runs + 1):
            for subject, links in LINKS.items():
                with attached(vm, *links) as disk:
                    measure(vm, subject, disk, run, requests)
        if vm.complaints():
            sys.exit("bench: the guest's kernel complained: " + "; ".join(vm.complaints()[:3]))


if __name__ == "__main__":
    main()
