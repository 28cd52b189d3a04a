# SPDX-License-Identifier: BSD-2-Clause
"""The test knob that drops doorbells, and the proof that it did."""

from waits import counters

# percent: the least and the greatest share of some forty doorbells or more that may be lost
SHARES = {1: (0, 0.1), 50: (0.2, 0.8), 100: (1, 1)}


class Bells:
    """Of these guests together, since drop(): doorbells sent, lost by the knob, received."""

    NAMES = ("doorbells_sent", "doorbells_lost", "doorbells_received")

    def __init__(self, *vms):
        self.vms, self.start = vms, {}

    def total(self):
        each = [counters(vm, *self.NAMES) for vm in self.vms]
        return {name: sum(count[name] for count in each) for name in self.NAMES}

    def drop(self, percent):
        for vm in self.vms:
            vm.check(f"echo {percent} >/sys/module/usbroute/parameters/drop_doorbells")
        self.start = self.total()

    def counted(self):
        """(sent, lost, received)"""
        return tuple(now - self.start[name] for name, now in self.total().items())

    def expect_lost(self, percent):
        """About so many of them; returns the counts in words."""
        sent, lost, received = self.counted()
        text = f"{sent} doorbells sent, {lost} lost, {received} received"
        least, most = SHARES[percent]
        assert lost > 0, f"at {percent} %: expected some lost, got {text}"
        assert least <= lost / (sent + lost) <= most, \
            f"at {percent} %: expected {least:.0%} to {most:.0%} lost, got {text}"
        assert bool(sent) == bool(received), \
            f"at {percent} %: expected some received if some were sent, got {text}"
        return text
