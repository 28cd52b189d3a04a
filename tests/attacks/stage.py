# SPDX-License-Identifier: BSD-2-Clause
"""Attacks played against stock kernels, three ways:

    tcp       player --- 127.0.0.1:3240 --- stock usbip or usbipd, in one guest
    direct    player in one VM === link === stock kernel of the other VM
    guarded   player in one VM === link === guard === link === kernel of the other VM

The victim of a hostile device is the client VM's vhci-hcd and what is above it; the
victim of a hostile client is the device VM's usbip-host. A victim whose kernel
complained is started again.
"""

import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tests", "qemu"), os.path.join(TOP, "tests")]
sys.dont_write_bytecode = True

from outcome import BUG, Outcome    # noqa: E402
from pair import Pair           # noqa: E402
from vm import BUILD, VmError   # noqa: E402

FILES = os.path.join(HERE, "files")
IMAGE = os.path.join(BUILD, "attacks", "guest.cpio.gz")
# The drivers of the described devices, before the attack: nobody loads them later.
DRIVERS = ("usbhid hid-generic evdev snd-usb-audio cdc-acm cdc_ncm ati_remote2 powermate iowarrior "
           "digi_acceleport mct_u232 cypress_m8 wacom visor whiteheat").split()
# Every object of the kernel's heap between red zones: what is written there shows.
CMDLINE = "slub_debug=FZ"
DEVICES = ["-drive", "if=none,id=disk,format=raw,readonly=on,file={0}",
           "-device", "usb-storage,bus=xhci.0,drive=disk",
           "-audiodev", "none,id=none", "-device", "usb-audio,bus=xhci.0,audiodev=none"]
SELECTORS = {"disk": "46f4:0001", "sound": "46f4:0002"}
VALIDATE = "for s in /sys/kernel/slab/kmalloc-*/validate; do echo 1 >$s; done 2>/dev/null; dmesg -c"
# Ports in use, devices known, and a hub being looked at: a kernel in the middle of an enumeration
# keeps the device for seconds after its connection has ended, and would go on with it on the next one.
PORTS = ("(cat /sys/devices/platform/vhci_hcd.0/status* | grep -E '^(hs|ss) +[0-9]+ 00[56]'; "
         "ls /sys/bus/usb/devices | grep -E '^[0-9]+-[0-9.]+$'; "
         "grep -l '+usb_hub_wq' /proc/[0-9]*/comm 2>/dev/null) | wc -l")
# The blanks: to a shell "$((" begins arithmetic.
FREE = f"for i in $(seq 150); do [ $( {PORTS} ) -le {{0}} ] && exit 0; usleep 100000; done; exit 1"


