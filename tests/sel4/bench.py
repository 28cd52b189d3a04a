#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the route costs on seL4, in one run inside one QEMU that counts instructions.

      routed   client VM === link === device VM: xhci, disk        direct reads, one at a time
      local                           device VM: xhci, disk        the client VM booted and idle

The same build gives the same figures within some percent, on any host. Fails on no number.
"""

import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

from machine import skip_all                                # noqa: E402
from sel4 import Rig, attach, boots, local_reads, probe, serve   # noqa: E402
from vm import BUILD                                        # noqa: E402

NODE = "/sys/class/usbroute/usbroute0"


def doorbells(guest):
    return int(guest.check(f"cat {NODE}/doorbells_sent"))


def measure(rig, disk, size, count):
    before = doorbells(rig.client), doorbells(rig.device)
    routed = int(probe(rig.client, "reads", f"/dev/{disk}", size, count, timeout=300))
    after = doorbells(rig.client), doorbells(rig.device)
    local = local_reads(rig, count, size)
    return {"bytes": size, "routed_us": routed, "local_us": local, "of_local": round(local / routed, 3),
            "client_doorbells_per_read": round((after[0] - before[0]) / count, 2),
            "device_doorbells_per_read": round((after[1] - before[1]) / count, 2)}


def show(row):
    print(f"{row['bytes']:>6} B  routed {row['routed_us']:>6} us  local {row['local_us']:>6} us  "
          f"{row['of_local']:.2f} of local  {row['bytes'] / row['routed_us']:.1f} MB/s  doorbells per read "
          f"{row['client_doorbells_per_read']} out, {row['device_doorbells_per_read']} in", flush=True)


def main():
    rig, rows = Rig(), []
    try:
        boots(rig)
        serve(rig)
        disk = attach(rig)
        for size, count in ((65536, 200), (512, 400)):
            rows.append(measure(rig, disk, size, count))
            show(rows[-1])
    finally:
        rig.machine.__exit__()
        shutil.rmtree(rig.directory, ignore_errors=True)
    with open(os.path.join(BUILD, "bench-sel4.json"), "w", encoding="ascii") as out:
        json.dump(rows, out, indent=1)


if __name__ == "__main__":
    skip_all()
    main()
