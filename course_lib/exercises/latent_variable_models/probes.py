"""What the exercises on mixtures share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_lib.answers import Answer, tensors_from
from course_lib.checker.exercise import EdgeCase
from course_lib.checker.probes import Draw
from course_lib.distributions import gaussian_log_prob

MIXTURE_SHAPES = (
    "x is (batch, dim); weights (components,) are probabilities; mu and sigma (components, dim) are means and "
    "standard deviations. Log-densities sum over the event dimension, in nats."
)


def does_not_integrate(answer: Answer, grid: Tensor, *parameters: Tensor) -> str | None:
    """Say so if exp of the answer, a log-density on a grid ``(points, 1)``, does not integrate to one."""
    (log_p,) = tensors_from(answer.call(grid, *parameters))
    if log_p.shape != grid.shape[:1]:
        return None  # the shape is judged elsewhere
    total = torch.trapezoid(log_p.exp(), grid.squeeze(-1)).item()
    if abs(total - 1) < 1e-6:
        return None
    return f"A density integrates to 1. In one dimension, exp of your result integrates to {total:.4f}."


def mixture_probe(draw: Draw) -> tuple[Any, ...]:
    x = draw.normal(draw.sizes.batch, draw.sizes.dim, scale=1.5)
    weights = draw.simplex(draw.sizes.components)
    mu = draw.normal(draw.sizes.components, draw.sizes.dim, scale=0.8)
    return x, weights, mu, draw.positive(draw.sizes.components, draw.sizes.dim)


def _far_mixture(draw: Draw) -> tuple[Any, ...]:
    _, *parameters = mixture_probe(draw)
    return draw.normal(draw.sizes.batch, draw.sizes.dim, scale=4.0, shift=90.0), *parameters


def _wide_mixture(draw: Draw) -> tuple[Any, ...]:
    wide = (draw.sizes.components, 784)
    parameters = draw.simplex(draw.sizes.components), draw.normal(*wide, scale=0.1), draw.positive(*wide)
    return draw.normal(draw.sizes.batch, 784), *parameters


FAR_AWAY = EdgeCase(
    "far from every component",
    "Right near the components, but not far from them: every density underflows to 0 there. Stay with logarithms: "
    "logsumexp for sums, softmax for ratios.",
    _far_mixture,
)


MANY_DIMENSIONS = EdgeCase(
    "hundreds of dimensions",
    "Right in a few dimensions, but not in hundreds: the densities underflow to 0 there. Stay with logarithms: "
    "logsumexp for sums, softmax for ratios.",
    _wide_mixture,
)


def component_log_prob(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    return gaussian_log_prob(x.unsqueeze(-2), mu, sigma)
