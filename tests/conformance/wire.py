# SPDX-License-Identifier: BSD-2-Clause
"""tshark judges what passes the client's end of the route.

    vhci-hcd == loopback == tap == /dev/usbroute0 or TCP ======= device VM
                             |
                    every byte, both ways -> one PDU a segment -> text2pcap's headers -> tshark

The tap sits between the link and the client's USB/IP driver: what it takes from the link's
socket is what was in the ring, in its order, before any driver has seen it. No other place has
whole streams without trusting somebody's record of them: ivshmem's memory holds no indices a
third party may believe. Over TCP the same program sits in the same place.
The bytes are cut into PDUs here, for tshark takes one message a segment; a wrong cut is a
malformed PDU for it, or an answer without its request.
"""

import collections
import os
import shutil
import struct
import subprocess

import plug
from models import Since
from results import FAIL, NOT_RUN, PASS
from ways import serving, stock_detach

PART = "tshark"
IDS = "46f4:0001"
TESTS = ("no malformed PDU", "every request answered once", "every byte is part of a PDU")
HEADER = 48
SUBMIT, UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
NO_PACKETS = 0xffffffff
FIELDS = ("frame.number", "frame.protocols", "_ws.malformed", "usbip.urb", "usbip.cmd_frame", "usbip.vic_frame",
          "usbip.status", "usbip.operation")


class Cutter:
    """One direction of a connection: bytes in, whole messages out."""

    def __init__(self, requests):
        self.requests = requests    # seqnum: does it read? what an answer's length depends on
        self.bytes = b""
        self.urbs = False           # past the OP exchange

    def feed(self, data):
        self.bytes += data
        while True:
            size = self.size()
            if not size or len(self.bytes) < size:
                return
            message, self.bytes = self.bytes[:size], self.bytes[size:]
            yield message

    def size(self):
        """Bytes of the message in front, 0 while that cannot be known."""
        if len(self.bytes) < 8:
            return 0
        return self.urb_size() if self.urbs else self.op_size()

    def op_size(self):
        _, code, status = struct.unpack_from(">HHI", self.bytes)
        size = {0x8005: 8, 0x8003: 40, 0x0003: 320 if status == 0 else 8}.get(code)
        if code == 0x0005:      # a list is the last on its connection: all there is
            size = self.list_size()
        self.urbs = code in (0x8003, 0x0003) and size is not None and len(self.bytes) >= size
        return size or len(self.bytes)

    def list_size(self):
        if len(self.bytes) < 12:
            return 12
        at, count = 12, struct.unpack_from(">I", self.bytes, 8)[0]
        for _ in range(count):
            if len(self.bytes) < at + 312:
                return at + 312
            at += 312 + 4 * self.bytes[at + 311]
        return at

    def urb_size(self):
        if len(self.bytes) < HEADER:
            return 0
        command, seqnum, _, direction, _ = struct.unpack_from(">5I", self.bytes)
        length, _, packets = struct.unpack_from(">III", self.bytes, 24)
        iso = 0 if packets in (0, NO_PACKETS) else 16 * packets
        if command == SUBMIT:
            self.requests[seqnum] = direction == 1
            return HEADER + (length if direction == 0 else 0) + iso
        if command == RET_SUBMIT:
            return HEADER + (length if self.requests.get(seqnum) else 0) + iso
        return HEADER


def records(data):
    """(connection, direction, bytes) of a tap's file."""
    at = 0
    while at + 12 <= len(data):
        number, direction, count = struct.unpack_from("<III", data, at)
        yield number, direction, data[at + 12:at + 12 + count]
        at += 12 + count


def messages(data):
    """([(connection, direction, message)], bytes that are part of none)"""
    cutters, requests, found = {}, collections.defaultdict(dict), []
    for number, direction, piece in records(data):
        key = number, direction
        if key not in cutters:
            cutters[key] = Cutter(requests[number])
        found += [(number, direction, m) for m in cutters[key].feed(piece)]
    return found, sum(len(c.bytes) for c in cutters.values())


