# SPDX-License-Identifier: BSD-2-Clause
"""The demo's two steps with Debian's own usbip and usbipd, under the preload library.

      usbipd + library  === /dev/usbroute0 ===  usbip + library
"""

import os
import re

from checks import CheckError
from vm import BUILD

IMAGE = os.path.join(BUILD, "shim", "guest.cpio.gz")
LIBRARY = "LD_PRELOAD=libusbroute-preload.so"
USBIP = f"{LIBRARY} USBROUTE_PEERS=device-vm=/dev/usbroute0 usbip"
USBIPD = f"{LIBRARY} USBROUTE_LISTEN=/dev/usbroute0 usbipd"


def find(vm, selector):
    """The bus id of a device; the kernel looks for it in the background."""
    search = ("cd /sys/bus/usb/devices && for i in $(seq 100); do for d in *; do [ -f $d/idVendor ] && "
              f"[ $(cat $d/idVendor):$(cat $d/idProduct) = {selector} ] && echo $d && exit; "
              "done; usleep 100000; done")
    busid = vm.check(search, 30).strip()
    if not busid:
        raise CheckError(f"the {vm.name} VM has no {selector} after 10 s, expected one")
    return busid


def offer(show, pair, selector):
    """Bind the device and serve it; its bus id."""
    busid = find(pair.device, selector)
    pair.device.check(f"usbip bind -b {busid}")
    show.say(f"device VM# {USBIPD}")
    pair.server = pair.device.spawn(f"exec env {USBIPD}")
    pair.server.wait_line("listening on", 20)
    return busid


def run(show, pair, arguments):
    show.say(f"client VM# {USBIP} {arguments}")
    output = pair.client.check(f"{USBIP} {arguments} 2>&1", 40)
    if output.strip():
        show.say(output.strip())
    return output


def attach(show, check, pair, options):
    show.step("The device VM serves with stock usbipd, the client VM asks with stock usbip")
    busid = offer(show, pair, check.selector)
    if options.topology == "guarded":
        busid = f"{pair.device_name}:{busid}"
    if busid not in run(show, pair, "list -r device-vm"):
        raise CheckError(f"usbip list shows no {busid}")
    show.step(f"The client VM attaches {busid}")
    run(show, pair, f"attach -r device-vm -b {busid}")
    find(pair.client, check.selector)


def detach(show, pair):
    for port in re.findall(r"Port (\d+): <Port in Use>", run(show, pair, "port")):
        run(show, pair, f"detach -p {int(port)}")
