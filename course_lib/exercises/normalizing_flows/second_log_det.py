"""The second layer's share of the log-determinant of two: a derivation to complete.

.. math:: \\log|f_2(f_1(z))'| = \\log|f_1'(z)| + \\log|f_2'(f_1(z))|
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.checker.exercise import Exercise, Misconception
from course_lib.checker.probes import Draw

Map = Callable[[Tensor], Tensor]


def second_log_det(z: Tensor, f_1: Map, slope_2: Map) -> Tensor:
    """Return log|f_2'| at the point where the second layer finds z, ``(batch,)``, for ``z (batch,)``."""
    return slope_2(f_1(z)).abs().log()


def _probe(draw: Draw) -> tuple[Any, ...]:
    steep, bend = 0.6 + 0.1 * draw.integer(5), 0.4 + 0.1 * draw.integer(5)
    # A second layer that falls has a negative slope; then |…| counts. Every set of probes has both kinds.
    way = -1.0 if draw.sizes.batch % 2 == 0 else 1.0
    return (
        draw.normal(draw.sizes.batch),
        lambda z: steep * z + 0.5 * torch.sinh(z) + 0.7,
        lambda u: way * (bend + u**2),
    )


def _slope_of_first(z: Tensor, f_1: Map) -> Tensor:
    start = z.detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(f_1(start).sum(), start)
    return slope


def _both(z: Tensor, f_1: Map, slope_2: Map) -> Tensor:
    return second_log_det(z, f_1, slope_2) + _slope_of_first(z, f_1).abs().log()


EXERCISE = Exercise(
    reference=second_log_det,
    points=2,
    returns={"missing term": "(batch,)"},
    convention="x = f_2(f_1(z)), f_1 first. slope_2 is f_2' as a function: of the point that f_2 is given.",
    probe=_probe,
    gradients=("z",),
    misconceptions=(
        Misconception(
            "at z",
            "You take f_2' at z: the second layer never sees z. Which point is it given?",
            lambda z, f_1, slope_2: slope_2(z).abs().log(),
        ),
        Misconception(
            "without the bars",
            "Right where f_2 rises; where it falls its slope is negative and has no logarithm. The bars belong to it.",
            lambda z, f_1, slope_2: slope_2(f_1(z)).log(),
        ),
        Misconception(
            "the slope itself",
            "That is the size of the slope: it is its logarithm that is added to log|f_1'(z)|.",
            lambda z, f_1, slope_2: slope_2(f_1(z)).abs(),
        ),
        Misconception(
            "the slope with its sign",
            "That is the slope itself: it is the logarithm of its size that is added to log|f_1'(z)|.",
            lambda z, f_1, slope_2: slope_2(f_1(z)),
        ),
        Misconception(
            "the sign turned",
            "The sign is turned: this is log|det dx/dz| of the forward map, to which each layer adds. Subtracted it is later, once.",
            lambda z, f_1, slope_2: -slope_2(f_1(z)).abs().log(),
        ),
        Misconception(
            "both terms",
            "You give the whole, log|f_1'(z)| included: it stands there already.",
            _both,
        ),
        Misconception(
            "the first layer's",
            "You give log|f_1'(z)| again: that stands there already. What does f_2 add?",
            lambda z, f_1, slope_2: _slope_of_first(z, f_1).abs().log(),
        ),
        Misconception(
            "in the wrong order",
            "You put the slope into f_1: it is the other way round, f_1's result is what f_2' is taken at.",
            lambda z, f_1, slope_2: f_1(slope_2(z)).abs().log(),
        ),
        Misconception(
            "the place, not the slope",
            "You take the logarithm of f_1(z): that is where f_2 is applied. Its slope there is meant.",
            lambda z, f_1, slope_2: f_1(z).abs().log(),
        ),
        Misconception(
            "times the first slope",
            "You multiply by f_1'(z): the slopes are multiplied inside the logarithm, which makes a sum of them.",
            lambda z, f_1, slope_2: slope_2(f_1(z)).abs().log() * _slope_of_first(z, f_1),
        ),
        Misconception(
            "added over the batch",
            "You add over the batch: each point has its own log-determinant.",
            lambda z, f_1, slope_2: slope_2(f_1(z)).abs().log().sum(),
        ),
    ),
    alternatives=(
        lambda z, f_1, slope_2: torch.log(torch.abs(slope_2(f_1(z)))),
        lambda z, f_1, slope_2: 0.5 * (slope_2(f_1(z)) ** 2).log(),
    ),
)
