#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The guard in usbroute-hub, as TAP.

    guarded.py HUB_WITH_SANITIZERS HUB LIBRARY USBROUTE

    client1 == link ==|              |== link == usb1: disk 1-1, keyboard 1-2
    client2 == link ==| usbroute-hub |== link == usb2: disk 1-1

The VMs are those of vms.py: no QEMU, no kernel.
"""

import datetime
import errno
import faulthandler
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

import rig      # noqa: E402
import tap      # noqa: E402
import vms      # noqa: E402
from rig import LIMIT_S, Hub, until  # noqa: E402
from stage import RULES, USBROUTE, compile_rules, stage  # noqa: E402
from tap import Skip, contains, equal, test, within  # noqa: E402
from vms import IN, ClientVm, Device, DeviceVm, Gone  # noqa: E402

# No test takes longer than its own bounds; this is for a bug in the tests.
WHOLE_RUN_S = 120
NODEV, BUSY = 4, 2      # of OP_REP_IMPORT


def seen(record, *keys):
    return tuple(record.get(key) for key in keys)


@test("list: the devices of all device VMs under the guard's names, and what policy hides is not there")
def _():
    with stage() as (hub, vm):
        equal(vm["client1"].list(), [("usb1:1-1", "46f4:0001"), ("usb2:1-1", "46f4:0001")], "client1")
        hub.wait_audit("hidden")
        equal([seen(r, "client", "device", "id", "target", "line") for r in hub.audit("hidden")],
              [("client1", "usb1:1-2", "0627:0001", "reject", 4)], "hidden from client1")
        equal(vm["client2"].list(), [("usb1:1-1", "46f4:0001"), ("usb1:1-2", "0627:0001")], "client2")
        hub.wait_audit("hidden", 2)
        equal([seen(r, "client", "device", "rule") for r in hub.audit("hidden")[1:]],
              [("client2", "usb2:1-1", "none")], "hidden from client2")


@test("list: a device VM that is not there is left out, and nobody waits for it")
def _():
    with stage(names=("client1", "usb2")) as (_, vm):
        began = time.monotonic()
        equal(vm["client1"].list(), [("usb2:1-1", "46f4:0001")], "client1")
        within(time.monotonic() - began, 1, "the list")


@test("list: a device VM that takes the call and says nothing is left out after its patience")
def _():
    with stage() as (_, vm):
        vm["usb1"].answer = lambda stream: (stream.recv(8), stream.wait_end())
        began = time.monotonic()
        equal(vm["client1"].list(), [("usb2:1-1", "46f4:0001")], "client1")
        within(time.monotonic() - began, 4, "the list")


@test("import: named and unnamed device VM, descriptors and data as the device gives them, audit")
def _():
    with stage() as (hub, vm):
        session = vm["client1"].attach("usb2:1-1")
        disk = vm["usb2"].devices["1-1"]
        equal(session.busid, "usb2:1-1", "its busid")
        equal(session.descriptor(1, 18), disk.device, "device descriptor")
        session.configure()
        equal(session.bulk_in(1, 4096), (0, b"\1" * 4096), "bulk in")
        equal(seen(hub.wait_audit("imported"), "client", "device", "id", "target", "line"),
              ("client1", "usb2:1-1", "46f4:0001", "allow", 2), "imported")
        equal(seen(hub.wait_audit("approved"), "client", "device", "target", "line"),
              ("client1", "usb2:1-1", "allow", 2), "approved")
        session.close()
        end = hub.wait_audit("ended")
        equal(seen(end, "device", "to_device", "to_client"), ("usb2:1-1", 7, 7), "ended")
        until(lambda: disk.held == 0, "the device VM lets go")
        again = vm["client1"].attach("1-1")
        equal(again.busid, "1-1", "its busid, asked for without a VM")
        until(lambda: vm["usb1"].devices["1-1"].held == 1, "usb1, the first that has one, was reached")
        numbers = [r["number"] for r in hub.audit()]
        equal(numbers, list(range(1, len(numbers) + 1)), "numbers of records")
        for record in hub.audit():
            at = datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
            within(abs(time.time() - at), 60, "the time of a record")


@test("import: a device that another client has is busy, until that one lets go")
def _():
    with stage() as (hub, vm):
        session = vm["client1"].attach("usb1:1-1").configure()
        for client in ("client2", "client1"):
            _, status, _ = vm[client].ask("usb1:1-1")
            equal(status, BUSY, f"status for {client}")
        hub.wait_audit("denied", 2)
        equal([seen(r, "client", "device", "reason") for r in hub.audit("denied")],
              [("client2", "usb1:1-1", "held"), ("client1", "usb1:1-1", "held")], "denied")
        equal(session.bulk_in(1, 512), (0, b"\1" * 512), "who has it keeps it")
        session.close()
        hub.wait_audit("ended")
        vm["client2"].attach("usb1:1-1").configure()


@test("import: what policy does not allow is not there, with the rule in the audit")
def _():
    with stage() as (hub, vm):
        for busid, line in (("usb1:1-2", 4), ("usb1:7-7", None)):
            _, status, _ = vm["client1"].ask(busid)
            equal(status, NODEV, f"status of {busid}")
            equal(seen(hub.wait_audit("denied", 1 if line else 2), "client", "device", "line"),
                  ("client1", busid, line), f"denied {busid}")
        equal(vm["usb1"].devices["1-2"].heard, [], "requests that reached the device")


@test("refused: a lie of the device VM severs its route only, and no byte of it passes")
def _():
    def lie(device, seqnum, direction, ep, length, setup):
        if ep == 1:
            return vms.ret(seqnum, length + 1, b"x" * (length + 1))
        return device.reply(seqnum, direction, ep, length, setup)

    with stage() as (hub, vm):
        good = vm["client2"].attach("usb1:1-1").configure()
        vm["usb2"].devices["1-1"].answer = lie
        bad = vm["client1"].attach("usb2:1-1").configure()
        bad.submit(IN, 1, 512)
        equal(bad.stream.wait_end(), errno.ECONNRESET, "end of the client's stream")
        record = hub.wait_audit("refused")
        equal(seen(record, "client", "device", "reason", "got", "limit", "to_client"),
              ("client1", "usb2:1-1", "length", 513, 512, 5), "refused")
        until(lambda: vm["usb2"].devices["1-1"].held == 0, "the device VM lost its route")
        equal(good.bulk_in(1, 512), (0, b"\1" * 512), "the other route")


@test("refused: what the client asks beyond the descriptors does not reach the device")
def _():
    with stage() as (hub, vm):
        session = vm["client2"].attach("usb1:1-2").configure()
        heard = list(vm["usb1"].devices["1-2"].heard)
        session.submit(IN, 3, 8)
        equal(session.stream.wait_end(), errno.ECONNRESET, "end of the client's stream")
        equal(hub.wait_audit("refused")["reason"], "endpoint", "reason")
        equal(vm["usb1"].devices["1-2"].heard, heard, "what reached the device")


@test("refused: more data than `transfer` at once, while that much passes")
def _():
    with stage(guard="transfer = 64K\n") as (hub, vm):
        session = vm["client1"].attach("usb1:1-1").configure()
        equal(session.bulk_in(1, 65536), (0, b"\1" * 65536), "64 KiB")
        session.submit(IN, 1, 65537)
        equal(session.stream.wait_end(), errno.ECONNRESET, "end of the client's stream")
        equal(seen(hub.wait_audit("refused"), "got", "limit"), (65537, 65536), "refused")


@test("calls: a client has its share and no more; the other client has its own")
def _():
    with stage(guard="calls = 2\n") as (_, vm):
        held = [vm["client1"].call(), vm["client1"].call()]
        try:
            vm["client1"].call()
        except Gone as gone:
            equal(gone.code, errno.ECONNREFUSED, "the third call")
        else:
            raise AssertionError("the third call of 2 was accepted")
        equal(len(vm["client2"].list()), 2, "what client2 lists")
        for stream in held:
            stream.close()
        until(lambda: try_list(vm["client1"]), "a call after two were given up")


@test("channels: a client with 40 holds twenty calls at once, with 16 eight")
def _():
    for channels, calls in ((40, 20), (0, 8)):
        with stage(guard="calls = 30\n", channels=channels) as (_, vm):
            for _ in range(calls - 1):
                vm["client1"].call()
            equal(len(vm["client1"].list()), 2, "what the last of them lists")


def try_list(vm):
    try:
        return vm.list()
    except Gone:
        return None


@test("another service is refused, and a device VM's call as well")
def _():
    with stage() as (_, vm):
        for name, service in (("client1", 3241), ("usb1", 3240)):
            try:
                vm[name].call(service)
            except Gone as gone:
                equal(gone.code, errno.ECONNREFUSED, f"{service} called by {name}")
            else:
                raise AssertionError(f"{service} called by {name} was accepted")


def counted(hub, signals):
    """{reason: times} of the counters that were written last, and the sum that stands below them."""
    hub.wait_log("times in all", signals)
    lines = [line for line in hub.log().splitlines() if "guard: refused" in line]
    ends = [i for i, line in enumerate(lines) if "in all" in line]
    last = lines[ends[-2] + 1 if len(ends) > 1 else 0:ends[-1]]
    return ({line.split()[5]: int(line.split()[3]) for line in last}, int(lines[ends[-1]].split()[3]))


@test("counters: what was refused, by reason, on SIGUSR1 and at the end; calls without a record as well")
def _():
    with stage() as (hub, vm):
        hub.process.send_signal(signal.SIGUSR1)
        equal(counted(hub, 1), ({}, 0), "at the start")
        for total in (1, 2):
            session = vm["client2"].attach("usb1:1-2").configure()
            session.submit(IN, 3, 8)
            session.stream.wait_end()
            equal(hub.wait_audit("refused", total)["total"], total, "total of the record")
        try:
            vm["client1"].call(3241)
        except Gone:
            pass
        hub.process.send_signal(signal.SIGUSR1)
        equal(counted(hub, 2), ({"endpoint": 2, "service": 1}, 3), "on SIGUSR1")
        vm["client1"].ask("usb1:1-2")
        equal(hub.stop(), 0, "exit status")
        equal(counted(hub, 3), ({"endpoint": 2, "service": 1, "policy-device": 1}, 4), "at the end")


@test("refused: what a client asks that is no request, and a list of a device VM that is none, on record")
def _():
    with stage() as (hub, vm):
        stream = vm["client1"].call()
        stream.send(struct.pack(">II", 0xdeadbeef, 0))
        equal(stream.wait_end(), errno.ECONNRESET, "end of the client's stream")
        equal(seen(hub.wait_audit("refused"), "client", "device", "reason"), ("client1", "", "framing"),
              "the client's")
        vm["usb1"].answer = lambda stream: (stream.recv(8), stream.send(struct.pack(">III", 0x01110005, 0, 9999)))
        equal(vm["client1"].list(), [("usb2:1-1", "46f4:0001")], "client1")
        equal(seen(hub.wait_audit("refused", 2), "client", "device", "reason", "got"),
              ("client1", "usb1", "framing", 9999), "the device VM's")


@test("client VM killed: its device is free at once, for it or another")
def _():
    with stage() as (hub, vm):
        vm["client1"].attach("usb1:1-1").configure()
        began = time.monotonic()
        vm["client1"].die(hub)
        until(lambda: vm["usb1"].devices["1-1"].held == 0, "the device VM lost its route")
        within(time.monotonic() - began, 1, "the end of the route")
        equal(seen(hub.wait_audit("cut"), "client", "device"), ("client1", "usb1:1-1"), "cut")
        vm["client2"].attach("usb1:1-1").configure().close()
        hub.wait_audit("ended")
        with ClientVm(hub, "client1") as again:
            again.wait_up().attach("usb1:1-1").configure()


@test("client VM reset: another epoch ends its routes, and it attaches again")
def _():
    with stage() as (hub, vm):
        session = vm["client1"].attach("usb1:1-1").configure()
        vm["client1"].restart()
        equal(session.stream.wait_end(), errno.ECONNRESET, "the old stream")
        hub.wait_audit("cut")
        vm["client1"].wait_up().attach("usb1:1-1").configure()


@test("device VM killed: the client's stream ends at once, other devices stay")
def _():
    with stage() as (hub, vm):
        lost = vm["client1"].attach("usb2:1-1").configure()
        kept = vm["client1"].attach("usb1:1-1").configure()
        began = time.monotonic()
        vm["usb2"].die(hub)
        equal(lost.stream.wait_end(), errno.ECONNRESET, "the lost device's stream")
        within(time.monotonic() - began, 1, "its end")
        equal(kept.bulk_in(1, 512), (0, b"\1" * 512), "the other device")
        equal(vm["client1"].list(), [("usb1:1-1", "46f4:0001")], "list")
        with DeviceVm(hub, "usb2", [Device("1-1", 0x46f4, 1)]) as again:
            again.wait_up()
            vm["client1"].attach("usb2:1-1").configure()


@test("a link whose VM lies in its memory is severed alone, and comes back with another epoch")
def _():
    with stage() as (_, vm):
        kept = vm["client2"].attach("usb1:1-1").configure()
        session = vm["client1"].attach("usb2:1-1").configure()
        channel = vms.library().ur_stream_channel(session.stream.handle)
        vm["client1"].store(0, 0x100 + 0x100 * channel + 0x40, 0x7fffffff)   # produced
        vm["client1"].ring_peer()
        equal(session.stream.wait_end(), errno.ECONNRESET, "its stream")
        equal(kept.bulk_in(1, 512), (0, b"\1" * 512), "the other client")
        vm["client1"].restart()
        vm["client1"].wait_up().attach("usb2:1-1").configure()


@test("fails closed: killed with -9 no byte passes any more, in either direction")
def _():
    with stage(build="release") as (hub, vm):
        session = vm["client1"].attach("usb1:1-1").configure()
        disk = vm["usb1"].devices["1-1"]
        hub.process.kill()
        hub.process.wait(LIMIT_S)
        heard, asked = len(disk.heard), vm["usb1"].asked
        session.submit(IN, 1, 512)
        equal(session.stream.is_silent(0.5), True, "what the client hears")
        equal((len(disk.heard), vm["usb1"].asked), (heard, asked), "what the device VM heard")
        hub.process.returncode = 0


@test("SIGTERM: both VMs see the link down, the route is written down, sockets are gone")
def _():
    with stage() as (hub, vm):
        session = vm["client1"].attach("usb1:1-1").configure()
        equal(hub.stop(), 0, "exit status")
        equal(session.stream.wait_end(), errno.ECONNRESET, "the client's stream")
        until(lambda: vm["usb1"].devices["1-1"].held == 0, "the device VM's stream ends")
        equal([seen(r, "client", "device") for r in hub.audit("cut")], [("client1", "usb1:1-1")], "cut")
        equal(os.path.exists(hub.path("client1")), False, "the socket")


@test("a slow client stops its own route only")
def _():
    with stage() as (_, vm):
        slow = vm["client1"].attach("usb2:1-1").configure()
        for _ in range(64):     # nobody reads the answers: 64 * 4 KiB, and the ring has 16
            slow.submit(IN, 1, 4096)
        other = vm["client2"].attach("usb1:1-1").configure()
        began = time.monotonic()
        for _ in range(50):
            equal(other.bulk_in(1, 512)[0], 0, "the other client")
        within(time.monotonic() - began, 5, "50 reads of the other client")
        for _ in range(64):
            equal(slow.answer(True)[1:], (0, b"\1" * 4096), "what was kept for the slow one")


@test("audit: to standard output without a file")
def _():
    with tempfile.TemporaryDirectory() as folder:
        compile_rules(RULES, os.path.join(folder, "policy"))
        config = ("[guard]\npolicy = {dir}/policy\n[client.client1]\nsocket = {dir}/client1.sock\n"
                  "[device.usb1]\nsocket = {dir}/usb1.sock\n")
        out = os.path.join(folder, "out")
        with Hub(config=config, folder=folder,
                 wrap=("sh", "-c", f'exec "$0" "$@" >{out}')) as hub:
            with ClientVm(hub, "client1") as client:
                client.wait_up().ask("usb1:1-1")
            hub.stop()
        with open(out, encoding="ascii") as lines:
            records = [json.loads(line) for line in lines]
        equal([r["event"] for r in records], ["denied"], "records")


@test("audit: who asks without pause fills no disk, and what was left out is counted")
def _():
    asked = 1300
    with stage(names=("client1",)) as (hub, vm):
        begin = time.monotonic()
        for _ in range(asked):
            vm["client1"].ask("usb1:1-1")[0].close()    # nobody is there
        took = time.monotonic() - begin
        until(lambda: hub.audit("lost"), "the lost ones are counted")
        written = len(hub.audit("denied"))
        most = 1000 + 100 * (took + 1)
        assert written <= most, f"expected at most {most:.0f} lines, got {written} in {took:.1f} s"
        until(lambda: written_and_lost(hub) == asked, f"{asked} written or counted")


def written_and_lost(hub):
    return len(hub.audit("denied")) + sum(r["count"] for r in hub.audit("lost"))


@test("policy: a table that is not there, none, cut or damaged: said with both values, by --check too")
def _():
    with tempfile.TemporaryDirectory() as folder:
        config, table = os.path.join(folder, "hub.conf"), os.path.join(folder, "policy")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"[guard]\npolicy = {table}\n[client.c]\nsocket = {folder}/c.sock\n"
                      f"[device.d]\nsocket = {folder}/d.sock\n[link.l]\na = {folder}/la\nb = {folder}/lb\n")

        def said(*options):
            done = subprocess.run([rig.HUB["asan"], *options, config], capture_output=True, text=True,
                                  timeout=LIMIT_S, check=False)
            return done.returncode, done.stdout, done.stderr

        compile_rules(RULES, table)
        equal(said("--check"), (0, f"{config}: good, 1 links, guard of 1 clients and 1 device VMs\n", ""),
              "a good one")
        with open(table, "rb") as good:
            whole = good.read()
        for content, part in ((b'allow id *:* label "to=c"\n', "0x616c6c6f"), (whole[:-1], f"0x{len(whole) - 1:x}"),
                              (b"", "expected"), (b"x" * 300000, "got more"), (None, "No such file")):
            if content is None:
                os.unlink(table)
            else:
                with open(table, "wb") as out:
                    out.write(content)
            for option in ("--check", "--config"):
                code, output, errors = said(option)
                equal((code, output), (1, ""), f"{option} with {part}")
                contains(errors, table, option)
                contains(errors, part, option)
                equal(len(errors.splitlines()), 1, f"lines: {errors!r}")


def main():
    if len(sys.argv) != 5:
        sys.exit(f"usage: {sys.argv[0]} HUB_WITH_SANITIZERS HUB LIBRARY USBROUTE")
    rig.HUB["asan"], rig.HUB["release"] = sys.argv[1:3]
    vms.LIBRARY["path"], USBROUTE["path"] = sys.argv[3:]
    faulthandler.dump_traceback_later(WHOLE_RUN_S, exit=True)
    import hostile  # noqa: it registers its tests
    sys.exit(tap.run())


if __name__ == "__main__":
    main()
