# SPDX-License-Identifier: BSD-2-Clause
"""What a client gets, and what its death does."""

import errno
import fcntl
import os
import select
import shutil
import signal
import socket
import struct

from rig import EPOCH, EPOCH_LAST, SECOND_LINK, Client, Hub, until
from tap import Skip, contains, equal, test


def greet(hub, end):
    return Client(hub.path(end)).greet()


def first_message(hub, end):
    with Client(hub.path(end)) as client:
        return client.message()


def slowed(call):
    """A wrapper that holds the hub for 0.3 s after each system call `call`."""
    if not shutil.which("strace"):
        raise Skip("no strace to slow the hub down with")
    # -D: the hub, not strace, is our child and gets our signals.
    return ("strace", "-D", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:delay_exit=300000")


@test("greeting: version, own id, memory, peer's bell, own bell, nothing more")
def _():
    with Hub() as hub:
        for end, own in (("a", 0), ("b", 1)):
            with greet(hub, end) as client:
                has_fd = [(m[0], m[1] is not None) for m in client.greeting]
                equal(has_fd, [(0, False), (own, False), (-1, True),
                               (1 - own, True), (own, True)], f"end {end}")
                equal(client.is_silent(), True, "silence after the greeting")


@test("greeting: the build without sanitizers says the same")
def _():
    with Hub(build="release") as hub, greet(hub, "b") as client:
        equal([m[0] for m in client.greeting], [0, 1, -1, 0, 1], "ids")


@test("memory: exact size, zero, sealed against another size")
def _():
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    for text, size in (("64K", 1 << 16), ("16M", 1 << 24), ("1G", 1 << 30)):
        with Hub(size=text) as hub, greet(hub, "a") as client:
            equal(os.fstat(client.memory_fd).st_size, size, text)
            equal(fcntl.fcntl(client.memory_fd, fcntl.F_GET_SEALS), seals,
                  "seals")
            equal(client.memory[:4096], bytes(4096), "first page")
            for other in (size - 4096, size + 4096):
                try:
                    os.ftruncate(client.memory_fd, other)
                except PermissionError:
                    continue
                raise AssertionError(f"size {size} could become {other}")


@test("memory: both ends see the same")
def _():
    with Hub() as hub, greet(hub, "a") as a, greet(hub, "b") as b:
        a.store(0, 0x1000, 0x12345678)
        b.store(1, 0x1000, 0x9ABCDEF0)
        equal(b.load(0, 0x1000), 0x12345678, "A's word as B sees it")
        equal(a.load(1, 0x1000), 0x9ABCDEF0, "B's word as A sees it")


@test("doorbells: each end wakes the other and not itself")
def _():
    with Hub() as hub, greet(hub, "a") as a, greet(hub, "b") as b:
        for ringer, sleeper in ((a, b), (b, a)):
            ringer.ring_peer()
            equal(sleeper.wait_bell(), 1, f"bell of {sleeper.id}")
            equal(ringer.wait_bell(0), 0, f"bell of {ringer.id}")


@test("doorbells: a ring for a peer that comes later is kept")
def _():
    with Hub() as hub, greet(hub, "a") as a:
        a.ring_peer()
        with greet(hub, "b") as b:
            equal(b.wait_bell(), 1, "bell of B")


@test("refused: a second client of an end that is taken")
def _():
    with Hub() as hub, greet(hub, "a") as first:
        with Client(hub.path("a")) as second:
            equal(second.message(), (-errno.EBUSY, None), "its version")
            equal(second.message(), None, "what else it reads")
        line = hub.wait_log("refused")
        for part in ("link desk", "end A", f"pid {os.getpid()}",
                     f"taken by pid {os.getpid()}"):
            contains(line, part, "log")
        equal(first.is_silent(), True, "the first client stays")
        equal(len(hub.lines), 3, "log lines")


@test("death: epoch of the dead end is 0, and nothing else changed")
def _():
    for dying, living in (("a", "b"), ("b", "a")):
        with Hub() as hub, greet(hub, dying) as client, \
                greet(hub, living) as other:
            end = client.id
            for offset in range(0, 0x100, 4):
                other.store(0, offset, 0x100 + offset)
                other.store(1, offset, 0x200 + offset)
            before = bytearray(other.memory[:])
            client.hang_up()
            equal(other.wait_bell(), 1, "bell of the survivor")
            equal(client.wait_bell(0), 0, "bell of the dead end")
            equal(other.load(end, EPOCH), 0, "epoch of the dead end")
            struct.pack_into("<I", before, other.word_at(end, EPOCH), 0)
            equal(bytes(other.memory[:]) == bytes(before), True,
                  "every other byte as it was")
            contains(hub.wait_log(f"end {'AB'[end]}: gone"),
                     f"epoch {(0x100, 0x200)[end] + EPOCH} is down", "log")


@test("death: the survivor's connection says nothing, for QEMU's sake")
def _():
    with Hub() as hub, greet(hub, "a") as a:
        for round_number in range(3):
            with greet(hub, "b"):
                pass
            hub.wait_log("gone", round_number + 1)
            equal(a.is_silent(), True, "A's connection")


@test("death: down before the doorbell rings")
def _():
    # The hub is held when its write to the doorbell returns, so a store that
    # comes after it comes too late.
    with Hub(build="release", wrap=slowed("write")) as hub:
        with greet(hub, "a") as a, greet(hub, "b") as b:
            a.store(0, EPOCH, 7)
            a.hang_up()
            equal(b.wait_bell(), 1, "bell of B")
            equal(b.load(0, EPOCH), 0, "epoch of A when B wakes")


@test("death: a client that is killed is a client that is gone")
def _():
    with Hub() as hub, greet(hub, "b") as b:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            client = greet(hub, "a")
            client.store(0, EPOCH, 9)
            os.write(tell, b"!")
            signal.pause()
        equal(os.read(told, 1), b"!", "the child")
        os.kill(child, signal.SIGKILL)
        equal(b.wait_bell(), 1, "bell of B")
        equal(b.load(0, EPOCH), 0, "epoch of A")
        contains(hub.wait_log("gone"), f"pid {child} ", "log")
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)


