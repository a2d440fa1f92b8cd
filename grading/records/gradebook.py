"""Writing results into nbgrader's gradebook: one transaction for a submission."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import parse_utc
from traitlets.config import Config

from grading.course import CourseError
from grading.release.build import generate


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


class Recorder:
    """Writes results into an open gradebook, one transaction for each."""

    def __init__(self, gradebook: Gradebook, topic: str) -> None:
        self._gradebook, self._topic = gradebook, topic
        (notebook,) = gradebook.find_assignment(topic).notebooks
        # Looking a cell's name up through each grade would cost a query for each.
        self._grades = {cell.id: cell.name.removesuffix("-check") for cell in notebook.grade_cells}
        self._comments = {cell.id: cell.name for cell in notebook.solution_cells}

    def record(self, result: dict[str, Any], timestamp: datetime.datetime | None) -> None:
        """Write a graded result; what a human entered (manual scores, comments) stays."""
        gradebook, student = self._gradebook, result["student"]
        try:
            submission = gradebook.find_submission(self._topic, student)
        except MissingEntry:
            gradebook.update_or_create_student(student)
            submission = gradebook.update_or_create_submission(self._topic, student)
        if timestamp is not None:
            submission.timestamp = timestamp
        (notebook,) = submission.notebooks
        for grade in notebook.grades:
            report = result["exercises"].get(self._grades.get(grade.cell_id))
            if report is not None:
                grade.auto_score = float(report["points"])
                grade.needs_manual_grade = grade.manual_score is not None
        for comment in notebook.comments:
            report = result["exercises"].get(self._comments.get(comment.cell_id))
            if report is not None:
                comment.auto_comment = "No response." if report["status"] == "unanswered" else None
        gradebook.db.commit()


def read_timestamp(folder: Path) -> datetime.datetime | None:
    """Return when a submission was handed in, if nbgrader noted it."""
    try:
        return parse_utc((folder / "timestamp.txt").read_text().strip())
    except (OSError, ValueError):
        return None
