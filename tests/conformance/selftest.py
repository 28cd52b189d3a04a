# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own usbip_test.sh. It asserts nothing: each step's output is compared with what
the script says before it that it expects.

    one VM: usbip, usbipd === "localhost" === the same VM     qemu-xhci, usb-storage

    stock           localhost is the loopback
    shim            it is a link whose both ends this VM has; stock tools under the library
    cli             the same link; `usbipd` and `usbip` are scripts that call usbroute
"""

import re

import plug
from pair import Hub, link_arguments
from results import FAIL, NOT_RUN, PASS, reason
from vm import VmError
from ways import LIBRARY, Way, WayError, find

PART = "usbip_test.sh"
IDS = "46f4:0001"
RULE = "=" * 62
LINKS = "USBROUTE_PEERS=localhost=/dev/usbroute0"
LISTEN = "USBROUTE_LISTEN=/dev/usbroute1"
# A bus id and the ids of what has it, as lists show them; what a taken port looks like.
LISTED = r"(?:{busid}|usb1:{busid})\b.*46f4:0001|46f4:0001.*{busid}"
PORT = r"Port \d+: <Port in Use>|usb-storage|46f4:0001"

# What a step says before it begins, what its output must have, and what it must not have.
STEPS = (
    ("Expect to see export-able devices", LISTED, None),
    ("Get exported devices from localhost - expect to see none", None, LISTED),
    ("bind devices", "complete|serving|bound", "error"),
    ("Run lsusb - bound devices should be under usbip_host control", None, "Driver=usb-storage"),
    ("bind devices - expect already bound messages", "already", None),
    ("Get exported devices from localhost - expect to see exported devices", LISTED, None),
    ("unbind devices", "complete|stopped", "error"),
    ("Run lsusb - bound devices should be rebound to original drivers", "Driver=usb-storage", None),
    ("unbind devices - expect no devices bound message", "not bound|no device", None),
    ("Get exported devices from localhost - expect to see none", None, LISTED),
    ("List imported devices - expect to see none", None, PORT),
    ("Import devices from localhost - should fail with no devices", "error|no device|no such|nobody serves|failed", None),
    ("bind devices", "complete|serving|bound", "error"),
    ("List imported devices - expect to see exported devices", LISTED, None),
    ("List imported devices - expect to see none", None, PORT),
    ("Import devices from localhost - should work", None, "error|fail"),
    ("List imported devices - expect to see imported devices", PORT, None),
    ("Import devices from localhost - expect already imported messages", "error|busy|already|in use|refused", None),
    ("Un-import devices", "detached|free|let go|detach", None),
    ("List imported devices - expect to see none", None, PORT),
    ("Un-import devices - expect no devices to detach messages", "not|no |invalid|nothing|already", None),
    ("Detach invalid port tests - expect invalid port error message", "[Ii]nvalid|no port|want|not|expected", None),
    ("Expect to see export-able devices", LISTED, None),
    ("Remove usbip_host module", "Driver=usb-storage", None),
    ("Run bind without usbip_host - expect fail", "error|fail|no |not", None),
    ("modprobe usbip_host - does it work?", None, "FATAL|not found"),
)

# Where a tool of ours does by design what the step does not expect.
OTHERWISE = {("cli", 4): "serve leaves a device its driver until the other VM asks for it"}

# What the script calls, put into a directory as it wants them: src/usbip and src/usbipd.
STOCK = {"usbip": 'exec /usr/sbin/usbip "$@"', "usbipd": 'exec /usr/sbin/usbipd "$@"'}
SHIM = {"usbip": f'exec env {LIBRARY} {LINKS} /usr/sbin/usbip "$@"',
        "usbipd": f'exec env {LIBRARY} {LISTEN} /usr/sbin/usbipd "$@"'}
# usbroute serves while it runs; "bind" names what it serves.
CLI = {"usbipd": "true", "usbip": r"""
serving() { [ -s /run/serve.pid ] && kill -0 $(cat /run/serve.pid) 2>/dev/null; }
verb=$1; shift
while getopts lr:b:p: o; do
	case $o in l) verb=local ;; b) busid=$OPTARG ;; p) port=$((1$OPTARG - (10 ** ${#OPTARG}))) ;; esac
done
case $verb in
local) exec usbroute list --local ;;
list) exec usbroute list --device /dev/usbroute0 ;;
attach) exec usbroute attach --device /dev/usbroute0 $busid ;;
detach) exec usbroute detach $port ;;
port) exec usbroute port ;;
bind)
	serving && [ -d /sys/module/usbip_host ] && { echo "already serving"; exit 1; }
	serving && kill $(cat /run/serve.pid) && while serving; do usleep 100000; done
	usbroute serve --device /dev/usbroute1 $busid >/run/serve.log 2>&1 &
	echo $! >/run/serve.pid
	for i in $(seq 50); do grep -q serv /run/serve.log && break; usleep 100000; done
	cat /run/serve.log ;;
