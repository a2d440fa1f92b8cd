"""Checks that say what is wrong: ``check("gaussian_kl")`` after the cell in which it is defined."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from course_lib.answers import LocalAnswer
from course_lib.carried import review_on_parts
from course_lib.checker.attempts import best_line
from course_lib.checker.certificate import Certificate, keep
from course_lib.checker.certificate import certificate as _certificate
from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checker.history import stale
from course_lib.checker.report import CheckFailed, Note, Report, Summary
from course_lib.checker.review import review_answer
from course_lib.exercises import TOPICS, find_exercise
from course_lib.phrases import say

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
    """Check an answer and show the report.

    Where somebody sits in front of the notebook, it goes on after a wrong answer, so that *Run All* reaches the end.
    Where a program runs it (Validate, nbgrader, nbval), a wrong answer fails the cell.

    Args:
        name: the exercise's name. The answer is what the notebook calls by that name.
        answer: something else to check instead.
        seed: for the hidden tests: other inputs, and a report only where they find a mistake.
        topic: the notebook, where several ask for the same name.

    Raises:
        CheckFailed: the answer is not right, or not there yet, and nobody is there to read the report.
    """
    exercise = find_exercise(name, topic)
    if answer is _MISSING:
        report = _Notebook(sys._getframe(1).f_globals).report(exercise, _topic_of(exercise), seed)
    else:
        report = review_answer(exercise, LocalAnswer(name, answer), seed)
    if seed is None or not report.passed:
        _show(report)
    if not report.passed and not somebody_is_there():
        raise CheckFailed(report)


def using(name: str, *, topic: str | None = None) -> Any:
    """Return the student's answer for a demonstration if it is right, else the course's own, and say so.

    A demonstration so waits for no exercise: ``elbo = using("per_point_elbo")``.

    Args:
        name: the exercise's name.
        topic: the notebook, where several ask for the same name.
    """
    exercise = find_exercise(name, topic)
    if isinstance(exercise, Question):
        raise TypeError(f"{name} is a question: using() is for functions and classes")
    notebook = _Notebook(sys._getframe(1).f_globals)
    report = notebook.report(exercise, _topic_of(exercise))
    if report.passed and not notebook.blamed(exercise, _topic_of(exercise)):
        return notebook.namespace[name]
    lacks = "unanswered" if report.status == "unanswered" else "wrong"
    _show(Note(say(f"using.{lacks}", name=name)))
    return exercise.reference


def summary(topic: str) -> Summary:
    """Check every exercise of a notebook again and return the points so far, as a table."""
    notebook = _Notebook(sys._getframe(1).f_globals)
    found = Summary(tuple(notebook.report(exercise, topic) for exercise in TOPICS[topic]), best_line(topic))
    if somebody_is_there():
        keep(topic, found)
    return found


def certificate(topic: str = "12_comparing_models") -> Certificate:
    """Return the page of the whole course: what was learned, and the points that summaries left beside this notebook.

    Args:
        topic: the notebook that shows it.
    """
    return _certificate(topic, tuple(TOPICS))


class _Notebook:
    """The answers in a notebook's namespace, each checked once."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self._reports: dict[tuple[str, int | None], Report] = {}

    def report(self, exercise: Exercise | ClassExercise | Question, topic: str, seed: int | None = None) -> Report:
        """Check the answer to an exercise, with the parts that it stands on."""
        key = exercise.name, seed
        if key not in self._reports:
            self._reports[key] = self._review(exercise, topic, seed)
        return self._reports[key]

    def _review(self, exercise: Exercise | ClassExercise | Question, topic: str, seed: int | None) -> Report:
        name = exercise.name
        if name not in self.namespace:
            says = f"There is no {name} in this notebook yet: run the cell above that defines it, then this one again."
            return Report(name, 0, exercise.points, "unanswered", (says,))
        older = stale(name)
        if older is not None:
            return Report(name, 0, exercise.points, "unanswered", (older,))
        return review_on_parts(exercise, topic, LocalAnswer(name, self.namespace[name]), self._passes(topic), seed=seed)

    def blamed(self, exercise: Exercise | ClassExercise, topic: str) -> bool:
        """Whether an answer that has its points stands on a part that is wrong, and gives wrong values so far."""
        return not review_answer(exercise, LocalAnswer(exercise.name, self.namespace[exercise.name])).passed

    def _passes(self, topic: str) -> Callable[[str], bool]:
        def passes(name: str) -> bool:
            return self.report(next(e for e in TOPICS[topic] if e.name == name), topic).passed

        return passes


def _topic_of(exercise: Exercise | ClassExercise | Question) -> str:
    return next(topic for topic, exercises in TOPICS.items() if any(exercise is other for other in exercises))


def somebody_is_there() -> bool:
    """Whether a person runs the notebook: front ends say that they can answer ``input()``, programs that they cannot."""
    kernel = getattr(_shell(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def _shell() -> Any:
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _show(thing: Report | Note) -> None:
    if _shell() is not None:
        from IPython.display import display

        display(thing)
    else:
        print(thing)


__all__ = [
    "TOPICS",
    "CheckFailed",
    "Report",
    "Summary",
    "certificate",
    "check",
    "find_exercise",
    "review",
    "summary",
    "using",
]
