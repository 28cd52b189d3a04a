#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the inputs that the fuzz targets start from, out of what the tests have:

    seeds.py DIRECTORY      writes DIRECTORY/<target>/<number>

the attacks (tests/attacks/files), what the stock tools said (tests/vectors) and the
rules of tests/cli/policy.py. What an input's first bytes mean stands in each target.
"""
import ast
import glob
import os
import re
import struct
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TO_DEVICE, TO_CLIENT = 0, 1
LONGEST = 3000
LIMITS = struct.pack(">II", 65536, 128)

# fuzz/guard.c: enum op and its flags.
RAW, SUBMIT, UNLINK, CONTROL, ANSWER, RETURN, TURN, SLICE = range(8)
OP_TO_CLIENT, CHANGE, CUT = 0x20, 0x40, 0x80
CONFIGURED = 3


# ---- the attacks -------------------------------------------------------------

def number(keys, key, otherwise=0):
    return int(keys.get(key, str(otherwise)), 0) & 0xffffffff


def packets(keys):
    out = b""
    for one in filter(None, keys.get("iso", "").split(",")):
        words = [int(w, 0) & 0xffffffff for w in one.split(":")]
        out += struct.pack(">4I", *words, 0)
    return out


def message(line):
    """The bytes that a line `> kind key=value...` stands for; None if no message."""
    kind = line[2:].split()[0]
    if kind == "hex":
        return bytes.fromhex(line[6:])
    keys = dict(re.findall(r"(\w+)=(\S+)", line))
    seq, status = number(keys, "seq", 1), number(keys, "status")
    devid = number(keys, "devid", 0x10002 if line[0] == ">" else 0)
    if kind == "submit":
        head = struct.pack(">12I", 1, seq, devid, number(keys, "dir"), number(keys, "ep"), 0,
                           number(keys, "len"), 0, number(keys, "packets"), 0, 0, 0)
        head = head[:40] + bytes.fromhex(keys.get("setup", "00" * 8))
    elif kind == "unlink":
        head = struct.pack(">12I", 2, seq, devid, 0, 0, number(keys, "victim"), *[0] * 6)
    elif kind == "ret":
        head = struct.pack(">12I", 3, seq, devid, 0, 0, status, number(keys, "len"), 0,
                           number(keys, "packets"), number(keys, "errors"), 0, 0)
    elif kind == "unlinked":
        head = struct.pack(">12I", 4, seq, devid, 0, 0, status, *[0] * 6)
    else:
        return None
    data = bytes(i * 7 & 255 for i in range(number(keys, "data")))
    return head + data + bytes.fromhex(keys.get("hex", "")) + packets(keys)


def attack(path):
    """(how it starts, [(travel, message)], [descriptor]) of one file."""
    device, described, messages, descriptors = 0, b"", [], []
    depth = 0
    for line in open(path, encoding="utf-8"):
        word = line.split()
        if not word or line[0] == "#":
            continue
        if word[0] == "device":
            vendor, product = (int(w, 16) for w in word[1].split(":"))
            configuration = bytes.fromhex("".join(word[2:]))
            described = struct.pack(">HHH", vendor, product, len(configuration) - 1)
            described += configuration
            descriptors.append(configuration)
        elif word[0] in ("use", "read", "import"):
            depth = {"import": 1, "read": 2, "use": 3}[word[0]]
            device = {"disk": 0, "sound": 1}.get(word[1], 2)
        elif word[0] in "<>":
            bytes_ = message(line.rstrip())
            if bytes_ is not None:
                messages.append((TO_DEVICE if word[0] == ">" else TO_CLIENT, bytes_))
            if "hex=" in line:
                descriptors.append(bytes.fromhex(re.search(r"hex=(\w+)", line).group(1)))
    start = bytes([device | depth << 2]) + (described if device == 2 else b"")
    return start, messages, descriptors


def raw(travel, data):
    op = RAW | (OP_TO_CLIENT if travel == TO_CLIENT else 0)
    return struct.pack(">BH", op, len(data)) + data


# ---- what the stock tools said ------------------------------------------------

def segments(path):
    """(connection, travel, bytes) of each TCP segment, in the order of the file."""
    data = open(path, "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, seen = 24, {}
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        ip = data[at + 16 + 14:at + 16 + length]
        at += 16 + length
        head = (ip[0] & 15) * 4
        total, tcp = struct.unpack(">H", ip[2:4])[0], ip[head:]
        source, target, sequence = struct.unpack(">HHI", tcp[:8])
        payload = ip[head + (tcp[12] >> 4) * 4:total]
        travel = TO_DEVICE if target == 3240 else TO_CLIENT
        port = source if travel == TO_DEVICE else target
        if payload and seen.get((port, travel)) in (None, sequence):
            seen[port, travel] = (sequence + len(payload)) & 0xffffffff
            yield port, travel, payload


def connections(path):
    out = {}
    for port, travel, payload in segments(path):
        out.setdefault(port, []).append((travel, payload))
    return list(out.values())


def stream(connection, travel):
    return b"".join(b for t, b in connection if t == travel)


def descriptors_of(connection):
    """Answers to GET_DESCRIPTOR: the connection's answers, found by their number."""
    asked, data = {}, stream(connection, TO_DEVICE)[40:]
    for at in range(0, len(data) - 47):
        word = struct.unpack(">5I", data[at:at + 20])
        if word[0] == 1 and word[3] == 1 and word[4] == 0 and data[at + 40:at + 42] == b"\x80\x06":
            asked[word[1]] = True
    data = stream(connection, TO_CLIENT)[320:]
    for at in range(0, len(data) - 47):
        word = struct.unpack(">7I", data[at:at + 28])
        if word[0] == 3 and word[1] in asked and 4 <= word[6] <= 512:
            yield data[at + 48:at + 48 + word[6]]


