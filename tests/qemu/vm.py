# SPDX-License-Identifier: BSD-2-Clause
"""QEMU guests for tests and demos.

    with Vm("device", modules=["xhci-pci"], args=["-device", "qemu-xhci"]) as vm:
        vm.wait_ready()
        status, output = vm.run("cat /proc/version")

A guest boots images/init and is spoken to three ways, each a socket pair made
before QEMU starts, so that no byte is lost and no path can be too long:

    console   every line, kept in vm.console and in <logdir>/<name>.console.log
    agent     run, spawn, put, get: commands by images/agent
    QMP       qmp, wait_event

One thread per guest reads all three. Every wait has a bound; what goes wrong
raises VmError with the last console lines and the likely cause. No guest
outlives its `with`, the program's end, SIGTERM, or even a SIGKILL of it.
"""

import base64
import json
import os
import re
import selectors
import shlex
import socket
import subprocess
import sys
import threading
import time

import alive

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD_DIR", "build"))

# What differs between the guests' processors. The agent has a serial port of
# its own, because the kernel writes on the console whenever it likes. qemu64
# with mitigations=off copies and calls several times faster under TCG than max.
# With rdrand its random numbers are ready at the start; without, Linux patches
# getrandom() when they are, some half a minute later, and TCG with two processors
# can go on with the instruction that it was, for ever (seen with QEMU 7.2).
ARCHES = {
    "amd64": {
        "qemu": "qemu-system-x86_64",
        "machine": "q35",
        "cpu": "qemu64,+rdrand",
        "console": "ttyS0",
        "agent": "ttyS1",
        "agent_device": ["-serial", "chardev:agent"],
        "cmdline": "mitigations=off",
    },
    "arm64": {
        "qemu": "qemu-system-aarch64",
        "machine": "virt",
        "cpu": "cortex-a72",
        "console": "ttyAMA0",
        "agent": "ttyS0",
        "agent_device": ["-device", "pci-serial,chardev=agent"],
        "cmdline": "mitigations=off",
    },
}

# What a console line means, and what to do about it.
CAUSES = [
    (r"Initramfs unpacking failed: write error",
     "the unpacked files do not fit: rootfs is a tmpfs of half the free RAM; "
     "give rootfstype=ramfs, more RAM, or a smaller image"),
    (r"Initramfs unpacking failed: read error",
     "the initramfs was cut short: take its end from the file's real size"),
    (r"Initramfs unpacking failed: invalid magic",
     "the initramfs starts elsewhere, or the kernel overlaps it: check load "
     "address + image_size"),
    (r"Initramfs unpacking failed", "the initramfs is damaged: build it again"),
    (r"VFS: Unable to mount root fs|No working init found",
     "the kernel got no initramfs, or one without /init"),
    (r"Attempted to kill init", "PID 1 ended: see what it printed before"),
    (r"Out of memory|System is deadlocked on memory", "too little RAM for this guest"),
    (r"usbroute: init failed: (.*)", "/init stopped at this step: {0}"),
    (r"Kernel panic - not syncing: (.*)", "the kernel panicked: {0}"),
]
FATAL = re.compile("Initramfs unpacking failed|Kernel panic|usbroute: init failed")
# What the kernel prints when something in it went wrong without ending it.
COMPLAINT = re.compile(
    r"\bBUG: |\bOops\b|\bWARNING: CPU|soft lockup|hung_task|blocked for more than|"
    r"general protection fault|refcount_t:|rcu: INFO: .*stall|Call Trace:")
READY = re.compile(r"usbroute: ready role=(\S+) kernel=(\S+)")
HELLO = b"\x010 hello 1 1"     # the agent's first frame
TAIL = 15  # console lines that an error carries


class VmError(Exception):
    """A guest did not do what was asked; the text says which, why and what it printed."""


def likely_cause(lines):
    """The cause of the first line of the table that matches, or None."""
    for pattern, cause in CAUSES:
        match = next(filter(None, (re.search(pattern, line) for line in lines)), None)
        if match:
            return cause.format(*match.groups())
    return None