@test("return: same id, same memory, old epoch down, 200 times without a pause")
def _():
    with Hub() as hub, greet(hub, "a") as keeper:
        for epoch in range(1, 201):
            with greet(hub, "b") as b:
                equal(b.id, 1, "id")
                equal(b.load(1, EPOCH), 0, f"epoch of B in round {epoch}")
                equal(b.load(1, EPOCH_LAST), epoch - 1, "word of the one before")
                b.store(1, EPOCH, epoch)
                b.store(1, EPOCH_LAST, epoch)
        hub.wait_log("gone", 200)
        equal("refused" in hub.log(), False, "a refusal in the log")
        equal(keeper.load(1, EPOCH_LAST), 200, "last word of B")


@test("return: a bell that the survivor held before still wakes the new one")
def _():
    with Hub() as hub, greet(hub, "a") as a:
        with greet(hub, "b"):
            pass
        hub.wait_log("gone")
        with greet(hub, "b") as b:
            a.wait_bell()
            a.ring_peer()
            equal(b.wait_bell(), 1, "bell of B")
            b.ring_peer()
            equal(a.wait_bell(), 1, "bell of A")


@test("dropped: a client that talks, and a descriptor that it sends")
def _():
    with Hub() as hub:
        before = hub.descriptors()
        with greet(hub, "a") as a, greet(hub, "b") as b:
            a.store(0, EPOCH, 5)
            socket.send_fds(a.socket, [b"hello"], [0])
            equal(a.message(), None, "A's connection ends")
            equal(b.wait_bell(), 1, "bell of B")
            equal(b.load(0, EPOCH), 0, "epoch of A")
        contains(hub.wait_log("end A: gone"), "it sent something", "log")
        hub.wait_log("gone", 2)
        equal(hub.descriptors(), before, "descriptors of the hub")


@test("dropped: a client that says it will send no more")
def _():
    with Hub() as hub, greet(hub, "a") as a:
        a.socket.shutdown(socket.SHUT_WR)
        equal(a.message(), None, "A's connection ends")


@test("a client that never reads holds up nobody and gets its greeting late")
def _():
    with Hub(SECOND_LINK) as hub, Client(hub.path("a")) as lazy:
        hub.wait_log("connected")
        with greet(hub, "b") as b, greet(hub, "c") as c, greet(hub, "d") as d:
            for _ in range(1000):
                b.ring_peer()
            c.ring_peer()
            equal(d.wait_bell(), 1, "bell of the other link")
            for _ in range(20):
                equal(first_message(hub, "a"), (-errno.EBUSY, None), "A")
        hub.wait_log("gone", 3)
        lazy.greet()
        equal(lazy.wait_bell(), 1001, "bell of A: B's rings and its death")


def fill_bell(bell):
    """The next write waits, unless the hub sees to it."""
    fcntl.fcntl(bell, fcntl.F_SETFL, 0)
    flags = fcntl.fcntl(bell, fcntl.F_GETFL)
    equal(flags & os.O_NONBLOCK, 0, "O_NONBLOCK of the bell")
    if select.select([bell], [], [], 0)[0]:
        os.read(bell, 8)
    os.write(bell, struct.pack("=Q", 2**64 - 2))


@test("hostile: a full doorbell that would block does not stop the hub")
def _():
    with Hub(SECOND_LINK) as hub, greet(hub, "b") as b:
        a = greet(hub, "a")
        fill_bell(b.bells[1])
        a.store(0, EPOCH, 3)
        a.close()
        hub.wait_log("gone")
        equal(b.load(0, EPOCH), 0, "epoch of A")
        with greet(hub, "c"):
            pass


@test("hostile: nor one whose O_NONBLOCK is cleared between flag and write")
def _():
    with Hub(build="release", wrap=slowed("fcntl")) as hub:
        flag_cleared_between(hub)


def flag_cleared_between(hub):
    """The hub is held when its fcntl returns, and the flag cleared then."""
    with greet(hub, "b") as b:
        bell = b.bells[1]
        a = greet(hub, "a")
        fill_bell(bell)
        a.close()
        until(lambda: fcntl.fcntl(bell, fcntl.F_GETFL) & os.O_NONBLOCK, "the hub sets O_NONBLOCK")
        fcntl.fcntl(bell, fcntl.F_SETFL, 0)
        hub.wait_log("gone")
        with greet(hub, "a"):
            pass
