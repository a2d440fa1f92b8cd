"""Tables that commands write into README.md, each between two lines of its own."""

from __future__ import annotations

from pathlib import Path

from grading.course import ROOT


def write_table(start: str, end: str, text: str, path: Path = ROOT / "README.md") -> None:
    """Put a text between two lines, in place of what is there.

    Raises:
        ValueError: the file has not these two lines in this order.
    """
    before, found, rest = path.read_text(encoding="utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path.name} has no line {end if found else start}")
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")
