# SPDX-License-Identifier: BSD-2-Clause
"""`usbroute serve` on a machine of files; the client is Python.

    client (here) --- stream --- serve --- sysfs of files --- fake usbip-host
                                                              (echoes the stream)
"""
import os
import signal
import subprocess
import socket
import struct
import time

import rig
from rig import REQ_DEVLIST, Machine, receive, req_import, wait_until
from tap import contains, equal, test

OK, NA, BUSY, DEV_ERR, NODEV, ERROR = range(6)
STUB = "bus/usb/drivers/usbip-host"
STATE = "run/usbroute"


def disk(machine, busid="1-1", **more):
    machine.add(busid, **dict({"bus": 1, "dev": 7, "serial": "UR1"}, **more))


DISK = rig.device("1-1", bus=1, dev=7)


def populate(machine):
    """Two devices to export, and all that must not be."""
    disk(machine)
    machine.add("2-1.4", bus=2, dev=258, speed="5000", vendor="0627", product="00ff", bcd="1234",
                serial="K1", interfaces=((3, 1, 1, "usbhid"), (3, 0, 0, None)))
    machine.add("usb1", where="sys/devices/pci0000:00/usb1x/usb1", cls="09")
    machine.add("1-2", cls="09", dev=3)
    machine.add("9-1", where="sys/devices/platform/vhci_hcd.0/usb9/9-1", bus=9)


OTHER = rig.device("2-1.4", bus=2, dev=258, speed=5, vendor=0x0627, product=0xff, bcd=0x1234,
                   interfaces=2)
ITEM_1 = DISK + rig.interface((8, 6, 80))
ITEM_2 = OTHER + rig.interface((3, 1, 1)) + rig.interface((3, 0, 0))


def ask(machine, request):
    """All that serve answers to one request, to the end of the stream."""
    with machine.connect() as sock:
        sock.sendall(request)
        return receive(sock, 1 << 20)


def import_status(machine, busid):
    """Status of an import; the device is let go at once."""
    with machine.connect() as sock:
        sock.sendall(req_import(busid))
        answer = receive(sock, 8)
        equal(answer[:4], struct.pack(">HH", 0x111, 3), "version and code")
        return struct.unpack(">I", answer[4:])[0]


def imported(machine, busid):
    """A stream on which the device was imported."""
    sock = machine.connect()
    sock.sendall(req_import(busid))
    equal(receive(sock, 8), rig.header(3), f"import of {busid}")
    receive(sock, 312)
    return sock


def stub_status(machine, busid="1-1"):
    return machine.read(f"sys/bus/usb/devices/{busid}/usbip_status").strip()


# ---- lists

@test("list: every device but hubs and attached ones, byte for byte")
def _():
    with Machine() as machine:
        populate(machine)
        machine.serve()
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(ITEM_1, ITEM_2), "answer")
        equal(machine.journal(), [], "writes to sysfs")


FILTERS = [
    (("1-1",), (ITEM_1,)),
    (("port=2-1.4",), (ITEM_2,)),
    (("0627:00ff",), (ITEM_2,)),
    (("serial=UR1",), (ITEM_1,)),
    (("serial=K1", "1-1"), (ITEM_1, ITEM_2)),
    (("serial=x",), ()),
    (("1-2", "9-1"), ()),
]


def filter_row(row, selectors, items):
    @test(f"list row {row}: serve {' '.join(selectors)} offers {len(items)}")
    def _():
        with Machine() as machine:
            populate(machine)
            machine.serve(*selectors)
            equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(*items), "answer")


for number, row_ in enumerate(FILTERS):
    filter_row(number, *row_)


@test("list: no device at all")
def _():
    with Machine() as machine:
        machine.serve()
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(), "answer")


@test("list: sees what was plugged and unplugged since")
def _():
    with Machine() as machine:
        machine.serve()
        disk(machine)
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(ITEM_1), "after plug")
        os.unlink(machine.path("sys/bus/usb/devices/1-1"))
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(), "after unplug")


