# SPDX-License-Identifier: BSD-2-Clause
"""
The hub with real QEMUs. No guest runs: a test pokes the devices itself.

    test -- qtest, QMP -- QEMU a -- ivshmem-doorbell -- a.sock --+
                                                          usbroute-hub
    test -- qtest, QMP -- QEMU b -- ivshmem-doorbell -- b.sock --+
"""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess

from rig import EPOCH, EPOCH_LAST, LIMIT_S, SIZE, Client, Hub
from tap import Skip, contains, equal, test

PROGRAM = "qemu-system-x86_64"
IVSHMEM = (0x1AF4, 0x1110)
REGISTERS, MEMORY = 0xE0000000, 0xE8000000 # where we put BAR 0 and BAR 2
IV_POSITION, DOORBELL = REGISTERS + 8, REGISTERS + 12


class Lines:
    """One of QEMU's sockets, line by line. `theirs` is for QEMU to inherit."""

    def __init__(self):
        self.socket, self.theirs = socket.socketpair()
        self.socket.settimeout(LIMIT_S)
        self.stream = self.socket.makefile("r")

    def chardev(self, name):
        return ["-chardev", f"socket,fd={self.theirs.fileno()},id={name}"]

    def say(self, line):
        self.socket.sendall((line + "\n").encode())

    def hear(self):
        return self.stream.readline()

    def close(self):
        self.stream.close()
        self.socket.close()
        self.theirs.close()


