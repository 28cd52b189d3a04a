#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A USB disk of one guest used in another, beside its rivals.

    routed      device VM, usbip-host, usbroute.ko ==== link ==== usbroute.ko, vhci-hcd, client VM
    guarded     the same with usbroute-hub's guard between: device VM ==== guard ==== client VM
    usbip_tcp   device VM, usbip-host, virtio-net ==== cable ==== virtio-net, vhci-hcd, client VM
    usbredir    device VM, usbredirect, virtio-net ==== TCP ==== usb-redir of QEMU, qemu-xhci, client VM
    local       device VM alone: what neither can beat

Each has guests of its own, all of one image, with the same disk (usb-storage on
qemu-xhci, its bytes in memory), memory and kernel parameters; device VMs on the
first core, client VMs on the last. The disk's file is read by io_uring where there is
that: QEMU's own threads for it would wait for a processor that a guest's spin has.
One rival is measured at a time, in turn; the others' guests are stopped meanwhile.
Prints one JSON object a line for each number.

usage: vms.py [RUNS [SECONDS]]
"""

import contextlib
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "qemu"))
sys.dont_write_bytecode = True
from pair import Pair           # noqa: E402
from vm import BUILD, Cable, Vm     # noqa: E402

IMAGE = os.path.join(BUILD, "bench", "guest.cpio.gz")
DISK_BYTES = 32 << 20
SELECTOR = "46f4:0001"      # QEMU's usb-storage
BUSID = "2-1"               # its place: SuperSpeed ports are bus 2
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")

# case: direction, bytes of a request
CASES = {
    "vm_read64k": ("read", 65536),
    "vm_read512": ("read", 512),
    "vm_write64k": ("write", 65536),
}
PDU_BYTES = 48              # USB/IP's header, one in each direction for a URB
CBW_BYTES = 31              # usb-storage's command, the payload of a request's first URB
PER_URB = re.compile("doorbells_|interrupts|switches|bytes copied")

# In a guest: its counters, a line each: name, value.
SNAPSHOT = r"""
awk '$1 == "ctxt" { print "switches", $2 } $1 == "intr" { print "interrupts", $2 }' /proc/stat
n=0
for d in /sys/bus/pci/devices/*; do
	[ "$(cat $d/vendor)" = 0x1af4 ] || continue # ivshmem or virtio
	for i in $d/msi_irqs/*; do
		n=$((n + $(cat /sys/kernel/irq/${i##*/}/per_cpu_count)))
	done
done
echo link_interrupts $n
cd /sys/class/usbroute/usbroute0 2>/dev/null || exit 0
for f in bytes_sent doorbells_sent doorbells_suppressed doorbells_received stalls_data; do
	echo $f $(cat $f)
done
"""


@functools.cache
def disk_aio():
    """The way in which QEMU is to read a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(512)
        probe = ["qemu-io", "-i", "io_uring", "-f", "raw", "-c", "read 0 512", file.name]
        done = subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return "io_uring" if done.returncode == 0 else "threads"


def disk_arguments(directory, name):
    path = os.path.join(directory, f"{name}.img")
    with open(path, "wb") as image:
        image.write(os.urandom(1 << 20) * (DISK_BYTES >> 20))
    return ["-drive", f"if=none,id=disk,format=raw,aio={disk_aio()},file={path}",
            "-device", "usb-storage,bus=xhci.0,port=1,drive=disk"]


class Rival:
    """user: the guest that uses the disk. device: the one that owns it, or None if it is the same.
    guard: the process between them, or None."""

    def __init__(self, name, user, device=None, guard=None):
        self.name, self.user, self.device, self.guard = name, user, device, guard
        self.counts = {}

    def pause(self):
        for vm in self.guests().values():
            vm.qmp("stop")

    @contextlib.contextmanager
    def running(self):
        """Its guests alone have the processors. They look after what they missed before it counts."""
        for vm in self.guests().values():
            vm.qmp("cont")
        self.ask("vm_read512", 100)
        yield
        self.pause()

    def guests(self):
        return {"client": self.user, "device": self.device} if self.device else \
            {"device": self.user}

    def ask(self, case, count):
        """Seconds that `count` requests take."""
        direction, size = CASES[case]
        output = self.user.check(f"disk /dev/sda {direction} {size} {count}", 120)
        return float(output.split()[0])

    def choose_count(self, case, seconds):
        """Warm up, and find how many requests fill the time."""
        self.ask(case, 100)
        self.counts[case] = max(100, int(seconds * 300 / self.ask(case, 300)))

    def processor_us(self):
        """What each QEMU, and the guard, has used of the host's processors, all its threads."""
        used, processes = {}, {role: vm.process for role, vm in self.guests().items()}
        if self.guard:
            processes["guard"] = self.guard
        for role, process in processes.items():
            with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rpartition(")")[2].split()
            used[role] = (int(fields[11]) + int(fields[12])) * TICK_US
        return used

    def snapshot(self):
        return {f"{role} {name}": int(value) for role, vm in self.guests().items()
                for name, value in map(str.split, vm.check(SNAPSHOT).splitlines())}


