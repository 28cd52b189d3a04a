#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of images/init, images/agent and tests/qemu/vm.py, in guests. TAP.

What images/fits and /init's checks prevent is first brought about for real, in
Debian's kernel, to see that it says what CAUSES and the checks claim.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", d) for d in ("", "qemu")]
from tap import Skip, contains, equal, run, test  # noqa: E402
from vm import BUILD, Vm, VmError  # noqa: E402

GUEST = os.path.join(BUILD, "guest", "amd64")
INITRAMFS = os.path.join(GUEST, "initramfs.cpio.gz")
WORK = tempfile.mkdtemp(prefix="guests-")


def fails(function, *parts):
    """The VmError that function must raise, which must hold every part."""
    try:
        function()
    except VmError as error:
        for part in parts:
            contains(str(error), part, "error")
        return str(error)
    raise AssertionError(f"no VmError; expected one with {parts}")


def boot_fails(*parts, **more):
    with Vm("broken", **more) as vm:
        return fails(lambda: vm.wait_ready(90), "last console lines:", *parts)


def mkinitramfs(name, *options):
    out = os.path.join(WORK, name)
    subprocess.run([os.path.join(TOP, "images", "mkinitramfs"), GUEST, out, *options], check=True)
    return out


# ---- the archive and the kernel


@test("too little RAM for tmpfs: refused before the boot, with the cure")
def _():
    with open(os.path.join(WORK, "ballast"), "wb") as file:
        file.truncate(110 << 20)
    large = mkinitramfs("large.gz", "-f", WORK + "/ballast:/ballast")
    vm = Vm("broken", initrd=large, memory=256, rootfs="tmpfs")
    fails(vm.start, "not started", "write error", "rootfstype=ramfs", "RAM is 256 MiB")
    equal(vm.process, None, "QEMU")


@test("the same without the check: Debian's kernel says 'write error'")
def _():
    boot_fails("Initramfs unpacking failed: write error", "likely cause: the unpacked files",
               initrd=WORK + "/large.gz", memory=256, rootfs="tmpfs", check_fits=False)


@test("the same with the cure, rootfstype=ramfs: passes the check and boots")
def _():
    with Vm("large", initrd=WORK + "/large.gz", memory=256, rootfs="ramfs") as vm:
        vm.wait_ready()
        equal(vm.check("wc -c </ballast"), f"{110 << 20}\n", "ballast")


