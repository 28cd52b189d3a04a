# SPDX-License-Identifier: BSD-2-Clause
"""Socket files, who may connect, options, signals and descriptors."""

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import tempfile
import time

import rig
from rig import EPOCH, LIMIT_S, SECOND_LINK, Client, Hub
from tap import Skip, contains, equal, test


def hub_command(*arguments):
    return subprocess.run([rig.HUB["asan"], *arguments], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=LIMIT_S, check=False)


def fails_in(folder, extra=""):
    """The log of a hub that must not come up in this folder."""
    hub = Hub(extra, folder=folder)
    try:
        equal(hub.wait_end(), 1, f"exit status with {hub.log()!r}")
        return hub.log()
    finally:
        hub.remove()


def sockets_in(folder):
    return sorted(n for n in os.listdir(folder) if n.endswith(".sock"))


def kill_hub(folder):
    hub = Hub(folder=folder).ready()
    hub.stop(signal.SIGKILL)
    hub.remove()


@test("socket: mode 0660 unless the configuration says another")
def _():
    for extra, mode in (("", 0o660), ("mode = 0600", 0o600),
                        ("mode = 777", 0o777), ("mode = 0", 0)):
        with Hub(extra) as hub:
            for end in "ab":
                found = os.stat(hub.path(end))
                equal(stat.S_IMODE(found.st_mode), mode, f"mode of {end}")
                equal(found.st_uid, os.getuid(), f"owner of {end}")


@test("socket: owner and group by name and by number")
def _():
    if os.getuid() != 0:
        raise Skip("only root can give a file away")
    with Hub("owner = 12345\ngroup = 54321") as hub:
        found = os.stat(hub.path("a"))
        equal((found.st_uid, found.st_gid), (12345, 54321), "by number")
    with Hub("owner = daemon\ngroup = daemon") as hub:
        found = os.stat(hub.path("b"))
        equal((found.st_uid, found.st_gid), (1, 1), "by name")


@test("allow-uid: who is not in it is refused, who is gets in")
def _():
    me, other = os.getuid(), os.getuid() + 1
    links = SECOND_LINK + f"\nallow-uid = {other}, {me}"
    with Hub(f"allow-uid = {other}\n{links}") as hub:
        with Client(hub.path("a")) as client:
            equal(client.message(), (-errno.EACCES, None), "a stranger's version")
            equal(client.message(), None, "what else a stranger reads")
        contains(hub.wait_log("refused"), f"uid {me}: not in allow-uid", "log")
        with Client(hub.path("c")) as client:
            client.greet()


@test("signals: TERM, INT and HUP end it with 0 and without its sockets")
def _():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Hub() as hub, Client(hub.path("a")) as client:
            client.greet().store(0, EPOCH, 5)
            equal(hub.stop(number), 0, f"exit status after {number!r}")
            equal(sockets_in(hub.folder), [], "sockets left")
            contains(hub.log(), f"signal {int(number)} ", "log")
            equal(client.message(), None, "the client's connection ends")
            equal(client.load(0, EPOCH), 5, "a living client's epoch")


@test("stale: the socket of a hub that was killed is replaced")
def _():
    with tempfile.TemporaryDirectory() as folder:
        kill_hub(folder)
        equal(sockets_in(folder), ["a.sock", "b.sock"], "sockets left")
        with Hub(folder=folder) as hub, Client(hub.path("b")) as client:
            equal(client.greet().id, 1, "id")
        equal(sockets_in(folder), [], "sockets left at the end")


@test("live: the sockets of a running hub stay its own")
def _():
    with Hub() as hub, Client(hub.path("a")) as client:
        client.greet()
        contains(fails_in(hub.folder), "another process listens there", "log")
        equal(client.is_silent(), True, "the first hub's client")
        with Client(hub.path("b")) as other:
            equal(other.greet().id, 1, "id at the first hub")