# ---- making them ready


def linked(stack, directory, name, topology):
    pair = Pair(devices=disk_arguments(directory, name), initrd=IMAGE, boot=False, topology=topology,
                client_modules=("usb-storage", "sd_mod"), prefix=f"{name}-")
    stack.callback(pair.__exit__)
    pair.device.start()
    pair.client.start()
    pair.device.wait_ready()
    pair.client.wait_ready()
    pair.serve()
    pair.client.check(f"usbroute attach {SELECTOR}", 40)
    pair.client.wait_console("Attached SCSI disk", 40)
    return Rival(name, pair.client, pair.device, pair.hub.process if topology == "guarded" else None)


def routed(stack, directory):
    return linked(stack, directory, "routed", "direct")


def guarded(stack, directory):
    return linked(stack, directory, "guarded", "guarded")


def usbip_tcp(stack, directory):
    cores = sorted(os.sched_getaffinity(0))
    with Cable() as cable:
        device = Vm("tcp-device", initrd=IMAGE, core=cores[0], pass_fds=cable.fds[0],
                    modules=["virtio_pci", "virtio_net", "xhci-pci", "usb-storage", "usbip-host"],
                    args=cable.args[0] + ["-device", "qemu-xhci,id=xhci"] +
                    disk_arguments(directory, "tcp"))
        client = Vm("tcp-client", initrd=IMAGE, core=cores[-1], pass_fds=cable.fds[1],
                    modules=["virtio_pci", "virtio_net", "vhci-hcd", "usb-storage", "sd_mod"],
                    args=cable.args[1])
        for vm in (device, client):
            stack.callback(vm.kill)
            vm.start()
    for vm, address in ((device, "10.0.0.1"), (client, "10.0.0.2")):
        vm.wait_ready()
        vm.check(f"ip addr add {address}/24 dev eth0 && ip link set eth0 up")
    device.wait_console("scsi .*Direct-Access")
    device.check(f"usbipd -D && usbip bind -b {BUSID}")
    client.check(f"usbip attach -r 10.0.0.1 -b {BUSID}", 40)
    client.wait_console("Attached SCSI disk", 40)
    return Rival("usbip_tcp", client, device)


