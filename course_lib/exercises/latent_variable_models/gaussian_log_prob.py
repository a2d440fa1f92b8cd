"""The log-density of a diagonal Gaussian; held against its integral."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from course_lib.answers import Answer
from course_lib.checker.exercise import EdgeCase, Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.distributions import LOG_2PI, gaussian_log_prob
from course_lib.exercises.latent_variable_models.probes import does_not_integrate

SUM_OVER_DIMENSIONS = (
    "Gaussians are diagonal, given by mean mu and standard deviation sigma. Log-densities sum over the event (last) "
    "dimension and return one value per data point, (batch,), in nats."
)


def _gaussian_probe(draw: Draw) -> tuple[Any, ...]:
    shape = (draw.sizes.batch, draw.sizes.dim)
    return draw.normal(*shape, scale=1.5), draw.normal(*shape), draw.positive(*shape)


def _gaussian_variant(
    half: float = 0.5,
    square: bool = True,
    log_sigma: float = 1.0,
    constant: float = 0.5 * LOG_2PI,
    constant_per_dimension: bool = True,
    reduce: Callable[[Tensor], Tensor] = lambda terms: terms.sum(-1),
) -> Callable[..., Tensor]:
    def wrong(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
        standardised = (x - mu) / sigma
        terms = -half * (standardised**2 if square else standardised) - log_sigma * sigma.log()
        if constant_per_dimension:
            return reduce(terms - constant)
        return reduce(terms) - constant

    return wrong


def _integrates_to_one(answer: Answer, draw: Draw) -> str | None:
    mu, sigma = draw.normal(1, 1), draw.positive(1, 1)
    grid = torch.linspace(-12, 12, 2001, dtype=mu.dtype).unsqueeze(-1) * sigma + mu
    return does_not_integrate(answer, grid, mu.expand_as(grid).clone(), sigma.expand_as(grid).clone())


EXERCISE = Exercise(
    reference=gaussian_log_prob,
    points=3,
    returns={"log_prob": "(batch,)"},
    convention=SUM_OVER_DIMENSIONS,
    probe=_gaussian_probe,
    gradients=("x", "mu", "sigma"),
    sums_over="x",
    misconceptions=(
        Misconception(
            "missing ½ in the square",
            "The ½ in front of the squared distance is missing.",
            _gaussian_variant(half=1.0),
        ),
        Misconception(
            "missing normalising constant",
            "The normalising constant -½ log 2π is missing, once for every dimension.",
            _gaussian_variant(constant=0.0),
        ),
        Misconception(
            "constant counted once",
            "You subtract ½ log 2π once; every dimension has its own.",
            _gaussian_variant(constant_per_dimension=False),
        ),
        Misconception(
            "log 2π without the ½",
            "The constant is ½ log 2π, not log 2π: it comes from log of a square root.",
            _gaussian_variant(constant=LOG_2PI),
        ),
        Misconception(
            "missing -log sigma",
            "The term -log sigma is missing: a wider Gaussian is lower everywhere, so that it still integrates to 1.",
            _gaussian_variant(log_sigma=0.0),
        ),
        Misconception(
            "+log sigma",
            "The sign of log sigma is flipped: a wider Gaussian has a lower density at its mean.",
            _gaussian_variant(log_sigma=-1.0),
        ),
        Misconception(
            "half of log sigma",
            "You take ½ log sigma. That belongs to the variance: ½ log sigma² = log sigma.",
            _gaussian_variant(log_sigma=0.5),
        ),
        Misconception(
            "two log sigma",
            "You take log sigma² where log sigma belongs: ½ log sigma² = log sigma.",
            _gaussian_variant(log_sigma=2.0),
        ),
        Misconception(
            "variance for standard deviation in the square",
            "You divide the squared distance by sigma; it is divided by sigma², since sigma is a standard deviation.",
            lambda x, mu, sigma: (-0.5 * (x - mu) ** 2 / sigma - sigma.log() - 0.5 * LOG_2PI).sum(-1),
        ),
        Misconception(
            "sigma read as the variance",
            "You read sigma as the variance. It is the standard deviation: divide by sigma² and subtract log sigma.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma.sqrt()),
        ),
        Misconception(
            "variance handed to a function that wants the standard deviation",
            "You use sigma² as the standard deviation: Normal(mu, sigma) expects sigma itself.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma**2),
        ),
        Misconception(
            "sigma read as log sigma",
            "You read sigma as its logarithm: it is the standard deviation itself.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu, sigma.exp()),
        ),
        Misconception(
            "not squared",
            "The distance is not squared.",
            _gaussian_variant(square=False),
        ),
        Misconception(
            "mean over dimensions",
            "You average over the dimensions; the log-density of independent dimensions is their sum.",
            _gaussian_variant(reduce=lambda terms: terms.mean(-1)),
        ),
        Misconception(
            "sum over the batch",
            "You sum over the batch (dimension 0); sum over the last dimension, and keep one value per data point.",
            _gaussian_variant(reduce=lambda terms: terms.sum(0)),
        ),
        Misconception(
            "no sum over dimensions",
            "You return one value per dimension: sum over the last dimension to get one value per data point.",
            _gaussian_variant(reduce=lambda terms: terms),
        ),
        Misconception(
            "one number for the whole batch",
            "You sum over everything: keep one value per data point, (batch,).",
            _gaussian_variant(reduce=lambda terms: terms.sum()),
        ),
        Misconception(
            "density instead of log-density",
            "You return the density: its logarithm is wanted.",
            _gaussian_variant(reduce=lambda terms: terms.sum(-1).exp()),
        ),
        Misconception(
            "sum of densities",
            "You take the logarithm of a sum of densities: the densities of independent dimensions multiply, "
            "so their logarithms add.",
            _gaussian_variant(reduce=lambda terms: terms.exp().sum(-1).log()),
        ),
        Misconception(
            "exp before log",
            "You compute the density first and take its logarithm after: far from the mean, or in many dimensions, "
            "the density underflows to 0. Write the logarithm down directly.",
            _gaussian_variant(reduce=lambda terms: terms.exp().prod(-1).log()),
        ),
        Misconception(
            "sign",
            "The sign is flipped: that is the negative log-density, a loss. The log-density itself is wanted.",
            _gaussian_variant(reduce=lambda terms: -terms.sum(-1)),
        ),
        Misconception(
            "gradient cut",
            "The values are right, but no gradient reaches mu and sigma: leave out .detach(), .item(), .data and "
            "torch.no_grad(), or no model can be trained with it.",
            lambda x, mu, sigma: gaussian_log_prob(x, mu.detach(), sigma.detach()),
        ),
    ),
    alternatives=(
        lambda x, mu, sigma: Normal(mu, sigma).log_prob(x).sum(-1),
        lambda x, mu, sigma: Independent(Normal(mu, sigma), 1).log_prob(x),
        lambda x, mu, sigma: MultivariateNormal(mu, torch.diag_embed(sigma**2)).log_prob(x),
        lambda x, mu, sigma: (
            -torch.sum((x - mu) ** 2 / (2 * sigma**2), dim=1)
            - torch.sum(torch.log(sigma), dim=1)
            - x.shape[1] / 2 * math.log(2 * math.pi)
        ),
        lambda x, mu, sigma: -0.5 * (torch.log(2 * torch.pi * sigma**2) + (x - mu).pow(2) / sigma.pow(2)).sum(dim=-1),
    ),
    properties=(Property("integrates to one", _integrates_to_one),),
    edge_cases=(
        EdgeCase(
            "hundreds of dimensions",
            "Right in a few dimensions, but not in hundreds: a product of densities underflows to 0 there.",
            lambda draw: (
                draw.normal(draw.sizes.batch, 784, scale=2.0),
                draw.normal(draw.sizes.batch, 784),
                draw.positive(draw.sizes.batch, 784),
            ),
        ),
        EdgeCase(
            "far from the mean",
            "Right near the mean, but not far from it: the density underflows to 0 there.",
            lambda draw: (
                draw.normal(draw.sizes.batch, draw.sizes.dim, scale=5.0, shift=70.0),
                draw.normal(draw.sizes.batch, draw.sizes.dim),
                draw.positive(draw.sizes.batch, draw.sizes.dim),
            ),
        ),
    ),
)
