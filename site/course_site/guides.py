"""The guides of docs/ as pages: their links lead to pages where there is one, and else into the repository."""

from __future__ import annotations

import re

from grading.course import ROOT, repository

LINK = re.compile(r"\]\((?!https?:|#|/)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def with_links(text: str, folder: str, pages: set[str]) -> str:
    """Return Markdown that was written for a folder of the repository, its links turned towards the site's pages.

    Raises:
        ValueError: a link leads to nothing.
    """

    def turned(link: re.Match[str]) -> str:
        target = (ROOT / folder / link["path"]).resolve()
        if not target.exists():
            raise ValueError(f"in {folder}/ a link leads to {link['path']}, which is not there")
        path = target.relative_to(ROOT).as_posix()
        page = path.rpartition("/")[0] if path.endswith(".ipynb") else path.removesuffix(".md")
        if page in pages:
            return f"](/{page}.md{link['anchor'] or ''})"
        return f"]({repository()}/{'tree' if target.is_dir() else 'blob'}/main/{path}{link['anchor'] or ''})"

    return LINK.sub(turned, text)
