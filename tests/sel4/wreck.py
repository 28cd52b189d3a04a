# SPDX-License-Identifier: BSD-2-Clause
"""Break one function of a protection domain while it runs, from outside.

Where its code is in physical memory nobody says: it is searched for by its own bytes, and
overwritten through QEMU's gdb stub with instructions that fault.
"""

import os
import re
import socket
import subprocess
import tempfile

from vm import VmError

# Of QEMU's machine: where seL4 lies, and behind it what it gives out; up to the end of RAM.
START, END, PIECE = 0x60000000, 0xc0000000, 64 << 20
LEAST = 64      # bytes of code that are enough to know it by


def said(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def code(elf, function):
    """The function's bytes, as they are in memory."""
    symbols = said("aarch64-linux-gnu-nm", "-S", elf)
    found = re.search(rf"^([0-9a-f]+) ([0-9a-f]+) T {function}$", symbols, re.M)
    if not found:
        raise VmError(f"{elf} has no function {function}")
    address, size = (int(word, 16) for word in found.groups())
    with tempfile.NamedTemporaryFile() as out:
        said("aarch64-linux-gnu-objcopy", "-O", "binary", "--only-section=.text", elf, out.name)
        text = out.read()
    headers = said("aarch64-linux-gnu-objdump", "-h", elf)
    start = int(re.search(r"\.text +[0-9a-f]+ +([0-9a-f]+)", headers).group(1), 16)
    size = min(size, 4096 - address % 4096)     # pages may lie anywhere
    if size < LEAST:
        raise VmError(f"{function}: {size} bytes on its first page, expected at least {LEAST}")
    return text[address - start:address - start + size]


def find(machine, wanted):
    """The first physical address of these bytes."""
    for start in range(START, END, PIECE):
        with tempfile.NamedTemporaryFile() as out:
            machine.device.qmp("pmemsave", {"val": start, "size": PIECE, "filename": out.name}, 60)
            at = out.read().find(wanted)
        if at >= 0:
            return start + at
    raise VmError(f"{len(wanted)} bytes of code are nowhere in memory")


class Stub:
    """QEMU's gdb stub, as far as it takes to write physical memory."""

    def __init__(self, machine, path):
        machine.device.qmp("human-monitor-command", {"command-line": f"gdbserver unix:{path},server=on,wait=off"})
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.ask("Qqemu.PhyMemMode:1")

    def ask(self, packet):
        self.socket.sendall(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) % 256))
        answer = b""
        while not re.search(rb"\$.*#..$", answer):
            part = self.socket.recv(4096)
            if not part:
                raise VmError(f"QEMU's gdb stub closed at {packet[:20]}")
            answer += part
        self.socket.sendall(b"+")
        if b"$OK#" not in answer:
            raise VmError(f"QEMU's gdb stub says {answer!r} to {packet[:20]}, expected OK")

    def end(self):
        self.socket.sendall(b"$D#44")
        self.socket.recv(16)
        self.socket.close()


def wreck(machine, elf, function):
    wanted = code(elf, function)
    machine.device.qmp("stop")
    place = find(machine, wanted)
    with tempfile.TemporaryDirectory() as directory:
        stub = Stub(machine, os.path.join(directory, "gdb"))
        stub.ask(f"M{place:x},{len(wanted):x}:{'00' * len(wanted)}")
        stub.end()
    machine.device.qmp("human-monitor-command", {"command-line": "gdbserver none"})
    machine.device.qmp("cont")
