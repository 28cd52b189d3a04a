#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usbroute.ko in two guests, without any USB: /dev/usbrouteN and its sockets.

      guest a (end A) === 16 MiB ivshmem === guest b (end B)
      tests/qemu/node.c on both sides
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                                          # noqa: E402
from tap import equal, test, within  # noqa: E402
from bells import Bells                             # noqa: E402
from pair import Hub, link_arguments                # noqa: E402
from vm import READY, Vm, VmError                   # noqa: E402
from waits import counters, flowing                 # noqa: E402

FAILED_KERNEL = []


class Rig:
    """Guests a and b on one link. start(...) begins anew with other options."""

    def __init__(self):
        self.hub = self.a = self.b = None

    def start(self, size="16M", module_a="usbroute", module_b="usbroute", smp=1):
        self.stop()
        self.hub = Hub(size)
        self.a = self.vm("a", self.hub.a, module_a, smp)
        self.b = self.vm("b", self.hub.b, module_b, smp)
        self.a.start()
        self.b.start()
        self.a.wait_ready()
        self.b.wait_ready()

    @staticmethod
    def vm(name, path, options, smp=1):
        """options: "usbroute spin_us=0": the module with parameters."""
        words = options.split()
        return Vm(name, modules=words[:1], smp=smp, args=link_arguments(path),
                  cmdline=" ".join(f"usbroute.{w}" for w in words[1:]))

    def stop(self):
        for vm in (self.a, self.b):
            if vm:
                if vm.exit_status is None:
                    expect_undamped(vm)
                FAILED_KERNEL.extend(f"{vm.name}: {c}" for c in vm.complaints())
                vm.kill()
        if self.hub:
            self.hub.stop()
        self.hub = self.a = self.b = None

    def echo(self, verb="echo", service=5000):
        job = self.b.spawn(f"node {verb} {service}")
        job.wait_line("ok serving")
        return job


def expect_undamped(vm):
    """Honest doorbells all bring something."""
    try:
        storms = vm.check("cat /sys/class/usbroute/usbroute0/storms", 20).strip()
    except VmError as error:    # what a failed test has left; the others go on
        storms = str(error)
    if storms != "0":
        FAILED_KERNEL.append(f"{vm.name}: expected 0 storms of an honest peer, got {storms}")


def ok(vm, command, timeout=60):
    status, output = vm.run(f"{command} 2>&1", timeout)
    equal(status, 0, f"`{command}` in {vm.name}: {output.strip()!r}; status")
    return output


def info(vm):
    """[state, end, channels, ring_bytes, fault, got, want, "open", n]"""
    return ok(vm, "node info").split()[1:]


def counter(vm, name):
    return counters(vm, name)[name]


def wait_state(vm, state, seconds=2):
    end = time.monotonic() + seconds
    while info(vm)[0] != state:
        if time.monotonic() > end:
            raise AssertionError(f"{vm.name}: expected state {state}, got {info(vm)}")


@test("The link comes up, each end is the one its socket says")
def up(rig):
    rig.start()
    wait_state(rig.a, "up")
    wait_state(rig.b, "up")
    equal(info(rig.a), "up A 16 262144 none 0 0 open 0".split())
    equal(info(rig.b), "up B 16 262144 none 0 0 open 0".split())


@test("The interrupt carries the link's name, and has come")
def interrupt(rig):
    line = ok(rig.a, "grep -c 'ivshmem 0000:00:' /proc/interrupts")
    equal(line.strip(), "1", "lines of /proc/interrupts with the link's name")


@test("A call to a service nobody serves is refused")
def refused(rig):
    ok(rig.a, "node refused 7")
    ok(rig.b, "node refused 7")


@test("A service is served by one file at a time, and free again when it is closed")
def in_use(rig):
    job = rig.echo(service=77)
    status, output = rig.b.run("node echo 77 2>&1")
    equal((status, "Address" in output), (1, True), output)
    job.kill("KILL")
    job.wait(10)
    ok(rig.a, "node refused 77")


@test("Calls wait up to the backlog, one more is refused; all are when the server ends")
def backlog(rig):
    job = rig.b.spawn("node listen 5003 2")
    job.wait_line("ok serving")
    waiting = [rig.a.spawn("node refused 5003 2>&1") for _ in range(2)]
    end = time.monotonic() + 3
    while info(rig.a)[8] != "2":
        assert time.monotonic() < end, f"expected 2 open channels, got {info(rig.a)}"
    ok(rig.a, "node refused 5003")
    equal([call.status for call in waiting], [None, None], "the calls that wait")
    job.kill("KILL")
    for call in waiting:
        equal(call.wait(10), (0, "ok connect: Connection refused\n"), "a call that waited")


@test("2000 round trips of 48 bytes")
def round_trips(rig):
    rig.echo_job = rig.echo()
    print("# " + ok(rig.a, "node rtt 5000 2000").strip())


