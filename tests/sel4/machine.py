# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU that runs the seL4 image: two guests, each like a Vm of tests/qemu.

      QEMU virt, EL2: seL4, two VMMs
        client VM   console and agent on the machine's UART (after seL4's own lines)
        device VM   PCI bus: console, agent, qemu-xhci and what is plugged in
        guarded     and the guard, with a link to each

    with Machine(devices=["-device", "usb-kbd,bus=xhci.0"]) as machine:
        machine.serve()
        machine.client.check("usbroute attach 1-1")
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "qemu"), os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

from vm import Vm, VmError  # noqa: E402

# From mk/sel4.mk
IMAGES = os.environ.get("UR_SEL4_IMAGES", "")
CONFIGS = os.environ.get("UR_SEL4_CONFIGS", "").split()
QEMU = shlex.split(os.environ.get("UR_SEL4_QEMU", ""))
ADDRESS = os.environ.get("UR_SEL4_ADDRESS", "")
AUDIT = os.environ.get("UR_SEL4_AUDIT", "").split()     # address and bytes
AUDIT_TOOL = os.path.join(HERE, "..", "..", "sel4", "audit")


def skip_all():
    """The suite's end where there is no SDK: says why."""
    missing = os.environ.get("UR_SEL4_MISSING") or ("" if QEMU else "run it by make check-sel4")
    if missing:
        print(f"1..0 # skip {missing}")
        sys.exit(0)


class Mortal(Vm):
    """A guest whose VMM starts it again: while may_die is set, its end is no failure."""

    may_die = False

    def _on_console(self, raw):
        super()._on_console(raw)
        if self.may_die:
            self._broken = None


class Host(Mortal):
    """The device VM, and QEMU itself: QMP and everything that is plugged in."""

    def __init__(self, client, image, devices, xhci):
        super().__init__("device", arch="arm64", check_fits=False, pass_fds=(client.fileno(),))
        self.client, self.image = client, image
        self.devices = ["-device", f"qemu-xhci,id=xhci{xhci}"] + list(devices)

    def start(self):
        try:
            return super().start()
        finally:
            self.client.close()     # QEMU's now, so that its end shows at the other side

    def _command(self, fds):
        command = QEMU + ["-name", "sel4", "-no-user-config", "-nic", "none", "-device",
                          f"loader,file={self.image},addr={ADDRESS},cpu-num=0"]
        for name, fd in {**fds, "client": self.client.fileno()}.items():
            command += ["-chardev", f"socket,id={name},fd={fd}"]
        command += ["-serial", "chardev:client", "-device", "pci-serial,chardev=console",
                    "-device", "pci-serial,chardev=agent", "-mon", "chardev=qmp,mode=control"]
        return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c",
                f'[ $PPID = {os.getpid()} ] && exec "$@"', "sh"] + command + self.devices


class Guest(Mortal):
    """The client VM: a console of somebody else's QEMU."""

    def __init__(self, host, sock):
        super().__init__("client", arch="arm64", check_fits=False, agent="console")
        self.host, self._sockets, self._log_job = host, {"console": sock}, None

    def start(self):
        os.makedirs(self.logdir, exist_ok=True)
        self.process = self.host.process
        self._thread = threading.Thread(target=self._listen, name="vm-client", daemon=True)
        self._thread.start()
        return self

    def wait_ready(self, timeout=180):
        super().wait_ready(timeout)
        self.follow()
        return self

    def follow(self):
        """The agent has the console, so what the kernel says from now on comes through it."""
        self._log_job = self.spawn(
            "t=$(cut -d. -f1 /proc/uptime)000000; cat /dev/kmsg | awk -F'[,;]' -v t=$t "
            "'$3 + 0 > t { sub(/^[^;]*;/, \"\"); print; fflush() }'")

    def _on_agent(self, raw):
        super()._on_agent(raw)
        if self._log_job:
            lines, self._log_job.lines = self._log_job.lines, []
            self.console += [text for _, text in lines]

    def kill(self):
        if self._thread is not None:
            self._thread.join()

    def qmp(self, execute, arguments=None, timeout=30, **more):
        return self.host.qmp(execute, arguments, timeout, **more)

    def _listen(self):
        try:
            self._read_all()
        finally:
            with self._cv:
                self.exit_status = self.host.exit_status or 0
                self._cv.notify_all()
            self._sockets["console"].close()


class Heart:
    """Asks QEMU for its status every second. With -icount, QEMU 7.2 may stop the guests' time while
    all of them are idle, until its main loop has something to do; what comes in on a serial line
    does not count. A device VM whose client VM is off, idle for two seconds, sleeps for minutes then."""

    PERIOD_S = 1

    def __init__(self, host):
        self.host, self.ended = host, threading.Event()
        self.thread = threading.Thread(target=self._beat, name="heart", daemon=True)
        self.thread.start()

    def _beat(self):
        while not self.ended.wait(self.PERIOD_S):
            try:
                self.host.qmp("query-status")
            except VmError:
                return      # who waits for the guest is told why

    def stop(self):
        self.ended.set()
        self.thread.join()


class Machine:
    """devices: QEMU arguments; the controller is xhci.0. config: Microkit's. xhci: its properties.
    topology: "direct" or "guarded"."""

    def __init__(self, devices=(), config="release", xhci="", boot=True, topology="direct"):
        image = os.path.join(IMAGES, config, f"{topology}.img")
        mine, theirs = socket.socketpair()
        self.device = Host(theirs, image, devices, xhci)
        self.boot = boot
        self.client = Guest(self.device, mine)
        self.server, self.heart = None, None

    def __enter__(self):
        try:
            if self.boot:
                self.device.start()
                self.client.start()
                if "-icount" in self.device.devices:
                    self.heart = Heart(self.device)
                self.client.wait_ready(180)
                self.device.wait_ready(180)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.heart:
            self.heart.stop()
        self.device.kill()
        self.client.kill()

    def wait_disk(self, guest, size, seconds=40):
        """The name of the guest's disk of so many bytes, once it is there."""
        return guest.check(f"for i in $(seq {seconds * 10}); do for d in /sys/class/block/sd*; do "
                           f"[ -e $d ] && [ $(cat $d/size) = {size // 512} ] && basename $d && exit; "
                           "done; sleep 0.1; done; exit 1", seconds + 60).strip()

    def serve(self, *selectors):
        """Start `usbroute serve` in the device VM and wait until it serves."""
        self.server = self.device.spawn(" ".join(("usbroute serve",) + selectors))
        self.server.wait_line("serv", timeout=40)
        return self.server

    def audit(self):
        """The guard's lines, as sel4/audit prints them from a copy of its memory."""
        address, size = (int(word, 0) for word in AUDIT)
        with tempfile.NamedTemporaryFile() as copy:
            self.device.qmp("pmemsave", {"val": address, "size": size, "filename": copy.name})
            done = subprocess.run([AUDIT_TOOL, copy.name], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise VmError(done.stdout.strip())
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def complaints(self):
        """Kernel warnings of both guests."""
        return ([f"device: {line}" for line in self.device.complaints()] +
                [f"client: {line}" for line in self.client.complaints()])