class Qemu:
    """One VM on one end of the hub's link. Its processor stays stopped."""

    def __init__(self, hub, end):
        if not shutil.which(PROGRAM):
            raise Skip(f"no {PROGRAM}")
        self.qmp, self.qtest = Lines(), Lines()
        command = [PROGRAM, "-accel", "tcg", "-S", "-nodefaults", "-display",
                   "none", "-m", "16", *self.qmp.chardev("q"), "-mon",
                   "chardev=q,mode=control", *self.qtest.chardev("t"),
                   "-object", "qtest,id=q0,chardev=t,log=/dev/null",
                   "-chardev", f"socket,path={hub.path(end)},id=c",
                   "-device", "ivshmem-doorbell,vectors=1,chardev=c"]
        # Freed memory is overwritten: a use of it is then not survived.
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True,
            pass_fds=[c.theirs.fileno() for c in (self.qmp, self.qtest)],
            env={**os.environ, "MALLOC_PERTURB_": "165"})
        self.qmp.theirs.close()
        self.qtest.theirs.close()

    def start(self):
        self.qmp.hear()
        self.ask("qmp_capabilities")
        self.bars = self.find_bars()
        self.enable()

    def ask(self, command):
        self.qmp.say(json.dumps({"execute": command}))
        while True:
            answer = json.loads(self.qmp.hear() or '{"error": "QEMU is gone"}')
            if "error" in answer:
                raise AssertionError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def find_bars(self):
        for device in self.ask("query-pci")[0]["devices"]:
            if (device["id"]["vendor"], device["id"]["device"]) == IVSHMEM:
                self.slot = device["slot"]
                return {r["bar"]: r["size"] for r in device["regions"]}
        raise AssertionError("no ivshmem device in query-pci")

    def poke(self, command):
        self.qtest.say(command)
        answer = self.qtest.hear().split()
        if answer[:1] != ["OK"]:
            raise AssertionError(f"{command}: expected OK, got {answer!r}")
        return int(answer[1], 0) if len(answer) > 1 else 0

    def config(self, register, value):
        where = 0x80000000 | self.slot << 11 | register
        self.poke(f"outl 0xcf8 {where:#x}")
        self.poke(f"outl 0xcfc {value:#x}")

    def enable(self):
        """What firmware and driver would do: two BARs, memory decoding."""
        self.config(0x10, REGISTERS)
        self.config(0x18, MEMORY)
        self.config(0x1C, 0)
        self.config(0x04, 0x2)

    def load(self, address):
        return self.poke(f"readl {address:#x}")

    def store(self, address, value):
        self.poke(f"writel {address:#x} {value:#x}")

    def end(self, number=None):
        """Exit status; by QMP `quit`, or by a signal."""
        if number:
            self.process.send_signal(number)
        elif self.process.poll() is None:
            self.ask("quit")
        return self.process.wait(LIMIT_S)

    def __enter__(self):
        try:
            self.start()
        except Exception as error:
            self.process.kill()
            said = self.process.stderr.read()
            self.__exit__()
            raise AssertionError(f"QEMU did not start: {said!r}") from error
        return self

    def __exit__(self, *_):
        self.qmp.close()
        self.qtest.close()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def outbox(end, offset, size=SIZE):
    return MEMORY + end * (size // 2) + offset


@test("qemu: two start on a link and their devices have the region as BAR 2")
def _():
    with Hub(size="4M", build="release") as hub:
        with Qemu(hub, "a") as a, Qemu(hub, "b") as b:
            for vm in (a, b):
                equal((vm.bars[0], vm.bars[2]), (256, 4 << 20), "BARs")
            equal((a.end(), b.end()), (0, 0), "exit status")
        hub.wait_log("gone", 2)


@test("qemu: positions 0 and 1, shared memory, doorbells both ways")
def _():
    with Hub() as hub:
        with Qemu(hub, "a") as a, Client(hub.path("b")) as b:
            b.greet()
            equal(a.load(IV_POSITION), 0, "position of A")
            a.store(outbox(0, EPOCH), 42)
            a.store(DOORBELL, 1 << 16 | 0)
            equal(b.wait_bell(), 1, "bell of B")
            equal(b.load(0, EPOCH), 42, "epoch of A as B sees it")
            b.store(1, EPOCH, 43)
            equal(a.load(outbox(1, EPOCH)), 43, "epoch of B as A sees it")
    with Hub() as hub:
        with Client(hub.path("a")) as a, Qemu(hub, "b") as b:
            a.greet()
            equal(b.load(IV_POSITION), 1, "position of B")
            b.store(DOORBELL, 0 << 16 | 0)
            equal(a.wait_bell(), 1, "bell of A")


@test("qemu: a second one on the same end does not start and says why")
def _():
    with Hub(build="release") as hub, Qemu(hub, "a") as a:
        done = subprocess.run(
            [PROGRAM, "-accel", "tcg", "-S", "-nodefaults", "-display", "none",
             "-chardev", f"socket,path={hub.path('a')},id=c",
             "-device", "ivshmem-doorbell,chardev=c"],
            capture_output=True, text=True, timeout=LIMIT_S, check=False)
        equal(done.returncode, 1, f"exit status with {done.stderr!r}")
        contains(done.stderr, f"server sent version {-errno.EBUSY}", "QEMU")
        contains(hub.wait_log("refused"), f"taken by pid {a.process.pid} ", "log")
        equal(a.end(), 0, "exit status of the first")


@test("qemu: killed and back five times, and the survivor lives and can ring it")
def _():
    with Hub() as hub, Qemu(hub, "a") as a:
        for life in range(1, 6):
            with Qemu(hub, "b") as b:
                equal(b.load(outbox(1, EPOCH)), 0, f"epoch before life {life}")
                equal(b.load(outbox(1, EPOCH_LAST)), life - 1, "its last one")
                b.store(outbox(1, EPOCH), life)
                b.store(outbox(1, EPOCH_LAST), life)
                equal(a.load(outbox(1, EPOCH)), life, "epoch as A sees it")
                equal(b.end(signal.SIGKILL), -signal.SIGKILL, "its end")
            hub.wait_log(f"epoch {life} is down")
            equal(a.load(outbox(1, EPOCH)), 0, "epoch when B is dead")
        with Client(hub.path("b")) as b:
            b.greet()
            while b.wait_bell(0):
                pass
            a.store(DOORBELL, 1 << 16 | 0)
            equal(b.wait_bell(), 1, "A's doorbell still reaches B")
        equal(a.end(), 0, "exit status of the survivor")
        equal(a.process.stderr.read(), "", "what the survivor complained of")


@test("qemu: a link that is up outlives the hub")
def _():
    with Hub() as hub, Qemu(hub, "a") as a, Client(hub.path("b")) as b:
        b.greet()
        equal(hub.stop(), 0, "exit status of the hub")
        a.store(outbox(0, EPOCH), 42)
        a.store(DOORBELL, 1 << 16 | 0)
        equal(b.wait_bell(), 1, "bell of B")
        equal(b.load(0, EPOCH), 42, "epoch of A as B sees it")
        equal(a.end(), 0, "exit status of A")
