# SPDX-License-Identifier: BSD-2-Clause
"""`list`, `attach`, `detach` and `port` on a machine of files.

    the command --- stream --- a server in Python (rig.Peer)
        \\--- sysfs of files --- fake vhci-hcd: ports 0, 1 high speed; 2, 3 super
"""
import json
import struct

import rig
from rig import Machine, Peer
from tap import contains, equal, test

DISK = rig.device("1-1", bus=1, dev=7)
DISK_ITEM = DISK + rig.interface()
SUPER = rig.device("2-1", bus=2, dev=3, speed=5)
STATUS = "sys/devices/platform/vhci_hcd.0/status"


def client():
    machine = Machine()
    machine.vhci()
    machine.add_attached()
    return machine


# ---- list

@test("list: a table of what the peer says")
def _():
    keys = rig.device("1-2", vendor=0x627, interfaces=3) + b"".join(
        rig.interface((c, 0, 0)) for c in (3, 1, 0x5a))
    with client() as machine, Peer(machine, (rig.rep_devlist(DISK_ITEM, keys), "close")) as peer:
        equal(machine.run("list"), (
            0, "BUSID ID        SPEED INTERFACES\n"
            "1-1   46f4:0001 high  08/06/50 storage\n"
            "1-2   0627:0001 high  hid audio 5a \n", ""), "list")
        equal(peer.requests, [rig.REQ_DEVLIST], "requests")


@test("list --json: every field, by name")
def _():
    with client() as machine, Peer(machine, (rig.rep_devlist(DISK_ITEM), "close")):
        status, out, _ = machine.run("list", "--json")
        equal(status, 0, "exit status")
        equal(json.loads(out), {
            "version": 1, "link": machine.path("dev/usbroute0"), "devices": [{
                "busid": "1-1", "path": "/sys/devices/pci0000:00/usb1/1-1", "busnum": 1,
                "devnum": 7, "speed": "high", "vendor": "46f4", "product": "0001",
                "bcd_device": "0100", "class": 0, "subclass": 0, "protocol": 0,
                "configuration": 1,
                "interfaces": [{"class": 8, "subclass": 6, "protocol": 80}]}]}, "JSON")


@test("list: none is not a failure")
def _():
    with client() as machine, Peer(machine, *[(rig.rep_devlist(), "close")] * 2):
        equal(machine.run("list"), (0, "", "usbroute: the other side exports no device\n"), "list")
        equal(json.loads(machine.run("list", "--json")[1])["devices"], [], "JSON")


@test("list --local: what serve would offer, with serial numbers and drivers")
def _():
    with Machine() as machine:
        machine.add("1-1", serial="UR\x1b[1m\u00fc", dev=7)
        machine.add("1-2", cls="09")
        machine.add("9-1", where="sys/devices/platform/vhci_hcd.0/usb9/9-1", bus=9)
        status, out, _ = machine.run("list", "--local")
        equal((status, len(out.splitlines())), (0, 2), "list --local")
        contains(out, "usb    UR?[1m?? Thing 1-1", "list --local")
        status, out, _ = machine.run("list", "--local", "--json")
        equal(status, 0, "exit status")
        got = json.loads(out)["devices"][0]
        equal((got["serial"], got["driver"]), ("UR?[1m??", "usb"), "device")
        equal(got["interfaces"][0]["driver"], "usb-storage", "driver of the interface")


@test("list: 128 devices with 32 interfaces each")
def _():
    item = rig.device("1-1", interfaces=32) + rig.interface() * 32
    with client() as machine, Peer(machine, (rig.rep_devlist(*[item] * 128), "close")):
        status, out, err = machine.run("list")
        equal((status, len(out.splitlines()), err), (0, 129, ""), "list")


BAD_NAME = rig.device("1-1\x1b[2J", path="/sys/x")
BAD_PATH = DISK.replace(b"/sys/", b"/s\ns/")

# what the peer answers, exit status, part of standard error
BAD_LISTS = [
    (b"", 5, "ended the connection"),
    (rig.header(5, version=0x100), 1, "USB/IP version: got 256, want exactly 273"),
    (rig.header(0x8005), 1, "OP code"),
    (rig.header(3), 1, "OP code: got 3, want exactly 5"),
    (rig.header(5, status=6), 1, "status: got 6, want at most 5"),
    (rig.header(5, status=1), 4, "lists no devices: failed"),
    (rig.header(5) + struct.pack(">I", 129), 1, "number of devices: got 129, want at most 128"),
    (rig.header(5) + b"\xff\xff\xff\xff", 1, "got 4294967295, want at most 128"),
    (rig.rep_devlist(rig.device("1-1", speed=7)), 1, "speed: got 7, want at most 6"),
    (rig.rep_devlist(rig.device("1-1", bus=65536)), 1, "busnum: got 65536, want at most 65535"),
    (rig.rep_devlist(rig.device("1-1", interfaces=33)), 1,
     "bNumInterfaces: got 33, want at most 32"),
    (rig.rep_devlist(rig.device("")), 1, "busid: got 0, want at least 1"),
    (rig.rep_devlist(rig.device("../x")), 1, "busid: got 46"),
    (rig.rep_devlist(BAD_NAME), 1, "busid: got 27"),
    (rig.rep_devlist(BAD_PATH), 1, "path: got 10"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1, "USB/IP version: got 18516"),
]