class Attack:
    """A file of tests/attacks/files."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)[:-len(".txt")]
        with open(path, encoding="ascii") as lines:
            self.lines = lines.read().splitlines()
        self.source = self.value("source")
        self.reason = self.value("refused", "stalled")
        self.prelude = next((x.split() for x in self.lines
                             if x.split(" ")[0] in ("use", "import", "read")), [None, "disk"])
        messages = [x for x in self.lines if x[:1] in "<>" and x]
        self.by_client = messages[-1][0] == ">" and self.prelude[0] != "read"
        self.has_reset = "live reset" in self.lines
        # Why no stock kernel can be attacked so, or None.
        self.never = next((x[len("live never: "):] for x in self.lines if x.startswith("live never: ")),
                          None)

    def value(self, *words):
        """What stands behind the first of these words that begins a line."""
        return next(x.split(" ", 1)[1] for x in self.lines if x.split(" ")[0] in words)

    @property
    def guest_path(self):
        return f"/attacks/{self.name}.txt"


def attacks(*names):
    """All of them, or those of these names; a name that is none raises KeyError."""
    found = {f[:-4]: Attack(os.path.join(FILES, f)) for f in sorted(os.listdir(FILES))
             if f.endswith(".txt")}
    return [found[n] for n in names] if names else list(found.values())


class Stage:
    """Two VMs and what is between them. topology: "direct" (also for tcp) or "guarded"; disk: a
    file for the device VM's own disk; modules: more of the client's."""

    def __init__(self, topology="direct", disk=None, modules=()):
        self.topology = topology
        self.pair = Pair(devices=[a.format(disk) for a in DEVICES] if disk else (),
                         initrd=IMAGE, cmdline=CMDLINE, client_modules=DRIVERS + list(modules),
                         device_modules=("usb-storage", "sd_mod", "snd-usb-audio"), boot=False,
                         topology=topology)
        self.serving = False

    def __enter__(self):
        try:
            self.pair.device.start()
            self.pair.client.start()
            self.pair.device.wait_ready()
            self.pair.client.wait_ready()
        except BaseException:
            self.pair.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.pair.__exit__()

    def again(self, name):
        """Start one of the guests again."""
        getattr(self.pair, name).kill()
        fresh = getattr(self.pair, f"make_{name}")()
        setattr(self.pair, name, fresh)
        fresh.start().wait_ready()
        if name == "device":
            self.serving = False

    def busid(self, own):
        """How a client names the device VM's device."""
        return f"usb1:{own}" if self.topology == "guarded" else own

    def records(self):
        return self.pair.hub.records() if self.topology == "guarded" else []

    # ---- a hostile device

    def by_device(self, attack, way):
        client = self.pair.client
        self.stop_serving()
        host = client if way == "tcp" else self.pair.device
        client.run("dmesg -c >/dev/null")
        where = "tcp" if way == "tcp" else "link"
        player = host.spawn(f"exec live device {attack.guest_path} {where}")
        player.wait_line("serving", 20)
        attach = client.spawn(("usbip attach -r 127.0.0.1 -b 1-1" if way == "tcp" else
                               f"usbroute attach {self.busid('1-1')}") + " 2>&1")
        keys = client.spawn("live keys 8") if attack.has_reset else None
        reader = client.spawn(f"live read {attack.guest_path}")
        self.await_end(reader, client, player)
        self.await_end(keys, client)
        if attack.prelude[0] not in ("import", "read"):
            self.await_reaction(player)
        if player.status is None:
            player.kill("KILL")
        player.wait(20)
        self.await_end(attach, client)
        return Outcome(attack, "client", player=player, reader=reader, attach=attach, keys=keys)

    @staticmethod
    def await_end(job, vm, player=None, seconds=40):
        """Of a program that the kernel may have broken, or that waits for a device that the
        player's end has made impossible."""
        end = time.monotonic() + seconds
        while job and job.status is None and time.monotonic() < end:
            if any(BUG.search(x) for x in list(vm.console)):
                end = min(end, time.monotonic() + 1)
            if player and player.status is not None and not job.lines:
                end = min(end, time.monotonic() + 2)
            try:
                job.wait(0.5)
            except VmError:
                if vm.exit_status is not None:
                    return
        if job and job.status is None and not vm.complaints():
            job.kill("KILL")

    @staticmethod
    def await_reaction(player):
        """Until the player was told how its attack was taken, or nothing came of it."""
        try:
            player.wait_line(r"^(closed|open|idle)$", 8)
        except VmError:
            if player.status is None:
                return

    # ---- a hostile client

    def serve(self):
        if self.serving:
            return
        self.pair.serve()
        for device in SELECTORS:
            self.pair.device.run(f"usbip bind -b {self.own_busid(device)}")
        self.pair.device.check("usbipd -D")
        self.serving = True

    def stop_serving(self):
        if self.serving:
            self.pair.server.kill("TERM")
            self.pair.server.wait(20)
            self.pair.device.check("killall usbipd")
            self.serving = False

    def own_busid(self, device):
        """The bus id in the device VM; its kernel looks for the device in the background."""
        return self.pair.device.check(
            "cd /sys/bus/usb/devices && for i in $(seq 100); do for d in *; do [ -f $d/idVendor ] && "
            f"[ $(cat $d/idVendor):$(cat $d/idProduct) = {SELECTORS[device]} ] && echo $d && exit; "
            "done; usleep 100000; done; exit 1", 20).split()[0]

    def by_client(self, attack, way):
        self.serve()
        device = self.pair.device
        own = self.own_busid(attack.prelude[1])
        device.run("dmesg -c >/dev/null")
        guest, where = (device, "tcp") if way == "tcp" else (self.pair.client, "link")
        busid = own if way == "tcp" else self.busid(own)
        player = guest.spawn(f"live client {attack.guest_path} {where} {busid}")
        player.wait(60)
        return Outcome(attack, "device", player=player)

    # ---- either

    def play(self, attack, way):
        """The Outcome. A victim that suffered is started again."""
        before = len(self.records())
        ports = int(self.pair.client.check(PORTS))
        outcome = self.by_client(attack, way) if attack.by_client else self.by_device(attack, way)
        victim = getattr(self.pair, outcome.victim)
        outcome.log = victim.run(VALIDATE, 40)[1].splitlines()
        outcome.records = self.records()[before:]
        outcome.is_free = outcome.victim == "device" or \
            self.pair.client.run(FREE.format(ports), 30)[0] == 0
        if outcome.bug() or not outcome.is_free:
            self.again(outcome.victim)
        return outcome


def kernel_of(stage):
    return re.sub(r"-amd64$", "", stage.pair.client.ready.group(2))