@test("3000 round trips without a spin: a doorbell each, and none is damped")
def by_doorbells(rig):
    spin_us = "/sys/module/usbroute/parameters/spin_us"
    spun = rig.a.check(f"cat {spin_us}").strip()
    for vm in (rig.a, rig.b):
        vm.check(f"echo 0 >{spin_us}")
    before = counter(rig.a, "doorbells_received")
    print("# " + ok(rig.a, "node rtt 5000 3000").strip())
    met = counter(rig.a, "doorbells_received") - before
    for vm in (rig.a, rig.b):
        vm.check(f"echo {spun} >{spin_us}")
        equal(counter(vm, "storms"), 0, f"storms of {vm.name}")
    # Some come together on a busy host; far more than may be rung for nothing, all the same.
    assert met > 1000, f"expected more than 1000 doorbells, got {met}"


@test("poll, MSG_DONTWAIT, SO_RCVTIMEO, MSG_PEEK, FIONREAD, shutdown, EPIPE")
def poll(rig):
    ok(rig.a, "node poll 5000")


@test("Half-close: end and POLLRDHUP of the peer's, no hang-up for our own")
def half_close(rig):
    ok(rig.a, "node half 5000")
    job = rig.echo("mute", 5001)
    ok(rig.a, "node halfquiet 5001")
    job.kill("KILL")
    job.wait(10)


@test("Edge-triggered epoll: 20 round trips, none waits for the watchdog")
def edges(rig):
    ok(rig.a, "node edge 5000")


@test("MSG_DONTWAIT beside a thread that sleeps in recv; shutdown ends recv and poll")
def two_threads(rig):
    ok(rig.a, "node dontwait 5000")
    ok(rig.a, "node stopread 5000 200")


@test("A signal ends a blocking read, and a blocking write after what was written")
def signals(rig):
    ok(rig.a, "node signal 5000")


@test("64 MB there and back at once, every byte right")
def pump(rig):
    print("# " + ok(rig.a, "node pump 5000 64000000", 120).strip())


@test("The other end calls too, while this one does")
def both_ways(rig):
    job = rig.a.spawn("node echo 6000")
    job.wait_line("ok serving")
    first = rig.a.spawn("node pump 5000 8000000")
    ok(rig.b, "node pump 6000 8000000", 120)
    equal(first.wait(120)[0], 0, "the other pump's status")
    job.kill("KILL")
    job.wait(10)


@test("Ten thousand connects leave no channel and no memory behind")
def many(rig):
    ok(rig.a, "node many 5000 500")
    before = slab(rig.a)
    ok(rig.a, "node many 5000 10000", 300)
    equal(info(rig.a)[7:], ["open", "0"])
    grown = slab(rig.a) - before
    if grown > 2048:
        raise AssertionError(f"slab grew by {grown} KiB, expected at most 2048")


def slab(vm):
    vm.check("echo 3 >/proc/sys/vm/drop_caches")
    return int(vm.check("awk '/^SUnreclaim/ {print $2}' /proc/meminfo"))


@test("With all channels of this end in use: EBUSY; all free again afterwards")
def busy(rig):
    equal(ok(rig.a, "node busy 5000").strip(), "ok busy after 8: Device or resource busy")
    ok(rig.a, "node many 5000 20")


@test("The module stays while a socket is open")
def unload_refused(rig):
    job = rig.a.spawn("node hold 5000")
    job.wait_line("ok holding")
    equal(rig.a.run("rmmod usbroute 2>&1")[0], 1, "rmmod's status")
    rig.held = job


@test("The device taken away under an open socket ends it with an error")
def unbind_open(rig):
    rig.a.check("cd /sys/bus/pci/drivers/usbroute && echo 0000:* >/dev/null; "
                "for d in 0000:*; do echo $d >unbind; done")
    rig.held.wait_line("ok ended: Connection reset", 5)
    rig.held.wait(10)
    equal(rig.a.run("ls /dev/usbroute0 2>&1")[0], 1, "ls's status")
    wait_state(rig.b, "down")


@test("Unloaded with nothing open, loaded again: a new epoch, it works")
def unload_reload(rig):
    rig.a.check("rmmod usbroute && modprobe usbroute")
    wait_state(rig.a, "up")
    ok(rig.a, "node many 5000 3")


@test("A new epoch of one end ends the other's sockets, which then calls again")
def restart(rig):
    job = rig.a.spawn("node hold 5000")
    job.wait_line("ok holding")
    ok(rig.b, "node restart")
    job.wait_line("ok ended: Connection reset", 5)
    ok(rig.a, "node many 5000 3")


@test("kill -9 of the peer's QEMU ends a socket within 2 s; it comes back by the same path")
def killed(rig):
    job = rig.a.spawn("node hold 5000")
    job.wait_line("ok holding")
    start = time.monotonic()
    rig.b.kill()
    job.wait_line("ok ended: Connection reset", 10)
    within(time.monotonic() - start, 2, "the socket's end")
    equal(info(rig.a)[0], "down")
    rig.b = rig.vm("b", rig.hub.b, "usbroute")
    rig.b.start()
    rig.b.wait_ready()
    rig.echo()
    ok(rig.a, "node many 5000 3")


