"""No answer is one call of the library: whatever a submission may call, with arguments rearranged, passes no check.

Every function that a submission may call while an answer is checked is tried as the answer: its parameters take the inputs of
the same name, and where there is none, inputs of other names, zeros, ones and functions that give them.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from course_lib.answers import LocalAnswer
from course_lib.checker.compare import difference, observe
from course_lib.checker.exercise import Exercise
from course_lib.checker.review import review_exercise
from course_lib.checker.stages import prepare
from course_lib.checks import TOPICS
from grading.sandbox.call_graph import asked_for, calls, is_function, offered, withheld

MOST = 60  # ways of giving a function its arguments
ROOMS = {full.rsplit(".", 1)[0] for topic in TOPICS for full in asked_for(topic).values()}
FUNCTIONS = sorted(
    full
    for full in calls()
    if full.rsplit(".", 1)[0] in ROOMS and full.count(".") == 2 and is_function(full) and "._" not in full
)


def wrapped(names: list[str], function: Callable[..., Any], way: tuple[Any, ...]) -> Callable[..., Any]:
    def answer(*args: Any) -> Any:
        given = dict(zip(names, args, strict=True))
        return function(*(pick(given) for pick in way))

    return answer


def _same(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda given: given[name]


def _like(name: str, make: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Any]], Any]:
    return lambda given: make(given[name])


def _constant(value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda given: value


def _giving(name: str, form: Callable[[Tensor], Any]) -> Callable[[dict[str, Any]], Any]:
    """A function, or network, that ignores its input."""
    return lambda given: lambda *_: form(given[name])


def ways(names: list[str], args: tuple[Any, ...], function: Callable[..., Any]) -> Iterator[tuple[Any, ...]]:
    """Yield ways in which a function's parameters may be given an answer's inputs."""
    tensors = [name for name, arg in zip(names, args, strict=True) if isinstance(arg, Tensor)]
    callables = [n for n, a in zip(names, args, strict=True) if callable(a) and not isinstance(a, Tensor)]
    plain = [n for n, a in zip(names, args, strict=True) if isinstance(a, int | float)]
    choices: list[list[Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in names:
            choices.append([_same(parameter.name)])
        elif parameter.default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY:
            break
        elif any(word in str(parameter.annotation) for word in ("Callable", "Decoder", "EncoderMap", "Module")):
            pair = [_giving(name, lambda one: (one, 0 * one)) for name in tensors[:2]]
            pair += [lambda given: lambda *_: tuple(t for t in given.values() if isinstance(t, Tensor))[1:3]]
            choices.append([*map(_same, callables), *pair, *(_giving(name, lambda one: one) for name in tensors)])
        elif "Tensor" in str(parameter.annotation):
            filled = [_like(n, make) for n in tensors for make in (torch.zeros_like, torch.ones_like, torch.exp)]
            choices.append([*map(_same, tensors), *map(_same, plain), *filled, _constant(1.0)])
        else:
            choices.append([*map(_same, plain), *map(_same, callables), _constant(0), _constant(1), _constant(-1)])
    yield from itertools.islice(itertools.product(*choices), MOST)


def passing(topic: str, exercise: Exercise) -> Iterator[str]:
    """Yield the functions by one call of which an exercise is passed."""
    stage, want = next(iter(prepare(exercise, None)))
    case, names = stage.cases[1], list(exercise.inputs)
    allowed = offered(topic, exercise.name)
    for full in FUNCTIONS:
        if full in withheld(topic) and full not in allowed:
            continue
        module, _, name = full.rpartition(".")
        function = getattr(import_module(module), name)
        for way in ways(names, case.args, function):
            for answer in (wrapped(names, function, way), _negated(wrapped(names, function, way))):
                got = observe(exercise, LocalAnswer(exercise.name, answer, 5), case)
                fits = not got.failed and not difference(exercise, got, want[1])
                if fits and review_exercise(exercise, LocalAnswer(exercise.name, answer, 20)).passed:
                    yield full


def _negated(answer: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: -answer(*args)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_exercise_is_passed_by_one_call_of_the_library(topic):
    for exercise in TOPICS[topic]:
        if isinstance(exercise, Exercise):
            with torch.random.fork_rng():
                assert not list(passing(topic, exercise)), exercise.name


def test_the_test_finds_such_calls(monkeypatch):
    """Where everything may be called, the known ones are found."""
    monkeypatch.setitem(globals(), "withheld", lambda topic: frozenset())
    found = {
        (topic, name): set(passing(topic, next(e for e in TOPICS[topic] if e.name == name)))
        for topic, name in (
            ("02_jensen_entropy_kl", "monte_carlo_kl"),
            ("02_jensen_entropy_kl", "monte_carlo_elbo"),
            ("03_variational_inference", "infer_q"),
        )
    }
    assert "course_lib.bounds.monte_carlo_elbo" in found["02_jensen_entropy_kl", "monte_carlo_kl"]
    assert "course_lib.distributions.monte_carlo_kl" in found["02_jensen_entropy_kl", "monte_carlo_elbo"]
    assert {"course_lib.per_point.improve_q", "course_lib.amortized.refine_q"} <= found[
        "03_variational_inference", "infer_q"
    ]
