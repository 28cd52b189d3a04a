#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make demo`, each device and each way it has to fail, as tests.

      device VM (QEMU's model) === link === client VM (the check that fits it)
"""

import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap      # noqa: E402
from tap import equal, test  # noqa: E402

DEMOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo")
DEMO = os.path.join(DEMOS, "demo.py")


def demo(*arguments, program=DEMO):
    """(status, lines) of the demo."""
    done = subprocess.run([sys.executable, program, *arguments], text=True, check=False, timeout=240,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.splitlines()


def works(*arguments, program=DEMO):
    status, lines = demo(*arguments, program=program)
    for line in lines:
        if line.startswith("demo:") or "throughput" in line:
            print(f"# {line.strip()}")
    equal((status, lines[-1]), (0, "demo: OK"), "\n".join(lines[-25:]))
    return lines


def sums(lines):
    found = [re.match(r"demo: (client|host  ) sha256 ([0-9a-f]{64})$", line) for line in lines]
    return [m.group(2) for m in found if m]


@test("storage: read whole, written, verified")
def storage():
    lines = works()
    got = sums(lines)
    equal((len(got), len(set(got))), (2, 1), "sums")
    assert any(re.match(r"demo: written 1048576 verified on the image after detach", x) for x in lines)


@test("storage by Debian's usbip and usbipd, under the preload library")
def stock_tools():
    got = sums(works("--tools", "stock"))
    equal((len(got), len(set(got))), (2, 1), "sums")


@test("uas")
def uas():
    works("--device", "uas")


@test("keyboard: keys pressed through QMP arrive as input events")
def keyboard():
    works("--device", "keyboard")


@test("mouse")
def mouse():
    works("--device", "mouse")


@test("tablet")
def tablet():
    works("--device", "tablet")


@test("serial: bytes cross both ways")
def serial():
    works("--device", "serial")


@test("audio: sound played in the client is in QEMU's wav file")
def audio():
    works("--device", "audio")


@test("storage and sound through the guard: each by the rule that is for it")
def guarded():
    for device, rule in (("storage", "08:06:50"), ("audio", "01:*:*")):
        lines = works("--topology", "guarded", "--device", device)
        rules = [line for line in lines if line.strip().startswith("rule, guarded.rules line ")]
        equal(len(rules), 1, f"rules shown for {device}")
        assert rule in rules[0], f"expected the rule for {rule}, got {rules[0]!r}"


@test("ATTACK=storage-becomes-keyboard: it types into a stock kernel; behind the guard it is refused, and a disk reads on")
def attack():
    lines = works("storage-becomes-keyboard", program=os.path.join(DEMOS, "attack.py"))
    assert any(re.match(r"demo: without the guard: a keyboard is bound and types \d+ keys", x) for x in lines)
    assert "demo: with the guard: refused: pinned" in lines, lines[-5:]


@test("A given image of 1 MiB, no file system: works, and is not modified")
def small_image():
    with tempfile.NamedTemporaryFile() as image:
        data = os.urandom(1 << 20)
        image.write(data)
        image.flush()
        works("--disk", image.name)
        with open(image.name, "rb") as after:
            assert after.read() == data, "the given image was modified"


def refuses(pattern, *arguments):
    status, lines = demo(*arguments)
    equal(status, 1, "status")
    assert re.search(pattern, lines[-1]), f"expected /{pattern}/, got {lines[-1]!r}"


@test("Images that are missing, too small, odd, or that WRITE=1 would damage")
def bad_images():
    with tempfile.NamedTemporaryFile() as image:
        refuses(r"FAILED in step 1 .*No such file", "--disk", image.name + ".missing")
        image.truncate((1 << 20) - 512)
        refuses(r"1048064 bytes, expected at least 1048576", "--disk", image.name)
        image.truncate((1 << 20) + 100)
        refuses(r"1048676 bytes, expected a multiple of 512", "--disk", image.name)
        image.truncate(1 << 20)
        refuses(r"WRITE=1: none of .* would damage", "--disk", image.name, "--write")


def qemu_of(parent, word):
    """The process id of the demo's QEMU whose command line has `word`."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as command, open(f"/proc/{pid}/stat", "rb") as stat:
                mine = int(stat.read().rpartition(b")")[2].split()[1]) == parent
                if mine and word in command.read():
                    return int(pid)
        except OSError:
            continue
    raise AssertionError(f"the demo has no QEMU with {word!r}")


@test("The device VM dies in the middle: the last line names the step, before it the console")
def dies():
    with subprocess.Popen([sys.executable, DEMO], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith("[5]"):
                os.kill(qemu_of(process.pid, b"qemu-xhci"), signal.SIGKILL)
        status = process.wait(60)
    equal(status, 1, "status")
    assert lines[-1].startswith("demo: FAILED in step 5 (The client VM reads the whole disk):"), lines[-1]
    assert any("device VM.s last console lines, and QEMU has ended (status -9)" in x.replace("'", ".") for x in lines), "\n".join(lines)
    print("# " + lines[-1])


if __name__ == "__main__":
    sys.exit(tap.run())
