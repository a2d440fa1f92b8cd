"""The test of the tests: every declared wrong answer is told what is wrong, every right one is accepted."""

from __future__ import annotations

import pytest
import torch

from course_lib.answers import LocalAnswer
from course_lib.checker.exercise import ClassExercise, Exercise, Question
from course_lib.checker.probes import HIDDEN, VISIBLE, Draw
from course_lib.checker.review import review_exercise
from course_lib.checks import TOPICS, review

HIDDEN_SEED = 31_337
ALL = [exercise for topic in TOPICS.values() for exercise in topic]
EXERCISES = [exercise for exercise in ALL if isinstance(exercise, Exercise)]
CLASSES = [exercise for exercise in ALL if isinstance(exercise, ClassExercise)]
QUESTIONS = [exercise for exercise in ALL if isinstance(exercise, Question)]


def _id(exercise):
    """Return a name for the test's report; two notebooks may ask for the same."""
    topic = next(topic for topic, exercises in TOPICS.items() if any(exercise is known for known in exercises))
    return f"{topic[:2]}-{exercise.name}"


by_name = pytest.mark.parametrize("exercise", EXERCISES, ids=_id)
of_any_kind = pytest.mark.parametrize("exercise", EXERCISES + CLASSES, ids=_id)
seeds = pytest.mark.parametrize("seed", [None, HIDDEN_SEED], ids=["visible", "hidden"])


def _all(attribute: str) -> list[object]:
    return [
        pytest.param(exercise, item, id=f"{_id(exercise)}-{getattr(item, 'name', i)}".replace(" ", "_"))
        for exercise in (EXERCISES if attribute == "properties" else EXERCISES + CLASSES)
        for i, item in enumerate(getattr(exercise, attribute))
    ]


@seeds
@of_any_kind
def test_the_reference_is_right(exercise, seed):
    report = review_exercise(exercise, LocalAnswer(exercise.name, exercise.reference), seed)
    assert report.passed, str(report)


@seeds
@pytest.mark.parametrize(("exercise", "alternative"), _all("alternatives"))
def test_a_right_answer_written_differently_is_accepted(exercise, alternative, seed):
    report = review_exercise(exercise, LocalAnswer(exercise.name, alternative), seed)
    assert report.passed, str(report)


@seeds
@pytest.mark.parametrize(("exercise", "misconception"), _all("misconceptions"))
def test_a_misconception_is_rejected_with_its_own_sentence(exercise, misconception, seed):
    report = review_exercise(exercise, LocalAnswer(exercise.name, misconception.answer), seed)
    assert report.status == "wrong"
    assert report.points == 0
    assert report.misconception == misconception.name, str(report)
    assert misconception.says in report.sentences


@of_any_kind
def test_there_are_enough_misconceptions_with_distinct_sentences(exercise):
    assert len(exercise.misconceptions) >= 5
    assert len({m.says for m in exercise.misconceptions}) == len(exercise.misconceptions)
    assert len({m.name for m in exercise.misconceptions}) == len(exercise.misconceptions)


@pytest.mark.parametrize(("exercise", "rule"), _all("properties"))
def test_a_property_holds_for_the_reference_and_fails_for_a_wrong_answer(exercise, rule):
    answer = LocalAnswer(exercise.name, exercise.reference)
    for seed in range(20):
        assert rule.violated(answer, Draw(seed)) is None
    assert any(_violates(rule, exercise, wrong.answer) for wrong in exercise.misconceptions)


def _violates(rule, exercise, implementation):
    try:
        return rule.violated(LocalAnswer(exercise.name, implementation), Draw(5)) is not None
    except Exception:
        return True


@by_name
def test_probes_are_not_degenerate(exercise):
    for seed in range(5):
        for sizes in (*VISIBLE, *HIDDEN):
            rounded = 1 if sizes is VISIBLE[0] else None
            for name, arg in zip(exercise.inputs, exercise.probe(Draw(seed, sizes, decimals=rounded)), strict=True):
                if not isinstance(arg, torch.Tensor) or not arg.is_floating_point():
                    continue
                assert bool(arg.isfinite().all())
                assert arg.numel() == 1 or arg.std() > 0.01, f"{name} is constant"
                if name.startswith("sigma"):
                    assert not bool((arg - 1).abs().min() < 0.05), f"{name} is near one, where squares hide"
                if name in ("weights", "probs"):
                    assert bool((arg > 0).all())
                if rounded is None and name != "mask":  # which is zeros and ones
                    assert not bool((arg == 0).any()), f"{name} has a zero"


@pytest.mark.parametrize("sizes", [*VISIBLE, *HIDDEN], ids=str)
def test_sizes_of_a_probe_all_differ(sizes):
    values = list(vars(sizes).values())
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_a_question_says_something_to_every_option(question):
    assert 3 <= len(question.options) <= 5
    for option, sentence in question.options.items():
        report = review(question.name, option)
        assert report.passed == (option == question.correct)
        assert report.sentences == (sentence,)
        assert report.points == (question.points if report.passed else 0)


def test_every_trait_is_lacked_by_a_misconception():
    for exercise in CLASSES:
        assert {trait.name: trait.says for trait in exercise.traits} == {
            wrong.name: wrong.says for wrong in exercise.misconceptions
        }


def test_names_are_unique_in_a_notebook_and_every_notebook_has_points():
    for topic in TOPICS.values():
        names = [exercise.name for exercise in topic]
        assert len(names) == len(set(names))
        assert sum(exercise.points for exercise in topic) > 0
