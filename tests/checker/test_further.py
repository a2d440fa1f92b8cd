"""A mistake is told if the answer makes it on draws, too, that its check does not use; what happens there stops no check."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from course_lib.answers import LocalAnswer
from course_lib.checker import bank
from course_lib.checker.compare import Case
from course_lib.checker.exercise import Misconception
from course_lib.checker.further import ENOUGH_NUMBERS, Further, further_cases
from course_lib.checker.probes import VISIBLE
from course_lib.checker.review import review_exercise
from course_lib.checks import find_exercise

ENTROPY = find_exercise("gaussian_entropy")
SEEN = {(sizes.batch, sizes.dim) for sizes in VISIBLE}
SIGN = "The sign is flipped"


def elsewhere(function):
    """Minus the entropy on the sizes seen first, something else on others."""
    return lambda sigma: -ENTROPY.reference(sigma) if tuple(sigma.shape) in SEEN else function(sigma)


def raises(sigma):
    raise IndexError("only a few sizes were thought of")


def endless(sigma):
    while True:
        time.sleep(0.001)


def review(answer, exercise=ENTROPY, seconds=20.0):
    return review_exercise(exercise, LocalAnswer(exercise.name, answer, seconds))


def test_a_mistake_that_is_made_everywhere_is_told():
    assert SIGN in str(review(lambda sigma: -ENTROPY.reference(sigma)))


@pytest.mark.parametrize(
    "other",
    [lambda sigma: 1.7 * ENTROPY.reference(sigma), lambda sigma: sigma, raises, lambda sigma: None],
    ids=["another mistake", "another shape", "an error", "nothing returned"],
)
def test_a_mistake_on_the_inputs_seen_alone_is_not_told(other):
    report = review(elsewhere(other))
    assert not report.passed
    assert SIGN not in str(report)
    assert report.misconception != "sign"


@pytest.mark.parametrize("seed", [None, 4242], ids=["visible", "hidden"])
def test_an_offset_on_the_inputs_judged_alone_is_not_told(seed):
    first = []

    def off(sigma):
        first.append(tuple(sigma.shape))
        return ENTROPY.reference(sigma) + (1.0 if len(first) <= 3 else len(first))

    report = review_exercise(ENTROPY, LocalAnswer(ENTROPY.name, off), seed)
    assert not report.passed
    assert "constant" not in (report.misconception or "")


def test_an_answer_that_never_ends_elsewhere_is_asked_once():
    answer = LocalAnswer(ENTROPY.name, elsewhere(endless), 0.3)
    further = Further(ENTROPY, answer, "values")
    assert len(list(further)) == 1
    assert not further.confirm(endless)
    assert SIGN not in str(review(elsewhere(endless), seconds=0.3))


def test_of_two_mistakes_that_do_the_same_on_the_inputs_seen_the_one_that_does_elsewhere_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(bank, "BANK_FILE", tmp_path / "none.npz")  # it knows the declared mistakes alone
    first = Misconception("first", "That is the first.", elsewhere(lambda sigma: sigma.sum(-1)))
    second = Misconception("second", "That is the second.", lambda sigma: -ENTROPY.reference(sigma))
    exercise = replace(ENTROPY, misconceptions=(first, second))
    for known in (first, second):
        assert review(known.answer, exercise).misconception == known.name


def test_a_right_answer_is_called_on_no_further_draw():
    asked: list[tuple[int, ...]] = []

    def right(sigma):
        asked.append(tuple(sigma.shape))
        return ENTROPY.reference(sigma)

    assert review(right).passed
    drawn = {tuple(case.args[0].shape) for case, _ in further_cases(ENTROPY, "values", 0)}
    assert drawn.isdisjoint(asked)


def test_whole_numbers_and_what_is_no_number_are_asked_for_more_often():
    def draws(function):
        answer = LocalAnswer(ENTROPY.name, function)
        return sum(observation.values[0].numel() for _, observation, _ in Further(ENTROPY, answer, "values"))

    once = draws(lambda sigma: -ENTROPY.reference(sigma))
    assert once == sum(len(case.args[0]) for case, _ in further_cases(ENTROPY, "values", 0)) < ENOUGH_NUMBERS
    for function in (lambda sigma: sigma.sum(-1).round(), lambda sigma: sigma.sum(-1) * torch.inf):
        assert draws(function) >= ENOUGH_NUMBERS


def test_further_draws_are_the_same_for_every_answer_and_not_those_of_a_hidden_test():
    one, other = (further_cases(ENTROPY, "gradients", index) for index in (0, 1))
    assert all(isinstance(case, Case) and case.gradients == ENTROPY.gradients for case, _ in one)
    assert further_cases(ENTROPY, "gradients", 0) is one
    assert not torch.equal(one[0][0].args[0], other[0][0].args[0])