@test("list: odd attributes become zeros, odd characters question marks")
def _():
    with Machine() as machine:
        where = "sys/devices/pci0000:00/usb1/1-1"
        disk(machine, speed="9600", vendor="zz", bcd="12345", interfaces=())
        machine.write(f"{where}/bConfigurationValue", "\n")
        os.unlink(machine.path(where, "bDeviceClass"))
        machine.serve()
        item = rig.device("1-1", dev=7, speed=0, vendor=0, bcd=0, config=0, interfaces=0)
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(item), "answer")


# ---- imports

@test("import: binds in order, answers byte for byte, hands the very stream over")
def _():
    with Machine() as machine:
        populate(machine)
        machine.serve()
        with machine.connect() as sock:
            # URBs right behind the request: not one byte may be taken from them
            sock.sendall(req_import("1-1") + b"urb" * 1000)
            got = receive(sock, 320 + 3000)
        # The stub has the stream before the answer is sent, and such a client
        # may get its echo first.
        before, answer, after = got.partition(rig.rep_import(DISK))
        equal(answer, rig.rep_import(DISK), "answer")
        equal(before + after, b"urb" * 1000, "echo")
        journal = machine.journal()
        equal(journal[:3], ["bus/usb/drivers/usb/unbind 1-1", f"{STUB}/match_busid add 1-1",
                            f"{STUB}/bind 1-1"], "writes to sysfs")
        contains(journal[3], "bus/usb/devices/1-1/usbip_sockfd ", "hand-over")
        equal(len(journal), 4, "number of writes")
        equal(machine.driver("1-1"), "usbip-host", "driver")
        equal(machine.driver("2-1.4"), "usb", "the other device's driver")


@test("import: by serial number; two with the same are none")
def _():
    with Machine() as machine:
        disk(machine)
        disk(machine, "1-3", serial="TWIN")
        disk(machine, "1-4", serial="TWIN")
        machine.serve()
        with machine.connect() as sock:
            sock.sendall(req_import("serial:UR1"))
            equal(receive(sock, 320), rig.rep_import(DISK), "answer")
        equal(import_status(machine, "serial:TWIN"), NODEV, "twins")
        equal(import_status(machine, "serial:"), NODEV, "no number")


REFUSALS = [
    ("9-9", NODEV),          # not there
    ("1-2", NODEV),          # a hub
    ("9-1", NODEV),          # came from a peer itself
    ("2-1.4", NODEV),        # not among serve's selectors
    ("1-1 ", ERROR),
    ("../1-1", ERROR),
    ("", ERROR),
    ("1-1/../1-2", ERROR),
    ("-1", ERROR),
    ("1\n1", ERROR),
    ("x" * 32, ERROR),
]


@test(f"import: {len(REFUSALS)} that are refused, and nothing is written")
def _():
    with Machine() as machine:
        populate(machine)
        machine.serve("1-1", "1-2", "9-1")
        for row, (busid, status) in enumerate(REFUSALS):
            answer = ask(machine, req_import(busid))
            equal(answer, rig.header(3, status), f"row {row}: answer to {busid!r}")
        equal(machine.journal(), [], "writes to sysfs")


@test("import: a request that comes byte by byte")
def _():
    with Machine() as machine:
        disk(machine)
        machine.serve()
        with machine.connect() as sock:
            for i in range(40):
                sock.sendall(req_import("1-1")[i:i + 1])
            equal(receive(sock, 320), rig.rep_import(DISK), "answer")


@test("import: a device in use is busy, after a while and not before")
def _():
    with Machine() as machine:
        disk(machine)
        machine.serve()
        with imported(machine, "1-1"):
            start = time.monotonic()
            equal(import_status(machine, "1-1"), BUSY, "status")
            waited = time.monotonic() - start
        equal(1.5 < waited < 6, True, f"{waited:.1f} s of patience")


