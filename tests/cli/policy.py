#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`usbroute policy`: what the compiler takes and refuses, what the matcher decides, and
that USBGuard's own parser takes every rule we take.

    policy.py USBROUTE
"""
import glob
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import Skip, contains, equal, run, test  # noqa: E402

USBROUTE = rig.TEST_BINARY = os.path.abspath(sys.argv[1])

ACCEPTED = [
    "allow",
    "block",
    "reject",
    "# nothing",
    "allow 46f4:0001",
    "allow *:*",
    "allow id *:*",
    "allow id 46F4:00aA",
    "allow id {46f4:0001 46f4:*}",
    "allow id one-of { 46f4:0001 }",
    'allow name "x"  # why',
    'allow name ""',
    'allow name "a\\"b\\\\\\x41"',
    'allow name "{ } #"',
    'allow serial none-of { "a" "b" } via-port match-all { "1-1" }',
    'allow via-port "vm:1-1.2"',
    "allow with-interface 08:*:*",
    "allow with-interface 08:06:*",
    "allow with-interface 08:06:50",
    "allow with-interface all-of { 08:06:50 03:*:* }",
    "allow with-interface equals { 08:06:50 }",
    "allow with-interface equals-ordered { 08:06:50 03:00:00 }",
    "allow with-interface { 08:06:50 }",
    'allow label "to=client1"',
    'allow label "to=client1 deny=dfu,vendor"',
    'allow id 46f4:0001 serial "1" via-port "1-1" with-interface 08:06:50 label "to=c"',
    'allow name  \t"x"',
    'reject name "\u00fc"',
]

# text, line, column, a part of the message
REFUSED = [
    ("permit", 1, 1, 'no target "permit"'),
    ("allow\nblok", 2, 1, 'no target "blok"'),
    (" allow", 1, 1, 'no target ""'),
    ("allow ", 1, 6, "blanks at the end"),
    ("allow colour 1", 1, 7, 'no attribute "colour"'),
    ('allow hash "x"', 1, 7, 'no attribute "hash"'),
    ("allow if true", 1, 7, 'no attribute "if"'),
    ("allow id 1:2", 1, 10, "want an id"),
    ("allow id *:0001", 1, 10, "want an id"),
    ("allow id 46f4:00011", 1, 10, "want an id"),
    ("allow id", 1, 9, "want an id"),
    ("allow id some-of { 46f4:0001 }", 1, 10, 'no operator "some-of"'),
    ("allow id one-of 46f4:0001", 1, 17, "want {"),
    ("allow id { 46f4:0001", 1, 10, "without its }"),
    ("allow id { }", 1, 10, "without values"),
    ("allow id 46f4:0001 id 46f4:0001", 1, 20, "id a second time"),
    ('allow id "46f4:0001"', 1, 10, "want an id"),
    ("allow with-interface 08:*:50", 1, 22, "want an interface"),
    ("allow with-interface *:*:*", 1, 22, "want an interface"),
    ("allow with-interface 8:6:50", 1, 22, "want an interface"),
    ("allow name x", 1, 12, 'no operator "x"'),
    ('allow name "x', 1, 12, "without its end"),
    ('allow name "a\\n"', 1, 14, "want \\\""),
    ('allow name "\\x07"', 1, 13, "control character"),
    ('allow name "a\tb"', 1, 14, "control character"),
    ('allow name "x"serial "y"', 1, 15, "want a blank"),
    ('allow label "from=x"', 1, 7, 'no word "from=x"'),
    ('allow label "to="', 1, 7, 'no word "to="'),
    ('allow label "deny=all"', 1, 7, 'no change "all"'),
    ('allow label "to=a" label "to=b"', 1, 20, "label a second time"),
    ('allow label "to=a to=b"', 1, 7, "to= a second time"),
]

DISK = "id 46f4:0001 with-interface 08:06:50"
BOTH = "id 46f4:0001 with-interface { 08:06:50 03:01:01 }"

# rules, device, what is printed
DECISIONS = [
    ("", DISK, "block: no rule matches"),
    ("allow", DISK, "allow: line 1"),
    ("# a\n\nblock id 46f4:*\nallow", DISK, "block: line 3"),
    ("reject\nallow", DISK, "reject: line 1"),
    ("allow *:*", DISK, "allow: line 1"),
    ("allow id 46f4:*", DISK, "allow: line 1"),
    ("allow id 46f5:*", DISK, "block: no rule"),
    ("allow id 46f4:0002\nallow id 46f4:0001", DISK, "allow: line 2"),
    ("allow id none-of { 46f4:0002 46f4:0001 }", DISK, "block: no rule"),
    ("allow with-interface 08:*:*", DISK, "allow: line 1"),
    ("allow with-interface 08:*:*", BOTH, "block: no rule"),
    ("allow with-interface all-of { 08:*:* }", BOTH, "allow: line 1"),
    ("allow with-interface all-of { 08:*:* 09:*:* }", BOTH, "block: no rule"),
    ("allow with-interface one-of { 09:*:* 03:*:* }", BOTH, "allow: line 1"),
    ("allow with-interface one-of { 09:*:* }", BOTH, "block: no rule"),
    ("allow with-interface none-of { 03:*:* }", BOTH, "block: no rule"),
    ("allow with-interface none-of { 03:*:* }", DISK, "allow: line 1"),
    ("allow with-interface equals { 03:01:01 08:06:50 }", BOTH, "allow: line 1"),
    ("allow with-interface equals { 08:06:50 08:*:* }", BOTH, "block: no rule"),
    ("allow with-interface equals-ordered { 03:01:01 08:06:50 }", BOTH, "block: no rule"),
    ("allow with-interface equals-ordered { 08:06:50 03:01:01 }", BOTH, "allow: line 1"),
    ("allow with-interface match-all { 08:*:* 03:*:* 09:*:* }", BOTH, "allow: line 1"),
    ("allow with-interface match-all { 08:*:* 09:*:* }", BOTH, "block: no rule"),
    ('allow serial "1"', DISK + ' serial "1"', "allow: line 1"),
    ('allow serial "1"', DISK + ' serial "11"', "block: no rule"),
    ('allow serial "11"', DISK + ' serial "1"', "block: no rule"),
    ('allow serial "1"', DISK, "block: no rule"),
    ('allow name "a\\x41"', DISK + ' name "aA"', "allow: line 1"),
    ('allow via-port one-of { "1-1" "1-2" }', DISK + ' via-port "1-2"', "allow: line 1"),
    ('allow label "to=a"', DISK + ' label "to=a"', "allow: line 1"),
    ('allow label "to=a"', DISK + ' label "to=b"', "block: no rule"),
    ('allow label "to=a"\nreject', DISK + ' label "to=ab"', "reject: line 2"),
    ('allow label "deny=dfu"', DISK + ' label "to=b"', "allow: line 1"),
]


def policy(*arguments):
    done = subprocess.run([USBROUTE, "policy", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def with_file(text, use):
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "rules")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return use(path)


@test(f"{len(ACCEPTED)} rules are accepted, each alone and all together")
def accepted():
    for rule in [*ACCEPTED, "\n".join(ACCEPTED) + "\n"]:
        status, _, err = with_file(rule, lambda path: policy("check", path))
        equal((status, err), (0, ""), rule)


@test("USBGuard's own parser accepts every rule that we accept")
def usbguard():
    unpacked = os.environ.get("UR_USBGUARD", "")
    parser = shutil.which("usbguard-rule-parser", path=os.path.join(unpacked, "usr", "bin") + ":" + os.environ["PATH"])
    if not parser:
        raise Skip("no usbguard-rule-parser (Debian: usbguard)")
    libraries = ":".join(glob.glob(os.path.join(os.path.abspath(unpacked), "usr", "lib", "*-linux-gnu*")))
    for rule in ACCEPTED:
        done = with_file(rule + "\n", lambda path: subprocess.run(
            [parser, "-f", path], capture_output=True, text=True, timeout=60, check=False,
            env=dict(os.environ, LD_LIBRARY_PATH=libraries)))
        equal(done.returncode, 0, f"{rule}: {done.stderr}")


def refused_row(row, text, line, column, message):
    @test(f"refused row {row}: {text.encode('unicode_escape').decode()}")
    def check():
        status, _, err = with_file(text, lambda path: policy("check", path))
        equal(status, 1, "exit status")
        contains(err, f"rules:{line}:{column}: ", "place")
        contains(err, message, "message")
    return check


def decision_row(row, rules, device, result):
    @test(f"decision row {row}: {rules.encode('unicode_escape').decode()[:60]}")
    def check():
        status, out, err = with_file(rules, lambda path: policy("test", path, device))
        contains(out, result, err)
        equal(status, 0 if result.startswith("allow") else 4, "exit status")
    return check


for number, (a, b, c, d) in enumerate(REFUSED, 1):
    refused_row(number, a, b, c, d)
for number, (a, b, c) in enumerate(DECISIONS, 1):
    decision_row(number, a, b, c)


@test("compile writes a table of the size it says, magic first")
def compiled():
    def use(path):
        status, _, err = policy("compile", path, path + ".table")
        equal((status, err), (0, ""), "compile")
        with open(path + ".table", "rb") as file:
            return file.read()

    table = with_file("\n".join(ACCEPTED), use)
    magic, version, rules, values, zero, text, size, last = struct.unpack(">4sHHHHIII", table[:24])
    equal((magic, version, zero, last), (b"URPT", 1, 0, 0), "header")
    equal(rules, len(ACCEPTED) - 1, "rules")
    equal(size, len(table), "size")
    equal(len(table), 24 + 40 * rules + 8 * values + text, "parts")


@test("a zero byte, a folder and no file are told")
def files():
    status, _, err = with_file("allow\0", lambda path: policy("check", path))
    equal(status, 1, "exit status")
    contains(err, "a zero byte at 5", "zero byte")
    contains(policy("check", "/nonexistent/rules")[2], "No such file", "no file")
    contains(policy("check", "/")[2], "Is a directory", "folder")


def generated(machine, *arguments):
    """What generate writes, which check has to take."""
    status, text, err = machine.run("policy", "generate", *arguments)
    equal((status, err), (0, ""), "generate")
    status, out, err = with_file(text, lambda path: policy("check", path))
    equal((status, err), (0, ""), f"check of {text!r}")
    contains(out, f"{text.count(chr(10))} rules", "what check says")
    return text


@test("generate writes rules that check takes and that allow what there is, as the guard sees it")
def generate():
    with rig.Machine() as machine:
        equal(generated(machine), "", "rules for no device")
        machine.add("1-1", serial='a"b\\c', others=((8, 6, 0x62), (8, 6, 80)))
        machine.add("1-2.4", vendor="1d6b", product="0104",
                    interfaces=((3, 1, 1, "usbhid"), (2, 2, 1, "cdc_acm"), (10, 0, 0, None)))
        machine.add("1-3", serial="two\x07w\u00f6rds", interfaces=())
        for operands, end, port in (((), "", None), (("client1",), ' label "to=client1"', None),
                                    (("client1", "usb1"), ' label "to=client1"', "usb1")):
            def via(busid, name=port):
                return f' via-port "{name}:{busid}"' if name else ""

            text = generated(machine, *operands)
            equal(sorted(text.splitlines()), [line + end for line in (
                f'allow id 1d6b:0104{via("1-2.4")} with-interface match-all '
                '{ 03:01:01 02:02:01 0a:00:00 }',
                f'allow id 46f4:0001 serial "a\\"b\\\\c"{via("1-1")} '
                'with-interface match-all { 08:06:50 08:06:62 }',
                f'allow id 46f4:0001 serial "two?w\u00f6rds"{via("1-3")}')], "rules")
        for device, result in (
                ('serial "a\\"b\\\\c" via-port "usb1:1-1" with-interface { 08:06:50 08:06:62 }', "allow"),
                ('serial "a\\"b\\\\c" via-port "usb1:1-1" with-interface { 08:06:50 03:01:01 }', "block"),
                ('serial "a\\"b\\\\c" via-port "usb2:1-1" with-interface 08:06:50', "block"),
                ('serial "other" via-port "usb1:1-1" with-interface 08:06:50', "block")):
            contains(with_file(text, lambda path, words=device: policy(
                "test", path, f'id 46f4:0001 {words} label "to=client1"'))[1], result, device)
        for operands in (("",), ("two words",), ('a"',), ("a,b",), ("a:b",), (32 * "c",), ("c", ""), ("c", 16 * "v")):
            status, out, err = machine.run("policy", "generate", *operands)
            equal((status, out), (2, ""), f"operands {operands!r}")
            contains(err, "name of 1 to", "what it says")


@test("generate leaves out a device that is gone meanwhile, or has too many kinds of interfaces, and says so")
def generate_gone():
    with rig.Machine() as machine:
        machine.add("1-2", others=[(255, 1, kind) for kind in range(64)])
        status, out, err = machine.run("policy", "generate")
        equal((status, out), (0, ""), "status and rules")
        contains(err, "1-2: left out: more than 64 kinds of interfaces", "what it says")
        machine.add("1-1")
        os.unlink(machine.path("sys/bus/usb/devices/1-1/descriptors"))
        status, out, err = machine.run("policy", "generate")
        equal((status, out), (0, ""), "status and rules")
        contains(err, "1-1: left out: its descriptors cannot be read: No such file", "what it says")
    with rig.Machine() as machine:
        machine.add("1-1", others=[(255, 1, kind) for kind in range(63)])
        equal(machine.run("policy", "generate")[1].count("ff:01:"), 63, "kinds of one that has as many as may be")


@test("the words of the command are checked")
def usage():
    for arguments in ((), ("frobnicate",), ("check",), ("test", "a"), ("compile", "a")):
        equal(policy(*arguments)[0], 2, " ".join(arguments))


run()
