#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks against a stock client kernel behind the guard, and one beside it:

      hostile player (device VM) === link === guard === link === vhci-hcd (client VM)

`make attacks-live` plays all of them, and without the guard too.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
sys.dont_write_bytecode = True

import tap                          # noqa: E402
from stage import Stage, attacks    # noqa: E402
from tap import equal, test         # noqa: E402


def refused(stage, name):
    attack = attacks(name)[0]
    outcome = stage.play(attack, "guarded")
    equal(outcome.harm(), None, "what it did to the client's kernel")
    equal((outcome.refusal() or {}).get("reason"), attack.reason, f"the guard's reason: {outcome.text()}")


@test("an answer longer than its request")
def _(stage):
    refused(stage, "cve-2016-3955-actual-length")


@test("an isochronous packet behind the buffer")
def _(stage):
    refused(stage, "iso-offset-beyond")


@test("storage that becomes a keyboard")
def _(stage):
    refused(stage, "storage-becomes-keyboard")


@test("a device without the endpoints that its driver takes for granted")
def _(stage):
    refused(stage, "cinch-2016-2186-powermate")


@test("after all that, the same client's kernel is well")
def _(stage):
    equal(stage.pair.complaints(), [], "complaints")


if __name__ == "__main__":
    with Stage("guarded") as STAGE:
        sys.exit(tap.run(STAGE))