@test("import: a client may come back before the device is free, and others do not wait")
def _():
    with Machine() as machine:
        disk(machine)
        machine.serve()
        first = imported(machine, "1-1")
        second = machine.connect()
        second.sendall(req_import("1-1"))
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(ITEM_1), "a list meanwhile")
        first.close()
        equal(receive(second, 320), rig.rep_import(DISK), "answer")
        second.close()
        equal(sum("match_busid" in x for x in machine.journal()), 1, "times bound")


@test("import: a client that leaves while the device is busy is forgotten")
def _():
    with Machine() as machine:
        disk(machine)
        serve = machine.serve()
        first = imported(machine, "1-1")
        with machine.connect() as second:
            second.sendall(req_import("1-1"))
            wait_until(lambda: sum("usbip_sockfd" in x for x in machine.journal()) == 1, "import")
        serve.wait_line("left while the device was busy")
        equal(receive_echo(first), b"x", "the first client's stream")
        first.close()


def receive_echo(sock):
    sock.sendall(b"x")
    return receive(sock, 1)


@test("import: a device in error is said to be")
def _():
    with Machine() as machine:
        disk(machine, driver="usbip-host")
        machine.write("sys/bus/usb/devices/1-1/usbip_status", "3\n")
        machine.serve()
        equal(import_status(machine, "1-1"), DEV_ERR, "status")
        machine.write("sys/bus/usb/devices/1-1/usbip_status", "4\n")
        equal(import_status(machine, "1-1"), NA, "status of an unknown state")


FAILS = [
    ("bus/usb/drivers/usb/unbind 16", "usb"),
    (f"{STUB}/match_busid 12", "usb"),
    (f"{STUB}/bind 19", "usb"),
    ("bus/usb/devices/1-1/usbip_sockfd 22", "usbip-host"),
]


def fail_row(row, line, driver):
    @test(f"import fail row {row}: {line.split()[0].split('/')[-1]}: refused, driver {driver}")
    def _():
        with Machine() as machine:
            disk(machine)
            machine.write("fail", line + "\n")
            serve = machine.serve()
            equal(import_status(machine, "1-1"), NA, "status")
            equal(machine.driver("1-1"), driver, "driver after the failure")
            serve.wait_line("1-1: ")
            os.unlink(machine.path("fail"))
            equal(import_status(machine, "1-1"), OK, "status once it works")


for number, row_ in enumerate(FAILS):
    fail_row(number, *row_)


@test("import: usbip-host has 16 places; the 17th device is refused")
def _():
    with Machine() as machine:
        for i in range(17):
            disk(machine, f"1-{i + 10}", serial=f"S{i}")
        machine.serve()
        got = [import_status(machine, f"1-{i + 10}") for i in range(17)]
        equal(got, [OK] * 16 + [NA], "statuses")


# ---- nonsense, silence

NONSENSE = [
    ("version", rig.header(0x8005, version=0x0100)),
    ("an answer's code", rig.header(0x0005)),
    ("an unknown code", rig.header(0x8007)),
    ("a status", rig.header(0x8005, status=1)),
    ("zeros", bytes(8)),
    ("an URB", bytes(3) + b"\1" + bytes(44)),
]


@test(f"nonsense: {len(NONSENSE)} requests end their connection, unanswered")
def _():
    with Machine() as machine:
        serve = machine.serve()
        for what, request in NONSENSE:
            with machine.connect() as sock:
                sock.sendall(request)
                try:
                    equal(receive(sock, 1), b"", what)
                except ConnectionResetError:
                    pass
        serve.wait_line("refused: USB/IP version: got 256, want exactly 273")
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(), "a list afterwards")


