"""What was mended, in as few sentences as say it."""

from __future__ import annotations

import re

# One cell, and several of them; the gap holds an exercise's name.
FORMS = {
    "The cell of {} had lost its mark, and was found by what it holds.": (
        "{count} cells had lost their marks, and were found by what they hold: {names}."
    ),
    "A cell with {} had become text: it was read as code.": "{count} cells had become text, and were read as code: {names}.",
    "The cell of {} was missing and was put back.": "{count} cells for answers were missing and were put back: {names}.",
    "A check was missing and was put back.": "{count} checks were missing and were put back.",
    "A cell of the course's own was missing and was put back.": (
        "{count} cells of the course's own were missing and were put back."
    ),
    "A cell stood there twice: the copy was left out.": "{count} cells stood there twice: the copies were left out.",
    "A cell that was split in the middle of a statement was joined again.": (
        "{count} cells that were split in the middle of a statement were joined again."
    ),
    "Merge-conflict markers were left in a cell: the side that is Python was taken.": (
        "Merge-conflict markers were left in {count} cells: the sides that are Python were taken."
    ),
}
_PATTERNS = {one: re.compile(re.escape(one).replace(r"\{\}", "(.+?)")) for one in FORMS}


def grouped(repairs: list[str]) -> list[str]:
    """Return the sentences, those that differ in a cell's name alone as one, at the place of the first."""
    groups: dict[str, list[str]] = {}
    for sentence in repairs:
        matches = ((one, pattern.fullmatch(sentence)) for one, pattern in _PATTERNS.items())
        key, name = next(((one, found.group(found.lastindex or 0)) for one, found in matches if found), (sentence, ""))
        groups.setdefault(key, []).append(name)
    return [_say(key, names) for key, names in groups.items()]


def _say(key: str, names: list[str]) -> str:
    if key not in FORMS:
        return key
    if "{}" in key:
        names = list(dict.fromkeys(names))
    if len(names) == 1:
        return key.format(names[0])
    return FORMS[key].format(count=len(names), names=", ".join(names))
