#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that nobody changed, over rings between two processes.

    shim.py LIBRARY TALK TALK-TSAN DEVICE

      server, USBROUTE_LISTEN=file  ===  the file: two outboxes  ===  client, USBROUTE_PEERS=peer=file

UR_SHIM_MIB is how much nc and socat move each way (64; make check-shim-long: 1024).
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap  # noqa: E402
from tap import Skip, contains, equal, test  # noqa: E402

PAGE = os.path.join(HERE, "..", "..", "man", "usbroute-preload.7")
SHIM = os.path.join(HERE, "..", "..", "guest", "shim")
MIB = int(os.environ.get("UR_SHIM_MIB", "64"))
LIMIT = 60 + MIB


def find(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"no {program}: install the package {package}")
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


class Place:
    """A folder with the region, and the environments of its two ends."""

    def __init__(self, library, directory):
        self.path = os.path.join(directory, "link")
        self.directory = directory
        clean = {k: v for k, v in os.environ.items() if not k.startswith("USBROUTE_")}
        self.plain = clean
        self.server = dict(clean, LD_PRELOAD=library, USBROUTE_LISTEN=self.path)
        self.client = dict(clean, LD_PRELOAD=library, USBROUTE_PEERS=f"peer={self.path}")
        self.both = dict(self.server, USBROUTE_PEERS=f"peer={self.path}")

    def file(self, name):
        return os.path.join(self.directory, name)

    def run(self, command, env=None, stdin=None, stdout=subprocess.PIPE):
        return subprocess.run(command, env=env or self.client, stdin=stdin or subprocess.DEVNULL,
                              stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=LIMIT,
                              check=False)

    @contextlib.contextmanager
    def serving(self, command, env=None, **streams):
        process = subprocess.Popen(command, env=env or self.server, text=True,
                                   stderr=subprocess.PIPE,
                                   **dict(dict(stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL), **streams))
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@contextlib.contextmanager
def place(library):
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="usbroute-shim-", dir=shm) as directory:
        yield Place(library, directory)


