#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The hub while its allocations fail, one after the other.

    hub.py HUB LIBRARY USBROUTE     HUB is built with fail.c

    test -- Client a --- a.sock ---+   +--- b.sock --- Client b -- test
                                usbroute-hub (its nth allocation fails)
    test -- client1 ---- socket ---+   +--- socket --- usb1 ------ test
                                   guard

A hub that starts has the whole configuration: nobody gets in at link two, and the
guard lets through what its policy allows.
"""
import contextlib
import errno
import os
import subprocess
import sys
import tempfile

import fail

fail.use("hub")

import rig  # noqa: E402
import tap  # noqa: E402
import vms  # noqa: E402
from rig import EPOCH, SECOND_LINK, Client, Hub  # noqa: E402
from tap import contains, equal, test  # noqa: E402
from vms import ClientVm, Device, DeviceVm  # noqa: E402

# A line longer than what is read at first, and the last of the file.
NOBODY = "allow-uid =" + "".join(f" {4000000000 + i}" for i in range(16))
LEAST = 20
GUARD_LEAST = 20
USBROUTE = {"path": None}
RULES = 'allow id 46f4:0001 label "to=client1"\n'
GUARD = """[guard]
policy = POLICY
audit = {dir}/audit
[client.client1]
socket = {dir}/client1.sock
size = 1M
[device.usb1]
socket = {dir}/usb1.sock
size = 1M
"""


def is_refused(answer):
    """The protocol's version is 0, a refusal is a negative errno."""
    return answer is not None and answer[0] < 0


def enter(hub, name, failed):
    """A client that is in; the first one to try may be the victim of a failure."""
    before = failed()
    client = Client(hub.path(name))
    answer = client.message()
    if is_refused(answer) and failed() and not before:
        client.close()
        client = Client(hub.path(name))
        answer = client.message()
    equal(answer, (0, None), f"end {name}: first message, {hub.log()!r}")
    client.greeting = [answer] + [client.message() for _ in range(4)]
    equal(client.greeting[1], (" ab".index(name) - 1, None), "id")
    return client


def use(hub, failed):
    """Two clients come, one leaves, another comes in its place."""
    with enter(hub, "a", failed) as a:
        a.memory_fd, a.id = a.greeting[2][1], 0
        a.bells = {m[0]: m[1] for m in a.greeting[3:]}
        a.memory = rig.mmap.mmap(a.memory_fd, 0)
        a.store(1, EPOCH, 77)
        enter(hub, "b", failed).close()
        equal(a.wait_bell() > 0, True, "the survivor is rung")
        equal(a.load(1, EPOCH), 0, "epoch of the end that left")
        enter(hub, "b", failed).close()
    with Client(hub.path("c")) as stranger:
        answer = stranger.message()
        equal(answer is not None and answer[0] in (-errno.EACCES, -errno.EMFILE), True,
              f"a stranger's first message {answer}")


def check_end(hub, failed, status):
    equal(hub.wait_end(), status, f"exit status, {hub.log()!r}")
    equal("Sanitizer" in hub.log(), False, f"a finding of a sanitizer: {hub.log()}")
    left = [name for name in os.listdir(hub.folder) if name.endswith(".sock")]
    equal(left, [], "sockets that are left")
    if status:
        contains("\n".join(hub.lines[-3:]), ":", f"a reason, {failed()}")


def one(make, use, failed):
    """A hub that starts is used, and then as it was before; one that does not says why."""
    hub = make()
    try:
        rig.until(lambda: "ready: " in hub.log() or hub.process.poll() is not None,
                  "ready or ended")
        if hub.process.poll() is None:
            before = hub.descriptors()
            use(hub, failed)
            rig.until(lambda: hub.descriptors() == before, "descriptors as before")
            hub.process.terminate()
            check_end(hub, failed, 0)
        else:
            check_end(hub, failed, 1)
    finally:
        hub.remove()


@test("each allocation of the hub fails once: an error, or all is well")
def _():
    count = fail.failures(lambda environment, failed: one(
        lambda: Hub(SECOND_LINK + "\n" + NOBODY, env=environment), use, failed), LEAST)
    print(f"# {count} allocations failed, one at a time", flush=True)


# ---- with a guard

def enter_guarded(kind, hub, name, failed, *more):
    """A VM that is up; the first one to try may be the victim of a failure."""
    before = failed()
    try:
        vm = kind(hub, name, *more)
    except AssertionError:
        if before or not failed():
            raise
        vm = kind(hub, name, *more)
    return vm.wait_up()


def use_guarded(hub, failed):
    """A device VM and a client come, the client uses the device, both leave."""
    with contextlib.ExitStack() as stack:
        disk = Device("1-1", 0x46f4, 1)
        stack.enter_context(enter_guarded(DeviceVm, hub, "usb1", failed, (disk,)))
        client = stack.enter_context(enter_guarded(ClientVm, hub, "client1", failed))
        equal(client.list(), [("usb1:1-1", "46f4:0001")], "the list")
        session = client.attach("usb1:1-1").configure()
        equal(session.bulk_in(1, 512), (0, b"\1" * 512), "bulk in")
        session.close()


@test("each allocation of a hub with a guard fails once: an error, or all is well")
def _():
    with tempfile.TemporaryDirectory(prefix="ur-fail-") as folder:
        rules, table = os.path.join(folder, "rules"), os.path.join(folder, "policy")
        with open(rules, "w", encoding="ascii") as out:
            out.write(RULES)
        subprocess.run([USBROUTE["path"], "policy", "compile", rules, table], check=True)
        config = GUARD.replace("POLICY", table)
        count = fail.failures(lambda environment, failed: one(
            lambda: Hub(config=config, env=environment), use_guarded, failed), GUARD_LEAST)
    print(f"# {count} allocations failed, one at a time", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    rig.HUB["asan"], vms.LIBRARY["path"], USBROUTE["path"] = map(os.path.abspath, sys.argv[1:])
    sys.exit(tap.run())
