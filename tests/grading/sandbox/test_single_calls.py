"""No answer is one call of the library: whatever a submission may call, with arguments rearranged, passes no check.

Every function that a submission may call while an answer is checked is tried as the answer: its parameters take the inputs of
the same name, and where there is none, inputs of other names, zeros, ones and functions that give them.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from course_lib.answers import LocalAnswer
from course_lib.checker.compare import Case, Observation, difference, observe
from course_lib.checker.exercise import Exercise, call_and_read
from course_lib.checker.review import review_exercise
from course_lib.checker.stages import prepare
from course_lib.checks import TOPICS
from grading.sandbox.call_graph import asked_for, calls, is_function, offered, withheld

MOST, MOST_SLOW = 24, 4  # ways of giving a function its arguments; the second where an answer is called many times
# Right answers, by what earlier notebooks built: each is as short where the student writes it out.
RIGHT = {
    "gaussian_entropy": {"gaussian_log_prob"},  # minus the log-density one sigma from the mean
    "kl_to_standard_normal": {"gaussian_kl"},  # as the notebook says: that of notebook 02, to N(0, 1)
    "importance_weighted_bound": {"log_mean_exp"},
    "change_of_variables": {"amortization_gap", "beta_elbo", "objective_gap"},  # one difference
}
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


def _is_stack(arg: Any) -> bool:
    return isinstance(arg, Tensor) and arg.dim() >= 3


def _inner_zeros(stack: Tensor) -> Tensor:
    """Zeros in the shape of what is stacked, such as a code for each point where noise is given for samples of them."""
    return torch.zeros_like(stack.flatten(0, -3)[0])


def ways(names: list[str], args: tuple[Any, ...], function: Callable[..., Any], most: int) -> Iterator[tuple[Any, ...]]:
    """Yield ways in which a function's parameters may be given an answer's inputs."""
    tensors = [name for name, arg in zip(names, args, strict=True) if isinstance(arg, Tensor)]
    callables = [n for n, a in zip(names, args, strict=True) if callable(a) and not isinstance(a, Tensor)]
    plain = [n for n, a in zip(names, args, strict=True) if isinstance(a, int | float)]
    choices: list[list[Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in callables:  # whatever it is called here, it may be another there
            choices.append([_same(parameter.name), *(_same(name) for name in callables if name != parameter.name)])
        elif parameter.name in names:
            choices.append([_same(parameter.name)])
        elif parameter.default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY:
            break
        elif any(word in str(parameter.annotation) for word in ("Callable", "Decoder", "EncoderMap", "Module")):
            stacks = [n for n, arg in zip(names, args, strict=True) if _is_stack(arg)]
            pair = [_giving(name, lambda one: (_inner_zeros(one), _inner_zeros(one))) for name in stacks]
            pair += [_giving(name, lambda one: (one, 0 * one)) for name in tensors[:2]]
            pair += [lambda given: lambda *_: tuple(t for t in given.values() if isinstance(t, Tensor))[1:3]]
            choices.append([*map(_same, callables), *pair, *(_giving(name, lambda one: one) for name in tensors)])
        elif "Tensor" in str(parameter.annotation):
            filled = [_like(n, _inner_zeros) for n, arg in zip(names, args, strict=True) if _is_stack(arg)]
            filled += [_like(n, make) for n in tensors for make in (torch.zeros_like, torch.ones_like, torch.exp)]
            choices.append([*map(_same, tensors), *map(_same, plain), *filled, _constant(1.0)])
        else:
            choices.append([*map(_same, plain), *map(_same, callables), _constant(0), _constant(1), _constant(-1)])
    yield _in_order(tensors, list(inspect.signature(function).parameters.values())[: len(choices)], choices)
    for number in range(max(map(len, choices), default=0)):  # the same for all of a kind
        yield tuple(some[min(number, len(some) - 1)] for some in choices)
    every = list(itertools.islice(itertools.product(*choices), 2000))
    yield from every[: most // 2]
    yield from every[most // 2 :: max(1, 2 * len(every) // most)]


def _in_order(tensors: list[str], parameters: list[inspect.Parameter], choices: list[list[Any]]) -> tuple[Any, ...]:
    """The inputs as they come, sigma for its logarithm; and a standard normal for what is left."""
    waiting, chosen = [name for name in tensors if name not in {p.name for p in parameters}], []
    for parameter, some in zip(parameters, choices, strict=True):
        if parameter.name in tensors or "Tensor" not in str(parameter.annotation):
            chosen.append(some[0])
        elif waiting:
            name = waiting.pop(0)
            chosen.append(_like(name, torch.exp) if name.startswith("log_") else _same(name))
        elif tensors:
            chosen.append(_like(tensors[0], torch.ones_like if "sigma" in parameter.name else torch.zeros_like))
        else:
            chosen.append(some[0])
    return tuple(chosen)


def passing(topic: str, exercise: Exercise) -> Iterator[str]:
    """Yield the functions by one call of which an exercise is passed."""
    stage, want = next(iter(prepare(exercise, None)))
    case, names = stage.cases[1], list(exercise.inputs)
    allowed = offered(topic, exercise.name)
    most = MOST if exercise.observe is call_and_read else MOST_SLOW
    for full in FUNCTIONS:
        if full in withheld(topic) and full not in allowed:
            continue
        module, _, name = full.rpartition(".")
        function = getattr(import_module(module), name)
        if "nn." in str(inspect.signature(function).return_annotation):
            continue  # a network, which answers nothing by itself, and as wide as there are samples takes seconds to make
        answers = (wrapped(names, function, way) for way in ways(names, case.args, function, most))
        seemly = (answer for answer in answers if _looks_right(exercise, answer, case))
        forms = (form for answer in seemly for form in (answer, _then(answer, "neg"), _then(answer, "mean")))
        if any(_passes(exercise, form, case, want[1]) for form in forms):
            yield full


def _looks_right(exercise: Exercise, answer: Callable[..., Any], case: Case) -> bool:
    """Whether an answer gives as many tensors as it should, where that is how it is observed."""
    if exercise.observe is not call_and_read:
        return True
    try:
        result = answer(*(copy.deepcopy(arg) if callable(arg) else arg for arg in case.args))
    except Exception:
        return False
    return len(result if isinstance(result, tuple) else (result,)) == len(exercise.returns)


def _passes(exercise: Exercise, answer: Callable[..., Any], case: Case, want: Observation) -> bool:
    got = observe(exercise, LocalAnswer(exercise.name, answer, 5), case)
    if got.failed or difference(exercise, got, want):
        return False
    return review_exercise(exercise, LocalAnswer(exercise.name, answer, 20)).passed


def _then(answer: Callable[..., Any], method: str) -> Callable[..., Any]:
    return lambda *args: getattr(answer(*args), method)()


@pytest.mark.parametrize("topic", TOPICS)
def test_no_exercise_is_passed_by_one_call_of_the_library(topic):
    for exercise in TOPICS[topic]:
        if isinstance(exercise, Exercise):
            with torch.random.fork_rng():
                found = {full.rpartition(".")[2] for full in passing(topic, exercise)}
            assert found == RIGHT.get(exercise.name, set()), exercise.name


def test_the_test_finds_such_calls(monkeypatch):
    """Where everything may be called, the known ones are found."""
    monkeypatch.setitem(globals(), "withheld", lambda topic: frozenset())
    found = {
        (topic, name): set(passing(topic, next(e for e in TOPICS[topic] if e.name == name)))
        for topic, name in (
            ("02_jensen_entropy_kl", "monte_carlo_kl"),
            ("03_variational_inference", "infer_q"),
        )
    }
    assert "course_lib.bounds.monte_carlo_elbo" in found["02_jensen_entropy_kl", "monte_carlo_kl"]
    assert {"course_lib.per_point.improve_q", "course_lib.amortized.refine_q"} <= found[
        "03_variational_inference", "infer_q"
    ]
