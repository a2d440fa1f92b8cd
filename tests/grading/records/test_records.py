"""What is kept and told: feedback, report, export; what was not graded is never 0."""

from __future__ import annotations

import base64
import csv
import io
import re

import nbformat
import pytest
from conftest import needs_sandbox
from handed_in import SHORT, course, hand_in, read_csv
from submissions import fill_in, graded, untouched

from course_lib.checker.review import ENDLESS
from course_lib.plots import Picture, new_figure
from grading.batch.cluster import local_workers
from grading.batch.submissions import Settings, autograde, feedback
from grading.course import CourseError
from grading.job import GRADED, NOT_GRADED, REPAIRED
from grading.records.export import FORMS, NOT_HANDED_IN, Row, export, maxima
from grading.records.report import summarise, write_report
from grading.records.store import Store
from grading.sandbox.limits import Limits

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
    failed = [row.student_id for row in export(tmp_path / "grades.csv", root) if row.status == NOT_GRADED]
    rows = {row["student_id"]: row for row in read_csv(tmp_path / "grades.csv")}
    assert float(rows["a_good"]["score"]) == full
    assert rows["a_good"]["status"] == GRADED
    assert rows["b_cut"]["status"] == REPAIRED
    assert rows["e_nothing"]["status"] == "not handed in"
    for student in ("c_empty", "d_page"):
        assert rows[student]["status"] == NOT_GRADED
        assert rows[student]["score"] == "", "not graded is not zero"
    assert set(failed) == {"c_empty", "d_page"}

    export(tmp_path / "canvas.csv", root, "canvas")
    header, possible, *students = csv.reader((tmp_path / "canvas.csv").open())
    assert header[:6] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", SHORT]
    assert possible[0].strip() == "Points Possible"
    assert float(possible[5]) == full
    assert {row[2]: row[5] for row in students}["c_empty"] == ""
    export(tmp_path / "moodle.csv", root, "moodle", only="00")
    moodle = {row["ID number"]: row for row in read_csv(tmp_path / "moodle.csv")}
    assert float(moodle["a_good"][SHORT]) == full
    assert (moodle["d_page"][SHORT], moodle["d_page"]["Feedback"]) == ("", NOT_GRADED)


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


def row(topic, student, score, status="graded"):
    return Row(topic, student, "", "", f"{student}@example.org", "", score, 10.0, status)


ROWS = [
    row("01_latent_variable_models", "anna", 7.0),
    row("02_jensen_entropy_kl", "anna", 9.0),
    row("03_variational_inference", "anna", None, NOT_HANDED_IN),
    row("01_latent_variable_models", "bert", None, NOT_GRADED),
    row("02_jensen_entropy_kl", "bert", None, NOT_HANDED_IN),
    row("03_variational_inference", "bert", None, NOT_HANDED_IN),
]


def test_moodle_gets_one_row_for_a_student_and_one_column_for_a_notebook():
    (header, anna, bert) = csv.reader(io.StringIO(FORMS["moodle"](ROWS)))
    assert header == ["ID number", "Email address", *maxima(ROWS), "Feedback"]
    assert anna == ["anna", "anna@example.org", "7.0", "9.0", "", "graded: 01, 02; not handed in: 03"]
    assert bert[2:5] == ["", "", ""]


@pytest.mark.parametrize("form", ["canvas", "moodle"])
def test_what_was_not_handed_in_is_said_once(form):
    *_, bert = csv.reader(io.StringIO(FORMS[form](ROWS)))
    assert bert[-1] == "not graded: 01; not handed in: 02, 03"
    assert ", ".join(bert).count(NOT_HANDED_IN) == 1


def test_an_export_without_a_grade_says_so(tmp_path):
    root = course(tmp_path, SHORT, {"anna": ""})
    with pytest.raises(CourseError, match="no grades yet for 00_start_here"):
        export(tmp_path / "grades.csv", root, only="00")


def test_an_answer_that_never_ends_is_named_in_the_report_with_the_time_it_took(tmp_path):
    endless = fill_in(SHORT, lambda i: True)
    for cell in endless.cells:
        if cell.id == "log_mean_exp":
            cell.source = "def log_mean_exp(values, dim):\n    while True:\n        pass"
    root = course(tmp_path, SHORT, {"anna": endless})
    limits = Limits().changed(["answer_seconds=2"])
    list(autograde(SHORT, root=root, settings=Settings(limits=limits)))
    summary = summarise(SHORT, Store(root).all(SHORT))
    (found,) = [exercise for exercise in summary["exercises"] if exercise["name"] == "log_mean_exp"]
    assert found["misconceptions"] == [(ENDLESS, 1)]
    assert found["unexplained"] == 0
    ((student, slowest),) = summary["slow"]
    assert (student, slowest["cell"], slowest["ended"]) == ("anna", 'check("log_mean_exp")', True)
    assert slowest["seconds"] >= 2
    page, _ = write_report(SHORT, root)
    assert "stopped: its time was over" in page.read_text()


def test_the_feedback_page_has_an_index_and_pictures_and_needs_no_network(tmp_path):
    picture = base64.b64encode(Picture(new_figure()[0], "Nothing but axes.").png).decode()
    notebook = fill_in(SHORT, lambda i: True)
    shown = next(cell for cell in notebook.cells if "show" in cell.metadata.get("tags", []))
    data = {"image/png": picture, "text/plain": "[picture: Nothing but <axes>.]", "text/html": "<script>1</script>"}
    shown.outputs = [nbformat.v4.new_output("display_data", data=data)]
    notebook.cells.append(
        nbformat.v4.new_markdown_cell("Mine: $\\alpha_1 < 2$, `$5` and ![far](https://example.org/x.png)")
    )
    root = course(tmp_path, SHORT, {"anna": notebook})
    list(autograde(SHORT, root=root))
    assert [outcome.problem for outcome in feedback(SHORT, root=root)] == [None]
    page = (root / "grading" / "feedback" / "anna" / SHORT / f"{SHORT}.html").read_text()
    for exercise in graded(SHORT):
        assert page.count(f'id="{exercise.name}"') == 1
        assert page.count(f'href="#{exercise.name}"') == 2, "in the index and in the table"
    assert 'alt="Nothing but &lt;axes&gt;."' in page
    assert picture[:200] in page
    assert "<details><summary>Code of the course</summary>" in page
    assert "<mi>α</mi>" in page
    assert "<code>$5</code>" in page
    assert not re.search(r"<script|<link|src=.?https?:|mathjax", page, re.IGNORECASE)


def test_two_classes_graded_at_once_say_nothing_about_ports(recwarn):
    with local_workers(1), local_workers(1):
        pass
    assert [str(warning.message) for warning in recwarn if "ort" in str(warning.message)] == []
