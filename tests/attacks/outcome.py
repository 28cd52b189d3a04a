# SPDX-License-Identifier: BSD-2-Clause
"""What came of an attack, in words: from what the players said, what the victim's
kernel logged and, behind the guard, what the guard recorded."""

import re

BUG = re.compile(r"Kernel memory \w+ attempt|\bBUG\b|\bOops\b|WARNING: CPU|general protection fault|refcount_t:|"
                 r"unable to handle|Redzone overwritten|soft lockup|blocked for more than")
NOISE = re.compile(r"CPU: \d+ PID: \d+ |\+0x\S+|\(Tainted: [^)]*\)|\(Not tainted\)|^usercopy: |WARNING: ")
STAMP = re.compile(r"^\[ *[0-9.]+\] ")
# What the kernel says when it gives a device or a connection up, the telling ones first.
TELLING = [
    r"cannot find a urb of seqnum", r"cannot find the pending unlink", r"recv xbuf", r"recv iso_frame_descriptor",
    r"total length of iso packets", r"unknown pdu", r"received pdu size",
    r"CMD_SUBMIT: ", r"CMD_UNLINK", r"no such endpoint", r"invalid ", r"can't read configurations",
    r"unable to enumerate", r"can't set config", r"descriptor too short", r"not enough", r"missing",
    r"need 2 interfaces", r"must have", r"probe of .* failed", r"bind\(\) failure", r"failed with error",
    r"unable to get BOS", r"has \d+ endpoint descriptor", r"config \d+ ",
]


def short(line):
    """A kernel's complaint without what differs from run to run."""
    line = NOISE.sub("", line)
    return re.sub(r" +(?=:)", "", re.sub(r"\s+", " ", line)).strip()


class Outcome:
    """victim: "client" or "device", the VM whose kernel was attacked."""

    def __init__(self, attack, victim, player, reader=None, attach=None, keys=None):
        self.attack, self.victim = attack, victim
        self.player, self.reader, self.attach, self.keys = player, reader, attach, keys
        self.log, self.records, self.is_free = [], [], True

    # ---- what there is

    def said(self, job, pattern):
        """The matches of a pattern in what a player said."""
        return [m for m in (re.search(pattern, x) for x in (job.output if job else "").splitlines())
                if m]

    def bug(self):
        """The line with which the victim's kernel complained, or None."""
        return next((STAMP.sub("", x) for x in self.log if BUG.search(x)), None)

    def refusal(self):
        """The guard's record of this attack's end, or None."""
        return next((r for r in self.records if r["event"] in ("refused", "denied", "stalled")), None)

    def is_refused(self):
        """By the guard, for the file's reason; or before there is a route that it could record."""
        refusal = self.refusal()
        if refusal:
            return refusal["event"] == "denied" or refusal.get("reason") == self.attack.reason
        return self.attack.prelude[0] is None and self.is_dropped()

    def telling(self):
        lines = [STAMP.sub("", x) for x in self.log if "usbroute" not in x.split(":")[0]]
        for pattern in TELLING:
            for line in lines:
                if re.search(pattern, line):
                    return re.sub(r"^(usb|usbip|vhci_hcd|usb-?ip-host)[^:]*: |^\S+ \S+: ", "", line)
        return None

    # ---- what it comes to

    def harm(self):
        """What the attack did in the victim, or None."""
        if self.bug():
            return f"kernel {'warning' if 'WARNING' in self.bug() else 'bug'}: {short(self.bug())}"
        keys = self.said(self.keys, r"^key ")
        if keys:
            return f"a keyboard is bound and types {len(keys)} keys"
        return self.reader_harm()

    def reader_harm(self):
        for m in self.said(self.reader, r"^urb .* asked=(\d+) .* got=(-?\d+) beyond=(\d+)"):
            asked, got, beyond = map(int, m.groups())
            if beyond:
                return f"{beyond} bytes written behind the program's buffer of {asked}"
            if not 0 <= got <= asked:
                return f"the program is told of {got} bytes of {asked}"
        for m in self.said(self.reader, r"^packet (\d+) length=(\d+) got=(\d+)"):
            number, length, got = map(int, m.groups())
            if got > length:
                return f"the program is told of {got} bytes in packet {number} of {length}"
        return None

    def is_played(self):
        """False where the attack never came to its last message."""
        return bool(self.said(self.player, "^played") or self.said(self.reader, "^(device|done)")
                    or self.refusal())

    def is_dropped(self):
        return bool(self.said(self.player, "^closed"))

    def text(self):
        """For a cell of the table."""
        refusal = self.refusal()
        if self.harm():
            return ("refused, and yet: " if refusal else "") + self.harm()
        if refusal:
            return f"refused: {refusal.get('reason') or refusal.get('told')}"
        return self.of_client() if self.victim == "device" else self.of_device()

    def of_client(self):
        last = re.search(r" seq=(\w+)", [x for x in self.attack.lines if x.startswith(">")][-1])
        seqnum = int(last.group(1), 0) if last else 1
        answers = self.said(self.player, rf"^answer (\w+) seq={seqnum} status=(-?\d+)")
        if self.is_dropped():
            return "connection dropped" + self.because()
        if self.said(self.player, "^import refused"):
            return "not imported"
        if not answers:
            return "ignored" + self.because()
        return "taken, answered: " + ", ".join(f"status {m.group(2)}" for m in answers)

    def because(self):
        return f" ({self.telling()})" if self.telling() else ""

    def of_device(self):
        if not self.said(self.player, "^played"):
            return self.enumeration() if self.attack.prelude[0] else "not played" + self.because()
        if self.attack.prelude[0] in ("import", "read"):
            return self.enumeration()
        if self.is_dropped():
            return "connection dropped" + self.because()
        got = [f"status {m.group(1)}, {m.group(2)} bytes" for m in
               self.said(self.reader, r"^urb .* status=(-?\d+) got=(-?\d+)")]
        if got:
            return f"accepted: {'; '.join(got)}"
        if self.said(self.reader, "still under way"):
            return "ignored, and the request never ends" + self.because()
        return "ignored" + self.because()

    def enumeration(self):
        if not self.said(self.reader, "^device"):
            gave_up = self.attach and "usbroute: " in self.attach.output
            return ("usbroute attach gave it up" if gave_up else "no device") + self.because()
        drivers = sorted({m.group(1) for m in self.said(self.reader, r"^driver (\S+)")})
        if drivers:
            return f"configured, bound to {', '.join(drivers)}" + self.because()
        if self.attack.prelude[0] == "read":
            return "configured, no driver bound" + self.because()
        return "accepted: configured" + self.because()
