"""The slide's ReLU, made invertible: the layer whose log-det differs from point to point."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer
from course_lib.checker import flows
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import OF_THE_MAP_APPLIED
from course_lib.flows import LeakyReLU


def _slope(draw: Draw) -> tuple[float]:
    return (0.15 + 0.1 * draw.integer(7) + 0.01 * draw.integer(5),)


def _points(draw: Draw) -> Tensor:
    """Points with entries of both signs, none near the bend."""
    z = draw.normal(flows.POINTS, draw.sizes.dim + 2, shift=0.0)
    return z + 0.1 * z.sign()


def _returns(answer: Answer, draw: Draw) -> str | None:
    instance, z = answer.construct(*_slope(draw)), _points(draw)
    try:
        for method in ("forward", "inverse"):
            flows.apply(instance, method, z)
            flows.apply(instance, method, z[:1])
    except flows.AnswerFailed as failed:
        if failed.kind != "type":
            raise
        return failed.says
    return None


def _learns(answer: Answer, draw: Draw) -> str | None:
    return "" if any(p.requires_grad for p in answer.construct(*_slope(draw)).parameters().values()) else None


def _dtype(answer: Answer, draw: Draw) -> str | None:
    instance, z = answer.construct(*_slope(draw)), _points(draw)
    for x in (z, z.float()):
        for method in ("forward", "inverse"):
            if odd := {value.dtype for value in flows.applied(instance, method, x)} - {x.dtype}:
                return f"For {x.dtype}, {method} gives {', '.join(sorted(map(str, odd)))}."
    return None


def _in_place(answer: Answer, draw: Draw) -> str | None:
    instance, z = answer.construct(*_slope(draw)), _points(draw)
    for method in ("forward", "inverse"):
        given = z.clone()
        instance.call(method, given)
        if not torch.equal(given, z):
            return f"{method} changes it."
    return None


def _values(wrong: Callable[[Tensor, float], Tensor] | None) -> flows.Lacking:
    """Return a trait's look at x: one way of being wrong, or any."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        (slope,), z = _slope(draw), _points(draw)
        x, _ = flows.apply(answer.construct(slope), "forward", z)
        right = torch.where(z < 0, slope * z, z)
        if torch.allclose(x, right, rtol=1e-6, atol=1e-6):
            return None
        if wrong is not None and not torch.allclose(x, wrong(z, slope), rtol=1e-6, atol=1e-6):
            return None
        at = int((x - right).abs().flatten().argmax())
        return f"With slope {slope:.2f}, z = {z.flatten()[at]:.3f} goes to {right.flatten()[at]:.3f}; yours to {x.flatten()[at]:.3f}."

    return lacking


def _log_det(wrong: Callable[[Tensor, float], Tensor] | None) -> flows.Lacking:
    """Return a trait's look at the log_det of forward: one way of being wrong, or any."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        (slope,), z = _slope(draw), _points(draw)
        _, log_det = flows.apply(answer.construct(slope), "forward", z)
        right = (z < 0).sum(-1) * math.log(slope)
        if torch.allclose(log_det, right.double(), rtol=1e-6, atol=1e-6):
            return None
        if wrong is not None and not torch.allclose(log_det, wrong(z, slope).double(), rtol=1e-5, atol=1e-6):
            return None
        i = int((log_det - right).abs().argmax())
        return (
            f"With slope {slope:.2f}, a point with {int((z[i] < 0).sum())} negative entries of {z.shape[1]} has {right[i]:.4f}; "
            f"yours says {log_det[i]:.4f}."
        )

    return lacking


def _undone(answer: Answer, draw: Draw) -> str | None:
    instance, z = answer.construct(*_slope(draw)), _points(draw)
    x, _ = flows.apply(instance, "forward", z)
    off = (flows.apply(instance, "inverse", x.detach())[0] - z).abs().max().item()
    return None if off < 1e-6 else f"After forward and inverse an entry is off by {off:.3g}."


def _inverse_log_det(answer: Answer, draw: Draw) -> str | None:
    instance, z = answer.construct(*_slope(draw)), _points(draw)
    x, there = flows.apply(instance, "forward", z)
    _, back = flows.apply(instance, "inverse", x.detach())
    if torch.allclose(there, -back, rtol=1e-6, atol=1e-6):
        return None
    i = int((there + back).abs().argmax())
    return f"Forward says {there[i].item():.4f}, inverse {back[i].item():.4f} on the way back."


def _gradient_cut(answer: Answer, draw: Draw) -> str | None:
    (slope,), z = _slope(draw), _points(draw).requires_grad_()
    for method, steep in (("forward", slope), ("inverse", 1 / slope)):
        there, _ = flows.apply(answer.construct(slope), method, z)
        if not there.requires_grad:
            return f"{method} gives no gradient to the points it is given."
        (grad,) = torch.autograd.grad(there.sum(), z)
        if not torch.allclose(grad, torch.where(z < 0, steep, 1.0).double(), rtol=1e-6, atol=1e-6):
            return f"Through {method}, the gradient is not its slope."
    return None


class _Plain(nn.Module):
    """A layer of our own, to be made wrong in one place."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def log_det(self, z: Tensor) -> Tensor:
        return ((z < 0).to(z.dtype) * math.log(self.slope)).sum(-1)

    def forward(self, z: Tensor) -> Any:
        return torch.nn.functional.leaky_relu(z, self.slope), self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        return torch.nn.functional.leaky_relu(x, 1 / self.slope), -self.log_det(x)


