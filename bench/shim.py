#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the preload library costs beside the bare ring, and beside libc a call that is none of its
business: JSON lines for bench.py.

    shim.py RUNS SECONDS

      bench/stream serve, first core  === ring under the library ===  bench/stream call, last core
"""

import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, os.environ.get("BUILD_DIR", "build"))
STREAM = os.path.join(BUILD, "bench", "stream")
LIBRARY = os.path.join(BUILD, "lib", "libusbroute-preload.so")
CASES = {"64k": ("throughput", "MB/s"), "rtt48": ("latency", "us")}


def start(core, words, **variables):
    return subprocess.Popen([STREAM, *words], text=True, stdout=subprocess.PIPE,
                            env=dict(os.environ, LD_PRELOAD=LIBRARY, CORE=str(core), **variables))


def one_turn(case, seconds):
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.NamedTemporaryFile(prefix="usbroute-bench-",
                                     dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
        server = start(cores[0], ["serve", "3240", case], USBROUTE_LISTEN=file.name)
        client = start(cores[-1], ["call", "peer", "3240", case, seconds],
                       USBROUTE_PEERS=f"peer={file.name}")
        value = client.communicate(timeout=60)[0]
        status = server.wait(20), client.returncode
    if status != (0, 0):
        sys.exit(f"shim: statuses of server and client are {status}, expected (0, 0)")
    return float(value)


def foreign(seconds, **variables):
    """ns for a read of /dev/zero."""
    core = sorted(os.sched_getaffinity(0))[-1]
    done = subprocess.run([STREAM, "foreign", seconds], text=True, stdout=subprocess.PIPE,
                          env=dict(os.environ, CORE=str(core), **variables), timeout=60, check=True)
    return float(done.stdout)


def tell(case, subject, metric, unit, value, run):
    print(json.dumps(dict(case=case, subject=subject, metric=metric, unit=unit,
                          value=round(value, 4), run=run)), flush=True)


def main():
    runs, seconds = int(sys.argv[1]), sys.argv[2]
    for run in range(1, runs + 1):
        for case, (metric, unit) in CASES.items():
            tell(case, "shim", metric, unit, one_turn(case, seconds), run)
        tell("foreign_call", "shim", "latency", "ns", foreign(
            seconds, LD_PRELOAD=LIBRARY, USBROUTE_PEERS="peer=/nowhere"), run)
        tell("foreign_call", "libc", "latency", "ns", foreign(seconds), run)


if __name__ == "__main__":
    main()
