# SPDX-License-Identifier: BSD-2-Clause
"""What a client, or who reads what the hub writes, can cost the others: nothing."""

import contextlib
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import rig
from rig import SECOND_LINK, Client, Hub, until
from tap import Skip, contains, equal, test

NOBODY = 65534


def come_and_go(hub, end):
    with Client(hub.path(end)) as client:
        client.message()


def greeted(hub, end):
    with Client(hub.path(end)) as client:
        return client.greet().id


@test("log: who connects and goes without end fills no disk, and what was left out is counted")
def _():
    rounds = 800
    with Hub(SECOND_LINK, build="release") as hub:
        began = time.monotonic()
        for _ in range(rounds):
            come_and_go(hub, "a")
        took = time.monotonic() - began
        until(lambda: told(hub, come_and_go(hub, "a")) >= 2 * rounds, "all are written or counted")
        written = hub.log().count("link desk: end A: connected") + hub.log().count("link desk: end A: gone")
        most = 1000 + 10 * (took + rig.LIMIT_S)
        assert written <= most, f"expected at most {most:.0f} lines, got {written}"
        equal(greeted(hub, "c"), 0, "id on the other link")
        hub.wait_log("link two: end A: connected")


def told(hub, _=None):
    """Events of end A in the log: written, or counted."""
    lines = [line for line in hub.log().splitlines() if "link desk: end A: " in line]
    left = [re.search(r"(\d+) lines left out", line) for line in lines]
    return len(lines) + sum(int(found[1]) - 1 for found in left if found)


class Stalled(Hub):
    """A hub whose log is a pipe that the test reads when it likes."""

    def __init__(self):
        folder = tempfile.mkdtemp(prefix="ur-hub-")
        pipe = os.path.join(folder, "log")
        os.mkfifo(pipe)
        super().__init__(SECOND_LINK, build="release", folder=folder,
                         wrap=("sh", "-c", f'exec "$0" "$@" 2>{pipe}'))
        self.made, self.pipe = folder, os.open(pipe, os.O_RDONLY)

    def ready(self):
        while "ready: " not in self.take():
            pass
        return self

    def take(self):
        return os.read(self.pipe, 1 << 16).decode()

    def close_pipe(self):
        if self.pipe >= 0:
            os.close(self.pipe)
        self.pipe = -1

    def remove(self):
        self.close_pipe()
        super().remove()


@test("log: nobody reads it: the hub goes on, and says later how many lines were lost")
def _():
    with Stalled() as hub:
        for _ in range(490):    # two lines each, of some 80 bytes; a pipe has 64 KiB
            come_and_go(hub, "a")
        equal(greeted(hub, "c"), 0, "id on the other link")
        hub.take()
        equal(greeted(hub, "c"), 0, "id once more")
        contains(hub.take(), "lines lost: nobody read", "log")


@test("log: its reader is gone: the hub goes on")
def _():
    with Stalled() as hub:
        hub.close_pipe()
        for _ in range(3):
            equal(greeted(hub, "c"), 0, "id")
        equal(hub.process.poll(), None, "the hub's end")


def as_nobody(descriptors):
    """Without any right of root's; skips where nobody may not even start a hub."""
    wrap = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
            "prlimit", f"--nofile={descriptors}")
    if os.geteuid() or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv, to start a hub without rights")
    if subprocess.run([*wrap, rig.HUB["release"], "--version"], capture_output=True, check=False).returncode:
        raise Skip("nobody may not read the hub's program here")
    return wrap


@test("descriptors: who comes and goes without reading keeps its place, and uses up nobody else's")
def _():
    with tempfile.TemporaryDirectory(prefix="ur-hub-") as folder:
        os.chown(folder, NOBODY, NOBODY)
        with Hub(SECOND_LINK, build="release", folder=folder, wrap=as_nobody(40)) as hub:
            used = hub.descriptors()
            with contextlib.ExitStack() as stack:
                many = [stack.enter_context(talk_unread(hub, "a")) for _ in range(30)]
                equal(greeted(hub, "c"), 0, "id on the other link")
                contains(hub.wait_log("has yet to read", 29), "refused: pid", "log")
                for client in many[1:]:
                    equal(client.message(), (-errno.EBUSY, None), "what those after the first read")
                equal(len(many[0].greet().greeting), 5, "what the first reads at last")
                equal(many[0].message(), None, "and then")
                equal(greeted(hub, "a"), 0, "id of who comes now")
            hub.wait_log("gone", 3)
            until(lambda: hub.descriptors() == used, "no descriptor is lost")


def talk_unread(hub, end):
    """A client that talks, so it is dropped, and has read nothing of what it was told."""
    client = Client(hub.path(end))
    client.socket.recv(8, socket.MSG_PEEK)
    with contextlib.suppress(BrokenPipeError):  # it was refused, and may be closed by now
        client.socket.send(b"x")
    return client


@test("hostile: a blocked doorbell does not stop a hub that was started with SIGALRM blocked")
def _():
    import protocol     # pylint: disable=import-outside-toplevel
    block = ("import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); "
             "os.execvp(sys.argv[1], sys.argv[1:])")
    with Hub(build="release", wrap=(sys.executable, "-c", block, *protocol.slowed("fcntl"))) as hub:
        protocol.flag_cleared_between(hub)
