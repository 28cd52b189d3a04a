# SPDX-License-Identifier: BSD-2-Clause
"""What tests of guests that reset and die wait for, and the link's counters."""

import time

from tap import within
from vm import READY

SYSFS = "/sys/class/usbroute/usbroute0"


def counters(vm, *names):
    """{name: number} of the link, all in one go."""
    values = vm.check(f"cd {SYSFS} && cat {' '.join(names)}").split()
    return dict(zip(names, map(int, values)))


def flowing(vm, more=256 << 10):
    """Wait until the link has brought so many bytes more: whoever reads is in the middle of it."""
    vm.check(f"f={SYSFS}/bytes_received; end=$(($(cat $f) + {more})); n=0; until [ $(cat $f) -ge $end ]; "
             "do usleep 10000; n=$((n+1)); [ $n -lt 500 ] || exit 1; done", 60)


def reset(vm):
    """QMP system_reset, and the new kernel's READY line."""
    seen = len(vm.console)
    vm.qmp("set-action", {"reboot": "reset"})
    vm.qmp("system_reset")
    vm.wait_console(READY, 120, seen)


def until(vm, command, what, begin):
    """Wait for a shell condition; it must hold within 2 s of `begin`."""
    vm.check(f"n=0; until {command}; do usleep 20000; n=$((n+1)); [ $n -lt 500 ] || exit 1; done", 20)
    took = time.monotonic() - begin
    within(took, 2, what)
    return took
