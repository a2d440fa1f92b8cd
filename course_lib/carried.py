"""Mistakes carried forward: an answer that calls another one of the student's is judged by what is its own.

A right ``ascend_q`` on top of a wrong ``per_point_elbo`` gives wrong values. It is checked once more with the reference
in the place of the part that is wrong; if it passes then, it has its points, and the student is told which part to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from course_lib.answers import Answer
from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checker.report import Report
from course_lib.checker.review import review_answer
from course_lib.exercises import TOPICS
from course_lib.phrases import say

Part = Exercise | ClassExercise


def parts_of(exercise: Part | Question, topic: str) -> dict[str, Part]:
    """Return what an answer may be built from, by name: the exercises before it in its notebook."""
    before: dict[str, Part] = {}
    for other in TOPICS[topic]:
        if other is exercise:
            break
        if not isinstance(other, Question):
            before[other.name] = other
    return before


def review_on_parts(
    exercise: Part | Question,
    topic: str,
    answer: Answer,
    passes: Callable[[str], bool],
    lend: Callable[[Part], Any] = lambda part: part.reference,
    seed: int | None = None,
    plain: Report | None = None,
) -> Report:
    """Check an answer; if it is wrong and stands on wrong parts, check what is its own.

    Args:
        topic: the exercise's notebook.
        passes: whether the student's answer to another exercise of the notebook is right.
        lend: what stands in for a part.
        plain: the report on the answer as it stands, where that is known already.
    """
    report = plain or review_answer(exercise, answer, seed)
    if report.passed or isinstance(exercise, Question):
        return report
    parts = parts_of(exercise, topic)
    wrong = [name for name in answer.reaches(parts) if not passes(name)]
    if not wrong:
        return report
    own = review_answer(exercise, answer.standing_in({name: lend(parts[name]) for name in wrong}), seed)
    named = f" {say('half.and')} ".join(f"`{name}`" for name in wrong)
    count = "one" if len(wrong) == 1 else "several"
    if own.passed:
        return replace(own, sentences=(say(f"carried.right_{count}", named=named),))
    if own.status == "unanswered":
        return own
    return replace(own, sentences=(*own.sentences, say(f"carried.checked_{count}", named=named)))
