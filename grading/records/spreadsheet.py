"""CSV files that a spreadsheet opens as text: no cell of theirs is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# What Excel, LibreOffice and Google Sheets read as the beginning of a formula; also in full width, as Japanese Excel does.
BEGINNINGS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV; what is read as a formula gets an apostrophe in front, numbers stay numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[as_text(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def as_text(cell: object) -> object:
    """Keep a spreadsheet from reading a text as a formula."""
    if not isinstance(cell, str):
        return cell
    plain = cell.replace("\r", " ").replace("\n", " ").replace("\t", " ")
    return f"'{plain}" if plain.lstrip("\ufeff \xa0").startswith(BEGINNINGS) else plain