class _ByFactor(nn.Module):
    """The slope of every entry as a tensor; its logarithms added."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.log_slope = math.log(slope)

    def _slopes(self, z: Tensor) -> Tensor:
        return ((z < 0).to(z) * self.log_slope).exp()

    def forward(self, z: Tensor) -> Any:
        slopes = self._slopes(z)
        return z * slopes, slopes.log().sum(-1)

    def inverse(self, x: Tensor) -> Any:
        slopes = self._slopes(x)
        return x / slopes, -slopes.log().sum(-1)


class _ByMaximum(_Plain):
    def forward(self, z: Tensor) -> Any:
        return torch.maximum(z, self.slope * z), self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        return torch.minimum(x, x / self.slope), -self.log_det(x)


class _Learned(_Plain):
    def __init__(self, slope: float) -> None:
        super().__init__(slope)
        self.raw = nn.Parameter(torch.tensor(slope))


def _changed(**methods: Any) -> type:
    return type("LeakyReLU", (_Plain,), methods)


def _overwrites(self: Any, z: Tensor) -> Any:
    log_det = self.log_det(z)
    z[z < 0] *= self.slope
    return z, log_det


def _with_log_det(of: Callable[[Any, Tensor], Tensor]) -> type:
    return _changed(log_det=of)


TRAITS = (
    Trait(
        "shapes",
        "forward and inverse return two tensors, the points (batch, dim) and one log_det for each point, (batch,).",
        _returns,
    ),
    Trait(
        "something is learned", "Nothing is learned here: the slope is given, a number, and no nn.Parameter.", _learns
    ),
    Trait(
        "dtype",
        "The dtype does not follow the input: a tensor created inside takes dtype and device from its inputs.",
        _dtype,
    ),
    Trait("input changed", "The points that are given must stay as they are: make new ones (torch.where).", _in_place),
    Trait(
        "a plain ReLU",
        "Negative entries become 0, and no inverse could bring them back: multiply them by the slope.",
        _values(lambda z, slope: z.relu()),
    ),
    Trait(
        "the other side bends",
        "Positive entries are multiplied and negative ones stay: it is the other way round.",
        _values(lambda z, slope: torch.where(z < 0, z, slope * z)),
    ),
    Trait(
        "divided by the slope",
        "Negative entries are divided by the slope: forward multiplies, inverse divides.",
        _values(lambda z, slope: torch.where(z < 0, z / slope, z)),
    ),
    Trait(
        "everything scaled",
        "All entries are multiplied by the slope: the positive ones stay as they are, or there is no bend.",
        _values(lambda z, slope: slope * z),
    ),
    Trait("other values", "x is z where z is positive, and slope · z where it is negative.", _values(None)),
    Trait(
        "log_det is 0",
        "The log_det of forward is 0: where an entry is negative, space is pressed together by the slope.",
        _log_det(lambda z, slope: 0 * z.sum(-1)),
    ),
    Trait(
        "log_det has the wrong sign",
        "The log_det of forward has the wrong sign: a slope below 1 presses together, so its logarithm is negative.",
        _log_det(lambda z, slope: -(z < 0).sum(-1) * math.log(slope)),
    ),
    Trait(
        "positive entries counted",
        "You count the positive entries: it is the negative ones that are multiplied.",
        _log_det(lambda z, slope: (z > 0).sum(-1) * math.log(slope)),
    ),
    Trait(
        "the same for every point",
        "Every point gets dim · log slope: a point's log_det counts its own negative entries only.",
        _log_det(lambda z, slope: torch.full_like(z[:, 0], z.shape[-1] * math.log(slope))),
    ),
    Trait(
        "log_det is a mean",
        "The log_det is a mean over the dimensions: the logarithms of the slopes add.",
        _log_det(lambda z, slope: (z < 0).double().mean(-1) * math.log(slope)),
    ),
    Trait(
        "slopes added",
        "The log_det adds the slopes themselves: it is their logarithms that add.",
        _log_det(lambda z, slope: (z < 0).sum(-1) * slope),
    ),
    Trait(
        "any negative entry",
        "You count log slope once for a point that has a negative entry: once for each of them.",
        _log_det(lambda z, slope: (z < 0).any(-1).double() * math.log(slope)),
    ),
    Trait(
        "added over the batch",
        "You add over the batch: each point has a log_det of its own.",
        _log_det(lambda z, slope: ((z < 0).sum() * math.log(slope)).expand(len(z))),
    ),
    Trait(
        "another log_det",
        "The log_det of forward is not log|det dx/dz|: log slope for each negative entry.",
        _log_det(None),
    ),
    Trait(
        "inverse does not undo forward",
        "inverse does not undo forward: it divides the negative entries by the slope.",
        _undone,
    ),
    Trait(
        "log_det of the inverse",
        "The log_det of inverse is that of its own map, from x to z: minus the one of forward at the same point.",
        _inverse_log_det,
    ),
    Trait(
        "gradient cut",
        "A gradient is missing or wrong: compute with torch all the way, without .detach(), .data, .item().",
        _gradient_cut,
    ),
)

WRONG: dict[str, type] = {
    "shapes": _changed(log_det=lambda self, z: (z < 0).to(z.dtype) * math.log(self.slope)),
    "something is learned": _Learned,
    "dtype": _changed(log_det=lambda self, z: ((z < 0).float() * math.log(self.slope)).sum(-1)),
    "input changed": _changed(forward=_overwrites),
    "a plain ReLU": _changed(forward=lambda self, z: (z.relu(), self.log_det(z))),
    "the other side bends": _changed(forward=lambda self, z: (torch.where(z < 0, z, self.slope * z), self.log_det(z))),
    "divided by the slope": _changed(forward=lambda self, z: (torch.where(z < 0, z / self.slope, z), self.log_det(z))),
    "everything scaled": _changed(forward=lambda self, z: (self.slope * z, self.log_det(z))),
    "other values": _changed(forward=lambda self, z: (torch.where(z < 0, -self.slope * z, z), self.log_det(z))),
    "log_det is 0": _with_log_det(lambda self, z: 0 * z.sum(-1)),
    "log_det has the wrong sign": _with_log_det(lambda self, z: -((z < 0).to(z) * math.log(self.slope)).sum(-1)),
    "positive entries counted": _with_log_det(lambda self, z: ((z > 0).to(z) * math.log(self.slope)).sum(-1)),
    "the same for every point": _with_log_det(
        lambda self, z: torch.full_like(z[:, 0], z.shape[-1] * math.log(self.slope))
    ),
    "log_det is a mean": _with_log_det(lambda self, z: ((z < 0).to(z) * math.log(self.slope)).mean(-1)),
    "slopes added": _with_log_det(lambda self, z: ((z < 0).to(z) * self.slope).sum(-1)),
    "any negative entry": _with_log_det(lambda self, z: (z < 0).any(-1).to(z) * math.log(self.slope)),
    "added over the batch": _with_log_det(lambda self, z: ((z < 0).to(z) * math.log(self.slope)).sum().expand(len(z))),
    "another log_det": _with_log_det(lambda self, z: (z < 0).to(z).sum(-1) * math.log2(self.slope)),
    "inverse does not undo forward": _changed(
        inverse=lambda self, x: (torch.where(x < 0, x * self.slope, x), -self.log_det(x))
    ),
    "log_det of the inverse": _changed(
        inverse=lambda self, x: (torch.where(x < 0, x / self.slope, x), self.log_det(x))
    ),
    "gradient cut": _changed(
        forward=lambda self, z: (torch.where(z < 0, self.slope * z, z).detach() + 0 * z, self.log_det(z))
    ),
}

EXERCISE = ClassExercise(
    reference=LeakyReLU,
    points=3,
    convention=OF_THE_MAP_APPLIED,
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(_Plain, _ByFactor, _ByMaximum),
)