# ---- the targets -------------------------------------------------------------

def framer(attacks, stock):
    for _, messages, _ in attacks:
        for travel in (TO_DEVICE, TO_CLIENT):
            whole = b"".join(m for t, m in messages if t == travel)
            if whole:
                yield bytes([travel, 2, 6, 47]) + whole
    for connection in stock:
        for travel in (TO_DEVICE, TO_CLIENT):
            whole = stream(connection, travel)[:LONGEST]
            yield bytes([travel | 2, 1, 30]) + whole[:400]
            yield bytes([travel, 0]) + whole[40 if travel == TO_DEVICE else 320:]


def pdu(attacks, stock):
    for _, messages, _ in attacks:
        for travel, m in messages:
            yield bytes([0, travel]) + LIMITS + m[:48]
            if len(m) >= 64:
                yield bytes([1, travel]) + LIMITS + m[-32:]
    for connection in stock:
        for travel in (TO_DEVICE, TO_CLIENT):
            whole = stream(connection, travel)
            yield bytes([2, travel]) + LIMITS + whole[:8]
            yield bytes([3, travel]) + LIMITS + whole[8:40]
            yield bytes([4, travel]) + LIMITS + whole[8:12]
            yield bytes([5, travel]) + LIMITS + whole[8:320]
            yield bytes([5, travel]) + LIMITS + whole[12:324]
            yield bytes([6, travel]) + LIMITS + whole[324:328]


def descriptor(attacks, stock):
    kinds = {1: 0, 2: 1, 7: 2, 15: 3, 3: 4}
    every = [d for _, _, ds in attacks for d in ds]
    every += [d for c in stock for d in descriptors_of(c)]
    every += [bytes.fromhex("050f0c00010710020200 0000"), bytes.fromhex("040309 04"),
              bytes.fromhex("0603410062 00"), bytes.fromhex("0a033dd800de00dc4100")]
    for one in every:
        if len(one) > 1:
            yield bytes([kinds.get(one[1], 1), 0 if len(one) == 4 else 1]) + one
            yield bytes([5, one[1]]) + one


def policy(*_):
    path = os.path.join(TOP, "tests/cli/policy.py")
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) \
                and re.match(r"(allow|block|reject)\b", node.value):
            text = node.value.encode()
            yield bytes([0, 31]) + text
            yield bytes([1, 63, 0, 30, 7]) + text
            yield bytes([0, 31]) + text.split(b" ", 1)[-1]


def guard(attacks, stock):
    for start, messages, _ in attacks:
        yield start + b"".join(raw(t, m) for t, m in messages)
        yield start + bytes([SLICE, 6]) + b"".join(raw(t, m) for t, m in messages)
    for connection in stock:
        out = bytes([0])
        for travel, payload in connection:
            if len(out) + len(payload) > LONGEST:
                break
            out += raw(travel, payload)
        yield out
    sound = bytes([1 | CONFIGURED << 2])
    alternate = bytes([CONTROL, 9, 4, ANSWER, 0, 0])
    iso = bytes([SUBMIT, 10, 0x81, 0, 128, 4])
    yield sound + alternate + iso + bytes([ANSWER, 0, 0])
    yield sound + alternate + iso + bytes([UNLINK, 11, 10, ANSWER, 1, 1])
    yield sound + alternate + iso + bytes([UNLINK, 11, 10, ANSWER, 0, 0, ANSWER, 0, 0])
    yield sound + alternate + iso + bytes([ANSWER | CHANGE, 0, 0, 6, 0, 0, 0, 9])
    disk = bytes([CONFIGURED << 2])
    yield disk + bytes([SUBMIT, 10, 2, 2, 0, 0, ANSWER, 0, 0, RETURN, 10, 0, 0, 0])
    yield disk + bytes([SUBMIT | CUT, 10, 2, 2, 0, 0, 0, 50, TURN, 30, 1])
    serial = struct.pack(">II", 0x01118003, 0) + b"serial:abc".ljust(32, b"\0")
    imported = next(m[:320] for c in stock for t, m in c if t == TO_CLIENT and len(m) >= 320)
    for start in (0, 0x40):
        yield bytes([start]) + raw(TO_DEVICE, serial) + raw(TO_CLIENT, imported)
    yield bytes([0x40 | CONFIGURED << 2, SUBMIT, 10, 0x81, 2, 0, 0, ANSWER, 0, 0])
    for rules in range(1, 4):
        yield bytes([CONFIGURED << 2 | rules << 4, CONTROL, 9, 3, ANSWER, 0, 0])


