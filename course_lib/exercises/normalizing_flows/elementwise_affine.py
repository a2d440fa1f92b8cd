"""The simplest layer that learns: a scale and a shift for each dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, Instance
from course_lib.checker import flows
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.exercises.normalizing_flows.probes import OF_THE_MAP_APPLIED
from course_lib.flows import ElementwiseAffine


def _size(draw: Draw) -> tuple[int, ...]:
    return (draw.sizes.dim + 2,)


def _moved(answer: Answer, draw: Draw) -> tuple[Instance, Tensor, Tensor, Tensor]:
    """Return a layer whose parameters have sizes of 0.2 to 1.2 and both signs, points, and its scales and shifts."""
    (dim,) = _size(draw)
    instance = answer.construct(dim)
    instance.call("double")
    values = {}
    for name, old in instance.parameters().items():
        size = 0.2 + draw.normal(*old.shape, shift=0.0).sigmoid()
        values[name] = size * draw.normal(*old.shape, shift=0.0).sign()
    instance.set_parameters(values)
    shift = flows.apply(instance, "forward", torch.zeros(1, dim, dtype=torch.float64))[0][0].detach()
    scale = flows.apply(instance, "forward", torch.ones(1, dim, dtype=torch.float64))[0][0].detach() - shift
    return instance, draw.normal(flows.POINTS, dim), scale, shift


def _numbers(answer: Answer, draw: Draw) -> str | None:
    (dim,) = _size(draw)
    count = sum(p.numel() for p in answer.construct(dim).parameters().values() if p.requires_grad)
    return None if count == 2 * dim else f"For {dim} dimensions yours has {count}."


def _affine(answer: Answer, draw: Draw) -> str | None:
    instance, z, scale, shift = _moved(answer, draw)
    x, _ = flows.apply(instance, "forward", z)
    return None if torch.allclose(x, scale * z + shift, rtol=1e-6, atol=1e-6) else ""


def _stays(which: int) -> flows.Lacking:
    """Whether scale (0) or shift (1) is what it would be without any parameter."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        _, _, scale, shift = _moved(answer, draw)
        still = (shift.abs() < 1e-9) if which else ((scale - 1).abs() < 1e-9)
        return "" if bool(still.any()) else None

    return lacking


def _infinite(answer: Answer, draw: Draw) -> str | None:
    instance, z, scale, _ = _moved(answer, draw)
    _, log_det = flows.apply(instance, "forward", z)
    if bool(log_det.isfinite().all()):
        return None
    return f"With the scales {', '.join(f'{c:.2f}' for c in scale[:3].tolist())} … yours is {log_det[0].item()}."


def _log_det(wrong: Callable[[Tensor, Tensor, Tensor], Tensor] | None) -> flows.Lacking:
    """Return a trait's look at the log_det of forward: one way of being wrong, from scales, their logarithms, shifts."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance, z, scale, shift = _moved(answer, draw)
        _, log_det = flows.apply(instance, "forward", z)
        logs = scale.abs().log()
        if torch.allclose(log_det, logs.sum().expand_as(log_det), rtol=1e-6, atol=1e-6):
            return None
        if wrong is not None:
            theirs = wrong(scale, logs, shift)
            if not torch.allclose(log_det, theirs.expand_as(log_det), rtol=1e-5, atol=1e-6):
                return None
        return f"The logarithms of the scales add up to {logs.sum().item():.4f}; yours says {log_det[0].item():.4f}."

    return lacking


def _shifted_last(answer: Answer, draw: Draw) -> str | None:
    """The inverse divides first and subtracts the shift then."""
    instance, z, scale, shift = _moved(answer, draw)
    back, _ = flows.apply(instance, "inverse", z)
    wrong = torch.allclose(back, z / scale - shift, rtol=1e-6, atol=1e-6)
    return "" if wrong and not torch.allclose(back, (z - shift) / scale, rtol=1e-6, atol=1e-6) else None


def _gradient_cut(answer: Answer, draw: Draw) -> str | None:
    """What forward and inverse give must reach scale and shift, and the log_det the scale."""
    for method in ("forward", "inverse"):
        instance, points = flows.moved(answer, draw, _size(draw)), draw.normal(flows.POINTS, *_size(draw))
        there, _ = flows.apply(instance, method, points)
        if flows.unreached(instance, (there**2).sum()):
            return f"None flows from the points of {method} to what is learned."
        _, log_det = flows.apply(instance, method, points)
        learned = [p for p in instance.parameters().values() if p.requires_grad]
        if not log_det.requires_grad or all(
            grad is None or not bool(grad.any())
            for grad in torch.autograd.grad(log_det.sum(), learned, allow_unused=True)
        ):
            return f"None flows from the log_det of {method} to the scale."
    return None


class _Plain(nn.Module):
    """A layer of our own, to be made wrong in one place."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.logs, self.shift = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))

    def scale(self) -> Tensor:
        return self.logs.exp()

    def log_det(self, x: Tensor) -> Tensor:
        return self.logs.sum().expand(len(x))

    def forward(self, z: Tensor) -> Any:
        return self.scale() * z + self.shift, self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        return (x - self.shift) / self.scale(), -self.log_det(x)