@test("silence: clients that send nothing, or half, delay nobody and are dropped")
def _():
    with Machine() as machine:
        disk(machine)
        machine.serve("--timeout", "3")
        silent = [machine.connect() for _ in range(7)]
        half = machine.connect()
        half.sendall(req_import("1-1")[:39])
        start = time.monotonic()
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(ITEM_1), "a list meanwhile")
        equal(time.monotonic() - start < 2.5, True, "at once")
        for sock in silent + [half]:
            equal(receive(sock, 1), b"", "end of a silent client's stream")
            sock.close()
        equal(machine.journal(), [], "writes to sysfs")


@test("silence: more of them than serve keeps; who waits is served in the end")
def _():
    with Machine() as machine:
        machine.serve("--timeout", "1")
        silent = [machine.connect() for _ in range(16)]
        equal(ask(machine, REQ_DEVLIST), rig.rep_devlist(), "a list")
        for sock in silent:
            sock.close()


@test("a client that does not read its list delays nobody, and is dropped")
def _():
    with Machine() as machine:
        for i in range(30):
            disk(machine, f"1-{i + 1}", interfaces=((8, 6, 80, None),) * 2)
        whole = 12 + 30 * 320
        serve = machine.serve("--timeout", "4")
        slow = machine.connect()
        slow.sendall(REQ_DEVLIST)
        equal(len(ask(machine, REQ_DEVLIST)), whole, "length of a list that is read")
        serve.wait_line("too slow, ended")
        equal(len(receive(slow, whole)) < whole, True, "the other one was cut")
        slow.close()


@test("a call that cannot be taken does not make serve spin, and is taken later")
def _():
    with Machine() as machine:
        serve = machine.serve()
        machine.write("dev/usbroute0", "accept 12\n")
        with machine.connect() as sock:
            sock.sendall(REQ_DEVLIST)
            serve.wait_line("cannot take a call: Cannot allocate memory")
            machine.write("dev/usbroute0", "")
            equal(receive(sock, 12), rig.rep_devlist(), "answer")
        equal(sum("cannot take" in x for x in serve.lines) < 5, True, "a few tries")


# ---- start and end

@test("SIGTERM: every device goes back to its driver, also one in use")
def _():
    with Machine() as machine:
        populate(machine)
        serve = machine.serve()
        with imported(machine, "1-1"):
            imported(machine, "2-1.4").close()
            equal(sorted(os.listdir(machine.path(STATE, "_" + machine.root.strip("/").replace(
                "/", "_") + "_dev_usbroute0/bound"))), ["1-1", "2-1.4"], "marks")
            equal(serve.finish(signal.SIGTERM), 0, "exit status")
        equal((machine.driver("1-1"), machine.driver("2-1.4")), ("usb", "usb"), "drivers")
        equal([x for x in machine.journal() if "rebind" in x],
              [f"{STUB}/rebind 2-1.4", f"{STUB}/rebind 1-1"], "rebinds")
        equal(sum(len(files) for _, _, files in os.walk(machine.path(STATE))), 0, "marks left")


@test("SIGINT and SIGHUP end it the same way")
def _():
    for number in (signal.SIGINT, signal.SIGHUP):
        with Machine() as machine:
            disk(machine)
            serve = machine.serve()
            imported(machine, "1-1").close()
            equal(serve.finish(number), 0, "exit status")
            equal(machine.driver("1-1"), "usb", "driver")


@test("a device that will not go back is a failure, and the rest still go")
def _():
    with Machine() as machine:
        populate(machine)
        serve = machine.serve()
        for busid in ("1-1", "2-1.4"):
            imported(machine, busid).close()
        machine.write("fail", f"{STUB}/unbind 16\n")
        equal(serve.finish(signal.SIGTERM), 1, "exit status")
        equal([x for x in machine.journal() if x.startswith(f"{STUB}/unbind")],
              [f"{STUB}/unbind 2-1.4", f"{STUB}/unbind 1-1"], "tries")


