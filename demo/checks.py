# SPDX-License-Identifier: BSD-2-Clause
"""One class per kind of device: what QEMU plugs into the device VM, and what has
to happen in the client VM for the demo to count as passed."""

import hashlib
import math
import os
import re
import shlex
import socket
import struct
import threading
import time

import disk

WRITE_BYTES = 1 << 20


class CheckError(Exception):
    """The device does not do in the client VM what it has to."""


def expect(condition, text):
    if not condition:
        raise CheckError(text)


class Check:
    """model: QEMU's name. selector: how `usbroute attach` finds it. modules: the client's drivers."""

    model = None
    selector = None
    modules = ()
    xhci = ""

    def __init__(self, show, directory, options):
        self.show, self.directory, self.options = show, directory, options

    def arguments(self):
        return ["-device", f"{self.model},bus=xhci.0"]

    def run(self, client, device):
        """Use the device in the client VM."""

    def after(self):
        """Look at the host's side, after detach."""

    def result(self):
        """The machine-readable lines, without "demo: "."""
        return []


class Storage(Check):
    model, selector = "usb-storage", "46f4:0001"
    modules = ("usb-storage", "sd_mod", "ext4", "vfat", "nls_cp437", "nls_ascii")

    def __init__(self, show, directory, options):
        super().__init__(show, directory, options)
        self.image = os.path.join(directory, "disk.img")
        self.written, self.written_sum = 0, None
        self.where = None
        self.client_sum = self.host_sum = None

    def prepare(self):
        given = self.options.disk
        if not given:
            disk.make(self.image)
            self.show.say("a disk of 64 MiB: one partition, ext4")
        elif self.options.write:
            self.image = given
        else:
            disk.check(given)
            disk.copy(given, self.image)
            self.show.say(f"working on a copy of {given}")
        self.size = disk.check(self.image)
        self.where = disk.file_system(self.image)
        if self.options.write and not self.where:
            raise disk.DiskError(f"DISK={given} WRITE=1: none of {', '.join(disk.FILE_SYSTEMS)} is on it, "
                                 "and writing into anything else would damage it; leave WRITE=1 away")
        self.host_sum = disk.sha256(self.image, self.show.progress)
        self.show.done()

    def drive(self):
        return ["-drive", f"if=none,id=disk,format=raw,file={self.image.replace(',', ',,')}"]

    def arguments(self):
        self.prepare()
        return self.drive() + ["-device", "usb-storage,bus=xhci.0,drive=disk"]

    def run(self, client, device):
        block = client.wait_console(r"\[(sd[a-z])\] Attached SCSI", 30).group(1)
        self.show.say(client.check(f"cat /proc/partitions | grep {block}").rstrip())
        self.read(client, block)
        self.measure(client, block)
        if self.where:
            self.write_file(client, block)
        else:
            self.write_range(client, block)

    def read(self, client, block):
        self.show.step("The client VM reads the whole disk")
        start = time.monotonic()

        def sample(_, line):
            sectors = int(line.split()[2])
            rate = sectors * 512 / max(time.monotonic() - start, 0.001)
            self.show.progress(min(sectors * 512, self.size), self.size, rate=rate)

        job = client.spawn(f"sha256sum </dev/{block}")
        meter = client.spawn(f"while cat /sys/block/{block}/stat; do sleep 0.3; done")
        watch = threading.Thread(target=self.follow, args=(meter, sample), daemon=True)
        watch.start()
        status, output = job.wait(60 + self.size // 200_000)
        meter.kill()
        watch.join()
        self.show.done()
        expect(status == 0, f"sha256sum in the client VM ended with {status}: {job.errors}")
        self.client_sum = output.split()[0]
        seconds = time.monotonic() - start
        self.show.say(f"{self.size} bytes in {seconds:.1f} s, {self.size / seconds / 1e6:.1f} MB/s with "
                      "its checksum")
        expect(self.client_sum == self.host_sum,
               f"the client VM read other bytes than the image has: sha256 {self.client_sum}, "
               f"expected {self.host_sum}")

    @staticmethod
    def follow(job, each):
        job.wait(3600, lambda kind, line: each(kind, line) if kind == "out" else None)

    def measure(self, client, block):
        count = min(self.size // 65536, 512)
        client.check("echo 3 >/proc/sys/vm/drop_caches")
        start = time.monotonic()
        client.check(f"dd if=/dev/{block} of=/dev/null bs=64k count={count} iflag=direct 2>&1", 120)
        seconds = time.monotonic() - start
        self.show.say(f"throughput, direct reads of 64 KiB: {count * 65536 / seconds / 1e6:.1f} MB/s")

    def make_bytes(self, client, count):
        """Random bytes in the client VM; their sum leaves it before they are written."""
        output = client.check(f"head -c {count} /dev/urandom >/tmp/proof && sha256sum </tmp/proof", 60)
        self.written, self.written_sum = count, output.split()[0]

    def write_file(self, client, block):
        _, number, kind = self.where
        self.show.step("The client VM mounts it and writes to it")
        part = f"/dev/{block}{number or ''}"
        self.make_bytes(client, min(WRITE_BYTES, self.size // 8))
        client.check(f"mkdir -p /mnt/usb && mount -t {kind} {part} /mnt/usb", 60)
        self.show.say(client.check("ls -l /mnt/usb | tail -n +2").rstrip() or "(an empty file system)")
        client.check("cp /tmp/proof /mnt/usb/usbroute.bin && sync && umount /mnt/usb", 120)
        self.show.say(f"{self.written} bytes to /usbroute.bin on {part} ({kind})")

    def write_range(self, client, block):
        self.show.step("The client VM writes to it")
        self.offset = self.size // 2 // 4096 * 4096
        self.make_bytes(client, min(WRITE_BYTES, self.size // 8) // 4096 * 4096)
        client.check(f"dd if=/tmp/proof of=/dev/{block} bs=4k seek={self.offset // 4096} conv=fsync 2>&1", 120)
        self.show.say(f"no file system known here: {self.written} bytes at offset {self.offset}, "
                      "on the copy")

    def after(self):
        if self.where:
            found = disk.read_file(self.image, self.where, "usbroute.bin")
        else:
            found = disk.read_range(self.image, self.offset, self.written)
        found_sum = hashlib.sha256(found).hexdigest()
        expect(len(found) == self.written and found_sum == self.written_sum,
               f"the image has other bytes than the client VM wrote: {len(found)} bytes, sha256 "
               f"{found_sum}, expected {self.written} bytes, {self.written_sum}")

    def result(self):
        return [f"client sha256 {self.client_sum}", f"host   sha256 {self.host_sum}",
                f"written {self.written} verified on the image after detach"]


class Uas(Storage):
    """The stock USB/IP drivers carry no bulk streams, which UAS needs at SuperSpeed: a HighSpeed port."""

    model, selector = "usb-uas", "46f4:0003"
    modules = ("uas",) + Storage.modules
    xhci = ",p3=0"

    def arguments(self):
        self.prepare()
        return self.drive() + ["-device", "usb-uas,id=uas,bus=xhci.0",
                               "-device", "scsi-hd,bus=uas.0,scsi-id=0,lun=0,drive=disk"]


def event_node(client):
    """The name in /dev/input of the next input device; the kernel tells of it before that is there."""
    number = client.wait_console(r"input: QEMU .* as .*/input(\d+)\b", 30).group(1)
    return client.check(f"cd /sys/class/input/input{number} && until [ -e event* ]; do usleep 20000; done; "
                        "echo event*", 20).strip()


class Input(Check):
    """QMP injects events; the client's kernel has to report the same ones."""

    modules = ("usbhid", "hid-generic", "evdev")
    FORMAT = struct.Struct("<qqHHi")
    events = ()     # for QMP
    wanted = ()     # (type, code, value) of the client's kernel

    def run(self, client, device):
        node = event_node(client)
        self.node = node.removeprefix("event")
        self.show.step(f"QMP injects events, the client VM reads /dev/input/{node}")
        size = self.FORMAT.size
        reader = client.spawn(f"echo reading; dd if=/dev/input/{node} bs={size} count={self.packets()} 2>/dev/null "
                              "| hexdump -v -e '24/1 \"%02x\" \"\\n\"'")
        reader.wait_line("reading")
        self.settle(client, node)
        for event in self.events:
            device.qmp("input-send-event", {"events": event})
        reader.wait(30)
        self.compare(reader.output)

    def settle(self, client, node):
        """Until dd has the device open, its events go nowhere."""
        client.check(f"n=0; until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q /dev/input/{node}; do "
                     "n=$((n+1)); [ $n -lt 500 ] || exit 1; usleep 10000; done", 30)

    def packets(self):
        return len(self.wanted)

    def compare(self, output):
        got = []
        for line in output.splitlines():
            if re.fullmatch(r"[0-9a-f]{48}", line.strip()):
                got.append(self.FORMAT.unpack(bytes.fromhex(line.strip()))[2:])
        got = [g for g in got if g[0] != 0 and g[0] != 4]
        want = [w for w in self.wanted if w[0] != 0 and w[0] != 4]
        expect(got == want, f"events in the client VM: {got}, expected {want}")
        self.seen = got
        self.show.say("type, code, value: " + "  ".join(map(str, got)))

    def result(self):
        return [f"events {len(self.seen)} of {len([w for w in self.wanted if w[0] not in (0, 4)])} arrived"]


def key(name, down):
    return {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}


class Keyboard(Input):
    model, selector = "usb-kbd", "0627:0001"
    events = ([key("u", True)], [key("u", False)], [key("r", True)], [key("r", False)])
    # EV_KEY is 1, KEY_U 22, KEY_R 19 (linux/input-event-codes.h); before each EV_MSC, behind it EV_SYN
    wanted = ((4, 4, 0), (1, 22, 1), (0, 0, 0), (4, 4, 0), (1, 22, 0), (0, 0, 0),
              (4, 4, 0), (1, 19, 1), (0, 0, 0), (4, 4, 0), (1, 19, 0), (0, 0, 0))


class Mouse(Input):
    model, selector = "usb-mouse", "0627:0001"
    events = ([{"type": "rel", "data": {"axis": "x", "value": 7}},
               {"type": "rel", "data": {"axis": "y", "value": -3}}],)
    # EV_REL is 2, REL_X 0, REL_Y 1
    wanted = ((2, 0, 7), (2, 1, -3), (0, 0, 0))


class Tablet(Input):
    model, selector = "usb-tablet", "0627:0001"
    events = ([{"type": "abs", "data": {"axis": "x", "value": 1000}},
               {"type": "abs", "data": {"axis": "y", "value": 2000}}],)
    # EV_ABS is 3, ABS_X 0, ABS_Y 1
    wanted = ((3, 0, 1000), (3, 1, 2000), (0, 0, 0))


class Serial(Check):
    model, selector = "usb-serial", "0403:6001"
    modules = ("ftdi_sio",)
    OUT = b"from the client VM\n"
    IN = b"from the host\n"

    def arguments(self):
        path = os.path.join(self.directory, "serial.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        return ["-chardev", f"socket,id=serial,path={path}",
                "-device", "usb-serial,bus=xhci.0,always-plugged=on,chardev=serial"]

    def run(self, client, device):
        tty = client.wait_console(r"now attached to (ttyUSB\d+)", 30).group(1)
        self.show.step(f"Bytes cross /dev/{tty} both ways")
        self.listener.settimeout(10)
        wire, _ = self.listener.accept()
        wire.settimeout(20)
        client.check(f"stty -F /dev/{tty} raw -echo 115200")
        reader = client.spawn(f"exec 4</dev/{tty}; echo reading; head -n 1 <&4")
        reader.wait_line("reading")
        wire.sendall(self.IN)
        status, output = reader.wait(20)
        expect(output.splitlines()[1:] == [self.IN.decode().strip()],
               f"the client VM read {output.splitlines()[1:]!r}, expected {self.IN!r}")
        client.check(f"printf %s {shlex.quote(self.OUT.decode())} >/dev/{tty}")
        got = b""
        while len(got) < len(self.OUT):
            got += wire.recv(len(self.OUT) - len(got)) or b"(closed)"
        expect(got == self.OUT, f"the host read {got!r}, expected {self.OUT!r}")
        self.show.say(f"to the client: {self.IN.decode().strip()!r}, from it: {got.decode().strip()!r}")
        wire.close()

    def result(self):
        return [f"serial {len(self.IN)} bytes in, {len(self.OUT)} bytes out"]


class Audio(Check):
    model, selector = "usb-audio", "46f4:0002"
    modules = ("snd-usb-audio", "snd-pcm-oss")
    RATE, HERTZ, SECONDS = 48000, 440, 2

    def arguments(self):
        self.wav = os.path.join(self.directory, "audio.wav")
        return ["-audiodev", f"wav,id=snd,path={self.wav},out.frequency={self.RATE}",
                "-device", "usb-audio,bus=xhci.0,audiodev=snd"]

    # The tone and the samples meet again after so many samples.
    CYCLE = RATE // math.gcd(RATE, HERTZ)

    def cycle(self):
        for n in range(self.CYCLE):
            value = int(12000 * math.sin(2 * math.pi * self.HERTZ * n / self.RATE))
            yield struct.pack("<hh", value, value)

    def run(self, client, device):
        self.show.step(f"The client VM plays {self.SECONDS} s of {self.HERTZ} Hz")
        client.wait_console(r"usb-audio|QEMU USB Audio", 30)
        client.put("/tmp/cycle", b"".join(self.cycle()))
        client.check("grep -q . /proc/asound/cards && cat /proc/asound/cards")
        client.check(f"for i in $(seq {self.RATE * self.SECONDS // self.CYCLE}); do cat /tmp/cycle; done | "
                     f"play-pcm /dev/dsp {self.RATE} 2", 60)
        self.show.say("played")

    def after(self):
        """QEMU completes the header only when it ends; the samples are what counts."""
        with open(self.wav, "rb") as data:
            samples = data.read()[44:]
        left = [s[0] for s in struct.iter_unpack("<hh", samples[:len(samples) // 4 * 4])]
        loud = [n for n, s in enumerate(left) if abs(s) > 500]
        expect(loud, f"QEMU's wav file is silent ({len(left)} samples)")
        part = left[loud[0]:loud[-1]]
        rises = sum(1 for a, b in zip(part, part[1:]) if a < 0 <= b)
        self.heard = rises * self.RATE / len(part)
        self.length = len(part) / self.RATE
        expect(abs(self.heard - self.HERTZ) < 22 and self.length > self.SECONDS * 0.8,
               f"QEMU's wav file has {self.length:.2f} s of {self.heard:.0f} Hz, expected "
               f"{self.SECONDS} s of {self.HERTZ} Hz")

    def result(self):
        return [f"sound {self.length:.2f} s of {self.heard:.0f} Hz in QEMU's wav file"]


CHECKS = {"storage": Storage, "uas": Uas, "keyboard": Keyboard, "mouse": Mouse, "tablet": Tablet,
          "serial": Serial, "audio": Audio}