def frame(number, direction, message, sent, n):
    """Ethernet, IP and TCP round a message; IP's length is 0, as of a segment a card will cut."""
    ports, addresses = (40000 + number, 3240), (b"\x0a\0\0\2", b"\x0a\0\0\1")
    if direction:
        ports, addresses = ports[::-1], addresses[::-1]
    tcp = struct.pack(">HHIIBBHHH", *ports, 1 + sent[number, direction], 1 + sent[number, 1 - direction],
                      5 << 4, 0x18, 65535, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, n & 65535, 0, 64, 6, 0, *addresses)
    return bytes(12) + b"\x08\0" + ip + tcp + message


def write_pcap(path, found):
    """A message is a packet, each a millisecond after the one before."""
    sent = collections.defaultdict(int)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1))
        for n, (number, direction, message) in enumerate(found):
            packet = frame(number, direction, message, sent, n)
            sent[number, direction] += len(message)
            file.write(struct.pack("<IIII", n // 1000, n % 1000 * 1000, len(packet), len(packet)) + packet)


def tshark(path):
    """What it says of each packet: {field: text}."""
    command = ["tshark", "-n", "-r", path, "-d", "tcp.port==3240,usbip", "-T", "fields", "-E", "separator=;"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=600)
    if done.returncode:
        raise ValueError(f"tshark ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return [dict(zip(FIELDS, line.split(";"))) for line in done.stdout.splitlines()]


def malformed(packets, count):
    """Why they are not all whole USB/IP messages, or None."""
    if len(packets) != count:
        return f"expected {count} packets, tshark has {len(packets)}"
    for p in packets:
        whole = "usbip" in p["frame.protocols"] and not p["_ws.malformed"] and (p["usbip.urb"] or p["usbip.operation"])
        if not whole:
            return f"packet {p['frame.number']}: {p}"
    return None


def unanswered(packets):
    """The first request that has not one answer, or None; how many requests there are."""
    kinds = {kind: [p for p in packets if p["usbip.urb"] == f"0x{kind:08x}"] for kind in (1, 2, 3, 4)}
    answers = collections.Counter(p["usbip.cmd_frame"] for p in kinds[RET_SUBMIT] + kinds[RET_UNLINK])
    ended = {p["usbip.vic_frame"] for p in kinds[RET_UNLINK] + kinds[UNLINK] if p["usbip.vic_frame"]}
    for p in kinds[SUBMIT] + kinds[UNLINK]:
        got, number = answers.pop(p["frame.number"], 0), p["frame.number"]
        if got != 1 and not (got == 0 and number in ended):
            return f"packet {number}: expected 1 answer, got {got}"
    if answers:
        return f"answers to what was not asked: {dict(answers)}"
    return None


def count_requests(packets):
    return sum(p["usbip.urb"] == "0x00000001" for p in packets)


def record(way, settings):
    """The tap's file, of an attach, reads, writes and a detach."""
    with plug.plugged(way, "usb-storage", IDS, drive="disk"):
        busid = way.offer(IDS)
        with serving(way.user, f"tap {way.tap_target()} /tmp/tap"):
            client = Since(way.user)
            way.user.check(f"usbip list -r 127.0.0.1 && usbip attach -r 127.0.0.1 -b {busid}", 40)
            block = client.wait_console(r"\[(sd[a-z]+)\] Attached SCSI", 40).group(1)
            way.user.check(f"dd if=/dev/{block} of=/dev/null bs=128k count={settings.wire_mib * 8} iflag=direct && "
                           f"dd if=/dev/zero of=/dev/{block} bs=24k count={settings.wire_mib * 40} oflag=direct", 120)
            stock_detach(way.user)
        way.detach()
    return way.fetch(way.user, "/tmp/tap")


def judge(path, found, left):
    """{test: why it failed, or None}"""
    write_pcap(path, found)
    packets = tshark(path)
    none = None if count_requests(packets) > 100 else f"expected over 100 requests, got {count_requests(packets)}"
    return dict(zip(TESTS, (malformed(packets, len(found)), unanswered(packets) or none,
                            f"{left} bytes left over" if left else None)))


def run(results, way, settings):
    why = "no wire" if way.name == "local" else None if shutil.which("tshark") else "no tshark on this machine"
    if why:
        for test in TESTS:
            results.add(PART, way.name, test, NOT_RUN, why)
        return
    way.user.check("modprobe usb-storage && modprobe sd_mod")
    pcap = os.path.join(way.directory, "tap.pcap")
    for test, fault in judge(pcap, *messages(record(way, settings))).items():
        results.add(PART, way.name, test, FAIL if fault else PASS, fault or "")
