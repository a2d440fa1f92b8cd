"""The one layer of NICE with a log-determinant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.answers import Answer, Instance
from course_lib.checker import flows
from course_lib.checker.exercise import ClassExercise, Misconception, Trait
from course_lib.checker.probes import Draw
from course_lib.nice import Scaling


def _size(draw: Draw) -> tuple[int, ...]:
    return (draw.sizes.dim + 2,)


def _moved(answer: Answer, draw: Draw) -> tuple[Instance, Tensor, Tensor]:
    """Return a layer whose parameters have both signs, points, and the factor by which each entry is multiplied."""
    (dim,) = _size(draw)
    instance = answer.construct(dim)
    instance.call("double")
    sizes = {name: old.shape for name, old in instance.parameters().items()}
    instance.set_parameters(
        {name: draw.positive(*shape) * (0.5 * draw.normal(*shape, shift=0.0)).sign() for name, shape in sizes.items()}
    )
    z = draw.normal(flows.POINTS, dim)
    x, _ = flows.apply(instance, "forward", torch.ones(1, dim, dtype=torch.float64))
    return instance, z, x.detach()[0]


def _numbers(answer: Answer, draw: Draw) -> str | None:
    (dim,) = _size(draw)
    count = sum(p.numel() for p in answer.construct(dim).parameters().values() if p.requires_grad)
    return None if count == dim else f"For {dim} dimensions yours has {count}."


def _adds(answer: Answer, draw: Draw) -> str | None:
    instance, z, _ = _moved(answer, draw)
    there = flows.apply(instance, "forward", 0 * z)[0].abs().max().item()
    return None if there < 1e-9 else f"It takes 0 to {there:.3f}."


def _multiplies(answer: Answer, draw: Draw) -> str | None:
    instance, z, factor = _moved(answer, draw)
    x, _ = flows.apply(instance, "forward", z)
    return None if torch.allclose(x, factor * z, rtol=1e-6, atol=1e-6) else ""


def _infinite(answer: Answer, draw: Draw) -> str | None:
    instance, z, factor = _moved(answer, draw)
    _, log_det = flows.apply(instance, "forward", z)
    if bool(log_det.isfinite().all()):
        return None
    return f"With the factors {', '.join(f'{c:.2f}' for c in factor[:3].tolist())} … yours is {log_det[0].item()}."


def _log_det(wrong: Any) -> Any:
    """Return a trait's look at the log_det of forward: one way of being wrong, from the factors."""

    def lacking(answer: Answer, draw: Draw) -> str | None:
        instance, z, factor = _moved(answer, draw)
        _, log_det = flows.apply(instance, "forward", z)
        right, logs = factor.abs().log().sum(), factor.abs().log()
        if torch.allclose(log_det, right.expand_as(log_det), rtol=1e-6, atol=1e-6):
            return None
        theirs = right if wrong is None else wrong(factor, logs)
        if wrong is not None and not torch.allclose(log_det, theirs.expand_as(log_det), rtol=1e-5, atol=1e-6):
            return None
        return f"The logarithms of the factors add up to {right.item():.4f}; yours says {log_det[0].item():.4f}."

    return lacking


def _gradient_cut(answer: Answer, draw: Draw) -> str | None:
    """The points alone and the log_det alone must reach every factor."""
    instance, points = flows.moved(answer, draw, _size(draw)), draw.normal(flows.POINTS, *_size(draw))
    for method in ("forward", "inverse"):
        for index, name in enumerate(("points", "log_det")):
            if flows.unreached(instance, (flows.apply(instance, method, points)[index] ** 2).sum()):
                return f"None flows from the {name} of {method} to what is learned."
    return None


class _Plain(nn.Module):
    """A scaling of our own, to be made wrong in one place."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.logs = nn.Parameter(torch.zeros(dim))

    def factor(self) -> Tensor:
        return self.logs.exp()

    def log_det(self, x: Tensor) -> Tensor:
        return self.logs.sum().expand(len(x))

    def forward(self, z: Tensor) -> Any:
        return z * self.factor(), self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        return x / self.factor(), -self.log_det(x)


class _Free(nn.Module):
    """A free factor, started at 1."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.ones(1, dim))

    def forward(self, z: Tensor) -> Any:
        return z * self.c, self.c.abs().log().sum().repeat(z.shape[0])

    def inverse(self, x: Tensor) -> Any:
        return x / self.c, -self.c.abs().log().sum(-1).expand(len(x))


class _Unsigned(_Free):
    def forward(self, z: Tensor) -> Any:
        return z * self.c, self.c.log().sum().expand(len(z))


