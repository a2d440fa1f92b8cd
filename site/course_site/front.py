"""The first page: what one will be able to do, what the course is made of, and three ways in."""

from __future__ import annotations

import re
from html import escape

from nbformat import NotebookNode

from course_lib.settings import SETTINGS
from course_site.formulas import mathml
from course_site.notebooks import Notebook, raw
from course_site.outputs import Pictures, picture_tag
from grading.course import repository

GALLERY, REPORT = "figures.gallery()", "review("


def output_of(notebook: Notebook, call: str) -> NotebookNode:
    """Return the first output of the first cell whose code holds a call."""
    for cell in notebook.released.cells:
        if cell.cell_type == "code" and call in cell.source:
            return notebook.outputs[cell.id][0]
    raise ValueError(f"no cell of {notebook.topic} calls {call!r}")


def in_html(markdown: str) -> str:
    """Return a sentence of Markdown as HTML: formulas, emphasis and code."""
    parts = re.split(r"(\$[^$]+\$|`[^`]+`)", markdown)
    made = [
        mathml(part[1:-1], False)
        if part.startswith("$")
        else f"<code>{escape(part[1:-1])}</code>"
        if part.startswith("`")
        else re.sub(r"\*([^*]+)\*", r"<em>\1</em>", escape(part, quote=False))
        for part in parts
    ]
    return "".join(made)


def at_a_glance(notebooks: list[Notebook]) -> str:
    """Return a table of the notebooks: what one can do after each, how long it takes, what it is worth."""
    rows = []
    for book in notebooks:
        after = book.fact("after")
        rows.append(
            f'<tr><th scope="row"><a href="{book.page}.html">{escape(book.title)}</a></th>'
            f"<td>{in_html(after[0].upper() + after[1:])}.</td>"
            f'<td class="narrow">{escape(book.fact("time").replace(" minutes", " min"))}</td><td class="narrow">{book.points}<span class="unit"> points</span></td></tr>'
        )
    return (
        '<div class="table-wrapper"><table class="glance"><thead><tr><th scope="col">notebook</th><th scope="col">after it you can</th>'
        f'<th scope="col">time</th><th scope="col">points</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def hours(notebooks: list[Notebook]) -> str:
    """Return how long the course takes, from its notebooks' times."""
    times = [re.findall(r"\d+", notebook.fact("time")) for notebook in notebooks]
    low, high = (round(sum(int(time[end]) for time in times) / 60) for end in (0, 1))
    return f"{low} to {high} hours"


def front_page(text: str, notebooks: list[Notebook], pictures: Pictures, explorer: str) -> str:
    """Return the first page: ``text`` with its places filled in, one of them by the HTML of an explorer."""
    first = notebooks[0]
    filled = {
        "gallery": raw(f'<div class="drawn">{picture_tag(output_of(first, GALLERY), pictures, at_once=True)}</div>'),
        "report": raw(f'<div class="report">{output_of(first, REPORT).data["text/html"]}</div>'),
        "explorer": raw(explorer),
        "title": SETTINGS.full_title,
        "explorers": str(sum(len(notebook.explorers) for notebook in notebooks)),
        "glance": raw(at_a_glance(notebooks)),
        "contents": "\n".join(notebook.page for notebook in notebooks),
        "hours": hours(notebooks),
        "notebooks": str(len(notebooks)),
        "points": str(sum(notebook.points for notebook in notebooks)),
        "colab": first.colab,
        "first": f"{first.page}.md",
        "repository": repository(),
        "folder": repository().rpartition("/")[2],
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: filled[place[1]], text)