@test("The peer's machine reset under load, its memory kept: a new epoch, nothing stale")
def system_reset(rig):
    rig.b.qmp("set-action", {"reboot": "reset"})
    pump = rig.a.spawn("node pump 5000 4000000000")
    flowing(rig.a)
    seen = len(rig.b.console)
    rig.b.qmp("system_reset")
    rig.b.wait_console(READY, 120, seen)
    status, _ = pump.wait(10)
    equal((status, "reset" in pump.errors), (1, True), pump.errors)
    before = int(rig.a.check("cat /sys/class/usbroute/usbroute0/peer_epochs"))
    wait_state(rig.a, "up", 30)
    equal(int(rig.a.check("cat /sys/class/usbroute/usbroute0/faults")), 0, "faults")
    rig.b.check("true", 60)     # its new agent is there
    print(f"# epochs of the peer seen: {before}")


@test("Without a peer connect waits as long as it was told, then says EHOSTDOWN")
def no_peer(rig):
    rig.stop()
    rig.hub = Hub("16M")
    rig.a = rig.vm("a", rig.hub.a, "usbroute")
    rig.a.start()
    rig.a.wait_ready()
    ok(rig.a, "node down 0")
    ok(rig.a, "node down 700")


@test("A peer that comes late: a connect that waits for it gets through")
def late_peer(rig):
    job = rig.a.spawn("node late 5000")
    rig.b = rig.vm("b", rig.hub.b, "usbroute")
    rig.b.start()
    rig.b.wait_ready()
    rig.echo()
    equal(job.wait(60)[0], 0, f"status: {job.output}{job.errors}")


@test("With half of all doorbells lost, and with all: slower, never stuck")
def dropped_doorbells(rig):
    for vm in (rig.a, rig.b):   # who spins needs no doorbell
        vm.check("echo 0 >/sys/module/usbroute/parameters/spin_us")
    bells = Bells(rig.a, rig.b)
    for percent, trips, count in ((50, 40, 4000000), (100, 5, 400000)):
        bells.drop(percent)
        print("# " + ok(rig.a, f"node rtt 5000 {trips}").strip())
        ok(rig.a, f"node pump 5000 {count}", 120)
        print(f"# {percent} %: {bells.expect_lost(percent)}")


@test("Ends of different geometry: both values in the log and in the device node")
def wrong_size(rig):
    rig.start(module_a="usbroute channels=8")
    wait_state(rig.a, "broken")
    wait_state(rig.b, "broken")
    equal(info(rig.a)[4:7], ["channels", "0x10", "0x8"])
    equal(info(rig.b)[4:7], ["channels", "0x8", "0x10"])
    rig.a.wait_console(r"link severed: peer's channels is 0x10, expected 0x8", 5)
    status, output = rig.a.run("node refused 7 2>&1")
    equal((status, "Protocol error" in output), (1, True), output)


@test("A region the rings do not fit into: the node is there and tells both values")
def too_small(rig):
    rig.start(size="64K", module_b="usbroute ring_bytes=65536")
    equal(info(rig.b)[0], "broken")
    equal(info(rig.b)[4:7], ["geometry", "0x10000", "0x400"])
    rig.b.wait_console(r"cannot use this region.*65536.*expected 1024", 5)
    equal(info(rig.a)[0], "down")


@test("The smallest region works: 64 KiB, rings of 1 KiB")
def smallest(rig):
    rig.start(size="64K")
    rig.echo()
    equal(info(rig.a)[2:4], ["16", "1024"])
    ok(rig.a, "node pump 5000 2000000", 120)


@test("Indices and generations that start near their wrap, guests of two processors")
def wrap(rig):
    near = "usbroute first_index=4294967000 first_generation=16777214"
    rig.start(size="1M", module_a=near, module_b=near, smp=2)
    rig.echo()
    ok(rig.a, "node pump 5000 4000000", 120)
    ok(rig.a, "node many 5000 30")
    ok(rig.a, "node poll 5000")
    ok(rig.a, "node stopread 5000 200")


@test("A restart while programs spin on the ring, on two processors")
def restart_while_spinning(rig):
    for vm in (rig.a, rig.b):
        vm.check("echo 20000 >/sys/module/usbroute/parameters/spin_us")
    for _ in range(20):
        job = rig.a.spawn("node pump 5000 400000000 2>&1; node rtt 5000 100000000 2>&1")
        flowing(rig.a)
        ok(rig.a, "node restart")
        flowing(rig.a, 1)   # the second program, or what was left of the first
        ok(rig.a, "node restart")
        begin = time.monotonic()
        while job.status is None:   # on a busy host the second program began only now
            within(time.monotonic() - begin, 20, "the end of both programs")
            ok(rig.a, "node restart")
    ok(rig.a, "node many 5000 20")


@test("No guest's kernel complained in any of this, and no honest doorbell was damped")
def kernel_quiet(rig):
    rig.stop()
    equal(FAILED_KERNEL, [], "complaints")


if __name__ == "__main__":
    tap.run_and_stop(Rig())
