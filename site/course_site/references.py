"""The works that the notebooks refer to, read from their last cells, numbered on one page."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from course_site.notebooks import Notebook

BEGIN = "**References.**"
WORK = re.compile(r"\*(?P<title>[^*]+)\*(?:,| \() ?(?P<year>\d{4})")
AUTHORS = re.compile(r"(?P<authors>(?:[a-z]+ )*[A-Z].*), $")


@dataclass
class Work:
    """A book or paper, as the notebooks name it."""

    title: str
    authors: str = ""
    years: Counter[str] = field(default_factory=Counter)
    notebooks: list[Notebook] = field(default_factory=list)
    number: int = 0

    @property
    def anchor(self) -> str:
        return "work-" + "-".join(re.findall(r"[a-z0-9]+", self.title.lower())[:5])

    @property
    def line(self) -> str:
        return f"{self.authors}, *{self.title}*, {self.years.most_common(1)[0][0]}"


def same(one: str, other: str) -> bool:
    """Whether two titles are of one work: one may be the short form of the other."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return short == long or long.startswith((f"{short}:", f"{short} ("))


def works(notebooks: list[Notebook]) -> list[Work]:
    """Return all works, in the order of their authors, with their numbers.

    Raises:
        ValueError: a work is named without its authors everywhere.
    """
    found: list[Work] = []
    for notebook in notebooks:
        for authors, title, year in named_in(references_of(notebook)):
            work = next((work for work in found if same(work.title, title)), None)
            if work is None:
                found.append(work := Work(title))
            work.title = max(work.title, title, key=len)
            work.authors = max(work.authors, authors, key=len)
            work.years[year] += 1
            if notebook not in work.notebooks:
                work.notebooks.append(notebook)
    for work in found:
        if not work.authors:
            raise ValueError(f"no notebook names the authors of {work.title!r}")
    found.sort(key=lambda work: work.line.lower())
    for number, work in enumerate(found, start=1):
        work.number = number
    return found


def references_of(notebook: Notebook) -> str:
    """Return the text of a notebook's references."""
    for cell in notebook.released.cells:
        if cell.cell_type == "markdown" and BEGIN in cell.source:
            return " ".join(cell.source.partition(BEGIN)[2].split())
    raise ValueError(f"{notebook.topic} has no references")


def named_in(text: str) -> list[tuple[str, str, str]]:
    """Return authors (where given), title and year of every work in a text."""
    found, end = [], 0
    for match in WORK.finditer(text):
        before = re.split(r"(?<!\bal)[.;:] ", text[end : match.start()])[-1]
        before = re.sub(r"^[^A-Z]*\band (?=[A-Z])|^, and ", "", before).lstrip(", ")
        authors = AUTHORS.search(before)
        found.append((authors["authors"] if authors else "", match["title"], match["year"]))
        end = match.end()
    return found


def references_page(notebooks: list[Notebook]) -> str:
    """Return the bibliography as MyST Markdown."""
    lines = [
        "# References",
        "What the notebooks refer to, with the numbers under which their pages link to here. The lecture that the course follows is "
        "CS W182/282A, *Latent variable models*, by Sergey Levine.",
    ]
    for work in works(notebooks):
        pages = ", ".join(f"[{book.topic[:2]}](/{book.page}.md)" for book in work.notebooks)
        lines.append(
            f"({work.anchor})=\n[{work.number}]  {work.line}. In notebook{'s' * (len(work.notebooks) > 1)} {pages}."
        )
    return "\n\n".join(lines) + "\n"
