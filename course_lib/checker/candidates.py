"""Every wrong answer that a check knows of an exercise, the most particular first, each with its sentence.

Besides the exercise's own misconceptions: slips that can happen in any exercise, on the way in (a standard deviation read
as a variance) and on the way out (a sign, a mean for a sum); every program that differs by one change from a right one; the
misconceptions of the exercises that it is built from; and a mistake with a slip on top.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from course_lib.checker.exercise import Diagnosis, Exercise, call_and_read
from course_lib.checker.mutants import mutants

DRAWS = 1.0  # a tolerance of statistics of many draws: too wide to tell one change from another


@dataclass(frozen=True)
class Candidate:
    """A wrong answer, what to say to it, and where it comes from."""

    diagnosis: Diagnosis
    answer: Callable[..., Any]
    kind: Literal["declared", "slip", "change", "both"]


@functools.lru_cache(maxsize=500)
def candidates(exercise: Exercise) -> tuple[Candidate, ...]:
    """Return the wrong answers that are known of an exercise, in the order in which they are to be believed."""
    own = [Candidate(Diagnosis(m.name, m.says), m.answer, "declared") for m in exercise.misconceptions]
    direct = exercise.observe is call_and_read
    ways_in = list(_input_slips(exercise)) if direct else []
    ways_out = list(_output_slips(exercise)) if direct else []
    slips = [Candidate(slip, function, "slip") for slip, function in ways_in]
    slips += [Candidate(slip, _after(exercise.reference, change), "slip") for slip, change in ways_out]
    both = [
        Candidate(_two(first.diagnosis, slip), _after(first.answer, change), "both")
        for first in (*own, *slips[: len(ways_in)])
        for slip, change in ways_out
    ]
    return (*own, *slips, *_one_change(exercise), *both)


def known_answers(exercise: Exercise, name: str) -> list[Callable[..., Any]]:
    """Return the wrong answers that are told by this name: what a diagnosis claims, to be held against an answer."""
    return [candidate.answer for candidate in candidates(exercise) if candidate.diagnosis.name == name]


def _two(first: Diagnosis, second: Diagnosis) -> Diagnosis:
    return Diagnosis(f"{first.name} + {second.name}", f"Two things. {first.says} And: {second.says}")


def _one_change(exercise: Exercise) -> Iterator[Candidate]:
    """Yield the programs that differ by one change from the reference, or from a right answer written differently."""
    if exercise.atol is not None and exercise.atol >= DRAWS:
        return
    right = (exercise.reference, *(exercise.alternatives if exercise.observe is call_and_read else ()))
    for mutant in itertools.chain.from_iterable(mutants(function, exercise.inputs) for function in right):
        yield Candidate(Diagnosis(mutant.says, mutant.says), mutant.function, "change")


def _after(implementation: Callable[..., Any], change: Callable[[Tensor, tuple[Any, ...]], Tensor]) -> Any:
    def changed(*args: Any) -> Any:
        result = implementation(*args)
        if isinstance(result, Tensor):
            return change(result, args)
        return tuple(change(part, args) for part in result)

    return changed


def _input_slips(exercise: Exercise) -> Iterator[tuple[Diagnosis, Callable[..., Any]]]:
    sigmas = [i for i, name in enumerate(exercise.inputs) if name.startswith("sigma")]
    changes: list[tuple[str, str, Callable[[Any], Any]]] = [
        (
            "standard deviation taken for the variance",
            "Your {names} stands where its square belongs: it is a standard deviation, not a variance.",
            lambda s: s**0.5,
        ),
        (
            "standard deviation squared once too often",
            "Your {names} is squared where it should not be: a function that expects the standard deviation "
            "gets the variance.",
            lambda s: s**2,
        ),
        (
            "standard deviation taken for its logarithm",
            "You take exp of {names}: it is the standard deviation itself, not its logarithm.",
            lambda s: s.exp() if isinstance(s, Tensor) else math.exp(s),
        ),
        (
            "standard deviation taken for a log-variance",
            "You take exp(½·…) of {names}: it is the standard deviation itself, not a log-variance.",
            lambda s: (s / 2).exp() if isinstance(s, Tensor) else math.exp(s / 2),
        ),
    ]
    groups = [sigmas, *([i] for i in sigmas)] if len(sigmas) > 1 else [sigmas] if sigmas else []
    for group in groups:
        names = " and ".join(f"`{exercise.inputs[i]}`" for i in group)
        for name, says, change in changes:

            def slipped(*args: Any, group: list[int] = group, change: Callable[[Any], Any] = change) -> Any:
                return exercise.reference(*(change(a) if i in group else a for i, a in enumerate(args)))

            yield Diagnosis(name, says.format(names=names)), slipped


def _output_slips(
    exercise: Exercise,
) -> Iterator[tuple[Diagnosis, Callable[[Tensor, tuple[Any, ...]], Tensor]]]:
    per_point = any(shape.startswith("(batch,") for shape in exercise.returns.values())
    yield Diagnosis("sign", "The sign is flipped: your value is minus the expected one."), lambda v, _: -v
    yield (
        Diagnosis(
            "absolute value", "You return the absolute value: the result may be negative, and is where yours differs."
        ),
        lambda v, _: v.abs(),
    )
    if exercise.sums_over:
        index = exercise.inputs.index(exercise.sums_over)
        yield (
            Diagnosis(
                "mean over dimensions",
                "You average over the dimensions: log-densities, entropies and KLs sum over the last dimension.",
            ),
            lambda v, args: v / args[index].shape[-1],
        )
    if per_point:
        yield (
            Diagnosis("sum over the batch", "You sum over the batch as well: keep one value per data point."),
            lambda v, _: v.sum(0),
        )
        yield (
            Diagnosis("mean over the batch", "You average over the batch as well: keep one value per data point."),
            lambda v, _: v.mean(0),
        )
        yield (
            Diagnosis(
                "extra dimension of size one",
                "Your values are right, but in a shape with an extra dimension of size one "
                "(keepdim=True, or a missing squeeze). Against (batch,), such a result broadcasts to (batch, batch).",
            ),
            lambda v, _: v.unsqueeze(-1),
        )
    yield (
        Diagnosis("bits", "Your value is in bits: the course counts in nats, with the natural logarithm."),
        lambda v, _: v / math.log(2),
    )
    yield (
        Diagnosis("exponential", "You return exp of the value: the logarithm itself is wanted."),
        lambda v, _: v.exp(),
    )
    yield (
        Diagnosis("logarithm", "You return the logarithm of the value; take one log less."),
        lambda v, _: v.log(),
    )
    yield Diagnosis("factor two", "Your value is twice the expected one: a ½ is missing."), lambda v, _: 2 * v
    yield (
        Diagnosis("factor one half", "Your value is half the expected one: there is a ½ too many."),
        lambda v, _: v / 2,
    )
    yield (
        Diagnosis(
            "created in float32",
            "Your result is float32 although the inputs are float64: a tensor created inside takes dtype and "
            "device from its inputs (torch.zeros_like(x), x.new_tensor(...)).",
        ),
        lambda v, _: v.float(),
    )
