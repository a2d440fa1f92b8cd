"""Text from outside is made safe once, where it enters: then it can be stored, shown and sent whatever it was."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import unquote_to_bytes

INSTEAD = "\N{REPLACEMENT CHARACTER}"
NAME_CHARACTERS = 200
# Half of a character that takes two, which no encoding can write, and the end of a C string, which no database keeps.
UNWRITABLE = re.compile(r"[\ud800-\udfff\x00]")
UNDECODED = re.compile(r"[\udc80-\udcff]")  # how Python holds a byte of a file's name that is no UTF-8
# Control characters, which move a terminal's cursor, and marks that change the direction of what follows.
UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe_text(text: str) -> str:
    """Return a text that can be encoded and stored; most are, and come back as they are."""
    return UNWRITABLE.sub(INSTEAD, text)


def safe_name(text: str | bytes, longest: int = NAME_CHARACTERS) -> str:
    """Return a name, of a file or a person, as one line that a table, a terminal or a log can show."""
    shown = UNSHOWABLE.sub(INSTEAD, os.fsdecode(text))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def writable_name(name: str) -> str:
    """Return a file's name as it can be written anywhere: most are as they are, a byte that is no UTF-8 becomes ``%XX``.

    No two names become the same: ``read_back`` finds the file again.
    """
    if _is_utf8(name) and read_back(name) == name:
        return name
    return UNDECODED.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", name.replace("%", "%25"))


def read_back(written: str) -> str:
    """Return the name of the file for which ``writable_name`` gives this."""
    name = os.fsdecode(unquote_to_bytes(written))
    # A name that looks as if it had been written so was given a further %25.
    return name if name != written and (not _is_utf8(name) or read_back(name) != name) else written


def _is_utf8(name: str) -> bool:
    return UNDECODED.search(name) is None


def safe(thing: Any) -> Any:
    """Return data (lists, dictionaries, texts, numbers) with every text in it made safe."""
    if isinstance(thing, str):
        return safe_text(thing)
    if isinstance(thing, list | tuple):
        return [safe(part) for part in thing]
    if isinstance(thing, dict):
        return {safe(key): safe(value) for key, value in thing.items()}
    return thing
