#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which branches of wire/ and guard/ the deterministic tests take; TAP, one line a file.

    coverage.py DIRECTORY PROGRAM[,ARGUMENT...]...

The programs are built by clang with -fprofile-instr-generate -fcoverage-mapping: a
branch is a condition of the source (each side of && and ||, each case), counted both
ways, not a jump the compiler left over. A branch in a header counts as taken if it
was in any file that includes it. What was never taken is listed as file:line:column.
Not counted: the way past a switch without a default. It stands in no line, and
-Wswitch -Werror shows that the cases are all there are.

UNREACHABLE below is the list of what no test can take, each with its reason. A line
of it that is taken after all, or matches nothing, is a failure too.
"""
import collections
import glob
import json
import os
import subprocess
import sys

FOLDERS = ("wire/", "guard/")
ONE_PROGRAM_S = 300

# (file, text of the line, which way): why it cannot be.
UNREACHABLE = {
    # Bounds that the proofs of run-time errors lean on.
    ("wire/descriptor.c",
     "while (ur_reader_remaining(&r) >= 2 && used + 5 <= UR_STRING_TEXT_BYTES)", False):
        "254 bytes are 126 units of at most 3 bytes: used is at most 375 before the last",
    # What was checked once is checked again where the second check costs a line and
    # the first stands in another file.
    ("wire/framer.c", "if (!error)", False):
        "ur_iso_read() fails on fewer than 16 bytes, and 16 were assembled",
    ("guard/gate.c", "if (ur_framer_admit(&gate->urb, &request))", True):
        "ur_guard_header() compared the same length and packets",
    ("guard/approve.c", "if (ur_device_descriptor_read(&r, device, &v->why))", True):
        "a whole device descriptor was pinned only after the same reader took it",
    ("guard/approve.c", "if (read_device(g, &d, v))", True):
        "the same; that it is there is the line before",
    ("guard/approve.c", "if (walk_configuration(g, i) && g->scratch.value == value)", False):
        "once the descriptors are approved every configuration is pinned and was read",
    ("guard/guard.c", "if (!ok || c->value == 0 || !ur_approve_find(g, c->value))", True):
        "the request passed only because it was found, and pins do not change",
    ("guard/guard.c", "if (!g->is_configured || interface >= UR_INTERFACES_MAX ||", True):
        "before a configuration only requests to the device itself pass",
    ("guard/guard.c", "g->is_configured ? g->selected.value : 0);", False):
        "an interface is judged only in a configuration",
    ("guard/pin.c", "if (bytes > pin->total && !is_standard(&pin->key) &&", False):
        "a standard one says the same length again, and no more than that was taken",
    ("guard/pin.c", "if (bytes > pin->total)", True):
        "the same; one of a class has just been moved",
    ("guard/policy.c", "default:", True):
        "a loaded table has no other operator, and ABSENT does not come here",
}


def run(directory, programs):
    """Run each program; the profiles, and what failed."""
    profiles, failed = os.path.join(directory, "profiles"), []
    os.makedirs(profiles, exist_ok=True)
    for old in glob.glob(os.path.join(profiles, "*")):
        os.unlink(old)
    for index, program in enumerate(programs):
        words = program.split(",")
        arguments = [a for w in words[1:] for a in (sorted(glob.glob(w)) or [w])]
        profile = os.path.join(profiles, f"{index:02}.profraw")
        try:
            result = subprocess.run([words[0], *arguments], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=ONE_PROGRAM_S,
                                    env=dict(os.environ, LLVM_PROFILE_FILE=profile))
        except subprocess.TimeoutExpired:
            failed.append(f"{words[0]} did not end within {ONE_PROGRAM_S} s")
            continue
        if result.returncode:
            failed.append(f"{words[0]} ended with status {result.returncode}")
            failed += result.stdout.decode(errors="replace").splitlines()[-8:]
    return profiles, failed


def export(directory, profiles, programs):
    merged = os.path.join(directory, "all.profdata")
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", merged,
                    *glob.glob(os.path.join(profiles, "*.profraw"))], check=True)
    binaries = [p.split(",")[0] for p in programs]
    objects = [a for b in binaries[1:] for a in ("-object", b)]
    # Each program has another main(): llvm-cov warns of that, and no more.
    result = subprocess.run(["llvm-cov", "export", f"-instr-profile={merged}", binaries[0],
                             *objects], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode:
        sys.exit(f"Bail out! llvm-cov: {result.stderr.decode(errors='replace').strip()}")
    return json.loads(result.stdout)["data"][0]["functions"]


def name_of(path):
    name = os.path.relpath(path)
    return name if name.startswith(FOLDERS) else None


def count(functions):
    """{file: {(line, column, end line, end column): [times true, times false]}}, {(file, line,
    function): times it was called}."""
    branches = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    called = collections.Counter()
    for function in functions:
        names = [name_of(f) for f in function["filenames"]]
        if names[0] and function["regions"]:
            called[names[0], function["regions"][0][0],
                   function["name"].split(":")[-1]] += function["count"]
        for branch in function["branches"]:
            name = names[branch[6]]
            if name:
                taken = branches[name][tuple(branch[:4])]
                taken[0] += branch[4]
                taken[1] += branch[5]
    return branches, called


def lines_of(name):
    with open(name, encoding="utf-8") as file:
        return [line.strip() for line in file.read().splitlines()]


def is_switch(name, place):
    with open(name, encoding="utf-8") as file:
        return "switch (" in file.read().splitlines()[place[0] - 1][:place[1] - 1]


class File:
    """Its branches: ways that were taken, that are excused, and that are missing."""

    def __init__(self, name, places):
        self.name, self.taken, self.excused, self.missing = name, 0, [], []
        lines = lines_of(name)
        for place, times in sorted(places.items()):
            for way, count_ in zip((True, False), times):
                key = (name, lines[place[0] - 1], way)
                if count_:
                    self.taken += 1
                elif way and is_switch(name, place):
                    continue
                elif key in UNREACHABLE:
                    self.excused.append(key)
                else:
                    self.missing.append(f"{name}:{place[0]}:{place[1]} never {str(way).lower()}")

    def text(self):
        total = self.taken + len(self.excused) + len(self.missing)
        return (f"{self.name}: {self.taken} of {total} branches"
                + (f", {len(self.excused)} excused" if self.excused else ""))


def is_wrong(number, lines, text):
    for line in lines:
        print(f"# {line}")
    print(f"{'not ' if lines else ''}ok {number} - {text}")
    return bool(lines)


def report(branches, called):
    uncalled = collections.defaultdict(list)
    for (name, line, function), times in sorted(called.items()):
        uncalled[name] += [] if times else [f"{name}:{line} {function}() never called"]
    names = sorted(set(branches) | {n for n, _, _ in called})
    files = [File(n, branches.get(n, {})) for n in names]
    print(f"1..{len(names) + 2}")
    failed = sum([is_wrong(i, f.missing + uncalled[f.name], f.text())
                  for i, f in enumerate(files, 1)])
    used = [k for f in files for k in f.excused]
    stale = [f"excused, but taken, gone, or more than one: {k}" for k in UNREACHABLE
             if used.count(k) != 1]
    failed += is_wrong(len(names) + 1, stale, f"{len(UNREACHABLE)} branches are excused, each "
                       "with a reason")
    taken, missing = sum(f.taken for f in files), sum(len(f.missing) for f in files)
    print(f"# branches of wire/ and guard/: {taken} of {taken + missing} that can be taken; "
          f"{len(used)} cannot")
    return failed, len(names) + 2


def main(directory, programs):
    if not os.access(programs[0].split(",")[0], os.X_OK):
        print("1..0 # SKIP no clang that counts branches: clang, libclang-rt-dev, llvm")
        return 0
    profiles, broken = run(directory, programs)
    branches, called = count(export(directory, profiles, programs))
    failed, last = report(branches, called)
    failed += is_wrong(last, broken, f"{len(programs)} programs ran")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: coverage.py DIRECTORY PROGRAM[,ARGUMENT...]...")
    sys.exit(main(sys.argv[1], sys.argv[2:]))
