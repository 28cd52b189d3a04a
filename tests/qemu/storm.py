#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A hostile peer that is a plain process on the host: it enters the hub as end B, brings the link
up as an honest end would, and then rings A's doorbell as fast as a process can.

    storm.py SOCKET NICE        prints "up", storms from one byte of its input to
                                the next, prints how often it rang
"""

import array
import mmap
import os
import select
import socket
import struct
import sys
import time

VERSION, END, EPOCH, SEEN = 4, 8, 0x40, 0x44    # SPEC section 2


def message(sock):
    """(number, descriptor or None) of the hub's next message."""
    data, control, _, _ = sock.recvmsg(8, socket.CMSG_SPACE(4))
    if len(data) != 8:
        sys.exit(f"storm: expected 8 bytes from the hub, got {len(data)}")
    descriptors = array.array("i")
    for _, _, body in control:
        descriptors.frombytes(body[:4])
    return struct.unpack("<q", data)[0], descriptors[0] if descriptors else None


def enter(path):
    """The region and the peer's doorbell."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    got = [message(sock) for _ in range(5)]
    numbers = [number for number, _ in got]
    if numbers != [0, 1, -1, 0, 1]:
        sys.exit(f"storm: expected the greeting of end B, got {numbers}")
    memory = got[2][1]
    return sock, mmap.mmap(memory, os.fstat(memory).st_size), got[3][1]


def word(region, at, value=None):
    if value is not None:
        region[at:at + 4] = struct.pack("<I", value)
    return struct.unpack("<I", region[at:at + 4])[0]


def come_up(region, bell):
    """A's geometry is ours; its epoch is acknowledged whenever it has a new one."""
    mine = len(region) // 2
    region[mine:mine + 0x1c] = region[:0x1c]
    word(region, mine + END, 1)
    word(region, mine + EPOCH, 1)
    end = time.monotonic() + 10
    while word(region, SEEN) != 1:
        if time.monotonic() > end:
            sys.exit("storm: A acknowledged nothing in 10 s")
        word(region, mine + SEEN, word(region, EPOCH))
        os.eventfd_write(bell, 1)
        time.sleep(0.01)
    word(region, mine + SEEN, word(region, EPOCH))
    os.eventfd_write(bell, 1)


def storm(bell):
    """Until there is something to read on the standard input: how often it rang."""
    rung = 0
    while not select.select([0], [], [], 0)[0]:
        for _ in range(1000):
            os.write(bell, b"\x01\0\0\0\0\0\0\0")
        rung += 1000
    return rung


def main():
    _keep, region, bell = enter(sys.argv[1])
    os.nice(int(sys.argv[2]))
    come_up(region, bell)
    print("up", flush=True)
    while os.read(0, 1):
        rung = storm(bell)
        os.read(0, 1)
        print(rung, flush=True)


if __name__ == "__main__":
    main()
