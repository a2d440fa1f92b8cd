"""Links that nobody writes: "notebook 02" leads to its page, and a work's title to its place among the references."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from course_site.notebooks import Notebook
from course_site.references import Work, same, works
from grading.course import topics

MENTION = re.compile(r"\b(?:[Nn]otebooks?\s(?P<first>\d\d)|(?<=\d\d)(?:,| and|, and| to)\s(?P<further>\d\d))\b")
# What is no running text, or a link already.
ELSEWHERE = (nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.title, nodes.raw)
REFERENCES = "references"


@lru_cache(maxsize=1)
def course() -> tuple[dict[str, Notebook], tuple[Work, ...]]:
    """Return the notebooks by their numbers, and the works that they refer to."""
    notebooks = [Notebook(topic) for topic in topics()]
    return {notebook.topic[:2]: notebook for notebook in notebooks}, tuple(works(notebooks))


def mentions(text: str) -> list[tuple[str, str | None]]:
    """Return a text in parts, each with the number of the notebook that it names, or None."""
    parts: list[tuple[str, str | None]] = []
    end, linked = 0, False
    for match in MENTION.finditer(text):
        further = match["further"]
        linked = match["first"] is not None or (linked and match.start() == end)
        if not linked:
            continue
        begin = match.start("further") if further else match.start()
        parts += [(text[end:begin], None), (text[begin : match.end()], further or match["first"])]
        end = match.end()
    return [part for part in [*parts, (text[end:], None)] if part[0]]


def reference_to(page: str, text: str) -> addnodes.pending_xref:
    target = addnodes.pending_xref(
        "", nodes.inline("", text), reftype="doc", refdomain="std", reftarget=f"/{page}", refexplicit=True, refwarn=True
    )
    return target


class LinkNotebooks(SphinxTransform):
    """Make the mention of another notebook a link to its page."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        notebooks, _works = course()
        for text in list(self.document.findall(nodes.Text)):
            if self._is_elsewhere(text):
                continue
            parts = mentions(text.astext())
            made: list[nodes.Node] = []
            for part, number in parts:
                other = notebooks.get(number or "")
                if other is None or other.page == self.env.docname:
                    made.append(nodes.Text(part))
                else:
                    made.append(reference_to(other.page, part))
            if any(isinstance(node, addnodes.pending_xref) for node in made):
                text.parent.replace(text, made)

    @staticmethod
    def _is_elsewhere(node: nodes.Node) -> bool:
        while node := node.parent:
            if isinstance(node, (*ELSEWHERE, addnodes.pending_xref)):
                return True
        return False


class NumberReferences(SphinxTransform):
    """Put behind a work's title the number that it has among the references, as a link."""

    default_priority = 501

    def apply(self, **_: Any) -> None:
        if self.env.docname == REFERENCES:
            return
        _notebooks, known = course()
        for title in list(self.document.findall(nodes.emphasis)):
            work = next((work for work in known if same(work.title, " ".join(title.astext().split()))), None)
            if work is not None:
                link = addnodes.pending_xref(
                    "",
                    nodes.inline("", f"[{work.number}]"),
                    reftype="ref",
                    refdomain="std",
                    reftarget=work.anchor,
                    refexplicit=True,
                )
                title.parent.insert(title.parent.index(title) + 1, [nodes.Text("\N{NO-BREAK SPACE}"), link])


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(LinkNotebooks)
    app.add_transform(NumberReferences)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
