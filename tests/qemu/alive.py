# SPDX-License-Identifier: BSD-2-Clause
"""No guest outlives the program, whatever ends it. (A SIGKILL does so by the parent-death
signal: vm.py.)"""

import atexit
import signal
import sys
import threading

running = set()     # of Vm
_caught = _over = False


def is_over():
    """No other guest starts."""
    return _over


def kill_all():
    """End every guest that runs; no other starts, whichever thread wants one."""
    global _over
    _over = True
    for vm in list(running):
        vm.kill()


def catch_signals():
    """SIGTERM ends the program as an exception does, through every `with`. By the main thread:
    who starts guests in others calls it before."""
    global _caught
    if _caught or threading.current_thread() is not threading.main_thread():
        return
    _caught = True
    atexit.register(kill_all)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
