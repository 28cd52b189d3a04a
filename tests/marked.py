# SPDX-License-Identifier: BSD-2-Clause
"""Documents whose tables a command makes."""

import os


def write(path, begin, end, text):
    """Put the text between the two marks of a file, each on a line that is there once."""
    with open(path, encoding="utf-8") as file:
        old = file.read()
    if old.count(begin) != 1 or old.count(end) != 1:
        raise ValueError(f"{path}: expected one line {begin} and one {end}, got {old.count(begin)} and {old.count(end)}")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{old.split(begin)[0]}{begin}\n{text}\n{end}{old.split(end)[1]}")
    os.replace(path + ".new", path)
