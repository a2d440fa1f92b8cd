"""What a cell has printed and drawn, as HTML; its pictures become files."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape, unescape
from pathlib import Path

from nbformat import NotebookNode

ALT = re.compile(r'\balt="([^"]*)"')
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Pictures:
    """A folder of pictures, each kept once, under a name made from what it shows."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, png: bytes) -> str:
        """Write a picture and return its address."""
        name = f"{hashlib.sha256(png).hexdigest()[:16]}.png"
        (self.folder / name).write_bytes(png)
        return f"{self.address}/{name}"


def picture_tag(output: NotebookNode, pictures: Pictures, at_once: bool = False) -> str:
    """Return HTML that shows an output's picture with the text that it was drawn with; ``at_once``, before it is scrolled to."""
    data, size = output.data, output.metadata.get("image/png", {})
    address = pictures.keep(base64.b64decode(data["image/png"]))
    alt = unescape(ALT.findall(data["text/html"])[0])
    sides = " ".join(f'{side}="{pixels}"' for side, pixels in size.items())
    when = "" if at_once else ' loading="lazy"'
    return f'<img class="course-picture" src="{address}" alt="{escape(alt)}" {sides}{when}>'


def shown(output: NotebookNode, pictures: Pictures) -> str:
    """Return HTML for one output of a cell.

    Raises:
        ValueError: it is of a kind that no cell of the course has had so far.
    """
    if output.output_type == "stream":
        return f'<pre class="printed">{escape(ANSI.sub("", output.text))}</pre>'
    data = output.get("data", {})
    if "image/png" in data:
        return f'<div class="drawn">{picture_tag(output, pictures)}</div>'
    if "text/html" in data:
        return f'<div class="report">{data["text/html"]}</div>'
    if "text/plain" in data:
        return f'<pre class="printed">{escape(data["text/plain"])}</pre>'
    raise ValueError(f"an output of the kind {output.output_type} cannot be shown")
