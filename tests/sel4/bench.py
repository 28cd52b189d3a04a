#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the route costs on seL4, inside QEMUs that count instructions.

      routed    client VM === link === device VM: xhci, disk       direct reads, one at a time
      local                            device VM: xhci, disk       the client VM booted and idle
      guarded   client VM === link === guard === link === device VM: xhci, disk

The same build gives the same figures within some percent, on any host. Fails on no number.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

from machine import skip_all                                # noqa: E402
from rig import Rig, attach, boot, local_reads, probe, serve    # noqa: E402
from vm import BUILD                                        # noqa: E402

NODE = "/sys/class/usbroute/usbroute0"
PAGE = 0x8f001000       # sel4/board.h
SIZES = ((65536, 200), (512, 400))     # and how many reads
COUNTS = ("waits", "timer", "acks", "accesses", "others", "awake_us")  # enum ur_guest_count


def doorbells(guest):
    return int(guest.check(f"cat {NODE}/doorbells_sent"))


def counts(guest):
    """What its VMM counted, and its doorbells."""
    words = guest.check(f"for i in $(seq 0 {len(COUNTS) - 1}); do probe load $(({PAGE:#x} + 4 * i)); done").split()
    return dict(zip(COUNTS, (int(word, 0) for word in words)), doorbells=doorbells(guest))


def reads(rig, disk, size, count):
    """Microseconds each, and what both guests counted while they passed and while we asked."""
    guests = {"client": rig.client, "device": rig.device}
    before = {name: counts(guest) for name, guest in guests.items()}
    each_us = int(probe(rig.client, "reads", f"/dev/{disk}", size, count, timeout=300))
    return each_us, {name: {kind: (value - before[name][kind]) & 0xffffffff
                            for kind, value in counts(guest).items()}
                     for name, guest in guests.items()}


def measure(rig, disk, size, count):
    """Many reads less one: what starting and asking costs falls out."""
    routed, many = reads(rig, disk, size, count + 1)
    _, one = reads(rig, disk, size, 1)
    local = local_reads(rig, count, size)
    return {"bytes": size, "routed_us": routed, "local_us": local, "of_local": round(local / routed, 3),
            "per_read": {name: {kind: round((value - one[name][kind]) / count, 2)
                                for kind, value in many[name].items()} for name in many}}


def show(row):
    print(f"{row['bytes']:>6} B  routed {row['routed_us']:>6} us  local {row['local_us']:>6} us  "
          f"{row['of_local']:.2f} of local  {row['bytes'] / row['routed_us']:.1f} MB/s")
    for name, found in row["per_read"].items():
        print(f"    {name} VM, for each read: awake {found['awake_us']:.0f} us of {row['routed_us']}, "
              f"{found['doorbells']:.1f} doorbells; exits: " +
              ", ".join(f"{kind} {found[kind]:.1f}" for kind in COUNTS[:-1]), flush=True)


def run(topology, work):
    rig = Rig(topology=topology)
    try:
        boot(rig)
        serve(rig)
        return work(rig, attach(rig))
    finally:
        rig.end()


def direct(rig, disk):
    rows = []
    for size, count in SIZES:
        rows.append(measure(rig, disk, size, count))
        show(rows[-1])
    return rows


def guarded(rig, disk):
    return [int(probe(rig.client, "reads", f"/dev/{disk}", size, count, timeout=300)) for size, count in SIZES]


def main():
    rows = run("direct", direct)
    for row, guarded_us in zip(rows, run("guarded", guarded)):
        row.update(guarded_us=guarded_us, of_direct=round(row["routed_us"] / guarded_us, 3))
        print(f"{row['bytes']:>6} B  guarded {guarded_us:>5} us  {row['of_direct']:.2f} of direct  "
              f"{row['bytes'] / guarded_us:.1f} MB/s  {guarded_us - row['routed_us']} us more", flush=True)
    with open(os.path.join(BUILD, "bench-sel4.json"), "w", encoding="ascii") as out:
        json.dump(rows, out, indent=1)


if __name__ == "__main__":
    skip_all()
    main()
