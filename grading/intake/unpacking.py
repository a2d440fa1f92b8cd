"""The files of a submission, with those in its zip archives: as many, and as large, as a notebook's may be."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

from grading.intake.reading import LARGEST_FILE, Unreadable
from grading.safe_text import safe_name

LARGEST_ARCHIVE = 120 << 20  # what is unpacked of one archive, in all
LARGEST_BESIDE = 5 << 20  # one file of an archive that is no notebook; a larger one is data, and stays where it is
MOST_MEMBERS = 20_000
NOT_HANDED_IN = {"__MACOSX", ".git", ".venv", "__pycache__", "site-packages", "node_modules", ".ipynb_checkpoints"}


def may_be_notebook(name: str) -> bool:
    """Whether a file is called as notebooks are."""
    path = PurePosixPath(name)
    hidden = any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in path.parts)
    return not hidden and (".ipynb" in path.name.lower() or path.suffix.lower() == ".json")


def unpacked(files: dict[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Return the files, with those inside zip archives beside them, and what is wrong with archives that are too large."""
    found: dict[str, bytes] = {}
    bombs: list[str] = []
    for name, content in files.items():
        if not content.startswith(b"PK\x03\x04"):
            found[name] = content
            continue
        try:
            found |= {f"{name}/{member}": inner for member, inner in _members(content).items()}
        except Unreadable as problem:
            bombs.append(f"{name}: {problem}")
        except Exception:  # a zip file can be broken in many ways
            found[name] = content
    return found, bombs


def _members(content: bytes) -> dict[str, bytes]:
    """Return the files in an archive, but for what is large and no notebook.

    Raises:
        Unreadable: there are too many, or they are too large together.
    """
    members: dict[str, bytes] = {}
    left = LARGEST_ARCHIVE
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > MOST_MEMBERS:
            raise Unreadable(f"the archive holds {len(entries)} files, more than {MOST_MEMBERS}")
        for entry in entries:
            notebook = may_be_notebook(entry.filename)
            most = LARGEST_FILE if notebook else LARGEST_BESIDE
            if entry.file_size > most or NOT_HANDED_IN & {*PurePosixPath(entry.filename).parts}:
                continue
            if not notebook and entry.file_size > left - LARGEST_FILE:
                continue  # data, for which no notebook is left out
            left -= entry.file_size
            if left < 0:
                raise Unreadable(f"unpacked, the archive has more than {LARGEST_ARCHIVE >> 20} MB")
            with archive.open(entry) as file:
                members[safe_name(entry.filename.lstrip("/"), 1000)] = file.read(most)
    return members
