"""Layers and flows seen from outside: whatever is inside them, what goes in and what comes out must fit together.

A layer offers ``forward(z) -> (x, log_det)`` and ``inverse(x) -> (z, log_det)``, a density ``log_prob(x)`` and
``sample(n, generator)``. Their parameters are moved away from where they begin, so that a layer which starts as the
identity shows what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, AnswerFailed, Instance, tensors_from
from course_lib.checker.exercise import Trait
from course_lib.checker.probes import Draw

Make = Callable[[Draw], tuple[Any, ...]]  # the arguments of a constructor
Lacking = Callable[[Answer, Draw], str | None]  # what a trait asks
POINTS, SETTINGS = 8, 6

NO_PARAMETERS = Trait(
    "no parameters",
    "Your class has no parameters to learn: derive it from nn.Module, call super().__init__() first, and keep what is "
    "learned as nn.Parameter or as layers (a list of layers needs nn.ModuleList).",
    lambda answer, draw: None,
)


def moved(answer: Answer, draw: Draw, args: tuple[Any, ...], scale: float = 0.3) -> Instance:
    """Construct an instance in float64 and evaluation mode, and add noise to every parameter that is learned."""
    instance = answer.construct(*args)
    if instance.parameters():
        instance.call("double")
        instance.call("eval")
        move(instance, draw, scale)
    return instance


def move(instance: Instance, draw: Draw, scale: float = 0.3) -> None:
    """Add noise to every parameter that is learned."""
    instance.set_parameters(
        {
            name: old.detach() + draw.normal(*old.shape, scale=scale, shift=0.0).to(old)
            for name, old in instance.parameters().items()
            if old.requires_grad
        }
    )


def apply(instance: Instance, method: str, points: Tensor) -> tuple[Tensor, Tensor]:
    """Apply ``forward`` or ``inverse``, and read what comes back as float64.

    Raises:
        AnswerFailed: something else than two tensors ``(batch, dim)`` and ``(batch,)`` comes back.
    """
    there, log_det = applied(instance, method, points)
    return there.double(), log_det.double()


def applied(instance: Instance, method: str, points: Tensor) -> tuple[Tensor, Tensor]:
    """As :func:`apply`, in the dtypes that came back."""
    result = tensors_from(instance.call(method, points))
    if len(result) != 2:
        raise AnswerFailed(
            "type", f"{method} returns two tensors, where the points go and log_det; {len(result)} came."
        )
    there, log_det = result
    for name, value, wanted in (("points", there, points.shape), ("log_det", log_det, points.shape[:1])):
        if value.shape != wanted:
            raise AnswerFailed(
                "type", f"{method} should return {name} of shape {tuple(wanted)}; yours are {tuple(value.shape)}."
            )
    return there, log_det


def has_parameters(make: Make) -> Lacking:
    return lambda answer, draw: None if answer.construct(*make(draw)).parameters() else ""


def grows(make: Make, index: int) -> Lacking:
    """More of one size, more parameters."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = list(make(draw))
        small = _count(answer, args)
        args[index] = 2 * args[index]
        large = _count(answer, args)
        return None if large > small else f"Both {args[index] // 2} and {args[index]} give {small} numbers."

    return lacking


def _count(answer: Answer, args: list[Any]) -> int:
    return sum(p.numel() for p in answer.construct(*args).parameters().values())


def returns_both(make: Make, dim: int = 0) -> Lacking:
    """``forward`` and ``inverse`` return points and one log_det for each."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, z = moved(answer, draw, args), draw.normal(POINTS, args[dim])
        try:
            for method in ("forward", "inverse"):
                apply(instance, method, z)
                apply(instance, method, z[:1])
        except AnswerFailed as failed:
            if failed.kind != "type":
                raise
            return failed.says
        return None

    return lacking


def repeats(make: Make) -> Lacking:
    """The same point, the same result."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, z = moved(answer, draw, args), draw.normal(POINTS, args[0])
        return None if torch.equal(apply(instance, "forward", z)[0], apply(instance, "forward", z)[0]) else ""

    return lacking


def keeps_points_apart(make: Make) -> Lacking:
    """What becomes of a point depends on no other."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, z = moved(answer, draw, args), draw.normal(POINTS, args[0])
        other = torch.cat([z[:2], draw.normal(POINTS - 2, args[0])])
        for method in ("forward", "inverse"):
            for one, two in zip(apply(instance, method, z), apply(instance, method, other), strict=True):
                if not torch.allclose(one[:2], two[:2], rtol=1e-9, atol=1e-9):
                    return f"It shows in {method}."
        return None

    return lacking


def undoes(make: Make) -> Lacking:
    """The inverse undoes the forward."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, z = moved(answer, draw, args), draw.normal(POINTS, args[0])
        x, _ = apply(instance, "forward", z)
        back, _ = apply(instance, "inverse", x.detach())
        off = (back - z).abs().max().item()
        return None if off < 1e-6 else f"After forward and inverse an entry is off by {off:.3g}."

    return lacking


def inverse_log_det(make: Make) -> Lacking:
    """The log_det of inverse is minus that of forward, at the same point."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, z = moved(answer, draw, args), draw.normal(POINTS, args[0])
        x, there = apply(instance, "forward", z)
        _, back = apply(instance, "inverse", x.detach())
        if torch.allclose(there, -back, rtol=1e-6, atol=1e-6):
            return None
        return f"Forward says {there[0].item():.4f}, inverse {back[0].item():.4f} on the way back."

    return lacking


def every_parameter_learns(make: Make) -> Lacking:
    """Both outputs of ``inverse`` together, along which training goes, reach every parameter."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        instance, x = moved(answer, draw, args), draw.normal(4 * POINTS, args[0])
        z, log_det = apply(instance, "inverse", x)
        total = (z**2 * draw.normal(*z.shape)).sum() + log_det.sum()
        return unreached(instance, total)

    return lacking


def unreached(instance: Instance, total: Tensor) -> str | None:
    """Return a sentence that names the learned parameters to which no gradient of ``total`` flows, or None."""
    learned = {name: p for name, p in instance.parameters().items() if p.requires_grad}
    if not total.requires_grad:
        return "No parameter gets a gradient."
    gradients = torch.autograd.grad(total, list(learned.values()), allow_unused=True)
    without = [name for name, grad in zip(learned, gradients, strict=True) if grad is None or not bool(grad.any())]
    return f"No gradient reaches {', '.join(without[:4])}." if without else None


def follows_dtype(make: Make) -> Lacking:
    """Float32 in, float32 out; float64 after ``.double()``."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        args = make(draw)
        points = draw.normal(POINTS, args[0])
        for instance, x in ((answer.construct(*args), points.float()), (moved(answer, draw, args), points)):
            for method in ("forward", "inverse"):
                got = {value.dtype for value in applied(instance, method, x)}
                if got != {x.dtype}:
                    odd = ", ".join(sorted(str(dtype) for dtype in got))
                    return f"For {x.dtype}, {method} gives {odd}."
        return None

    return lacking
