# SPDX-License-Identifier: BSD-2-Clause
"""
The configuration file. Each file of bad/ is named for what is wrong with it and
begins with what the hub must say, as one or more lines

    # expect LINE: PART | PART ...

Files of good/ begin with `# expect N links`. What a text file cannot hold well is
written here.
"""

import glob
import os
import tempfile

from sockets import hub_command
from tap import contains, equal, test

HERE = os.path.dirname(os.path.abspath(__file__))


def expectations(path):
    with open(path, encoding="utf-8") as text:
        for line in text:
            if line.startswith("# expect "):
                yield line[len("# expect "):].strip()


def check_bad(path, expected):
    done = hub_command("--check", path)
    name = os.path.basename(path)
    equal((done.returncode, done.stdout), (1, ""), name)
    lines = done.stderr.splitlines()
    equal(len(lines), len(expected), f"lines of {name}: {lines!r}")
    for line, want in zip(lines, expected):
        number, parts = want.split(":", 1)
        contains(line, f"{path}:{number}: ", name)
        for part in parts.split("|"):
            contains(line, part.strip(), name)


def bad_file(path):
    @test(f"config: {os.path.basename(path)} is refused")
    def _():
        check_bad(path, list(expectations(path)))


def good_file(path):
    @test(f"config: {os.path.basename(path)} is good")
    def _():
        done = hub_command("--check", path)
        (want,) = expectations(path)
        equal((done.returncode, done.stdout, done.stderr),
              (0, f"{path}: good, {want}\n", ""), os.path.basename(path))


for found in sorted(glob.glob(os.path.join(HERE, "bad", "*.conf"))):
    bad_file(found)
for found in sorted(glob.glob(os.path.join(HERE, "good", "*.conf"))):
    good_file(found)


def link(number):
    return f"[link.l{number}]\na = /a{number}\nb = /b{number}\n"


LINK = b"[link.desk]\na = /a\nb = /b\n"
MADE = (
    ("a byte of value 0", LINK + b"size = 64K\0\n",
     ['4: a byte of value 0 | "size = 64K"']),
    ("a line of 199 bytes", LINK + b"mode = " + b"0" * 192 + b"\n",
     ["4: expected at most 198 bytes in a line, got 199"]),
    ("a path of 108 bytes", b"[link.desk]\nb = /b\na = /" + b"x" * 107 + b"\n",
     ["3: a: | at most 107 bytes, got 108"]),
    ("65 links", "".join(map(link, range(65))).encode(),
     ['193: at most 64 links, "l64" is one more']),
    ("17 users", LINK + b"allow-uid = " + b" 1" * 17 + b"\n",
     ['4: allow-uid: at most 16 users, "1" is one more']),
    ("an empty file", b"", ["0: expected at least one [link.NAME]"]),
)


def made_file(text, content, expected):
    @test(f"config: {text} is refused")
    def _():
        with tempfile.NamedTemporaryFile(suffix=".conf") as out:
            out.write(content)
            out.flush()
            check_bad(out.name, expected)


for row in MADE:
    made_file(*row)


@test("config: 64 links, a path of 107 bytes, 16 users, a line of 198 are good")
def _():
    with tempfile.NamedTemporaryFile(suffix=".conf") as out:
        text = "".join(map(link, range(63))) + "[link.last]\na = /" + \
            "x" * 106 + "\nb = /b\nallow-uid =" + " 1" * 16 + \
            "\nmode = " + "0" * 191 + "\n"
        out.write(text.encode())
        out.flush()
        done = hub_command("--check", out.name)
        equal((done.returncode, done.stderr), (0, ""), "--check")


@test("config: a file that is not there, and a folder")
def _():
    for path, part in (("/nonexistent/hub.conf", "cannot open: No such file"),
                       (HERE, "Is a directory")):
        for option in ("--check", "--config"):
            done = hub_command(option, path)
            equal(done.returncode, 1, f"{option} {path}")
            contains(done.stderr, f"{path}:", option)
            contains(done.stderr, part, option)
