"""From a wrong observation to the sentence that tells the student what is wrong.

Besides the exercise's own misconceptions, slips that can happen in any exercise are tried: on the way
in (a standard deviation read as a variance), on the way out (a sign, a mean for a sum); then every program that
differs from a right one by one change; and, where none of them explains an answer, two at once.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.behaviour import Seen, off_by_a_size
from course_lib.checker.compare import Case, Observation, difference, observe, reference_answer
from course_lib.checker.exercise import Diagnosis, Exercise, Misconception, call_and_read
from course_lib.checker.mutants import mutants

Candidate = tuple[Diagnosis, Callable[..., Any]]

# One-change programs tried, for a function and for what is seen through a whole step of training: more would keep a
# student waiting.
MOST_CHANGES, MOST_CHANGED_STEPS = 450, 60
NOT_FINITE = (
    "Some of your values are not finite where the expected ones are. On the way a number over- or underflows, or leaves a "
    "function's domain: exp of something large, the log of something that became 0 or negative, a division by 0."
)


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

    def explains(implementation: Callable[..., Any]) -> bool:
        told_apart = False
        for (case, mine), right in zip(got, want, strict=True):
            theirs = _observed(exercise, implementation, case)
            if difference(exercise, mine, theirs) is not None:
                return False
            told_apart = told_apart or difference(exercise, theirs, right) is not None
        return told_apart and _right_on(exercise, implementation, passed)

    own = [(Diagnosis(m.name, m.says), m.answer) for m in exercise.misconceptions]
    if found := next((candidate for candidate, answer in own if explains(answer)), None):
        return found
    pairs = [pair for (_, mine), right in zip(got, want, strict=True) for pair in _paired(mine, right)]
    if any((right.isfinite() & ~mine.isfinite()).any() for mine, right in pairs if mine.shape == right.shape):
        return Diagnosis(
            "not finite", NOT_FINITE
        )  # what is inf or NaN looks like much else: no other candidate is tried
    cut = any(mine.disconnected != right.disconnected for (_, mine), right in zip(got, want, strict=True))
    if found := next((candidate for candidate, answer in _candidates(exercise, cut) if explains(answer)), None):
        return found
    if not pairs or any(mine.shape != right.shape for mine, right in pairs):
        return None
    found = (None if passed else _two_terms(exercise, got, want)) or _constant([mine for _, mine in got], want)
    return found or (None if passed else off_by_a_size(exercise, got, want))


@functools.lru_cache(maxsize=10_000)
def _observed(exercise: Exercise, implementation: Callable[..., Any], case: Case) -> Observation:
    """Observe a candidate; what it does on a case is asked again with every answer that is not explained."""
    return observe(exercise, reference_answer(exercise, implementation), case)


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
    return all(difference(exercise, _observed(exercise, implementation, case), right) is None for case, right in passed)


def known_answers(exercise: Exercise, name: str) -> list[Callable[..., Any]]:
    """Return the wrong answers that are told by this name: what a diagnosis claims, to be held against an answer."""
    own = [(Diagnosis(m.name, m.says), m.answer) for m in exercise.misconceptions]
    return [answer for candidate, answer in (*own, *_candidates(exercise, cut=False)) if candidate.name == name]


def _candidates(exercise: Exercise, cut: bool) -> Iterator[Candidate]:
    slips, pairs = _slips(exercise)
    yield from slips
    if not cut:  # an input that no gradient reaches is named itself, which says more
        yield from _one_change(exercise)
    yield from pairs


@functools.lru_cache(maxsize=500)
def _slips(exercise: Exercise) -> tuple[list[Candidate], list[Candidate]]:
    """Return the slips that any exercise can show, and one of them on top of another mistake."""
    if exercise.observe is not call_and_read:
        return [], []
    slips_in, slips_out = list(_input_slips(exercise)), list(_output_slips(exercise))
    alone = [(slip, _after(exercise.reference, change)) for slip, change in slips_out]
    own = [(Diagnosis(m.name, m.says), m.answer) for m in exercise.misconceptions]
    pairs = [
        (
            Diagnosis(f"{first.name} + {second.name}", f"Two things. {first.says} And: {second.says}"),
            _after(implementation, change),
        )
        for first, implementation in [*own, *slips_in]
        for second, change in slips_out
    ]
    return [*slips_in, *alone], pairs


def _one_change(exercise: Exercise) -> Iterator[Candidate]:
    """Yield the programs that differ by one change from the reference, or from a right answer written differently."""
    if exercise.atol is not None:  # seen through statistics of many draws: too slow to try hundreds
        return
    direct = exercise.observe is call_and_read
    right = (exercise.reference, *(exercise.alternatives if direct else ()))
    changed = itertools.chain.from_iterable(mutants(function, exercise.inputs) for function in right)
    for mutant in itertools.islice(changed, MOST_CHANGES if direct else MOST_CHANGED_STEPS):
        yield Diagnosis(mutant.says, mutant.says), mutant.function


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
