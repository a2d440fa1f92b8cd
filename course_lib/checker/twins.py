"""Two classes held against each other: whatever a check asks of the one, the other is asked as well.

So a changed class that passes its check is known to do the same, or to be let pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import AnswerFailed, LocalAnswer, LocalInstance
from course_lib.checker.exercise import ClassExercise
from course_lib.checker.probes import HIDDEN, Draw

SEEDS = range(900, 903)


class _Different(Exception):
    """The two gave different results."""


class _Twins:
    """An instance that does everything twice and gives back what the first does."""

    def __init__(self, one: LocalInstance, other: LocalInstance) -> None:
        self._one, self._other = one, other

    def call(self, method: str, *args: Any) -> Any:
        here = [_own(arg) for arg in args]
        there = [_own(arg) for arg in args]
        result, twin = self._one.call(method, *here), self._other.call(method, *there)
        if not _alike(result, twin):
            raise _Different(method)
        return result

    def parameters(self) -> dict[str, Tensor]:
        return self._one.parameters()

    def set_parameters(self, values: dict[str, Tensor]) -> None:
        self._one.set_parameters(values)
        self._other.set_parameters(values)


class _TwinAnswer(LocalAnswer):
    def __init__(self, name: str, one: type, other: type) -> None:
        super().__init__(name, one)
        self._twin = LocalAnswer(name, other)

    def construct(self, *args: Any) -> Any:
        one, other = super().construct(*args), self._twin.construct(*args)
        if {k: v.shape for k, v in one.parameters().items()} != {k: v.shape for k, v in other.parameters().items()}:
            raise _Different("parameters")
        other.set_parameters({name: value.detach() for name, value in one.parameters().items()})
        return _Twins(one, other)


def _own(arg: Any) -> Any:
    if isinstance(arg, torch.Generator):
        return torch.Generator(arg.device).set_state(arg.get_state())
    return arg


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.allclose(
            one.double(), other.double(), rtol=1e-6, atol=1e-9, equal_nan=True
        )
    return isinstance(one, torch.nn.Module) or one == other


def does_the_same(exercise: ClassExercise, one: type, other: type) -> bool:
    """Whether two classes with the same parameters answer alike whatever the exercise's traits ask of them."""
    answer = _TwinAnswer(exercise.name, one, other)
    try:
        for trait in exercise.traits:
            for seed in SEEDS:
                trait.lacking(answer, Draw(seed, HIDDEN[seed % len(HIDDEN)]))
    except (_Different, AnswerFailed, AttributeError):
        return False
    return True
