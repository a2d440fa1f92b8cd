"""Wrong answers are looked up by two numbers each: these are up to date, lead to the right sentence, and can be missing."""

from __future__ import annotations

import time

import pytest
import torch
from torch.distributions import Normal

from course_lib.answers import LocalAnswer
from course_lib.checker import bank
from course_lib.checker.bank import BANK_FILE, alike, fingerprint, key
from course_lib.checker.candidates import candidates
from course_lib.checker.compare import Observation, observe
from course_lib.checker.exercise import Exercise
from course_lib.checker.review import review_exercise
from course_lib.checker.stages import visible_cases
from course_lib.checks import TOPICS, review

EXERCISES = [exercise for topic in TOPICS.values() for exercise in topic if isinstance(exercise, Exercise)]
KILOBYTES = 300


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: f"{exercise.name}")
def test_the_bank_holds_every_candidate_of_an_exercise_as_it_stands_now(exercise):
    kept = bank._read(BANK_FILE)
    assert key(exercise) in kept, "run `make build`: the sources of this exercise have changed"
    known = candidates(exercise)
    assert len(kept[key(exercise)]) == len(known)
    place = len(known) // 2
    answer = LocalAnswer(exercise.name, known[place].answer, 5.0)
    seen = [observe(exercise, answer, case) for case in visible_cases(exercise)]
    found = alike(exercise, seen)
    assert found is None or place in found


def test_the_bank_is_small():
    assert BANK_FILE.stat().st_size < 1024 * KILOBYTES


def test_a_fingerprint_tells_values_apart_by_size_and_place_and_bears_what_is_not_finite():
    one, other = torch.tensor([1.0, 2.0, torch.nan]), torch.tensor([2.0, 1.0, torch.inf])
    marks = [fingerprint([Observation((values,))]) for values in (one, other, one * 1e38)]
    assert all(mark is not None and bool(mark.isfinite().all()) for mark in marks)
    assert not torch.allclose(marks[0], marks[1])
    assert fingerprint([Observation(())]) is None


def wrong_distance(x, mu, sigma):
    return Normal(-mu, sigma).log_prob(x).sum(-1)


@pytest.mark.parametrize("there", [True, False], ids=["bank", "no bank"])
def test_the_sentence_is_the_same_where_the_bank_is_missing(monkeypatch, tmp_path, there):
    if not there:
        monkeypatch.setattr(bank, "BANK_FILE", tmp_path / "mistakes.npz")
    report = review("gaussian_log_prob", wrong_distance)
    assert "The term with `mu` enters with the wrong sign." in str(report)


def test_a_broken_bank_stops_no_check(monkeypatch, tmp_path):
    (tmp_path / "mistakes.npz").write_bytes(b"PK\x03\x04 no archive")
    monkeypatch.setattr(bank, "BANK_FILE", tmp_path / "mistakes.npz")
    assert "enters with the wrong sign" in str(review("gaussian_log_prob", wrong_distance))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: f"{exercise.name}")
def test_a_wrong_answer_that_nobody_knows_is_judged_in_half_a_second(exercise):
    def unknown(*args):
        result = exercise.reference(*args)
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            return result + 0.1234 * (result.detach().double().abs().sqrt() + 0.1).to(result)
        return result

    review_exercise(exercise, LocalAnswer(exercise.name, exercise.reference))  # the probes are drawn once a session
    began = time.process_time()
    review_exercise(exercise, LocalAnswer(exercise.name, unknown))
    assert time.process_time() - began < 1.5  # 0.5 s on an idle core; the clock of a shared one is no exact measure
