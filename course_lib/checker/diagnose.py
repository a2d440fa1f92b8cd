"""From a wrong observation to the sentence that tells the student what is wrong.

Besides the exercise's own misconceptions, slips that can happen in any exercise are tried: on the way
in (a standard deviation read as a variance), on the way out (a sign, a mean for a sum), and one of
each together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.compare import Case, Observation, difference, observe, reference_answer
from course_lib.checker.exercise import Exercise, Misconception, call_and_read


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer seems to have done: a name for statistics, and a sentence for the student."""

    name: str
    says: str


Seen = Sequence[tuple[Case, Observation]]


def diagnose(exercise: Exercise, got: Seen, want: Sequence[Observation], passed: Seen) -> Diagnosis | None:
    """Return the first wrong answer we know that behaves like this one, or None.

    Args:
        got: the cases judged now, with what the answer did.
        want: what the reference does on them.
        passed: earlier cases with the right results; the answer was right there, so the candidate must be.
    """
    values = [value for _, mine in got for value in mine.values]
    nothing_finite = not any(value.isfinite().any() for value in values)
    if any(mine.failed for _, mine in got) or (nothing_finite and not passed):
        # An error speaks for itself, and NaN everywhere is like NaN everywhere: neither tells what was meant.
        return None
    for candidate, implementation in _candidates(exercise):
        told_apart = False
        for (case, mine), right in zip(got, want, strict=True):
            theirs = observe(exercise, reference_answer(exercise, implementation), case)
            if difference(exercise, mine, theirs) is not None:
                break
            told_apart = told_apart or difference(exercise, theirs, right) is not None
        else:
            if told_apart and _right_on(exercise, implementation, passed):
                return candidate
    pairs = [pair for (_, mine), right in zip(got, want, strict=True) for pair in _paired(mine, right)]
    if not pairs or any(mine.shape != right.shape for mine, right in pairs):
        return None
    return (None if passed else _two_terms(exercise, got, want)) or _constant([mine for _, mine in got], want)


def _paired(mine: Observation, right: Observation) -> list[tuple[Tensor, Tensor]]:
    """Return the values of two observations side by side, or nothing if they are not equally many."""
    return list(zip(mine.values, right.values, strict=True)) if len(mine.values) == len(right.values) else []


def _two_terms(exercise: Exercise, got: Seen, want: Sequence[Observation]) -> Diagnosis | None:
    """Recognise two declared mistakes in different terms of a formula: what each changes adds up."""
    if exercise.observe is not call_and_read or any(case.gradients for case, _ in got):
        return None
    right = _flat(want)
    mine = _flat([observation for _, observation in got])
    if mine is None or right is None or mine.shape != right.shape:
        return None
    changes: list[tuple[Misconception, Tensor]] = []
    for misconception in exercise.misconceptions:
        answer = reference_answer(exercise, misconception.answer)
        theirs = _flat([observe(exercise, answer, case) for case, _ in got])
        if theirs is not None and theirs.shape == right.shape and not torch.allclose(theirs, right):
            changes.append((misconception, theirs - right))
    for (first, one), (second, other) in itertools.combinations(changes, 2):
        if torch.allclose(right + one + other, mine, rtol=1e-7, atol=1e-7):
            says = f"Two things. {first.says} And: {second.says}"
            return Diagnosis(f"{first.name} + {second.name}", says)
    return None


def _flat(observations: Sequence[Observation]) -> Tensor | None:
    """Return all values of some observations as one vector, or None if there are none, or not all finite."""
    values = [value.detach().double().flatten() for observation in observations for value in observation.values]
    if any(observation.failed for observation in observations) or not values:
        return None
    flat = torch.cat(values)
    return flat if bool(flat.isfinite().all()) else None


def _right_on(exercise: Exercise, implementation: Callable[..., Any], passed: Seen) -> bool:
    answer = reference_answer(exercise, implementation)
    return all(difference(exercise, observe(exercise, answer, case), right) is None for case, right in passed)


def _candidates(exercise: Exercise) -> Iterator[tuple[Diagnosis, Callable[..., Any]]]:
    own = [(Diagnosis(m.name, m.says), m.answer) for m in exercise.misconceptions]
    yield from own
    if exercise.observe is not call_and_read:
        return
    slips_in = list(_input_slips(exercise))
    slips_out = list(_output_slips(exercise))
    yield from slips_in
    for slip, change in slips_out:
        yield slip, _after(exercise.reference, change)
    for first, implementation in own + slips_in:
        for second, change in slips_out:
            both = Diagnosis(f"{first.name} + {second.name}", f"Two things. {first.says} And: {second.says}")
            yield both, _after(implementation, change)


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


def _constant(got: Sequence[Observation], want: Sequence[Observation]) -> Diagnosis | None:
    """Recognise results that are off by one and the same constant, or constant factor, everywhere."""
    mine, right = _flat(got), _flat(want)
    if mine is None or right is None or len(mine) < 3:
        return None
    offset, factor = mine - right, mine / right
    if offset.abs().mean() > 1e-6 and offset.std() < 1e-6 * offset.abs().mean():
        return Diagnosis(
            "constant offset",
            f"Your values differ from the expected ones by the same constant everywhere, {offset.mean():+.4f}: "
            "is a normalising constant missing, or one too many?",
        )
    if factor.isfinite().all() and (factor - 1).abs().mean() > 1e-6 and factor.std() < 1e-6 * factor.abs().mean():
        return Diagnosis("constant factor", f"Your values are {factor.mean():.4g} times the expected ones, everywhere.")
    return None
