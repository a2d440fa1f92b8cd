"""The term that a derivation leaves open: how far from p's mean a sample of q lies, squared, in expectation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import Exercise, Misconception, Property
from course_lib.checker.probes import Draw


def expected_square(mu_q: Tensor, sigma_q: Tensor, mu_p: Tensor) -> Tensor:
    r"""Return :math:`E_{x \sim \mathcal N(\mu_q, \sigma_q)}[(x - \mu_p)^2]` for each dimension.

    Lecture part "A brief aside", KL divergence; notebook 02.

    Args:
        mu_q, sigma_q, mu_p: ``(batch, dim)``.

    Returns:
        ``(batch, dim)``.
    """
    return sigma_q**2 + (mu_q - mu_p) ** 2


def _probe(draw: Draw) -> tuple[Any, ...]:
    shape = (draw.sizes.batch, draw.sizes.dim)
    return draw.normal(*shape), draw.positive(*shape), draw.normal(*shape, shift=-0.6)


def _by_quadrature(answer: Answer, draw: Draw) -> str | None:
    mu_q, sigma_q, mu_p = draw.normal(1, 1), draw.positive(1, 1), draw.normal(1, 1, shift=-0.6)
    (value,) = tensors_from(answer.call(mu_q, sigma_q, mu_p))
    steps = torch.linspace(-10, 10, 4001, dtype=mu_q.dtype)
    weights = (-0.5 * steps**2).exp() / (2 * torch.pi) ** 0.5
    squares = (mu_q.squeeze() + sigma_q.squeeze() * steps - mu_p.squeeze()) ** 2
    exact = torch.trapezoid(weights * squares, steps).item()
    if value.numel() != 1 or abs(value.item() - exact) < 1e-5 * (1 + exact):
        return None
    return (
        f"For mu_q = {mu_q.item():.2f}, sigma_q = {sigma_q.item():.2f}, mu_p = {mu_p.item():.2f} the integral of "
        f"(x - mu_p)² under q is {exact:.4f}, by numerical integration; yours is {value.item():.4f}."
    )


EXERCISE = Exercise(
    reference=expected_square,
    points=2,
    returns={"expected square": "(batch, dim)"},
    convention="The expectation is under q = N(mu_q, sigma_q), sigma_q a standard deviation; distances are measured from "
    "mu_p. One value for each dimension, (batch, dim).",
    probe=_probe,
    gradients=("mu_q", "sigma_q", "mu_p"),
    misconceptions=(
        Misconception(
            "spread of q missing",
            "You have the squared distance of the two means. A sample of q does not lie at mu_q, it spreads around it: "
            "E[(x - mu_q)²] is missing.",
            lambda mu_q, sigma_q, mu_p: (mu_q - mu_p) ** 2,
        ),
        Misconception(
            "distance of the means missing",
            "That is E[(x - mu_q)²], the square around q's own mean. Here distances are measured from mu_p.",
            lambda mu_q, sigma_q, mu_p: sigma_q**2 + 0 * (mu_q - mu_p),
        ),
        Misconception(
            "sigma not squared",
            "You add sigma_q as it is: E[(x - mu_q)²] is the variance, the square of the standard deviation.",
            lambda mu_q, sigma_q, mu_p: sigma_q + (mu_q - mu_p) ** 2,
        ),
        Misconception(
            "square of the sum",
            "You square the sum of the two parts. The cross term 2(mu_q - mu_p)(x - mu_q) has expectation zero: square "
            "each part, then add.",
            lambda mu_q, sigma_q, mu_p: (sigma_q + mu_q - mu_p) ** 2,
        ),
        Misconception(
            "difference of the parts",
            "You subtract one square from the other: both make the distance larger, they add up.",
            lambda mu_q, sigma_q, mu_p: sigma_q**2 - (mu_q - mu_p) ** 2,
        ),
        Misconception(
            "square around zero",
            "That is E[x²], the square around zero: distances are measured from mu_p.",
            lambda mu_q, sigma_q, mu_p: sigma_q**2 + mu_q**2 + 0 * mu_p,
        ),
        Misconception(
            "difference of the squares",
            "You take mu_q² - mu_p² for the square of mu_q - mu_p: subtract first, then square.",
            lambda mu_q, sigma_q, mu_p: sigma_q**2 + mu_q**2 - mu_p**2,
        ),
        Misconception(
            "means added",
            "You add the means: their distance is mu_q - mu_p.",
            lambda mu_q, sigma_q, mu_p: sigma_q**2 + (mu_q + mu_p) ** 2,
        ),
        Misconception(
            "halved",
            "You return half of it: the ½ stands before the box already, only the expectation goes into it.",
            lambda mu_q, sigma_q, mu_p: 0.5 * expected_square(mu_q, sigma_q, mu_p),
        ),
        Misconception(
            "root taken",
            "You take the root at the end: the squared distance itself stands in the box.",
            lambda mu_q, sigma_q, mu_p: expected_square(mu_q, sigma_q, mu_p).sqrt(),
        ),
        Misconception(
            "summed over the dimensions",
            "You sum over the dimensions: one value for each is wanted, (batch, dim); the sum comes when the KL is put "
            "together.",
            lambda mu_q, sigma_q, mu_p: expected_square(mu_q, sigma_q, mu_p).sum(-1),
        ),
    ),
    alternatives=(
        lambda mu_q, sigma_q, mu_p: sigma_q**2 + mu_q**2 - 2 * mu_q * mu_p + mu_p**2,
        lambda mu_q, sigma_q, mu_p: sigma_q.square() + torch.pow(mu_p - mu_q, 2),
        lambda mu_q, sigma_q, mu_p: ((mu_q - mu_p + sigma_q) ** 2 + (mu_q - mu_p - sigma_q) ** 2) / 2,
    ),
    properties=(Property("equals the integral", _by_quadrature),),
)
