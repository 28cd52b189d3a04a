# SPDX-License-Identifier: BSD-2-Clause
"""Options, help, exit status; and what the link's errors are called."""
import os
import subprocess

import rig
from rig import Machine
from tap import contains, equal, test

COMMANDS = ("serve", "list", "attach", "detach", "port", "policy", "version", "help")

# arguments, exit status, a part of standard error
USAGE = [
    ((), 2, "usage: usbroute COMMAND"),
    (("frobnicate",), 2, 'no command "frobnicate"'),
    (("\x1b[2J",), 2, 'no command "?[2J"'),
    (("help", "frobnicate"), 2, 'no command "frobnicate"'),
    (("list", "--frob"), 2, "usbroute: list: unrecognized option '--frob'"),
    (("list", "-x"), 2, "usbroute: list: invalid option -- 'x'"),
    (("list", "--device"), 2, "requires an argument"),
    (("list", "--json=yes"), 2, "doesn't allow an argument"),
    (("list", "1-1"), 2, "list: 1 operands, want 0"),
    (("attach",), 2, "attach: 0 operands, want 1"),
    (("attach", "1-1", "1-2"), 2, "attach: 2 operands, want 1"),
    (("detach",), 2, "detach: 0 operands, want 1"),
    (("serve", *["1-1"] * 65), 2, "serve: 65 operands, want 0 to 64"),
    (("port", "--local"), 2, "port does not take -l"),
    (("attach", "--json", "1-1"), 2, "attach does not take -j"),
    (("detach", "-d", "/dev/usbroute0", "1"), 2, "detach does not take -d"),
    (("list", "--timeout", "0"), 2, "--timeout 0: want seconds"),
    (("list", "--timeout", "-1"), 2, "--timeout -1: want seconds"),
    (("list", "--timeout", "1e3"), 2, "want seconds"),
    (("list", "--timeout", "3600.001"), 2, "want seconds"),
    (("list", "--timeout", "1.2345"), 2, "want seconds"),
    (("list", "--timeout", "."), 2, "want seconds"),
    (("attach", "12:"), 2, '"12:" names no device'),
    (("detach", "serial="), 2, '"serial=" names no device'),
    (("serve", "a b"), 2, '"a b" names no device'),
    (("list", "--device", "/dev/usbroute7"), 1, "/dev/usbroute7: No such file"),
    (("list", "--device", "tcp:65536"), 2, "want tcp: and a port"),
    (("list", "--device", "unix:"), 2, "want unix: and a path"),
    (("list", "--device", "unix:" + "x" * 103), 2, "108 characters, want at most 107"),
    (("list", "--device", "unix:/nonexistent"), 4, "nobody serves USB/IP there"),
    (("list", "--device", "tcp:1"), 4, "Connection refused"),
]


def usage_row(row, arguments, status, text):
    def check():
        with Machine() as machine:
            machine.vhci()
            got, out, err = machine.run(*arguments)
        equal(got, status, "exit status")
        contains(err, text, "standard error")
        equal(out, "", "standard output")

    shown = " ".join(arguments[:3]).encode("unicode_escape").decode()[:40]
    test(f"usage row {row}: usbroute {shown}: {status}")(check)


for number, usage in enumerate(USAGE):
    usage_row(number, *usage)


@test("every command has --help, and help COMMAND says the same")
def _():
    with Machine() as machine:
        for command in COMMANDS:
            status, text, err = machine.run(command, "--help")
            equal((status, err), (0, ""), f"{command} --help")
            contains(text, f"usage: usbroute {command} ", f"{command} --help")
            equal(machine.run("help", command), (0, text, ""), f"help {command}")
        everything = machine.run("help")[1]
        for command in COMMANDS:
            contains(everything, f"\n  {command} ", "help")
        equal(machine.run("--help")[1], everything, "--help")


@test("the release build answers, too")
def _():
    result = subprocess.run([rig.BINARY, "--version"], capture_output=True, text=True, check=False)
    equal(result.returncode, 0, "exit status")
    contains(result.stdout, "USB/IP 1.1.1", "version")


@test("output that cannot be written is a failure")
def _():
    with Machine() as machine, open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([rig.TEST_BINARY, "help"], env=machine.environment(), stdout=full,
                                stderr=subprocess.PIPE, text=True, check=False)
    equal(result.returncode, 1, "exit status")
    contains(result.stderr, "No space left", "standard error")


@test("no link: says what is missing")
def _():
    with Machine() as machine:
        os.unlink(machine.path("dev/usbroute0"))
        status, _, err = machine.run("list")
        equal(status, 1, "exit status")
        contains(err, "no /dev/usbrouteN here", "standard error")


@test("several links: names them, and --device chooses")
def _():
    with Machine() as machine:
        machine.write("dev/usbroute3", "")
        status, _, err = machine.run("list")
        equal(status, 2, "exit status")
        contains(err, "/dev/usbroute0", "standard error")
        contains(err, "/dev/usbroute3", "standard error")
        status, _, err = machine.run("list", "--device", machine.path("dev/usbroute3"))
        contains(err, "usbroute3: nobody serves", "standard error")


# the link's text, exit status, part of standard error
LINKS = [
    ("connect 112", 5, "no peer: the other VM has not started its end (waited 1.5 s)"),
    ("connect 110", 5, "the other VM does not answer (waited 1.5 s)"),
    ("connect 111", 4, "nobody serves USB/IP in the other VM: run usbroute serve there"),
    ("connect 104", 5, "the other VM went away"),
    ("connect 16", 1, "every channel of the link is in use"),
    ("connect 71\nstate 2\nfault 8\nfault_name produced\nfault_channel 3\nfault_got 4096\n"
     "fault_want 262144", 5, "link broken: produced of channel 3: got 4096, want 262144"),
    ("connect 112\nstate 2\nfault_name magic\nfault_got 1\nfault_want 2", 5,
     "link broken: magic of channel 0: got 1, want 2"),
    ("connect 71\nstate 0", 5, "the link is severed"),
    ("connect 5\ninfo 5", 1, "cannot call the other VM: Input/output error"),
]


def link_row(row, text, status, part):
    def check():
        with Machine() as machine:
            machine.vhci()
            machine.write("dev/usbroute0", text + "\n")
            for command in (("list",), ("attach", "1-1"), ("attach", "1:1")):
                got, out, err = machine.run(*command, "--timeout", "1.5")
                equal(got, status, f"exit status of {command}")
                contains(err, part, f"standard error of {command}")
                equal(out, "", "standard output")

    test(f"link row {row}: {text.splitlines()[0]}: {status}")(check)


for number, link in enumerate(LINKS):
    link_row(number, *link)


@test("version: tells the module's interface and the link's state and fault")
def _():
    with Machine() as machine:
        machine.write("sys/module/usbroute/version", "1.2.3\n")
        status, out, err = machine.run("version")
        equal((status, err), (0, ""), "version")
        contains(out, "module usbroute 1.2.3", "version")
        contains(out, "fake 0000:00:04.0, end A, link up, epoch 5, peer's epoch 9", "version")
        machine.write("dev/usbroute0", "state 2\nfault 9\nfault_name consumed\nfault_got 7\n")
        contains(machine.run("version")[1], "fault 9: consumed of channel 0: got 7, want 0",
                 "version of a broken link")
        machine.write("dev/usbroute0", "version 2\n")
        status, _, err = machine.run("version")
        equal(status, 1, "exit status with another module")
        contains(err, "interface 2, want 1", "standard error")
