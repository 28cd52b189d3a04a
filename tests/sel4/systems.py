#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The system descriptions of sel4/: who maps what, and who can notify whom; and the size of
what has to be trusted in the guarded one; TAP.

    systems.py COMMAND...       COMMAND prints what `make lines` does

      a domain's name stands for itself, "NAME vm" for the virtual machine under it
"""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, ".."))
sys.dont_write_bytecode = True

import tap                      # noqa: E402
from tap import equal, test     # noqa: E402

CLIENT = {"client_vmm", "client vm"}
DEVICE = {"device_vmm", "device vm"}


class System:
    """maps: region -> {who: perms}. channels: pairs of domains."""

    def __init__(self, name):
        self.root = xml.parse(os.path.join(TOP, "sel4", f"{name}.system")).getroot()
        self.maps = {region.get("name"): {} for region in self.root.iter("memory_region")}
        for domain in self.root.iter("protection_domain"):
            self._take(domain, domain.get("name"))
            for machine in domain.iter("virtual_machine"):
                self._take(machine, machine.get("name") + " vm")
        self.channels = {frozenset(end.get("pd") for end in channel) for channel in self.root.iter("channel")}

    def _take(self, element, who):
        for entry in element.findall("map"):
            self.maps[entry.get("mr")][who] = entry.get("perms")

    def of(self, *who):
        return {region for region, users in self.maps.items() if set(users) & set(who)}

    def addresses(self, who):
        for element in self.root.iter():
            if element.get("name") == who.removesuffix(" vm") and element.tag in (
                    "virtual_machine", "protection_domain") and (
                        (element.tag == "virtual_machine") == who.endswith(" vm")):
                return {entry.get("mr"): int(entry.get("vaddr").replace("_", ""), 16)
                        for entry in element.findall("map")}
        raise AssertionError(f"nobody is called {who}")


def outboxes(system, expected):
    for region, users in expected.items():
        equal(system.maps[region], users, f"who maps {region}")


@test("direct: each outbox is written by its owner alone, its VMM in place of a dead one, and read by the peer")
def direct(systems):
    outboxes(systems["direct"], {
        "outbox_a": {"client vm": "rw", "client_vmm": "rw", "device vm": "r"},
        "outbox_b": {"device vm": "rw", "device_vmm": "rw", "client vm": "r"}})


@test("guarded: the same, with the guard in the place of the other VM")
def guarded(systems):
    outboxes(systems["guarded"], {
        "client_a": {"client vm": "rw", "client_vmm": "rw", "guard": "r"},
        "client_b": {"guard": "rw", "client vm": "r"},
        "device_a": {"guard": "rw", "device vm": "r"},
        "device_b": {"device vm": "rw", "device_vmm": "rw", "guard": "r"}})


@test("guarded: nothing is mapped on both sides but the interrupt controller's interface, nothing else in the guard")
def nothing_in_common(systems):
    system = systems["guarded"]
    equal(system.of(*CLIENT) & system.of(*DEVICE), {"gic_vcpu"}, "regions on both sides")
    equal(system.of("guard"), {"client_a", "client_b", "device_a", "device_b", "guard_buffers", "guard_audit"},
          "regions of the guard")
    for region in ("guard_buffers", "guard_audit"):
        equal(system.maps[region], {"guard": "rw"}, f"who maps {region}")


@test("guarded: the two sides notify the guard and the timer, never each other")
def channels(systems):
    equal({tuple(sorted(pair)) for pair in systems["guarded"].channels},
          {("client_vmm", "guard"), ("device_vmm", "guard"), ("client_vmm", "timer"), ("device_vmm", "timer"),
           ("guard", "timer")}, "channels")


@test("A VM finds its link at the same place in both: own and peer's outbox, A before B")
def same_places(systems):
    for who, own, peer in (("client vm", "client_a", "client_b"), ("device vm", "device_b", "device_a")):
        before, after = (systems[name].addresses(who) for name in ("direct", "guarded"))
        a, b = sorted((own, peer))
        equal((after[a], after[b]), (before["outbox_a"], before["outbox_b"]), f"outboxes of the {who}")
        rest = {region: at for region, at in after.items() if region not in (a, b)}
        equal(rest, {region: at for region, at in before.items() if not region.startswith("outbox")},
              f"the {who}'s rest")


# "The trusted code of the guard is 7,000 lines of C", in one order or the other.
SAID = re.compile(r"trusted code.{0,200}?\b(\d[\d,. ]*) lines of C|\b(\d[\d,. ]*) lines of C.{0,200}?trusted code",
                  re.S | re.I)


@test("README says the size of the trusted code in lines, within 5 % of what `make lines` counts")
def size(_):
    done = subprocess.run(sys.argv[1:], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
    counted = int(re.search(r"^guard: (\d+) lines of code", done.stdout, re.M).group(1))
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        found = SAID.search(file.read())
    if not found:
        raise AssertionError(f'README.md: expected "N lines of C" beside "trusted code", N about {counted}; got none')
    said = int(re.sub(r"\D", "", found.group(1) or found.group(2)))
    if abs(said - counted) * 20 > counted:
        raise AssertionError(f"README.md: got {said} lines of C, expected {counted} within 5 %")


if __name__ == "__main__":
    sys.exit(tap.run({name: System(name) for name in ("direct", "guarded")}))
