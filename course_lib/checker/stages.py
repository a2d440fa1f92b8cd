"""The stages of a check: which inputs an answer meets, in which order, and what the reference gives for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from course_lib.checker.compare import Case, Observation, expected
from course_lib.checker.exercise import Exercise
from course_lib.checker.extremes import extremes
from course_lib.checker.probes import HIDDEN, ONE_DIMENSION, ONE_POINT, SHOWN, VISIBLE, Draw

VISIBLE_SEED = 20
PREPARED_CHECKS = 200


@dataclass(frozen=True)
class Stage:
    """Cases that are judged together, and what to say to an answer that only fails here."""

    name: str
    says: str
    cases: tuple[Case, ...]


def stages(exercise: Exercise, seed: int | None = None) -> Iterator[Stage]:
    """Yield the stages of a check in order; with a seed, on inputs the student has not seen."""
    hidden = seed is not None
    base = VISIBLE_SEED if seed is None else seed
    sizes = HIDDEN if hidden else VISIBLE

    def case(index: int, size: Any, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Case:
        rounded = 1 if size is SHOWN else None
        return Case(exercise.probe(Draw(base + index, size, dtype, device, rounded)))

    yield Stage("values", "", tuple(case(i, size) for i, size in enumerate(sizes)))
    yield Stage(
        "small sizes",
        "Right for larger inputs, but not for a batch of one or a dimension of one. "
        "Does a squeeze() without a dimension, or a broadcast, take it away?",
        (case(10, ONE_POINT), case(11, ONE_DIMENSION)),
    )
    yield Stage(
        "float32",
        "Right for float64 inputs, but not for float32: a tensor created inside takes dtype and device "
        "from its inputs.",
        tuple(case(20 + i, size, torch.float32) for i, size in enumerate(sizes)),
    )
    for i, edge in enumerate(exercise.edge_cases):
        draws = [Draw(base + 40 + i, size, decimals=1 if size is SHOWN else None) for size in sizes[:2]]
        yield Stage(edge.name, edge.says, tuple(Case(edge.probe(draw)) for draw in draws))
    for extreme in extremes(exercise, base + 80):
        yield Stage(extreme.name, extreme.says, (extreme.case,))
    if exercise.gradients:
        yield Stage(
            "gradients",
            "The values are right, but their gradients are not: compute with torch all the way, without "
            ".detach(), .item(), .data, torch.tensor(...) or torch.no_grad().",
            tuple(Case(exercise.probe(Draw(base + 60 + i, size)), exercise.gradients) for i, size in enumerate(sizes)),
        )


class _Prepared:
    """The stages of a check with what the reference gives for them, worked out once, as far as anybody has come."""

    def __init__(self, exercise: Exercise, seed: int | None) -> None:
        self.exercise = exercise
        # All of them now: an interrupt must not leave a check with fewer stages.
        self._stages = tuple(stages(exercise, seed))
        self._expected: list[list[Observation]] = []

    @property
    def first(self) -> Stage:
        return self._stages[0]

    def __iter__(self) -> Iterator[tuple[Stage, list[Observation]]]:
        for index, stage in enumerate(self._stages):
            if index == len(self._expected):
                self._expected.append([expected(self.exercise, case) for case in stage.cases])
            yield stage, self._expected[index]


_prepared: dict[tuple[int, int | None], _Prepared] = {}


def prepare(exercise: Exercise, seed: int | None) -> _Prepared:
    """Return the prepared check of an exercise; a class of submissions shares it."""
    key = id(exercise), seed
    if key not in _prepared or _prepared[key].exercise is not exercise:
        if len(_prepared) >= PREPARED_CHECKS:
            _prepared.pop(next(iter(_prepared)))
        _prepared[key] = _Prepared(exercise, seed)
    return _prepared[key]


def visible_cases(exercise: Exercise) -> tuple[Case, ...]:
    """Return the inputs that everyone's answer meets first."""
    return prepare(exercise, None).first.cases
