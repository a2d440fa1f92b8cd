"""An open task: whatever a student hands to it, a sentence with a number or with what is in the way."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib import challenges
from course_lib.challenges import Challenge, attempt
from course_lib.challenges.challenge import shown
from course_lib.checker.attempts import best_line
from course_lib.checker.report import Summary


def task(higher: bool = True, record: float = -100.0) -> Challenge:
    return Challenge("Get as high as you can.", "nats", higher, lambda made: made, record, "By patience.")


@pytest.mark.parametrize(
    ("higher", "value", "verdict"),
    [
        (True, -90.0, "You beat the course's record."),
        (True, -100.3, "You are level with the course's record."),
        (True, -110.0, "The course's record is 10.00 better."),
        (False, -110.0, "You beat the course's record."),
        (False, -90.0, "The course's record is 10.00 better."),
    ],
)
def test_a_number_is_told_beside_the_record(higher, value, verdict):
    result = task(higher).attempt(value)
    assert result.line == f"yours {shown(value)}, the course's -100.0 nats"
    assert result.verdict == verdict
    assert "By patience." in repr(result)
    assert verdict.replace("'", "&#x27;") in result._repr_html_()


@pytest.mark.parametrize("made", [None, "a word", math.nan, math.inf, torch.zeros(3)])
def test_what_cannot_be_measured_is_said_and_raises_nothing(made):
    result = task().attempt(made)
    assert result.value is None
    assert result.verdict.startswith("This could not be measured: ")


def test_measuring_leaves_the_students_random_numbers_alone():
    noisy = Challenge("", "", True, lambda: torch.manual_seed(0) and torch.rand(()).item(), 1.0, "")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = torch.rand(1)
    noisy.attempt()
    torch.testing.assert_close(torch.cat([first, torch.rand(1)]), expected)


def test_the_summary_shows_the_best_attempt(monkeypatch):
    monkeypatch.setattr(challenges, "find_challenge", lambda topic: task(higher=False))
    assert best_line("a notebook") is None
    for value in (-50.0, -80.0, -60.0):
        attempt("a notebook", value)
    assert best_line("a notebook") == "yours -80.00, the course's -100.0 nats"
    summary = Summary((), best_line("a notebook"))
    assert "open task  yours -80.00" in repr(summary)
    assert "yours -80.00" in summary._repr_html_()


def test_a_notebook_without_an_open_task_is_named():
    with pytest.raises(KeyError, match="'99_nothing' has no open task"):
        attempt("99_nothing", 1.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1234.567, "1,235"), (-0.0271828, "-0.02718"), (12.3456, "12.35")]
)
def test_numbers_are_written_as_a_person_would(value, text):
    assert shown(value) == text
