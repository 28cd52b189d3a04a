# SPDX-License-Identifier: BSD-2-Clause
"""What tests of guests that reset and die wait for."""

import time

from tap import within
from vm import READY


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
