"""From a wrong observation to the sentence that tells the student what is wrong.

The first of the known wrong answers (candidates.py) that does everything the answer did is told; those that can are found by
two numbers each (bank.py), and have to do as the answer does on further draws, too (further.py). Where none does, two mistakes
in different terms, a constant, a size of an input are tried, and held to the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.bank import alike
from course_lib.checker.behaviour import Seen, off_by_a_size
from course_lib.checker.candidates import Candidate, candidates
from course_lib.checker.compare import Observation, difference
from course_lib.checker.exercise import Diagnosis, Exercise, Misconception, call_and_read
from course_lib.checker.further import Further, observed

# One-change programs tried where nothing is known beforehand, for a function and for what is seen through a whole step
# of training: more would keep a student waiting.
MOST_CHANGES, MOST_CHANGED_STEPS = 450, 60
NOT_FINITE = (
    "Values of yours are not finite (NaN or infinite) where the expected ones are. On the way a number over- or underflows, or leaves a "
    "function's domain: exp of something large, the log of something that became 0 or negative, a division by 0."
)


def diagnose(
    exercise: Exercise,
    got: Seen,
    want: Sequence[Observation],
    passed: Seen,
    visible: Callable[[], Sequence[Observation]],
    further: Further,
) -> Diagnosis | None:
    """Return the first wrong answer we know that behaves like this one, or None.

    Args:
        got: the cases judged now, with what the answer did.
        want: what the reference does on them.
        passed: earlier cases with the right results; the answer was right there, so the candidate must be.
        visible: what the answer does on the inputs that everyone sees, by which candidates are looked up.
        further: what it does on draws like those judged now, asked only where there is something to confirm.
    """
    if any(mine.failed for _, mine in got):
        return None  # an error speaks for itself
    pairs = [pair for (_, mine), right in zip(got, want, strict=True) for pair in _paired(mine, right)]
    odd = any((right.isfinite() & ~mine.isfinite()).any() for mine, right in pairs if mine.shape == right.shape)
    if not passed and not any(value.isfinite().any() for _, mine in got for value in mine.values):
        # NaN everywhere is like NaN everywhere: it does not tell what was meant.
        return Diagnosis("not finite", NOT_FINITE) if odd else None

    def explains(implementation: Callable[..., Any]) -> bool:
        told_apart = False
        for (case, mine), right in zip(got, want, strict=True):
            theirs = observed(exercise, implementation, case)
            if difference(exercise, mine, theirs) is not None:
                return False
            told_apart = told_apart or difference(exercise, theirs, right) is not None
        return told_apart and _right_on(exercise, implementation, passed) and further.confirm(implementation)

    cut = any(mine.disconnected != right.disconnected for (_, mine), right in zip(got, want, strict=True))
    for candidate in _looked_up(exercise, visible):
        if odd and candidate.kind != "declared":
            break  # what is inf or NaN looks like much else: only a declared mistake is believed
        if cut and candidate.kind == "change":
            continue  # an input that no gradient reaches is named itself, which says more
        if explains(candidate.answer):
            return candidate.diagnosis
    if odd:
        return Diagnosis("not finite", NOT_FINITE)
    if not pairs or any(mine.shape != right.shape for mine, right in pairs):
        return None
    rules = (_constant,) if passed else (_two_terms, _constant, off_by_a_size)
    return next((found for rule in rules if (found := _on_all(rule, exercise, got, want, further))), None)


Rule = Callable[[Exercise, Seen, Sequence[Observation]], Diagnosis | None]


def _on_all(
    rule: Rule, exercise: Exercise, got: Seen, want: Sequence[Observation], further: Further
) -> Diagnosis | None:
    """Return what a rule finds in the cases judged now and in the further draws together."""
    if rule(exercise, got, want) is None:
        return None  # then the further ones need not be asked
    more = list(further)
    if any(mine.failed for _, mine, _ in more):
        return None
    seen = [*got, *((case, mine) for case, mine, _ in more)]
    return rule(exercise, seen, [*want, *(right for _, _, right in more)])


def _looked_up(exercise: Exercise, visible: Callable[[], Sequence[Observation]]) -> Iterator[Candidate]:
    """Yield the candidates worth trying: those known to give what was seen, or else the likeliest."""
    known = candidates(exercise)
    if (places := alike(exercise, visible())) is not None:
        yield from (known[place] for place in places)
        return
    left = MOST_CHANGES if exercise.observe is call_and_read else MOST_CHANGED_STEPS
    for candidate in known:
        left -= candidate.kind == "change"
        if candidate.kind != "change" or left >= 0:
            yield candidate


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
        theirs = _flat([observed(exercise, misconception.answer, case) for case, _ in got])
        if theirs is not None and theirs.shape == right.shape and not torch.allclose(theirs, right):
            changes.append((misconception, theirs - right))
    for (first, one), (second, other) in itertools.combinations(changes, 2):
        if torch.allclose(right + one + other, mine, rtol=1e-7, atol=1e-7):
            says = f"Two things. {first.says} And: {second.says}"
            return Diagnosis(f"{first.name} and {second.name}", says)  # " + " is a mistake with a slip on top
    return None


def _flat(observations: Sequence[Observation]) -> Tensor | None:
    """Return all values of some observations as one vector, or None if there are none, or not all finite."""
    values = [value.detach().double().flatten() for observation in observations for value in observation.values]
    if any(observation.failed for observation in observations) or not values:
        return None
    flat = torch.cat(values)
    return flat if bool(flat.isfinite().all()) else None


def _right_on(exercise: Exercise, implementation: Callable[..., Any], passed: Seen) -> bool:
    return all(difference(exercise, observed(exercise, implementation, case), right) is None for case, right in passed)


def _constant(exercise: Exercise, got: Seen, want: Sequence[Observation]) -> Diagnosis | None:
    """Recognise results that are off by one and the same constant, or constant factor, everywhere."""
    mine, right = _flat([observation for _, observation in got]), _flat(want)
    if mine is None or right is None or mine.shape != right.shape or len(mine) < 3:
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
