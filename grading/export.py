"""Grades as a CSV file in which a submission that could not be graded is no zero."""

from __future__ import annotations

import csv
from pathlib import Path

from nbgrader.api import Gradebook

from grading.build import nbgrader_config
from grading.course import ROOT

COLUMNS = ["assignment", "student_id", "last_name", "first_name", "email", "score", "max_score", "status"]


def export(to: Path, root: Path = ROOT) -> list[tuple[str, str]]:
    """Write one row for every student and assignment; return the (assignment, student) pairs not graded.

    The status is "graded", "not graded" (handed in, but nbgrader failed on it: no score) or "not handed in".
    """
    config = nbgrader_config(root)
    failed = []
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook, to.open("w") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        scores = {
            (submission.assignment.name, submission.student_id): submission.score
            for assignment in gradebook.assignments
            for submission in gradebook.assignment_submissions(assignment.name)
        }
        for assignment in gradebook.assignments:
            for student in gradebook.students:
                key = (assignment.name, student.id)
                folders = [
                    root / "grading" / step / student.id / assignment.name for step in ("submitted", "autograded")
                ]
                graded = key in scores and folders[1].is_dir()
                status = "graded" if graded else "not graded" if folders[0].is_dir() else "not handed in"
                if status == "not graded":
                    failed.append(key)
                writer.writerow(
                    {
                        "assignment": assignment.name,
                        "student_id": student.id,
                        "last_name": student.last_name,
                        "first_name": student.first_name,
                        "email": student.email,
                        "score": scores[key] if graded else "",
                        "max_score": assignment.max_score,
                        "status": status,
                    }
                )
    return failed
