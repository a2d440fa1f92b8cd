"""Writing results into nbgrader's gradebook: one transaction for a submission."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import parse_utc
from traitlets.config import Config

from grading.build import generate
from grading.course import CourseError


def open_gradebook(config: Config) -> Gradebook:
    """Open the gradebook of a configuration.

    Raises:
        CourseError: the database cannot be opened; the message names it.
    """
    url = config.CourseDirectory.db_url
    try:
        return Gradebook(url, config.CourseDirectory.course_id)
    except Exception as error:
        first = str(error).splitlines()[0]
        raise CourseError(f"the gradebook at {url} cannot be opened: {first}") from None


def ensure_assignment(topic: str, config: Config, points: dict[str, float]) -> None:
    """Enter a notebook into the gradebook, if it is not there as it is now."""
    with open_gradebook(config) as gradebook:
        try:
            (notebook,) = gradebook.find_assignment(topic).notebooks
            known = {cell.name.removesuffix("-check"): cell.max_score for cell in notebook.grade_cells}
        except (MissingEntry, ValueError):
            known = {}
    if known != points:
        generate(topic, config)


def record(gradebook: Gradebook, result: dict[str, Any], timestamp: datetime.datetime | None) -> None:
    """Write a graded result; what a human entered (manual scores, comments) stays."""
    topic, student = result["topic"], result["student"]
    try:
        submission = gradebook.find_submission(topic, student)
    except MissingEntry:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(topic, student)
    if timestamp is not None:
        submission.timestamp = timestamp
    (notebook,) = submission.notebooks
    for grade in notebook.grades:
        report = result["exercises"].get(grade.name.removesuffix("-check"))
        if report is not None:
            grade.auto_score = float(report["points"])
            grade.needs_manual_grade = grade.manual_score is not None
    for comment in notebook.comments:
        report = result["exercises"].get(comment.name)
        if report is not None:
            comment.auto_comment = "No response." if report["status"] == "unanswered" else None
    gradebook.db.commit()


def read_timestamp(folder: Path) -> datetime.datetime | None:
    """Return when a submission was handed in, if nbgrader noted it."""
    try:
        return parse_utc((folder / "timestamp.txt").read_text().strip())
    except (OSError, ValueError):
        return None


def scores(gradebook: Gradebook, topic: str) -> dict[str, dict[str, float]]:
    """Return the points in the gradebook, by student and exercise."""
    found: dict[str, dict[str, float]] = {}
    for submission in gradebook.assignment_submissions(topic):
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        found[submission.student_id] = {grade.name.removesuffix("-check"): grade.score for grade in grades}
    return found
