# SPDX-License-Identifier: BSD-2-Clause
"""One link with 1 to 16 devices at once, and one that comes and goes a thousand times.

    device VM: two qemu-xhci, 16 disks; or a disk and a keyboard === the way === client VM: usb-storage, usbhid

Judged are bytes, shares, keys and what is left behind; the figures stand beside those of the
other ways.
"""

import concurrent.futures
import hashlib
import os
import statistics
import time

import plug
from leaks import expect_as_before, resources
from models import Since, expect
from checks import CheckError, event_node, key
from results import FAIL, PASS, reason
from vm import VmError
from ways import WAYS, WayError, find, wait_for

PART = "scale"
COUNTS = (1, 2, 4, 8, 16)
DISKS = COUNTS[-1]
DISK_BYTES = 8 << 20
KEYBOARD = "0627:0001"
CONTROLLERS = ("left", "right")
KEYBOARD_BUS = "left.0"
CHANNELS = 64           # 16 devices, all that usbip-host exports, and what is asked meanwhile
SHARE = 0.5             # of the mean, what the slowest disk must have
LAG_MS = 50             # what a bulk transfer may add to a key
KEYS = "abcdefghijklmnop"
REQUEST = 65536


def controller(index):
    """Half of the disks on each; the keyboard is on the first."""
    return f"{CONTROLLERS[index * 2 // DISKS]}.0"


def arguments(directory):
    args = []
    for name in CONTROLLERS:
        args += ["-device", f"qemu-xhci,id={name},p2=15,p3=15"]
    for i in range(DISKS):
        image = os.path.join(directory, f"disk{i}.img")
        plug.make_file(image, DISK_BYTES)
        args += ["-blockdev", f"raw,node-name=disk{i},file.driver=file,file.filename={image}"]
    return args


# ---- plugging, and what is there then


def busids(vm):
    return set(vm.check("cd /sys/bus/usb/devices && for d in *; do [ -f $d/bMaxPacketSize0 ] && "
                        "[ $(cat $d/bDeviceClass) != 09 ] && echo $d; done; true").split())


def plug_new(way, driver, ident, bus, **properties):
    """The bus id in the device VM of what comes by this."""
    before = busids(way.device)
    plug.plug(way, driver, ident, bus=bus, **properties)
    end = time.monotonic() + 20
    while not busids(way.device) - before:
        if time.monotonic() > end:
            raise WayError(f"the device VM does not see {ident} after 20 s")
    return (busids(way.device) - before).pop()


def blocks(vm):
    return vm.check("cd /sys/block && for b in sd*; do [ -e $b ] && echo $b; done; true").split()


def grow(way, count, have):
    """Disks until there are `count` in the user's VM."""
    for i in range(have, count):
        way.take(plug_new(way, "usb-storage", f"d{i}", controller(i), drive=f"disk{i}"))
    wait_for(way.user, f"[ $(ls -d /sys/block/sd* | wc -l) = {count} ]", f"not {count} disks", 60)
    wait_for(way.user, f"[ $(ls -d /sys/block/sd*/queue | wc -l) = {count} ]", f"{count} disks without a queue")


# ---- bytes


def sums(way):
    found = []
    for i in range(DISKS):
        with open(os.path.join(way.directory, f"disk{i}.img"), "rb") as image:
            found.append(hashlib.sha256(image.read()).hexdigest())
    return sorted(found)


def every_byte(way):
    """All at once; which is which the sums say."""
    way.user.check("echo 3 >/proc/sys/vm/drop_caches")
    lines = way.user.check(f"for b in {' '.join(blocks(way.user))}; do sha256sum /dev/$b & done; wait", 300)
    expect(sorted(line.split()[0] for line in lines.splitlines()), sums(way), "sha256 of the disks")


