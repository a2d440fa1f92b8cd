"""What was measured beside a paper's figure: rows that runs keep in benchmarks/papers.json, and the table made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("papers.json")


@dataclass(frozen=True)
class Row:
    """A paper's figure beside ours.

    Attributes:
        paper, model, data: together they name the row.
        unit: of both figures.
        run: what was run, and of how much.
        device: where.
    """

    paper: str
    model: str
    data: str
    unit: str
    theirs: float
    ours: float
    run: str
    device: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.paper, self.model, self.data


def load() -> list[Row]:
    """Return the rows that were kept."""
    return [Row(**row) for row in json.loads(FILE.read_text(encoding="utf-8"))]


def keep(rows: Iterable[Row]) -> None:
    """Write rows, each in the place of an earlier one of its name."""
    kept = {row.key: row for row in [*load(), *rows]}
    text = json.dumps([asdict(row) for row in kept.values()], indent=1, ensure_ascii=False, allow_nan=False)
    FILE.write_text(f"{text}\n", encoding="utf-8")


def table(rows: Iterable[Row]) -> str:
    """Return rows as Markdown, ordered by paper."""
    lines = ["| paper | model | data | theirs | ours | what was run |", "| --- | --- | --- | ---: | ---: | --- |"]
    for row in sorted(rows, key=lambda row: row.paper):
        figures = " | ".join(f"{value:,.2f}".replace("-", "−") for value in (row.theirs, row.ours))
        lines.append(f"| {row.paper} | {row.model} | {row.data}, {row.unit} | {figures} | {row.run}; {row.device} |")
    return "\n".join(lines)
