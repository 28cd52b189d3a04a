#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The hub while its allocations fail, one after the other.

    hub.py HUB      HUB is built with fail.c

    test -- Client a --- a.sock ---+   +--- b.sock --- Client b -- test
                                usbroute-hub (its nth allocation fails)

A hub that starts has the whole configuration: nobody gets in at link two.
"""
import errno
import os
import sys

import fail

fail.use("hub")

import rig  # noqa: E402
import tap  # noqa: E402
from rig import EPOCH, SECOND_LINK, Client, Hub  # noqa: E402
from tap import contains, equal, test  # noqa: E402

# A line longer than what is read at first, and the last of the file.
NOBODY = "allow-uid =" + "".join(f" {4000000000 + i}" for i in range(16))
LEAST = 20


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


def one(environment, failed):
    hub = Hub(SECOND_LINK + "\n" + NOBODY, env=environment)
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
    print(f"# {fail.failures(one, LEAST)} allocations failed, one at a time", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rig.HUB["asan"] = os.path.abspath(sys.argv[1])
    sys.exit(tap.run())