unbind)
	serving || { echo "no device is bound"; exit 1; }
	kill $(cat /run/serve.pid)
	for i in $(seq 50); do serving || break; usleep 100000; done
	echo stopped ;;
esac
"""}


class Alone(Way):
    """One VM that has both ends of the route, if the route is a link."""

    def __init__(self, name, topology):
        self.name, self.topology = f"selftest-{name}", topology
        super().__init__(plug.arguments)

    def boot(self):
        modules, links = ["xhci-pci", "usb-storage"], []
        if self.topology:
            hub = Hub(topology=self.topology)
            self.stack.callback(hub.stop)
            links = link_arguments(hub.a, "a") + link_arguments(hub.b, "b")
            modules.append("usbroute")
        self.device = self.user = self.make("device", self.cores()[0], modules, links + self.args).start()


# ---- reading its output


def sections(output):
    """[(title, text)]: a step says what it is on a line of its own, and ends with a rule."""
    parts = [part.strip("\n") for part in output.split(RULE)[1:]]
    return [tuple((part.split("\n", 1) + [""])[:2]) for part in parts]


def judge(title, text, wanted, unwanted, busid):
    """Why the step is not what it says it expects, or None."""
    text = text.replace(title, "")
    for pattern, there in ((wanted, True), (unwanted, False)):
        if pattern is None:
            continue
        regex = pattern.replace("{busid}", re.escape(busid))
        if bool(re.search(regex, text, re.I | re.S if "busid" in pattern else 0)) != there:
            return f"expected {'' if there else 'no '}/{regex}/ in {text.strip()[:200]!r}"
    return None


def outcome(step, flavour, number, section, busid):
    if (flavour, number) in OTHERWISE:
        return NOT_RUN, OTHERWISE[flavour, number]
    if section is None:
        return FAIL, "the script did not come to this step"
    why = judge(step[0], section, step[1], step[2], busid)
    return FAIL if why else PASS, why or ""


def compare(output, flavour, busid):
    """[(step, outcome, why)]"""
    found, at = sections(output), 0
    for number, step in enumerate(STEPS, 1):
        match = next((i for i in range(at, len(found)) if found[i][0].strip().rstrip(";") == step[0]), None)
        at = at if match is None else match + 1
        section = None if match is None else found[match][1]
        yield (f"step {number}: {step[0]}", *outcome(step, flavour, number, section, busid))


# ---- running it


def install(vm, tools):
    vm.check("echo 127.0.0.1 localhost >/etc/hosts && echo hosts: files >/etc/nsswitch.conf")
    vm.check("mkdir -p /tmp/tools/src && /opt/bin/depmod && ln -sf /opt/bin/modprobe /sbin/modprobe && "
             "ln -sf /opt/bin/lsusb /usr/bin/lsusb")
    for name, text in tools.items():
        vm.put(f"/tmp/tools/src/{name}", f"#!/bin/sh\n{text}\n".encode(), "755")


def run_flavour(column, flavour, tools, topology):
    with Alone(f"{column}-{flavour}", topology) as machine:
        vm = machine.user
        # High speed: the script lets go of ports 0 and 1, a SuperSpeed device gets 15.
        plug.plug(machine, "usb-storage", "it", drive="disk", port="8")
        busid = find(vm, IDS)
        install(vm, tools)
        job = vm.spawn(f"/opt/bin/bash /opt/bin/usbip_test.sh -b {busid} -p /tmp/tools 2>&1")
        _, output = job.wait(240)
        return list(compare(output, flavour, busid))


# A flavour of ours is a part of its own, and the stock tools are what it is measured by.
FLAVOURS = {"tcp": (("stock", STOCK, None),), "direct": (("shim", SHIM, "direct"), ("cli", CLI, "direct")),
            "guarded": (("shim", SHIM, "guarded"), ("cli", CLI, "guarded"))}


def run(results, ways, _):
    for column in ways:
        for flavour, tools, topology in FLAVOURS.get(column, ()):
            parts = [f"{PART}, {f}" for f in (("shim", "cli") if flavour == "stock" else (flavour,))]
            try:
                found = run_flavour(column, flavour, tools, topology)
            except (VmError, WayError) as error:
                found = [("to its end", FAIL, reason(error))]
            for part in parts:
                for name, *rest in found:
                    results.add(part, column, name, *rest)
