"""Reading what was handed in: any file that was once a notebook, as far as it can be read.

Nothing here runs anything. The result is a list of cells, and a list of sentences that say what was mended.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any

from grading.safe_text import safe_text

LARGEST_FILE = 50 << 20
LARGEST_CELLS = 2000
LARGEST_CODE = 4 << 20  # of all cells together
LARGEST_TEXT = 1 << 20  # of one cell of text
LARGEST_PICTURE = 2 << 20
LARGEST_PICTURES = 20 << 20  # of all cells together
TOO_DEEP = "it is nested deeper than a notebook can be"
PNG = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/\n]*={0,2}\n?")  # base64 of PNG's first bytes, and on
CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( .*)?$", re.MULTILINE)
OBJECT = re.compile(r'\{\s*"')
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
INVISIBLE = {"\ufeff": "", "\u200b": "", "\u00a0": " ", "\u2028": "\n", "\r\n": "\n", "\r": "\n"}


class Unreadable(Exception):
    """No notebook can be made of what was handed in; the message says why."""


@dataclass
class Cell:
    """One cell as it was handed in.

    Attributes:
        pictures: PNG pictures under it, base64, each with its text.
    """

    kind: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass
class Handed:
    """A submission as it was read."""

    cells: list[Cell]
    repairs: list[str]
    file: str
    beside: dict[str, bytes] = field(default_factory=dict)


def read_notebook_bytes(content: bytes) -> tuple[list[Cell], list[str]]:
    """Return the cells of a notebook file and what was mended.

    Raises:
        Unreadable: nothing can be read.
    """
    if len(content) > LARGEST_FILE:
        raise Unreadable(f"the file has {len(content) >> 20} MB, more than a notebook may have")
    if not content.strip(b"\x00 \r\n\t"):
        raise Unreadable("the file is empty")
    repairs: list[str] = []
    text = _decode(content, repairs)
    raw_cells = _parse(text, repairs)
    cells = [cell for raw in raw_cells[:LARGEST_CELLS] if (cell := _cell(raw)) is not None]
    if not cells:
        raise Unreadable("it has no cells that can be read (not a notebook, or broken JSON)")
    code = sum(len(cell.source) for cell in cells if cell.kind == "code")
    if code > LARGEST_CODE:
        raise Unreadable(f"its code has {code >> 20} MB, more than a notebook's may have")
    left = LARGEST_PICTURES
    for cell in cells:
        if len(cell.source) > LARGEST_TEXT and cell.kind != "code":
            cell.source = f"[A text of {len(cell.source) >> 20} MB was left out.]"
            repairs.append("A cell of text was too large to be kept.")
        cell.source = _clean_source(cell, repairs)
        left -= sum(len(png) + len(text) for png, text in cell.pictures)
        if left < 0:
            cell.pictures = ()
    return cells, repairs


def _decode(content: bytes, repairs: list[str]) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            repairs.append("The file began with a byte order mark.")
            return content.decode(encoding, errors="replace")
    if b"\r\n" in content:
        repairs.append("The file had Windows line ends.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        repairs.append("The file was not in UTF-8.")
        return content.decode("cp1252", errors="replace")


def _parse(text: str, repairs: list[str]) -> list[Any]:
    """Return the raw cells of a notebook's text."""
    if CONFLICT.search(text):
        sides = [_cells_of(side) for side in _conflict_sides(text)]
        readable = [cells for cells in sides if cells]
        if readable:
            repairs.append("Merge-conflict markers were left in the file: the side with more written in it was read.")
            return max(readable, key=lambda cells: len(json.dumps(cells)))
    whole = _cells_of(text)
    if whole is not None:
        return whole
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        repairs.append("The file is damaged or cut off: the cells that can be read were read.")
    return _salvage(text)


