# SPDX-License-Identifier: BSD-2-Clause
"""The demo's disk image on the host: made, described, hashed and read without root.

Partitions by sfdisk, file systems by blkid, files of ext4 by debugfs and of FAT
by mtools: each opens the image at an offset and mounts nothing.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile

MIB = 1 << 20
SECTOR = 512
FILE_SYSTEMS = ("ext2", "ext3", "ext4", "vfat")
ENV = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C",
       "MTOOLS_SKIP_CHECK": "1"}


class DiskError(Exception):
    """The image cannot be used; the text says why and what to do."""


def _run(command, **more):
    done = subprocess.run(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **more)
    if done.returncode:
        raise DiskError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def make(path, mib=64):
    """A disk as one buys it: one partition, ext4, some files."""
    with open(path, "wb") as out:
        out.truncate(mib * MIB)
    _run(["sfdisk", "--quiet", path], input=b"label: dos\nlabel-id: 0x75726f75\n2048,,83\n")
    with tempfile.TemporaryDirectory() as files:
        with open(os.path.join(files, "hello.txt"), "w", encoding="ascii") as out:
            out.write("This file is on a USB disk that another machine owns.\n")
        with open(os.path.join(files, "random.bin"), "wb") as out:
            out.write(os.urandom(mib * MIB // 2))
        _run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "usbroute", "-d", files,
              "-E", f"offset={MIB}", path, f"{mib * 1024 - 1024}k"])


def check(path):
    """Refuse what QEMU or the demo cannot use as a disk, with both values."""
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise DiskError(f"DISK={path}: {error.strerror}") from None
    if not os.path.isfile(path):
        raise DiskError(f"DISK={path}: not a file; give an image, not a device")
    if size < MIB:
        raise DiskError(f"DISK={path}: {size} bytes, expected at least {MIB}")
    if size % SECTOR:
        raise DiskError(f"DISK={path}: {size} bytes, expected a multiple of {SECTOR}")
    return size


def copy(source, target):
    _run(["cp", "--sparse=always", "--reflink=auto", source, target])


def sha256(path, progress=None):
    total, done, digest = os.path.getsize(path), 0, hashlib.sha256()
    with open(path, "rb") as image:
        while block := image.read(4 * MIB):
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, total)
    return digest.hexdigest()


def file_system(path):
    """(offset, partition number or 0 for the whole disk, type) of the first one we can read back."""
    places = [(0, 0)]
    try:
        table = json.loads(_run(["sfdisk", "--json", path]))["partitiontable"]
        places = [(p["start"] * table.get("sectorsize", SECTOR), n)
                  for n, p in enumerate(table.get("partitions", []), 1)]
    except (DiskError, ValueError, KeyError):
        pass
    for offset, number in places:
        try:
            kind = _run(["blkid", "-p", "-O", str(offset), "-o", "value", "-s", "TYPE",
                         path]).decode().strip()
        except DiskError:
            continue
        if kind in FILE_SYSTEMS:
            return offset, number, kind
    return None


def read_file(image, where, name):
    """The bytes of /name in the file system at `where`."""
    offset, _, kind = where
    directory = tempfile.mkdtemp()
    target = os.path.join(directory, "file")
    try:
        if kind == "vfat":
            _run(["mcopy", "-i", f"{image}@@{offset}", f"::{name}", target])
        else:
            _run(["debugfs", "-R", f"dump /{name} {target}", f"{image}?offset={offset}"])
        if not os.path.exists(target):
            raise DiskError(f"the image has no /{name}")
        with open(target, "rb") as data:
            return data.read()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def read_range(image, offset, length):
    with open(image, "rb") as data:
        data.seek(offset)
        return data.read(length)
