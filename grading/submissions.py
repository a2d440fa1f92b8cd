"""Grading what students handed in, one submission at a time, so that none stops the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI

from grading.build import nbgrader_config, release
from grading.course import SUBMITTED, CourseError, find_topic

ANSI = re.compile(r"\x1b\[[0-9;]*m")


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


def submissions(topic: str, students: list[str] | None = None) -> list[str]:
    """Return the students who handed in a topic, under grading/submitted/STUDENT/TOPIC.

    Raises:
        CourseError: there is none, or a named student handed in nothing.
    """
    found = sorted(path.parent.name for path in SUBMITTED.glob(f"*/{topic}") if path.is_dir())
    for student in students or []:
        if student not in found:
            raise CourseError(f"{student} handed in nothing for {topic}: there is no {SUBMITTED / student / topic}")
    chosen = students or found
    if not chosen:
        raise CourseError(f"nothing was handed in for {topic}: put notebooks into {SUBMITTED}/STUDENT/{topic}/")
    return chosen


def autograde(name: str, students: list[str] | None = None) -> Iterator[Outcome]:
    """Grade every submission of a notebook with nbgrader; yield the outcomes as they come."""
    topic = find_topic(name)
    chosen = submissions(topic, students)
    config = nbgrader_config()
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        try:
            gradebook.find_assignment(topic)
        except MissingEntry:
            release(topic)
    api = NbGraderAPI(config=config)
    for student in chosen:
        result = api.autograde(topic, student, force=True, create=True)
        if result["success"]:
            yield _score(topic, student, config)
        else:
            yield Outcome(topic, student, problem=_reason(result))


def _score(topic: str, student: str, config: object) -> Outcome:
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:  # type: ignore[attr-defined]
        submission = gradebook.find_submission(topic, student)
        return Outcome(topic, student, submission.score, submission.max_score)


def _reason(result: dict[str, str]) -> str:
    """Return the line of nbgrader's log that says why."""
    text = ANSI.sub("", (result.get("error") or "") + "\n" + (result.get("log") or ""))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR" in line or "Error" in line]
    return (telling or lines or ["nbgrader gave no reason"])[-1][:300]


def feedback(name: str, students: list[str] | None = None) -> Iterator[Outcome]:
    """Write the feedback of every graded submission with nbgrader; yield what became of each."""
    topic = find_topic(name)
    api = NbGraderAPI(config=nbgrader_config())
    for student in submissions(topic, students):
        result = api.generate_feedback(topic, student, force=True)
        yield Outcome(topic, student, problem=None if result["success"] else _reason(result))