# fuzz/router.c: enum op; whose, and its channel; RAW and END of a client: CLIENT.
R_LIST, R_IMPORT, R_TAKE, R_REFUSE, R_RAW, R_DEVICES, R_GIVE, R_DECLINE, R_END, R_TICK, R_REBORN = range(11)
SECOND, CLIENT = 2, 4


def router(attacks, stock):
    def raw_of(whose, data):
        return struct.pack(">BBH", R_RAW, whose, min(len(data), 1023)) + data[:1023]

    took = bytes([R_TAKE, 0])
    listed = bytes([R_LIST, 0]) + took
    imported = bytes([R_IMPORT, 0, 0]) + took
    for said, there in ((1, 1), (2, 2), (2, 1), (1, 2), (0, 0), (255, 1)):
        devices = bytes([R_DEVICES, 0, said, there]) + bytes([i & 1 for i in range(2 * there)])
        second = bytes([R_TAKE, 1, R_DEVICES, 1, 1, 1, 0, 1])
        yield listed + devices + second
        yield listed + devices + bytes([R_END, 0]) + second
    yield listed + bytes([R_TICK, 0, 20, R_TAKE, 1, R_TICK, 0, 20])
    yield listed + bytes([R_GIVE, 0, 0, 0]) + bytes([R_REFUSE, 1])
    yield imported + bytes([R_GIVE, 0, 0, 0, R_END, CLIENT, R_END, 0])
    yield imported + bytes([R_GIVE, 0, 0, 1])
    yield imported + bytes([R_DECLINE, 0, 4])
    yield imported + bytes([R_TICK, 0, 35])
    yield imported + bytes([R_GIVE, 0, 0, 0, R_REBORN, CLIENT, R_IMPORT, 0, 0, R_TAKE, 0, R_GIVE, 0, 0, 0])
    yield imported + bytes([R_GIVE, 0, 0, 0, R_REBORN, 0])
    # Two clients want one device, by name and by serial number.
    both = bytes([R_IMPORT, 0, 1, R_IMPORT, 1, 4, R_TAKE, 1, R_TAKE, 0, R_DECLINE, 0, 4, R_TAKE, 1 | SECOND])
    yield both + bytes([R_GIVE, 1, 0, 1, R_GIVE, 1 | SECOND, 0, 1])
    for name in range(11):
        yield bytes([R_IMPORT, 0, name, R_TAKE, 0, R_DECLINE, 0, 1, R_TAKE, 1, R_GIVE, 1, 0, 1])
    for _, messages, _ in attacks:
        spoken = b"".join(raw_of(CLIENT if t == TO_DEVICE else 0, m) for t, m in messages)
        yield imported + bytes([R_GIVE, 0, 0, 0]) + spoken
    for connection in stock:
        yield listed + raw_of(0, stream(connection, TO_CLIENT))
        yield imported + raw_of(0, stream(connection, TO_CLIENT))


TARGETS = (framer, pdu, descriptor, policy, guard, router)


def main(directory):
    attacks = [attack(p) for p in sorted(glob.glob(os.path.join(TOP, "tests/attacks/files/*.txt")))]
    stock = connections(os.path.join(TOP, "tests/vectors/stock-usbip.pcap"))
    for target in TARGETS:
        place = os.path.join(directory, target.__name__)
        os.makedirs(place, exist_ok=True)
        seeds = sorted(set(target(attacks, stock)))
        for index, seed in enumerate(seeds):
            with open(os.path.join(place, f"{index:04}"), "wb") as file:
                file.write(seed)
        print(f"# {target.__name__}: {len(seeds)} seeds")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: seeds.py DIRECTORY")
    main(sys.argv[1])