@test("foreign: what is not a socket is neither removed nor followed")
def _():
    with tempfile.TemporaryDirectory() as folder:
        kill_hub(folder)
        path = os.path.join(folder, "b.sock")
        target = os.path.join(folder, "target")
        os.rename(path, target)
        os.symlink(target, path)
        contains(fails_in(folder), "not a socket", "log for a link")
        equal(os.readlink(path), target, "the symbolic link")
        os.unlink(path)
        with open(path, "w", encoding="ascii") as out:
            out.write("precious")
        contains(fails_in(folder), "not a socket", "log for a file")
        with open(path, encoding="ascii") as back:
            equal(back.read(), "precious", "the file")
        equal(sockets_in(folder), ["b.sock"], "end a's socket is cleaned up")


@test("foreign: a file that took the place of our socket survives us")
def _():
    with Hub() as hub:
        os.unlink(hub.path("a"))
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(hub.path("a"))
            equal(hub.stop(), 0, "exit status")
            equal(sockets_in(hub.folder), ["a.sock"], "sockets left")


@test("start: when the second link fails nothing of the first is left")
def _():
    with tempfile.TemporaryDirectory() as folder:
        extra = "[link.two]\na = {dir}/c.sock\nb = {dir}/none/d.sock"
        log = fails_in(folder, extra)
        contains(log, "/none/d.sock: cannot make a socket there: No such file",
                 "log")
        equal(sockets_in(folder), [], "sockets left")


@test("descriptors: none is lost over 100 clients and 100 refusals")
def _():
    with Hub() as hub, Client(hub.path("b")) as b:
        b.greet()
        before = hub.descriptors()
        for _ in range(100):
            with Client(hub.path("a")) as a, Client(hub.path("b")) as refused:
                a.greet()
                equal(refused.message(), (-errno.EBUSY, None), "refused")
        hub.wait_log("gone", 100)
        equal(hub.descriptors(), before, "descriptors of the hub")


@test("descriptors: used up, a client is turned away and the hub sleeps")
def _():
    with Hub() as hub:
        pid = hub.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hub.descriptors(), hard))
        with Client(hub.path("a")) as a:
            equal(a.message(), (-errno.EMFILE, None), "its version")
            equal(a.message(), None, "what else it reads")
        contains(hub.wait_log("refused a connection"), "Too many open files",
                 "log")
        used = hub.processor_s()
        time.sleep(0.5) # nothing must happen: there is no event for that
        equal(hub.processor_s() - used < 0.2, True, "the hub sleeps")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        with Client(hub.path("a")) as a:
            equal(a.greet().id, 0, "id once there are descriptors again")


@test("sd_notify: READY when it listens, STOPPING at the end")
def _():
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = os.path.join(folder, "notify")
        manager.bind(path)
        manager.settimeout(LIMIT_S)
        with Hub(env={"NOTIFY_SOCKET": path}) as hub:
            contains(manager.recv(256).decode(), "READY=1", "at the start")
            with Client(hub.path("a")) as client:
                client.greet()
        contains(manager.recv(256).decode(), "STOPPING=1", "at the end")


@test("options: help and version on stdout, exit status 0")
def _():
    for option, part in (("--help", "usage: usbroute-hub"), ("-h", "--check"),
                         ("--version", "usbroute-hub "), ("-V", "hub ")):
        done = hub_command(option)
        contains(done.stdout, part, option)
        equal((done.returncode, done.stderr), (0, ""), option)


@test("options: a wrong one is exit status 2 and says which")
def _():
    for arguments, part in ((["--frob"], "--frob"), (["x"], '"x"'),
                            (["--config"], "argument"), (["-z"], "z"),
                            (["--check"], "argument")):
        done = hub_command(*arguments)
        contains(done.stderr, part, f"{arguments}")
        contains(done.stderr, "--help", f"{arguments}")
        equal((done.returncode, done.stdout), (2, ""), f"{arguments}")


@test("log: one line per event, with link, end, pid and uid")
def _():
    with Hub() as hub:
        with Client(hub.path("b")) as client:
            client.greet()
        hub.wait_log("gone")
        who = f"pid {os.getpid()} uid {os.getuid()}"
        equal(hub.lines,
              ["usbroute-hub: ready: 1 links",
               f"usbroute-hub: link desk: end B: connected: {who}",
               f"usbroute-hub: link desk: end B: gone: {who}: "
               "it closed the connection; epoch 0 is down"], "log")
