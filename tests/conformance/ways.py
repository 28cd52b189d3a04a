# SPDX-License-Identifier: BSD-2-Clause
"""The ways from a device to who uses it. Each has the same devices, image and drivers.

    local     one VM: its own driver uses the device
    tcp       device VM, usbip-host == TCP, virtio-net == vhci-hcd, client VM   (stock tools)
    direct    device VM, usbip-host == link == vhci-hcd, client VM              (ours)
    guarded   the same on two links, with the guard in usbroute-hub between

A way has two guests: `device` owns the device, `user` uses it; of local they are one.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile

from pair import Hub, link_arguments
from vm import BUILD, Cable, Vm, VmError

IMAGE = os.path.join(BUILD, "conformance", "guest.cpio.gz")
TOOLS = os.path.join(BUILD, "conformance", "tools.img")
SCRATCH_BYTES = 64 << 20
LIBRARY = "LD_PRELOAD=libusbroute-preload.so"
# Its programs are found as if they were the guest's own.
MOUNT = ("mkdir -p /opt && mount -t ext4 -o ro /dev/vda /opt && cd /opt/bin && "
         "for p in *; do [ -e /usr/bin/$p ] || ln -s /opt/bin/$p /usr/bin/$p; done")
ADDRESS = {"device": "10.0.0.1", "user": "10.0.0.2"}

STOCK_CRASH = re.compile(r"RIP: \d+:(\S+) \[(usbip_host|usbip_core|vhci_hcd)\]")

FIND = ("cd /sys/bus/usb/devices && for i in $(seq {tries}); do for d in *; do [ -f $d/idVendor ] && "
        "[ $(cat $d/idVendor):$(cat $d/idProduct) = {ids} ] && echo $d && exit; done; "
        "usleep 100000; done; exit 1")


class WayError(Exception):
    """What a suite needs of a way did not come about."""


def find(vm, ids, seconds=15):
    """The bus id of a device in a guest; the kernel looks for it in the background."""
    status, output = vm.run(FIND.format(ids=ids, tries=int(seconds * 10)), seconds * 2 + 30)
    if status:
        raise WayError(f"the {vm.name} VM has no {ids} after {seconds} s, expected one")
    return output.strip()


def wait_for(vm, condition, what, seconds=15):
    """Until the guest's shell condition holds."""
    status, _ = vm.run(f"for i in $(seq {seconds * 10}); do {condition} && exit; usleep 100000; done; "
                       "exit 1", seconds * 3 + 30)
    if status:
        raise WayError(f"the {vm.name} VM: {what} after {seconds} s")


class Way:
    """arguments: of a directory to work in makes QEMU's for the VM that has the device; its
    controller is xhci.0. channels: of a link, 16 or 64; a ring has 256 KiB."""

    name = None
    ours = False

    def __init__(self, arguments=lambda directory: [], memory=256, smp=1, channels=16):
        self.memory, self.smp = memory, smp     # smp: of the user's VM
        self.channels = channels
        self.directory = tempfile.mkdtemp(prefix="usbroute-conformance-")
        self.args = arguments(self.directory)
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.server = None
        self.device = self.user = None

    # ---- life

    def __enter__(self):
        try:
            self.boot()
            for vm in self.guests():
                vm.wait_ready()
                vm.check(MOUNT, 30)
            self.connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def guests(self):
        return [self.device] if self.user is self.device else [self.device, self.user]

    def make(self, role, core, modules, args, **more):
        scratch = os.path.join(self.directory, f"{role}.scratch")
        with open(scratch, "wb") as file:
            file.truncate(SCRATCH_BYTES)
        disks = []
        for name, path, mode in (("tools", TOOLS, "on"), ("scratch", scratch, "off")):
            disks += ["-drive", f"if=none,id={name},format=raw,file={path},readonly={mode}",
                      "-device", f"virtio-blk-pci,drive={name},romfile="]
        vm = Vm(role, initrd=IMAGE, memory=self.memory, core=core, args=disks + list(args),
                smp=self.smp if role == "user" else 1, modules=["virtio_pci", "virtio_blk", "ext4"] + modules,
                logdir=os.path.join(BUILD, "log", "conformance", self.name), **more)
        self.stack.callback(vm.kill)
        return vm

    def cores(self):
        processors = sorted(os.sched_getaffinity(0))
        return processors[0], processors[-1]

    def fetch(self, vm, path):
        """The bytes of a guest's file, over its scratch disk: the agent's port is slow."""
        size = int(vm.check(f"stat -c %s {path}"))
        if size > SCRATCH_BYTES:
            raise WayError(f"{path} has {size} bytes, expected at most {SCRATCH_BYTES}")
        vm.check(f"dd if={path} of=/dev/vdb bs=64k conv=fsync 2>/dev/null", 120)
        with open(os.path.join(self.directory, f"{vm.name}.scratch"), "rb") as file:
            return file.read(size)

    def complaints(self):
        return [f"{vm.name}: {line}" for vm in self.guests() for line in vm.complaints()]

    def stock_crash(self):
        """Where a kernel stopped in a stock USB/IP driver, or None."""
        for vm in self.guests():
            for line in list(vm.console):
                place = STOCK_CRASH.search(line)
                if place:
                    return f"the {vm.name} VM's kernel stopped in stock {place.group(2)}, {place.group(1)}"
        return None

    # ---- what differs

    def boot(self):
        raise NotImplementedError

    def connect(self):
        """Make the route ready; a device is attached later."""

    def take(self, busid):
        """Make a device usable in the user's VM."""
        raise NotImplementedError

    def attach(self, ids):
        """The same; its bus id there."""
        self.take(find(self.device, ids))
        return find(self.user, ids)

    def detach(self):
        """Let go of all that is attached."""

    def ports(self):
        """How many devices are attached."""
        return int(self.user.check("grep -hc ' 006 ' /sys/devices/platform/vhci_hcd.0/status* | "
                                   "awk '{ n += $1 } END { print n + 0 }'"))