def rates(way, count, requests):
    """Bytes a second of each of the first disks, all read at once by direct requests of 64 KiB."""
    readers = " ".join(blocks(way.user)[:count])
    output = way.user.check(f"for b in {readers}; do disk /dev/$b read {REQUEST} {requests} & done; wait", 300)
    seconds = [float(line.split()[0]) for line in output.splitlines()]
    expect(len(seconds), count, f"readers that ended ({output.strip()[-200:]!r})")
    return [requests * REQUEST / s for s in seconds]


def shares(results, way, count, settings):
    found = rates(way, count, settings.scale_requests)
    whole = count * settings.scale_requests * REQUEST / max(settings.scale_requests * REQUEST / r for r in found)
    results.figure(f"{count} disk{'s' * (count > 1)}: MB/s in all", way.name, f"{whole / 1e6:.1f}")
    share = min(found) / statistics.mean(found)
    if count > 1:
        results.figure(f"{count} disks: the slowest, of the mean", way.name, f"{share:.2f}")
    if share < SHARE:
        raise CheckError(f"the slowest of {count} disks: expected {SHARE} of the mean, got {share:.2f}")


# ---- keys


class Keys:
    """A keyboard in the user's VM that tells on the console of each key, at once."""

    def __init__(self, way, client, busid):
        self.way, self.codes = way, []
        way.take(busid)
        self.job = way.user.spawn(f"exec keys /dev/input/{event_node(client)} >/dev/console 2>&1")
        client.wait_console("keys ready", 20)

    def press(self, name):
        """Milliseconds until the client's program has it."""
        client = Since(self.way.user)
        begin = time.monotonic()
        self.way.device.qmp("input-send-event", {"events": [key(name, True)]})
        self.codes.append(int(client.wait_console(r"key (\d+)$", 20).group(1)))
        took = (time.monotonic() - begin) * 1000
        self.way.device.qmp("input-send-event", {"events": [key(name, False)]})
        return took

    def all(self):
        """Sorted milliseconds."""
        self.codes = []
        found = sorted(self.press(name) for name in KEYS)
        expect(len(set(self.codes)), len(KEYS), f"different keys ({self.codes})")
        return found


def key_beside(results, way, client, busid):
    """Keys while nothing else goes on, and while a disk is read without a pause."""
    grow(way, 1, 0)
    keys = Keys(way, client, busid)
    keys.all()
    quiet = keys.all() + keys.all()
    block = blocks(way.user)[0]
    reader = way.user.spawn(f"while dd if=/dev/{block} of=/dev/null bs={REQUEST} iflag=direct 2>/dev/null; do :; done")
    busy = keys.all() + keys.all()
    reader.kill()
    keys.job.kill()
    for name, found in (("nothing else", quiet), ("a disk being read", busy)):
        found.sort()
        results.figure(f"a key beside {name}: ms, median (90 %)", way.name,
                       f"{statistics.median(found):.1f} ({found[len(found) * 9 // 10]:.1f})")
    added = statistics.median(busy) - statistics.median(quiet)
    if added > LAG_MS:
        raise CheckError(f"a bulk transfer adds {added:.1f} ms to a key, expected at most {LAG_MS}")


# ---- memory


def memory_of(results, way, before):
    """Of all disks together, a disk's part."""
    for role, vm in (("device", way.device), ("client", way.user)):
        if role == "client" and way.user is way.device:
            continue
        used = before[role]["MemAvailable"] - resources(vm)["MemAvailable"]
        results.figure(f"{role} VM's memory for a disk: KiB", way.name, f"{max(0, used) / DISKS:.0f}")


# ---- again and again

OURS = ("usbroute attach {busid}", "usbroute detach " + KEYBOARD, 1)
# Stock tools wait for nothing: neither until usbip-host has the device back, nor until the port is in use.
CYCLE = {"direct": OURS, "guarded": OURS,
         "tcp": ("usbip attach -r 10.0.0.1 -b {busid}", "usbip detach -p $(usbip port 2>/dev/null | sed -n "
                 "'s/^Port 0*\\([0-9][0-9]*\\): <.*/\\1/p')", 100)}
