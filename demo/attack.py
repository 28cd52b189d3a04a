#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One attack on a stock kernel, first without the guard and then with it.

    demo/attack.py NAME|list

      hostile VM === link === victim                       without
      hostile VM === link === guard === link === victim    with; and meanwhile
      honest VM  === link ====/   (a disk that the client reads again and again)

The attacks are the files of tests/attacks/files; docs/attacks.md has the results of
all. The last line is `demo: OK` (exit status 0), or says what was not as it should be.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "attacks"), os.path.join(TOP, "tests", "qemu"),
                os.path.dirname(os.path.abspath(__file__))]
sys.dont_write_bytecode = True

from pair import Hub, link_arguments    # noqa: E402
from show import Show                   # noqa: E402
from stage import Stage, attacks        # noqa: E402
from vm import Vm, VmError              # noqa: E402

DISK_BYTES = 1 << 20
HONEST = "46f4:0003"
DULL = re.compile(r"cut here|Modules linked in|Hardware name")
WORDS = re.compile(r"firmware changed|^input: |hid-generic|cannot find|recv |total length|CMD_SUBMIT|"
                   r"probe of|invalid|missing|config 1|unable|must have")
READ = ("n=0; while s=$(dd if=/dev/sda bs=64k iflag=direct 2>/dev/null | sha256sum); do "
        "n=$((n+1)); echo \"read $n ${s%% *}\"; done")


class AttackError(Exception):
    """What was not as it should be."""


class GuardedStage(Stage):
    """And a second device VM "usb2" at the same guard, with an honest disk."""

    def __init__(self, disk, honest):
        super().__init__("guarded", disk=disk, modules=("uas", "sd_mod"))
        self.pair.hub.stop()
        self.pair.hub = Hub(topology="guarded", devices=("usb1", "usb2"))
        self.pair.device, self.pair.client = self.pair.make_device(), self.pair.make_client()
        self.honest = Vm("honest", memory=256, initrd=self.pair.options["initrd"],
                         modules=["xhci-pci", "usbip-host", "usbroute"],
                         args=link_arguments(self.pair.hub.socket("usb2")) +
                         # Not the hostile disk's model; at SuperSpeed it would need streams.
                         ["-device", "qemu-xhci,id=xhci,p3=0",
                          "-drive", f"if=none,id=d,format=raw,readonly=on,file={honest}",
                          "-device", "usb-uas,id=uas,bus=xhci.0",
                          "-device", "scsi-hd,bus=uas.0,scsi-id=0,lun=0,drive=d"])

    def __enter__(self):
        super().__enter__()
        try:
            self.honest.start().wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.honest.kill()
        super().__exit__()

    def read_honest(self):
        """Attach its disk and read it until the VM ends: the job."""
        self.honest.spawn("usbroute serve").wait_line("serv", 20)
        client = self.pair.client
        client.check(f"for i in $(seq 20); do usbroute attach {HONEST} && exit; sleep 1; done; exit 1",
                     40)
        client.wait_console(r"\[sda\] Attached SCSI", 30)
        # A hostile disk is not for usb-storage: the player takes it before it is asked.
        client.check("echo 60 >/sys/module/usb_storage/parameters/delay_use")
        job = client.spawn(READ)
        job.wait_line("^read 1 ", 30)
        return job


def reads(job):
    return [line.split()[1:] for line in job.output.splitlines() if line.startswith("read ")]


def tell(show, attack):
    show.step(f"The attack: {attack.name}")
    show.say(f"source: {attack.source}")
    for line in attack.lines:
        if line.startswith("# ") or line[:1] in ("<", ">"):
            show.say(line if len(line) < 100 else line[:97] + "...")


def without(show, attack, disk):
    show.step("Without the guard: one link between the two VMs")
    with Stage("direct", disk=disk) as stage:
        outcome = stage.play(attack, "direct")
    show.say(f"the {outcome.victim} VM's stock kernel: {outcome.text()}")
    for line in evidence(outcome):
        show.say("  " + line)
    return outcome