def bad_list(row, answer, status, part):
    @test(f"bad list row {row}: {part}: {status}")
    def _():
        with client() as machine, Peer(machine, *[(answer, "close")] * 2):
            for command in (("list",), ("attach", "46f4:0001")):
                got, out, err = machine.run(*command)
                equal(got, status, f"exit status of {command}")
                contains(err, part, f"standard error of {command}")
                equal(out, "", "standard output")
            equal(machine.journal(), [], "writes to sysfs")


for number, row_ in enumerate(BAD_LISTS):
    bad_list(number, *row_)


@test("list: an answer that ends early, at every piece's edge and inside")
def _():
    whole = rig.rep_devlist(DISK_ITEM)
    cuts = sorted({0, 1, 7, 8, 9, 11, 12, 13, 100, 323, 324, 325, 327})
    with client() as machine, Peer(machine, *[(whole[:n], "close") for n in cuts]):
        for cut in cuts:
            status, out, err = machine.run("list")
            equal((status, out), (5, ""), f"cut at {cut} of {len(whole)}")
            contains(err, "ended the connection", f"cut at {cut}")


@test("list: a peer that falls silent costs the timeout, no more")
def _():
    with client() as machine, Peer(machine, (rig.header(5), "hold"), (b"", "hold")):
        for _ in range(2):
            status, _, err = machine.run("list", "--timeout", "0.3")
            equal(status, 5, "exit status")
            contains(err, "silent", "standard error")


# ---- attach

def import_answer(item=DISK):
    return (rig.rep_import(item), "hold")


ATTACHED = "port {}: {} 46f4:0001 is 4-1 here\n    4-1:1.0  08/06/50 storage  usb-storage\n"


@test("attach by busid: asks, plugs in, waits, says where, keeps a record")
def _():
    with client() as machine, Peer(machine, import_answer()) as peer:
        equal(machine.run("attach", "1-1"), (0, ATTACHED.format(0, "1-1"), ""), "attach")
        equal(peer.requests, [rig.req_import("1-1")], "requests")
        (line,) = machine.journal()
        words = line.split()
        equal((words[0], words[1], words[3:]),
              ("devices/platform/vhci_hcd.0/attach", "0", [str(1 << 16 | 7), "3"]), "write")
        equal(machine.read("var/run/vhci_hcd/port0"), "usbroute0 3240 1-1\n", "record")


@test("attach by VID:PID: looks it up on a connection of its own")
def _():
    with client() as machine, \
            Peer(machine, (rig.rep_devlist(DISK_ITEM), "close"), import_answer()) as peer:
        equal(machine.run("attach", "46f4:0001"), (0, ATTACHED.format(0, "1-1"), ""), "attach")
        equal(peer.requests, [rig.REQ_DEVLIST, rig.req_import("1-1")], "requests")


@test("attach by serial number: the peer resolves it")
def _():
    with client() as machine, Peer(machine, import_answer()) as peer:
        equal(machine.run("attach", "serial=UR1"), (0, ATTACHED.format(0, "1-1"), ""), "attach")
        equal(peer.requests, [rig.req_import("serial:UR1")], "requests")


@test("attach by VID:PID: several are an error that names them, none is 3")
def _():
    two = rig.rep_devlist(DISK_ITEM, rig.device("1-5") + rig.interface())
    with client() as machine, Peer(machine, (two, "close"), (two, "close")):
        status, _, err = machine.run("attach", "46f4:0001")
        equal(status, 2, "exit status")
        contains(err, "    1-1  46f4:0001", "standard error")
        contains(err, "    1-5  46f4:0001", "standard error")
        status, _, err = machine.run("attach", "46f4:0002")
        equal(status, 3, "exit status")
        contains(err, "46f4:0002: no such device among 2", "standard error")


SPEEDS = [  # of the device, port, speed that vhci-hcd is told; None: it refuses
    (1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 0, 4), (5, 2, 5), (6, 2, 5), (0, None, None),
]


