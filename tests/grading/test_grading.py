"""Made-up submissions get exactly the points they deserve, exercise by exercise, and none stops the others."""

from __future__ import annotations

import csv
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from submissions import fill_in, graded, points, saved_by_colab, untouched

from grading.build import nbgrader_config
from grading.course import SOLUTIONS, CourseError, topics
from grading.export import export
from grading.submissions import autograde, feedback, submissions


def course(tmp_path: Path, topic: str, handed_in: dict[str, object]) -> Path:
    (tmp_path / "grading").mkdir()
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / topic).symlink_to(SOLUTIONS / topic)
    for student, notebook in handed_in.items():
        folder = tmp_path / "grading" / "submitted" / student / topic
        folder.mkdir(parents=True)
        path = folder / f"{topic}.ipynb"
        if isinstance(notebook, str):
            path.write_text(notebook)
        else:
            nbformat.write(notebook, path)
    return tmp_path


def scores(root: Path, topic: str, student: str) -> dict[str, float]:
    config = nbgrader_config(root)
    with Gradebook(config.CourseDirectory.db_url, config.CourseDirectory.course_id) as gradebook:
        (notebook,) = gradebook.find_submission(topic, student).notebooks
        return {grade.name.removesuffix("-check"): grade.score for grade in notebook.grades}


@pytest.mark.parametrize("topic", topics())
def test_made_up_submissions_get_exactly_their_points(topic, tmp_path):
    everything, nothing, every_other = (lambda i: True), (lambda i: False), (lambda i: i % 2 == 1)
    expected = {
        "all_right": points(topic, everything),
        "all_wrong": points(topic, nothing),
        "half": points(topic, every_other),
        "untouched": points(topic, nothing),
        "colab": points(topic, every_other),
    }
    root = course(
        tmp_path,
        topic,
        {
            "all_right": fill_in(topic, everything),
            "all_wrong": fill_in(topic, nothing),
            "half": fill_in(topic, every_other),
            "untouched": untouched(topic),
            "colab": saved_by_colab(fill_in(topic, every_other)),
        },
    )
    outcomes = {outcome.student: outcome for outcome in autograde(topic, root=root)}
    for student, deserved in expected.items():
        assert outcomes[student].problem is None
        assert scores(root, topic, student) == deserved, student
        assert outcomes[student].points == sum(deserved.values())
        assert outcomes[student].max_points == sum(exercise.points for exercise in graded(topic))


def test_a_broken_submission_stops_nobody_and_the_rest_is_exported_with_feedback(tmp_path):
    topic = topics()[0]
    good = fill_in(topic, lambda i: True)
    noisy = fill_in(topic, lambda i: True)
    for cell in noisy.cells:
        if cell.id == "log_mean_exp":
            cell.source += "\n\nimport sys, warnings\n_quiet = log_mean_exp\n\n\ndef log_mean_exp(log_values, dim):\n"
            cell.source += "    print('here')\n    print('there', file=sys.stderr)\n    warnings.warn('careful')\n"
            cell.source += "    return _quiet(log_values, dim)\n"
    root = course(
        tmp_path,
        topic,
        {"a_good": good, "b_broken": nbformat.writes(good)[:5000], "c_empty": "", "d_noisy": noisy},
    )
    outcomes = {outcome.student: outcome for outcome in autograde(topic, root=root)}
    full = sum(exercise.points for exercise in graded(topic))
    assert outcomes["a_good"].points == full
    assert outcomes["d_noisy"].points == full, "printing and warnings cost nothing"
    for student in ("b_broken", "c_empty"):
        assert outcomes[student].points is None
        assert "JSON" in outcomes[student].problem, outcomes[student].problem

    written = {outcome.student: outcome for outcome in feedback(topic, ["a_good"], root=root)}
    assert written["a_good"].problem is None
    page = root / "grading" / "feedback" / "a_good" / topic / f"{topic}.html"
    assert "log_mean_exp: right" in page.read_text()

    failed = export(tmp_path / "grades.csv", root)
    with (tmp_path / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["a_good"]["score"]) == full
    assert float(rows["a_good"]["max_score"]) == full
    assert rows["a_good"]["status"] == "graded"
    for student in ("b_broken", "c_empty"):
        assert rows[student]["status"] == "not graded"
        assert rows[student]["score"] == "", "not graded is not zero"
    assert {student for _, student in failed} == {"b_broken", "c_empty"}


def test_nothing_handed_in_is_said_with_the_remedy(tmp_path):
    with pytest.raises(CourseError, match="put notebooks into"):
        submissions(topics()[0], root=tmp_path)
    course(tmp_path, topics()[0], {"anna": untouched(topics()[0])})
    with pytest.raises(CourseError, match="bert handed in nothing"):
        submissions(topics()[0], ["bert"], root=tmp_path)
