#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the preload library costs beside the bare ring: JSON lines for bench.py.

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


def main():
    runs, seconds = int(sys.argv[1]), sys.argv[2]
    for run in range(1, runs + 1):
        for case, (metric, unit) in CASES.items():
            print(json.dumps(dict(case=case, subject="shim", metric=metric, unit=unit,
                                  value=round(one_turn(case, seconds), 4), run=run)), flush=True)


if __name__ == "__main__":
    main()
