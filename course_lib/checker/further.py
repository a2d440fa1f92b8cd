"""What an answer does on draws that no stage of its check uses: there a mistake that explains what was seen is confirmed.

On a few inputs two mistakes can look alike by chance: a determinant like its logarithm where only the largest counts. The
further draws are made as those of hidden tests are, from a seed that is no secret, and they are the same for every answer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from course_lib.answers import Answer
from course_lib.checker.compare import Case, Observation, difference, observe, reference_answer
from course_lib.checker.exercise import Exercise
from course_lib.checker.stages import stages

FURTHER_SEED = 5_200
ROUNDS = 3  # of draws where results are whole numbers, which agree by chance; one where they are not
GONE = ("time", "lost")  # failures after which an answer is not asked again


class Further:
    """An answer on further draws of one stage: called when somebody asks, once on each.

    Args:
        stage: the name of the stage whose inputs are drawn once more.
    """

    def __init__(self, exercise: Exercise, answer: Answer, stage: str) -> None:
        self._exercise, self._answer, self._stage = exercise, answer, stage
        self._seen: list[tuple[Case, Observation]] = []

    def __iter__(self) -> Iterator[tuple[Case, Observation]]:
        for index in range(ROUNDS):
            cases = further_cases(self._exercise, self._stage, index)
            for place, case in enumerate(cases, index * len(cases)):
                if place == len(self._seen):
                    if self._seen and _gone(self._seen[-1][1]):
                        return
                    self._seen.append((case, observe(self._exercise, self._answer, case)))
                yield self._seen[place]
            if not all(_whole(mine) for _, mine in self._seen):
                return

    def confirm(self, implementation: Callable[..., Any]) -> bool:
        """Whether a known wrong answer does there, too, what this one does."""
        return all(
            not _gone(mine) and difference(self._exercise, mine, observed(self._exercise, implementation, case)) is None
            for case, mine in self
        )


@functools.lru_cache(maxsize=500)
def further_cases(exercise: Exercise, stage: str, index: int) -> tuple[Case, ...]:
    """Return a round of further inputs for a stage, none where an extreme of that name is not fair there."""
    drawn = stages(exercise, FURTHER_SEED + 100 * index)
    return next((one.cases for one in drawn if one.name == stage), ())


@functools.lru_cache(maxsize=10_000)
def observed(exercise: Exercise, implementation: Callable[..., Any], case: Case) -> Observation:
    """Observe a known answer; what it does on a case is asked again with every answer that is not explained."""
    return observe(exercise, reference_answer(exercise, implementation), case)


def _gone(mine: Observation) -> bool:
    return mine.failed is not None and mine.failed.kind in GONE


def _whole(mine: Observation) -> bool:
    exact = (value for value in mine.values if value.is_floating_point())
    return not any(bool((value.isfinite() & (value != value.round())).any()) for value in exact)