class _Free(_Plain):
    """A free scale, started at 1."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.logs = nn.Parameter(torch.ones(1, dim))

    def scale(self) -> Tensor:
        return self.logs

    def log_det(self, x: Tensor) -> Tensor:
        return self.logs.abs().log().sum(-1).expand(len(x))


class _Softplus(_Plain):
    """Scales by softplus, learned on the way back; both numbers in one parameter."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.logs, self.shift
        self.both = nn.Parameter(torch.zeros(2, dim))

    def forward(self, z: Tensor) -> Any:
        scale = nn.functional.softplus(self.both[0])
        return (z - self.both[1]) / scale, -scale.log().sum() * torch.ones_like(z[:, 0])

    def inverse(self, x: Tensor) -> Any:
        scale = nn.functional.softplus(self.both[0])
        return x * scale + self.both[1], scale.log().sum() * torch.ones_like(x[:, 0])


def _changed(base: type = _Plain, **methods: Any) -> type:
    return type("ElementwiseAffine", (base,), methods)


class _Tensors(nn.Module):
    """Plain tensors, which no optimizer finds."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale, self.shift = torch.ones(dim), torch.zeros(dim)

    def forward(self, z: Tensor) -> Any:
        return self.scale * z + self.shift, self.scale.log().sum().expand(len(z))

    def inverse(self, x: Tensor) -> Any:
        return (x - self.shift) / self.scale, -self.scale.log().sum().expand(len(x))


class _OneScale(_Plain):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.dim, self.logs = dim, nn.Parameter(torch.zeros(1))

    def log_det(self, x: Tensor) -> Tensor:
        return self.dim * self.logs.sum().expand(len(x))


class _Unsigned(_Free):
    def log_det(self, x: Tensor) -> Tensor:
        return self.logs.log().sum(-1).expand(len(x))


def _float32(self: Any, x: Tensor) -> Tensor:
    return self.logs.sum().float().expand(len(x))


TRAITS = (
    Trait("no parameters", flows.NO_PARAMETERS.says, flows.has_parameters(_size)),
    Trait(
        "not two numbers a dimension",
        "One scale and one shift are learned for each dimension, 2 · dim numbers in all, the same for every point.",
        _numbers,
    ),
    Trait(
        "shapes",
        "forward and inverse return two tensors, the points (batch, dim) and one log_det for each point, (batch,).",
        flows.returns_both(_size),
    ),
    Trait(
        "created in float32",
        "The dtype does not follow the input: a tensor created inside takes dtype and device from its inputs.",
        flows.follows_dtype(_size),
    ),
    Trait("nothing is added", "forward takes 0 to 0 in some entry: the learned shift is missing there.", _stays(1)),
    Trait(
        "nothing is multiplied",
        "forward moves some entry without scaling it: the learned scale is missing there.",
        _stays(0),
    ),
    Trait(
        "not scale times z plus shift",
        "forward is scale_i · z_i + shift_i, each entry by itself, and nothing else.",
        _affine,
    ),
    Trait(
        "log of a negative scale",
        "The log_det is not finite: a scale may have become negative in training, so take log|scale|, or learn log scale.",
        _infinite,
    ),
    Trait(
        "log_det is 0",
        "The log_det of forward is 0: the scales stretch space. (The shift does not.)",
        _log_det(lambda scale, logs, shift: 0 * logs.sum()),
    ),
    Trait(
        "log_det has the wrong sign",
        "The log_det of forward has the wrong sign: it is that of the map just applied, from z to x.",
        _log_det(lambda scale, logs, shift: -logs.sum()),
    ),
    Trait(
        "log_det is a mean",
        "The log_det is a mean over the dimensions: the determinant of a diagonal matrix is the product of its entries, so their logarithms add.",
        _log_det(lambda scale, logs, shift: logs.mean()),
    ),
    Trait(
        "sum of the scales",
        "The log_det adds the scales themselves: it is their logarithms that add.",
        _log_det(lambda scale, logs, shift: scale.sum()),
    ),
    Trait(
        "determinant, not its logarithm",
        "You return the determinant, the product of the scales: its logarithm is asked for.",
        _log_det(lambda scale, logs, shift: scale.prod()),
    ),
    Trait(
        "the shift counted",
        "The shift enters the log_det: moving everything stretches nothing.",
        _log_det(lambda scale, logs, shift: (logs + shift).sum()),
    ),
    Trait("another log_det", "The log_det of forward is not log|det dx/dz| = Σ log|scale_i|.", _log_det(None)),
    Trait(
        "inverse in the wrong order",
        "inverse divides first and takes the shift away then. Forward scales first and shifts then; the way back begins with what came last.",
        _shifted_last,
    ),
    Trait(
        "inverse does not undo forward",
        "inverse does not undo forward: take the shift away, then divide by the scale.",
        flows.undoes(_size),
    ),
    Trait(
        "log_det of the inverse",
        "The log_det of inverse is that of its own map, from x to z: minus the one of forward.",
        flows.inverse_log_det(_size),
    ),
    Trait(
        "gradient cut",
        "A gradient is missing: compute with torch all the way, without .detach(), .data, .item().",
        _gradient_cut,
    ),
)

WRONG: dict[str, type] = {
    "no parameters": _Tensors,
    "not two numbers a dimension": _OneScale,
    "shapes": _changed(log_det=lambda self, x: self.logs.sum()),
    "created in float32": _changed(log_det=_float32),
    "nothing is added": _changed(
        forward=lambda self, z: (z * self.scale() + 0 * self.shift, self.log_det(z)),
        inverse=lambda self, x: (x / self.scale(), -self.log_det(x)),
    ),
    "nothing is multiplied": _changed(
        forward=lambda self, z: (z + self.shift + 0 * self.logs, self.log_det(z)),
        inverse=lambda self, x: (x - self.shift, -self.log_det(x)),
    ),
    "not scale times z plus shift": _changed(
        forward=lambda self, z: (self.scale() * z + 0.1 * z**3 + self.shift, self.log_det(z))
    ),
    "log of a negative scale": _Unsigned,
    "log_det is 0": _changed(log_det=lambda self, x: 0 * self.logs.sum().expand(len(x))),
    "log_det has the wrong sign": _changed(log_det=lambda self, x: -self.logs.sum().expand(len(x))),
    "log_det is a mean": _changed(log_det=lambda self, x: self.logs.mean().expand(len(x))),
    "sum of the scales": _changed(log_det=lambda self, x: self.logs.exp().sum().expand(len(x))),
    "determinant, not its logarithm": _changed(log_det=lambda self, x: self.logs.exp().prod().expand(len(x))),
    "the shift counted": _changed(log_det=lambda self, x: (self.logs + self.shift).sum().expand(len(x))),
    "another log_det": _changed(log_det=lambda self, x: len(x) * self.logs.sum().expand(len(x))),
    "inverse in the wrong order": _changed(inverse=lambda self, x: (x / self.scale() - self.shift, -self.log_det(x))),
    "inverse does not undo forward": _changed(
        inverse=lambda self, x: ((x - self.shift) * self.scale(), -self.log_det(x))
    ),
    "log_det of the inverse": _changed(inverse=lambda self, x: ((x - self.shift) / self.scale(), self.log_det(x))),
    "gradient cut": _changed(log_det=lambda self, x: self.logs.detach().sum().expand(len(x)) + 0 * x[:, 0]),
}

EXERCISE = ClassExercise(
    reference=ElementwiseAffine,
    points=3,
    convention=OF_THE_MAP_APPLIED,
    traits=TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in TRAITS),
    alternatives=(_Plain, _Free, _Softplus),
)