@test("an archive cut short: refused by the check; the kernel says 'read error'")
def _():
    cut = os.path.join(WORK, "cut.gz")
    with open(INITRAMFS, "rb") as whole, open(cut, "wb") as part:
        part.write(whole.read(os.path.getsize(INITRAMFS) * 2 // 3))
    fails(Vm("broken", initrd=cut).start, "is damaged", "read error")
    boot_fails("Initramfs unpacking failed: read error", "likely cause: the initramfs was cut",
               initrd=cut, check_fits=False)


@test("/init: an uncompressed archive with a file of zeros stops at the checksums")
def _():
    out = mkinitramfs("zeros.gz", "-m", "usb-storage")
    root = out + ".root"
    version = os.listdir(root + "/lib/modules")[0]
    victim = f"lib/modules/{version}/modules.dep"
    with open(f"{root}/{victim}", "rb+") as file:
        length = len(file.read())
        file.seek(0)
        file.write(bytes(length))
    plain = os.path.join(WORK, "zeros.cpio")
    with open(plain, "wb") as file:
        subprocess.run("find . | cpio --quiet -o -H newc", shell=True, cwd=root, stdout=file,
                       check=True)
    fails(Vm("broken", initrd=plain).start, "not gzip'd")
    boot_fails(f"init failed: checksums: ./{victim}: FAILED", "stopped at this step",
               initrd=plain, check_fits=False)


@test("/init: names a module that it cannot load")
def _():
    boot_fails("init failed: module no_such_one", modules=["usb-storage", "no_such_one"])


@test("a kernel panic ends QEMU, and the error says so")
def _():
    with Vm("panics") as vm:
        vm.wait_ready()
        vm.spawn("echo c >/proc/sysrq-trigger")
        fails(lambda: vm.wait_console("never printed"), "Kernel panic - not syncing: sysrq",
              "likely cause: the kernel panicked")
        vm.wait_exit()
        fails(lambda: vm.run("true"), "panic")
        equal(any("Call Trace" in line for line in vm.complaints()), True, "complaints")


# ---- one guest for all that needs nothing special

guest = Vm("agent", modules=["xhci-pci", "usbhid", "hid-generic"], core=0,
           args=["-device", "qemu-xhci,id=xhci"])


@test("a guest boots to READY, on the processor it was given, without a complaint")
def _():
    guest.start().wait_ready()
    equal(guest.ready.group(1), "agent", "role")
    with open(GUEST + "/version", encoding="ascii") as file:
        equal(guest.ready.group(2), file.read().strip(), "kernel")
    equal(os.sched_getaffinity(guest.process.pid), {0}, "processors of QEMU")
    equal(guest.complaints(), [], "complaints")
    equal(guest.check("hostname; ls -d /sys/module/xhci_pci"), "agent\n/sys/module/xhci_pci\n",
          "host name and module")
    equal(guest.check("ls /sys/class/net"), "lo\n", "network devices")


@test("agent: status, output and errors stay apart")
def _():
    for status in (0, 1, 42, 255):
        equal(guest.run(f"echo out; echo err >&2; exit {status}"), (status, "out\n"), "run")
    job = guest.spawn("echo a; echo b >&2; kill -9 $$")
    equal((job.wait(), job.errors[:2]), ((137, "a\n"), "b\n"), "killed")
    equal(guest.run("if")[0], 2, "a syntax error")
    text = fails(lambda: guest.check("echo why >&2; exit 3"), "status 3, not 0", "err: why")
    contains(text, "vm agent: command `echo why", "error")


@test("agent: bytes come through: long lines, UTF-8, control characters, no newline at the end")
def _():
    long = "0123456789" * 1000
    equal(guest.check(f"echo {long}; echo {long[:700]}; echo {long[:701]}"),
          f"{long}\n{long[:700]}\n{long[:701]}\n", "long lines")
    equal(guest.check(r"printf 'h\303\251\tx\001 out 3\n\r\n\n last'"),
          "h\u00e9\tx\x01 out 3\n\r\n\n last\n", "odd bytes")
    equal(guest.check("cat", timeout=10), "", "standard input is empty")
    equal(guest.check("echo '" + "x" * 20000 + "' | wc -c"), "20001\n", "a long command")


@test("agent: ten commands side by side, none loses or mixes a line")
def _():
    jobs = [guest.spawn(f"for i in $(seq 100); do echo {k} $i; echo {k} >&2; done; exit {k}")
            for k in range(10)]
    for k, job in enumerate(jobs):
        wanted = "".join(f"{k} {i + 1}\n" for i in range(100))
        equal(job.wait(), (k, wanted), f"job {k}")
        equal(job.errors, f"{k}\n" * 100, f"errors of job {k}")
    long = [guest.spawn(f"yes {str(k) * 9000} | head -n 20") for k in range(4)]
    for k, job in enumerate(long):
        equal(job.wait(), (0, (str(k) * 9000 + "\n") * 20), f"long lines of job {k}")


@test("agent: lines arrive as they are printed; kill ends the command and its children")
def _():
    job = guest.spawn("echo first; sleep 1000 | sleep 1000")
    job.wait_line("first", 10)
    equal(job.status, None, "status while it runs")
    job.kill()
    equal(job.wait(10)[0], 143, "status after kill")
    seen = []
    guest.run("echo 1; echo 2 >&2; sleep 0.2; echo 3", on_line=lambda *line: seen.append(line))
    equal(sorted(seen), [("err", "2"), ("out", "1"), ("out", "3")], "lines seen")
    fails(lambda: guest.spawn("echo x; exit 4").wait_line("y", 10), "status 4", "/y/")


@test("a wait has a bound, and its error tells the last lines")
def _():
    start = time.monotonic()
    fails(lambda: guest.run("echo working; sleep 5", timeout=1), "did not end in 1 s",
          "out: working", "usbroute: ready role=agent")
    fails(lambda: guest.wait_console("never", 1), "no /never/ on the console in 1 s")
    fails(lambda: guest.wait_event("NEVER", 1), "no QMP event NEVER")
    equal(time.monotonic() - start < 10, True, "time of three waits of 1 s")


@test("put and get carry any bytes")
def _():
    data = bytes(range(256)) * 120
    guest.put("/tmp/a file", data, "755")
    equal(guest.get("/tmp/a file") == data, True, "same bytes")
    equal(guest.check("stat -c %a '/tmp/a file'"), "755\n", "mode")


@test("QMP: answers, errors, events; a keyboard comes and goes")
def _():
    equal(guest.qmp("query-status")["status"], "running", "status")
    fails(lambda: guest.qmp("no-such-command"), "QMP no-such-command", "not been found")
    start = len(guest.console)
    guest.qmp("device_add", driver="usb-kbd", id="kbd")
    guest.wait_console("hid-generic .*Keyboard", start=start)
    guest.qmp("device_del", {"id": "kbd"})
    equal(guest.wait_event("DEVICE_DELETED", device="kbd")["data"]["device"], "kbd", "event")
    guest.wait_console("USB disconnect", start=start)


@test("poweroff ends QEMU with status 0, and a wait for a dead guest says so at once")
def _():
    guest.poweroff()
    equal(guest.exit_status, 0, "status of QEMU")
    start = time.monotonic()
    fails(lambda: guest.wait_console("never", 30), "QEMU ended (status 0)")
    fails(lambda: guest.qmp("query-status"), "QEMU ended")
    equal(time.monotonic() - start < 5, True, "at once")


@test("the agent works on the console too")
def _():
    with Vm("console", agent="console") as vm:
        vm.wait_ready()
        noisy = vm.spawn("for i in $(seq 50); do echo \"<5>noise $i\" >/dev/kmsg; done")
        wanted = "".join(f"{i + 1}\n" for i in range(200))
        equal(vm.check("seq 200"), wanted, "lines")
        equal(noisy.wait(), (0, ""), "the other command")


# ---- QEMU's process


@test("QEMU that cannot start: the error holds its words")
def _():
    with Vm("broken", args=["-device", "no-such-device"]) as vm:
        fails(vm.wait_ready, "QEMU ended (status 1)", "no-such-device")
    with Vm("broken", arch="amd64", machine="no-such-machine") as vm:
        fails(vm.wait_ready, "QEMU ended (status 1)", "unsupported machine")


def gone(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


PROGRAM = """
import signal, sys, time
# Whoever starts tests in the background of a script has it ignored, and so have its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from vm import Vm
with Vm("orphan", check_fits=False) as vm:
    print(vm.process.pid, flush=True)
    time.sleep(60)
"""


@test("no QEMU outlives its program: SIGTERM, SIGINT, even SIGKILL")
def _():
    for sig, status in ((signal.SIGTERM, 143), (signal.SIGINT, None), (signal.SIGKILL, -9)):
        program = subprocess.Popen([sys.executable, "-c", PROGRAM, TOP + "/tests/qemu"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        pid = int(program.stdout.readline())
        equal(gone(pid), False, "QEMU runs")
        program.send_signal(sig)
        got = program.wait(20)
        program.stdout.close()
        equal(got if status else None, status, f"exit status after {sig.name}")
        deadline = time.monotonic() + 10
        while not gone(pid) and time.monotonic() < deadline:
            time.sleep(0.05)  # a process that is not our child ends without an event for us
        equal(gone(pid), True, f"QEMU has ended after {sig.name}")


@test("arm64: the same image, agent and harness")
def _():
    image = os.path.join(BUILD, "guest", "arm64", "initramfs.cpio.gz")
    if not os.path.exists(image):
        raise Skip("no arm64 image; `make images ARCH=arm64` makes it")
    if not shutil.which("qemu-system-aarch64"):
        raise Skip("no qemu-system-aarch64")
    with Vm("arm", arch="arm64", modules=["xhci-pci", "usb-storage"]) as vm:
        vm.wait_ready()
        equal(vm.check("uname -m"), "aarch64\n", "machine")
        equal(vm.complaints(), [], "complaints")
        vm.poweroff()


if __name__ == "__main__":
    try:
        sys.exit(run())
    finally:
        guest.kill()
        shutil.rmtree(WORK)
