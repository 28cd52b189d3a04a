#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of mk/deps.sh, images/fits and images/mkinitramfs, without a guest. TAP.

Kernels and archives are made here with sizes chosen so that the rule of
images/fits comes out at a whole number of MiB: the boundary is exact.
"""

import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))
from tap import contains, equal, run, test  # noqa: E402

BUILD = os.path.join(TOP, os.environ.get("BUILD_DIR", "build"))
GUEST = os.path.join(BUILD, "guest", "amd64")
WORK = tempfile.mkdtemp(prefix="images-")
PAGE, MIB = 4096, 1 << 20


def tool(*command, **more):
    """Run a script of the tree: (status, all it said)."""
    result = subprocess.run([os.path.join(TOP, command[0]), *map(str, command[1:])],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            cwd=TOP, check=False, **more)
    return result.returncode, result.stdout


def work(name, data):
    path = os.path.join(WORK, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


# ---- made-up kernels and archives


def bzimage(init_size):
    """The two fields that images/fits reads, where the boot protocol has them."""
    header = bytearray(PAGE)
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<I", header, 0x260, init_size)
    return work("bzImage", bytes(header))


def arm64_image(image_size):
    header = bytearray(PAGE)
    struct.pack_into("<Q", header, 0x10, image_size)
    header[0x38:0x3c] = b"ARM\x64"
    return work("Image", bytes(header))


def newc(name, data, mode=0o100644):
    name = name.encode() + b"\0"
    fields = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(sizes, packed_pages):
    """Files of these sizes; padded after gzip's end to so many pages (gzip ignores zeros)."""
    cpio = b"".join(newc(f"f{i}", bytes(n)) for i, n in enumerate(sizes))
    packed = gzip.compress(cpio + newc("TRAILER!!!", b""), mtime=0)
    assert len(packed) <= packed_pages * PAGE
    return work("initramfs.gz", packed + bytes(packed_pages * PAGE - len(packed)))


# 20 MiB kernel, 1 MiB packed, 3 files of 1 byte and one of 5 MiB less 3 pages: 5 MiB unpacked.
FILES = [1, 1, 1, 5 * MIB - 3 * PAGE]
TMPFS, RAMFS = 20 + 1 + 2 * 5 + 32, 20 + 1 + 5 + 32


def fits(kernel, initramfs, ram, *more):
    return tool("images/fits", kernel, initramfs, ram, *more)


