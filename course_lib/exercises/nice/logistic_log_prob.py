"""The prior of NICE."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import AffineTransform, SigmoidTransform, TransformedDistribution, Uniform
from torch.nn.functional import logsigmoid, softplus

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.nice import logistic_log_prob


def _probe(draw: Draw) -> tuple[Any, ...]:
    return (draw.normal(draw.sizes.batch, draw.sizes.dim, scale=2.0),)


def _variant(first: float = 1.0, twice: float = 2.0, scale: float = 1.0, constant: float = 0.0) -> Any:
    """Slips of -z - 2 log(1 + exp(-z)), its density for z scaled."""
    return lambda z: (-first * z * scale - twice * softplus(-z * scale) + constant).sum(-1)


def _with_distributions(z: Tensor) -> Tensor:
    unit = Uniform(torch.zeros_like(z[0, 0]), torch.ones_like(z[0, 0]))
    base = TransformedDistribution(unit, [SigmoidTransform().inv, AffineTransform(0.0, 1.0)])
    # Far out the sigmoid rounds to 0 or 1: there the density is e^-|z|.
    near = base.log_prob(z.clamp(-15, 15))
    return torch.where(z.abs() < 15, near, -z.abs()).sum(-1)


def _symmetric(z: Tensor) -> Tensor:
    distance = z.abs()
    return -(distance + 2 * torch.log1p((-distance).exp())).sum(-1)


def _integrates_to_one(answer: Answer, draw: Draw) -> str | None:
    grid = torch.linspace(-40, 40, 4001, dtype=torch.float64).unsqueeze(-1)
    (value,) = tensors_from(answer.call(grid))
    if value.shape != grid.shape[:1]:
        return None
    integral = torch.trapezoid(value.exp(), grid[:, 0]).item()
    return None if abs(integral - 1) < 1e-3 else f"Over the line your density integrates to {integral:.4f}, not to 1."


EXERCISE = Exercise(
    reference=logistic_log_prob,
    points=2,
    returns={"log_prob": "(batch,)"},
    convention="Standard logistic, location 0 and scale 1: p(z) = e⁻ᶻ / (1 + e⁻ᶻ)². Log-densities sum over the last dimension, nats.",
    probe=_probe,
    gradients=("z",),
    sums_over="z",
    properties=(Property("integrates to one", _integrates_to_one),),
    edge_cases=(
        EdgeCase(
            "far out",
            "Right near 0, but not for |z| of several hundred, where exp overflows or 1 + exp(z) rounds: torch's logsigmoid "
            "and softplus are made for that.",
            lambda draw: (draw.normal(draw.sizes.batch, draw.sizes.dim, scale=400.0),),
        ),
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds: take the logarithm of each entry, then sum.",
            lambda draw: (draw.normal(draw.sizes.batch, 784, scale=3.0),),
        ),
    ),
    misconceptions=(
        Misconception(
            "the distribution function",
            "That is the logarithm of the distribution function, log σ(z). Its derivative is the density: σ(z) · σ(-z).",
            lambda z: logsigmoid(z).sum(-1),
        ),
        Misconception(
            "square missing",
            "The square of 1 + e⁻ᶻ in the denominator is missing: in the logarithm it gives a 2.",
            _variant(twice=1.0),
        ),
        Misconception(
            "numerator missing",
            "The e⁻ᶻ in the numerator is missing: without it the density is not symmetric.",
            _variant(first=0.0),
        ),
        Misconception(
            "sign of the numerator",
            "The numerator is e⁻ᶻ, in the logarithm -z: you add z.",
            _variant(first=-1.0),
        ),
        Misconception(
            "unit variance",
            "You scale the logistic to variance 1: the standard logistic has scale 1, and its variance is π²/3.",
            lambda z: _variant(scale=math.pi / math.sqrt(3), constant=math.log(math.pi / math.sqrt(3)))(z),
        ),
        Misconception(
            "a normal prior",
            "That is the standard normal: NICE's prior is the logistic, whose tails fall as e⁻ᶻ, not as e to the -z²/2.",
            lambda z: (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(-1),
        ),
        Misconception(
            "density instead of its logarithm",
            "You sum densities: the entries are independent, so log-densities add.",
            lambda z: (z.sigmoid() * (-z).sigmoid()).sum(-1),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension.",
            lambda z: logsigmoid(z) + logsigmoid(-z),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions: log-densities of independent entries add.",
            lambda z: (logsigmoid(z) + logsigmoid(-z)).mean(-1),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0): sum over the last dimension, one value per data point.",
            lambda z: (logsigmoid(z) + logsigmoid(-z)).sum(0),
        ),
        Misconception(
            "sign",
            "The sign is flipped: a log-density of the logistic is at most -log 4 in each dimension.",
            lambda z: -logistic_log_prob(z),
        ),
        Misconception(
            "overflow",
            "Right near 0, but far out exp(-z) overflows, or a sigmoid is 0 in floating point and its logarithm -∞: take "
            "torch.nn.functional.logsigmoid or softplus, which see it coming.",
            lambda z: (-z - 2 * (1 + (-z).exp()).log()).sum(-1),
        ),
        Misconception(
            "logarithm of one minus a sigmoid",
            "Right near 0, but where z is large the sigmoid rounds to 1, and log(1 - 1) is -∞: log(1 - σ(z)) is logsigmoid(-z).",
            lambda z: (z.sigmoid().log() + (1 - z.sigmoid()).log()).sum(-1),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches z: leave out .detach(), .item() and torch.no_grad().",
            lambda z: logistic_log_prob(z.detach()) + 0 * z.detach().sum(),
        ),
    ),
    alternatives=(
        _symmetric,
        _with_distributions,
        lambda z: (-z - 2 * softplus(-z)).sum(-1),
        lambda z: (z - 2 * torch.logaddexp(torch.zeros_like(z), z)).sum(dim=1),
    ),
)
