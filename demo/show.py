# SPDX-License-Identifier: BSD-2-Clause
"""What a person sees of the demo: steps, progress, the drawn path."""

import sys
import time


class Show:
    """Numbered steps on standard output; a bar while something takes long."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.tty = out.isatty()
        self.number = 0
        self.title = "start"
        self._drawn = 0.0
        self._bar = False

    def _print(self, text="", end="\n"):
        if self._bar:
            self.out.write("\r\033[K")
            self._bar = False
        self.out.write(text + end)
        self.out.flush()

    def step(self, title):
        self.number += 1
        self.title = title
        mark = f"[{self.number}]"
        self._print(f"\033[1m{mark} {title}\033[0m" if self.tty else f"{mark} {title}")

    def say(self, text=""):
        for line in text.splitlines() or [""]:
            self._print(f"    {line}".rstrip())

    def result(self, text):
        """A machine-readable line."""
        self._print(f"demo: {text}")

    def progress(self, done, total, unit="MiB", scale=1 << 20, rate=None):
        """A bar on a terminal, every tenth otherwise nothing: the end says it all."""
        now = time.monotonic()
        if not self.tty or (now - self._drawn < 0.1 and done < total):
            return
        self._drawn = now
        share = min(done / total, 1.0) if total else 1.0
        filled = int(share * 30)
        text = (f"    [{'#' * filled}{'.' * (30 - filled)}] {done / scale:.1f} of "
                f"{total / scale:.1f} {unit}")
        if rate:
            text += f"  {rate / scale:.1f} {unit}/s"
        self.out.write("\r\033[K" + text)
        self.out.flush()
        self._bar = True

    def done(self):
        if self._bar:
            self._print("", end="")

    def path(self, device, link):
        """client - link - device, with the names of what is really there."""
        boxes = [
            ["client VM", "", "drivers", "vhci-hcd", "usbroute.ko"],
            ["shared memory", "", f"{link['bytes'] >> 20} MiB, no network",
             f"{link['channels']} channels,", f"rings of {link['ring'] >> 10} KiB"],
            ["device VM", "", device, "qemu-xhci, usbip-host", "usbroute.ko"],
        ]
        self._boxes(boxes)

    def guarded_path(self, device, link):
        """The same with the guard between two links."""
        cable = ["shared", "memory", f"{link['bytes'] >> 20} MiB", f"{link['channels']} rings",
                 f"{link['ring'] >> 10} KiB"]
        self._boxes([
            ["client VM", "", "drivers", "vhci-hcd", "usbroute.ko"], cable,
            ["guard", "", "judges every message", "by state and policy", "copies, shares nothing"], cable,
            ["device VM", "", device, "qemu-xhci, usbip-host", "usbroute.ko"],
        ])

    def _boxes(self, boxes):
        widths = [max(map(len, box)) for box in boxes]
        edges = ["+" + "-" * (w + 2) + "+" for w in widths]
        self.say("   ".join(edges))
        for row in range(5):
            join = "===" if row == 4 else "   "
            self.say(join.join(f"| {box[row]:<{w}} |" for box, w in zip(boxes, widths)))
        self.say("   ".join(edges))
