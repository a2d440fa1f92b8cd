"""Checks that say what is wrong: ``check("gaussian_kl")`` after the cell in which it is defined."""

from __future__ import annotations

import difflib
import sys
from typing import Any

from course_lib.answers import LocalAnswer
from course_lib.checks import (
    amortized_inference,
    gradient_estimators,
    jensen_entropy_kl,
    latent_variable_models,
    start_here,
    variational_autoencoder,
    variational_inference,
)
from course_lib.checks.exercise import ClassExercise, Exercise, Question
from course_lib.checks.report import CheckFailed, Report
from course_lib.checks.review import review_answer

TOPICS: dict[str, tuple[Exercise | ClassExercise | Question, ...]] = {
    "00_start_here": start_here.EXERCISES,
    "01_latent_variable_models": latent_variable_models.EXERCISES,
    "02_jensen_entropy_kl": jensen_entropy_kl.EXERCISES,
    "03_variational_inference": variational_inference.EXERCISES,
    "04_amortized_inference": amortized_inference.EXERCISES,
    "05_policy_gradient_vs_reparameterization": gradient_estimators.EXERCISES,
    "06_variational_autoencoder": variational_autoencoder.EXERCISES,
}

_MISSING: Any = object()


def find_exercise(name: str, topic: str | None = None) -> Exercise | ClassExercise | Question:
    """Return the exercise of that name.

    Args:
        topic: the notebook it stands in; needed where several notebooks ask for the same name.

    Raises:
        KeyError: there is none, or more than one; the message names the remedy.
    """
    if topic is not None and topic not in TOPICS:
        raise KeyError(f"no notebook is called {topic!r}; they are {', '.join(TOPICS)}")
    looked_at = [topic] if topic else list(TOPICS)
    found = {t: exercise for t in looked_at for exercise in TOPICS[t] if exercise.name == name}
    if not found:
        known = {exercise.name for t in looked_at for exercise in TOPICS[t]}
        near = difflib.get_close_matches(name, known, n=1)
        raise KeyError(f"no exercise is called {name!r}" + (f": do you mean {near[0]!r}?" if near else ""))
    if len(found) > 1:
        raise KeyError(
            f"{name!r} is an exercise of several notebooks: say which with topic=, one of {', '.join(found)}"
        )
    return next(iter(found.values()))


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
    return Summary(tuple(reports))


class Summary:
    """The points of a notebook so far."""

    def __init__(self, reports: tuple[Report, ...]) -> None:
        self.reports = reports

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        words = {"right": "✓ right", "wrong": "✗ not right yet", "unanswered": "… not answered yet"}
        rows = [(r.exercise, words[r.status], f"{r.points} / {r.max_points}") for r in self.reports]
        earned, total = (sum(getattr(r, name) for r in self.reports) for name in ("points", "max_points"))
        return [*rows, ("in all", "", f"{earned} / {total}")]

    def __repr__(self) -> str:
        widths = [max(len(row[i]) for row in self._rows) for i in range(3)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in self._rows)

    def _repr_html_(self) -> str:
        body = "".join(
            f'<tr><td style="text-align:left">{name}</td><td style="text-align:left">{word}</td><td>{points}</td></tr>'
            for name, word, points in self._rows
        )
        return f"<table><tr><th>exercise</th><th>state</th><th>points</th></tr>{body}</table>"


def _show(report: Report) -> None:
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        display(report)
    else:
        print(report)


__all__ = ["TOPICS", "CheckFailed", "Report", "Summary", "check", "find_exercise", "review", "summary"]