def evidence(outcome):
    """The kernel's own words, a few."""
    words = [line.split("] ", 1)[-1] for line in outcome.log]
    if outcome.bug():
        at = next(i for i, line in enumerate(words) if outcome.bug() in line)
        return [w for w in words[max(at - 2, 0):at + 5] if not DULL.search(w)]
    return [w for w in words if WORDS.search(w)][-4:]


def behind(show, attack, disk, honest):
    show.step("With the guard between them, and an honest disk of a third VM at the same guard")
    with GuardedStage(disk, honest) as stage:
        job = stage.read_honest()
        before = len(reads(job))
        outcome = stage.play(attack, "guarded")
        show.say(f"guard: {outcome.text()}")
        check_refused(show, attack, outcome)
        check_honest(show, job, before, honest)
        if stage.pair.complaints():
            raise AttackError(f"a kernel complained: {stage.pair.complaints()[0]}")
        show.say("no kernel complained")
        return outcome


def check_refused(show, attack, outcome):
    refusal = outcome.refusal() or {}
    if outcome.harm():
        raise AttackError(f"harm behind the guard: {outcome.harm()}")
    if not outcome.is_refused():
        raise AttackError(f"expected a refusal for {attack.reason}, got: {outcome.text()}")
    if refusal:
        show.say("audit: " + ", ".join(f"{k} {refusal[k]}" for k in
                                       ("event", "client", "device", "id", "reason", "field", "got",
                                        "want", "limit") if k in refusal))
    show.say("the route is severed: nothing of the refused message went on, nor anything after it")


def check_honest(show, job, before, honest):
    with open(honest, "rb") as file:
        want = hashlib.sha256(file.read()).hexdigest()
    count = len(reads(job))
    end = time.monotonic() + 20
    while len(reads(job)) < count + 2 and time.monotonic() < end and job.status is None:
        try:
            job.wait(0.2)
        except VmError:
            continue
    got = reads(job)
    if len(got) < count + 2:
        raise AttackError(f"the honest disk was read {len(got)} times, expected {count + 2}")
    wrong = [line for line in got if line[1] != want]
    if wrong:
        raise AttackError(f"reading {wrong[0][0]} of the honest disk has the sum {wrong[0][1]}, expected {want}")
    show.say(f"the honest disk: read {before} times before the attack, {len(got) - before} times "
             "since then, each time with the sum that the host's file has")


def parse(arguments):
    parser = argparse.ArgumentParser(description="One attack, without the guard and with it.")
    parser.add_argument("name", help="of a file of tests/attacks/files, or: list")
    parser.add_argument("--device", help=argparse.SUPPRESS)     # from `make demo`
    parser.add_argument("--topology", help=argparse.SUPPRESS)
    return parser.parse_args(arguments).name


def run(show, name, directory):
    chosen = attacks(name)[0]
    if chosen.never:
        raise AttackError(f"{name} is only for `make attacks`: {chosen.never}")
    paths = [os.path.join(directory, n) for n in ("disk.img", "honest.img")]
    for path in paths:
        with open(path, "wb") as out:
            out.write(os.urandom(DISK_BYTES))
    tell(show, chosen)
    first = without(show, chosen, paths[0])
    second = behind(show, chosen, *paths)
    show.result(f"without the guard: {first.text()}")
    show.result(f"with the guard: {second.text()}")
    show.result("OK")


def main(arguments):
    name = parse(arguments)
    known = {a.name: a.source for a in attacks()}
    if name == "list":
        print("\n".join(f"{n:44} {source}" for n, source in known.items()))
        return 0
    show = Show()
    if name not in known:
        show.result(f"FAILED: no attack {name}; ATTACK=list names the {len(known)} there are")
        return 1
    directory = tempfile.mkdtemp(prefix="usbroute-attack-")
    try:
        run(show, name, directory)
    except (AttackError, VmError, OSError) as error:
        show.done()
        lines = str(error).splitlines()
        show.say("\n".join(lines[1:]))
        show.result(f"FAILED in step {show.number} ({show.title}): {lines[0]}")
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
