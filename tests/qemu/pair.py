# SPDX-License-Identifier: BSD-2-Clause
"""Two guests on one link, as the demo and the tests want them.

      device VM                                          client VM
      qemu-xhci + the device                             no USB controller
      usbroute.ko, end B === ivshmem, doorbells === usbroute.ko, end A
                       \\          usbroute-hub          /

    with Pair(devices=["-device", "usb-kbd,bus=xhci.0"]) as pair:
        pair.serve()
        pair.client.check("usbroute attach 1-1")
"""

import os
import shutil
import signal
import subprocess
import tempfile

from vm import BUILD, Vm, VmError

DEVICE_MODULES = ["xhci-pci", "usbip-host", "usbroute"]
CLIENT_MODULES = ["vhci-hcd", "usbroute"]


class Hub:
    """usbroute-hub with one link "demo": sockets of its two ends are .a and .b."""

    def __init__(self, size="16M", program=None):
        self.program = program or os.path.join(BUILD, "bin", "usbroute-hub")
        self.directory = tempfile.mkdtemp(prefix="usbroute-")
        self.a = os.path.join(self.directory, "a.sock")
        self.b = os.path.join(self.directory, "b.sock")
        config = os.path.join(self.directory, "hub.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"[link.demo]\na = {self.a}\nb = {self.b}\nsize = {size}\n")
        self.log = []
        self.process = subprocess.Popen(
            [self.program, "--config", config], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self._wait_ready()

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
    """devices: QEMU arguments for the device VM; its controller is xhci.0."""

    def __init__(self, devices=(), size="16M", xhci="", smp=1, memory=256, client_modules=(),
                 device_modules=("usb-storage",), cmdline="", client_cmdline="", initrd=None,
                 pin=True, boot=True):
        self.hub = Hub(size)
        self.boot = boot
        processors = sorted(os.sched_getaffinity(0))
        cores = (processors[0], processors[-1]) if pin and len(processors) > 1 else (None, None)
        self.options = dict(memory=memory, smp=smp, initrd=initrd)
        self.make_device = lambda: self._vm(
            "device", self.hub.b, cores[0], cmdline,
            DEVICE_MODULES[:1] + list(device_modules) + DEVICE_MODULES[1:],
            ["-device", f"qemu-xhci,id=xhci{xhci}"] + list(devices))
        self.make_client = lambda: self._vm(
            "client", self.hub.a, cores[1], client_cmdline or cmdline,
            CLIENT_MODULES + list(client_modules), [])
        self.device, self.client = self.make_device(), self.make_client()
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
        """Start `usbroute serve` in the device VM and wait until it serves."""
        self.server = self.device.spawn(" ".join(("usbroute serve",) + selectors))
        self.server.wait_line("serv", timeout=20)
        return self.server

    def complaints(self):
        """Kernel warnings of both guests."""
        return ([f"device: {line}" for line in self.device.complaints()] +
                [f"client: {line}" for line in self.client.complaints()])
