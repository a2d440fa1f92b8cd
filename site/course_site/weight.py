"""What a reader's browser has to load for a page, all of it: the page, its style, its pictures, its explorers' frames."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from course_site.frames import EXPLORER_BYTES, TooLarge

PAGE_BYTES = 4_000_000
LOADED = {"img": "src", "script": "src", "link": "href"}


class _Addresses(HTMLParser):
    """The addresses in a page: what it loads, and where its links lead; and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if anchor := found.get("id") or (found.get("name") if tag == "a" else None):
            self.anchors.add(anchor)
        if tag == "a" and (address := found.get("href")):
            self.linked.append(address)
        elif tag in LOADED and (address := found.get(LOADED[tag])):
            (self.linked if found.get("rel") in ("next", "prev", "index", "search") else self.loaded).append(address)


def addresses(page: Path) -> _Addresses:
    """Return the addresses in a page."""
    found = _Addresses()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def local(page: Path, address: str) -> Path | None:
    """Return the file that an address in a page stands for; None if it is elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page


def files_of(page: Path) -> Iterator[Path]:
    """Yield every file of the site that a page loads, itself the first; all frames of its explorers."""
    yield page
    folders = set()
    for file in {local(page, address) for address in addresses(page).loaded} - {None}:
        assert file is not None
        if file.parent.parent.name == "explorers":
            folders.add(file.parent)
        else:
            yield file
    for folder in folders:
        yield from folder.iterdir()


def weigh(html: Path) -> dict[Path, int]:
    """Return how many bytes each page of a built site takes.

    Raises:
        TooLarge: a page takes more than :data:`PAGE_BYTES`, or an explorer more than ``EXPLORER_BYTES``.
    """
    pages = {page: sum(file.stat().st_size for file in files_of(page)) for page in sorted(html.rglob("*.html"))}
    explorers = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in html.glob("explorers/*")}
    for found, most in ((pages, PAGE_BYTES), (explorers, EXPLORER_BYTES)):
        for path, size in found.items():
            if size > most:
                raise TooLarge(f"{path.relative_to(html)} takes {size:,} bytes, more than {most:,}: draw fewer frames")
    return pages
