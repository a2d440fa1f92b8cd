"""What a wrong answer does, where nobody knows why: draws at random, ignores an input, mixes points, is off by a size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.compare import Case, Observation, difference, observe, reference_answer
from course_lib.checker.exercise import Diagnosis, Exercise, call_and_read

Seen = Sequence[tuple[Case, Observation]]


def behaviour(exercise: Exercise, answer: Answer, case: Case, mine: Observation) -> Diagnosis | None:
    """Call a wrong answer again, as it was and with one input changed at a time, and say what that shows."""
    if mine.failed or case.gradients:
        return None
    if not any(isinstance(arg, torch.Generator) for arg in case.args):
        again = observe(exercise, answer, case)
        if not again.failed and difference(exercise, again, mine) is not None:
            return Diagnosis(
                "own randomness",
                "Called twice with the same inputs, you return two different results: you draw random numbers of your own.",
            )
    if exercise.observe is not call_and_read:
        return None
    right = observe(exercise, reference_answer(exercise), case)
    for index, (name, arg) in enumerate(zip(exercise.inputs, case.args, strict=True)):
        if not isinstance(arg, Tensor) or not arg.is_floating_point() or arg.dim() == 0:
            continue
        moved = _with(case, index, arg * 1.05)
        if not _same(observe(exercise, reference_answer(exercise), moved), right) and _same(
            observe(exercise, answer, moved), mine
        ):
            return Diagnosis(f"{name} ignored", f"Your result does not depend on `{name}`.")
    for index, (name, arg) in enumerate(zip(exercise.inputs, case.args, strict=True)):
        if isinstance(arg, Tensor) and arg.is_floating_point() and arg.dim() > 0 and len(arg) > 1:
            first = arg.clone()
            first[0] = first[0] * 1.05
            moved = _with(case, index, first)
            if (
                _changed_rows(observe(exercise, reference_answer(exercise), moved), right) == [0]
                and len(_changed_rows(observe(exercise, answer, moved), mine)) > 1
            ):
                return Diagnosis(
                    "points mixed",
                    f"A change of `{name}` at the first point changes your values for others, too: each point of the "
                    "batch is on its own.",
                )
    return None


def _with(case: Case, index: int, arg: Tensor) -> Case:
    return Case((*case.args[:index], arg, *case.args[index + 1 :]))


def _same(one: Observation, other: Observation) -> bool:
    return (
        not one.failed
        and len(one.values) == len(other.values)
        and all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(one.values, other.values, strict=True))
    )


def _changed_rows(one: Observation, other: Observation) -> list[int]:
    """Return the rows in which two observations of one tensor each differ, none where that cannot be said."""
    if one.failed or len(one.values) != 1 or len(other.values) != 1 or one.values[0].shape != other.values[0].shape:
        return []
    a, b = one.values[0], other.values[0]
    if a.dim() == 0:
        return []
    return [i for i in range(len(a)) if not torch.allclose(a[i], b[i], rtol=1e-9, atol=1e-12, equal_nan=True)]


SIZED: tuple[tuple[str, Callable[[int], float]], ...] = (
    ("{n} times the expected ones", lambda n: n),
    ("the expected ones divided by {n}", lambda n: 1 / n),
    ("the expected ones times n/(n - 1), where n is {n}", lambda n: n / (n - 1) if n > 1 else math.nan),
    ("the expected ones times (n - 1)/n, where n is {n}", lambda n: (n - 1) / n),
    ("the expected ones times the square root of {n}", lambda n: n**0.5),
    ("the expected ones divided by the square root of {n}", lambda n: n**-0.5),
)
OFF: tuple[tuple[str, Callable[[int], float]], ...] = (
    ("too large by log n, where n is {n}", lambda n: math.log(n)),
    ("too small by log n, where n is {n}", lambda n: -math.log(n)),
    ("too large by ½ log 2π for each of {n}", lambda n: 0.5 * n * math.log(2 * math.pi)),
    ("too small by ½ log 2π for each of {n}", lambda n: -0.5 * n * math.log(2 * math.pi)),
    ("too large by ½ for each of {n}", lambda n: 0.5 * n),
    ("too small by ½ for each of {n}", lambda n: -0.5 * n),
    ("too large by 1 for each of {n}", lambda n: float(n)),
    ("too small by 1 for each of {n}", lambda n: -float(n)),
)


def off_by_a_size(exercise: Exercise, got: Seen, want: Sequence[Observation]) -> Diagnosis | None:
    """Recognise results that are off by a factor, or by a number, that is another one for every size of an input."""
    factors, offsets = [], []
    for (_, mine), right in zip(got, want, strict=True):
        if (
            mine.failed
            or len(mine.values) != 1
            or len(right.values) != 1
            or mine.values[0].shape != right.values[0].shape
        ):
            return None
        a, b = mine.values[0].detach().double(), right.values[0].detach().double()
        factors.append(_common(a / b))
        offsets.append(_common(a - b))
    for name, sizes in _sizes(exercise, [case for case, _ in got]):
        for found, rules in ((factors, SIZED), (offsets, OFF)):
            if any(value is None for value in found):
                continue
            for says, rule in rules:
                if all(math.isclose(v or 0.0, rule(n), rel_tol=1e-6) for v, n in zip(found, sizes, strict=True)):
                    told = says.format(n=name)
                    return Diagnosis(told, f"Your values are {told}.")
    return None


def _common(values: Tensor) -> float | None:
    """Return the one value that all entries have, or None."""
    if values.numel() == 0 or not bool(values.isfinite().all()):
        return None
    middle = values.mean().item()
    return middle if bool((values - middle).abs().max() < 1e-6 * (abs(middle) + 1e-3)) else None


def _sizes(exercise: Exercise, cases: Sequence[Case]) -> list[tuple[str, list[int]]]:
    """Return every size that differs between the cases, with a name: the last dimension of `x`."""
    found = []
    for index, name in enumerate(exercise.inputs):
        args: list[Any] = [case.args[index] for case in cases]
        if not all(isinstance(arg, Tensor) and arg.dim() == args[0].dim() for arg in args):
            continue
        for axis in range(-args[0].dim(), 0):
            sizes = [arg.shape[axis] for arg in args]
            if len(set(sizes)) > 1 and min(sizes) > 0:
                place = (
                    "the size of the last dimension" if axis == -1 else f"the size of dimension {axis + args[0].dim()}"
                )
                found.append((f"{place} of `{name}`", sizes))
    return found
