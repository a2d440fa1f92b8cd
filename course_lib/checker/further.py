"""What an answer does on draws that no stage of its check uses: there a mistake that explains what was seen is confirmed.

On a few inputs two mistakes can look alike by chance: a determinant like its logarithm where only the largest counts. The
further draws are made as those of hidden tests are, from a seed that is no secret, and they are the same for every answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.compare import Case, Observation, difference, expected, observe, reference_answer
from course_lib.checker.exercise import Exercise
from course_lib.checker.stages import stages

FURTHER_SEED = 5_200
# Whole numbers, inf and NaN agree by chance: there one round of draws follows another until so many have been seen.
ROUNDS, ENOUGH_NUMBERS = 8, 100
GONE = ("time", "lost")  # failures after which an answer is not asked again


class Further:
    """An answer on further draws of one stage: called when somebody asks, once on each.

    Args:
        stage: the name of the stage whose inputs are drawn once more.
    """

    def __init__(self, exercise: Exercise, answer: Answer, stage: str) -> None:
        self._exercise, self._answer, self._stage = exercise, answer, stage
        self._seen: list[tuple[Case, Observation, Observation]] = []

    def __iter__(self) -> Iterator[tuple[Case, Observation, Observation]]:
        """Yield each case, what the answer does, and what is right."""
        place = 0
        for index in range(ROUNDS):
            for case, right in further_cases(self._exercise, self._stage, index):
                if place == len(self._seen):
                    if self._seen and _gone(self._seen[-1][1]):
                        return
                    self._seen.append((case, observe(self._exercise, self._answer, case), right))
                yield self._seen[place]
                place += 1
            seen = self._seen[:place]
            numbers = sum(value.numel() for _, mine, _ in seen for value in mine.values)
            if numbers >= ENOUGH_NUMBERS or any(_telling(mine, right) for _, mine, right in seen):
                return

    def confirm(self, implementation: Callable[..., Any]) -> bool:
        """Whether a known wrong answer does there, too, what this one does."""
        return all(
            not _gone(mine) and difference(self._exercise, mine, observed(self._exercise, implementation, case)) is None
            for case, mine, _ in self
        )


@functools.lru_cache(maxsize=500)
def further_cases(exercise: Exercise, stage: str, index: int) -> tuple[tuple[Case, Observation], ...]:
    """Return a round of further inputs for a stage, with what is right; none where an extreme is not fair there."""
    drawn = stages(exercise, FURTHER_SEED + 100 * index)
    cases = next((one.cases for one in drawn if one.name == stage), ())
    return tuple((case, expected(exercise, case)) for case in cases)


@functools.lru_cache(maxsize=10_000)
def observed(exercise: Exercise, implementation: Callable[..., Any], case: Case) -> Observation:
    """Observe a known answer; what it does on a case is asked again with every answer that is not explained."""
    return observe(exercise, reference_answer(exercise, implementation), case)


def _gone(mine: Observation) -> bool:
    return mine.failed is not None and mine.failed.kind in GONE


def _telling(mine: Observation, right: Observation) -> bool:
    """Whether a number is wrong in a way of its own: it is finite, and not a whole one."""
    for index, value in enumerate(mine.values):
        want = right.values[index] if index < len(right.values) else None
        if value.is_floating_point() and bool(
            (_wrong(value, want) & value.isfinite() & (value != value.round())).any()
        ):
            return True
    return False


def _wrong(value: Tensor, want: Tensor | None) -> Tensor:
    if want is None or want.shape != value.shape:
        return torch.ones_like(value, dtype=torch.bool)
    return ~torch.isclose(value.double().cpu(), want.double().cpu(), rtol=1e-4, atol=1e-6).to(value.device)
