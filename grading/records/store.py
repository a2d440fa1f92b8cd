"""Results on disk, one file for a submission: written whole or not at all, so that a run can be killed at any moment."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from grading.course import CourseError
from grading.job import NO_ROOM, no_room
from grading.safe_text import safe_name

LINKED = "a link in the submission was not followed"
LARGEST_SUBMISSION = 200 << 20
MOST_FILES = 10_000
DEEPEST_FOLDER = 32
LONGEST_FILE_NAME = 200  # bytes of a student's name, to which a file adds its own; file systems take 255 in all


class Store:
    """The folder ``grading/results`` of a course."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "grading" / "results"

    def path(self, topic: str, student: str) -> Path:
        raw = os.fsencode(student)
        shown = safe_name(student, len(student))
        if len(raw) > LONGEST_FILE_NAME or shown != student:
            student = f"{shown[:40]}-{hashlib.sha256(raw).hexdigest()[:16]}"
        return self.folder / topic / f"{student}.json"

    def read(self, topic: str, student: str) -> dict[str, Any] | None:
        """Return a submission's last result; None if there is none that can be read."""
        return _read(self.path(topic, student))

    def write(self, result: dict[str, Any]) -> None:
        """Keep a result."""
        content = json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")
        write_whole(self.path(result["topic"], result["student"]), content)

    def all(self, topic: str) -> list[dict[str, Any]]:
        """Return the results of a notebook, by student."""
        found = [result for path in (self.folder / topic).glob("*.json") if (result := _read(path)) is not None]
        return sorted(found, key=lambda result: str(result["student"]))

    def secret(self) -> int:
        """Return the number that makes this course's hidden tests its own, drawn when first needed."""
        path = self.folder / "secret"
        if not path.exists():
            write_whole(path, str(secrets.randbits(31)).encode())
            path.chmod(0o600)
        return int(path.read_text())

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Be the one that writes results and gradebook.

        Raises:
            CourseError: another run is at it.
        """
        import fcntl  # not on Windows, where notebooks can be built all the same

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("w")
        except OSError as error:
            why = f"{self.folder} cannot be written ({error.strerror}), and results are kept there"
            raise CourseError(f"{why}: give yourself the right to, or free some space") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CourseError(f"another run is grading in {self.root}: wait for it, or stop it first") from None
            yield


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):  # the first failure says more
            part.unlink(missing_ok=True)
        if error.errno in NO_ROOM:
            raise CourseError(no_room(path.parent, error)) from None
        raise


def _read(path: Path) -> dict[str, Any] | None:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and "student" in result else None


def read_files(folder: Path) -> tuple[dict[str, bytes], str | None]:
    """Read the files of a submission, following no link; return them and what is wrong with them, if anything."""
    files: dict[str, bytes] = {}
    size = 0
    skipped = None
    for parent, folders, names in os.walk(folder, followlinks=False):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if name != ".ipynb_checkpoints" and depth < DEEPEST_FOLDER)
        for name in sorted(names):
            path = Path(parent, name)
            try:
                content = read_plain_file(path, LARGEST_SUBMISSION - size)
            except OSError as error:
                skipped = skipped or f"{safe_name(name)} cannot be opened ({error.strerror})"
                continue
            if content is None:
                skipped = LINKED
                continue
            size += len(content)
            if size > LARGEST_SUBMISSION:
                return {}, f"the submission has more than {LARGEST_SUBMISSION >> 20} MB"
            if len(files) >= MOST_FILES:
                return {}, f"the submission has more than {MOST_FILES} files"
            shown = safe_name(str(path.relative_to(folder)), 4096)
            while shown in files:  # two names that no text can tell apart
                shown = f"_{shown}"
            files[shown] = content
    return files, skipped if not files else None


def read_plain_file(path: Path, most: int) -> bytes | None:
    """Read a file, up to one byte more than allowed; None for what is none: a link, a pipe, a device.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            return None
        raise
    with open(handle, "rb") as file:
        return file.read(most + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