def free_port():
    """Of the loopback; QEMU takes a number only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def usbredir(stack, directory):
    """The device VM gives its device to a controller that the client VM's QEMU emulates."""
    cores = sorted(os.sched_getaffinity(0))
    port = free_port()
    device = Vm("redir-device", initrd=IMAGE, core=cores[0],
                modules=["virtio_pci", "virtio_net", "xhci-pci", "usb-storage"],
                args=["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:4000",
                      "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "qemu-xhci,id=xhci"] +
                disk_arguments(directory, "redir"))
    stack.callback(device.kill)
    device.start()
    device.wait_ready()
    device.check("ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up")
    device.wait_console("scsi .*Direct-Access")
    device.spawn(f"exec usbredirect --device {SELECTOR} --as 10.0.2.15:4000 2>&1")
    device.check("n=0; until netstat -ltn | grep -q :4000; do usleep 50000; n=$((n + 1)); [ $n -lt 200 ] || exit 1; done",
                 30)
    client = Vm("redir-client", initrd=IMAGE, core=cores[-1], modules=["xhci-pci", "usb-storage", "sd_mod"],
                args=["-device", "qemu-xhci,id=xhci",
                      "-chardev", f"socket,id=redir,host=127.0.0.1,port={port},nodelay=on",
                      "-device", "usb-redir,chardev=redir,bus=xhci.0,port=1"])
    stack.callback(client.kill)
    client.start()
    client.wait_ready()
    client.wait_console("Attached SCSI disk", 40)
    return Rival("usbredir", client, device)


def local(stack, directory):
    vm = Vm("local", initrd=IMAGE, core=min(os.sched_getaffinity(0)),
            modules=["xhci-pci", "usb-storage", "sd_mod"],
            args=["-device", "qemu-xhci,id=xhci"] + disk_arguments(directory, "local"))
    stack.callback(vm.kill)
    vm.start()
    vm.wait_ready()
    vm.wait_console("Attached SCSI disk", 40)
    return Rival("local", vm)


def make_ready(stack):
    """One after the other: nine guests that boot at once starve each other on a small machine."""
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    directory = tempfile.mkdtemp(prefix="usbroute-bench-", dir=shm)
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    rivals = []
    for make in (routed, guarded, usbip_tcp, usbredir, local):
        rivals.append(make(stack, directory))
        rivals[-1].pause()
    return rivals


# ---- measuring


def tell(case, subject, metric, unit, value, run):
    print(json.dumps(dict(case=case, subject=subject, metric=metric, unit=unit,
                          value=round(value, 4), run=run)), flush=True)


def measure(rival, case, run):
    size, count = CASES[case][1], rival.counts[case]
    before = rival.processor_us()
    seconds = rival.ask(case, count)
    after = rival.processor_us()
    tell(case, rival.name, "throughput", "MB/s", count * size / seconds / 1e6, run)
    tell(case, rival.name, "latency", "ms", seconds / count * 1e3, run)
    for role, used in after.items():
        tell(case, rival.name, f"{role} processor", "us/op", (used - before[role]) / count, run)


def difference(rival, case, count):
    """What the counters count while `count` requests pass, and while we ask."""
    before = rival.snapshot()
    rival.ask(case, count)
    return {name: value - before[name] for name, value in rival.snapshot().items()}


def per_request(rival, case):
    """Many requests less one: what starting and asking costs falls out."""
    count = rival.counts[case]
    many, one = difference(rival, case, count + 1), difference(rival, case, 1)
    return {name: (many[name] - one[name]) / count for name in many}


def urbs(each, case):
    """Of a request: what the client sends beside its payload is a header for each."""
    direction, size = CASES[case]
    payload = CBW_BYTES + (size if direction == "write" else 0)
    return (each["client bytes_sent"] - payload) / PDU_BYTES


def copied(each, links):
    """Each byte is copied once into a ring and once out of it, on each link of its way."""
    return 2 * links * (each["client bytes_sent"] + each["device bytes_sent"])


def tell_events(rival, case, each, urb_count):
    """For each request, and for each of its URBs what one may want to save."""
    for name, value in sorted(each.items()):
        unit, text = "B" if "bytes" in name else "1", re.sub("_", " ", name)
        tell(case, rival.name, text, f"{unit}/op", value, 1)
        if PER_URB.search(name):
            tell(case, rival.name, f"{text} per URB", f"{unit}/URB", value / urb_count, 1)


def count_events(rivals, case):
    """A request's URBs are its disk driver's doing, and the same with every rival."""
    urb_count = None
    for rival in rivals:
        with rival.running():
            each = per_request(rival, case)
        if "client bytes_sent" in each:
            each["URBs"] = urbs(each, case)
            each["bytes copied"] = copied(each, 2 if rival.guard else 1)
        urb_count = urb_count or each["URBs"]
        tell_events(rival, case, each, urb_count)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    with contextlib.ExitStack() as stack:
        rivals = make_ready(stack)
        for rival in rivals:
            with rival.running():
                for case in CASES:
                    rival.choose_count(case, seconds)
        for run in range(1, runs + 1):
            for rival in rivals:
                with rival.running():
                    for case in CASES:
                        measure(rival, case, run)
        for case in CASES:
            count_events(rivals, case)
        kernel = rivals[0].user.ready.group(2)
        complaints = [f"{r.name} {role}: {line}" for r in rivals
                      for role, vm in r.guests().items() for line in vm.complaints()]
    if complaints:
        sys.exit("bench: a kernel complained: " + "; ".join(complaints[:3]))
    print(json.dumps({"kernel": kernel, "disk_aio": disk_aio()}), flush=True)


if __name__ == "__main__":
    main()
