"""Grades as CSV files for nbgrader's users, Canvas and Moodle; what could not be graded is never a zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grading.course import ROOT, CourseError, find_topic
from grading.job import NOT_GRADED
from grading.records.gradebook import open_gradebook
from grading.records.spreadsheet import to_csv
from grading.records.store import Store, write_whole
from grading.release.build import nbgrader_config
from grading.safe_text import read_back, safe_text, writable_name

NOT_HANDED_IN = "not handed in"


@dataclass(frozen=True)
class Row:
    """A student's grade in one notebook; ``score`` is None unless it was graded."""

    assignment: str
    student_id: str
    last_name: str
    first_name: str
    email: str
    lms_user_id: str
    score: float | None
    max_score: float
    status: str


def grades(root: Path = ROOT) -> list[Row]:
    """Return a row for every student and notebook of the gradebook, and for every submission never graded."""
    store = Store(root)
    rows: list[Row] = []
    with open_gradebook(nbgrader_config(root)) as gradebook:
        students = {student.id: student for student in gradebook.students}
        submitted = {writable_name(path.name) for path in (root / "grading" / "submitted").glob("*") if path.is_dir()}
        for assignment in gradebook.assignments:
            scores = {s.student_id: s.score for s in gradebook.assignment_submissions(assignment.name)}
            for name in sorted({*students, *submitted}):
                student = students.get(name)
                result = store.read(assignment.name, name)
                handed_in = (root / "grading" / "submitted" / read_back(name) / assignment.name).is_dir()
                graded_folder = (root / "grading" / "autograded" / name / assignment.name).is_dir()
                if not handed_in:
                    status = NOT_HANDED_IN
                elif result is not None:
                    status = str(result["state"])
                else:  # graded by plain nbgrader, or not yet
                    status = "graded" if graded_folder and name in scores else NOT_GRADED
                graded = status not in (NOT_GRADED, NOT_HANDED_IN) and name in scores
                rows.append(
                    Row(
                        assignment.name,
                        name,
                        (student and student.last_name) or "",
                        (student and student.first_name) or "",
                        (student and student.email) or "",
                        (student and student.lms_user_id) or "",
                        scores[name] if graded else None,
                        assignment.max_score,
                        status,
                    )
                )
    return rows


def export(to: Path, root: Path = ROOT, form: str = "nbgrader", only: str | None = None) -> list[Row]:
    """Write all grades in a form of ``FORMS``; return the rows.

    Args:
        only: a notebook by name or number; all by default.

    Raises:
        CourseError: there is no such form, or no grade.
    """
    if form not in FORMS:
        raise CourseError(f"there is no export for {form!r}; there are: {', '.join(FORMS)}")
    topic = None if only is None else find_topic(only)
    rows = [row for row in grades(root) if topic in (None, row.assignment)]
    if not rows:
        raise CourseError(f"no grades yet{f' for {topic}' if topic else ''}: run `python -m grading autograde` first")
    write_whole(to, safe_text(FORMS[form](rows)).encode())
    return rows


def _nbgrader(rows: list[Row]) -> str:
    """One row for each student and notebook."""
    columns = ["assignment", "student_id", "last_name", "first_name", "email", "score", "max_score", "status"]
    table = [
        [
            row.assignment,
            row.student_id,
            row.last_name,
            row.first_name,
            row.email,
            _score(row),
            row.max_score,
            row.status,
        ]
        for row in rows
    ]
    return to_csv(columns, table)


def _canvas(rows: list[Row]) -> str:
    """Canvas's gradebook: one row for each student, one column for each notebook; an empty cell changes no grade."""
    notebooks = maxima(rows)
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *notebooks, "Status"]
    table: list[list[object]] = [["    Points Possible", "", "", "", "", *notebooks.values(), ""]]
    for student, own in _by_student(rows).items():
        some = next(iter(own.values()))
        name = f"{some.last_name}, {some.first_name}".strip(", ") or student
        table.append([name, some.lms_user_id, student, student, "", *_cells(own, notebooks), _status(own)])
    return to_csv(columns, table)


def _moodle(rows: list[Row]) -> str:
    """Moodle's grade import: one row for each student, one column for each notebook, to be mapped to its grade item.

    "ID number" or "Email address" identifies the user; "Feedback" can be mapped where there is one notebook.
    """
    notebooks = maxima(rows)
    table: list[list[object]] = []
    for student, own in _by_student(rows).items():
        some = next(iter(own.values()))
        table.append([student, some.email, *_cells(own, notebooks), _status(own)])
    return to_csv(["ID number", "Email address", *notebooks, "Feedback"], table)


def maxima(rows: list[Row]) -> dict[str, float]:
    """Return the notebooks in their order, each with the points that it has."""
    return dict(sorted({row.assignment: row.max_score for row in rows}.items()))


def _by_student(rows: list[Row]) -> dict[str, dict[str, Row]]:
    by_student: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_student.setdefault(row.student_id, {})[row.assignment] = row
    return by_student


def _cells(own: dict[str, Row], notebooks: dict[str, float]) -> list[object]:
    return [_score(own[notebook]) if notebook in own else "" for notebook in notebooks]


def _status(own: dict[str, Row]) -> str:
    """Say once for each status which notebooks have it; with one notebook, the status alone."""
    having: dict[str, list[str]] = {}
    for row in own.values():
        having.setdefault(row.status, []).append(row.assignment.partition("_")[0])
    if len(own) == 1:
        return next(iter(having))
    return "; ".join(f"{status}: {', '.join(numbers)}" for status, numbers in having.items())


def _score(row: Row) -> object:
    return "" if row.score is None else row.score


FORMS: dict[str, Callable[[list[Row]], str]] = {"nbgrader": _nbgrader, "canvas": _canvas, "moodle": _moodle}
