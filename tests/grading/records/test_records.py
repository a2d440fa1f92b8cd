"""What is kept and told: feedback, report, export; what was not graded is never 0."""

from __future__ import annotations

import csv

import nbformat
import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, hand_in, read_csv
from submissions import fill_in, graded, untouched

from grading.batch.submissions import autograde, feedback
from grading.course import CourseError
from grading.job import GRADED, NOT_GRADED, REPAIRED
from grading.records.export import export
from grading.records.report import summarise, write_report
from grading.records.store import Store

pytestmark = needs_sandbox


def test_a_broken_submission_stops_nobody_and_the_rest_is_exported_with_feedback(tmp_path):
    good = fill_in(SHORT, lambda i: True)
    root = course(
        tmp_path,
        SHORT,
        {"a_good": good, "b_cut": nbformat.writes(good)[:5000], "c_empty": "", "d_page": "<html>Sign in</html>"},
    )
    hand_in(root, "elsewhere", "e_nothing", untouched(SHORT))
    outcomes = {outcome.student: outcome for outcome in autograde(SHORT, root=root)}
    full = sum(exercise.points for exercise in graded(SHORT))
    assert outcomes["a_good"].state == GRADED
    assert outcomes["a_good"].points == full
    assert outcomes["b_cut"].state == REPAIRED
    assert "cut off" in " ".join(outcomes["b_cut"].repairs)
    for student in ("c_empty", "d_page"):
        assert outcomes[student].state == NOT_GRADED
        assert outcomes[student].points is None
        assert "unreadable file" in outcomes[student].problem

    written = {outcome.student: outcome for outcome in feedback(SHORT, ["a_good", "b_cut"], root=root)}
    assert written["a_good"].problem is None
    page = (root / "grading" / "feedback" / "a_good" / SHORT / f"{SHORT}.html").read_text()
    assert "log_mean_exp: right" in page
    assert "seed=" not in page
    assert "HIDDEN" not in page
    assert "was missing and was put back" in (root / f"grading/feedback/b_cut/{SHORT}/{SHORT}.html").read_text()

    assert all(outcome.problem is None for outcome in feedback(SHORT, ["c_empty"], root=root))
    assert "the file is empty" in (root / f"grading/feedback/c_empty/{SHORT}/{SHORT}.html").read_text()

    with pytest.raises(CourseError, match="nbgrader, canvas, moodle"):
        export(tmp_path / "grades.csv", root, "blackboard")
    failed = export(tmp_path / "grades.csv", root)
    rows = {row["student_id"]: row for row in read_csv(tmp_path / "grades.csv")}
    assert float(rows["a_good"]["score"]) == full
    assert rows["a_good"]["status"] == GRADED
    assert rows["b_cut"]["status"] == REPAIRED
    assert rows["e_nothing"]["status"] == "not handed in"
    for student in ("c_empty", "d_page"):
        assert rows[student]["status"] == NOT_GRADED
        assert rows[student]["score"] == "", "not graded is not zero"
    assert {student for _, student in failed} == {"c_empty", "d_page"}

    export(tmp_path / "canvas.csv", root, "canvas")
    header, possible, *students = csv.reader((tmp_path / "canvas.csv").open())
    assert header[:6] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", SHORT]
    assert possible[0].strip() == "Points Possible"
    assert float(possible[5]) == full
    assert {row[2]: row[5] for row in students}["c_empty"] == ""
    export(tmp_path / "moodle.csv", root, "moodle")
    moodle = {row["ID number"]: row for row in read_csv(tmp_path / "moodle.csv")}
    assert float(moodle["a_good"]["Grade"]) == full
    assert (moodle["d_page"]["Grade"], moodle["d_page"]["Feedback"]) == ("", NOT_GRADED)


def test_feedback_for_a_class_is_written_by_several_workers(tmp_path):
    half = fill_in(SHORT, lambda i: i == 0)
    root = course(tmp_path, SHORT, {f"s{i:02d}": half if i % 4 else "" for i in range(12)})
    states = {outcome.student: outcome.state for outcome in autograde(SHORT, root=root)}
    assert list(states.values()).count(NOT_GRADED) == 3
    written = list(feedback(SHORT, root=root, workers=2))
    assert {outcome.student: outcome.problem for outcome in written} == dict.fromkeys(states)
    assert len(list((root / "grading" / "feedback").glob("*/*/*.html"))) == 12


def test_a_student_can_write_nothing_that_a_spreadsheet_runs(tmp_path):
    root = course(tmp_path, SHORT, {"=cmd()": untouched(SHORT)})
    list(autograde(SHORT, root=root))
    export(tmp_path / "grades.csv", root)
    assert read_csv(tmp_path / "grades.csv")[0]["student_id"] == "'=cmd()"


def test_the_report_counts_misconceptions_and_lists_what_needs_a_look(tmp_path):
    topic = "02_jensen_entropy_kl"
    swapped = fill_in(topic, lambda i: True)
    for cell in swapped.cells:
        if cell.id == "gaussian_kl":
            cell.source = cell.source.replace("(mu_q, sigma_q, mu_p, sigma_p)", "(mu_p, sigma_p, mu_q, sigma_q)", 1)
    tamper = fill_in(topic, lambda i: True)
    tamper.cells.insert(3, nbformat.v4.new_code_cell("import sys\nsys.displayhook = print"))
    root = course(tmp_path, topic, {"anna": swapped, "bert": tamper, "<b>cora": "", "dora": untouched(topic)})
    list(autograde(topic, root=root))
    page, table = write_report(topic, root)
    summary = summarise(topic, Store(root).all(topic))
    (kl,) = [exercise for exercise in summary["exercises"] if exercise["name"] == "gaussian_kl"]
    assert (kl["right"], kl["wrong"], kl["unanswered"]) == (1, 1, 1)
    assert [count for _, count in kl["misconceptions"]] == [1]
    assert "swapped" in kl["misconceptions"][0][0]
    assert [student for student, _ in summary["not_graded"]] == ["<b>cora"]
    assert summary["signs"] == [("bert", ["replaces a hook of Python"])]
    text = page.read_text()
    assert "&lt;b&gt;cora" in text
    assert "<b>cora" not in text
    rows = read_csv(table)
    assert {row["status"] for row in rows if row["exercise"] == "gaussian_kl"} == {"right", "wrong", "unanswered"}
