"""A page for each notebook: what students get, with what the executed solution has printed and drawn.

The code on a page is the released notebook's alone; of the solution, outputs are taken, and of those none that a check or
a summary has written about answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape

from nbformat import NotebookNode

from course_lib.checker.exercise import Question
from course_lib.checks import TOPICS
from course_site.outputs import Pictures, shown
from grading.course import release_path, repository, solution_path
from grading.release.source import read_notebook

LAB = "http://localhost:8888/lab/tree/work"
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)\n*")
TITLE = re.compile(r"# @title (.+)\n")
EXPLORER = re.compile(r"^explorers\.(\w+)$", re.MULTILINE)
NEIGHBOURS = re.compile(r"(\[[^\]]+\]\(\.\./[^)]+\)( · )?)+")  # the theme leads to them, too
ABOUT_ANSWERS = re.compile(r"^(summary|certificate)\(", re.MULTILINE)
SIGN = {
    "where": r"\*\*Where this stands[^*]*\*\*:?\.? *",
    "after": r"\*\*After it you can\*\* *",
    "time": r"\*\*Time\*\*: *",
}


@dataclass(frozen=True)
class Notebook:
    """A notebook of the course: as students get it, and solved."""

    topic: str

    @cached_property
    def released(self) -> NotebookNode:
        return read_notebook(release_path(self.topic))

    @cached_property
    def outputs(self) -> dict[str, list[NotebookNode]]:
        """What each cell of the executed solution has shown, by the cell's id."""
        return {cell.id: cell.get("outputs", []) for cell in read_notebook(solution_path(self.topic)).cells}

    @property
    def page(self) -> str:
        return f"notebooks/{self.topic}"

    @property
    def title(self) -> str:
        return str(self.released.cells[0].source.partition("\n")[0].removeprefix("# "))

    @property
    def colab(self) -> str:
        slug = repository().removeprefix("https://github.com/")
        return f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/{self.topic}/{self.topic}.ipynb"

    @property
    def lab(self) -> str:
        return f"{LAB}/{self.topic}/{self.topic}.ipynb"

    def fact(self, name: str) -> str:
        """Return what the first cell says of the notebook: ``where`` it stands, what one can ``after`` it, its ``time``."""
        found = re.search(SIGN[name] + r"(.+?)(?=\s*\*\*|\n\n|\Z)", self.released.cells[0].source, re.DOTALL)
        if not found:
            raise ValueError(f"{self.topic}: the first cell does not say {name!r}")
        return " ".join(found[1].split()).rstrip(".")

    @property
    def explorers(self) -> list[str]:
        """The names of its explorers, in order."""
        return [name for cell in self.released.cells if (name := _explorer_of(cell))]

    @property
    def points(self) -> int:
        return sum(exercise.points for exercise in TOPICS[self.topic])


def raw(html: str) -> str:
    """Return MyST that puts HTML into a page as it is."""
    return f"``````{{raw}} html\n{html}\n``````"


def code(source: str) -> str:
    return f"``````python\n{source}\n``````"


def folded(summary: str, source: str) -> str:
    head = f'<details class="folded"><summary>{escape(summary)}</summary>'
    return "\n\n".join([raw(head), code(source), raw("</details>")])


def ways_in(notebook: Notebook, what: str) -> str:
    """Return links that open a notebook elsewhere; ``what`` says for the ear which."""
    return (
        f'<span class="ways"><a href="{notebook.colab}">Open in Colab<span class="only-heard">: {escape(what)}</span></a> '
        f'<a href="{notebook.lab}">In your JupyterLab<span class="only-heard">: {escape(what)}</span></a></span>'
    )


def page_of(
    notebook: Notebook,
    pictures: Pictures,
    explorer: Callable[[str], str],
    symbols: str,
    with_links: Callable[[str], str],
) -> str:
    """Return a notebook's page as MyST Markdown.

    Args:
        explorer: gives the HTML of the explorer with a name.
        with_links: turns the links of Markdown that was written for a notebook towards pages.
        symbols: HTML about the symbols of the page, for below its head.
    """
    cells = notebook.released.cells
    head = BADGE.sub("", cells[0].source)
    says = json.dumps({"description": f"{notebook.title}. After it you can {notebook.fact('after')}.".replace("$", "")})
    front = f"---\nmyst:\n  html_meta: {says}\n---"  # for search engines: JSON is YAML
    parts = [front, head, raw(f'<p class="top">{ways_in(notebook, notebook.title)}</p>{symbols}')]
    exercises = {exercise.name: exercise for exercise in TOPICS[notebook.topic]}
    for place, cell in enumerate(cells[1:], start=1):
        if cell.cell_type == "markdown":
            if not NEIGHBOURS.fullmatch(cell.source):
                parts.append(with_links(cell.source))
        elif cell.id in exercises:
            exercise = exercises[cell.id]
            kind = "Prediction" if isinstance(exercise, Question) else "Your turn" if exercise.points else "Solved"
            checked = cells[place + 1].source
            bar = f'<div class="exercise"><p class="bar"><b>{kind}: <code>{cell.id}</code></b> {ways_in(notebook, cell.id)}</p>'
            parts += [raw(bar), code(f"{cell.source.rstrip()}\n\n\n{checked}"), raw("</div>")]
        elif cell.id.removesuffix("-check") not in exercises:
            parts += _shown_cell(cell, notebook.outputs[cell.id], pictures, explorer)
    return "\n\n".join(parts) + "\n"


def _explorer_of(cell: NotebookNode) -> str | None:
    """Return the name of the explorer that a cell shows, None if it shows none."""
    names = EXPLORER.findall(cell.source) if cell.cell_type == "code" else []
    return names[-1] if names else None


def _shown_cell(
    cell: NotebookNode, outputs: list[NotebookNode], pictures: Pictures, explorer: Callable[[str], str]
) -> list[str]:
    if live := _explorer_of(cell):
        return [raw(explorer(live))]
    about_answers = ABOUT_ANSWERS.search(cell.source)
    results = [] if about_answers else [raw(shown(output, pictures)) for output in outputs]
    drawn = any("image/png" in output.get("data", {}) for output in outputs)
    if title := TITLE.match(cell.source):
        return [folded(title[1], cell.source[title.end() :]), *results]
    if drawn:
        return [folded("The code of this picture", cell.source), *results]
    return [code(cell.source), *results]
