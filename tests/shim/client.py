#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A USB/IP client in plain Python sockets: imports each device of tests/shim/device.c and uses it.

    client.py HOST PORT

Written from the kernel's usbip_protocol.rst, not from wire/. Ends with status 0 and "client: OK",
or with what was expected and what came.
"""

import socket
import struct
import sys

BASIC = ">IIIII"
OUT, IN = 0, 1
NONE = 0xffffffff


def equal(got, want, what):
    if got != want:
        sys.exit(f"client: {what}: expected {want!r}, got {got!r}")


class Device:
    def __init__(self, host, port, busid):
        self.sock = socket.create_connection((host, port), timeout=20)
        self.sock.sendall(struct.pack(">HHI32s", 0x0111, 0x8003, 0, busid.encode()))
        equal(struct.unpack(">HHI", self.take(8)), (0x0111, 0x0003, 0), f"import of {busid}")
        fields = struct.unpack(">256s32sIIIHHHBBBBBB", self.take(312))
        equal(fields[1].rstrip(b"\0").decode(), busid, "busid")
        self.devid = fields[2] << 16 | fields[3]
        self.ids = fields[5:7]
        self.seqnum = 0

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data), socket.MSG_WAITALL)
            if not more:
                sys.exit(f"client: the stream ended after {len(data)} of {count} bytes")
            data += more
        return data

    def submit(self, direction, ep, length, data=b"", setup=bytes(8), packets=()):
        self.seqnum += 1
        iso = b"".join(struct.pack(">IIII", i * n, n, 0, 0) for i, n in enumerate(packets))
        self.sock.sendall(struct.pack(BASIC + "IIIII8s", 1, self.seqnum, self.devid, direction, ep, 0,
                                      length, 0, len(packets) or NONE, 1, setup) + data + iso)
        return self.seqnum

    def answer(self, seqnum, direction, packets=0):
        """(status, bytes moved, data, packet descriptors)"""
        head = struct.unpack(BASIC + "iIIII8x", self.take(48))
        equal(head[:2], (3, seqnum), "command and seqnum of an answer")
        data = self.take(head[6]) if direction == IN else b""
        iso = [struct.unpack(">IIIi", self.take(16)) for _ in range(packets)]
        return head[5], head[6], data, iso

    def transfer(self, direction, ep, length, data=b"", setup=bytes(8)):
        return self.answer(self.submit(direction, ep, length, data, setup), direction)[:3]

    def control(self, kind, request, value, index, length, data=b""):
        setup = struct.pack("<BBHHH", kind, request, value, index, length)
        return self.transfer(IN if kind & 0x80 else OUT, 0, length, data, setup)

    def unlink(self, victim):
        self.seqnum += 1
        self.sock.sendall(struct.pack(BASIC + "I24x", 2, self.seqnum, self.devid, 0, 0, victim))
        head = struct.unpack(BASIC + "i24x", self.take(48))
        equal(head[:2], (4, self.seqnum), "command and seqnum of an unlink's answer")
        return head[5]


def describe(device, name):
    status, _, data = device.control(0x80, 6, 0x0100, 0, 18)
    equal((status, len(data), struct.unpack_from("<HH", data, 8)), (0, 18, device.ids), "descriptor")
    text = device.control(0x80, 6, 0x0302, 0x409, 255)[2]
    equal(text[2:].decode("utf-16-le"), name, "product string")
    total = struct.unpack_from("<H", device.control(0x80, 6, 0x0200, 0, 9)[2], 2)[0]
    equal(len(device.control(0x80, 6, 0x0200, 0, 1000)[2]), total, "configuration's length")


def keyboard(host, port):
    device = Device(host, port, "1-1")
    describe(device, "emulated keyboard")
    equal(device.transfer(IN, 1, 8), (0, 8, b"\0\0\4\0\0\0\0\0"), "the key goes down")
    equal(device.transfer(IN, 1, 8), (0, 8, bytes(8)), "the key goes up")
    waiting = device.submit(IN, 1, 8)
    equal(device.unlink(waiting), -104, "unlink of a transfer that waits")
    equal(device.unlink(waiting), 0, "unlink of one that is gone")
    equal(device.control(0x81, 6, 0x2200, 0, 4)[2], b"\5\1\t\6", "report descriptor")


def scsi(device, command, length, data=None):
    cbw = struct.pack("<4sIIBBB16s", b"USBC", 7, length, 0 if data else 0x80, 0, len(command), command)
    equal(device.transfer(OUT, 2, 31, cbw)[0], 0, "command")
    answer = device.transfer(OUT, 2, length, data) if data else device.transfer(IN, 1, length)
    equal(device.transfer(IN, 1, 13)[2][:9] + b"\0\0\0\0", b"USBS\7\0\0\0\0" + bytes(4), "status")
    return answer[2]


def disk(host, port):
    device = Device(host, port, "1-2")
    describe(device, "emulated disk")
    equal(struct.unpack(">II", scsi(device, b"\x25" + bytes(9), 8)), (8191, 512), "capacity")
    want = b"".join(b"%015d\n" % n * 32 for n in range(100, 228))
    read = struct.pack(">BxIxHx", 0x28, 100, 128)
    equal(scsi(device, read, 65536), want, "128 sectors from 100")
    new = bytes(range(256)) * 256
    scsi(device, struct.pack(">BxIxHx", 0x2a, 100, 128), 65536, new)
    equal(scsi(device, read, 65536), new, "what was written")


def zero(host, port):
    device = Device(host, port, "1-3")
    describe(device, "emulated zero")
    equal(device.control(0x40, 0x5b, 0, 0, 64, b"usbroute" * 8)[:2], (0, 64), "control out")
    equal(device.control(0xc0, 0x5c, 0, 0, 64)[2], b"usbroute" * 8, "control in")
    equal(device.control(0xc0, 0x77, 0, 0, 64)[0], -32, "an unknown request")
    for ep in (1, 3):
        equal(device.transfer(OUT, ep, 4096, bytes(4096)), (0, 4096, b""), f"out to {ep}")
        equal(device.transfer(OUT, ep, 4, b"\0\0\1\0")[0], -32, f"bad bytes out to {ep}")
        equal(device.transfer(IN, ep, 4096), (0, 4096, bytes(4096)), f"in from {ep}")
    packets = [1024] * 8
    for direction in (IN, OUT):
        seqnum = device.submit(direction, 2, 8192, bytes(8192) if direction == OUT else b"",
                               packets=packets)
        status, moved, _, iso = device.answer(seqnum, direction, 8)
        equal((status, moved), (0, 8192), "isochronous")
        equal(iso, [(i * 1024, 1024, 1024, 0) for i in range(8)], "its packets")


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    for use in (keyboard, disk, zero):
        use(host, port)
    print("client: OK")


if __name__ == "__main__":
    main()