@test("after SIGKILL the next serve gives back what the first took, and only that")
def _():
    with Machine() as machine:
        populate(machine)
        machine.add("3-1", bus=3, driver="usbip-host")  # bound by somebody else
        serve = machine.serve()
        imported(machine, "1-1").close()
        serve.finish(signal.SIGKILL)
        equal(machine.driver("1-1"), "usbip-host", "driver after SIGKILL")
        os.unlink(machine.path("socket"))
        serve = machine.serve()
        serve.wait_line("1-1: still bound to usbip-host by an earlier serve")
        equal(serve.finish(signal.SIGTERM), 0, "exit status")
        equal(machine.driver("1-1"), "usb", "driver")
        equal(machine.driver("3-1"), "usbip-host", "the other's driver")


@test("after SIGKILL between two drivers the next serve gives a device back to its own")
def _():
    with Machine() as machine:
        populate(machine)
        serve = machine.serve()
        imported(machine, "1-1").close()
        serve.finish(signal.SIGKILL)
        os.unlink(machine.path("socket"))
        os.unlink(machine.path("sys/bus/usb/devices/1-1/driver"))   # as it is after "unbind"
        serve = machine.serve()
        serve.wait_line("1-1: left without a driver by an earlier serve, given back")
        equal(machine.driver("1-1"), "usb", "driver")
        equal(serve.finish(signal.SIGTERM), 0, "exit status")


@test("a log that nobody reads stops no serve, one whose reader is gone ends none")
def _():
    def ask_for_none():
        with machine.connect() as sock:
            sock.sendall(req_import("9-9"))
            equal(len(receive(sock, 8)), 8, "the answer's bytes")

    with Machine() as machine:
        populate(machine)
        reader, writer = os.pipe()
        serve = subprocess.Popen([rig.TEST_BINARY, "serve"], env=machine.environment(), stderr=writer)
        os.close(writer)
        while b"serving USB/IP" not in os.read(reader, 1 << 16):
            pass
        for _ in range(2000):   # a line each of some 40 bytes, and a pipe has 64 KiB
            ask_for_none()
        os.read(reader, 1 << 16)
        ask_for_none()
        contains(os.read(reader, 1 << 16).decode(), "lines lost: nobody read", "log")
        os.close(reader)
        ask_for_none()
        ask_for_none()
        serve.send_signal(signal.SIGTERM)
        equal(serve.wait(rig.LIMIT), 0, "exit status")


@test("a second serve on the link is refused and touches nothing")
def _():
    with Machine() as machine:
        disk(machine)
        machine.serve()
        imported(machine, "1-1").close()
        machine.write("dev/usbroute0", "listen 98\n")
        status, _, err = machine.run("serve")
        equal(status, 1, "exit status")
        contains(err, "another program serves USB/IP here already", "standard error")
        equal(machine.driver("1-1"), "usbip-host", "driver")


@test("without usbip-host it says so")
def _():
    with Machine() as machine:
        os.unlink(machine.path("sys/bus/usb/drivers/usbip-host/match_busid"))
        os.rmdir(machine.path("sys/bus/usb/drivers/usbip-host"))
        status, _, err = machine.run("serve")
        equal(status, 1, "exit status")
        contains(err, "modprobe usbip-host", "standard error")


@test("systemd is told READY and STOPPING, on a path or an abstract name")
def _():
    for abstract in (False, True):
        with Machine() as machine, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            name = "@" + machine.root[1:] if abstract else machine.path("notify")
            sock.bind("\0" + name[1:] if abstract else name)
            sock.settimeout(rig.LIMIT)
            serve = machine.serve(NOTIFY_SOCKET=name)
            equal(sock.recv(100), b"READY=1", "first")
            equal(serve.finish(signal.SIGTERM), 0, "exit status")
            equal(sock.recv(100), b"STOPPING=1", "second")


@test("the link's state is logged")
def _():
    with Machine() as machine:
        serve = machine.serve()
        contains(serve.wait_line("link up"), "epoch 5, peer's epoch 9", "log")
