#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A USB device of one virtual machine works in another, over shared memory.

    demo/demo.py [--device storage|uas|keyboard|mouse|tablet|serial|audio]
                 [--topology direct|guarded] [--tools ours|stock] [--disk FILE [--write]] [--size 16M]

Boots the device VM and the client VM, attaches the device, uses it, lets it go.
The last line is `demo: OK` (exit status 0), or names the step that failed and
why (exit status 1).
"""

import argparse
import json
import os
import shutil
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "qemu"), os.path.join(TOP, "tests", "sel4"),
                os.path.dirname(os.path.abspath(__file__))]
sys.dont_write_bytecode = True

import firewall                         # noqa: E402
import stock                            # noqa: E402
from checks import CHECKS, CheckError   # noqa: E402
from disk import DiskError              # noqa: E402
from pair import Pair                   # noqa: E402
from machine import CONFIGS, Machine    # noqa: E402
from show import Show                   # noqa: E402
from vm import VmError, likely_cause    # noqa: E402


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="A USB device of one virtual machine works in another, over shared memory.")
    parser.add_argument("--device", choices=CHECKS, default="storage", help="QEMU's model (storage)")
    parser.add_argument("--platform", choices=("qemu", "sel4"), default="qemu",
                        help="two QEMU guests, or two VMs of one seL4 image (qemu)")
    parser.add_argument("--topology", choices=("direct", "guarded"), default="direct",
                        help="one link, or two with the guard between them (direct)")
    parser.add_argument("--disk", help="use this image, from 1 MiB up; a copy of it unless --write")
    parser.add_argument("--write", action="store_true", help="write into the image itself")
    parser.add_argument("--size", default="16M", help="of the shared region (16M)")
    parser.add_argument("--tools", choices=("ours", "stock"), default="ours",
                        help="usbroute, or Debian's usbip under the preload library (ours)")
    options = parser.parse_args(arguments)
    if options.write and not options.disk:
        parser.error("--write needs --disk")
    if options.platform == "sel4" and options.tools == "stock":
        parser.error("the stock tools are not in the seL4 image")
    if options.disk and options.device not in ("storage", "uas"):
        parser.error(f"--disk goes with storage or uas, not with {options.device}")
    return options


def usb_line(client, port):
    """As lsusb has it, from the client's own sysfs."""
    return client.check(
        "for d in /sys/bus/usb/devices/*; do "
        "[ -f $d/idVendor ] && [ $(cat $d/idVendor):$(cat $d/idProduct) != 1d6b:0002 ] && "
        "[ $(cat $d/idVendor):$(cat $d/idProduct) != 1d6b:0003 ] && "
        "printf 'Bus %03d Device %03d: ID %s:%s %s %s (%s Mbit/s)\\n' $(cat $d/busnum) $(cat $d/devnum) "
        "$(cat $d/idVendor) $(cat $d/idProduct) \"$(cat $d/manufacturer 2>/dev/null)\" "
        "\"$(cat $d/product 2>/dev/null)\" $(cat $d/speed); done; true").rstrip()


def find(listing, selector):
    vendor, product = selector.split(":")
    for device in json.loads(listing)["devices"]:
        if (device["vendor"], device["product"]) == (vendor, product):
            return device["busid"]
    raise CheckError(f"the device VM offers no {selector}: {listing.strip()}")


def boot(show, check, pair, options):
    show.step("Two virtual machines boot; no network device in either")
    pair.device.start()
    pair.client.start()
    pair.device.wait_ready()
    pair.client.wait_ready()
    for vm in (pair.device, pair.client):
        show.say(f"{vm.name} VM: Linux {vm.ready.group(2)}, {vm.memory} MiB")
        networks = vm.check("ls /sys/class/net").split()
        if networks not in ([], ["lo"]):
            raise CheckError(f"{vm.name} VM has network devices: {networks}")
    buses = pair.client.check("lspci 2>/dev/null | grep -c '0c03' || true").strip()
    if buses != "0":
        raise CheckError(f"the client VM has {buses} USB controllers, expected 0")
    info = {k: int(pair.client.check(f"cat /sys/class/usbroute/usbroute0/{n}"))
            for k, n in (("channels", "channels"), ("ring", "ring_bytes"), ("half", "outbox_bytes"))}
    draw = show.path if options.topology == "direct" else show.guarded_path
    draw(check.model, {"bytes": info["half"] * 2, **info})


