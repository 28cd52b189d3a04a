# SPDX-License-Identifier: BSD-2-Clause
"""Two guests on one link, as the demo and the tests want them.

      device VM                                          client VM
      qemu-xhci + the device                             no USB controller
      usbroute.ko, end B === ivshmem, doorbells === usbroute.ko, end A
                       \\          usbroute-hub          /

    Guarded, each has a link of its own to the guard, which runs in usbroute-hub.

    with Pair(devices=["-device", "usb-kbd,bus=xhci.0"]) as pair:
        pair.serve()
        pair.client.check("usbroute attach 1-1")
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile

from vm import BUILD, Vm, VmError

ALLOW_ALL = 'allow id *:* label "to=client1"\n'
DEVICE_MODULES = ["xhci-pci", "usbip-host", "usbroute"]
CLIENT_MODULES = ["vhci-hcd", "usbroute"]
# How many devices are configured, which is when they are in a list: first interfaces of no hub.
# (Where ports run out QEMU adds a hub by itself.)
CONFIGURED = "$(grep -lv '^09' /sys/bus/usb/devices/*:1.0/bInterfaceClass | wc -l)"


class Hub:
    """usbroute-hub, with a socket for each VM.

    direct      one link "demo" between the VMs: sockets .a (client) and .b (device)
    guarded     a link for each VM, and the guard between them: .policy is its table,
                .audit_file what it decided; the VMs have its clients' and devices' names

    channels: of each of the guard's links, and half of it the calls of a client; the default's, if
    None. A direct link's ends choose theirs themselves.
    """

    def __init__(self, size="16M", program=None, topology="direct", policy=None,
                 clients=("client1",), devices=("usb1",), channels=None):
        self.program = program or os.path.join(BUILD, *self.default_program())
        self.directory = tempfile.mkdtemp(prefix="usbroute-")
        self.audit_file = os.path.join(self.directory, "audit.json")
        self.policy = os.path.join(self.directory, "policy.table")
        self.config = os.path.join(self.directory, "hub.conf")
        self.log = []
        if topology == "direct":
            self.a, self.b = self.socket("a"), self.socket("b")
            text = f"[link.demo]\na = {self.a}\nb = {self.b}\nsize = {size}\n"
        else:
            self.a, self.b = self.socket(clients[0]), self.socket(devices[0])
            self.compile(ALLOW_ALL if policy is None else policy)
            text = f"[guard]\npolicy = {self.policy}\naudit = {self.audit_file}\n"
            text += f"calls = {channels // 2}\n" if channels else ""
            for kind, names in (("client", clients), ("device", devices)):
                for name in names:
                    text += f"[{kind}.{name}]\nsocket = {self.socket(name)}\nsize = {size}\n"
                    text += f"channels = {channels}\n" if channels else ""
        with open(self.config, "w", encoding="ascii") as out:
            out.write(text)
        self.process = subprocess.Popen(
            [self.program, "--config", self.config], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self._wait_ready()

    @staticmethod
    def default_program():
        """Where guests start near the wrap (mk/first.mk) the guard does as well."""
        near = "UR_FIRST_INDEX" in os.environ or "UR_FIRST_GENERATION" in os.environ
        return ("tests", "usbroute-hub-near") if near else ("bin", "usbroute-hub")

    def socket(self, name):
        return os.path.join(self.directory, f"{name}.sock")

    def compile(self, rules):
        """The guard's table, from the text of rules."""
        text = os.path.join(self.directory, "policy.rules")
        with open(text, "w", encoding="utf-8") as out:
            out.write(rules)
        done = subprocess.run([os.path.join(BUILD, "bin", "usbroute"), "policy", "compile", text,
                               self.policy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode:
            raise VmError(f"usbroute policy compile: {done.stdout.strip()}")

    def records(self, event=None):
        """What the guard has written so far, or those records of one event."""
        if not os.path.exists(self.audit_file):
            return []
        with open(self.audit_file, encoding="ascii") as lines:
            records = [json.loads(line) for line in lines if line.endswith("\n")]
        return [r for r in records if event in (None, r["event"])]

    def _wait_ready(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            if "ready" in line:
                return
        raise VmError("usbroute-hub ended: " + "; ".join(self.log))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.log += self.process.communicate(timeout=10)[1].splitlines()
        shutil.rmtree(self.directory, ignore_errors=True)
        return self.process.returncode


def link_arguments(path, ident="link"):
    return ["-chardev", f"socket,path={path},id={ident}",
            "-device", f"ivshmem-doorbell,vectors=1,chardev={ident}"]


class Pair:
    """devices: QEMU arguments for the device VM; its controller is xhci.0. topology: "direct" or
    "guarded", and with the latter policy: the text of the guard's rules. prefix: of the VMs' names."""

    def __init__(self, devices=(), size="16M", xhci="", smp=1, memory=256, client_modules=(),
                 device_modules=("usb-storage",), cmdline="", client_cmdline="", initrd=None,
                 pin=True, boot=True, topology="direct", policy=None, prefix=""):
        self.hub = Hub(size, topology=topology, policy=policy)
        self.boot = boot
        processors = sorted(os.sched_getaffinity(0))
        cores = (processors[0], processors[-1]) if pin and len(processors) > 1 else (None, None)
        self.options = dict(memory=memory, smp=smp, initrd=initrd)
        self.make_device = lambda: self._vm(
            prefix + "device", self.hub.b, cores[0], cmdline,
            DEVICE_MODULES[:1] + list(device_modules) + DEVICE_MODULES[1:],
            ["-device", f"qemu-xhci,id=xhci{xhci}"] + list(devices))
        self.make_client = lambda: self._vm(
            prefix + "client", self.hub.a, cores[1], client_cmdline or cmdline,
            CLIENT_MODULES + list(client_modules), [])
        self.device, self.client = self.make_device(), self.make_client()
        self.plugged = sum("bus=xhci.0" in str(word) for word in devices)
        self.server = None

    def _vm(self, name, path, core, cmdline, modules, args):
        return Vm(name, core=core, modules=modules, cmdline=cmdline,
                  args=link_arguments(path) + args, **self.options)

    def __enter__(self):
        try:
            if self.boot:
                self.device.start()
                self.client.start()
                self.device.wait_ready()
                self.client.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.client.kill()
        self.device.kill()
        self.hub.stop()

    def serve(self, *selectors):
        """Start `usbroute serve` in the device VM and wait until it serves.

        The kernel there looks for devices in the background: a list made before has none. One that
        was pulled out since is not waited for long.
        """
        self.device.check(f"for i in $(seq 30); do [ {CONFIGURED} -ge {self.plugged} ] && exit; "
                          "usleep 100000; done 2>/dev/null; true", 30)
        self.server = self.device.spawn(" ".join(("usbroute serve",) + selectors))
        self.server.wait_line("serv", timeout=20)
        return self.server

    # The guard's name of the device VM.
    device_name = "usb1"

    def audit(self):
        """What the guard has written so far."""
        return self.hub.records()

    def complaints(self):
        """Kernel warnings of both guests."""
        return ([f"device: {line}" for line in self.device.complaints()] +
                [f"client: {line}" for line in self.client.complaints()])
