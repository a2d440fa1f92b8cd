"""The symbols of the course: a glossary, and for each page the ones that stand in its formulas."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from course_site.formulas import mathml
from course_site.notebooks import Notebook

SYMBOLS = Path(__file__).parent.parent / "symbols.toml"
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$]+?)\$(?![\w$])", re.DOTALL)
CODE = re.compile(r"`[^`]*`")
CONVENTIONS = "## The conventions of this course\n"


@dataclass(frozen=True)
class Symbol:
    """A symbol: how it is written, what it is called, what it means, and how it is found in TeX."""

    tex: str
    name: str
    says: str
    find: str

    @property
    def anchor(self) -> str:
        return "symbol-" + re.sub(r"[^a-z]+", "-", self.name.lower()).strip("-")


@lru_cache(maxsize=1)
def symbols() -> tuple[Symbol, ...]:
    return tuple(Symbol(**entry) for entry in tomllib.loads(SYMBOLS.read_text(encoding="utf-8"))["symbol"])


def formulas_of(text: str) -> list[str]:
    """Return the formulas in Markdown, in TeX."""
    return [block or inline for block, inline in FORMULA.findall(CODE.sub("", text))]


def symbols_in(notebook: Notebook) -> list[Symbol]:
    """Return the symbols that stand in a notebook's formulas."""
    texts = [cell.source for cell in notebook.released.cells if cell.cell_type == "markdown"]
    tex = "\n".join(formula for text in texts for formula in formulas_of(text))
    return [symbol for symbol in symbols() if re.search(symbol.find, tex)]


def listed(notebook: Notebook, glossary: str) -> str:
    """Return HTML: the symbols of a notebook's formulas, each a link into the glossary."""
    links = " ".join(
        f'<li><a href="{glossary}#{symbol.anchor}">{mathml(symbol.tex, False)} {escape(symbol.name)}</a></li>'
        for symbol in symbols_in(notebook)
    )
    return (
        f'<details class="folded symbols"><summary>Symbols on this page</summary><ul>{links}</ul></details>'
        if links
        else ""
    )


def conventions(first: Notebook) -> str:
    """Return the conventions as the first notebook states them, in Markdown."""
    for cell in first.released.cells:
        if CONVENTIONS in cell.source:
            return str(cell.source.partition(CONVENTIONS)[2].partition("\n## ")[0].strip())
    raise ValueError(f"{first.topic} does not state the conventions")


def glossary_page(notebooks: list[Notebook]) -> str:
    """Return the page of symbols and conventions, in MyST Markdown."""
    where = {symbol.name: [book for book in notebooks if symbol in symbols_in(book)] for symbol in symbols()}
    parts = [
        "# Symbols and conventions",
        "What holds in every notebook. Each notebook's page lists the symbols of its own formulas, with links to here.",
        "## Conventions",
        conventions(notebooks[0]),
        "## Symbols",
    ]
    for symbol in symbols():
        pages = ", ".join(f"[{book.topic[:2]}](/{book.page}.md)" for book in where[symbol.name])
        parts.append(f"({symbol.anchor})=\n### ${symbol.tex}$ {symbol.name}\n\n{symbol.says} In notebooks {pages}.")
    return "\n\n".join(parts) + "\n"
