# SPDX-License-Identifier: BSD-2-Clause
"""A hub with a guard, and its VMs, for the tests of guarded.py."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from rig import LIMIT_S, Hub, until
from vms import ClientVm, Device, DeviceVm

USBROUTE = {"path": None}

RULES = """\
# line 1
allow id 46f4:0001 with-interface 08:06:50 label "to=client1"
allow via-port "usb1:1-1" label "to=client2"
reject id 0627:* label "to=client1"
allow id 0627:0001 with-interface 03:*:* label "to=client2 deny=vendor"
"""


def compile_rules(rules, table):
    with tempfile.NamedTemporaryFile("w", suffix=".rules") as text:
        text.write(rules)
        text.flush()
        subprocess.run([USBROUTE["path"], "policy", "compile", text.name, table], check=True,
                       timeout=LIMIT_S)


class Guarded(Hub):
    """A hub whose guard has client1, client2, usb1 and usb2, on links of so many channels (0: the
    default). Its folder has policy and audit."""

    def __init__(self, rules=RULES, guard="", channels=0, **more):
        self.channels = channels
        self.own = tempfile.mkdtemp(prefix="ur-guard-")
        compile_rules(rules, os.path.join(self.own, "policy"))
        text = "[guard]\npolicy = {dir}/policy\naudit = {dir}/audit\n" + guard
        for kind, name in (("client", "client1"), ("device", "usb1"), ("client", "client2"),
                           ("device", "usb2")):
            text += f"[{kind}.{name}]\nsocket = {{dir}}/{name}.sock\nsize = 1M\n"
            text += f"channels = {channels}\n" if channels else ""
        super().__init__(config=text, folder=self.own, **more)

    def remove(self):
        super().remove()
        shutil.rmtree(self.own, ignore_errors=True)

    def audit(self, event=None):
        with open(os.path.join(self.own, "audit"), encoding="ascii") as lines:
            records = [json.loads(line) for line in lines]
        return [r for r in records if event in (None, r["event"])]

    def wait_audit(self, event, count=1):
        until(lambda: len(self.audit(event)) >= count, f"{count} records of {event!r}")
        return self.audit(event)[-1]


@contextlib.contextmanager
def stage(guard="", rules=RULES, names=("client1", "client2", "usb1", "usb2"), **more):
    """A hub and its VMs, up: (hub, {name: vm})."""
    devices = {"usb1": (Device("1-1", 0x46f4, 1), Device("1-2", 0x627, 1, (3, 1, 1))),
               "usb2": (Device("1-1", 0x46f4, 1),)}
    with Guarded(rules, guard, **more) as hub, contextlib.ExitStack() as stack:
        made = {}
        for name in names:
            kind = ClientVm if name.startswith("client") else DeviceVm
            made[name] = stack.enter_context(kind(hub, name, *filter(None, [devices.get(name)])))
        for vm in made.values():
            vm.wait_up()
        yield hub, made
