"""Results on disk, one file for a submission: written whole or not at all, so that a run can be killed at any moment."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grading.course import CourseError

LINKED = "a link in the submission was not followed"
LARGEST_SUBMISSION = 200 << 20


class Store:
    """The folder ``grading/results`` of a course."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "grading" / "results"

    def path(self, topic: str, student: str) -> Path:
        return self.folder / topic / f"{student}.json"

    def read(self, topic: str, student: str) -> dict[str, Any] | None:
        """Return a submission's last result; None if there is none that can be read."""
        try:
            result = json.loads(self.path(topic, student).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) else None

    def write(self, result: dict[str, Any]) -> None:
        """Keep a result."""
        write_whole(self.path(result["topic"], result["student"]), json.dumps(result, ensure_ascii=False).encode())

    def all(self, topic: str) -> list[dict[str, Any]]:
        """Return the results of a notebook, by student."""
        students = sorted(path.stem for path in (self.folder / topic).glob("*.json"))
        return [result for student in students if (result := self.read(topic, student)) is not None]

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

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CourseError(f"another run is grading in {self.root}: wait for it, or stop it first") from None
            yield


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_files(folder: Path) -> tuple[dict[str, bytes], str | None]:
    """Read the files of a submission, following no link; return them and what is wrong with them, if anything."""
    files: dict[str, bytes] = {}
    size = 0
    skipped = None
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if name != ".ipynb_checkpoints")
        for name in sorted(names):
            path = Path(parent, name)
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:
                skipped = LINKED
                continue
            with open(handle, "rb") as file:
                if not path.is_file() or path.is_symlink():
                    skipped = LINKED
                    continue
                left = LARGEST_SUBMISSION - size
                content = file.read(left + 1)
            if len(content) > left:
                return {}, f"the submission has more than {LARGEST_SUBMISSION >> 20} MB"
            size += len(content)
            files[str(path.relative_to(folder))] = content
    return files, skipped if not files else None
