"""From the repository to the site: sources are written for Sphinx, and Sphinx makes the pages."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from sphinx.cmd.build import build_main

from course_lib.explorers import EXPLORERS
from course_site import guides, library
from course_site.explorers import explorer_html
from course_site.formulas import write_font
from course_site.frames import draw_all, processors
from course_site.front import front_page
from course_site.notebooks import Notebook, page_of
from course_site.outputs import Pictures
from course_site.positions import positions_of
from course_site.references import references_page
from course_site.symbols import glossary_page, listed
from course_site.weight import weigh
from grading.course import ROOT, topics

HERE = ROOT / "site"
ON_THE_FRONT = "plane"
GUIDES = ("grading", "checks", "authoring", "forking", "architecture")


def build(into: Path, frames: int) -> int:
    """Build the site into ``into / "html"``; return 0, or Sphinx's exit code if it warned of anything.

    Args:
        frames: about how many pictures an explorer may have.

    Raises:
        TooLarge: a page or an explorer takes more bytes than it may.
    """
    source, extra = into / "source", into / "extra"
    for old in (source, extra / "pictures", into / "html"):
        shutil.rmtree(old, ignore_errors=True)
    write_pages(source, extra, frames)
    write_font(extra / "fonts")
    arguments = [
        "-q",
        "-W",
        "--keep-going",
        "-E",
        "-j",
        str(processors()),
        "-b",
        "html",
        "-c",
        str(HERE),
        "-d",
        str(into / "doctrees"),
    ]
    code = build_main([*arguments, "-D", f"html_extra_path={extra}", str(source), str(into / "html")])
    heaviest = max(weigh(into / "html").items(), key=lambda page: page[1])
    print(f"{into / 'html'}: the largest page takes {heaviest[1] / 1e6:.1f} MB in all ({heaviest[0].name}).")
    return int(code)


def write_pages(source: Path, extra: Path, frames: int) -> None:
    """Write every page of the site as Sphinx reads it, and into ``extra`` the pictures that it shows."""
    notebooks = [Notebook(topic) for topic in topics()]
    pages = {notebook.page for notebook in notebooks} | {f"docs/{name}" for name in GUIDES}
    from_root, from_page = Pictures(extra / "pictures", "pictures"), Pictures(extra / "pictures", "../pictures")
    drawn = draw_all(extra / "explorers", frames, processors())

    def explorer(name: str, root: str = "..") -> str:
        positions = positions_of(EXPLORERS[name], drawn[name].count)
        return explorer_html(name, positions, drawn[name], f"{root}/explorers/{name}")

    written = library.pages()
    for notebook in notebooks:
        with_links = partial(guides.with_links, folder=notebook.page, pages=pages)
        symbols = listed(notebook, "../glossary.html")
        written[notebook.page] = page_of(notebook, from_page, explorer, symbols, with_links)
    index = (HERE / "pages" / "index.md").read_text(encoding="utf-8")
    written["index"] = front_page(index, notebooks, from_root, explorer(ON_THE_FRONT, "."))
    written["glossary"] = glossary_page(notebooks)
    written["references"] = references_page(notebooks)
    for name in GUIDES:
        written[f"docs/{name}"] = guides.with_links(
            (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"), "docs", pages
        )
    for name, text in written.items():
        path = source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