class Job:
    """A command in a guest. `lines` is a list of (kind, text), kind "out" or "err"."""

    def __init__(self, vm, ident, command):
        self.vm, self.ident, self.command = vm, ident, command
        self.lines = []
        self.status = None
        self._parts = {"out": b"", "err": b""}

    def __repr__(self):
        return f"command `{self.command if len(self.command) < 80 else self.command[:77] + '...'}`"

    def _text(self, kind):
        return "".join(text + "\n" for k, text in self.lines if k == kind)

    @property
    def output(self):
        """All of its standard output so far, as text."""
        return self._text("out")

    @property
    def errors(self):
        """All of its standard error so far, as text."""
        return self._text("err")

    def _frame(self, kind, text):
        if kind == "exit":
            self.status = int(text)
        elif kind.endswith("+"):
            self._parts[kind[:-1]] += text
        else:
            whole, self._parts[kind] = self._parts[kind] + text, b""
            self.lines.append((kind, whole.decode("utf-8", "replace")))

    def wait(self, timeout=60, on_line=None):
        """Wait for its end: (status, output). on_line(kind, text) sees each line as it comes."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            self.vm._wait(lambda: self.status is not None or len(self.lines) > seen,
                          deadline, lambda: f"{self} did not end in {timeout} s", self)
            for kind, text in self.lines[seen:]:
                seen += 1
                if on_line:
                    on_line(kind, text)
            if self.status is not None and seen == len(self.lines):
                return self.status, self.output

    def wait_line(self, pattern, timeout=60):
        """Wait for a line (of either kind) that matches; returns the match."""
        regex = re.compile(pattern)

        def find():
            return next(filter(None, (regex.search(t) for _, t in self.lines)), None)

        self.vm._wait(lambda: find() or self.status is not None, time.monotonic() + timeout,
                      lambda: f"{self} printed no /{pattern}/ in {timeout} s", self)
        match = find()
        if not match:
            raise self.vm._error(f"{self} ended with status {self.status} "
                                 f"without printing /{pattern}/", self)
        return match

    def kill(self, sig="TERM"):
        """Send a signal to the command and all it started."""
        self.vm.run(f"kill -{sig} -$(cat /run/agent/{self.ident}.pid)")


class Vm:
    """A guest. Nothing runs before start() or `with`.

    name      its role, host name and log names
    memory    MiB
    modules   kernel modules that /init loads, in order
    cmdline   more kernel parameters
    args      more QEMU arguments
    core      host processor to run on, or None
    agent     "port": on a serial port of its own; "console": on the console; None
    rootfs    rootfstype: "ramfs", or "tmpfs", the kernel's own choice
    pass_fds  descriptors that args name
    """

    def __init__(self, name, *, arch="amd64", memory=256, smp=1, kernel=None, initrd=None,
                 modules=(), cmdline="", args=(), core=None, rootfs="ramfs", cpu=None,
                 machine=None, logdir=None, pass_fds=(), check_fits=True, agent="port"):
        guest = os.path.join(BUILD, "guest", arch)
        self.name, self.arch, self.memory, self.smp = name, arch, memory, smp
        self.kernel = kernel or os.path.join(guest, "vmlinuz")
        self.initrd = initrd or os.path.join(guest, "initramfs.cpio.gz")
        self.modules, self.cmdline, self.args = list(modules), cmdline, list(args)
        self.core, self.rootfs, self.pass_fds = core, rootfs, tuple(pass_fds)
        self.check_fits, self.agent = check_fits, agent
        self.platform = dict(ARCHES[arch])
        self.platform.update({k: v for k, v in (("cpu", cpu), ("machine", machine)) if v})
        script = os.path.splitext(os.path.basename(sys.argv[0] or "python"))[0]
        self.logdir = logdir or os.path.join(BUILD, "log", script)
        self.console = []           # complete lines
        self.events = []            # QMP events nobody waited for yet
        self.ready = None           # the READY line's match
        self.exit_status = None     # of QEMU
        self.process = None
        self._cv = threading.Condition()
        self._jobs, self._next_id = {}, 1
        self._answers, self._qmp_open = {}, False
        self._broken = None         # why nothing more can be expected of it
        self._buffers = {}
        self._thread = None

    # ---- life

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Check that the image fits, start QEMU, return self. Does not wait for the boot."""
        if self.check_fits:
            self._check_fits()
        if alive.is_over():
            raise VmError(f"vm {self.name}: not started: the program ends")
        alive.catch_signals()
        os.makedirs(self.logdir, exist_ok=True)
        pairs = {k: socket.socketpair() for k in ("console", "agent", "qmp")}
        self._sockets = {k: pair[0] for k, pair in pairs.items()}
        command = self._command({k: pair[1].fileno() for k, pair in pairs.items()})
        started = threading.Event()
        self._thread = threading.Thread(target=self._main, args=(command, pairs, started),
                                        name=f"vm-{self.name}", daemon=True)
        self._thread.start()
        started.wait()
        if self.process is None:
            raise VmError(f"vm {self.name}: {self._broken}")
        return self

    def kill(self):
        """End it now, if it runs, and wait until it is gone. May be called twice."""
        if self.process is not None and self.exit_status is None:
            self.process.kill()
        if self._thread is not None:
            self._thread.join()

    def poweroff(self, timeout=30):
        """Power it off from inside and wait until QEMU has ended."""
        self.spawn("poweroff -f")
        self.wait_exit(timeout)

    def wait_exit(self, timeout=30):
        """Wait until QEMU ends by itself; returns its exit status."""
        with self._cv:
            if not self._cv.wait_for(lambda: self.exit_status is not None, timeout):
                raise self._error(f"QEMU still runs after {timeout} s")
        return self.exit_status

    # ---- the guest's words

    def wait_ready(self, timeout=120):
        """Wait for /init's READY line."""
        self._wait(lambda: self.ready, time.monotonic() + timeout,
                   lambda: f"no READY line in {timeout} s")
        return self

    def wait_console(self, pattern, timeout=60, start=0):
        """Wait for a console line that matches, from line number `start`; returns the match."""
        regex = re.compile(pattern)

        def find():
            return next(filter(None, (regex.search(s) for s in self.console[start:])), None)

        self._wait(find, time.monotonic() + timeout,
                   lambda: f"no /{pattern}/ on the console in {timeout} s")
        return find()

    def complaints(self):
        """Console lines that tell of a bug in the kernel."""
        return [line for line in list(self.console) if COMPLAINT.search(line)]

    # ---- commands

    def spawn(self, command):
        """Start a shell command and return its Job at once."""
        with self._cv:
            ident = str(self._next_id)
            self._next_id += 1
            job = self._jobs[ident] = Job(self, ident, command)
        self._send("console" if self.agent == "console" else "agent",
                   b"%s %s\n" % (ident.encode(), base64.b64encode(command.encode())))
        return job

    def run(self, command, timeout=60, on_line=None):
        """Run a shell command: (exit status, its standard output)."""
        return self.spawn(command).wait(timeout, on_line)

    def check(self, command, timeout=60, on_line=None):
        """Run a shell command that must succeed: its standard output."""
        job = self.spawn(command)
        status, output = job.wait(timeout, on_line)
        if status != 0:
            raise self._error(f"{job} ended with status {status}, not 0", job)
        return output

    def put(self, path, data, mode="644"):
        """Write bytes to a file of the guest."""
        path = shlex.quote(path)
        self.check(f": >{path}")
        for i in range(0, len(data), 24576):
            piece = base64.b64encode(data[i:i + 24576]).decode()
            self.check(f"echo {piece} | base64 -d >>{path}")
        self.check(f"chmod {mode} {path}")

    def get(self, path, timeout=60):
        """The bytes of a file of the guest."""
        return base64.b64decode(self.check(f"base64 {shlex.quote(path)}", timeout))

    # ---- QMP

    def qmp(self, execute, arguments=None, timeout=30, **more):
        """Execute a QMP command and return its "return"; its error raises VmError."""
        ident = object()
        message = {"execute": execute, "id": f"{execute}-{id(ident)}"}
        message["arguments"] = dict(arguments or {}, **more)
        deadline = time.monotonic() + timeout
        self._wait(lambda: self._qmp_open, deadline, lambda: f"no QMP greeting in {timeout} s",
                   alive=True)
        self._send("qmp", json.dumps(message).encode() + b"\n")
        self._wait(lambda: message["id"] in self._answers, deadline,
                   lambda: f"QMP {execute}: no answer in {timeout} s", alive=True)
        answer = self._answers.pop(message["id"])
        if "error" in answer:
            raise VmError(f"vm {self.name}: QMP {execute} {message['arguments']}: "
                          f"{answer['error'].get('desc')}")
        return answer["return"]

    def wait_event(self, name, timeout=30, **data):
        """Wait for a QMP event whose data holds all of `data`; takes and returns it."""
        found = []

        def take():
            for event in self.events:
                wanted = event["event"] == name and all(
                    event.get("data", {}).get(k) == v for k, v in data.items())
                if wanted and not found:
                    found.append(event)
                    self.events.remove(event)
                    break
            return found

        self._wait(take, time.monotonic() + timeout,
                   lambda: f"no QMP event {name} {data or ''} in {timeout} s", alive=True)
        return found[0]

    # ---- starting QEMU

    def _check_fits(self):
        result = subprocess.run(
            [os.path.join(TOP, "images", "fits"), self.kernel, self.initrd,
             str(self.memory), self.rootfs], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode:
            raise VmError(f"vm {self.name}: not started: {result.stdout.strip()}")

    def _cmdline(self):
        words = [f"console={self.platform['console']}", "panic=-1", f"ur.role={self.name}",
                 self.platform["cmdline"]]
        if self.agent:
            tty = "console" if self.agent == "console" else "agent"
            words.append(f"ur.agent={self.platform[tty]}")
        if self.rootfs != "tmpfs":
            words.append(f"rootfstype={self.rootfs}")
        if self.modules:
            words.append("ur.modules=" + ",".join(self.modules))
        words += [f"usbroute.{k[3:].lower()}={v}" for k, v in os.environ.items() if "UR_FIRST" in k]
        return " ".join(words + ([self.cmdline] if self.cmdline else []))

    def _command(self, fds):
        thread = "multi" if self.smp > 1 else "single"
        command = [
            self.platform["qemu"], "-name", self.name, "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-nic", "none",
            "-accel", f"tcg,thread={thread}", "-machine", self.platform["machine"],
            "-cpu", self.platform["cpu"], "-smp", str(self.smp), "-m", f"{self.memory}M",
            "-kernel", self.kernel, "-initrd", self.initrd, "-append", self._cmdline()]
        for name, fd in fds.items():
            command += ["-chardev", f"socket,id={name},fd={fd}"]
        command += ["-serial", "chardev:console"]
        command += self.platform["agent_device"] if self.agent == "port" else []
        command += ["-mon", "chardev=qmp,mode=control"]
        # This program's death takes QEMU along, even a SIGKILL, even one just now.
        return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c",
                f'[ $PPID = {os.getpid()} ] && exec "$@"', "sh"] + command + self.args

    def _spawn_qemu(self, command, fds):
        old = os.sched_getaffinity(0)
        if self.core is not None:
            os.sched_setaffinity(0, {self.core})
        try:
            with open(self._log("qemu"), "wb") as log:
                return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, pass_fds=tuple(fds) + self.pass_fds)
        finally:
            os.sched_setaffinity(0, old)

    def _log(self, what):
        return os.path.join(self.logdir, f"{self.name}.{what}.log")

    # ---- the thread that reads. QEMU is its child: the parent-death signal
    # comes when this thread ends, not when the thread that called start() does.

    def _main(self, command, pairs, started):
        try:
            self.process = self._spawn_qemu(command, [p[1].fileno() for p in pairs.values()])
            alive.running.add(self)
        except OSError as error:
            self._broken = f"cannot start {command[0]}: {error}"
            return
        finally:
            for pair in pairs.values():
                pair[1].close()
            started.set()
        try:
            self._read_all()
        finally:
            status = self._reap()
            with self._cv:
                self.exit_status = status
                self._cv.notify_all()
            for sock in self._sockets.values():
                sock.close()
            alive.running.discard(self)

    def _reap(self):
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _read_all(self):
        """Until QEMU has ended and all it wrote is read."""
        with selectors.DefaultSelector() as selector, open(self._log("console"), "wb") as log:
            for name, sock in self._sockets.items():
                sock.settimeout(30)
                selector.register(sock, selectors.EVENT_READ, name)
            while selector.get_map():
                for key, _ in selector.select():
                    data = _recv(key.fileobj)
                    if not data:
                        selector.unregister(key.fileobj)
                        continue
                    if key.data == "console":
                        log.write(data)
                        log.flush()
                    self._take(key.data, data)

    def _take(self, name, data):
        *lines, self._buffers[name] = (self._buffers.get(name, b"") + data).split(b"\n")
        handle = getattr(self, f"_on_{name}")
        with self._cv:
            for line in lines:
                handle(line)
            self._cv.notify_all()

    def _on_console(self, raw):
        if self.agent == "console" and b"\x01" in raw:
            return self._on_agent(raw)
        line = raw.decode("utf-8", "replace").rstrip("\r")
        line = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)
        self.console.append(line)
        self.ready = self.ready or READY.search(line)
        if FATAL.search(line) and not self._broken:
            self._broken = line
        return None

    def _on_agent(self, raw):
        fields = raw.partition(b"\x01")[2].split(b" ", 3)
        if len(fields) < 4 or raw.endswith(HELLO):  # behind the frame that a reset cut
            return
        ident, kind, length, text = fields
        job = self._jobs.get(ident.decode("ascii", "replace"))
        if length != b"%d" % len(text):
            self._broken = f"damaged frame from the agent: {raw!r}"
        elif job and kind in (b"out", b"out+", b"err", b"err+", b"exit"):
            job._frame(kind.decode(), text)

    def _on_qmp(self, raw):
        message = json.loads(raw)
        if "QMP" in message:
            self._send("qmp", b'{"execute": "qmp_capabilities", "id": "hello"}\n')
        elif message.get("id") == "hello":
            self._qmp_open = True
        elif "event" in message:
            self.events.append(message)
        else:
            self._answers[message.get("id")] = message

    # ---- waiting, and saying what went wrong

    def _send(self, name, data):
        try:
            self._sockets[name].sendall(data)
        except OSError as error:
            ended = self.exit_status is not None
            raise self._error(f"QEMU ended (status {self.exit_status})" if ended else
                              f"cannot write to its {name}: {error}") from error

    def _wait(self, done, deadline, what, job=None, alive=False):
        """Wait until done() or the deadline. A dead or broken guest ends the wait early
        (a broken one not, where only QEMU is asked: alive)."""

        def over():
            return self.exit_status is not None or (self._broken and not alive)

        with self._cv:
            self._cv.wait_for(lambda: done() or over(), max(0, deadline - time.monotonic()))
            if done():
                return
            if self.exit_status is not None:
                raise self._error(f"QEMU ended (status {self.exit_status})", job)
            raise self._error(self._broken if over() else what(), job)

    def _error(self, what, job=None):
        text = [f"vm {self.name}: {what}"]
        if job and job.lines:
            text += ["last lines of the command:"]
            text += [f"  {kind}: {line}" for kind, line in job.lines[-TAIL:]]
        qemu = self._qemu_words()
        if qemu:
            text += ["QEMU says:"] + ["  " + line for line in qemu]
        text += ["last console lines:"] + ["  " + line for line in self.console[-TAIL:]]
        cause = likely_cause(self.console + qemu)
        if cause:
            text += [f"likely cause: {cause}"]
        return VmError("\n".join(text))

    def _qemu_words(self):
        try:
            with open(self._log("qemu"), encoding="utf-8", errors="replace") as log:
                return log.read().splitlines()[-5:]
        except OSError:
            return []


class Cable:
    """A network cable between two guests, for the TCP baseline; nothing of the host is on it.

        with Cable(pcap="x.pcap") as cable:
            a = Vm("a", args=cable.args[0], pass_fds=cable.fds[0])
            b = Vm("b", args=cable.args[1], pass_fds=cable.fds[1])

    The guest sees a virtio-net device. Start both before leaving the `with`.
    """

    def __init__(self, pcap=None):
        self._ends = socket.socketpair()
        self.fds = [(end.fileno(),) for end in self._ends]
        self.args = [self._end_args(i, pcap if i == 0 else None) for i in (0, 1)]

    def _end_args(self, i, pcap):
        args = ["-netdev", f"stream,id=net,server=off,addr.type=fd,addr.str={self.fds[i][0]}",
                "-device", f"virtio-net-pci,netdev=net,romfile=,mac=52:54:00:00:00:0{i + 1}"]
        if pcap:
            args += ["-object", f"filter-dump,id=dump,netdev=net,file={pcap}"]
        return args

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self._ends:
            end.close()


def _recv(sock):
    try:
        return sock.recv(65536)
    except OSError:
        return b""
