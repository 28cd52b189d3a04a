# SPDX-License-Identifier: BSD-2-Clause
"""One hub, eight clients, one device VM with eight disks; the disks move between the clients.

    client VM 1 ==|              |
        ...       | usbroute-hub |== device VM: qemu-xhci, 8 disks
    client VM 8 ==|              |
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time

import plug
from models import expect
from checks import CheckError
from pair import Hub, link_arguments
from results import FAIL, PASS, reason
from vm import BUILD, Vm, VmError
from ways import IMAGE, WayError, wait_for

PART = "many VMs"
COLUMN = "guarded"
CLIENTS = 8
DISK_BYTES = 4 << 20
DEVICE_CHANNELS = 64        # a call for each disk, and one for what is asked meanwhile
MEMORY_MIB = 160
MARK_BYTES = 512
MARKS = 4096                # a block for each visit, from the second mebibyte on
# Nine guests on few processors: one may wait longer than its RCU likes.
NO_STALLS = "rcupdate.rcu_cpu_stall_suppress=1"
BUSY = 4                    # the command's exit status: somebody has it


def rules():
    return "".join(f'allow id 46f4:0001 label "to=client{n}"\n' for n in range(1, CLIENTS + 1))


class House:
    """The hub and its nine VMs."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.directory = tempfile.mkdtemp(prefix="usbroute-many-")
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        names = tuple(f"client{n}" for n in range(1, CLIENTS + 1))
        self.hub = Hub("64M", topology="guarded", policy=rules(), clients=names, channels=DEVICE_CHANNELS)
        self.stack.callback(self.hub.stop)
        self.device = self.make("many-device", "usb1", ["xhci-pci", "usbip-host", "usbroute"], self.disks())
        self.clients = [self.client(n) for n in names]
        self.server = None

    def client(self, name):
        return self.make(f"many-{name}", name, ["vhci-hcd", "usb-storage", "sd_mod", "usbroute"], [])

    def make(self, name, link, modules, args):
        cores = sorted(os.sched_getaffinity(0))
        vm = Vm(name, initrd=IMAGE, memory=MEMORY_MIB, rootfs="ramfs", modules=modules,
                core=cores[0] if link == "usb1" else cores[-1],
                cmdline=f"usbroute.channels={DEVICE_CHANNELS} {NO_STALLS}",
                args=link_arguments(self.hub.socket(link)) + args,
                logdir=os.path.join(BUILD, "log", "conformance", "many"))
        self.stack.callback(vm.kill)
        return vm

    def disks(self):
        """Each on its port: its bus id is 2-1 to 2-8."""
        args = ["-device", "qemu-xhci,id=xhci,p2=8,p3=8"]
        for n in range(1, CLIENTS + 1):
            plug.make_file(self.image(n), DISK_BYTES)
            args += ["-blockdev", f"raw,node-name=d{n},file.driver=file,file.filename={self.image(n)}",
                     "-device", f"usb-storage,bus=xhci.0,port={n},drive=d{n}"]
        return args

    def image(self, n):
        return os.path.join(self.directory, f"disk{n}.img")

    def sum(self, n):
        with open(self.image(n), "rb") as image:
            return hashlib.sha256(image.read()).hexdigest()

    def start(self):
        vms = [self.device] + self.clients
        for vm in vms:
            vm.start()
        for vm in vms:
            vm.wait_ready(240)
        self.server = self.device.spawn("exec usbroute serve")
        self.server.wait_line("serv", 20)
        wait_for(self.device, f"[ $(ls -d /sys/bus/usb/devices/2-[1-8] | wc -l) = {CLIENTS} ]", "not all disks")


# ---- what a client does


def attach(vm, n):
    vm.check(f"usbroute attach usb1:2-{n}", 60)
    wait_for(vm, "ls /sys/block/sd*/queue >/dev/null 2>&1", "no disk", 30)


def detach(vm):
    vm.check("usbroute detach 46f4:0001", 60)
    wait_for(vm, "! ls -d /sys/block/sd* >/dev/null 2>&1", "the disk is still there", 30)


def disk(vm):
    return "/dev/" + vm.check("cd /sys/block && echo sd*").strip()


# ---- the tests


def everybody_sees(house):
    for vm in house.clients:
        devices = json.loads(vm.check("usbroute list --json"))["devices"]
        expect(sorted(d["busid"] for d in devices), [f"usb1:2-{n}" for n in range(1, CLIENTS + 1)], vm.name)


def one_each(house):
    """All attach and read at once."""
    jobs = [vm.spawn(f"usbroute attach usb1:2-{n}") for n, vm in enumerate(house.clients, 1)]
    for job in jobs:
        expect(job.wait(120)[0], 0, f"status of attach ({job.errors.strip()})")
    for vm in house.clients:
        wait_for(vm, "ls /sys/block/sd*/queue >/dev/null 2>&1", "no disk", 60)
    jobs = [vm.spawn(f"sha256sum {disk(vm)}") for vm in house.clients]
    for n, job in enumerate(jobs, 1):
        expect(job.wait(300)[1].split()[:1], [house.sum(n)], f"sha256 of disk {n}")


