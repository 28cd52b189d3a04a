# SPDX-License-Identifier: BSD-2-Clause
"""The stock tools as the other side, over loopback TCP.

    usbip list, attach --- tcp --- usbroute serve      (a machine of files)
    usbroute list, attach --- tcp --- usbipd           (this machine: no device)
"""
import os
import shutil
import socket
import subprocess

import rig
from rig import Machine
from tap import Skip, contains, equal, test


def find(tool):
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"no {tool}: install the package usbip")
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


def usbip(port, *arguments):
    return subprocess.run([find("usbip"), "--tcp-port", port, *arguments], capture_output=True,
                          text=True, timeout=rig.LIMIT, check=False)


@test("stock usbip list understands serve's list")
def _():
    port = free_port()
    with Machine() as machine:
        machine.add("1-1", dev=7)
        machine.add("1-2", vendor="0627", interfaces=((3, 1, 1, None), (1, 1, 0, None)))
        find("usbip")
        machine.serve("--device", "tcp:" + port)
        result = usbip(port, "list", "-r", "127.0.0.1")
    equal(result.returncode, 0, "exit status")
    for part in ("1-1: ", "(46f4:0001)", ": /sys/devices/pci0000:00/usb1/1-1\n", "(08/06/50)",
                 "1-2: ", "(0627:0001)", "(03/01/01)", "(01/01/00)"):
        contains(result.stdout, part, "its table")


@test("stock usbip attach gets a device from serve, and is told when there is none")
def _():
    port = free_port()
    with Machine() as machine:
        machine.add("1-1", dev=7)
        find("usbip")
        serve = machine.serve("--device", "tcp:" + port)
        result = usbip(port, "attach", "-r", "127.0.0.1", "-b", "1-1")
        serve.wait_line("import 1-1: ok")
        contains(machine.journal()[-1], "usbip_sockfd", "last write")
        # It took the answer; what it lacks is vhci-hcd on this machine.
        contains(result.stderr, "vhci_driver", "its complaint")
        result = usbip(port, "attach", "-r", "127.0.0.1", "-b", "9-9")
        contains(result.stderr, "Attach Request for 9-9 failed - Device not found", "its complaint")


def with_usbipd(check):
    port = free_port()
    daemon = subprocess.Popen([find("usbipd"), "-4", "--tcp-port", port], text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for line in daemon.stderr:
            if "listening on" in line:
                break
        else:
            raise Skip("usbipd does not start on this machine")
        with Machine() as machine:
            machine.vhci()
            check(machine, "tcp:" + port)
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stderr.close()


@test("stock usbipd answers list and attach")
def _():
    def check(machine, link):
        status, _, err = machine.run("list", "--device", link)
        equal((status, err), (0, "usbroute: the other side exports no device\n"), "list")
        status, _, err = machine.run("attach", "--device", link, "9-9")
        equal((status, err), (3, "usbroute: 9-9: no such device is exported\n"), "attach")
        status, _, err = machine.run("attach", "--device", link, "serial=X")
        equal((status, err), (3, "usbroute: serial:X: no such device is exported\n"), "attach")

    with_usbipd(check)
