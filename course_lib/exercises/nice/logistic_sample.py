"""Drawing from the logistic by the inverse of its distribution function."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.nice import logistic_sample


def _uniform(draw: Draw, *shape: int) -> Tensor:
    """Uniform numbers that are never ½, where a wrong sign hides."""
    return draw.simplex(*shape, 2)[..., 0]


def _probe(draw: Draw) -> tuple[Any, ...]:
    return (_uniform(draw, draw.sizes.batch, draw.sizes.dim),)


def _close_to(end: float) -> Any:
    def probe(draw: Draw) -> tuple[Any, ...]:
        tiny = 10.0 ** -(2 + 5 * draw.positive(draw.sizes.batch, draw.sizes.dim))
        return ((tiny if end == 0 else 1 - tiny.clamp(min=1e-6)),)

    return probe


def _undoes_the_sigmoid(answer: Answer, draw: Draw) -> str | None:
    (uniform,) = _probe(draw)
    (z,) = tensors_from(answer.call(uniform))
    if z.shape == uniform.shape and torch.allclose(z.double().sigmoid(), uniform.double(), atol=1e-6):
        return None
    return "The distribution function is σ(z) = 1 / (1 + e⁻ᶻ); of your z it does not give u back."


EXERCISE = Exercise(
    reference=logistic_sample,
    points=1,
    returns={"z": "as uniform"},
    convention="z = F⁻¹(u), where F(z) = 1 / (1 + e⁻ᶻ) is the logistic's distribution function: F(z) = u.",
    probe=_probe,
    properties=(Property("undoes the sigmoid", _undoes_the_sigmoid),),
    edge_cases=(
        EdgeCase(
            "close to 0",
            "Right in the middle, but not for u close to 0, where z is far below 0. Is something clamped, or added inside the logarithm?",
            _close_to(0.0),
        ),
        EdgeCase(
            "close to 1",
            "Right in the middle, but not for u close to 1, where z is large. Is something clamped, or added inside the logarithm?",
            _close_to(1.0),
        ),
    ),
    misconceptions=(
        Misconception(
            "sign",
            "The sign is flipped: a u above ½ belongs to a z above 0, log u - log(1 - u).",
            lambda uniform: (1 - uniform).log() - uniform.log(),
        ),
        Misconception(
            "the distribution function itself",
            "You apply the distribution function: what is needed is its inverse, which leads from u to z.",
            torch.sigmoid,
        ),
        Misconception(
            "quantile of a normal",
            "That is a quantile of the standard normal: the logistic's is log u - log(1 - u).",
            lambda uniform: torch.special.ndtri(uniform),
        ),
        Misconception(
            "log u alone",
            "log(1 - u) is missing: all your z are negative.",
            lambda uniform: uniform.log(),
        ),
        Misconception(
            "an exponential",
            "-log(1 - u) draws from the exponential distribution, which is never negative: log u belongs there too.",
            lambda uniform: -(-uniform).log1p(),
        ),
        Misconception(
            "sum of the logarithms",
            "You add the two logarithms: the quotient u / (1 - u) gives their difference.",
            lambda uniform: uniform.log() + (-uniform).log1p(),
        ),
        Misconception(
            "odds without the logarithm",
            "u / (1 - u) are the odds; z is their logarithm.",
            lambda uniform: uniform / (1 - uniform),
        ),
        Misconception(
            "unit variance",
            "You scale to variance 1: the standard logistic has scale 1, and its variance is π²/3.",
            lambda uniform: logistic_sample(uniform) * math.sqrt(3) / math.pi,
        ),
        Misconception(
            "base ten",
            "You take logarithms to base 10: they are natural ones.",
            lambda uniform: logistic_sample(uniform) / math.log(10),
        ),
        Misconception(
            "half of it",
            "That is atanh(2u - 1), half of what is needed: σ(z) = ½ + ½ tanh(z/2).",
            lambda uniform: (2 * uniform - 1).atanh(),
        ),
        Misconception(
            "clamped",
            "Right in the middle, but u close to 0 or 1 is clamped (torch.logit with an eps?): the logistic's tails are cut off.",
            lambda uniform: torch.logit(uniform, eps=1e-3),
        ),
        Misconception(
            "something added inside",
            "Right in the middle, but a small number is added inside the logarithm, and u close to 0 gives another z.",
            lambda uniform: (uniform / (1 - uniform) + 1e-6).log(),
        ),
    ),
    alternatives=(
        torch.logit,
        lambda uniform: torch.log(uniform / (1 - uniform)),
        lambda uniform: -torch.log(1 / uniform - 1),
        lambda uniform: 2 * torch.atanh(2 * uniform - 1) if uniform.min() > 1e-6 else torch.logit(uniform),
    ),
)
