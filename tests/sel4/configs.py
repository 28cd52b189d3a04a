#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each configuration that the SDK has boots, and a disk goes through (release: sel4.py).

      client VM: vhci-hcd === link === device VM: xhci, disk
"""

import hashlib
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                                          # noqa: E402
from tap import Skip, equal, test                   # noqa: E402
from machine import CONFIGS, Machine, skip_all      # noqa: E402

BYTES = 1 << 20


def route_a_disk(directory, config):
    if config not in CONFIGS:
        raise Skip(f"the SDK has no configuration {config}")
    data = os.urandom(BYTES)
    image = os.path.join(directory, f"{config}.img")
    with open(image, "wb") as out:
        out.write(data)
    with Machine(config=config, devices=[
            "-icount", "shift=3",
            "-blockdev", f"raw,node-name=d,file.driver=file,file.filename={image}",
            "-device", "usb-storage,bus=xhci.0,drive=d"]) as machine:
        machine.serve()
        machine.client.check("usbroute attach 46f4:0001", 120)
        disk = machine.wait_disk(machine.client, BYTES)
        got = machine.client.check(f"sha256sum /dev/{disk}", 120).split()[0]
        machine.client.check("usbroute detach 46f4:0001", 120)
        equal(got, hashlib.sha256(data).hexdigest(), "sha256 of the routed disk")
        equal(machine.complaints(), [], "complaints")


@test("MICROKIT_CONFIG=debug: both guests boot, a disk goes through")
def debug(directory):
    route_a_disk(directory, "debug")


@test("MICROKIT_CONFIG=benchmark: the same")
def benchmark(directory):
    route_a_disk(directory, "benchmark")


if __name__ == "__main__":
    skip_all()
    DIRECTORY = tempfile.mkdtemp(prefix="usbroute-sel4-")
    try:
        sys.exit(tap.run(DIRECTORY))
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
