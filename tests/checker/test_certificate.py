"""The page of the whole course: it tells what summaries left beside it, and what it does not know."""

from __future__ import annotations

import json

import pytest

from course_lib import checks
from course_lib.checker.certificate import FILE, LEARNED, certificate, keep
from course_lib.checker.report import Report, Summary
from course_lib.checks import TOPICS

HERE, OTHER = "12_comparing_models", "10_nice"
TOPIC_NAMES = tuple(TOPICS)


def found(points, task=None):
    return Summary((Report("evidence_gap", points, 2, "right" if points else "unanswered", ()),), task)


@pytest.fixture
def copies(tmp_path):
    for topic in (HERE, OTHER):
        (tmp_path / topic).mkdir()
    return tmp_path


def test_what_summaries_left_is_shown_and_the_last_counts(copies):
    keep(OTHER, found(0), copies / OTHER)
    keep(OTHER, found(2, "yours 1,800, the course's 1,920 nats"), copies / OTHER)
    keep(HERE, found(2), copies / HERE)
    page = certificate(HERE, TOPIC_NAMES, copies / HERE)
    assert list(page.found) == [OTHER, HERE]
    assert page.total == f"2 of {len(TOPIC_NAMES)} notebooks recorded: 4 of their 4 points"
    assert "yours 1,800" in page._repr_html_()
    assert repr(page).count("not recorded") == len(TOPIC_NAMES) - 2


def test_a_notebook_in_a_folder_of_another_name_keeps_nothing_and_says_so(tmp_path):
    keep(HERE, found(2), tmp_path)
    assert not list(tmp_path.parent.glob(FILE))
    assert "no other notebook's points can be read" in repr(certificate(HERE, TOPIC_NAMES, tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"10_nice": 3}',
        '{"10_nice": {"earned": 9, "total": 2}}',
        '{"10_nice": {"earned": true, "total": 2}}',
    ],
)
def test_what_cannot_be_read_counts_as_not_recorded(copies, content):
    (copies / FILE).write_text(content)
    assert not certificate(HERE, TOPIC_NAMES, copies / HERE).found
    keep(HERE, found(2), copies / HERE)
    assert certificate(HERE, TOPIC_NAMES, copies / HERE).found[HERE].earned == 2


def test_what_stands_in_the_file_cannot_write_the_page(copies):
    one = {"earned": 1, "total": 2, "when": "<script>", "task": "<script>alert(1)</script>"}
    (copies / FILE).write_text(json.dumps({OTHER: one}))
    assert "<script>" not in certificate(HERE, TOPIC_NAMES, copies / HERE)._repr_html_()


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(copies):
    (copies / FILE).mkdir()
    keep(HERE, found(2), copies / HERE)
    assert not certificate(HERE, TOPIC_NAMES, copies / HERE).found


def test_a_summary_that_a_person_runs_leaves_its_points_and_a_programs_does_not(copies, monkeypatch):
    monkeypatch.chdir(copies / HERE)
    checks.summary(HERE)
    assert not (copies / FILE).exists()
    monkeypatch.setattr(checks, "somebody_is_there", lambda: True)
    checks.summary(HERE)
    assert json.loads((copies / FILE).read_text())[HERE]["earned"] == 0
    assert checks.certificate().found[HERE].total == sum(exercise.points for exercise in TOPICS[HERE])


def test_every_notebook_has_its_line():
    assert set(TOPIC_NAMES) <= set(LEARNED)
