"""From the real line back to [0, 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from course_lib.checker.exercise import EdgeCase, Exercise, Misconception
from course_lib.checker.probes import Draw
from course_lib.real_nvp import logit_transform_inverse


def _probe(draw: Draw) -> tuple[Tensor, float]:
    shape: tuple[int, ...] = (draw.sizes.batch, draw.sizes.dim)
    if draw.sizes.dim % 2:
        shape = (draw.sizes.batch, 2, draw.sizes.dim, draw.sizes.dim + 1)
    return draw.normal(*shape, scale=2.0), (0.05, 0.1, 0.3, 0.2)[draw.integer(4)]


def _far(draw: Draw) -> tuple[Tensor, float]:
    y, alpha = _probe(draw)
    return 300 * y.sign() * (1 + y.abs()), alpha


def _log_dets(y: Tensor, alpha: float) -> Tensor:
    return logsigmoid(y) + logsigmoid(-y) - math.log(1 - alpha)


def _variant(
    x: Callable[[Tensor, float], Tensor] = lambda y, alpha: (y.sigmoid() - alpha) / (1 - alpha),
    log_det: Callable[[Tensor, float], Tensor] = lambda y, alpha: _log_dets(y, alpha).flatten(1).sum(-1),
) -> Callable[..., Any]:
    return lambda y, alpha: (x(y, alpha), log_det(y, alpha))


def _by_softplus(y: Tensor, alpha: float) -> Any:
    x = (torch.sigmoid(y) - alpha) / (1 - alpha)
    return x, -(softplus(y) + softplus(-y) + math.log1p(-alpha)).reshape(len(y), -1).sum(1)


EXERCISE = Exercise(
    reference=logit_transform_inverse,
    points=1,
    returns={"x": "y's shape", "log_det": "(batch,)"},
    convention="x = (sigmoid(y) - alpha) / (1 - alpha), not clamped; log_det = log|det dx/dy|, of the map just applied, nats, summed over everything but the batch.",
    probe=_probe,
    gradients=("y",),
    edge_cases=(
        EdgeCase(
            "far out",
            "Right for moderate y, but not where |y| is several hundred: sigmoid(y) is 0 or 1 there, and its logarithm is lost. "
            "logsigmoid(y) and logsigmoid(-y) are not.",
            _far,
        ),
    ),
    misconceptions=(
        Misconception(
            "sigmoid alone",
            "You leave alpha out: what the logit was taken of is alpha + (1 - alpha) x, so take that back as well.",
            _variant(lambda y, alpha: y.sigmoid(), lambda y, alpha: _log_dets(y, 0.0).flatten(1).sum(-1)),
        ),
        Misconception(
            "alpha not subtracted",
            "You divide by 1 - alpha without subtracting alpha first.",
            _variant(lambda y, alpha: y.sigmoid() / (1 - alpha)),
        ),
        Misconception(
            "not divided",
            "You subtract alpha, but do not divide by 1 - alpha.",
            _variant(lambda y, alpha: y.sigmoid() - alpha),
        ),
        Misconception(
            "divided first",
            "You divide first, then subtract alpha: alpha was added last before the logit, so it is subtracted first.",
            _variant(lambda y, alpha: y.sigmoid() / (1 - alpha) - alpha),
        ),
        Misconception(
            "applied again",
            "You shrink once more, alpha + (1 - alpha) · sigmoid(y): that is to be undone.",
            _variant(lambda y, alpha: alpha + (1 - alpha) * y.sigmoid()),
        ),
        Misconception(
            "1 - 2 alpha",
            "You divide by 1 - 2 alpha: here it was alpha + (1 - alpha) x.",
            _variant(lambda y, alpha: (y.sigmoid() - alpha) / (1 - 2 * alpha)),
        ),
        Misconception(
            "clamped",
            "You clamp x to [0, 1]: what a flow draws may lie a little below 0, and the way there is to remain invertible.",
            _variant(lambda y, alpha: ((y.sigmoid() - alpha) / (1 - alpha)).clamp(0, 1)),
        ),
        Misconception(
            "log_det of forward",
            "x is right; the log_det is that of the way there: of the map just applied it is minus that.",
            _variant(log_det=lambda y, alpha: -_log_dets(y, alpha).flatten(1).sum(-1)),
        ),
        Misconception(
            "constant left out",
            "x is right; the division by 1 - alpha is missing in your log_det: -log(1 - alpha) for each entry.",
            _variant(log_det=lambda y, alpha: _log_dets(y, 0.0).flatten(1).sum(-1)),
        ),
        Misconception(
            "constant has the wrong sign",
            "x is right; log(1 - alpha) has the wrong sign in your log_det: here it is divided by.",
            _variant(log_det=lambda y, alpha: (_log_dets(y, alpha) + 2 * math.log(1 - alpha)).flatten(1).sum(-1)),
        ),
        Misconception(
            "half of the slope",
            "x is right; your log_det has log sigmoid(y) alone: the sigmoid's slope is sigmoid(y) · sigmoid(-y).",
            _variant(log_det=lambda y, alpha: (logsigmoid(y) - math.log(1 - alpha)).flatten(1).sum(-1)),
        ),
        Misconception(
            "log_det is a mean",
            "x is right; your log_det is a mean over entries: the logarithms of all slopes add.",
            _variant(log_det=lambda y, alpha: _log_dets(y, alpha).flatten(1).mean(-1)),
        ),
        Misconception(
            "a log_det for each entry",
            "x is right; you return a log_det for each entry: sum over everything but the batch, (batch,).",
            _variant(log_det=_log_dets),
        ),
        Misconception(
            "x alone",
            "You return x alone: (x, log_det) is asked for.",
            lambda y, alpha: (y.sigmoid() - alpha) / (1 - alpha),
        ),
    ),
    alternatives=(_by_softplus, _variant()),
)
