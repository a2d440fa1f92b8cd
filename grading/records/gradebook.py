"""Writing results into nbgrader's gradebook: one transaction for a submission."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import parse_utc
from sqlalchemy.exc import OperationalError
from traitlets.config import Config

from grading.course import CourseError
from grading.records.store import read_plain_file
from grading.release.build import generate

LONGEST_TIMESTAMP = 200


def open_gradebook(config: Config) -> Gradebook:
    """Open the gradebook of a configuration.

    Raises:
        CourseError: the database cannot be opened; the message names it.
    """
    url = config.CourseDirectory.db_url
    try:
        return Gradebook(url, config.CourseDirectory.course_id)
    except Exception as error:
        raise CourseError(f"the gradebook at {url} cannot be opened: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def not_written(url: str, why: str) -> CourseError:
    """Return what to say of a gradebook that takes nothing."""
    return CourseError(
        f"the gradebook at {url} cannot be written: {why}. Results are kept in grading/results; once it can be "
        "written, the same command enters them and goes on."
    )


def ensure_assignment(topic: str, config: Config, points: dict[str, float]) -> None:
    """Enter a notebook into the gradebook, if it is not there as it is now."""
    with open_gradebook(config) as gradebook:
        try:
            (notebook,) = gradebook.find_assignment(topic).notebooks
            known = {cell.name.removesuffix("-check"): cell.max_score for cell in notebook.grade_cells}
        except (MissingEntry, ValueError):
            known = {}
    if known != points:
        try:
            generate(topic, config)
        except CourseError as error:
            said = [line for line in str(error).splitlines() if "OperationalError" in line]
            raise (not_written(config.CourseDirectory.db_url, said[-1].strip()) if said else error) from None


class Recorder:
    """Writes results into an open gradebook, one transaction for each."""

    def __init__(self, gradebook: Gradebook, topic: str) -> None:
        self._gradebook, self._topic = gradebook, topic
        self._url = str(gradebook.engine.url)
        (notebook,) = gradebook.find_assignment(topic).notebooks
        # Looking a cell's name up through each grade would cost a query for each.
        self._grades = {cell.id: cell.name.removesuffix("-check") for cell in notebook.grade_cells}
        self._comments = {cell.id: cell.name for cell in notebook.solution_cells}

    def record(self, result: dict[str, Any], timestamp: datetime.datetime | None) -> None:
        """Write a graded result; what a human entered (manual scores, comments) stays.

        Raises:
            CourseError: the database takes nothing.
            Exception: it does not take this result; nothing of it is entered.
        """
        try:
            self._record(result, timestamp)
        except Exception as error:
            # nbgrader tells of some as of entries that it does not take.
            if isinstance(error, OperationalError) or isinstance(error.__context__, OperationalError):
                raise not_written(self._url, _first_line(error)) from None
            raise
        finally:
            self._gradebook.db.rollback()  # of what was not committed

    def _record(self, result: dict[str, Any], timestamp: datetime.datetime | None) -> None:
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
        content = read_plain_file(folder / "timestamp.txt", LONGEST_TIMESTAMP)
        return parse_utc(content.decode().strip()) if content and len(content) <= LONGEST_TIMESTAMP else None
    except Exception:  # what stands there can be anything, and parsing it can fail in any way
        return None
