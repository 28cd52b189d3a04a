# SPDX-License-Identifier: BSD-2-Clause
"""
A hub under test, and a client that speaks QEMU's side of the protocol.

    test -- Client a --- a.sock ---+     +--- b.sock --- Client b -- test
                                   usbroute-hub
                            (stderr read by a thread)
"""

import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

SECOND_LINK = "[link.two]\na = {dir}/c.sock\nb = {dir}/d.sock\nsize = 64K"

LIMIT_S = 20
EPOCH = 0x40
EPOCH_LAST = 0x4C
SIZE = 1 << 20
HUB = {"asan": None, "release": None}


class Hub:
    """
    usbroute-hub with one link "desk"; `with` stops it and checks its end.
    {dir} in extra (more lines) or config (the whole text) is its own folder.
    """
    channels = 0    # of its links; 0: the default

    def __init__(self, extra="", size="1M", build="asan", wrap=(), env=None,
                 config=None, folder=None):
        self.made = None if folder else tempfile.mkdtemp(prefix="ur-hub-")
        self.folder = folder or self.made
        self.config = os.path.join(self.folder, "hub.conf")
        self.lines, self.news = [], threading.Condition()
        with open(self.config, "w", encoding="ascii") as out:
            out.write((config or self.text(size, extra))
                      .replace("{dir}", self.folder))
        self.process = subprocess.Popen(
            [*wrap, HUB[build], "--config", self.config],
            stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @staticmethod
    def text(size, extra):
        return ("[link.desk]\na = {dir}/a.sock\nb = {dir}/b.sock\n"
                f"size = {size}\n{extra}\n")

    def path(self, name):
        return os.path.join(self.folder, name + ".sock")

    def _read(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    def log(self):
        with self.news:
            return "\n".join(self.lines)

    def wait_log(self, part, count=1):
        """Wait until `count` lines hold `part`; returns the last of them."""
        def found():
            return [line for line in self.lines if part in line]

        with self.news:
            if not self.news.wait_for(lambda: len(found()) >= count, LIMIT_S):
                raise AssertionError(
                    f"expected {count} log lines with {part!r} in {LIMIT_S} s, "
                    f"got {self.lines!r}")
            return found()[-1]

    def ready(self):
        self.wait_log("ready: ")
        return self

    def wait_end(self):
        code = self.process.wait(LIMIT_S)
        self.reader.join(LIMIT_S)
        return code

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait_end()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        try:
            return self.ready()
        except AssertionError:
            self.remove()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if self.process.poll() is None:
                self.stop()
            if kind is None:
                self.end_was_clean()
        finally:
            self.remove()

    def remove(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(LIMIT_S)
        self.process.stderr.close()
        if self.made:
            shutil.rmtree(self.made)

    def end_was_clean(self):
        """Exit status 0, and nothing that a sanitizer found."""
        if self.process.returncode != 0 or "Sanitizer" in self.log():
            raise AssertionError(f"hub ended with {self.process.returncode}: "
                                 f"{self.log()}")


class Client:
    """One end of a link. Descriptors are closed by close()."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(path)
        self.memory = None
        self.fds = []

    def message(self):
        """(id, descriptor or None), or None at the end of the stream."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 8, 4)
        except ConnectionResetError: # closed before it read what we sent
            return None
        self.fds += fds
        if not data:
            return None
        if len(data) != 8 or len(fds) > 1:
            raise AssertionError(f"expected 8 bytes and at most one "
                                 f"descriptor, got {data!r} and {fds!r}")
        return struct.unpack("<q", data)[0], fds[0] if fds else None

    def greet(self):
        """Take the greeting apart the way a driver needs it."""
        self.greeting = [self.message() for _ in range(5)]
        if None in self.greeting:
            raise AssertionError(f"expected 5 messages, got {self.greeting!r}")
        self.id = self.greeting[1][0]
        self.memory_fd = self.greeting[2][1]
        self.bells = {m[0]: m[1] for m in self.greeting[3:]}
        self.memory = mmap.mmap(self.memory_fd, 0)
        return self

    def word_at(self, end, offset):
        return end * (len(self.memory) // 2) + offset

    def load(self, end, offset):
        at = self.word_at(end, offset)
        return struct.unpack_from("<I", self.memory, at)[0]

    def store(self, end, offset, value):
        struct.pack_into("<I", self.memory, self.word_at(end, offset), value)

    def ring_peer(self):
        os.write(self.bells[1 - self.id], struct.pack("=Q", 1))

    def wait_bell(self, limit_s=LIMIT_S):
        """The count of our own doorbell, 0 when it does not ring in time."""
        own = self.bells[self.id]
        if not select.select([own], [], [], limit_s)[0]:
            return 0
        return struct.unpack("=Q", os.read(own, 8))[0]

    def is_silent(self):
        """Nothing more to read, and the connection is still there."""
        return not select.select([self.socket], [], [], 0.1)[0]

    def hang_up(self):
        self.socket.close()

    def close(self):
        self.hang_up()
        if self.memory is not None:
            self.memory.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def until(condition, what):
    """For what has no event to wait on (another process's state)."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {LIMIT_S} s: {what}")
        time.sleep(0.01)