def speed_row(row, speed, port, told):
    @test(f"attach speed row {row}: speed {speed}: " +
          ("refused" if port is None else f"port {port}, speed {told}"))
    def _():
        item = rig.device("2-1", speed=speed)
        with client() as machine, Peer(machine, import_answer(item)):
            status, out, err = machine.run("attach", "2-1")
            if port is None:
                equal((status, out), (1, ""), "attach")
                contains(err, "vhci-hcd does not take the device", "standard error")
                return
            equal((status, out), (0, ATTACHED.format(port, "2-1")), "attach")
            equal(machine.journal()[0].split()[-1], str(told), "speed written")


for number, row_ in enumerate(SPEEDS):
    speed_row(number, *row_)


BAD_IMPORTS = [
    ((rig.header(3, 4), "close"), 3, "1-1: no such device is exported"),
    ((rig.header(3, 2), "close"), 4, "1-1: device busy"),
    ((rig.header(3, 1), "close"), 4, "1-1: failed"),
    ((rig.header(3, 3), "close"), 4, "1-1: device in error state"),
    ((rig.header(3, 5), "close"), 1, "1-1: request not understood"),
    ((rig.header(5), "close"), 1, "OP code: got 5, want exactly 3"),
    ((b"", "close"), 5, "ended the connection"),
    ((rig.rep_import(DISK)[:-1], "close"), 5, "ended the connection"),
    ((rig.header(3), "hold"), 5, "silent"),
    (import_answer(rig.device("1-2")), 1, "asked for 1-1, was given 1-2"),
    (import_answer(BAD_NAME), 1, "busid: got 27"),
    (import_answer(rig.device("1-1", dev=70000)), 1, "devnum: got 70000, want at most 65535"),
]


def bad_import(row, answer, status, part):
    @test(f"bad import row {row}: {part}: {status}")
    def _():
        with client() as machine, Peer(machine, answer):
            got, out, err = machine.run("attach", "1-1", "--timeout", "1")
            equal(got, status, "exit status")
            contains(err, part, "standard error")
            equal((out, machine.journal()), ("", []), "standard output, writes to sysfs")


for number, row_ in enumerate(BAD_IMPORTS):
    bad_import(number, *row_)


PORTS_FULL = "hs  0000 006 003 00010002 000003 3-1\nss  0002 004 000 00000000 000000 0-0\n"

BAD_VHCI = [  # status, exit status, part of standard error
    (None, "no vhci-hcd here"),
    ("hub port sta\nhs  0000 004 000 00000000 000000\n", "status: line 2 is not a port"),
    (PORTS_FULL, "no free port for a device of high speed"),
    ("", "no free port for a device of high speed"),
    ("hs  0000 005 000 00000000 000000 0-0\n", "no free port for a device of high speed"),
]


def bad_vhci(row, text, part):
    @test(f"attach vhci row {row}: {part}")
    def _():
        with Machine() as machine, Peer(machine, import_answer()):
            if text is not None:
                machine.write(STATUS, text)
            status, out, err = machine.run("attach", "1-1")
            equal((status, out), (1, ""), "attach")
            contains(err, part, "standard error")
            equal(machine.journal(), [], "writes to sysfs")


for number, row_ in enumerate(BAD_VHCI):
    bad_vhci(number, *row_)


@test("attach: a device that never works is given back after the timeout")
def _():
    with Machine() as machine, Peer(machine, import_answer()):
        machine.vhci()
        status, out, err = machine.run("attach", "1-1", "--timeout", "0.5")
        equal((status, out), (1, ""), "attach")
        contains(err, "1-1 is not usable after 0.5 s; given back", "standard error")
        equal(machine.journal()[1], "devices/platform/vhci_hcd.0/detach 0", "last write")
        equal(machine.exists("var/run/vhci_hcd/port0"), False, "record")


@test("attach: a peer that lets go meanwhile is noticed before the timeout")
def _():
    with Machine() as machine, Peer(machine, import_answer()):
        machine.vhci()
        free = machine.read(STATUS)
        attach = machine.start("attach", "1-1", "--timeout", "15")
        rig.wait_until(machine.journal, "attach")
        rig.wait_until(lambda: " 006 " in machine.read(STATUS), "port in use")
        machine.write(STATUS, free)
        attach.wait_line("let go of 1-1 before it was usable", 5)
        equal(attach.finish(), 5, "exit status")
        equal(len(machine.journal()), 1, "writes to sysfs")


@test("attach: vhci-hcd's refusal is told")
def _():
    with client() as machine, Peer(machine, import_answer()):
        machine.write("fail", "devices/platform/vhci_hcd.0/attach 22\n")
        status, out, err = machine.run("attach", "1-1")
        equal((status, out), (1, ""), "attach")
        contains(err, "port 0 (high speed): Invalid argument", "standard error")