def attach(show, check, pair, options):
    attach_by(show, check, pair, options)
    show.say(usb_line(pair.client, None))
    if options.topology == "guarded":
        firewall.attached(show, pair)


def attach_by(show, check, pair, options):
    if options.tools == "stock":
        stock.attach(show, check, pair, options)
        return
    show.step("The device VM offers its devices, the client VM asks for them")
    pair.serve()
    listing = pair.client.check("usbroute list --json")
    show.say(pair.client.check("usbroute list").rstrip())
    busid = find(listing, check.selector)
    show.step(f"The client VM attaches {busid}")
    show.say(pair.client.check(f"usbroute attach {busid} 2>&1", 40).rstrip())


def let_go(show, pair):
    ports = json.loads(pair.client.check("usbroute port --json"))["ports"]
    for port in ports:
        show.say(pair.client.check(f"usbroute detach {port['port']} 2>&1", 40).rstrip())


def detach(show, pair, options):
    show.step("The client VM lets the device go")
    (stock.detach if options.tools == "stock" else let_go)(show, pair)
    pair.server.kill("TERM")
    status, _ = pair.server.wait(20)
    if status != 0:
        raise CheckError(f"the server ended with {status}: {pair.server.errors}")
    complaints = pair.complaints()
    if complaints:
        raise CheckError("a kernel complained: " + "; ".join(complaints[:3]))
    counters = pair.client.check(
        "cd /sys/class/usbroute/usbroute0 && echo $(cat bytes_sent bytes_received doorbells_sent "
        "doorbells_received)").split()
    show.say("the client sent {} bytes and got {}, with {} doorbells out and {} in".format(*counters))
    if options.topology == "guarded":
        firewall.detached(show, pair)


def tell(show, pair):
    """What the guests last said, and which of them is gone."""
    for vm in (pair.device, pair.client):
        end = "" if vm.exit_status is None else f", and QEMU has ended (status {vm.exit_status})"
        show.say(f"{vm.name} VM's last console lines{end}:")
        show.say("\n".join("  " + line for line in vm.console[-6:]))
        cause = likely_cause(vm.console)
        if cause:
            show.say(f"  likely cause: {cause}")


def machines(check, options):
    if options.platform == "sel4":
        more = {} if options.topology == "direct" else {"topology": options.topology}
        return Machine(devices=check.arguments(), config=CONFIGS[0], xhci=check.xhci, boot=False, **more)
    return Pair(devices=check.arguments(), size=options.size, xhci=check.xhci,
                client_modules=check.modules, boot=False, topology=options.topology, policy=firewall.rules(),
                initrd=stock.IMAGE if options.tools == "stock" else None)


def demo(show, options, directory):
    show.step(f"Make ready: {options.device}")
    check = CHECKS[options.device](show, directory, options)
    with machines(check, options) as pair:
        try:
            boot(show, check, pair, options)
            attach(show, check, pair, options)
            check.run(pair.client, pair.device)
            detach(show, pair, options)
        except CheckError:      # a VmError brings the console lines itself
            show.done()
            tell(show, pair)
            raise
    show.step("The host looks at what came out")
    check.after()
    return check.result()


def fail(show, error):
    show.done()
    lines = str(error).splitlines() or [type(error).__name__]
    for line in lines[1:]:
        show.say(line)
    show.result(f"FAILED in step {show.number} ({show.title}): {lines[0]}")
    return 1


def main(arguments):
    options = parse(arguments)
    show = Show()
    directory = tempfile.mkdtemp(prefix="usbroute-demo-")
    try:
        results = demo(show, options, directory)
    except (VmError, CheckError, DiskError, OSError, ValueError, KeyError) as error:
        return fail(show, error)
    except KeyboardInterrupt:
        return fail(show, CheckError("interrupted"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for line in results:
        show.result(line)
    show.result("OK")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