def _conflict_sides(text: str) -> list[str]:
    sides = []
    for keep in ("<", "="):
        kept, state = [], ""
        for line in text.splitlines():
            mark = CONFLICT.match(line)
            if mark:
                state = {"<": "<", "|": "|", "=": "=", ">": ""}[line[0]]
            elif state in ("", keep):
                kept.append(line)
        sides.append("\n".join(kept))
    return sides


def _cells_of(text: str) -> list[Any] | None:
    """Return the cells of a well-formed notebook, of any format; None if the text is none."""
    try:
        notebook, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
    except ValueError:
        return None
    except RecursionError:
        raise Unreadable(TOO_DEEP) from None
    if isinstance(notebook, list):
        return notebook
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        return [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    return None


def _salvage(text: str) -> list[Any]:
    """Return every cell that stands whole in a damaged file, and what there is of a last one."""
    decoder = json.JSONDecoder(strict=False)
    cells: list[Any] = []
    end = 0
    for match in OBJECT.finditer(text):
        if match.start() < end:
            continue
        try:
            thing, stop = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        except RecursionError:
            raise Unreadable(TOO_DEEP) from None
        end = stop
        if isinstance(thing, dict) and "cell_type" in thing and ("source" in thing or "input" in thing):
            cells.append(thing)
    rest = text[end:]
    start = re.search(r'"(?:source|input)"\s*:\s*\[', rest)
    if start:
        lines = [line for found in STRING.findall(rest[start.end() :].split("]", 1)[0]) if (line := _string(found))]
        kind = re.search(r'"cell_type"\s*:\s*"(\w+)"', rest)
        grade_id = re.search(r'"grade_id"\s*:\s*"([\w-]+)"', rest)
        metadata = {"nbgrader": {"grade_id": grade_id[1]}} if grade_id else {}
        cells.append({"cell_type": kind[1] if kind else "code", "source": lines, "metadata": metadata})
    return cells


def _string(text: str) -> str:
    """Return the value of a JSON string; nothing of one with a broken escape."""
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return ""


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", raw.get("input"))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return None
    kind = raw.get("cell_type")
    if kind == "heading":  # format 3
        level = raw.get("level")
        kind, source = "markdown", f"{'#' * (level if isinstance(level, int) and 0 < level < 7 else 1)} {source}"
    source = safe_text(source)
    if kind not in ("code", "markdown", "raw"):
        kind = "code" if "outputs" in raw or "execution_count" in raw else "markdown"
    metadata = raw.get("metadata")
    identity = raw.get("id")
    return Cell(
        str(kind),
        source,
        metadata if isinstance(metadata, dict) else {},
        identity if isinstance(identity, str) else "",
        _pictures(raw.get("outputs")),
    )


def _pictures(outputs: Any) -> tuple[tuple[str, str], ...]:
    """Return the pictures under a cell that are what they say, each with the text beside it."""
    found = []
    for out in outputs if isinstance(outputs, list) else []:
        data = out.get("data") if isinstance(out, dict) else None
        png, text = (
            (_text(data.get(form)) for form in ("image/png", "text/plain")) if isinstance(data, dict) else ("", "")
        )
        if len(png) <= LARGEST_PICTURE and PNG.fullmatch(png):
            found.append((png, safe_text(text[:1000])))
    return tuple(found)


def _text(thing: Any) -> str:
    """Return a text that may stand in a notebook as a list of lines."""
    if isinstance(thing, list):
        thing = "".join(line for line in thing if isinstance(line, str))
    return thing if isinstance(thing, str) else ""


def _clean_source(cell: Cell, repairs: list[str]) -> str:
    source = cell.source
    for mark, instead in INVISIBLE.items():
        source = source.replace(mark, instead)
    if cell.kind == "code" and CONFLICT.search(source):
        repairs.append("Merge-conflict markers were left in a cell: the side that is Python was taken.")
        sides = _conflict_sides(source)
        whole = [side for side in sides if _compiles(side)]
        source = max(whole or sides, key=lambda side: ("NotImplementedError" not in side, len(side)))
    return source


def _compiles(source: str) -> bool:
    try:
        compile(source, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