@test("attach: a port that others take again and again is given up")
def _():
    with client() as machine, Peer(machine, import_answer()):
        machine.write("fail", "devices/platform/vhci_hcd.0/attach 16\n")
        status, _, err = machine.run("attach", "1-1")
        equal((status, len(machine.journal())), (1, 16), "exit status and tries")
        contains(err, "Device or resource busy", "standard error")


# ---- port, detach

def with_attached(item=SUPER, busid="2-1"):
    """A machine with one device attached; the peer is gone, as far as it matters."""
    machine = client()
    with Peer(machine, import_answer(item)):
        equal(machine.run("attach", busid)[0], 0, "attach")
    return machine


@test("port: a table of what is attached, and where it comes from")
def _():
    with with_attached() as machine:
        equal(machine.run("port"), (
            0, "PORT STATE SPEED ID        BUSID FROM          DRIVERS     PRODUCT\n"
            "2    used  super 46f4:0001 4-1   usbroute0/2-1 usb-storage Thing 4-1\n", ""), "port")
        machine.write("var/run/vhci_hcd/port2", "garbage\n")
        contains(machine.run("port")[1], " ?/2-3 ", "port without a record")


@test("port --json: every field, by name")
def _():
    with with_attached() as machine:
        status, out, _ = machine.run("port", "--json")
        equal(status, 0, "exit status")
        got = json.loads(out)
        device = got["ports"][0].pop("device")
        equal(got, {"version": 1, "ports": [{
            "port": 2, "state": "used", "hub": "ss", "devid": 2 << 16 | 3,
            "from": {"link": "usbroute0", "service": "3240", "busid": "2-1"}}]}, "JSON")
        equal((device["busid"], device["serial"], device["interfaces"][0]["driver"]),
              ("4-1", "UR1", "usb-storage"), "device")


@test("port: none is not a failure")
def _():
    with client() as machine:
        equal(machine.run("port"), (0, "", "usbroute: nothing is attached\n"), "port")
        equal(json.loads(machine.run("port", "--json")[1]), {"version": 1, "ports": []}, "JSON")


NAMES = ["2", "2-1", "4-1", "port=4-1", "46f4:0001", "serial=UR1"]


def detach_row(row, operand):
    @test(f"detach row {row}: by {operand}")
    def _():
        with with_attached() as machine:
            equal(machine.run("detach", operand), (0, "port 2: free\n", ""), "detach")
            equal(machine.journal()[1:], ["devices/platform/vhci_hcd.0/detach 2"], "writes")
            equal(machine.exists("var/run/vhci_hcd/port2"), False, "record")
            equal(machine.run("detach", operand)[0], 3, "again")


for number, row_ in enumerate(NAMES):
    detach_row(number, row_)


@test("detach: a port that is free, or not there, or no such device")
def _():
    with with_attached() as machine:
        for operand, part in (("0", "nothing is attached there"),
                              ("9", "no port 9 here: there are 4"),
                              ("7-7", "7-7: no such device among 1 attached"),
                              ("serial=x", "serial=x: no such device among 1 attached")):
            status, out, err = machine.run("detach", operand)
            equal((status, out), (3, ""), f"detach {operand}")
            contains(err, part, f"detach {operand}")
        equal(len(machine.journal()), 1, "writes to sysfs")


@test("detach: two that fit are an error that names their ports")
def _():
    with with_attached() as machine:
        machine.write(STATUS, machine.read(STATUS).replace(
            "hs  0001 004 000 00000000 000000 0-0", "hs  0001 006 003 00010009 000004 4-1"))
        status, _, err = machine.run("detach", "46f4:0001")
        equal(status, 2, "exit status")
        contains(err, "port 1  4-1", "standard error")
        contains(err, "port 2  4-1", "standard error")


@test("detach: waits for the device to go, at most the timeout")
def _():
    with with_attached() as machine:
        machine.write("stays", "")
        status, out, err = machine.run("detach", "2", "--timeout", "0.3")
        equal((status, out), (1, ""), "detach")
        contains(err, "port 2: not free after 0.3 s", "standard error")


@test("detach: vhci-hcd's refusal is told")
def _():
    with with_attached() as machine:
        machine.write("fail", "devices/platform/vhci_hcd.0/detach 22\n")
        status, _, err = machine.run("detach", "2")
        equal(status, 1, "exit status")
        contains(err, "port 2: vhci-hcd does not let go: Invalid argument", "standard error")


@test("ports of several controllers are read from all their tables")
def _():
    with client() as machine:
        machine.write(STATUS + ".1", "hs  0030 006 003 00010009 000004 20-1\n")
        machine.write(STATUS + ".3", "hs  0090 006 003 00010009 000004 21-1\n")
        got = json.loads(machine.run("port", "--json")[1])
        equal([x["port"] for x in got["ports"]], [30], "ports")
