"""A fixed sample of what `make mutants` hands in: none passes that does something else, and what is told of one is true."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from course_lib.checker.exercise import Question
from course_lib.exercises import TOPICS

SCRIPT = Path(__file__).parents[2] / "scripts" / "mutants.py"
MOST = 4  # changes of each right answer; all of them take minutes


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("mutants_of_all", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


PLACES = [
    pytest.param(topic, index, id=f"{topic[:2]}-{exercise.name}")
    for topic, exercises in TOPICS.items()
    for index, exercise in enumerate(exercises)
    if not isinstance(exercise, Question)
]


@pytest.mark.parametrize(("topic", "index"), PLACES)
def test_a_changed_answer_is_rejected_or_does_the_same_and_what_is_told_is_true(script, topic, index):
    outcome = script.try_all(topic, index, MOST)
    assert outcome.counts["tried"] > 0
    assert outcome.let_pass == []
    assert outcome.untrue == []