class Local(Way):
    name = "local"

    def boot(self):
        self.device = self.user = self.make("device", self.cores()[0], ["xhci-pci", "vhci-hcd"],
                                            self.args).start()

    def take(self, busid):
        """Its driver has it already."""

    @contextlib.contextmanager
    def emulated(self, busid, options=""):
        """The nearest to local that a device can be which speaks USB/IP itself: the loopback."""
        with serving(self.device, f"usbip-device {options}"):
            self.user.check(f"usbip attach -r 127.0.0.1 -b {busid}", 40)
            yield
            stock_detach(self.user)


class Tcp(Way):
    name = "tcp"

    def boot(self):
        cores = self.cores()
        with Cable() as cable:
            self.device = self.make("device", cores[0], ["virtio_net", "xhci-pci", "usbip-host"],
                                    cable.args[0] + self.args, pass_fds=cable.fds[0]).start()
            self.user = self.make("user", cores[1], ["virtio_net", "vhci-hcd"], cable.args[1],
                                  pass_fds=cable.fds[1]).start()

    def connect(self):
        for vm in self.guests():
            vm.check(f"ip addr add {ADDRESS[vm.name]}/24 dev eth0 && ip link set eth0 up")
        self.serve()

    def serve(self):
        self.server = self.device.spawn("exec usbipd -4")
        self.server.wait_line("listening on", 20)

    def bind(self, busid):
        self.device.check(f"usbip bind -b {busid} 2>&1", 40)
        return busid

    def offer(self, ids):
        return self.bind(find(self.device, ids))

    def take(self, busid):
        self.user.check(f"usbip attach -r {ADDRESS['device']} -b {self.bind(busid)}", 40)

    def detach(self):
        stock_detach(self.user)
        self.device.run("for d in /sys/bus/usb/drivers/usbip-host/[0-9]*; do [ -e $d ] && "
                        "usbip unbind -b ${d##*/}; done", 40)

    @contextlib.contextmanager
    def emulated(self, busid, options=""):
        end(self.server)
        with serving(self.device, f"usbip-device {options}"):
            self.user.check(f"usbip attach -r {ADDRESS['device']} -b {busid}", 40)
            yield
            stock_detach(self.user)
        self.serve()

    def tap_target(self):
        return f"{ADDRESS['device']}:3240"


class Direct(Way):
    name = "direct"
    ours = True

    def boot(self):
        self.hub = Hub(f"{self.channels}M", topology=self.name, channels=self.channels)
        self.stack.callback(self.hub.stop)
        cores, geometry = self.cores(), f"usbroute.channels={self.channels}"
        self.device = self.make("device", cores[0], ["xhci-pci", "usbip-host", "usbroute"],
                                link_arguments(self.hub.b) + self.args, cmdline=geometry).start()
        self.user = self.make("user", cores[1], ["vhci-hcd", "usbroute"],
                              link_arguments(self.hub.a), cmdline=geometry).start()

    def connect(self):
        self.serve()

    def serve(self):
        self.server = self.device.spawn("exec usbroute serve")
        self.server.wait_line("serv", 20)

    def take(self, busid):
        self.user.check(f"usbroute attach {busid}", 60)

    def detach(self):
        for port in json.loads(self.user.check("usbroute port --json"))["ports"]:
            self.user.check(f"usbroute detach {port['port']}", 60)

    def offer(self, ids):
        """serve takes the device when somebody asks."""
        return find(self.device, ids)

    @contextlib.contextmanager
    def emulated(self, busid, options=""):
        end(self.server)
        with serving(self.device, f"usbip-device {options}",
                     f"{LIBRARY} USBROUTE_LISTEN=/dev/usbroute0 "):
            self.user.check(f"usbroute attach {busid}", 60)
            yield
            self.detach()
        self.serve()

    def tap_target(self):
        return "/dev/usbroute0"


class Guarded(Direct):
    name = "guarded"


WAYS = {way.name: way for way in (Local, Tcp, Direct, Guarded)}


def end(job):
    if job and job.status is None:
        job.kill("TERM")
        job.wait(20)


@contextlib.contextmanager
def serving(vm, command, environment=""):
    job = vm.spawn(f"exec env {environment}{command}")
    try:
        job.wait_line("serving", 20)
        yield job
    finally:
        with contextlib.suppress(VmError):
            end(job)


def stock_detach(vm):
    output = vm.check("usbip port 2>/dev/null || true", 20)
    for port in re.findall(r"Port (\d+): <Port in Use>", output):
        vm.check(f"usbip detach -p {int(port)} 2>&1", 40)
