#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every call of usbroute.ko that may fail for want of memory fails once: an error comes out, the
next try works, nothing is left behind.

      guest a: the module with tests/kmod/fail.h === link === guest b: the module as it is
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                              # noqa: E402
from leaks import expect_as_before, resources   # noqa: E402
from pair import Hub, link_arguments    # noqa: E402
from tap import equal, test             # noqa: E402
from vm import Vm                       # noqa: E402

MODULE = "/tmp/usbroute.ko"
# Where indices and generations start (mk/first.mk); modprobe has it from the kernel's command line.
FIRST = " ".join(f"{k[3:].lower()}={v}" for k, v in os.environ.items() if k.startswith("UR_FIRST_"))
FAIL_AT = "/sys/module/usbroute/parameters/fail_at"
DRIVER = "/sys/bus/pci/drivers/usbroute"
LOAD = ["proto_register", "alloc_chrdev_region", "__class_register", "__pci_register_driver"]
PROBE = ["devm_kzalloc", "pcim_enable_device", "pcim_iomap_regions", "devm_memremap",
         "pci_alloc_irq_vectors", "kvzalloc", "ida_alloc_max", "dev_set_name", "request_irq",
         "cdev_device_add"]
SOCKET = ["get_unused_fd_flags", "sock_create_lite", "sk_alloc", "sock_alloc_file"]
NO_MEMORY = ("Cannot allocate memory", "No space left on device", "Too many open files")


class Rig:
    def __init__(self):
        self.hub = Hub("1M")
        self.a = Vm("a", args=link_arguments(self.hub.a))
        self.b = Vm("b", modules=["usbroute"], args=link_arguments(self.hub.b))

    def stop(self):
        self.a.kill()
        self.b.kill()
        self.hub.stop()

    def failed(self):
        """The call that failed last, from the kernel's log."""
        return self.a.check("dmesg | sed -n 's/.*usbroute: failing //p' | tail -n 1").strip()

    def fail_at(self, n):
        self.a.check(f"echo {n} >{FAIL_AT}")

    def left(self):
        return int(self.a.check(f"cat {FAIL_AT}"))

    def has_node(self):
        return self.a.run("[ -c /dev/usbroute0 ]")[0] == 0

    def expect_works(self):
        """Both ways, and no channel is held."""
        wait_up(self.a)
        equal(self.a.run("node many 5000 2 2>&1"), (0, "ok many 2\n"), "a calls b")
        for vm in (self.a, self.b):
            equal(vm.check("cat /sys/class/usbroute/usbroute0/channels_open").strip(), "0",
                  f"channels open in {vm.name}")


def wait_up(vm):
    end = time.monotonic() + 5
    while vm.check("cat /sys/class/usbroute/usbroute0/state").strip() != "up":
        assert time.monotonic() < end, f"{vm.name}: the link is not up after 5 s"


@test("Both guests are there")
def start(rig):
    rig.a.start()
    rig.b.start()
    rig.a.wait_ready()
    rig.b.wait_ready()
    with open(sys.argv[1], "rb") as module:
        rig.a.put(MODULE, module.read())
    rig.b.spawn("node echo 5000").wait_line("ok serving")


def load_once(rig, n):
    """insmod with the n-th call failing: its name, or None when there are fewer."""
    status, output = rig.a.run(f"insmod {MODULE} {FIRST} fail_at={n} 2>&1")
    if status == 0 and rig.left():
        rig.a.check("rmmod usbroute")
        return None
    what = rig.failed()
    if what in LOAD:
        assert status and NO_MEMORY[0] in output, f"{what} failed, insmod: {status} {output!r}"
    elif what in PROBE:
        equal((status, rig.has_node()), (0, False), f"{what} failed; insmod's status and /dev/usbroute0")
    if status == 0:
        rig.a.check("rmmod usbroute")
    rig.a.check(f"insmod {MODULE} {FIRST}")
    rig.expect_works()
    rig.a.check("rmmod usbroute")
    return what


def load_all(rig):
    names = []
    for n in range(1, 40):
        name = load_once(rig, n)
        if not name:
            return names
        names.append(name)
    raise AssertionError(f"expected fewer than 40 calls, got {names}")