SCRIPT = """
attach() {{ {attach}; }}
detach() {{ {detach}; }}
try() {{
	t=0
	until $1 >/tmp/cycle.out 2>&1; do
		t=$((t + 1))
		[ $t -lt {tries} ] || {{ cat /tmp/cycle.out; exit 1; }}
		usleep 50000
	done
}}
n=0
while [ $n -lt $1 ]; do
	try attach
	try detach
	n=$((n + 1))
done
"""


def cycle(way, busid, count):
    attach, detach, tries = CYCLE[way.name]
    way.user.put("/tmp/cycle", SCRIPT.format(attach=attach.format(busid=busid), detach=detach, tries=tries).encode())
    way.user.check(f"sh /tmp/cycle {count}", 60 + count * 5)


def cycles(results, way, busid, settings):
    """The first ones warm up: caches, and slabs that the kernel keeps."""
    if way.name == "tcp":
        way.bind(busid)
    cycle(way, busid, 10)
    before = {vm: resources(vm) for vm in way.guests()}
    begin = time.monotonic()
    cycle(way, busid, settings.cycles)
    each = (time.monotonic() - begin) / settings.cycles
    results.figure("attach and detach: ms", way.name, f"{each * 1000:.0f}")
    for vm, was in before.items():
        expect_as_before(vm, was, f"{settings.cycles} times attach and detach")


# ---- all of it


def judged(results, way, test, step, *args):
    """Whether the guests are of use for more."""
    try:
        step(*args)
    except (CheckError, AssertionError) as error:
        results.add(PART, way.name, test, FAIL, reason(error))
    except (VmError, WayError) as error:
        results.add(PART, way.name, test, FAIL, reason(error))
        return False
    else:
        results.add(PART, way.name, test, PASS)
    return True


def grown(results, way, count, have, settings):
    grow(way, count, have)
    shares(results, way, count, settings)


def load_drivers(way):
    for vm in way.guests():
        vm.check("for m in usb-storage sd_mod usbhid hid-generic evdev; do modprobe $m || exit; done")


def many_devices(results, way, settings):
    load_drivers(way)
    before = {"device": resources(way.device), "client": resources(way.user)}
    for have, count in zip((0,) + COUNTS, COUNTS):
        if not judged(results, way, f"{count} at once, fair shares", grown, results, way, count, have, settings):
            return
    memory_of(results, way, before)
    judged(results, way, f"{DISKS} at once, every byte", every_byte, way)


def one_device(results, way, _):
    """The keyboard's driver in the user's VM is loaded before it: of a local device it tells but once."""
    client = Since(way.user)
    load_drivers(way)
    busid = plug_new(way, "usb-kbd", "kbd", KEYBOARD_BUS)
    judged(results, way, "a keyboard beside a disk", key_beside, results, way, client, busid)


def again_and_again(results, way, settings):
    load_drivers(way)
    busid = plug_new(way, "usb-kbd", "kbd", KEYBOARD_BUS)
    judged(results, way, "attach and detach, nothing left behind", cycles, results, way, busid, settings)


def run_steps(results, name, settings, steps, channels=16):
    try:
        with WAYS[name](arguments, channels=channels) as way:
            steps(results, way, settings)
            complaints(results, way)
    except (VmError, WayError) as error:
        results.add(PART, name, "boot and connect", FAIL, reason(error))


def complaints(results, way):
    for complaint in way.complaints()[:3]:
        results.add("kernels", way.name, complaint, FAIL, "a kernel complained")


def run(results, ways, settings):
    for name in ways:
        run_steps(results, name, settings, many_devices, CHANNELS)
        run_steps(results, name, settings, one_device)


def run_again(results, ways, settings):
    """These wait for USB's own pauses most of their time: all at once."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(run_steps, results, name, settings, again_and_again) for name in ways
                     if name != "local"]:
            done.result()
