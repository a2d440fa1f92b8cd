"""Extremes that follow from what an input means: scales that are all small or all large, logarithms that lie far apart.

A right answer survives them, as logarithms do where the numbers themselves are lost. What a declared right answer does
not survive is not asked of anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.checker.compare import Case, difference, expected, observe, reference_answer
from course_lib.checker.exercise import Exercise, call_and_read
from course_lib.checker.probes import MANY, Draw

LOGARITHMS = ("logits", "log_values", "log_weights", "log_joint", "log_likelihood")
APART = 2000.0  # factor on what is drawn with spread one: exp of it is 0 or inf, and so it is of what rows differ by


@dataclass(frozen=True)
class Extreme:
    """A case far from the usual ones, and what to say to an answer that only fails there."""

    name: str
    says: str
    case: Case


def extremes(exercise: Exercise, seed: int) -> Iterator[Extreme]:
    """Yield the extremes of an exercise that its reference and its declared right answers survive."""
    if exercise.observe is not call_and_read:
        return
    for extreme in (*_scales(exercise, seed), *_logarithms(exercise, seed)):
        if _fair(exercise, extreme.case):
            yield extreme


def _scales(exercise: Exercise, seed: int) -> Iterator[Extreme]:
    plain = exercise.probe(Draw(seed, MANY))
    for name, scale, kind in (("narrow", 0.05, "small"), ("wide", 20.0, "large")):
        args = exercise.probe(Draw(seed, MANY, scale=scale))
        moved = [
            f"`{told}`"
            for told, one, other in zip(exercise.inputs, args, plain, strict=True)
            if isinstance(one, Tensor) and not torch.equal(one, other)
        ]
        if moved:
            yield Extreme(
                name,
                f"Right for a few moderate numbers, but not for many that are all {kind}: {', '.join(moved)}. A product of "
                "many numbers under- or overflows where the sum of their logarithms does not.",
                Case(args),
            )


def _logarithms(exercise: Exercise, seed: int) -> Iterator[Extreme]:
    args = exercise.probe(Draw(seed))
    logs = [
        name for name, arg in zip(exercise.inputs, args, strict=True) if name in LOGARITHMS and isinstance(arg, Tensor)
    ]
    if logs:
        names = ", ".join(f"`{name}`" for name in logs)
        far = tuple(_far(arg) if name in logs else arg for name, arg in zip(exercise.inputs, args, strict=True))
        yield Extreme(
            "far apart",
            f"Right for moderate numbers, but not where {names} lie hundreds apart: exp of such numbers is 0 or inf. Stay "
            "with logarithms, or take away the largest first, for each row its own.",
            Case(far),
        )


def _far(values: Tensor) -> Tensor:
    """Spread numbers over thousands, and put each row, and each column, thousands below the one before."""
    for axis, size in enumerate(values.shape):
        steps = torch.arange(size, dtype=values.dtype).view(*(size if i == axis else 1 for i in range(values.dim())))
        values = values - steps
    return values * APART


def _fair(exercise: Exercise, case: Case) -> bool:
    want = expected(exercise, case)
    if not all(bool(value.isfinite().all()) for value in want.values):
        return False
    return all(
        difference(exercise, observe(exercise, reference_answer(exercise, right), case), want) is None
        for right in exercise.alternatives
    )