@test("Load and probe: each call fails once, the next insmod works")
def load(rig):
    names = load_all(rig)
    print("# " + " ".join(names))
    missed = [n for n in LOAD + PROBE if n not in names]
    equal(missed, [], "calls that never failed")
    before = resources(rig.a)
    for _ in range(2):
        equal(load_all(rig), names, "the calls that failed")
    expect_as_before(rig.a, before, f"{2 * len(names)} failed loads", SUnreclaim=128)


def bind(rig, n):
    """Probe alone with the n-th call failing: its name, or None."""
    rig.fail_at(n)
    status, _ = rig.a.run(f"echo $(cat /tmp/device) >{DRIVER}/bind")
    left = rig.left()
    rig.fail_at(0)
    if not left:
        assert status and not rig.has_node(), f"{rig.failed()} failed, bind: {status}"
        rig.a.check(f"cat /tmp/device >{DRIVER}/bind")
    rig.expect_works()
    rig.a.check(f"cat /tmp/device >{DRIVER}/unbind")
    return None if left else rig.failed()


@test("Probe under a loaded module: each call fails once, the next bind works")
def probe(rig):
    rig.a.check(f"insmod {MODULE} {FIRST}; cd {DRIVER}; echo 0000:*:* >/tmp/device; cat /tmp/device >unbind")
    names = []
    while not names or names[-1]:
        names.append(bind(rig, len(names) + 1))
    equal(sorted(set(names[:-1])), sorted(set(PROBE)), "the calls that failed")
    rig.a.check(f"cat /tmp/device >{DRIVER}/bind")


def each_of(rig, sites, once):
    for n, site in enumerate(sites, 1):
        once(n)
        equal((rig.left(), rig.failed()), (0, site), f"call {n}: what is left, what failed")
        rig.expect_works()


def expect_no_memory(what, status, output):
    assert status == 1 and any(word in output for word in NO_MEMORY), f"{what}: {status} {output!r}"


def connect_once(rig, n):
    rig.fail_at(n)
    status, output = rig.a.run("node many 5000 1 2>&1")
    expect_no_memory("connect", status, output)


@test("open and CONNECT: each call fails once, the error comes out, the next try works")
def connect(rig):
    each_of(rig, ["kzalloc"] + SOCKET, lambda n: connect_once(rig, n))


@test("ACCEPT: each call fails once, the peer's call ends, the next try works")
def accept(rig):
    rig.fail_at(5)
    job = rig.a.spawn("node echo 6000 2>&1")
    job.wait_line("ok serving")
    status, _ = rig.b.run("node many 6000 1", 20)
    assert status, "expected an error of the peer's call, got status 0"
    expect_no_memory("accept of a call", *job.wait(20))
    equal(rig.failed(), SOCKET[-1], "what failed")
    for n, site in enumerate(SOCKET[:-1], 2):
        rig.fail_at(n)
        status, output = rig.a.run("node echo 6000 2>&1", 20)
        expect_no_memory("accept", status, output)
        equal(rig.failed(), site, "what failed")
        rig.expect_works()


@test("A thousand failed connects leave no socket and no memory behind")
def many(rig):
    command = ("n=0; while [ $n -lt 250 ]; do n=$((n+1)); for at in 2 3 4 5; do "
               f"echo $at >{FAIL_AT}; node many 5000 1 2>/dev/null; done; done; true")
    rig.a.check(command.replace("250", "10"), 120)
    before = resources(rig.a), resources(rig.b)
    rig.a.check(command, 120)
    rig.expect_works()
    for vm, then in zip((rig.a, rig.b), before):
        expect_as_before(vm, then, "1000 failed connects", SUnreclaim=256)


@test("poll, RESTART, unbind and unload have nothing to allocate")
def nothing_more(rig):
    for command, calls in (("node restart", 1), ("node info", 1), ("node poll 5000", 5)):
        wait_up(rig.a)
        rig.fail_at(calls + 1)      # those are open's and connect's
        equal(rig.a.run(command + " >/dev/null 2>&1")[0], 0, f"`{command}`: status")
        equal(rig.left(), 1, f"`{command}`: calls left")
    rig.fail_at(1)
    rig.a.check(f"cat /tmp/device >{DRIVER}/unbind")
    equal(rig.left(), 1, "unbind: calls left")
    rig.a.check("rmmod usbroute")


@test("No guest's kernel complained in any of this")
def kernel_quiet(rig):
    equal(rig.a.complaints() + rig.b.complaints(), [], "complaints")


if __name__ == "__main__":
    tap.run_and_stop(Rig())
