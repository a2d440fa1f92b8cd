"""From [0, 1) to the real line, and the log-determinant that is so easily forgotten."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.real_nvp import logit_transform


def unit_interval(draw: Draw) -> Tensor:
    """Points, or images, with values in [0, 1)."""
    shape = (draw.sizes.batch, draw.sizes.dim)
    if draw.sizes.dim % 2:
        shape = (*shape[:1], 2, draw.sizes.dim, draw.sizes.dim + 1)  # type: ignore[assignment]
    return draw.simplex(*shape, 2)[..., 0]


def _probe(draw: Draw) -> tuple[Tensor, float]:
    return unit_interval(draw), (0.05, 0.1, 0.3, 0.2)[draw.integer(4)]


def _into(x: Tensor, alpha: float) -> Tensor:
    return alpha + (1 - alpha) * x


def _log_dets(x: Tensor, alpha: float) -> Tensor:
    s = _into(x, alpha)
    return math.log(1 - alpha) - s.log() - (1 - s).log()


def _variant(
    y: Callable[[Tensor, float], Tensor] = lambda x, alpha: torch.logit(_into(x, alpha)),
    log_det: Callable[[Tensor, float], Tensor] = lambda x, alpha: _log_dets(x, alpha).flatten(1).sum(-1),
) -> Callable[..., Any]:
    return lambda x, alpha: (y(x, alpha), log_det(x, alpha))


def _without_constant(x: Tensor, alpha: float) -> Tensor:
    s = _into(x, alpha)
    return -(s * (1 - s)).log().flatten(1).sum(-1)


def _by_softplus(x: Tensor, alpha: float) -> Any:
    y = torch.logit(_into(x, alpha))
    softplus = torch.nn.functional.softplus
    return y, (softplus(y) + softplus(-y) + math.log(1 - alpha)).reshape(len(x), -1).sum(1)


def _symmetric(x: Tensor, alpha: float) -> Any:
    s = alpha + (1 - 2 * alpha) * x
    return torch.logit(s), (math.log(1 - 2 * alpha) - (s * (1 - s)).log()).flatten(1).sum(-1)


EXERCISE = Exercise(
    reference=logit_transform,
    points=2,
    returns={"y": "x's shape", "log_det": "(batch,)"},
    convention="y = logit(alpha + (1 - alpha) x), logit s = log s - log(1 - s); log_det = log|det dy/dx|, nats, summed over everything but the batch.",
    probe=_probe,
    gradients=("x",),
    misconceptions=(
        Misconception(
            "1 - 2 alpha",
            "You scale by 1 - 2 alpha, as the authors' code does: here it is alpha + (1 - alpha) x, as their paper prints it.",
            _symmetric,
        ),
        Misconception(
            "alpha left out",
            "You leave alpha out: at x = 0 the logit is minus infinity.",
            lambda x, alpha: logit_transform(x, 0.0),
        ),
        Misconception(
            "alpha added alone",
            "You add alpha without shrinking: alpha + x goes beyond 1.",
            _variant(lambda x, alpha: torch.logit((alpha + x).clamp(max=1 - 1e-6))),
        ),
        Misconception(
            "alpha and 1 - alpha exchanged",
            "alpha and 1 - alpha have changed places: alpha + (1 - alpha) x.",
            _variant(lambda x, alpha: torch.logit((1 - alpha) + alpha * x)),
        ),
        Misconception(
            "sigmoid",
            "You take the sigmoid: it leads from the real line into (0, 1). The logit is its inverse, log s - log(1 - s).",
            _variant(lambda x, alpha: _into(x, alpha).sigmoid()),
        ),
        Misconception(
            "logarithm alone",
            "You take log s: the logit is log s - log(1 - s).",
            _variant(lambda x, alpha: _into(x, alpha).log()),
        ),
        Misconception(
            "constant left out",
            "y is right; the factor 1 - alpha is missing in your log_det: log(1 - alpha) once for each entry.",
            _variant(log_det=_without_constant),
        ),
        Misconception(
            "constant counted once",
            "y is right; your log_det has log(1 - alpha) once in all: every entry is scaled by it.",
            _variant(log_det=lambda x, alpha: _without_constant(x, alpha) + math.log(1 - alpha)),
        ),
        Misconception(
            "log_det has the wrong sign",
            "y is right; the log_det has the wrong sign: the logit stretches, dy/dx = (1 - alpha) / (s (1 - s)).",
            _variant(log_det=lambda x, alpha: -_log_dets(x, alpha).flatten(1).sum(-1)),
        ),
        Misconception(
            "log_det at x",
            "y is right; your log_det has x where s = alpha + (1 - alpha) x belongs: the logit is taken of s.",
            _variant(log_det=lambda x, alpha: (math.log(1 - alpha) - (x * (1 - x)).log()).flatten(1).sum(-1)),
        ),
        Misconception(
            "log_det at y",
            "y is right; your log_det is that of a sigmoid of x: the slope of the logit is 1 / (s (1 - s)).",
            _variant(log_det=lambda x, alpha: (x.sigmoid() * (1 - x.sigmoid())).log().flatten(1).sum(-1)),
        ),
        Misconception(
            "1 - s left out",
            "y is right; your log_det is that of log s: the slope of the logit is 1 / s + 1 / (1 - s).",
            _variant(log_det=lambda x, alpha: (math.log(1 - alpha) - _into(x, alpha).log()).flatten(1).sum(-1)),
        ),
        Misconception(
            "slopes without a logarithm",
            "y is right; you add the slopes themselves: their logarithms add.",
            _variant(log_det=lambda x, alpha: _log_dets(x, alpha).exp().flatten(1).sum(-1)),
        ),
        Misconception(
            "log_det is a mean",
            "y is right; your log_det is a mean over entries: the logarithms of all slopes add.",
            _variant(log_det=lambda x, alpha: _log_dets(x, alpha).flatten(1).mean(-1)),
        ),
        Misconception(
            "a log_det for each entry",
            "y is right; you return a log_det for each entry: sum over everything but the batch, (batch,).",
            _variant(log_det=_log_dets),
        ),
        Misconception(
            "one log_det for the batch",
            "y is right; you sum over the batch as well: one value for each point, (batch,).",
            _variant(log_det=lambda x, alpha: _log_dets(x, alpha).sum()),
        ),
        Misconception(
            "y alone",
            "You return y alone: (y, log_det) is asked for. Without it bits/dim are counted against the wrong unit.",
            lambda x, alpha: torch.logit(_into(x, alpha)),
        ),
    ),
    alternatives=(_by_softplus, _variant()),
)