def taken(house):
    """A disk has one client: its neighbour is told that it is busy, and its reader notices nothing."""
    for n, vm in enumerate(house.clients, 1):
        other = n % CLIENTS + 1
        status, _ = vm.run(f"usbroute attach usb1:2-{other}", 60)
        expect(status, BUSY, f"status of attach of disk {other} by {vm.name}")
    for vm in house.clients:
        detach(vm)


def visit(house, vm, n, number):
    """Read the mark of the visitor before, leave one's own."""
    attach(vm, n)
    at = MARKS + number % 1024
    if number:
        before = vm.check(f"dd if={disk(vm)} bs={MARK_BYTES} skip={at - 1} count=1 2>/dev/null | head -c 8").strip()
        expect(before, f"{number - 1:08d}", f"the mark before {number}, read by {vm.name}")
    vm.check(f"printf %08d {number} | dd of={disk(vm)} bs={MARK_BYTES} seek={at} conv=sync,fsync 2>/dev/null")
    detach(vm)


def moved(house, rounds):
    """One disk goes round, from client to client."""
    for number in range(rounds * CLIENTS):
        visit(house, house.clients[number % CLIENTS], 1, number)
    with open(house.image(1), "rb") as image:
        for number in range(rounds * CLIENTS):
            image.seek((MARKS + number % 1024) * MARK_BYTES)
            expect(image.read(8), b"%08d" % number, f"mark {number} on the image")


def all_moved(house, rounds):
    """Every client gives its disk to the next one, at the same time."""
    for number in range(rounds):
        jobs = []
        for i, vm in enumerate(house.clients):
            n = (i + number) % CLIENTS + 1
            jobs.append(vm.spawn(
                f"usbroute attach usb1:2-{n} >/tmp/out 2>&1 && i=0; until ls /sys/block/sd*/queue >/dev/null 2>&1; do "
                "i=$((i + 1)); [ $i -lt 600 ] || exit 9; usleep 50000; done; "
                "sha256sum /dev/$(cd /sys/block; echo sd*) && usbroute detach 46f4:0001 >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }"))
        for i, job in enumerate(jobs):
            n = (i + number) % CLIENTS + 1
            status, output = job.wait(300)
            expect((status, output.split()[:1]), (0, [house.sum(n)]), f"disk {n} in round {number} ({output.strip()[-200:]})")
        for vm in house.clients:
            wait_for(vm, "! ls -d /sys/block/sd* >/dev/null 2>&1", "the disk is still there", 30)


def killed(house):
    """A client dies while it reads; another reads on, and a third gets the dead one's disk."""
    dying, reading, heir = house.clients[0], house.clients[1], house.clients[2]
    attach(dying, 1)
    attach(reading, 2)
    job = reading.spawn(f"for i in 1 2 3 4 5; do echo 3 >/proc/sys/vm/drop_caches; sha256sum {disk(reading)}; done")
    load = dying.spawn(f"echo reading; while dd if={disk(dying)} of=/dev/null bs=64k iflag=direct 2>/dev/null; do :; done")
    load.wait_line("reading", 20)
    begin = time.monotonic()
    dying.kill()
    heir.check("i=0; until usbroute attach usb1:2-1 2>/tmp/err; do i=$((i + 1)); "
               "[ $i -lt 40 ] || { cat /tmp/err; exit 1; }; usleep 50000; done", 60)
    took = time.monotonic() - begin
    expect([line.split()[0] for line in job.wait(300)[1].splitlines()], [house.sum(2)] * 5, "what the other one read")
    expect(took < 10, True, f"the heir has it within 10 s (it took {took:.1f})")
    for vm in (reading, heir):
        detach(vm)


def quiet(house):
    expect([f"{vm.name}: {line}" for vm in [house.device] + house.clients for line in vm.complaints()], [],
           "complaints of the kernels")


def run(results, ways, settings):
    if COLUMN not in ways:
        return
    name = "boot"
    tests = (("each of 8 clients sees 8 disks", everybody_sees), ("one each, all at once, every byte", one_each),
             ("what one has is busy for the others", taken),
             (f"one disk moved {settings.rounds * CLIENTS} times", lambda h: moved(h, settings.rounds)),
             (f"all disks moved at once, {settings.rounds} times", lambda h: all_moved(h, settings.rounds)),
             ("a client killed: its disk is free, the others go on", killed), ("no kernel complained", quiet))
    house = House()
    try:
        house.start()
        for name, step in tests:
            step(house)
            results.add(PART, COLUMN, name, PASS)
    except (CheckError, VmError, WayError) as error:
        results.add(PART, COLUMN, name, FAIL, reason(error))
    finally:
        house.stack.close()
