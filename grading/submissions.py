"""Grading what students handed in, one submission at a time, so that none stops the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from grading.build import generate, nbgrader_config
from grading.course import ROOT, CourseError, find_topic

ANSI = re.compile(r"\x1b\[[0-9;]*m")
EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Invalid|Missing)\w*:")


@dataclass(frozen=True)
class Outcome:
    """What became of one submission.

    Attributes:
        points, max_points: None if it was not graded.
        problem: why it was not graded, or None.
    """

    topic: str
    student: str
    points: float | None = None
    max_points: float | None = None
    problem: str | None = None


def submissions(topic: str, students: list[str] | None = None, root: Path = ROOT) -> list[str]:
    """Return the students who handed in a topic, under grading/submitted/STUDENT/TOPIC.

    Raises:
        CourseError: there is none, or a named student handed in nothing.
    """
    folder = root / "grading" / "submitted"
    found = sorted(path.parent.name for path in folder.glob(f"*/{topic}") if path.is_dir())
    for student in students or []:
        if student not in found:
            raise CourseError(f"{student} handed in nothing for {topic}: there is no {folder / student / topic}")
    chosen = students or found
    if not chosen:
        raise CourseError(f"nothing was handed in for {topic}: put notebooks into {folder}/STUDENT/{topic}/")
    return chosen


def autograde(name: str, students: list[str] | None = None, root: Path = ROOT) -> Iterator[Outcome]:
    """Grade every submission of a notebook with nbgrader; yield the outcomes as they come."""
    topic = find_topic(name)
    chosen = submissions(topic, students, root)
    config = nbgrader_config(root)
    with _gradebook(config) as gradebook:
        try:
            gradebook.find_assignment(topic)
            known = True
        except MissingEntry:
            known = False
    if not known:
        generate(topic, config)
    api = NbGraderAPI(config=config)
    for student in chosen:
        result = api.autograde(topic, student, force=True, create=True)
        if result["success"]:
            with _gradebook(config) as gradebook:
                submission = gradebook.find_submission(topic, student)
                yield Outcome(topic, student, submission.score, submission.max_score)
        else:
            yield Outcome(topic, student, problem=_reason(result))


def _gradebook(config: Config) -> Gradebook:
    return Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id)


def _reason(result: dict[str, str]) -> str:
    """Return the line of nbgrader's log that says why: the innermost exception, not the wrappers around it."""
    text = ANSI.sub("", (result.get("log") or "") + "\n" + (result.get("error") or ""))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    raised = [line for line in lines if EXCEPTION.match(line) and "NbGraderException" not in line]
    errors = [line.removeprefix("[ERROR] ") for line in lines if line.startswith("[ERROR]")]
    return (raised or errors or lines or ["nbgrader gave no reason"])[0][:300]


def feedback(name: str, students: list[str] | None = None, root: Path = ROOT) -> Iterator[Outcome]:
    """Write the feedback of every graded submission with nbgrader; yield what became of each."""
    topic = find_topic(name)
    api = NbGraderAPI(config=nbgrader_config(root))
    for student in submissions(topic, students, root):
        result = api.generate_feedback(topic, student, force=True)
        yield Outcome(topic, student, problem=None if result["success"] else _reason(result))
