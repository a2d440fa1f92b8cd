r"""The entropy of what NICE draws: a derivation to complete.

.. math:: -E[\log p(x)] = 2\,\text{dim} + \sum_i \log c_i

The standard logistic has an entropy of 2 nats a dimension; couplings keep it, the scaling adds its log-determinant.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.answers import Answer
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw
from course_lib.nice import logistic_log_prob, logistic_sample


def sample_entropy(dim: int, factors: Tensor) -> Tensor:
    """Return the entropy of x in nats, a scalar, for NICE with the scaling's ``factors (dim,)``, all positive."""
    return 2 * dim + factors.log().sum()


def _probe(draw: Draw) -> tuple[int, Tensor]:
    dim = draw.sizes.dim + 2
    return dim, 0.2 + 3 * draw.positive(dim)


def _is_not_that_of_samples(answer: Answer, draw: Draw) -> str | None:
    """Average -log p(x) over sixty thousand samples of a scaled logistic."""
    dim, factors = _probe(draw)
    value = answer.call(dim, factors)
    if not isinstance(value, int | float) and not (isinstance(value, Tensor) and value.numel() == 1):
        return None
    uniform = torch.rand(60_000, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = factors.double() * logistic_sample(uniform.clamp(min=1e-12))
    measured = -(logistic_log_prob(x / factors.double()) - factors.double().log().sum()).mean().item()
    if abs(float(value) - measured) < 0.06:
        return None
    return (
        f"Measured on samples with dim = {dim} and the factors {', '.join(f'{c:.2f}' for c in factors.tolist())}, the mean of "
        f"-log p(x) is about {measured:.2f} nats; yours is {float(value):.2f}."
    )


EXERCISE = Exercise(
    reference=sample_entropy,
    points=2,
    returns={"entropy": "()"},
    convention="The mean of -log p(x) over x = f(z), in nats: what z has in all its dimensions, and what f adds. One number.",
    probe=_probe,
    number_accepted=True,
    properties=(Property("is not that of samples", _is_not_that_of_samples),),
    misconceptions=(
        Misconception(
            "sign of the log-determinant",
            "You subtract the log-determinant: -log p(x) = -log p(z) + log|det dx/dz|. What is spread wider has more entropy.",
            lambda dim, factors: 2 * dim - factors.log().sum(),
        ),
        Misconception(
            "one dimension's",
            "Your 2 counts one dimension of z: there are dim of them, independent, and their entropies add.",
            lambda dim, factors: 2 + factors.log().sum(),
        ),
        Misconception(
            "one half of the logistic",
            "You take 1 nat a dimension: step 3 has two expectations, of log u and of log(1 - u), and both are -1.",
            lambda dim, factors: dim + factors.log().sum(),
        ),
        Misconception(
            "scaling forgotten",
            "That is the entropy of z. The scaling changes it: log|det dx/dz| is missing.",
            lambda dim, factors: 2.0 * dim + 0 * factors.sum(),
        ),
        Misconception(
            "prior forgotten",
            "That is what f adds, the log-determinant. The entropy that z has from the start is missing.",
            lambda dim, factors: factors.log().sum(),
        ),
        Misconception(
            "sign of the prior's part",
            "The mean of log p(z) is -2 for each dimension, the entropy is minus that mean: +2.",
            lambda dim, factors: -2 * dim + factors.log().sum(),
        ),
        Misconception(
            "mean log-density",
            "That is the mean of log p(x); the box is the entropy, minus that.",
            lambda dim, factors: -2 * dim - factors.log().sum(),
        ),
        Misconception(
            "factors without a logarithm",
            "You add the factors themselves: the log-determinant is the sum of their logarithms.",
            lambda dim, factors: 2 * dim + factors.sum(),
        ),
        Misconception(
            "product without a logarithm",
            "The product of the factors is the determinant; what is added is its logarithm.",
            lambda dim, factors: 2 * dim + factors.prod(),
        ),
        Misconception(
            "mean of the logarithms",
            "You average log c over the dimensions: the determinant is the product of all factors, its logarithm their sum.",
            lambda dim, factors: 2 * dim + factors.log().mean(),
        ),
        Misconception(
            "counted for each dimension",
            "You count the whole log-determinant once for each dimension: it is the sum already, added once.",
            lambda dim, factors: dim * (2 + factors.log().sum()),
        ),
        Misconception(
            "the Gaussian's entropy",
            "You take ½ log(2πe) for each dimension, the Gaussian's entropy. The logistic's is what steps 3 and 4 give.",
            lambda dim, factors: 0.5 * dim * math.log(2 * math.pi * math.e) + factors.log().sum(),
        ),
        Misconception(
            "the peak",
            "log 4 is minus the log-density at z = 0, the peak. The entropy is a mean over all z: step 4 for both logarithms of step 3.",
            lambda dim, factors: dim * math.log(4) + factors.log().sum(),
        ),
        Misconception(
            "logarithm of the sum",
            "You take the logarithm of the sum of the factors: the determinant is their product.",
            lambda dim, factors: 2 * dim + factors.sum().log(),
        ),
    ),
    alternatives=(
        lambda dim, factors: 2 * len(factors) + factors.prod().log(),
        lambda dim, factors: (2 + factors.log()).sum(),
        lambda dim, factors: 2 * dim + sum(math.log(c) for c in factors.tolist()),
    ),
)
