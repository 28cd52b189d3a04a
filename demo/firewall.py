# SPDX-License-Identifier: BSD-2-Clause
"""The demo's guard: the rules it was given, and what it wrote down about the device."""

import json
import os
import time

from checks import CheckError, expect

RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guarded.rules")
WAIT_S = 5


def rules():
    with open(RULES, encoding="utf-8") as text:
        return text.read()


def rule(number):
    """The rule at that line of the file."""
    return rules().splitlines()[number - 1]


def wait_records(machine, event):
    """The guard's records once there is one of that event: it writes them on its own time."""
    deadline = time.monotonic() + WAIT_S
    while not any(r["event"] == event for r in machine.audit()):
        if time.monotonic() > deadline:
            raise CheckError(f"the guard wrote no \"{event}\" record in {WAIT_S} s, only "
                             f"{[r['event'] for r in machine.audit()]}")
        time.sleep(0.05)
    return machine.audit()


def tell(show, records):
    for record in records:
        show.say(json.dumps({k: v for k, v in record.items() if k != "time"}))


def attached(show, machine):
    """The client has the device: it was judged twice, by the same rule."""
    records = wait_records(machine, "approved")
    show.say("the guard wrote down:")
    tell(show, records)
    last = records[-1]
    expect("line" in last, f"the guard approved by no rule: {last}")
    show.say(f"rule, {os.path.basename(RULES)} line {last['line']}: {rule(last['line'])}")


def detached(show, machine):
    """The route ended in order, and nothing was refused on it."""
    last = wait_records(machine, "ended")[-1]
    refused = [r for r in machine.audit() if r["event"] in ("refused", "cut", "denied")]
    expect(not refused, f"the guard refused something: {refused}")
    show.say(f"the guard let {last['to_device']} messages through to the device and "
             f"{last['to_client']} to the client")
    tell(show, [last])
