#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command while its allocations fail, one after the other.

    cli.py USBROUTE     built with fail.c, on a machine of files (tests/cli/fake.h)

    USBROUTE (its nth allocation fails) --- stream --- the other side in Python
        \\--- sysfs of files --- fake usbip-host and vhci-hcd

It succeeds, and then its output is the usual one, or it says what went wrong and
leaves nothing behind; the same command works right after that.
"""
import os
import signal
import sys

import fail

fail.use("cli")

import rig  # noqa: E402
import tap  # noqa: E402
from rig import REQ_DEVLIST, Machine, Peer, receive, req_import, wait_until  # noqa: E402
from tap import equal, test  # noqa: E402

DISK = rig.device("1-1", bus=1, dev=7)
DISK_ITEM = DISK + rig.interface()
KEYS_ITEM = rig.device("1-2", vendor=0x627, interfaces=3) + rig.interface((3, 0, 0)) * 3
SUPER = rig.device("2-1", bus=2, dev=3, speed=5)
STATUS = "sys/devices/platform/vhci_hcd.0/status"


class FailingMachine(Machine):
    failing = {}

    def environment(self, **more):
        return super().environment(**{**self.failing, **more})


# ---- commands that end

def populate(machine):
    machine.vhci()
    machine.add("1-1", serial="UR1", dev=7)
    machine.add("2-1.4", bus=2, dev=9, speed="5000",
                interfaces=((3, 1, 1, "usbhid"), (3, 0, 0, None)))


def attach_now(machine):
    machine.vhci()
    machine.add_attached()
    with Peer(machine, (rig.rep_import(SUPER), "hold")):
        equal(machine.run("attach", "2-1")[0], 0, "attach beforehand")
    os.unlink(machine.path("socket"))


LISTS = ((rig.rep_devlist(DISK_ITEM, KEYS_ITEM), "close"),)
LOOK_UP = ((rig.rep_devlist(SUPER + rig.interface()), "close"), (rig.rep_import(SUPER), "hold"))

# arguments, how the machine is made, what the peer answers, at least so many allocations
COMMANDS = [
    (("list",), populate, LISTS, 40),
    (("list", "--json"), populate, LISTS, 40),
    (("list", "--local"), populate, (), 60),
    (("list", "--local", "--json"), populate, (), 60),
    (("port",), attach_now, (), 40),
    (("port", "--json"), attach_now, (), 30),
    (("version",), populate, (), 3),
]


def tidy(machine, text):
    return text.replace(machine.root, "ROOT")


def check_result(machine, result, golden):
    status, out, err = result
    if "Sanitizer" in err or status not in range(6):
        raise AssertionError(f"status {status}: {err}")
    if status == 0 and not err:
        equal(tidy(machine, out), golden, "output of a success")
    elif status and not err.startswith("usbroute: "):
        raise AssertionError(f"status {status} without a reason: {err!r}")


def run_once(machine, command, golden, environment):
    machine.failing = environment
    result = machine.run(*command)
    machine.failing = {}
    check_result(machine, result, golden)
    if result[0]:
        status, out, err = machine.run(*command)
        equal((status, tidy(machine, out)), (0, golden), f"afterwards: {err}; first: {result[2]}")


def command_test(command, make, answers, least):
    """These commands change nothing, so all runs share a machine and a peer."""
    @test(f"usbroute {' '.join(command)}: each allocation fails once")
    def _():
        with FailingMachine() as machine:
            make(machine)
            with Peer(machine, *answers * (2 * fail.MOST)):
                status, golden, err = machine.run(*command)
                equal((status, err), (0, ""), "exit status and errors of a run without failures")
                golden = tidy(machine, golden)
                count = fail.failures(lambda environment, failed: run_once(
                    machine, command, golden, environment), least)
        print(f"# {count} allocations failed, one at a time", flush=True)


for row in COMMANDS:
    command_test(*row)


# ---- policy

RULES = """# of a client
allow id 46f4:0001 serial "1" via-port one-of { "usb1:1-1" "usb1:1-2" } label "to=client1"
reject with-interface one-of { 03:*:* 08:06:50 }
"""


def table_of(machine):
    """What is in the file that compile writes; None: there is none."""
    if not machine.exists("table"):
        return None
    with open(machine.path("table"), "rb") as table:
        return table.read()


def policy_once(machine, command, golden, environment):
    """No table after a failure; the right one after a success, also after that."""
    if machine.exists("table"):
        os.unlink(machine.path("table"))
    machine.failing = environment
    result = machine.run(*command)
    machine.failing = {}
    check_result(machine, result, golden[0])
    equal(table_of(machine), None if result[0] else golden[1], f"the table, after {result}")
    status, out, err = machine.run(*command)
    equal((status, tidy(machine, out), table_of(machine)), (0, *golden), f"afterwards: {err}")


def policy_test(verb, operands, least):
    @test(f"usbroute policy {verb}: each allocation fails once")
    def _():
        with FailingMachine() as machine:
            machine.write("rules", RULES)
            command = ["policy", verb] + [machine.path(o) for o in operands]
            status, out, err = machine.run(*command)
            equal((status, err), (0, ""), "exit status and errors of a run without failures")
            golden = tidy(machine, out), table_of(machine)
            count = fail.failures(lambda environment, failed: policy_once(
                machine, command, golden, environment), least)
        print(f"# {count} allocations failed, one at a time", flush=True)


policy_test("check", ("rules",), 3)
policy_test("compile", ("rules", "table"), 5)


# ---- attach and detach

def attach_once(environment, failed):
    """By VID:PID, so that it also asks for the list."""
    with FailingMachine() as machine:
        machine.vhci()
        machine.add_attached()
        with Peer(machine, *LOOK_UP):
            machine.failing = environment
            status, out, err = machine.run("attach", "--timeout", "1", "46f4:0001")
            check_result(machine, (status, "", err), "")
        if status:
            equal(" 006 " in machine.read(STATUS), False, f"a port is in use; {err}")
            equal(machine.exists("var/run/vhci_hcd/port2"), False, f"a record of it; {err}")
        else:
            equal("is 4-1 here" in out, True, f"where it is, in {out!r}, {err!r}")
            equal(" 006 " in machine.read(STATUS), True, f"the port is in use; {err}")


@test("usbroute attach: each allocation fails once, and it is attached or it is not")
def _():
    print(f"# {fail.failures(attach_once, 40)} allocations failed, one at a time", flush=True)


def detach_once(environment, failed):
    with FailingMachine() as machine:
        attach_now(machine)
        machine.failing = environment
        status, out, err = machine.run("detach", "--timeout", "1", "2-1")
        machine.failing = {}
        check_result(machine, (status, out, err), "port 2: free\n")
        if status and " 006 " in machine.read(STATUS):
            equal(machine.run("detach", "2-1")[0], 0, f"detach afterwards; first: {err}")
        equal(" 006 " in machine.read(STATUS), False, f"a port is in use; {err}")


@test("usbroute detach: each allocation fails once, and the next one lets go")
def _():
    print(f"# {fail.failures(detach_once, 15)} allocations failed, one at a time", flush=True)


# ---- serve

def stub_status(machine):
    try:
        return machine.read("sys/bus/usb/devices/1-1/usbip_status").strip()
    except FileNotFoundError:
        return None


def ask(machine, request, answer):
    """Whether the whole right answer came. A wrong one is never right."""
    try:
        with machine.connect() as sock:
            sock.sendall(request)
            got = receive(sock, len(answer))
            if got == answer and request != REQ_DEVLIST:
                sock.sendall(b"urb")
                equal(receive(sock, 3), b"urb", "what the stub echoes")
        wait_until(lambda: stub_status(machine) in ("1", None), "the stub to let go")
    except (ConnectionError, BrokenPipeError):
        return False
    if len(got) == len(answer) and got != answer:
        equal(got[:8] != answer[:8], True, f"an answer that is wrong inside: {got!r}")
    return got == answer


def both(machine):
    item = rig.device("1-1", dev=7)
    return (ask(machine, REQ_DEVLIST, rig.rep_devlist(item + rig.interface())),
            ask(machine, req_import("1-1"), rig.rep_import(item)))


def use_serve(machine, serve, failed):
    """The first to ask may go without; who comes after the failure must not."""
    before = failed()
    got = both(machine)
    if before:
        equal(got, (True, True), f"list and import after the failure; {serve.lines}")
    if not all(got):
        equal(bool(failed()), True, "an allocation failed")
        equal(both(machine), (True, True), f"list and import afterwards; {serve.lines}")


def serve_once(environment, failed):
    with FailingMachine() as machine:
        machine.add("1-1", dev=7)
        machine.failing = environment
        serve = machine.start("serve")
        wait_until(lambda: serve.ended or any("serving" in line for line in serve.lines),
                   "serving or ended")
        if not serve.ended:
            use_serve(machine, serve, failed)
            status = serve.finish(signal.SIGTERM)
        else:
            status = serve.finish()
        text = "\n".join(serve.lines)
        check_result(machine, (status, "", text), "")
        if status == 0:
            equal(machine.driver("1-1"), "usb", f"the driver afterwards; {text}")


@test("usbroute serve: each allocation fails once, and the next client is served")
def _():
    print(f"# {fail.failures(serve_once, 20)} allocations failed, one at a time", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rig.TEST_BINARY = os.path.abspath(sys.argv[1])
    sys.exit(tap.run())