class _Softplus(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(0.5 * torch.randn(dim))

    def forward(self, z: Tensor) -> Any:
        scale = nn.functional.softplus(self.raw)
        return z / scale, -scale.log().sum() * torch.ones_like(z[:, 0])

    def inverse(self, x: Tensor) -> Any:
        scale = nn.functional.softplus(self.raw)
        return x * scale, scale.log().sum() * torch.ones_like(x[:, 0])


def _changed(**methods: Any) -> type:
    return type("Scaling", (_Plain,), methods)


class _Plainly(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c = torch.ones(dim)

    def forward(self, z: Tensor) -> Any:
        return z * self.c, self.c.log().sum().expand(len(z))

    def inverse(self, x: Tensor) -> Any:
        return x / self.c, -self.c.log().sum().expand(len(x))


class _OneFactor(_Plain):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.dim, self.logs = dim, nn.Parameter(torch.zeros(1))

    def log_det(self, x: Tensor) -> Tensor:
        return self.dim * self.logs.sum().expand(len(x))


class _Shifts(_Plain):
    def forward(self, z: Tensor) -> Any:
        return z * self.factor() + 0.5, self.log_det(z)

    def inverse(self, x: Tensor) -> Any:
        return (x - 0.5) / self.factor(), -self.log_det(x)


class _Bends(_Plain):
    def forward(self, z: Tensor) -> Any:
        return z * self.factor() + 0.1 * z**3, self.log_det(z)


class _Detached(_Plain):
    def log_det(self, x: Tensor) -> Tensor:
        return self.logs.detach().sum().expand(len(x)) + 0 * x[:, 0]


SCALING_TRAITS = (
    Trait("no parameters", flows.NO_PARAMETERS.says, flows.has_parameters(_size)),
    Trait(
        "not one number a dimension",
        "One number is learned for each dimension, dim in all, the same for every point.",
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
    Trait("something is added", "forward takes 0 to 0: it multiplies, it does not shift.", _adds),
    Trait(
        "not a product",
        "forward multiplies each entry by a factor of its own, c_i · z_i, and does nothing else to it.",
        _multiplies,
    ),
    Trait(
        "log of a negative factor",
        "The log_det is not finite: a factor may have become negative in training, so take log|c|, or learn log c.",
        _infinite,
    ),
    Trait(
        "log_det is 0",
        "The log_det of forward is 0: this is the one layer of NICE that changes volume.",
        _log_det(lambda factor, logs: 0 * logs.sum()),
    ),
    Trait(
        "log_det has the wrong sign",
        "The log_det of forward has the wrong sign: it is that of the map just applied, z to c · z.",
        _log_det(lambda factor, logs: -logs.sum()),
    ),
    Trait(
        "log_det is a mean",
        "The log_det is a mean over the dimensions: the determinant of a diagonal matrix is the product, so the logarithms add.",
        _log_det(lambda factor, logs: logs.mean()),
    ),
    Trait(
        "sum of the factors",
        "The log_det adds the factors themselves: it is their logarithms that add.",
        _log_det(lambda factor, logs: factor.sum()),
    ),
    Trait(
        "determinant, not its logarithm",
        "You return the determinant, the product of the factors: its logarithm is asked for.",
        _log_det(lambda factor, logs: factor.prod()),
    ),
    Trait("another log_det", "The log_det of forward is not log|det dx/dz| = Σ log|c_i|.", _log_det(None)),
    Trait("inverse does not undo forward", "inverse does not undo forward: it divides.", flows.undoes(_size)),
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


def _float32(self: Any, x: Tensor) -> Tensor:
    return self.logs.sum().float().expand(len(x))


WRONG: dict[str, type] = {
    "no parameters": _Plainly,
    "not one number a dimension": _OneFactor,
    "shapes": _changed(log_det=lambda self, x: self.logs.sum()),
    "something is added": _Shifts,
    "not a product": _Bends,
    "log of a negative factor": _Unsigned,
    "log_det is 0": _changed(log_det=lambda self, x: 0 * self.logs.sum().expand(len(x))),
    "log_det has the wrong sign": _changed(log_det=lambda self, x: -self.logs.sum().expand(len(x))),
    "log_det is a mean": _changed(log_det=lambda self, x: self.logs.mean().expand(len(x))),
    "sum of the factors": _changed(log_det=lambda self, x: self.logs.exp().sum().expand(len(x))),
    "determinant, not its logarithm": _changed(log_det=lambda self, x: self.logs.exp().prod().expand(len(x))),
    "another log_det": _changed(log_det=lambda self, x: len(x) * self.logs.sum().expand(len(x))),
    "inverse does not undo forward": _changed(inverse=lambda self, x: (x * self.factor(), -self.log_det(x))),
    "log_det of the inverse": _changed(inverse=lambda self, x: (x / self.factor(), self.log_det(x))),
    "gradient cut": _Detached,
    "created in float32": _changed(log_det=_float32),
}

EXERCISE = ClassExercise(
    reference=Scaling,
    points=2,
    convention="forward(z) -> (x, log_det), inverse(x) -> (z, log_det): log_det always of the map just applied, (batch,), nats.",
    traits=SCALING_TRAITS,
    misconceptions=tuple(Misconception(trait.name, trait.says, WRONG[trait.name]) for trait in SCALING_TRAITS),
    alternatives=(_Plain, _Free, _Softplus),
)
