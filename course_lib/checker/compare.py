"""Observing an answer on a set of probes, and comparing two observations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from course_lib.answers import Answer, AnswerFailed, Instance, LocalAnswer, is_number, number
from course_lib.checker.exercise import Exercise

# Right answers differ in the order of operations, in the factorisations they use, and in constants such as
# torch.tensor(2 * math.pi), which is float32. In float32 a sum over hundreds of dimensions loses three digits.
TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4}


@dataclass(frozen=True, eq=False)
class Case:
    """One probe: its inputs, and whether the results or the gradients are looked at."""

    args: tuple[Any, ...]
    gradients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """What an answer did with one case: returned tensors, or failed."""

    values: tuple[Tensor, ...] = ()
    failed: AnswerFailed | None = None
    changed_input: str | None = None
    disconnected: tuple[str, ...] = field(default=())


def observe(exercise: Exercise, answer: Answer, case: Case) -> Observation:
    """Run an answer on one case. Never raises for anything the answer does."""
    args = tuple(_own(arg) for arg in case.args)
    try:
        if case.gradients:
            return _observe_gradients(exercise, answer, case, args)
        values = exercise.observe(Reading(answer, exercise), args)
    except AnswerFailed as failure:
        return Observation(failed=failure)
    for name, before, after in zip(exercise.inputs, case.args, args, strict=True):
        changed = isinstance(before, Tensor) and not (
            before.shape == after.shape and torch.equal(before, after.as_subclass(Tensor))
        )
        if changed:
            return Observation(values, changed_input=name)
    return Observation(values)


def _own(arg: Any) -> Any:
    """Return a copy of what an answer could change."""
    if isinstance(arg, list):
        return [_own(part) for part in arg]
    return arg.clone() if isinstance(arg, Tensor) else copy.deepcopy(arg) if isinstance(arg, Module) else arg


class Reading:
    """An answer whose plain numbers are read as tensors where the exercise accepts them."""

    def __init__(self, answer: Answer, exercise: Exercise) -> None:
        self._answer, self._exercise = answer, exercise

    def value(self) -> Any:
        return self._answer.value()

    def construct(self, *args: Any) -> Instance:
        return self._answer.construct(*args)

    def reaches(self, names: Collection[str]) -> list[str]:
        return self._answer.reaches(names)

    def standing_in(self, parts: Mapping[str, Any]) -> Answer:
        return Reading(self._answer.standing_in(parts), self._exercise)

    def watched(self) -> Answer:
        return Reading(self._answer.watched(), self._exercise)

    def call(self, *args: Any) -> Any:
        result = self._answer.call(*args)
        if self._exercise.number_accepted and is_number(result):
            floats = [arg for arg in args if isinstance(arg, Tensor) and arg.is_floating_point()]
            like = floats[0] if floats else torch.zeros((), dtype=torch.float64)
            return torch.tensor(number(result), dtype=like.dtype, device=like.device)
        return result


def _observe_gradients(exercise: Exercise, answer: Answer, case: Case, args: tuple[Any, ...]) -> Observation:
    """Observe the gradients of a fixed weighted sum of the results with respect to the named inputs."""
    leaves: dict[str, Tensor] = {}
    inputs = []
    for name, arg in zip(exercise.inputs, args, strict=True):
        if name in case.gradients and name in ("weights", "probs"):
            # Probabilities move only along the simplex: a step in logits is one every right answer agrees on.
            leaves[name] = arg.log().requires_grad_()
            inputs.append(leaves[name].softmax(-1))
        elif name in case.gradients:
            leaves[name] = arg.requires_grad_()
            inputs.append(leaves[name] * 1)
        else:
            inputs.append(arg)
    with torch.enable_grad():
        values = exercise.observe(Reading(answer, exercise), tuple(inputs))
        generator = torch.Generator().manual_seed(7)
        total = torch.zeros((), dtype=torch.float64)
        for value in values:
            weight = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.5
            if value.is_floating_point():
                total = total + (value.double().cpu() * weight).sum()
    if not total.requires_grad:
        return Observation(disconnected=tuple(leaves))
    try:
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    except RuntimeError as error:
        says = f"No gradient can be computed through {exercise.name}: {str(error).splitlines()[0][:200]}"
        raise AnswerFailed("raised", says, None, "RuntimeError") from None
    pairs = list(zip(leaves.items(), gradients, strict=True))
    return Observation(
        values=tuple(torch.zeros_like(leaf) if grad is None else grad for (_, leaf), grad in pairs),
        disconnected=tuple(name for (name, _), grad in pairs if grad is None),
    )


def difference(exercise: Exercise, got: Observation, want: Observation) -> str | None:
    """Return what kind of difference there is between two observations, or None.

    The kinds, in the order in which they are looked for: ``"failed"``, ``"count"``, ``"shape"``,
    ``"gradient"`` (no gradient where there should be one), ``"nan"``, ``"value"``, ``"dtype"``,
    ``"device"``, ``"in place"``.
    """
    if got.failed or want.failed:
        same = got.failed and want.failed and _failure_key(got.failed) == _failure_key(want.failed)
        return None if same else "failed"
    if got.disconnected != want.disconnected:
        return "gradient"
    if len(got.values) != len(want.values):
        return "count"
    pairs = list(zip(got.values, want.values, strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return "shape"
    for a, b in pairs:
        x, y = a.detach().double().cpu(), b.detach().double().cpu()
        if (x.isnan() & ~y.isnan()).any():
            return "nan"
        if not _close(exercise, x, y, _coarser(a.dtype, b.dtype)):
            return "value"
    if any(a.dtype != b.dtype for a, b in pairs):
        return "dtype"
    if any(a.device != b.device for a, b in pairs):
        return "device"
    return "in place" if got.changed_input != want.changed_input else None


def _failure_key(failure: AnswerFailed) -> tuple[str, str | None]:
    return failure.kind, failure.error


def _coarser(one: torch.dtype, other: torch.dtype) -> torch.dtype:
    return torch.float64 if one == other == torch.float64 else torch.float32


def _close(exercise: Exercise, got: Tensor, want: Tensor, dtype: torch.dtype) -> bool:
    if exercise.atol is not None:
        rtol, atol = exercise.rtol or 0.0, exercise.atol
    else:
        # An entry near zero may be the difference of large terms: the scale is that of the whole result.
        finite = want[want.isfinite()].abs()
        rtol = TOLERANCES[dtype]
        atol = rtol * (0.1 + (finite.max().item() if finite.numel() else 0.0))
    return torch.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True)


def reference_answer(exercise: Exercise, implementation: Callable[..., Any] | None = None) -> LocalAnswer:
    """Wrap the reference, or another implementation of ours, as an answer."""
    return LocalAnswer(exercise.name, implementation or exercise.reference)


def expected(exercise: Exercise, case: Case) -> Observation:
    """Return what the reference gives for a case, computed in float64 and cast to the case's dtype.

    Raises:
        RuntimeError: the reference fails on its own probe, which is a bug of ours.
    """
    args = tuple(_doubled(arg) for arg in case.args)
    want = observe(exercise, reference_answer(exercise), Case(args, case.gradients))
    if want.failed:
        raise RuntimeError(f"the reference of {exercise.name} failed: {want.failed.says}")
    dtypes = {arg.dtype for arg in case.args if getattr(arg, "dtype", None) in TOLERANCES}
    dtype = dtypes.pop() if len(dtypes) == 1 else torch.float64
    return Observation(
        tuple(v.to(dtype) if v.is_floating_point() else v for v in want.values),
        disconnected=want.disconnected,
    )


def _doubled(arg: Any) -> Any:
    if isinstance(arg, list):
        return [_doubled(part) for part in arg]
    if isinstance(arg, Module):
        return copy.deepcopy(arg).double()
    if isinstance(arg, Tensor):
        return arg.double() if arg.is_floating_point() else arg
    return arg.double() if hasattr(arg, "double") else arg
