# SPDX-License-Identifier: BSD-2-Clause
"""What came of each test on each way, the table made of it, and the verdict.

A test fails the project only where the same test passes without it: locally, or
where a suite has no local form (a tap needs a wire), over stock usbip's TCP.
"""

ORDER = ("local", "tcp", "direct", "guarded")
OURS = ("direct", "guarded")
PASS, FAIL, NOT_RUN = "passed", "failed", "not run"
STOCK = "failed in stock code"   # of the guest's kernel: seen on its console, not guessed
MARKS = ("<!-- conformance: begin -->", "<!-- conformance: end -->")


def reason(error):
    """A guest's error in a line: what was to happen, and what the command said last."""
    lines = str(error).splitlines() or [type(error).__name__]
    said = [line.strip() for line in lines if line.startswith(("  err: ", "  out: "))]
    return "; ".join([lines[0].strip()] + said[-1:])


class Results:
    def __init__(self, tell=None):
        self.found = {}     # (part, test) -> {way: (outcome, why)}
        self.figures = {}   # what was measured: {way: text}; judged by nobody
        self.tell = tell or (lambda *_: None)

    def add(self, part, way, test, outcome, why=""):
        self.found.setdefault((part, test), {})[way] = (outcome, why)
        self.tell(part, way, test, outcome, why)

    def figure(self, name, way, text):
        self.figures.setdefault(name, {})[way] = text

    def parts(self):
        return list(dict.fromkeys(part for part, _ in self.found))

    def ways(self):
        return [w for w in ORDER if any(w in ways for ways in self.found.values())]

    def of(self, part, way):
        """[(test, outcome, why)]"""
        return [(test, *ways[way]) for (p, test), ways in self.found.items()
                if p == part and way in ways]

    def reference(self, key):
        """What the test does without us, or None."""
        ways = self.found[key]
        return next((ways[w][0] for w in ("local", "tcp") if w in ways and ways[w][0] != NOT_RUN), None)

    def broken(self):
        """[(part, test, way, why)]: it passes without us and fails with us."""
        return [(*key, way, ways[way][1]) for key, ways in self.found.items() for way in OURS
                if way in ways and ways[way][0] == FAIL and self.reference(key) in (None, PASS)]

    def totals(self):
        """(passed, failed, not run) of our ways; what fails without us too was not ours to pass."""
        ours = [ways[way][0] for ways in self.found.values() for way in OURS if way in ways]
        failed = len(self.broken())
        return ours.count(PASS), failed, len(ours) - ours.count(PASS) - failed

    # ---- the table

    def remark(self, part, way):
        """Why not all passed: reasons, each with its tests."""
        reasons = {}
        for test, outcome, why in self.of(part, way):
            if outcome != PASS:
                reasons.setdefault((outcome, why), []).append(test)
        return "; ".join(f"{outcome}: {', '.join(tests)} ({why})"
                         for (outcome, why), tests in reasons.items())

    def rows(self):
        for part in self.parts():
            for way in self.ways():
                outcomes = [outcome for _, outcome, _ in self.of(part, way)]
                if outcomes:
                    counts = [outcomes.count(PASS), outcomes.count(FAIL) + outcomes.count(STOCK),
                              outcomes.count(NOT_RUN)]
                    yield [part, way, str(len(outcomes)), *map(str, counts), self.remark(part, way)]

    def table(self):
        head = ["suite", "way", "tests", "passed", "failed", "not run", "which, and why"]
        return [head] + list(self.rows())

    def measured(self):
        return [["measured", *ORDER]] + [[name] + [by.get(way, "") for way in ORDER]
                                         for name, by in self.figures.items()]

    def text(self):
        return "\n\n".join(aligned(rows) for rows in (self.table(), self.measured()) if rows[1:])

    def markdown(self):
        return "\n\n".join(markdown(rows, left) for rows, left in ((self.table(), 2), (self.measured(), 1))
                           if rows[1:])

    def verdict(self):
        return "conformance: {} passed, {} failed, {} not run".format(*self.totals())


def aligned(rows):
    """Columns of text, but for the last, which is as long as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([c.ljust(w) for c, w in zip(row, widths)] + row[-1:]).rstrip() for row in rows)


def markdown(rows, left):
    """The first columns are words, the others numbers, a seventh words again."""
    marks = ["---" if i < left or i == 6 else "--:" for i in range(len(rows[0]))]
    lines = [[c.replace("|", "\\|") for c in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [lines[0], marks] + lines[1:])
