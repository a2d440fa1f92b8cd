"""What goes into grading one submission and what may come out: data, so that it can happen on any machine."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grading.sandbox.limits import Limits

GRADED, REPAIRED, NOT_GRADED = "graded", "graded after repair", "not graded"
INFRASTRUCTURE = "infrastructure"  # how the reason begins where it was not the submission's fault
REFERENCE = "the course's own solution"  # the misconception of an answer that calls it
NO_ROOM = {
    errno.ENOSPC: "there is no space left",
    errno.EDQUOT: "your quota is used up",
    errno.EROFS: "it is read-only",
}


@dataclass(frozen=True)
class Job:
    """One submission to be graded.

    Attributes:
        files: the submission's files by name.
        seeds: the seed of the hidden tests, by exercise.
        only: the exercises to check; all by default.
        unsafe: without a sandbox.
        show_hidden: name the hidden tests in the graded notebook.
        problem: why its files cannot be read.
        known: reports of exercises that need not be checked again.
    """

    topic: str
    student: str
    files: dict[str, bytes]
    seeds: dict[str, int]
    limits: Limits = field(default_factory=Limits)
    only: tuple[str, ...] | None = None
    unsafe: bool = False
    show_hidden: bool = False
    problem: str | None = None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)


def no_room(place: Path | str, error: OSError) -> str:
    """Say that nothing can be written any more, and what to do."""
    return (
        f"{place} cannot be written: {NO_ROOM[error.errno or 0]}. Make room there, or let it be written, and give the same "
        "command again: what was graded so far is kept."
    )
