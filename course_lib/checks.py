"""Checks that say what is wrong: ``check("gaussian_kl")`` after the cell in which it is defined."""

from __future__ import annotations

import sys
from typing import Any

from course_lib.answers import LocalAnswer
from course_lib.checker.attempts import best_line
from course_lib.checker.report import CheckFailed, Report, Summary
from course_lib.checker.review import review_answer
from course_lib.exercises import TOPICS, find_exercise

_MISSING: Any = object()


def review(name: str, answer: Any, *, seed: int | None = None, topic: str | None = None) -> Report:
    """Check an answer and return the report; whatever the answer does, nothing is raised.

    Args:
        name: the exercise's name.
        answer: the student's function, class or choice.
        seed: None for the inputs that students see; a number for others (the hidden tests).
        topic: the notebook, where several ask for the same name.
    """
    return review_answer(find_exercise(name, topic), LocalAnswer(name, answer), seed)


def check(name: str, answer: Any = _MISSING, *, seed: int | None = None, topic: str | None = None) -> None:
    """Check an answer, show the report, and raise if it is not right.

    Args:
        name: the exercise's name. The answer is what the notebook calls by that name.
        answer: something else to check instead.
        seed: for the hidden tests: other inputs, and a report only where they find a mistake.
        topic: the notebook, where several ask for the same name.

    Raises:
        CheckFailed: the answer is not right, or not there yet.
    """
    exercise = find_exercise(name, topic)
    if answer is _MISSING:
        answer = sys._getframe(1).f_globals.get(name, _MISSING)
    if answer is _MISSING:
        says = f"There is no {name} in this notebook yet: run the cell above that defines it, then this one again."
        report = Report(name, 0, exercise.points, "unanswered", (says,))
    else:
        report = review_answer(exercise, LocalAnswer(name, answer), seed)
    if seed is None or not report.passed:
        _show(report)
    if not report.passed:
        raise CheckFailed(report)


def summary(topic: str) -> Summary:
    """Check every exercise of a notebook again and return the points so far, as a table."""
    namespace = sys._getframe(1).f_globals
    reports = []
    for exercise in TOPICS[topic]:
        answer = namespace.get(exercise.name)
        reports.append(review_answer(exercise, LocalAnswer(exercise.name, answer)))
    return Summary(tuple(reports), best_line(topic))


def _show(report: Report) -> None:
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        display(report)
    else:
        print(report)


__all__ = ["TOPICS", "CheckFailed", "Report", "Summary", "check", "find_exercise", "review", "summary"]
