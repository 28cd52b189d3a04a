# SPDX-License-Identifier: BSD-2-Clause
"""What a guest's kernel holds, before and after something that must leave nothing behind."""

import time

from tap import equal

# The threads that a device of ours has in the kernel; of a scsi_eh_0 without its number.
THREADS = ("vhci_rx", "vhci_tx", "stub_rx", "stub_tx", "scsi_eh", "usb-storage")
# Nothing else moves these.
EXACT = ("sockets", "sock_inode_cache", "descriptors", "processes") + THREADS
# Of `files` the kernel counts the free ones of a processor's own slab as used, and measuring
# opens files. Memory also holds what the console, sysfs and the agent keep of each command.
ROOM = {"files": 64, "SUnreclaim": 512, "MemAvailable": 4096}    # objects, KiB, KiB
MEASURE = r"""
echo 3 >/proc/sys/vm/drop_caches
for c in sock_inode_cache filp; do echo 1 >/sys/kernel/slab/$c/shrink; done
awk '/^sockets:/ {print "sockets", $3}' /proc/net/sockstat
awk '$1 == "filp" {print "files", $2} $1 == "sock_inode_cache" {print $1, $2}' /proc/slabinfo
awk '/^(SUnreclaim|MemAvailable):/ {sub(":", ""); print $1, $2}' /proc/meminfo
cat /proc/[0-9]*/comm 2>/dev/null | sed 's/_[0-9]*$//' >/run/comm
for t in %s; do echo $t $(grep -cx $t /run/comm); done
set -- $(pidof usbroute) && echo descriptors $(ls /proc/$1/fd | wc -l)
n=0; for p in /proc/[0-9]*; do [ -e $p/exe ] && n=$((n + 1)); done; echo processes $n
""" % " ".join(THREADS)


def resources(vm):
    return {name: int(n) for name, n in map(str.split, vm.check(MEASURE).splitlines())}


def waiting(vm):
    """Tasks that no signal reaches (state D): "number (name)"."""
    return set(vm.check(r"sed -n 's/^\([0-9]* (.*)\) D .*/\1/p' /proc/[0-9]*/stat 2>/dev/null; true").splitlines())


def expect_no_task_hangs(vm):
    """Who waits for a disk does so for a moment: none is found so each time for 5 s."""
    end = time.monotonic() + 5
    tasks = waiting(vm)
    while tasks and time.monotonic() < end:
        tasks &= waiting(vm)
    equal(sorted(tasks), [], f"tasks of {vm.name} that hang")


def left_behind(before, after, room):
    """What is not as it was, in words."""
    wrong = [f"{k}: expected {before.get(k)}, got {after.get(k)}"
             for k in EXACT if before.get(k) != after.get(k)]
    for name, allowed in dict(ROOM, **room).items():
        more = after[name] - before[name]
        more = -more if name == "MemAvailable" else more
        if more > allowed:
            wrong.append(f"{name}: {before[name]} became {after[name]}, expected {allowed} off at most")
    return wrong


def expect_as_before(vm, before, what, **room):
    """What RCU has yet to free is measured again; what is lost stays lost."""
    end = time.monotonic() + 5
    after = resources(vm)
    while left_behind(before, after, room) and time.monotonic() < end:
        after = resources(vm)
    print(f"# {vm.name} after {what}: " + ", ".join(
        f"{k} {before.get(k)} -> {after[k]}" for k in after))
    equal(left_behind(before, after, room), [], f"left behind by {what}")
    expect_no_task_hangs(vm)
