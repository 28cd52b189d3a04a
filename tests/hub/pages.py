# SPDX-License-Identifier: BSD-2-Clause
"""The man pages: all are well-formed, and the hub's name what there is."""

import glob
import os
import shutil
import subprocess

from rig import LIMIT_S
from sockets import hub_command
from tap import Skip, contains, equal, test

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ALL = sorted(glob.glob(os.path.join(ROOT, "man", "*.[1-8]")))
PAGES = [os.path.join(ROOT, "man", name)
         for name in ("usbroute-hub.8", "usbroute-hub.conf.5")]


@test("man: mandoc has nothing to complain of")
def _():
    if not shutil.which("mandoc"):
        raise Skip("no mandoc: install the package mandoc")
    assert len(ALL) >= 6 and set(PAGES) <= set(ALL), f"pages: {ALL}"
    for page in ALL:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
                              capture_output=True, text=True, timeout=LIMIT_S,
                              check=False)
        equal((done.stdout, done.returncode), ("", 0), os.path.basename(page))


@test("man: every option and every key has its entry")
def _():
    texts = []
    for page in PAGES:
        with open(page, encoding="utf-8") as text:
            texts.append(text.read())
    for word in hub_command("--help").stdout.split():
        if word.startswith("--"):
            contains(texts[0], f"Fl -{word[2:]}", "usbroute-hub.8")
    for key in ("a", "b", "size", "mode", "owner", "group", "allow-uid", "socket",
                "policy", "audit", "transfer", "calls"):
        contains(texts[1], f".It Ic {key}", "usbroute-hub.conf.5")
