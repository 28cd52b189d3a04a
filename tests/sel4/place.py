#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sel4/place: what the build of the seL4 image must refuse, and the addresses it computes.

Each way to "Initramfs unpacking failed" of docs/initramfs.md is tried on a kernel
header and an initramfs made here; the build has to stop, with the numbers.
"""

import gzip
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                                  # noqa: E402
from tap import contains, equal, test       # noqa: E402

PLACE = os.path.join(HERE, "..", "..", "sel4", "place")
MIB = 1 << 20
START = 0x40000000
ARGS = "console=ttyAMA0 rootfstype=ramfs"


class Rig:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="usbroute-place-")
        self.kernel = self.file("Image", image_header(32 * MIB))
        self.data = gzip.compress(archive(os.urandom(20 * MIB)), 1)
        self.initrd = self.file("initramfs.cpio.gz", self.data)

    def file(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    def place(self, kernel=None, initrd=None, start=START, mib=256, args=ARGS):
        """(status, complaint, values): the values of both files that it wrote."""
        out = os.path.join(self.directory, "out")
        done = subprocess.run([PLACE, kernel or self.kernel, initrd or self.initrd, hex(start), str(mib),
                               args, out], stderr=subprocess.PIPE, text=True, check=False)
        values = {}
        if done.returncode == 0:
            with open(os.path.join(out, "placement.inc"), encoding="ascii") as lines:
                values = {k: int(v, 16) for k, v in re.findall(r"\.set (\w+), (0x[0-9a-f]+)", lines.read())}
            with open(os.path.join(out, "placement.dtsi"), encoding="ascii") as lines:
                values["dtsi"] = lines.read()
        return done.returncode, done.stderr, values


def image_header(image_size, text_offset=0):
    """The 64 bytes that an arm64 Image starts with (Documentation/arm64/booting.rst)."""
    return struct.pack("<IIQQQQQQ4sI", 0, 0, text_offset, image_size, 0, 0, 0, 0, b"ARM\x64", 0)


def archive(data):
    """A newc archive of one file and its end."""
    out = b""
    for name, mode, body in (("file", 0o100644, data), ("TRAILER!!!", 0, b"")):
        fields = (1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + body
        out += b"\0" * (-len(out) % 4)
    return out


def cells(dtsi, name):
    """A property of two cells."""
    high, low = re.search(name + r" = <(0x[0-9a-f]+) (0x[0-9a-f]+)>;", dtsi).groups()
    return int(high, 16) << 32 | int(low, 16)


def refused(rig, part, **more):
    status, complaint, _ = rig.place(**more)
    equal(status, 1, f"status; it said {complaint!r}")
    contains(complaint, part, "the complaint")


@test("What fits is placed: the initramfs whole, behind kernel and device tree, inside the RAM")
def placed(rig):
    status, complaint, v = rig.place()
    equal((status, complaint), (0, ""))
    end = v["initrd_gpa"] + len(rig.data)
    assert START + 32 * MIB <= v["dtb_gpa"], v
    assert v["dtb_gpa"] + 2 * MIB <= v["initrd_gpa"], v
    assert START + 254 * MIB <= end <= START + 256 * MIB, v
    equal(v["dtb_gpa"] % (2 * MIB), 0, "the device tree's place modulo 2 MiB")
    equal(cells(v["dtsi"], "linux,initrd-start"), v["initrd_gpa"], "linux,initrd-start")
    equal(cells(v["dtsi"], "linux,initrd-end"), end, "linux,initrd-end")
    contains(v["dtsi"], "reg = <0x0 0x40000000 0x0 0x10000000>;", "memory")


@test("Another size moves it: the addresses follow the file")
def follows(rig):
    data = gzip.compress(archive(os.urandom(5 * MIB)), 1)
    _, _, v = rig.place(initrd=rig.file("other.gz", data))
    equal(cells(v["dtsi"], "linux,initrd-end") - cells(v["dtsi"], "linux,initrd-start"), len(data), "bytes")


@test("write error: the unpacked files do not fit a tmpfs; refused, with the numbers and the cure")
def write_error(rig):
    refused(rig, "it does not fit: kernel 32.0 + packed 20.0 + 2 x unpacked 20.0 + 32.0 = 124.0 MiB, RAM is 100 MiB",
            mib=100, args="console=ttyAMA0")
    refused(rig, "cure: rootfstype=ramfs", mib=110, args="console=ttyAMA0")


@test("the same RAM with rootfstype=ramfs does")
def ramfs(rig):
    equal(rig.place(mib=110)[0], 0, "status")
    refused(rig, "RAM is 80 MiB (ramfs)", mib=80)


@test("read error: an initramfs cut short")
def read_error(rig):
    refused(rig, "is damaged", initrd=rig.file("cut.gz", rig.data[:-1000]))


@test("invalid magic: a kernel that grows over where the initramfs would be")
def overlap(rig):
    refused(rig, "it does not fit: kernel 200.0", kernel=rig.file("big", image_header(200 * MIB)))


@test("zeros in files: an archive that is not compressed")
def uncompressed(rig):
    refused(rig, "is not gzip'd", initrd=rig.file("plain.cpio", archive(b"x" * 5000)))


@test("no root: no initramfs at all")
def missing(rig):
    refused(rig, "no initramfs", initrd=os.path.join(rig.directory, "nothing"))


@test("no output: a kernel that is none, RAM that starts where no kernel may")
def no_kernel(rig):
    refused(rig, "neither a bzImage", kernel=rig.file("none", b"\0" * 4096))
    refused(rig, "RAM starts at 0x40100000, expected a multiple of 0x200000", start=START + MIB)


if __name__ == "__main__":
    RIG = Rig()
    try:
        sys.exit(tap.run(RIG))
    finally:
        shutil.rmtree(RIG.directory, ignore_errors=True)