def boundary(kernel, rootfs, need):
    initramfs = archive(FILES, MIB // PAGE)
    equal(fits(kernel(20 * MIB), initramfs, need, *rootfs), (0, ""), f"{need} MiB")
    status, said = fits(kernel(20 * MIB), initramfs, need - 1, *rootfs)
    equal(status, 1, f"{need - 1} MiB")
    status, _ = fits(kernel(20 * MIB + 1), initramfs, need, *rootfs)
    equal(status, 1, f"{need} MiB and a kernel one byte larger")
    return said


@test("fits: bzImage on tmpfs, at the boundary, and the message has every number")
def _():
    said = boundary(bzimage, (), TMPFS)
    contains(said, "kernel 20.0 + packed 1.0 + 2 x unpacked 5.0 + 32.0 = 63.0 MiB", "message")
    contains(said, "RAM is 62 MiB (tmpfs)", "message")
    contains(said, "write error", "the kernel's words")
    contains(said, "rootfstype=ramfs (it then needs 58 MiB), more RAM (at least 63 MiB)", "cure")


@test("fits: bzImage on ramfs needs the unpacked files once")
def _():
    said = boundary(bzimage, ("ramfs",), RAMFS)
    contains(said, "1 x unpacked 5.0", "message")
    equal("rootfstype=ramfs" in said, False, "a cure that is already taken")


@test("fits: arm64 Image, both kinds of rootfs")
def _():
    boundary(arm64_image, ("tmpfs",), TMPFS)
    boundary(arm64_image, ("ramfs",), RAMFS)


@test("fits: every file counts in whole pages")
def _():
    kernel = bzimage(20 * MIB)
    equal(fits(kernel, archive([PAGE] * 1280, MIB // PAGE), TMPFS)[0], 0, "1280 pages")
    equal(fits(kernel, archive([PAGE] * 1279 + [PAGE + 1], MIB // PAGE), TMPFS)[0], 1,
          "1279 files of a page and one of a page and a byte")


def damaged(name, data, why):
    status, said = fits(bzimage(20 * MIB), work(name, data), 1000)
    equal(status, 1, name)
    contains(said, why, name)


@test("fits: an archive cut short, changed, or not gzip'd is refused")
def _():
    cpio = newc("f", os.urandom(100000)) + newc("TRAILER!!!", b"")
    packed = gzip.compress(cpio, mtime=0)
    damaged("cut.gz", packed[:-9], "read error")
    damaged("cut-in-half.gz", packed[:len(packed) // 2], "damaged")
    damaged("flipped.gz", packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:], "damaged")
    damaged("plain.cpio", cpio, "not gzip'd")
    damaged("empty.gz", b"", "no initramfs")


@test("fits: what is no kernel is refused by name; usage is exit 2")
def _():
    initramfs = archive(FILES, MIB // PAGE)
    status, said = fits(work("text", b"x" * PAGE), initramfs, 1000)
    equal(status, 1, "a text for a kernel")
    contains(said, "neither a bzImage", "message")
    contains(fits(os.path.join(WORK, "absent"), initramfs, 1000)[1], "no kernel", "message")
    equal(tool("images/fits", "one")[0], 2, "one argument")
    contains(fits(bzimage(1), initramfs, 1000, "ext4")[1], "not 'ext4'", "rootfstype")


@test("fits: Debian's own kernel and the guest image, in the default 256 MiB")
def _():
    equal(fits(GUEST + "/vmlinuz", GUEST + "/initramfs.cpio.gz", 256, "ramfs"), (0, ""), "fits")


# ---- mkinitramfs


def mkinitramfs(name, *options):
    out = os.path.join(WORK, name)
    return out, *tool("images/mkinitramfs", GUEST, out, *options)


def names(path):
    cpio = subprocess.run(["cpio", "--quiet", "-it"], input=gzip.open(path).read(),
                          stdout=subprocess.PIPE, check=True).stdout
    return cpio.decode().split()


@test("mkinitramfs: the same input gives the same bytes; a module brings what it needs")
def _():
    first, status, said = mkinitramfs("a.gz", "-m", "usb-storage")
    equal((status, said), (0, ""), "first build")
    second, _, _ = mkinitramfs("b.gz", "-m", "usb-storage")
    with open(first, "rb") as a, open(second, "rb") as b:
        equal(a.read() == b.read(), True, "same bytes")
    modules = {os.path.basename(n) for n in names(first) if n.endswith(".ko")}
    for needed in ("usb-storage.ko", "usbcore.ko", "usb-common.ko", "scsi_mod.ko"):
        equal(needed in modules, True, needed)
    equal("ext4.ko" in modules, False, "a module nobody named")


@test("mkinitramfs: what tells of a cut archive comes first in it")
def _():
    out, _, _ = mkinitramfs("order.gz")
    equal(names(out)[:7], [".", "init", "bin", "bin/busybox", "bin/sh", "etc",
                           "etc/usbroute.sha256"], "order")


@test("mkinitramfs: the checksum list is right and names every file")
def _():
    out, _, _ = mkinitramfs("sums.gz", "-f", f"{__file__}:/root/extra")
    check = subprocess.run(["sha256sum", "--quiet", "-c", "etc/usbroute.sha256"],
                           cwd=out + ".root", check=False)
    equal(check.returncode, 0, "sha256sum -c")
    with open(out + ".root/etc/usbroute.sha256", encoding="ascii") as lines:
        listed = {line.split()[1] for line in lines}
    found = {os.path.join(d, f).replace(out + ".root", ".")
             for d, _, fs in os.walk(out + ".root") for f in fs
             if not os.path.islink(os.path.join(d, f))}
    equal(found - listed, {"./etc/usbroute.sha256"}, "files not listed")


@test("mkinitramfs: a program brings its loader and its libraries, and theirs")
def _():
    out, status, said = mkinitramfs("prog.gz", "-s", "/usr/sbin/usbipd")
    equal((status, said), (0, ""), "build")
    have = set(names(out))
    for path in ("usr/sbin/usbipd", "lib64/ld-linux-x86-64.so.2"):
        equal(path in have, True, path)
    for lib in ("libudev.so.1", "libwrap.so.0", "libc.so.6", "libnsl.so.2", "libtirpc.so.3"):
        equal(f"lib/x86_64-linux-gnu/{lib}" in have, True, lib)


@test("mkinitramfs: refuses, by name, what it cannot put in")
def _():
    for options, why in (
            (("-m", "no_such_module"), "no module no_such_module"),
            (("-f", "/no/such/file:/x"), "no file /no/such/file"),
            (("-p", f"{__file__}:/x"), "for 'no ELF machine'"),
            (("-k", elf("arm.ko", 183)), "is for 'AArch64'"),
            (("-k", module_for("9.9")), "is built for kernel '9.9'"),
            (("-p", stranger() + ":/x"), "no libstranger.so")):
        _, status, said = mkinitramfs("refused.gz", *options)
        equal(status != 0, True, f"{options}: status {status}")
        contains(said, why, str(options))


def elf(name, machine):
    """A header without sections, for this processor."""
    return work(name, b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHI", 1, machine, 1) + bytes(40))


def module_for(kernel):
    """As much of a module as modinfo looks at."""
    info = f'const char v[] __attribute__((section(".modinfo"), used)) = "vermagic={kernel} SMP";'
    module = os.path.join(WORK, "other.ko")
    subprocess.run(["gcc", "-c", "-o", module, work("other.c", info.encode())], check=True)
    return module


def stranger():
    """A program that needs a library no Debian package has."""
    source = work("stranger.c", b"int stranger(void); int main(void) { return stranger(); }")
    library = work("lib.c", b"int stranger(void) { return 0; }")
    program = os.path.join(WORK, "stranger")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", WORK + "/libstranger.so", library], check=True)
    subprocess.run(["gcc", "-o", program, source, "-L" + WORK, "-lstranger"], check=True)
    return program


# ---- deps


@test("deps: names what is missing, by dpkg, and without dpkg and apt")
def _():
    wanted = work("list", b"# a comment\nmake\tmake\nno-such-package\tno-such-command\n")
    status, said = tool("mk/deps.sh", "--check", wanted)
    equal((status, said), (1, "deps: missing: no-such-package\n"), "--check")
    bare = os.path.join(WORK, "bin")
    os.makedirs(bare, exist_ok=True)
    for name in ("sh", "sed", "awk", "dirname", "tr", "wc", "make", "id"):
        link = os.path.join(bare, name)
        os.path.islink(link) or os.symlink(shutil.which(name), link)
    status, said = tool("mk/deps.sh", wanted, env={"PATH": bare})
    equal(status, 1, "without apt")
    contains(said, "no apt-get on this machine", "without apt")
    contains(said, ": no-such-package\n", "without apt")


@test("deps: when all is there it installs nothing")
def _():
    wanted = work("list", b"make make\nlibc6-dev <stdio.h>\n")
    equal(tool("mk/deps.sh", wanted), (0, "deps: all 2 packages are there\n"), "all there")


if __name__ == "__main__":
    try:
        sys.exit(run())
    finally:
        shutil.rmtree(WORK)