def talk(program, host, env):
    done = subprocess.run([program, host, free_port()], env=env, text=True, timeout=LIMIT * 3,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    for line in done.stdout.splitlines():
        if not line.startswith(("ok", "1..", "usbroute-preload:")):
            print("# " + line.removeprefix("not ").removeprefix("# "))
    plan = int(re.match(r"1\.\.(\d+)", done.stdout).group(1))
    equal(done.stdout.count("\nok "), plan, "cases that hold")
    equal(done.returncode, 0, "exit status")
    return done.stdout


@test("what TCP does: every case holds on the kernel's own sockets")
def _(a):
    talk(a.talk, "127.0.0.1", dict(os.environ))


@test("the same cases over a ring, and what it refuses is said")
def _(a):
    with place(a.library) as p:
        out = talk(a.talk, "peer", p.both)
    for part in ("not handed through fork", "not handed through exec of /bin/false",
                 "does not survive an exec", "sendfile: not for a ring"):
        contains(out, part, "what it says")


@test("the same, under ThreadSanitizer")
def _(a):
    with place(a.library) as p:
        env = {k: v for k, v in p.both.items() if k != "LD_PRELOAD"}
        out = talk(a.tsan, "peer", env)
    assert "ThreadSanitizer" not in out, out


@test("who asks for an end that is taken is told so")
def _(a):
    with place(a.library) as p, p.serving([a.device], stdout=subprocess.PIPE) as device:
        device.stdout.readline()
        done = p.run([a.device], env=p.server)
        equal(done.returncode, 1, "exit status")
        contains(done.stderr, f"end B of {p.path} is taken by another process", "what it says")
        done = p.run([a.device, "3240"], env=dict(p.server, USBROUTE_LISTEN="/dev/usbroute77"))
        contains(done.stderr, "/dev/usbroute77: No such file or directory", "what it says")


@test("the library stands before what the man page says, and before nothing else")
def _(a):
    nm = subprocess.run(["nm", "-D", "--defined-only", a.library], capture_output=True, text=True,
                        check=True)
    has = {line.split()[-1] for line in nm.stdout.splitlines()}
    plain = {re.sub(r"^__(.*)_chk$|^(.*?)64(v2)?$", lambda m: m[1] or m[2] + ("2" if m[3] else ""), name)
             for name in has}
    with open(PAGE, encoding="utf-8") as file:
        page = " ".join(file.read().split())
    said = set()
    for pattern in (r"as on a TCP socket, blocking or not: (.*?); with", r"Intercepted for that: (.*?), which"):
        said |= set(re.findall(r"[a-z]\w+", re.sub(r"\(.*?\)|and ", "", re.search(pattern, page)[1])))
    equal((sorted(plain - said), sorted(said - plain)), ([], []),
          "names that only the library has, and only usbroute-preload(7)")
    used = subprocess.run(["nm", "-u", a.talk], capture_output=True, text=True, check=True).stdout
    for name in has:
        if name.startswith("__"):
            contains(used, name, "what talk calls")


@test("systemd takes the drop-in for usbipd's unit")
def _(a):
    analyze = find("systemd-analyze", "systemd")
    with place(a.library) as p:
        unit = p.file("usbipd.service")
        shutil.copytree(os.path.join(SHIM, "usbipd.service.d"), unit + ".d")
        with open(unit, "w", encoding="utf-8") as out:
            out.write(f"[Unit]\nDescription=x\n[Service]\nExecStart={sys.executable}\n")
        done = p.run([analyze, "verify", "--man=no", unit], env=p.plain)
        said = [line for line in done.stderr.splitlines() if "usbipd.service" in line]
        equal((done.returncode, said), (0, []), "systemd-analyze verify")


# ---- variables

CALL = """
import socket
sock = socket.create_connection(("peer", 5000))
sock.sendall(b"hello\\n")
"""
SERVE = """
import socket, sys
at, kept = socket.create_server(("", 5000)), []
print("listens", flush=True)
while True:
    kept.append(at.accept()[0])
    if sys.argv[1] == "reads":
        print(kept.pop().recv(100).decode(), end="", flush=True)
"""


@contextlib.contextmanager
def listening(p, mode, env=None):
    with p.serving([sys.executable, "-c", SERVE, mode], env=env, stdout=subprocess.PIPE) as server:
        equal(server.stdout.readline(), "listens\n", "server")
        yield server


def timed_call(p, **variables):
    start = time.monotonic()
    done = p.run([sys.executable, "-c", CALL], env=dict(p.client, **variables))
    return done, time.monotonic() - start


def refuse_values(p, variable):
    with listening(p, "reads"):
        for text in ("", "-1", "3600001", "2s"):
            done = timed_call(p, **{variable: text})[0]
            equal(done.returncode, 0, "exit status: the default holds")
            contains(done.stderr, f"{variable}: got '{text}', expected 0 to 3600000", "what it says")


@test("USBROUTE_CONNECT_MS: how long a connect waits for nobody")
def _(a):
    with place(a.library) as p:
        for text, least, most in (("0", 0, 4), ("900", 0.9, 5)):
            done, seconds = timed_call(p, USBROUTE_CONNECT_MS=text)
            equal(done.returncode, 1, "exit status")
            assert least <= seconds < most, f"{text} ms took {seconds:.2f} s"
        refuse_values(p, "USBROUTE_CONNECT_MS")


@test("USBROUTE_LINGER_MS: how long an exit waits for a peer that does not read")
def _(a):
    with place(a.library) as p:
        with listening(p, "keeps"):
            for text, least, most in (("0", 0, 4), ("900", 0.9, 5)):
                done, seconds = timed_call(p, USBROUTE_LINGER_MS=text)
                equal(done.returncode, 0, "exit status")
                contains(done.stderr, f"has not read all in {text} ms (USBROUTE_LINGER_MS)",
                         "what it says")
                assert least <= seconds < most, f"{text} ms took {seconds:.2f} s"
        refuse_values(p, "USBROUTE_LINGER_MS")


@test("path@a and path@b: which end a process takes")
def _(a):
    with place(a.library) as p:
        with listening(p, "reads", dict(p.server, USBROUTE_LISTEN=p.path + "@a")) as server:
            done = timed_call(p)[0]
            contains(done.stderr, f"end A of {p.path} is taken by another process", "what it says")
            done = timed_call(p, USBROUTE_PEERS=f"peer={p.path}@b")[0]
            equal((done.returncode, done.stderr), (0, ""), "client")
            equal(server.stdout.readline(), "hello\n", "what came")


# ---- stock usbip, and a client of our own, with emulated devices


def usbip_lines(done):
    return done.returncode, done.stdout, done.stderr


@test("stock usbip list and attach say over a ring what they say over TCP")
def _(a):
    usbip, port = find("usbip", "usbip"), free_port()
    commands = (["list", "-r"], ["attach", "-b", "1-2", "-r"], ["attach", "-b", "9-9", "-r"])
    with place(a.library) as p:
        with p.serving([a.device, port], env=p.plain, stdout=subprocess.PIPE) as device:
            device.stdout.readline()
            want = [usbip_lines(p.run([usbip, "--tcp-port", port, *c, "127.0.0.1"], env=p.plain))
                    for c in commands]
        with p.serving([a.device, port], stdout=subprocess.PIPE) as device:
            device.stdout.readline()
            got = [usbip_lines(p.run([usbip, "--tcp-port", port, *c, "peer"])) for c in commands]
    for ring, tcp in zip(got, want):
        equal(ring, (tcp[0],) + tuple(x.replace("127.0.0.1", "peer") for x in tcp[1:]), "usbip")
    contains(got[0][1], "1-3: ", "list")


@test("a full import of each emulated device, over TCP and over a ring")
def _(a):
    client = [sys.executable, os.path.join(HERE, "client.py")]
    port = free_port()
    with place(a.library) as p:
        with p.serving([a.device, port], env=p.plain, stdout=subprocess.PIPE) as device:
            device.stdout.readline()
            done = p.run(client + ["127.0.0.1", port], env=p.plain)
            equal((done.returncode, done.stdout), (0, "client: OK\n"), done.stderr)
        with p.serving([a.device], stdout=subprocess.PIPE) as device:
            device.stdout.readline()
            done = p.run(client + ["peer", "3240"])
            equal((done.returncode, done.stdout), (0, "client: OK\n"), done.stderr)


# ---- bytes


def make_file(path):
    with open(path, "wb") as out:
        for _ in range(MIB):
            out.write(os.urandom(1 << 20))


def same(p, start):
    status = subprocess.run(["cmp", p.file("in"), p.file("out")], capture_output=True, text=True,
                            check=False)
    equal((status.returncode, status.stdout), (0, ""), "the two files")
    print(f"# {MIB} MiB in {time.monotonic() - start:.2f} s")


def carry(a, server, client, upwards):
    """The server's or the client's standard input is the file; the other's output is compared."""
    with place(a.library) as p:
        make_file(p.file("in"))
        with open(p.file("in"), "rb") as source, open(p.file("out"), "wb") as sink:
            start = time.monotonic()
            streams = dict(stdout=sink) if upwards else dict(stdin=source)
            with p.serving(server, **streams) as process:
                done = p.run(client, stdin=source if upwards else None,
                             stdout=subprocess.PIPE if upwards else sink)
                equal((done.returncode, done.stderr), (0, ""), "client")
                equal(process.wait(LIMIT), 0, "server's exit status")
        same(p, start)


@test("nc carries a file to the server")
def _(a):
    nc = find("nc.openbsd", "netcat-openbsd")
    carry(a, [nc, "-l", "5000"], [nc, "-N", "peer", "5000"], True)


@test("nc carries a file to the client")
def _(a):
    nc = find("nc.openbsd", "netcat-openbsd")
    carry(a, [nc, "-N", "-l", "5000"], [nc, "-d", "peer", "5000"], False)


@test("socat carries a file to the server")
def _(a):
    socat = find("socat", "socat")
    carry(a, [socat, "-u", "TCP-LISTEN:5001", "-"], [socat, "-u", "-", "TCP:peer:5001"], True)


@test("socat carries a file to the client")
def _(a):
    socat = find("socat", "socat")
    carry(a, [socat, "-u", "-", "TCP-LISTEN:5001"], [socat, "-u", "TCP:peer:5001", "-"], False)


def iperf(a, more):
    program = find("iperf3", "iperf3")
    with place(a.library) as p:
        with p.serving([program, "-s", "-1", "--forceflush"], stdout=subprocess.PIPE) as server:
            for line in server.stdout:
                if "listening on" in line:
                    break
            done = p.run([program, "-c", "peer", "-t", "1", "-f", "m"] + more)
            equal((done.returncode, done.stderr), (0, ""), "iperf3")
            equal(server.wait(20), 0, "its server's exit status")
    lines = [x for x in done.stdout.splitlines() if "receiver" in x]
    rate = re.search(r"([\d.]+) Mbits/sec", lines[-1])
    assert rate and float(rate.group(1)) > 100, done.stdout
    print(f"# iperf3 {' '.join(more)}: {rate.group(0)}")


@test("iperf3, one stream")
def _(a):
    iperf(a, [])


@test("iperf3, three streams, reversed")
def _(a):
    iperf(a, ["-R", "-P", "3"])


@test("iperf3, both ways")
def _(a):
    iperf(a, ["--bidir"])


class Arguments:
    def __init__(self, words):
        self.library, self.talk, self.tsan, self.device = map(os.path.abspath, words)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(tap.run(Arguments(sys.argv[1:])))
